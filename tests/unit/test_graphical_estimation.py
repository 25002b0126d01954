"""Estimation against closed forms, brute force, and inputs that only noise can make."""

from itertools import combinations

import numpy as np
import pytest

from dpsynth.domain import Domain
from dpsynth.models.graphical.estimation import fit, fit_pair, project_to_simplex
from dpsynth.models.graphical.tables import NoisyTable, estimate_total, regrouped


def table(clique, values, variance=1.0):
    values = np.asarray(values, dtype=np.float64)
    return NoisyTable(clique=clique, values=values, variance=np.full(values.shape, variance))


def nearest_by_brute_force(values, variance, total):
    """Try every set of cells that stay above 0; keep the best that is feasible."""
    best, least = None, np.inf
    for count in range(1, values.size + 1):
        for kept in map(list, combinations(range(values.size), count)):
            shift = (values[kept].sum() - total) / variance[kept].sum()
            candidate = np.zeros(values.size)
            candidate[kept] = values[kept] - shift * variance[kept]
            cost = ((candidate - values) ** 2 / variance).sum()
            if (candidate >= 0).all() and cost < least:
                best, least = candidate, cost
    return best


@pytest.mark.parametrize("seed", range(20))
def test_projection_is_the_nearest_point(seed):
    rng = np.random.default_rng(seed)
    values, variance = rng.normal(0, 10, 6), rng.uniform(0.5, 30, 6)
    found = project_to_simplex(values, variance, total=5.0)
    assert found == pytest.approx(nearest_by_brute_force(values, variance, 5.0), abs=1e-9)


def test_projection_moves_a_cell_that_is_known_better_by_less():
    found = project_to_simplex(np.array([10.0, 10.0]), np.array([1.0, 3.0]), total=16.0)
    assert found == pytest.approx([9.0, 7.0])


@pytest.mark.parametrize(
    "values", [[-5.0, -9.0, -1.0], [0.0, 0.0, 0.0], [1e18, -1e18, 3.0], [1e-300, 0.0, 0.0]]
)
def test_projection_of_extremes_is_a_distribution(values):
    found = project_to_simplex(np.array(values), np.ones(3), total=2.0)
    assert (found >= 0).all()
    assert found.sum() == pytest.approx(2.0)


def test_total_is_the_precision_weighted_mean_of_sums():
    narrow, wide = table(("a",), [60.0, 50.0], 1.0), table(("b",), [100.0] * 2, 3.0)
    assert estimate_total([narrow, wide]) == pytest.approx((110 * 3 + 200) / 4)


def test_total_is_unbiased_where_cells_are_negative():
    """False alarms: below 1e-6 (five standard errors). Cutting at 0 first would add 200 rows."""
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 10, (400, 100))
    totals = [estimate_total([table(("a",), 2 + row, 100.0)]) for row in noise]
    assert abs(np.mean(totals) - 200) <= 5 * 100 / 20


def test_a_total_below_one_is_one():
    assert estimate_total([table(("a",), [-40.0, -3.0])]) == 1.0
    with pytest.raises(ValueError, match="at least one table"):
        estimate_total([])


def test_columns_are_reconciled_by_weighted_least_squares():
    """A pair's margins count for what they are worth: here a quarter of the column's own table."""
    own = table(("a",), [60.0, 40.0], 2.0)
    pair = table(("a", "b"), [[40.0, 40.0], [10.0, 10.0]], 4.0)
    model = fit(Domain(sizes={"a": 2, "b": 2}), [own, pair])
    expected = (np.array([60, 40]) * 4 + np.array([80, 20])) / 5
    assert model.marginal(("a",)) == pytest.approx(expected)
    assert model.marginal(("a", "b")).sum(1) == pytest.approx(expected)


def test_without_noise_a_forest_is_reproduced():
    rng = np.random.default_rng(0)
    joint = {pair: rng.integers(1, 50, (3, 4)) for pair in ("ab", "cd")}
    tables = [table(tuple(pair), counts, 1e-6) for pair, counts in joint.items()]
    tables[1] = table(("c", "d"), joint["cd"] * (joint["ab"].sum() / joint["cd"].sum()), 1e-6)
    model = fit(Domain(sizes={"a": 3, "b": 4, "c": 3, "d": 4}), tables)
    assert model.marginal(("a", "b")) == pytest.approx(joint["ab"], rel=1e-3)
    product = np.outer(model.marginal(("a",)), model.marginal(("d",))) / model.total
    assert model.marginal(("a", "d")) == pytest.approx(product)


