"""The convex fit: what it agrees with, what it shrinks to, and its minimizer."""

from itertools import combinations

import numpy as np
import pytest

from dpsynth.domain import Domain
from dpsynth.models.graphical.convex import fit_cliques, fit_factors
from dpsynth.models.graphical.minimize import minimize
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
    )
    for pair in pairs:
        assert model.marginal(pair) == pytest.approx(margin(truth, pair), abs=0.05)


def test_a_fit_may_begin_where_an_earlier_one_ended():
    """The same optimum, from whichever start; and no step is left to do where it began there."""
    truth = joint()
    tables = [noisy(pair, margin(truth, pair), 5.0) for pair in combinations("cba", 2)]
    asked = {"cliques": [("a", "b", "c")], "base": base_of(truth), "total": ROWS}
    cold = fit_factors(DOMAIN, tables, precision=1e-6, **asked)
    part = fit_factors(DOMAIN, tables[:1], precision=1e-2, **asked)
    warm = fit_factors(DOMAIN, tables, precision=1e-6, start=part.factors, **asked)
    again = fit_factors(DOMAIN, tables, start=cold.factors, most_steps=0, **asked)
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
    )
    moved = np.abs(model.marginal(("a", "b")) - product).sum()
    assert moved < 0.4 * np.abs(noise).sum()


def test_a_table_measured_twice_counts_twice():
    truth = joint()
    values = margin(truth, ("a", "b"))
    twice = [noisy(("a", "b"), values - 20, 10.0), noisy(("b", "a"), values.T + 20, 10.0)]
    once = noisy(("a", "b"), values, 10.0 / np.sqrt(2))
    settings = {"cliques": [("a", "b"), ("c",)], "base": base_of(truth), "total": ROWS}
    one, two = (
        fit_cliques(DOMAIN, tables, **settings, precision=1e-6) for tables in ([once], twice)
    )
    assert one.marginal(("a", "b")) == pytest.approx(two.marginal(("a", "b")), rel=1e-6)


def test_without_any_table_the_base_is_the_model():
    truth = joint()
    model = fit_cliques(
        DOMAIN, [], cliques=[("a",), ("b",), ("c",)], base=base_of(truth), total=ROWS
    )
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

    found = minimize(function, np.zeros(30), precision=1e-9, most_steps=500)
    assert found == pytest.approx(goal, abs=1e-6)
    start = np.ones(30)
    assert minimize(function, start, precision=1e9, most_steps=500) is start
    assert minimize(function, start, precision=1e-9, most_steps=0) is start


def test_a_function_that_cannot_be_improved_ends_the_search():
    def lying(point):
        return float(np.abs(point).sum()), -np.ones_like(point)

    start = np.ones(3)
    assert minimize(lying, start, precision=1e-9, most_steps=50) is start


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
        ).marginal(("a", "b"))
        for ordered in ({}, {"b": 4}, {"a": 3})
    )
    assert smooth.std() < 0.5 * model.std()
    assert other == pytest.approx(model, rel=0.02)
