"""The model against its own joint distribution, written out."""

import json
import tracemalloc
from itertools import permutations

import numpy as np
import pytest

from dpsynth.domain import Domain
from dpsynth.errors import IntegrityError, UsageError
from dpsynth.models.graphical.model import GraphicalModel

DOMAIN = Domain(sizes={"a": 3, "b": 2, "c": 4, "d": 2, "e": 3, "x": 2})


def conditional(rng, *shape):
    table = rng.random(shape) ** 2
    return table / table.sum(-1, keepdims=True)


def written_out(seed=0):
    """A tree b-a, b-c, c-d, c-e and x alone: the joint distribution, and the model of it."""
    rng = np.random.default_rng(seed)
    b = conditional(rng, 2)
    joint = np.einsum(
        "b,ba,bc,cd,ce,x->abcdex",
        b, conditional(rng, 2, 3), conditional(rng, 2, 4), conditional(rng, 4, 2),
        conditional(rng, 4, 3), conditional(rng, 2),
    )  # fmt: skip
    cliques = [("c", "d"), ("a", "b"), ("x",), ("e", "c"), ("b", "c")]
    tables = {clique: onto(joint, clique) for clique in cliques}
    return joint, GraphicalModel(domain=DOMAIN, total=40.0, probabilities=tables)


def onto(joint, clique):
    names = "".join(DOMAIN.columns)
    return np.einsum(f"{names}->{''.join(clique)}", joint)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_every_marginal_is_that_of_the_joint(width):
    joint, model = written_out()
    for clique in permutations(DOMAIN.columns, width):
        assert model.marginal(clique) == pytest.approx(40 * onto(joint, clique), abs=1e-12)


def test_marginals_of_wider_cliques():
    """Not made by this version's estimation, but read and sampled all the same."""
    rng = np.random.default_rng(1)
    root, branch = conditional(rng, 24).reshape(3, 2, 4), conditional(rng, 2, 4, 2)
    alone = conditional(rng, 2), conditional(rng, 3)
    joint = np.einsum("abc,bcd,x,e->abcdex", root, branch, *alone)
    cliques = [("a", "b", "c"), ("d", "c", "b"), ("x",), ("e",)]
    tables = {clique: onto(joint, clique) for clique in cliques}
    model = GraphicalModel(domain=DOMAIN, total=1.0, probabilities=tables)
    for clique in permutations(DOMAIN.columns, 3):
        assert model.marginal(clique) == pytest.approx(onto(joint, clique), abs=1e-12)
    drawn = model.sample(50_000, rng)
    found = np.histogramdd([drawn[name] for name in "abd"], bins=(3, 2, 2))[0] / 50_000
    assert np.abs(found - onto(joint, "abd")).sum() < 0.02


def test_the_sample_follows_the_model_within_sampling_noise():
    """All pairs, measured or not: total variation at most that of independent draws.

    False alarms: the mean L1 distance of N independent draws from k cells is at most
    sqrt(2 k / (pi N)); 3 times that for the worst of 15 pairs is never reached in practice.
    """
    _, model = written_out(2)
    rows = 60_000
    drawn = model.sample(rows, np.random.default_rng(3))
    for first, second in permutations(DOMAIN.columns, 2):
        shape = DOMAIN.shape((first, second))
        flat = np.ravel_multi_index((drawn[first], drawn[second]), shape)
        found = np.bincount(flat, minlength=DOMAIN.size((first, second))).reshape(shape) / rows
        distance = np.abs(found - model.marginal((first, second)) / model.total).sum()
        assert distance < 3 * np.sqrt(2 * found.size / (np.pi * rows))


def test_samples_repeat_from_their_seed_and_keep_the_columns_order():
    _, model = written_out()
    one, two, other = (model.sample(500, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert tuple(one) == DOMAIN.columns
    assert all((one[name] == two[name]).all() for name in DOMAIN.columns)
    assert any((one[name] != other[name]).any() for name in DOMAIN.columns)
    assert all(codes.dtype == np.uint8 for codes in one.values())
    assert all(codes.size == 0 for codes in model.sample(0, np.random.default_rng(0)).values())


def test_a_model_survives_being_written():
    _, model = written_out()
    header, arrays = model.to_arrays()
    read = GraphicalModel.from_arrays(json.loads(json.dumps(header)), arrays)
    assert read.domain == model.domain
    assert read.total == model.total
    assert read.cliques == model.cliques
    for clique in model.cliques:
        assert (read.marginal(clique) == model.marginal(clique)).all()
    for name, codes in model.sample(100, np.random.default_rng(0)).items():
        assert (read.sample(100, np.random.default_rng(0))[name] == codes).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h, a: h.update(format="other/1"), "format"),
        (lambda h, a: h.update(total=-1.0), "total"),
        (lambda h, a: h.update(total=float("nan")), "total"),
        (lambda h, a: h.pop("cliques"), "cliques"),
        (lambda h, a: h["sizes"].append(["more", 2]), "cover exactly"),
        (lambda h, a: h["cliques"].pop(), "arrays"),
        (lambda h, a: a.update(table_0=a["table_0"] * 2), "sum to 1"),
        (lambda h, a: a.update(table_0=-a["table_0"]), "non-negative"),
        (lambda h, a: a.update(table_0=a["table_0"][::-1]), "agree"),
        (lambda h, a: a.update(table_0=a["table_1"]), "does not fit"),
        (lambda h, a: a.update(table_0=np.array(["x"])), "distribution"),
    ],
)
def test_a_damaged_file_is_refused(change, message):
    header, arrays = written_out()[1].to_arrays()
    change(header, arrays)
    with pytest.raises(IntegrityError, match=message):
        GraphicalModel.from_arrays(header, arrays)


def test_what_cannot_be_asked_is_refused():
    _, model = written_out()
    with pytest.raises(KeyError, match="nobody"):
        model.marginal(("a", "nobody"))
    for clique in ((), ("a", "a")):
        with pytest.raises(ValueError, match="each once"):
            model.marginal(clique)
    with pytest.raises(ValueError, match="at least 0"):
        model.sample(-1, np.random.default_rng(0))


def test_a_marginal_too_large_to_make_is_refused_before_any_table_is_made():
    """Fifteen columns of six codes that hang on one column: six to the fifteenth cells."""
    names = [f"leaf_{at}" for at in range(15)]
    domain = Domain(sizes={"root": 2, **dict.fromkeys(names, 6)})
    rng = np.random.default_rng(0)
    tables = {("root", name): np.outer([0.5, 0.5], rng.dirichlet(np.ones(6))) for name in names}
    model = GraphicalModel(domain=domain, total=100.0, probabilities=tables)
    tracemalloc.start()
    with pytest.raises(UsageError, match="ask for fewer columns"):
        model.marginal(names)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    assert model.marginal(names[:5]).sum() == pytest.approx(100.0)
