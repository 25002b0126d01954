"""Are values released as often as the law says, and one person's hardly ever?

False alarms: at most 5e-7 a check, by exact binomial tests; fewer than 40 checks. Misses: a scale
wrong by 5 % either way, or a threshold wrong by one either way, less than once in ten thousand.
Seeds are fixed, so red means that something changed.
"""

from fractions import Fraction
from math import expm1, log1p

import numpy as np
import pytest
from scipy import stats

from dpsynth.privacy.accounting import gaussian_tail, selection_threshold
from dpsynth.privacy.mechanisms import PartitionSelection
from dpsynth.privacy.randomness import SeededRandom

FALSE_ALARM = 5e-7
VALUES = 200_000
SIGMA_SQUARED, THRESHOLD = Fraction(100), 40


def tail(start, sigma_squared):
    """P(noise >= start), summed by hand; the reach is far beyond what floats can hold."""
    sigma = float(sigma_squared) ** 0.5
    reach = np.arange(-int(40 * sigma) - 2, int(40 * sigma) + 3 + abs(start))
    weights = np.exp(-(reach.astype(float) ** 2) / (2 * float(sigma_squared)))
    return float(weights[reach >= start].sum() / weights.sum())


def selection(sigma_squared=SIGMA_SQUARED, threshold=THRESHOLD):
    return PartitionSelection(
        sigma_squared=sigma_squared, threshold=threshold, delta=Fraction(1, 10)
    )


def p_value(mechanism, count, *, seed=3):
    """Of how many of many values held by ``count`` units are released, under the stated law."""
    counts = np.full(VALUES, count, dtype=np.int64)
    kept, _ = mechanism.release(counts, rng=SeededRandom(seed))
    chance = tail(THRESHOLD - count, SIGMA_SQUARED)
    return stats.binomtest(int(kept.size), VALUES, chance).pvalue


@pytest.mark.parametrize("count", [1, 20, 27, 40, 55])
def test_a_value_is_released_as_often_as_the_law_says(count):
    assert p_value(selection(), count) > FALSE_ALARM


@pytest.mark.parametrize("error", [Fraction(95, 100), Fraction(105, 100)])
def test_would_notice_a_wrong_scale(error):
    assert p_value(selection(sigma_squared=SIGMA_SQUARED * error**2), 27) < FALSE_ALARM


@pytest.mark.parametrize("off", [-1, 1])
def test_would_notice_a_wrong_threshold(off):
    assert p_value(selection(threshold=THRESHOLD + off), 27) < FALSE_ALARM


def test_released_counts_are_what_was_held_and_the_noise_that_was_compared():
    counts = np.array([0, 10**6, 0, 3 * 10**6, 1], dtype=np.int64)
    kept, noisy = selection().release(counts, rng=SeededRandom(4))
    assert kept.tolist() == [1, 3]
    assert (np.abs(noisy - counts[kept]) < 120).all()
    assert (noisy >= THRESHOLD).all()


def test_what_nobody_holds_is_never_released():
    certain = selection(sigma_squared=Fraction(10**6), threshold=2)
    kept, _ = certain.release(np.zeros(10_000, dtype=np.int64), rng=SeededRandom(5))
    assert kept.size == 0


@pytest.mark.parametrize(
    "sigma_squared",
    [Fraction(1, 16), Fraction(1, 4), Fraction(1), Fraction(9), Fraction(400), Fraction(10**6)],
    ids=str,
)
def test_the_tail_is_bounded_from_above_and_closely(sigma_squared):
    sigma = float(sigma_squared) ** 0.5
    for start in {1, 2, 3, *(max(int(sigma * wide), 1) for wide in (0.5, 1, 2, 3.2, 5, 6, 8))}:
        exact, bound = tail(start, sigma_squared), float(gaussian_tail(start, sigma_squared))
        assert bound >= exact * (1 - 1e-9)
        if 1e-90 < exact < 1e-3:
            assert bound <= 1.1 * exact


@pytest.mark.parametrize("max_new", [1, 3, 50])
@pytest.mark.parametrize("sigma_squared", [Fraction(4), Fraction(150), Fraction(10**4)], ids=str)
def test_the_reserved_delta_is_enough_and_nearly_reached(sigma_squared, max_new):
    """The worst person brings ``max_new`` values that nobody else holds."""
    for delta in (Fraction(1, 100), Fraction(1, 2 * 10**9)):
        threshold = selection_threshold(sigma_squared, max_new=Fraction(max_new), delta=delta)
        worst, looser = (
            -expm1(max_new * log1p(-tail(threshold - 1 - off, sigma_squared))) for off in (0, 1)
        )
        assert worst <= float(delta)
        assert looser > 0.9 * float(delta)


@pytest.mark.parametrize("off", [0, -2])
def test_one_persons_values_are_released_with_no_more_than_the_reserve(off):
    """By draws; a threshold two lower than the accountant allows is seen to pass the reserve."""
    sigma_squared, max_new, delta = Fraction(9), 3, Fraction(1, 100)
    threshold = selection_threshold(sigma_squared, max_new=Fraction(max_new), delta=delta) + off
    mechanism = PartitionSelection(sigma_squared=sigma_squared, threshold=threshold, delta=delta)
    kept, _ = mechanism.release(np.ones(max_new * 100_000, dtype=np.int64), rng=SeededRandom(6))
    failed = np.unique(kept // max_new).size
    above = stats.binomtest(int(failed), 100_000, float(delta), alternative="greater").pvalue
    assert (above > FALSE_ALARM) == (off == 0)
