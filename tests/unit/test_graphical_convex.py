"""The convex fit: what it agrees with, what it shrinks to, and its minimizer."""

from itertools import combinations

import numpy as np
import pytest

from dpsynth.domain import Domain
from dpsynth.models.graphical.convex import _Smoothing, fit_cliques
from dpsynth.models.graphical.minimize import minimize
from dpsynth.models.graphical.penalties import shrinkage
from dpsynth.models.graphical.tables import NoisyTable

DOMAIN = Domain(sizes={"a": 3, "b": 4, "c": 2})
ROWS = 1_000.0


def joint(seed=0):
    table = np.random.default_rng(seed).random((3, 4, 2)) ** 2
    return ROWS * table / table.sum()


def margin(table, clique):
    return np.einsum(f"abc->{''.join(clique)}", table)


def noisy(clique, values, stddev):
    return NoisyTable(clique=clique, values=values, variance=np.full(values.shape, stddev**2))


def base_of(table):
    return {name: margin(table, (name,)) for name in DOMAIN.columns}


def test_tables_without_noise_are_met():
    truth = joint()
    pairs = list(combinations("cba", 2))
    model = fit_cliques(
        DOMAIN,
        [noisy(pair, margin(truth, pair), 1e-3) for pair in pairs],
        cliques=[("a", "b", "c")],
        base=base_of(truth),
        total=ROWS,
    ).model
    for pair in pairs:
        assert model.marginal(pair) == pytest.approx(margin(truth, pair), abs=0.05)


def test_a_fit_may_begin_where_an_earlier_one_ended():
    """The same optimum, from whichever start; and no step is left to do where it began there."""
    truth = joint()
    tables = [noisy(pair, margin(truth, pair), 5.0) for pair in combinations("cba", 2)]
    asked = {"cliques": [("a", "b", "c")], "base": base_of(truth), "total": ROWS}
    cold = fit_cliques(DOMAIN, tables, precision=1e-6, **asked)
    part = fit_cliques(DOMAIN, tables[:1], precision=1e-2, **asked)
    warm = fit_cliques(DOMAIN, tables, precision=1e-6, start=part.factors, **asked)
    again = fit_cliques(DOMAIN, tables, start=cold.factors, most_steps=0, **asked)
    for pair in combinations("abc", 2):
        assert warm.model.marginal(pair) == pytest.approx(cold.model.marginal(pair), abs=1e-3)
        assert again.model.marginal(pair) == pytest.approx(cold.model.marginal(pair), abs=1e-9)
    assert set(cold.factors) == {("c", "a"), ("c", "b"), ("a", "b")}


def test_tables_of_nothing_but_noise_are_shrunk_toward_the_base():
    truth = joint()
    product = np.outer(margin(truth, "a"), margin(truth, "b")) / ROWS
    noise = np.random.default_rng(1).normal(0, 100, (3, 4))
    model = fit_cliques(
        DOMAIN,
        [noisy(("a", "b"), product + noise, 100.0)],
        cliques=[("a", "b"), ("c",)],
        base=base_of(truth),
        total=ROWS,
    ).model
    moved = np.abs(model.marginal(("a", "b")) - product).sum()
    assert moved < 0.4 * np.abs(noise).sum()


def test_a_table_measured_twice_counts_twice():
    truth = joint()
    values = margin(truth, ("a", "b"))
    twice = [noisy(("a", "b"), values - 20, 10.0), noisy(("b", "a"), values.T + 20, 10.0)]
    once = noisy(("a", "b"), values, 10.0 / np.sqrt(2))
    settings = {"cliques": [("a", "b"), ("c",)], "base": base_of(truth), "total": ROWS}
    one, two = (
        fit_cliques(DOMAIN, tables, **settings, precision=1e-6).model for tables in ([once], twice)
    )
    assert one.marginal(("a", "b")) == pytest.approx(two.marginal(("a", "b")), rel=1e-6)


def test_without_any_table_the_base_is_the_model():
    truth = joint()
    model = fit_cliques(
        DOMAIN, [], cliques=[("a",), ("b",), ("c",)], base=base_of(truth), total=ROWS
    ).model
    for name, rows in base_of(truth).items():
        assert model.marginal((name,)) == pytest.approx(rows)


def test_a_table_of_another_domain_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        fit_cliques(
            DOMAIN,
            [noisy(("a", "b"), np.ones((2, 2)), 1.0)],
            cliques=[("a", "b"), ("c",)],
            base=base_of(joint()),
            total=ROWS,
        )


