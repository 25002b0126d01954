"""Networks as models: draws, conditions, rules and files, without torch."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from dpsynth.domain import Domain
from dpsynth.errors import IntegrityError, UsageError
from dpsynth.models.graphical.raking import Correction
from dpsynth.models.neural.correction import Targets
from dpsynth.models.neural.made_network import MadeNetwork
from dpsynth.models.neural.model import NeuralModel
from dpsynth.zeros import Forbidden, Ordered

DOMAIN = Domain(sizes={"a": 3, "b": 2, "c": 4, "d": 2})
ORDER = ("c", "a", "d", "b")
ROWS = 40_000


def made(sizes, *, hidden=7, seed=0):
    """Return a network of made-up weights, masked as a trained one is."""
    rng = np.random.default_rng(seed)
    column = np.repeat(np.arange(len(sizes)), sizes)
    degree = np.arange(hidden) % (len(sizes) - 1)
    masks = {
        "hidden": degree[:, None] >= column,
        "output": column[:, None] > degree,
        "direct": column[:, None] > column,
    }
    weights = {f"{name}.weight": rng.normal(size=m.shape) * m for name, m in masks.items()}
    weights["hidden.bias"] = rng.normal(size=hidden)
    weights["output.bias"] = rng.normal(size=sum(sizes))
    return MadeNetwork(
        sizes=tuple(sizes), weights={n: w.astype(np.float32) for n, w in weights.items()}
    )


MODEL = NeuralModel(domain=DOMAIN, total=500.0, order=ORDER, network=made(DOMAIN.shape(ORDER)))


def joint(model):
    """Return the probability of every combination of codes, by the likelihood of all rows."""
    sizes = model.domain.sizes
    rows = np.array(list(product(*(range(size) for size in sizes.values()))))
    codes = {name: rows[:, at] for at, name in enumerate(sizes)}
    return np.exp(model.log_likelihood(codes)).reshape(tuple(sizes.values()))


def drawn_shares(codes, sizes):
    cells = np.ravel_multi_index([codes[name] for name in sizes], tuple(sizes.values()))
    counts = np.bincount(cells, minlength=int(np.prod(list(sizes.values()))))
    return counts.reshape(tuple(sizes.values())) / counts.sum()


def close(drawn, exact, rows=ROWS):
    """Within five standard deviations and a few rows: false alarm below 1e-4 for 48 cells."""
    spread = np.sqrt(exact * (1 - exact) / rows)
    return bool((np.abs(drawn - exact) <= 5 * spread + 5 / rows * (exact > 0)).all())


def test_it_draws_what_it_says_is_likely():
    exact = joint(MODEL)
    assert exact.sum() == pytest.approx(1)
    codes = MODEL.sample(ROWS, np.random.default_rng(1))
    assert tuple(codes) == DOMAIN.columns
    assert close(drawn_shares(codes, DOMAIN.sizes), exact)
    assert not close(drawn_shares(codes, DOMAIN.sizes), np.full(exact.shape, 1 / exact.size))
    again = MODEL.sample(ROWS, np.random.default_rng(1))
    assert all((codes[name] == again[name]).all() for name in codes)


@pytest.mark.parametrize("columns", [("c",), ("b",), ("a", "b"), ("c", "a")])
def test_conditions_are_met_in_proportion(columns):
    rng = np.random.default_rng(3)
    table = rng.random(DOMAIN.shape(columns)) * (rng.random(DOMAIN.shape(columns)) < 0.7)
    table.flat[0] = 0.2
    exact = joint(MODEL)
    axes = [DOMAIN.columns.index(name) for name in columns]
    order = np.argsort(axes)
    shape = [DOMAIN.sizes[name] if name in columns else 1 for name in DOMAIN.columns]
    kept = exact * table.transpose(order).reshape(shape)
    chance = MODEL.log_chance({columns: table})
    assert np.exp(chance) == pytest.approx(kept.sum(), rel=0.05)
    codes = MODEL.sample(ROWS, np.random.default_rng(4), likelihood={columns: table})
    assert codes["a"].size == ROWS
    assert close(drawn_shares(codes, DOMAIN.sizes), kept / kept.sum())


def test_a_condition_on_the_first_column_wastes_nothing(monkeypatch):
    from dpsynth.models.neural import model

    asked = []
    draw = model.draw
    monkeypatch.setattr(
        model, "draw", lambda net, rows, *a, **k: asked.append(rows) or draw(net, rows, *a, **k)
    )
    codes = MODEL.sample(100, np.random.default_rng(0), likelihood={("c",): np.eye(4)[2]})
    assert (codes["c"] == 2).all()
    assert asked == [100]


def test_what_hardly_ever_holds_is_refused_in_a_sentence():
    never = {("b",): np.zeros(2)}
    assert MODEL.log_chance(never) == -np.inf
    with pytest.raises(UsageError, match="`first`"):
        MODEL.sample(5, np.random.default_rng(0), likelihood=never)


ZEROS = (
    Forbidden(codes=(("a", frozenset({0, 1})), ("b", frozenset({0})))),
    Forbidden(codes=(("a", frozenset({0})), ("c", frozenset({1})), ("b", frozenset({1})))),
    Ordered(
        first="d",
        second="c",
        first_spans=((1.0, 1.0), (2.0, 2.0)),
        second_spans=((0.0, 0.0), (1.0, 1.0), (2.0, 2.0), None),
    ),
)


def test_rules_hold_without_a_dead_end():
    ruled = MODEL.with_zeros(replace(DOMAIN, zeros=ZEROS))
    exact = joint(ruled)
    assert exact.sum() == pytest.approx(1)  # no row was lost on its way
    codes = ruled.sample(ROWS, np.random.default_rng(2))
    assert close(drawn_shares(codes, DOMAIN.sizes), exact)
    for zero in ZEROS:
        allowed = zero.allowed(DOMAIN.sizes)
        assert allowed[tuple(codes[name] for name in zero.columns)].all()
        assert (ruled.marginal(zero.columns)[~allowed] == 0).all()


def test_rows_at_a_dead_end_are_drawn_again(monkeypatch):
    from dpsynth.models.neural import drawing

    monkeypatch.setattr(drawing, "_MOST_CELLS", 1)  # nothing is told ahead
    ruled = MODEL.with_zeros(replace(DOMAIN, zeros=ZEROS))
    codes = ruled.sample(5_000, np.random.default_rng(2))
    assert codes["a"].size == 5_000
    for zero in ZEROS:
        assert zero.allowed(DOMAIN.sizes)[tuple(codes[name] for name in zero.columns)].all()


def test_marginals_sum_to_the_total():
    pair = MODEL.marginal(("b", "c"))
    assert pair.shape == (2, 4)
    assert pair.sum() == pytest.approx(500)
    exact = joint(MODEL).sum(axis=(0, 3)) * 500
    assert np.abs(pair - exact).sum() < 25
    for wrong in ((), ("a", "a")):
        with pytest.raises(ValueError, match="clique"):
            MODEL.marginal(wrong)
    with pytest.raises(KeyError):
        MODEL.marginal(("z",))


def test_no_rows_and_wrong_questions():
    assert MODEL.sample(0, np.random.default_rng(0))["a"].size == 0
    with pytest.raises(ValueError, match="rows"):
        MODEL.sample(-1, np.random.default_rng(0))
    with pytest.raises(ValueError, match="does not fit"):
        MODEL.sample(1, np.random.default_rng(0), likelihood={("a",): np.ones(2)})


def test_it_reads_what_it_wrote():
    header, arrays = MODEL.to_arrays()
    read = NeuralModel.from_arrays(header, arrays)
    assert np.array_equal(joint(read), joint(MODEL))
    assert NeuralModel.shapes(header) == {name: each.shape for name, each in arrays.items()}


def targets(*pairs):
    """Return targets a fifth away from what the network says."""
    columns = []
    for name in DOMAIN.columns:
        shares = MODEL.marginal((name,)) / MODEL.total
        shares = 0.8 * shares + 0.2 * np.eye(shares.size)[shares.argmax()]
        columns.append(Correction(clique=(name,), shares=shares, stddev=1e-4))
    return Targets(total=500.0, tables=[*columns, *pairs])


def test_whole_samples_meet_the_targets():
    held = targets()
    model = replace(MODEL, targets=held)
    codes = model.sample(1_000, np.random.default_rng(0))
    for name, shares in held.columns.items():
        counts = np.bincount(codes[name], minlength=shares.size)
        assert np.abs(counts - 1_000 * shares).max() < 5, name
    alone = MODEL.sample(1_000, np.random.default_rng(0))
    assert np.abs(np.bincount(alone["a"]) - 1_000 * held.columns["a"]).max() > 50
    # A condition is met by the network alone.
    given = {("c",): np.eye(4)[1]}
    plain = MODEL.sample(50, np.random.default_rng(0), likelihood=given)
    with_targets = model.sample(50, np.random.default_rng(0), likelihood=given)
    assert all((plain[name] == with_targets[name]).all() for name in plain)


def test_targets_are_read_back():
    pair = Correction(clique=("a", "c"), shares=np.full((3, 4), 1 / 12), stddev=0.001)
    model = replace(MODEL, targets=targets(pair))
    read = NeuralModel.from_arrays(*model.to_arrays())
    again = NeuralModel.from_arrays(*read.to_arrays())
    first, second = (each.sample(500, np.random.default_rng(0)) for each in (read, again))
    assert all((first[name] == second[name]).all() for name in first)
    assert [each.clique for each in read.targets.tables][-1] == ("a", "c")


@pytest.mark.parametrize(
    "wrong",
    [
        {
            "targets": Targets(
                total=1.0, tables=[Correction(clique=("a",), shares=np.ones(2), stddev=1)]
            )
        },
        {
            "targets": Targets(
                total=1.0, tables=[Correction(clique=("z",), shares=np.ones(2), stddev=1)]
            )
        },
        {"total": 0.0},
        {"order": ("a", "b", "c", "d")},
    ],
)
def test_parts_that_do_not_fit_are_refused(wrong):
    with pytest.raises(ValueError, match=r"table|total|network"):
        replace(MODEL, **wrong)


def broken_headers():
    header, _ = MODEL.to_arrays()
    network = header["network"]
    yield {**header, "format": "dpsynth-neural/2"}
    yield {**header, "order": ["a", "b", "c"]}
    yield {**header, "order": ["a", "a", "c", "d"]}
    yield {**header, "total": float("nan")}
    yield {**header, "total": -1}
    yield {**header, "sizes": [["a", 3]]}
    for wrong in ({"kind": "os:system"}, {"hidden": 8}, {"hidden": -1}, {"hidden": True}):
        yield {**header, "network": {**network, **wrong}}
    for name in header:
        yield {key: value for key, value in header.items() if key != name}


@pytest.mark.parametrize("header", list(broken_headers()))
def test_a_broken_header_is_refused(header):
    with pytest.raises(IntegrityError):
        NeuralModel.from_arrays(header, MODEL.to_arrays()[1])


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden.bias": np.full(7, np.nan, np.float32)},
        {"hidden.bias": np.full(7, np.inf, np.float32)},
        {"hidden.bias": np.zeros(7)},
        {"hidden.bias": np.zeros(8, np.float32)},
        {"another": np.zeros(1, np.float32)},
    ],
)
def test_broken_arrays_are_refused(wrong):
    header, arrays = MODEL.to_arrays()
    with pytest.raises(IntegrityError):
        NeuralModel.from_arrays(header, {**arrays, **wrong})


def test_a_header_that_claims_the_world_makes_nothing():
    header, _ = MODEL.to_arrays()
    wide = {**header, "network": {"kind": "made", "hidden": 2**20}}
    assert NeuralModel.shapes(wide)["hidden.weight"] == (2**20, 11)  # numbers alone


def test_a_seed_gives_these_rows_on_every_machine():
    drawn = MODEL.sample(8, np.random.default_rng(7))
    assert {name: codes.tolist() for name, codes in drawn.items()} == {
        "a": [0, 1, 1, 2, 2, 1, 2, 1],
        "b": [1, 1, 1, 0, 1, 1, 1, 1],
        "c": [1, 0, 0, 3, 3, 0, 3, 0],
        "d": [0, 1, 1, 1, 1, 1, 1, 1],
    }
