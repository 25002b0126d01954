"""Structural zeros: over codes, over merged codes, in every fit, against brute force."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from dpsynth.domain import Domain
from dpsynth.models.graphical import convex
from dpsynth.models.graphical.convex import around_zeros, fit_cliques
from dpsynth.models.graphical.estimation import fit
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.models.graphical.propagation import Propagation
from dpsynth.models.graphical.raking import Correction
from dpsynth.models.graphical.tables import NoisyTable
from dpsynth.models.graphical.triangulation import GrowingGraph
from dpsynth.models.graphical.zeros import allowed_over, keeps_zeros, log_barriers
from dpsynth.synthesizers.compression import merge_rare
from dpsynth.zeros import Forbidden, Ordered, alike

SIZES = {"sex": 3, "ward": 4, "in": 3, "out": 3}
NEVER = Forbidden(codes=(("sex", frozenset({0})), ("ward", frozenset({1, 2}))))
NOT_AFTER = Ordered(
    first="in",
    second="out",
    first_spans=((0.0, 1.0), (2.0, 3.0), None),
    second_spans=((0.0, 0.0), (1.0, 2.0), (3.0, 9.0)),
)
DOMAIN = Domain(sizes=SIZES, zeros=(NEVER, NOT_AFTER))


def possible(cell):
    sex, ward, first, second = cell
    if sex == 0 and ward in (1, 2):
        return False
    low = (0, 2, -9)[first]
    high = (0, 2, 9)[second]
    return low <= high


ALLOWED = np.reshape(
    [possible(cell) for cell in product(range(3), range(4), range(3), range(3))], (3, 4, 3, 3)
)


def table(clique, values, variance=1.0):
    values = np.asarray(values, dtype=np.float64)
    return NoisyTable(clique=clique, values=values, variance=np.full(values.shape, variance))


def world(seed=0, rows=5_000.0):
    rng = np.random.default_rng(seed)
    weights = rng.gamma(0.7, size=ALLOWED.shape) * ALLOWED
    return rows * weights / weights.sum()


def joint(model):
    return model.marginal(DOMAIN.columns)


def test_what_can_occur_is_what_brute_force_says():
    assert (allowed_over(DOMAIN, DOMAIN.columns) == ALLOWED).all()
    assert (allowed_over(DOMAIN, ("ward", "sex")) == ALLOWED.any((2, 3)).T).all()
    assert allowed_over(DOMAIN, ("sex", "in")) is None


def test_merged_codes_are_forbidden_where_all_within_them_is():
    merged = DOMAIN.regrouped({"ward": [0, 1, 1, 0], "out": [0, 0, 1]})
    exact = ALLOWED.any((2, 3))
    assert not merged.zeros[0].allowed(merged.sizes)[0, 1]
    assert merged.zeros[0].allowed(merged.sizes).sum() == 5
    assert exact.sum() == 10
    assert merged.zeros[1].allowed(merged.sizes).tolist() == [[True] * 2, [True] * 2, [True] * 2]
    blurred = DOMAIN.regrouped({"ward": [0, 0, 1, 2], "in": [0, 1, 1]})
    assert not blurred.zeros[0].allowed(blurred.sizes)[0, 1]
    assert blurred.zeros[0].allowed(blurred.sizes)[0, 0]  # within it one ward can occur
    assert blurred.zeros[1].allowed(blurred.sizes).all()  # a value may be missing in it


def test_sizes_that_change_leave_their_zeros_behind():
    assert DOMAIN.replace({"ward": 2}).zeros == (NOT_AFTER,)
    assert DOMAIN.replace({"ward": 4}) == DOMAIN
    with pytest.raises(ValueError, match="zeros must name columns"):
        Domain(sizes={"sex": 3}, zeros=(NEVER,))


def test_rare_codes_are_merged_only_with_codes_that_rules_treat_alike():
    counts = np.array([0.0, 50.0, 1.0, 0.0, 2.0, 0.0, 1.0, 60.0])
    sizes = {"ward": 8, "sex": 2}
    rule = Forbidden(codes=(("sex", frozenset({0})), ("ward", frozenset({2, 3, 7}))))
    domain = Domain(sizes=sizes, zeros=(rule,))
    found = merge_rare(
        table(("ward",), counts), threshold=3.0, levels=100, alike=alike(domain, "ward")
    )
    assert found.groups.tolist() == [2, 0, 3, 3, 2, 2, 2, 1]
    spans = (*((float(v), float(v)) for v in range(7)), None)
    rule = Ordered(first="ward", second="sex", first_spans=spans, second_spans=spans[:2])
    domain = Domain(sizes=sizes, zeros=(rule,))
    counts[7] = 0
    found = merge_rare(
        table(("ward",), counts), threshold=3.0, levels=100, alike=alike(domain, "ward")
    )
    assert found.groups.tolist() == [0, 1, 2, 2, 2, 2, 2, 3]
    assert alike(Domain(sizes=sizes), "ward") is None
    assert alike(domain, "sex").in_runs


@pytest.mark.parametrize("method", ["tree", "convex"])
@pytest.mark.parametrize("noise", [0.0, 200.0])
def test_fits_hold_zeros_and_follow_their_tables(method, noise):
    exact = world()
    rng = np.random.default_rng(1)
    names = DOMAIN.columns

    def measured(clique):
        axes = tuple(at for at, name in enumerate(names) if name not in clique)
        margin = exact.sum(axes)
        return table(clique, margin + noise * rng.standard_normal(margin.shape), noise**2 + 1e-4)

    tables = [measured((name,)) for name in names]
    tables += [measured(pair) for pair in (("sex", "ward"), ("ward", "in"), ("in", "out"))]
    if method == "tree":
        model = fit(DOMAIN, tables)
    else:
        graph = GrowingGraph(DOMAIN, most_cells=10**6, most_clique_cells=10**6)
        assert all(graph.join(each.clique) for each in tables)
        base = {name: np.maximum(t.values, 1.0) for name, t in zip(names, tables, strict=False)}
        model = fit_cliques(
            DOMAIN, tables, cliques=graph.cliques, base=base, total=5_000.0, penalty=0.01
        )
    assert (joint(model)[~ALLOWED] == 0).all()
    assert keeps_zeros(model)
    if not noise:
        for each in tables:
            assert np.abs(model.marginal(each.clique) - each.values).sum() < 0.02 * 5_000
    drawn = model.sample(20_000, rng)
    assert ALLOWED[tuple(drawn[name] for name in names)].all()
    cells = np.stack(np.unravel_index(np.arange(ALLOWED.size), ALLOWED.shape))
    codes = dict(zip(names, cells, strict=True))
    assert (np.isneginf(model.log_likelihood(codes)) == (joint(model).ravel() == 0)).all()


def test_cliques_grow_to_hold_zeros():
    tables = [table((name,), np.full(size, 5_000 / size)) for name, size in SIZES.items()]
    base = {each.clique[0]: each.values for each in tables}
    alone = [(name,) for name in DOMAIN.columns]
    model = fit_cliques(DOMAIN, tables, cliques=alone, base=base, total=5_000.0)
    assert keeps_zeros(model)
    assert {frozenset(each) for each in model.cliques} == {
        frozenset({"sex", "ward"}),
        frozenset({"in", "out"}),
    }


def test_a_model_is_replaced_by_the_nearest_with_zeros():
    exact = world(seed=3)
    model = GraphicalModel(
        domain=DOMAIN,
        total=5_000.0,
        probabilities={
            (name,): exact.sum(tuple(set(range(4)) - {at})) / 5_000
            for at, name in enumerate(DOMAIN.columns)
        },
    )
    assert not keeps_zeros(model)
    held = around_zeros(model)
    assert keeps_zeros(held)
    assert around_zeros(held) is held
    for name in DOMAIN.columns:  # what can be kept is kept
        assert np.abs(held.marginal((name,)) - model.marginal((name,))).sum() < 0.02 * 5_000


def test_rules_are_joined_first_and_raise_limits_only_as_far_as_they_must():
    domain = replace(DOMAIN, sizes={**SIZES, "free": 50})
    graph = GrowingGraph(domain, most_cells=63, most_clique_cells=50)
    assert graph.holds(("sex", "ward"))
    assert graph.holds(("in", "out"))
    assert not graph.join(("sex", "free"))
    assert graph.cells == pytest.approx(12 + 9 + 50)


def test_plain_and_logarithmic_propagation_agree_on_zeros():
    barriers = log_barriers(DOMAIN)
    rng = np.random.default_rng(0)
    cliques = [("sex", "ward", "in"), ("in", "out"), ("sex", "ward")]
    factors = [("in", "out"), ("sex", "in"), ("in", "ward"), *barriers]
    tree = Propagation(DOMAIN, cliques[:2], factors, factors)
    tree.rule_out({3 + at: each for at, each in enumerate(barriers.values())})
    free = [rng.normal(size=DOMAIN.shape(each)) for each in factors[:3]]
    plain = tree._run_plain([*free, *barriers.values()])
    slow = tree._run_in_logs([*free, *barriers.values()])
    assert plain is not None
    assert plain[0] == pytest.approx(slow[0])
    for first, second in zip(plain[2], slow[2], strict=True):
        assert (first / first.sum()) == pytest.approx(second / second.sum(), abs=1e-12)


def test_separators_with_impossible_values_do_not_slow_the_fit_down():
    """Both columns of a rule in a separator: sums of 0 are no sums that vanished."""
    sizes = {"a": 2, "b": 2, "x": 3, "y": 2}
    rule = Forbidden(codes=(("a", frozenset({0})), ("b", frozenset({0}))))
    domain = Domain(sizes=sizes, zeros=(rule,))
    (barrier,) = log_barriers(domain).values()
    factors = [("a", "b"), ("a", "b", "x"), ("a", "b", "y")]
    tree = Propagation(domain, factors[1:], factors, factors)
    run = [barrier, np.zeros((2, 2, 3)), np.zeros((2, 2, 2))]
    assert tree._run_plain(run) is None
    tree.rule_out({0: barrier})
    _, beliefs, margins = tree._run_plain(run)
    assert all((each[0, 0] == 0).all() for each in [*beliefs, *margins])
    total = margins[0].sum()
    assert margins[0] / total == pytest.approx(np.array([[0, 1 / 3], [1 / 3, 1 / 3]]))


def test_rules_that_leave_nothing_are_refused():
    both = frozenset({0, 1})
    domain = Domain(sizes={"a": 2, "b": 2}, zeros=(Forbidden(codes=(("a", both), ("b", both))),))
    with pytest.raises(ValueError, match="leave no combination"):
        fit(domain, [table(("a",), [5, 5])])


def test_a_clique_that_cannot_be_held_tells_of_its_columns(monkeypatch):
    monkeypatch.setattr(convex, "MOST_TREE_CELLS", 24)
    rng = np.random.default_rng(0)
    joint = rng.random((3, 4, 3))
    model = GraphicalModel(
        domain=DOMAIN,
        total=5_000.0,
        probabilities={
            ("sex", "ward", "in"): joint / joint.sum(),
            ("out",): np.full(3, 1 / 3),
        },
    )
    held = around_zeros(model)
    assert keeps_zeros(held)
    assert max(map(len, held.cliques)) == 2
    for name in ("sex", "ward", "in"):
        assert np.abs(held.marginal((name,)) - model.marginal((name,))).sum() < 0.05 * 5_000


def test_raking_brings_nothing_back_that_is_forbidden():
    rng = np.random.default_rng(0)
    tables = [table((name,), np.full(size, 5_000 / size)) for name, size in SIZES.items()]
    free = fit(DOMAIN, tables)
    wanted = rng.random((3, 4))
    wanted[0, 1:3] = 5.0  # what noise might say of cells that cannot be
    pulled = Correction(clique=("sex", "ward"), shares=wanted / wanted.sum(), stddev=1e-4)
    drawn = replace(free, corrections=[pulled]).sample(5_000, rng)
    assert ALLOWED[tuple(drawn[name] for name in DOMAIN.columns)].all()
    again = replace(free, corrections=[pulled]).sample(500, rng, given={"ward": 1})
    assert set(again["sex"]) == {1, 2}
