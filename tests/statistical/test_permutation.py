"""Does the permutation test of a family hold its level, and find what is planted?

400 families without a leak, tested at 5 % for the whole family: 20 may reject on average, and 42
or more happen less than once in a hundred thousand runs. Families mix tests of a few hits, tests of
many, and ranks that agree with each other. Seeds are fixed.
"""

import numpy as np
import pytest

from attacks.stats.permutation import max_t

FAMILIES, PERSONS = 400, 300


def family(rng):
    """Return weights of 20 rare tests, 5 common ones and 5 ranks that agree with each other."""
    rare = rng.random((20, PERSONS)) < rng.uniform(1, 6, (20, 1)) / PERSONS
    common = rng.random((5, PERSONS)) < 0.3
    agreeing = rng.random(PERSONS) + 0.5 * rng.random((5, PERSONS))
    return np.vstack([rare, common, agreeing.argsort(axis=1).argsort(axis=1)]).astype(float)


@pytest.mark.parametrize("share", [0.15, 0.5, 0.85])
def test_families_without_a_leak_are_rejected_no_more_often_than_promised(share):
    rng = np.random.default_rng(int(100 * share))
    is_member = np.arange(PERSONS) < share * PERSONS
    alarms = sum(
        min(result.adjusted for result in max_t(family(rng), is_member, permutations=99, rng=rng))
        <= 0.05
        for _ in range(FAMILIES)
    )
    assert alarms <= 41


def test_others_keep_the_level_beside_a_test_that_leaks():
    rng = np.random.default_rng(7)
    is_member = np.arange(PERSONS) < PERSONS // 2
    alarms, found = 0, 0
    for _ in range(FAMILIES):
        weights = np.vstack([is_member, family(rng)])
        leaking, *others = max_t(weights, is_member, permutations=99, rng=rng)
        found += leaking.adjusted <= 0.05
        alarms += min(result.adjusted for result in others) <= 0.05
    assert found == FAMILIES
    assert alarms <= 41


def test_copies_of_one_member_in_a_hundred_are_found_among_many_tests():
    """20 copied of 2,000 members, no control hit: at least 48 of 50 times, at 1 %."""
    rng = np.random.default_rng(9)
    is_member = np.arange(4000) < 2000
    found = 0
    for _ in range(50):
        rare = rng.random((40, 4000)) < 0.001
        copied = np.zeros(4000)
        copied[rng.choice(2000, 20, replace=False)] = 1
        results = max_t(np.vstack([rare, copied]), is_member, permutations=499, rng=rng)
        found += results[-1].adjusted <= 0.01
    assert found >= 48
