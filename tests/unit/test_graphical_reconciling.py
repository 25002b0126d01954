"""Histograms and pair tables agree on every column, and know more together."""

import numpy as np
import pytest

from dpsynth.models.graphical.reconciling import reconciled
from dpsynth.models.graphical.tables import NoisyTable

TRUE = np.arange(1.0, 25.0).reshape(4, 6) * 10
GROUPS = {"a": np.arange(4), "b": np.array([0, 0, 1, 2, 2, 2])}


def noisy(values, clique, stddev, rng):
    return NoisyTable(
        clique=clique,
        values=values + rng.normal(0, stddev, values.shape),
        variance=np.full(values.shape, stddev**2),
    )


def tables(rng):
    grouped = np.zeros((4, 3))
    np.add.at(grouped.T, GROUPS["b"], TRUE.T)
    histograms = {
        "a": noisy(TRUE.sum(1), ("a",), 5.0, rng),
        "b": noisy(TRUE.sum(0), ("b",), 5.0, rng),
    }
    return histograms, [noisy(grouped, ("a", "b"), 1.0, rng)]


def test_tables_agree_on_every_column():
    """Up to the number of rows, which each of them tells with noise of its own."""
    found, (pair,) = reconciled(*_with_groups(tables(np.random.default_rng(0))))
    for name, axis in (("a", 1), ("b", 0)):
        margin = np.bincount(GROUPS[name], weights=found[name].values)
        assert np.ptp(pair.values.sum(axis) - margin) == pytest.approx(0, abs=1e-9)


def _with_groups(made):
    histograms, pairs = made
    return histograms, GROUPS, pairs


def test_the_stated_variance_is_that_of_the_errors():
    rng = np.random.default_rng(2)
    errors, stated = [], None
    for _ in range(600):
        histograms, pairs = tables(rng)
        found, _ = reconciled(histograms, GROUPS, pairs)
        errors.append(np.concatenate([found[name].values for name in "ab"]))
        stated = np.concatenate([found[name].variance for name in "ab"])
    truth = np.concatenate([TRUE.sum(1), TRUE.sum(0)])
    seen = ((np.array(errors) - truth) ** 2).mean(0)
    assert seen / stated == pytest.approx(np.ones(10), abs=0.3)
    assert (stated < 25).all()


def test_a_column_in_no_pair_stays():
    rng = np.random.default_rng(3)
    histograms, _ = tables(rng)
    found, _ = reconciled(histograms, GROUPS, [])
    assert found["a"] is histograms["a"]
