"""Combining rules: hand-worked values, published limits, and intervals that cover."""

from math import inf, sqrt

import numpy as np
import pytest
from scipy import stats

from dpsynth.errors import UsageError
from dpsynth.utility.replication import fully_synthetic, partially_synthetic
from dpsynth.utility.replication.combining import interval_overlap

SEED = 20240501


def test_fully_synthetic_by_hand():
    # m = 3, qbar = 2, b = ((-1)^2 + 0 + 1^2) / 2 = 1, ubar = 0.5
    # T = 4/3 * 1 - 0.5 = 5/6; degrees = 2 * (1 - 0.5 / (4/3))^2 = 2 * (5/8)^2 = 0.78125
    found = fully_synthetic([1, 2, 3], [0.4, 0.5, 0.6])
    assert found.estimate == pytest.approx(2)
    assert found.between == pytest.approx(1)
    assert found.within == pytest.approx(0.5)
    assert found.variance == pytest.approx(5 / 6)
    assert found.degrees == pytest.approx(0.78125)
    assert found.high - 2 == pytest.approx(stats.t.ppf(0.975, 0.78125) * sqrt(5 / 6))
    assert not found.adjusted


def test_a_negative_variance_gets_the_published_stand_in():
    # b = 0.01, 4/3 * 0.01 - 0.5 < 0: ubar times rows of a copy over real rows
    found = fully_synthetic([1.9, 2.0, 2.1], [0.4, 0.5, 0.6], rows_ratio=2)
    assert found.adjusted
    assert found.variance == pytest.approx(1.0)
    assert found.degrees == 2


def test_partially_synthetic_by_hand():
    # T = 0.5 + 1/3 = 5/6; degrees = 2 * (1 + 0.5 / (1/3))^2 = 2 * 2.5^2 = 12.5
    found = partially_synthetic([1, 2, 3], [0.4, 0.5, 0.6])
    assert found.variance == pytest.approx(5 / 6)
    assert found.degrees == pytest.approx(12.5)
    assert partially_synthetic([2, 2], [1, 1]).degrees == inf


def test_interval_overlap_by_hand():
    assert interval_overlap(0, 2, 0, 2) == 1
    assert interval_overlap(0, 2, 1, 5) == pytest.approx((1 / 2 + 1 / 4) / 2)
    assert interval_overlap(0, 1, 3, 4) == pytest.approx(-2)


@pytest.mark.parametrize(
    ("estimates", "variances", "level"),
    [([1], [1], 0.95), ([1, 2], [1], 0.95), ([1, 2], [1, -1], 0.95), ([1, np.nan], [1, 1], 0.95),
     ([1, 2], [1, 1], 1.0)],
)  # fmt: skip
def test_what_cannot_be_is_refused(estimates, variances, level):
    with pytest.raises(UsageError):
        fully_synthetic(estimates, variances, level=level)


def _coverage(rule, draw, trials):
    rng = np.random.default_rng(SEED)
    held = 0
    for _ in range(trials):
        found = rule(*draw(rng))
        held += found.low <= 0 <= found.high
    return held / trials


def test_intervals_of_fully_synthetic_copies_cover():
    """2,000 means, nominal 0.95: outside [0.925, 0.975] by chance below 1e-6.

    A posterior draw of the mean, then rows from it: what a noise-aware release does. The
    mean of one copy, taken as real, covers far less.
    """
    n, copies, privacy = 400, 20, 1.0 / 400

    def draw(rng):
        center = rng.normal(0, sqrt(1 / n + privacy))
        models = center + rng.normal(0, sqrt(1 / n + privacy), copies)
        return models + rng.normal(0, sqrt(1 / n), copies), np.full(copies, 1 / n)

    assert 0.925 < _coverage(fully_synthetic, draw, 2_000) < 0.975

    def alone(estimates, variances):
        half = 1.96 * sqrt(variances[0])
        low, high = estimates[0] - half, estimates[0] + half
        return type("Interval", (), {"low": low, "high": high})

    assert _coverage(alone, draw, 2_000) < 0.7


def test_intervals_of_partially_synthetic_copies_cover():
    """2,000 means, half of whose values are drawn anew; bounds as above."""
    n, copies = 400, 10

    def draw(rng):
        kept, replaced = rng.normal(0, sqrt(2 / n), 2)
        # The model of the replaced half is drawn from its posterior; then n / 2 values from it.
        models = replaced + rng.normal(0, sqrt(2 / n), copies)
        drawn = models + rng.normal(0, sqrt(2 / n), copies)
        return (kept + drawn) / 2, np.full(copies, 1 / n)

    assert 0.925 < _coverage(partially_synthetic, draw, 2_000) < 0.975
