"""Systematic rounding: counts as close as rows allow, order as random as it must be."""

import time
from itertools import pairwise

import numpy as np
import pytest

from dpsynth.domain import Domain
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.models.graphical.sampling import draw_in_groups, smallest_dtype


@pytest.mark.parametrize("seed", range(5))
def test_counts_in_a_group_are_within_one_row_of_their_expectation(seed):
    rng = np.random.default_rng(seed)
    weights, groups = rng.random((6, 9)) ** 3, rng.integers(0, 6, 5_000).astype(np.uint8)
    codes = draw_in_groups(weights, groups, rng)
    for group in range(6):
        size = (groups == group).sum()
        expected = size * weights[group] / weights[group].sum()
        found = np.bincount(codes[groups == group], minlength=9)
        assert found.sum() == size
        assert np.abs(found - expected).max() < 1 + 1e-9


def test_rounding_is_unbiased():
    """False alarms: below 1e-6 (five standard errors of at most half a row each)."""
    rng = np.random.default_rng(8)
    weights = np.array([[0.05, 0.5, 0.2, 0.25]])
    runs = [draw_in_groups(weights, np.zeros(7, np.uint8), rng) for _ in range(4_000)]
    found = np.mean([np.bincount(run, minlength=4) for run in runs], axis=0)
    assert np.abs(found - 7 * weights[0]).max() < 5 * 0.5 / np.sqrt(4_000)


def test_codes_of_no_weight_are_never_drawn():
    weights = np.array([[0.0, 1 / 3, 0.0, 1 / 3, 1 / 3, 0.0, 0.0], [0.0] * 6 + [1e-300]])
    groups = np.repeat([0, 1], [100_001, 3])
    for seed in range(50):
        codes = draw_in_groups(weights, groups, np.random.default_rng(seed))
        assert set(codes[:-3]) == {1, 3, 4}
        assert set(codes[-3:]) == {6}


def test_a_group_without_any_weight_is_drawn_evenly():
    codes = draw_in_groups(np.zeros((1, 4)), np.zeros(40, np.uint8), np.random.default_rng(0))
    assert np.bincount(codes).tolist() == [10] * 4


def test_no_rows_and_one_code():
    rng = np.random.default_rng(0)
    assert draw_in_groups(np.ones((2, 3)), np.zeros(0, np.uint8), rng).shape == (0,)
    assert draw_in_groups(np.ones((2, 1)), np.array([0, 1], np.uint8), rng).tolist() == [0, 0]


def test_codes_are_stored_narrowly():
    assert [smallest_dtype(size).itemsize for size in (1, 2, 256, 257, 65_536, 65_537)] == [
        1, 1, 1, 2, 2, 4,
    ]  # fmt: skip


def star(children, strength):
    """Columns that each lean on a common parent and are independent given it."""
    pair = np.array([[0.5 + strength, 0.5 - strength], [0.5 - strength, 0.5 + strength]]) / 2
    domain = Domain(sizes={"parent": 2} | {f"child_{i}": 2 for i in range(children)})
    tables = {("parent", f"child_{i}"): pair for i in range(children)}
    return GraphicalModel(domain=domain, total=100.0, probabilities=tables)


def test_siblings_are_independent_given_their_parent():
    """Ten siblings, 20,000 rows, all 45 pairs within both values of the parent.

    False alarms: below 1e-6 together (six standard errors). A sampler that gives two siblings the
    rows of a group in the same order would show correlations near 1.
    """
    drawn = star(10, 0.3).sample(20_000, np.random.default_rng(4))
    codes = np.array([drawn[f"child_{i}"] for i in range(10)], dtype=float)
    for value in (0, 1):
        held = codes[:, drawn["parent"] == value]
        correlation = np.corrcoef(held) - np.eye(10)
        assert np.abs(correlation).max() < 6 / np.sqrt(held.shape[1])


def test_columns_without_relation_come_out_uncorrelated():
    """All columns isolated, the case in which the parent group is the whole table."""
    domain = Domain(sizes={"a": 50, "b": 50, "c": 50})
    even = {(name,): np.full(50, 0.02) for name in domain.columns}
    model = GraphicalModel(domain=domain, total=1.0, probabilities=even)
    drawn = model.sample(40_000, np.random.default_rng(5))
    correlation = np.corrcoef([drawn[name] for name in "abc"]) - np.eye(3)
    assert np.abs(correlation).max() < 6 / np.sqrt(40_000)


def test_rows_stand_in_random_order():
    """The root column too: 0s must not all come before 1s. Six standard errors."""
    drawn = star(1, 0.4).sample(10_000, np.random.default_rng(6))
    for codes in drawn.values():
        assert abs(np.corrcoef(codes, np.arange(10_000))[0, 1]) < 6 / np.sqrt(10_000)


def test_a_million_rows_take_seconds():
    rng = np.random.default_rng(0)
    sizes = [85, 9, 100, 16, 7, 15, 6, 5, 2, 100, 100, 99, 42, 2]
    domain = Domain(sizes={f"c{i}": size for i, size in enumerate(sizes)})
    columns = domain.columns
    margins = {name: rng.dirichlet(np.ones(domain.sizes[name])) for name in columns}
    tables = {(a, b): np.outer(margins[a], margins[b]) for a, b in pairwise(columns)}
    model = GraphicalModel(domain=domain, total=1e6, probabilities=tables)
    started = time.process_time()
    drawn = model.sample(1_000_000, rng)
    assert time.process_time() - started < 6  # about half a second on an idle core
    assert {codes.size for codes in drawn.values()} == {1_000_000}
