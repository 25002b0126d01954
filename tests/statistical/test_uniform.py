"""Uniform integers at awkward bounds.

False alarms: at most 5e-7 a check by chi-square with 50 draws or more expected a cell, fewer than
20 checks. Seeds are fixed, so red means that something changed.
"""

import numpy as np
import pytest
from scipy import stats

from dpsynth.privacy.randomness import SeededRandom
from dpsynth.privacy.samplers import uniform_below

FALSE_ALARM = 5e-7
DRAWS = 20_000


@pytest.mark.parametrize("bound", [2, 3, 5, 6, 7, 100, 127, 129])
def test_small_bounds_have_even_cells(bound):
    rng = SeededRandom(41)
    draws = [uniform_below(bound, rng=rng) for _ in range(DRAWS)]
    counts = np.bincount(draws, minlength=bound)
    assert counts.size == bound
    assert stats.chisquare(counts).pvalue > FALSE_ALARM


@pytest.mark.parametrize("bound", [2**63 + 1, 3 * 2**62, 2**64 - 1, 2**64, 2**64 + 1, 10**30])
def test_large_bounds_are_even_from_the_top_to_the_last_digit(bound):
    rng = SeededRandom(42)
    draws = [uniform_below(bound, rng=rng) for _ in range(DRAWS)]
    assert all(0 <= draw < bound for draw in draws)
    sixths = np.bincount([6 * draw // bound for draw in draws], minlength=6)
    residues = np.bincount([draw % 7 for draw in draws], minlength=7)
    assert stats.chisquare(sixths).pvalue > FALSE_ALARM
    assert stats.chisquare(residues).pvalue > FALSE_ALARM


def test_a_word_out_of_range_is_refused_not_folded():
    left = [7 << 61, 5 << 61, 4 << 61]

    class Scripted:
        seeded = True

        def words(self, count):
            assert count == 1
            return np.array([left.pop(0)], dtype=np.uint64)

    assert uniform_below(5, rng=Scripted()) == 4


def test_one_candidate_needs_no_bits_and_none_is_refused():
    class Empty:
        seeded = True

        def words(self, count):
            assert count == 0
            return np.empty(0, dtype=np.uint64)

    assert uniform_below(1, rng=Empty()) == 0
    with pytest.raises(ValueError, match="bound"):
        uniform_below(0, rng=Empty())