def test_a_pair_of_pure_noise_shrinks_to_independence():
    """Against taking the noisy table as it is: the error must fall by more than half."""
    rng = np.random.default_rng(1)
    rows, columns = rng.uniform(200, 400, 12), rng.uniform(200, 400, 10)
    columns *= rows.sum() / columns.sum()
    truth = np.outer(rows, columns) / rows.sum()
    noisy = truth + rng.normal(0, 30, truth.shape)
    fitted = fit_pair(table(("a", "b"), noisy, 900.0), rows, columns)
    assert np.abs(fitted - truth).sum() < 0.5 * np.abs(noisy - truth).sum()


def test_a_strong_pair_is_kept():
    truth = np.diag([300.0, 200.0, 100.0]) + 1
    fitted = fit_pair(table(("a", "b"), truth, 4.0), truth.sum(1), truth.sum(0))
    assert np.abs(fitted - truth).max() < 5


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (4, 1), (7, 6)])
def test_a_pair_has_its_margins_exactly_whatever_the_noise(scale, shape):
    rng = np.random.default_rng(5)
    rows, columns = rng.uniform(0, 9, shape[0]), rng.uniform(0, 9, shape[1])
    rows[1:2], columns[2:4] = 0.0, 0.0
    columns *= rows.sum() / columns.sum()
    noisy = rng.normal(0, scale, shape)
    fitted = fit_pair(table(("a", "b"), noisy, scale**2), rows, columns)
    assert (fitted >= 0).all()
    assert fitted.sum(1) == pytest.approx(rows, abs=1e-9)
    assert fitted.sum(0) == pytest.approx(columns, abs=1e-9)


def test_margins_hold_where_scaling_alone_would_not_arrive():
    """The noisy table is the negative of what the margins ask for."""
    rows, columns = np.array([1000.0, 1.0]), np.array([1.0, 1000.0])
    noisy = np.array([[-500.0, -900.0], [1e9, -800.0]])
    fitted = fit_pair(table(("a", "b"), noisy, 1e-3), rows, columns)
    assert fitted.sum(1) == pytest.approx(rows)
    assert fitted.sum(0) == pytest.approx(columns)


@pytest.mark.parametrize("level", [-1e6, -3.0, 0.0])
def test_only_negative_counts_still_give_a_model(level):
    tables = [
        table(("a",), [level] * 3, 5.0),
        table(("b",), [level], 5.0),
        table(("a", "b"), [[level]] * 3, 5.0),
    ]
    model = fit(Domain(sizes={"a": 3, "b": 1, "c": 2}), tables)
    assert model.total == 1.0
    assert model.marginal(("a",)) == pytest.approx([1 / 3] * 3)
    assert model.marginal(("c",)) == pytest.approx([0.5, 0.5])
    assert {len(codes) for codes in model.sample(7, np.random.default_rng(0)).values()} == {7}


def test_what_cannot_be_fitted_is_refused():
    domain = Domain(sizes={"a": 2, "b": 2, "c": 2})
    pairs = [table(pair, np.ones((2, 2))) for pair in (("a", "b"), ("b", "c"), ("a", "c"))]
    with pytest.raises(ValueError, match="circle"):
        fit(domain, pairs)
    with pytest.raises(ValueError, match="three or more"):
        fit(domain, [table(("a", "b", "c"), np.ones((2, 2, 2)))])
    with pytest.raises(ValueError, match="does not fit the domain"):
        fit(domain, [table(("a",), np.ones(3))])


def test_a_noisy_table_must_be_one():
    with pytest.raises(ValueError, match="one axis a column"):
        table(("a",), np.ones((2, 2)))
    with pytest.raises(ValueError, match="finite"):
        table(("a",), [np.nan, 1.0])
    with pytest.raises(ValueError, match="above 0"):
        table(("a",), [1.0, 1.0], 0.0)


def test_regrouping_adds_counts_and_variances():
    merged = regrouped(table(("a",), [1.0, 2.0, 4.0], 3.0), np.array([1, 0, 1]))
    assert merged.values.tolist() == [2.0, 5.0]
    assert merged.variance.tolist() == [3.0, 6.0]
