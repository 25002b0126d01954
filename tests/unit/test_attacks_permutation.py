"""The permutation test of a family, against plain counting and against its promise."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from attacks.stats import difference
from attacks.stats.permutation import PERMUTATIONS, _law, max_t


def half(persons):
    return np.arange(persons) < persons // 2


def test_p_value_is_that_of_all_labelings():
    rng = np.random.default_rng(0)
    row, is_member = rng.normal(size=9), np.arange(9) < 4
    seen = row[is_member].sum()
    exact = np.mean(
        [row[list(chosen)].sum() >= seen - 1e-12 for chosen in combinations(range(9), 4)]
    )
    found = max_t(row[None], is_member, permutations=40_000, rng=rng)[0]
    assert found.p_value == pytest.approx(exact, abs=0.01)
    assert found.adjusted == found.p_value


def test_adjusted_p_value_is_that_of_the_largest_of_all_labelings():
    """Two tests of hits with the same number of hits each: the larger statistic decides."""
    rng = np.random.default_rng(1)
    weights = np.zeros((2, 10))
    weights[0, [0, 1, 2, 9]] = 1
    weights[1, [0, 4, 5, 6]] = 1
    is_member = half(10)
    sums = np.array([weights[:, list(chosen)].sum(axis=1) for chosen in combinations(range(10), 5)])
    first, second = max_t(weights, is_member, permutations=40_000, rng=rng)
    assert first.p_value == pytest.approx(np.mean(sums[:, 0] >= 3), abs=0.01)
    assert first.adjusted == pytest.approx(np.mean(sums.max(axis=1) >= 3), abs=0.01)
    # Step-down: the test behind is held against itself alone, and never passes the one ahead.
    assert second.adjusted == pytest.approx(max(first.adjusted, np.mean(sums[:, 1] >= 2)), abs=0.01)


def test_moments_are_those_of_all_labelings():
    row = np.random.default_rng(2).exponential(size=8)
    sums = np.array([row[list(chosen)].sum() for chosen in combinations(range(8), 3)])
    law = _law(row, 3)
    assert law.mean == pytest.approx(sums.mean())
    assert law.deviation == pytest.approx(sums.std())
    assert law.skewness == pytest.approx(stats.skew(sums))


@pytest.mark.parametrize("members", [3, 10, 17])
def test_surprise_of_hits_is_fishers_tail(members):
    row = np.repeat([0.0, 2.5], [12, 8])
    counts = np.arange(max(0, members - 12), min(8, members) + 1)
    found = _law(row, members).surprise(2.5 * counts, two_sided=False)
    assert found == pytest.approx(-stats.hypergeom(20, 8, members).logsf(counts - 1), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_surprise_grows_with_the_sum(seed):
    rng = np.random.default_rng(seed)
    for row in (rng.exponential(size=30), rng.random(30) < 0.2, rng.integers(0, 3, 30)):
        law = _law(row.astype(float), 12)
        for sums in (np.linspace(law.mean, law.mean + 40, 50),):
            attainable = sums if law.hits is None else np.arange(int((row > 0).sum()) + 1.0)[:13]
            surprise = law.surprise(attainable, two_sided=False)
            assert (np.diff(surprise) >= 0).all()


def test_a_rare_test_is_not_hidden_by_others_and_hides_none():
    """With one member to nine controls, one hit of one is 3 deviations, and no evidence."""
    rng = np.random.default_rng(3)
    is_member = np.arange(2000) < 200
    weights = np.zeros((42, 2000))
    for row in weights[:40]:  # two hits each, anywhere
        row[rng.choice(2000, 2, replace=False)] = 1
    weights[40, :14] = 1  # copies of 14 members, and of 8 controls: p about 2e-8
    weights[40, -8:] = 1
    weights[41] = rng.permutation(2000)
    found = max_t(weights, is_member, permutations=999, rng=rng)
    assert found[40].adjusted == 0.001
    # By deviations alone the same test is not the first of family: two hits of two are 4.2.
    assert found[41].adjusted > 0.01


def test_a_row_that_says_the_same_of_everyone_says_nothing():
    weights = np.vstack([np.full(20, 0.1), np.zeros(20), np.arange(20.0)[::-1]])
    flat, zero, shifted = max_t(weights, half(20), permutations=999, rng=np.random.default_rng(0))
    assert flat == zero
    assert (flat.p_value, flat.adjusted, flat.statistic) == (1.0, 1.0, 0.0)
    assert shifted.adjusted == 0.001


@pytest.mark.parametrize("members", [0, 6])
def test_one_group_alone_says_nothing(members):
    found = max_t(
        np.arange(12.0).reshape(2, 6), np.arange(6) < members, rng=np.random.default_rng(0)
    )
    assert [result.adjusted for result in found] == [1.0, 1.0]
    assert max_t(np.empty((0, 6)), half(6), rng=np.random.default_rng(0)) == ()


def test_one_person_of_each_kind_says_nothing():
    found = max_t(np.array([[1.0, 0.0]]), np.array([True, False]), rng=np.random.default_rng(0))
    assert 0.4 < found[0].p_value < 0.6


def test_what_cannot_be_tested_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="one column a person"):
        max_t(np.ones((2, 5)), half(6), rng=rng)
    with pytest.raises(ValueError, match="finite"):
        max_t(np.array([[1.0, np.nan]]), half(2), rng=rng)
    with pytest.raises(ValueError, match="permutations must be above 0"):
        max_t(np.ones((2, 6)), half(6), permutations=0, rng=rng)


def test_no_p_value_is_below_what_the_draws_can_show():
    is_member = half(400)
    found = max_t(is_member[None].astype(float), is_member, rng=np.random.default_rng(0))[0]
    assert found.p_value == found.adjusted == 1 / (1 + PERMUTATIONS)
    assert found.statistic == pytest.approx(399**0.5)


def test_one_side_sees_more_hits_alone_and_two_sides_see_fewer_too():
    is_member = half(200)
    weights = np.vstack([is_member, ~is_member, np.where(is_member, 0.0, np.arange(200.0))])
    one = max_t(weights, is_member, permutations=499, rng=np.random.default_rng(0))
    two = max_t(weights, is_member, permutations=499, rng=np.random.default_rng(0), two_sided=True)
    assert [result.p_value <= 0.01 for result in one] == [True, False, False]
    assert [result.p_value <= 0.01 for result in two] == [True, True, True]


def test_equal_sums_of_fractions_are_equal():
    """Thirds added up in another order differ in the last bit; ties must stay ties."""
    weights = np.full((1, 60), 1 / 3)
    weights[0, :6] = 2 / 3
    weights[0, 6] = 0.0
    is_member = np.zeros(60, dtype=bool)
    is_member[[0, 1, 2, 6, *range(20, 46)]] = True
    found = max_t(weights, is_member, permutations=4000, rng=np.random.default_rng(5))[0]
    counts = [
        (
            plus - minus,
            stats.multivariate_hypergeom.pmf([plus, minus, 30 - plus - minus], [6, 1, 53], 30),
        )
        for plus in range(7)
        for minus in range(2)
    ]
    assert found.p_value == pytest.approx(sum(p for net, p in counts if net >= 2), abs=0.03)


def test_sums_of_tenths_tie_as_sums_of_whole_numbers_do():
    whole = np.random.default_rng(6).integers(0, 8, (20, 70)).astype(float)
    is_member = half(70)
    exact = max_t(whole, is_member, permutations=999, rng=np.random.default_rng(1))
    tenths = max_t(whole / 10, is_member, permutations=999, rng=np.random.default_rng(1))
    assert [r.p_value for r in exact] == [r.p_value for r in tenths]
    assert [r.adjusted for r in exact] == [r.adjusted for r in tenths]


def test_tail_of_a_skewed_row_is_near_the_true_one():
    """A few persons with fractions of a hit, one member in ten: far above the normal tail."""
    rng = np.random.default_rng(7)
    row = np.zeros(1000)
    row[:12] = rng.uniform(0.3, 1.0, 12)
    sums = np.array([row[rng.permutation(1000)[:100]].sum() for _ in range(20_000)])
    limit = np.quantile(sums, 0.999)
    said = np.exp(-_law(row, 100).surprise(np.array([limit]), two_sided=False)[0])
    assert 0.0003 < said < 0.003


def test_same_draws_give_the_same_answer_whatever_the_scale():
    rng = np.random.default_rng(8)
    weights, is_member = rng.normal(size=(5, 80)), half(80)
    first = max_t(weights, is_member, permutations=199, rng=np.random.default_rng(1))
    again = max_t(1e6 * weights + 3, is_member, permutations=199, rng=np.random.default_rng(1))
    assert [r.adjusted for r in first] == [r.adjusted for r in again]
    assert [r.statistic for r in first] == pytest.approx([r.statistic for r in again])


def test_needed_level_is_that_at_which_a_test_counts_in_its_family():
    rng = np.random.default_rng(4)
    is_member = half(400)
    weights = (rng.random((30, 400)) < rng.uniform(0.02, 0.4, (30, 1))).astype(float)
    weights[0, :40] = 1
    needed = {r.needed for r in max_t(weights, is_member, rng=np.random.default_rng(0))}
    assert len(needed) == 1
    level = needed.pop()
    assert 0.8 * 0.01 / 30 <= level <= 0.01
    tail, said = stats.hypergeom(400, 60, 200), set()
    for hits in range(36, 48):
        weights[0] = 0
        weights[0, :hits] = 1
        weights[0, 400 - (60 - hits) :] = 1
        found = max_t(weights, is_member, rng=np.random.default_rng(0))[0]
        assert (found.adjusted <= 0.01) == (tail.sf(hits - 1) <= found.needed)
        said.add(found.adjusted <= 0.01)
    assert said == {True, False}
    agreeing = np.repeat(weights[1:2], 30, axis=0)
    assert max_t(agreeing, is_member, rng=rng)[0].needed > 0.004
    few = max_t(weights, is_member, permutations=50, rng=rng)
    assert few[0].needed == 0.0  # 51 draws cannot show 1 %


def test_what_is_called_detectable_is_detected_in_nineteen_of_twenty():
    """At the smallest difference stated: 2 misses of 40 expected, 9 once in ten thousand runs."""
    rng = np.random.default_rng(6)
    is_member = np.arange(1000) < 600
    found = 0
    for _ in range(40):
        weights = (rng.random((41, 1000)) < 0.02).astype(float)
        needed = max_t(weights[1:], is_member, permutations=499, rng=rng)[0].needed
        effect = difference.detectable(
            trials=600, control_trials=400, control_rate=0.02, level=needed
        )
        weights[0] = rng.random(1000) < 0.02 + effect * is_member
        found += max_t(weights, is_member, permutations=499, rng=rng)[0].adjusted <= 0.01
    assert found >= 32
    assert effect < 0.1