def test_a_quadratic_is_minimized():
    rng = np.random.default_rng(0)
    root = rng.standard_normal((30, 30))
    matrix, goal = root @ root.T + np.eye(30), rng.standard_normal(30)

    def function(point):
        gradient = matrix @ (point - goal)
        return 0.5 * float((point - goal) @ gradient), gradient

    found = minimize(function, np.zeros(30), precision=1e-9, most_steps=500, inverse=np.copy)
    assert found == pytest.approx(goal, abs=1e-6)
    start = np.ones(30)
    assert minimize(function, start, precision=1e9, most_steps=500, inverse=np.copy) is start
    assert minimize(function, start, precision=1e-9, most_steps=0, inverse=np.copy) is start


def test_a_function_that_cannot_be_improved_ends_the_search():
    def lying(point):
        return float(np.abs(point).sum()), -np.ones_like(point)

    start = np.ones(3)
    assert minimize(lying, start, precision=1e-9, most_steps=50, inverse=np.copy) is start


def test_roughness_smooths_along_ordered_codes_alone():
    truth = np.full((3, 4, 2), ROWS / 24)
    bumpy = margin(truth, ("a", "b")) + 40 * np.array([1, -1, 1, -1])
    model, smooth, other = (
        fit_cliques(
            DOMAIN,
            [noisy(("a", "b"), bumpy, 5.0)],
            cliques=[("a", "b"), ("c",)],
            base=base_of(truth),
            total=ROWS,
            roughness=50.0,
            ordered=ordered,
        ).model.marginal(("a", "b"))
        for ordered in ({}, {"b": 4}, {"a": 3})
    )
    assert smooth.std() < 0.5 * model.std()
    assert other == pytest.approx(model, rel=0.02)


def test_a_table_that_says_little_is_shrunk_more():
    base = {"a": np.full(6, 100.0), "b": np.full(8, 75.0)}
    noise = np.random.default_rng(0).normal(0, 5, (6, 8))
    variance = np.full((6, 8), 25.0)
    strong = 12.5 + noise + 10 * np.where(np.add.outer(np.arange(6), np.arange(8)) % 2, 1, -1)
    weak = 12.5 + noise
    found = [
        shrinkage(
            NoisyTable(clique=("a", "b"), values=values, variance=variance),
            base,
            total=600.0,
            penalty=0.7,
            adapt=True,
        ).mean()
        for values in (strong, weak)
    ]
    assert found[1] > 2 * found[0]
    # c**2 is 100 rows squared over 12.5 expected, so sigma**2 / c**2 is about 3.
    assert found[0] == pytest.approx(np.sqrt(0.7 * 5 * 25 / 8), rel=0.25)


def test_the_pull_of_roughness_is_the_slope_of_its_penalty():
    """Against a plain loop over neighbors, for tables that share an axis length and one that does
    not, one of them over a single column, which is left alone."""
    rng = np.random.default_rng(0)
    tables = [
        noisy(("a", "b"), rng.random((3, 4)), 2.0),
        noisy(("b",), rng.random(4), 1.0),
        noisy(("c", "b"), rng.random((2, 4)), 5.0),
    ]
    smoothing = _Smoothing.of(tables, {"a": 3, "b": 3, "c": 1}, 0.5)
    theta = rng.standard_normal(12 + 4 + 8)

    def penalty(vector):
        first, last = vector[:12].reshape(3, 4), vector[16:].reshape(2, 4)
        along = [(first, 1.0), (first[:, :3].T, 1.0), (last[:, :3].T, 2.5)]
        return sum(0.5 * s * (np.diff(part, axis=0) ** 2).sum() for part, s in along)

    pulled = np.zeros(24)
    smoothing.pull(theta, pulled)
    steps = 1e-6 * np.eye(24)
    slope = [(penalty(theta + step) - penalty(theta - step)) / 2e-6 for step in steps]
    assert pulled == pytest.approx(slope, abs=1e-6)
    curvature = smoothing.curvature()
    assert curvature[:12].reshape(3, 4)[0] == pytest.approx([4.0, 4.0, 4.0, 2.0])
    assert (curvature[12:16] == 0).all()
    assert curvature[16:].reshape(2, 4)[0] == pytest.approx([5.0, 5.0, 5.0, 0.0])


def test_a_column_is_shrunk_the_less_the_smaller_its_noise_is_beside_chance():
    rows = np.array([400.0, 600.0])
    base = {"c": rows}
    options = {"total": ROWS, "penalty": 0.8}
    for stddev, part in ((2.0, 2.0 * np.sqrt(2 / ROWS)), (100.0, 1.0)):
        table = noisy(("c",), rows, stddev)
        flat = shrinkage(table, base, adapt=False, **options)
        assert flat == pytest.approx(np.full(2, 0.8 * stddev))
        assert shrinkage(table, base, adapt=True, **options) == pytest.approx(flat * part)
