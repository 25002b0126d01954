"""Statistics of the attacks against known values, and exactly where they are small."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from attacks.stats import binomial, difference, ranking
from attacks.stats.laws import (
    GaussianLaw,
    LaplaceLaw,
    detectable_scale,
    divergence_p_value,
    energy_limits,
    frequency_divergence,
    gap_limit,
    largest_gap,
)


@pytest.mark.parametrize(("hits", "trials"), [(0, 5), (5, 5), (3, 10), (97, 1000)])
def test_interval_is_clopper_and_pearsons(hits, trials):
    known = stats.binomtest(hits, trials).proportion_ci(0.95, method="exact")
    assert binomial.interval(hits=hits, trials=trials) == pytest.approx((known.low, known.high))


def test_interval_of_nothing_says_nothing():
    assert binomial.interval(hits=0, trials=0) == (0.0, 1.0)
    assert binomial.rate(hits=0, trials=0) is None


@pytest.mark.parametrize("rate", [0.01, 0.3, 0.5, 0.97])
def test_interval_covers_at_every_rate(rate):
    trials = 40
    covered = 0.0
    for hits in range(trials + 1):
        low, high = binomial.interval(hits=hits, trials=trials)
        covered += stats.binom.pmf(hits, trials, rate) * (low <= rate <= high)
    assert covered >= 0.95


@pytest.mark.parametrize("hits", [-1, 6])
def test_impossible_counts_are_refused(hits):
    with pytest.raises(ValueError, match="hits must lie between"):
        binomial.interval(hits=hits, trials=5)


@pytest.mark.parametrize(
    "table", [(8, 10, 1, 12), (0, 10, 3, 5), (50, 60, 50, 60), (900, 1000, 5, 7)]
)
def test_p_value_is_fishers(table):
    hits, trials, control_hits, control_trials = table
    known = stats.fisher_exact(
        [[hits, trials - hits], [control_hits, control_trials - control_hits]],
        alternative="greater",
    ).pvalue
    found = difference.p_value(
        hits=hits, trials=trials, control_hits=control_hits, control_trials=control_trials
    )
    assert found == pytest.approx(known, rel=1e-6)


def test_p_value_of_an_empty_group_is_one():
    assert difference.p_value(hits=0, trials=0, control_hits=3, control_trials=9) == 1.0


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("level", [0.05, 0.001])
def test_exact_test_holds_its_level(rate, level):
    trials, control_trials = 23, 11
    alarms = 0.0
    for hits in range(trials + 1):
        for control_hits in range(control_trials + 1):
            found = difference.p_value(
                hits=hits, trials=trials, control_hits=control_hits, control_trials=control_trials
            )
            if found <= level:
                alarms += stats.binom.pmf(hits, trials, rate) * stats.binom.pmf(
                    control_hits, control_trials, rate
                )
    assert alarms <= level


@pytest.mark.parametrize("control_rate", [0.05, 0.4])
def test_detectable_difference_is_detected(control_rate):
    trials, control_trials, level = 60, 40, 0.01
    effect = difference.detectable(
        trials=trials, control_trials=control_trials, control_rate=control_rate, level=level
    )
    assert effect is not None
    power = sum(
        stats.binom.pmf(hits, trials, control_rate + effect)
        * stats.binom.pmf(control_hits, control_trials, control_rate)
        for hits in range(trials + 1)
        for control_hits in range(control_trials + 1)
        if difference.p_value(
            hits=hits, trials=trials, control_hits=control_hits, control_trials=control_trials
        )
        <= level
    )
    assert power >= 0.95
    # Half of it must be far from sure, or the figure would be a scarecrow.
    assert effect < 0.6


def test_detectable_difference_shrinks_with_persons_and_may_not_exist():
    few, many = (
        difference.detectable(trials=n, control_trials=n, control_rate=0.1, level=0.01)
        for n in (50, 5000)
    )
    assert few is not None
    assert many is not None
    assert many < 0.05 < few
    assert difference.detectable(trials=5, control_trials=2, control_rate=0.1, level=0.01) is None
    assert difference.detectable(trials=9, control_trials=0, control_rate=0.1, level=0.01) is None
    assert difference.detectable(trials=9, control_trials=9, control_rate=1.0, level=0.01) is None


def test_difference_interval_holds_both_rates():
    low, high = difference.interval(hits=80, trials=100, control_hits=10, control_trials=50)
    assert low < 0.6 < high
    assert low >= -1
    assert high <= 1


def test_auc_counts_pairs():
    members, controls = np.array([3.0, 1.0, 2.0]), np.array([1.0, 0.0])
    wins = np.mean([(m > c) + (m == c) / 2 for m in members for c in controls])
    assert ranking.auc(members=members, controls=controls) == pytest.approx(wins)
    assert ranking.auc(members=members, controls=np.array([])) is None


def test_exact_auc_interval_counts_the_smaller_side():
    low, high = ranking.exact_auc_interval(0.5, members=100_000, controls=100)
    assert 0.5 - 0.1358 <= low <= 0.38  # Hoeffding's own reach is 0.1358
    assert high == pytest.approx(1 - low)
    assert ranking.exact_auc_interval(0.5, members=10, controls=0) == (0.0, 1.0)
    assert ranking.exact_auc_interval(1.0, members=400, controls=400)[1] == 1.0


def test_auc_interval_by_persons_is_delongs():
    """The closed form of the same variance, DeLong, DeLong and Clarke-Pearson (1988)."""
    rng = np.random.default_rng(3)
    members, controls = np.round(rng.normal(0.4, 1, 700), 1), np.round(rng.normal(size=300), 1)
    above = (members[:, None] > controls) + (members[:, None] == controls) / 2
    area = above.mean()
    deviation = (above.mean(axis=1).var() / 700 + above.mean(axis=0).var() / 300) ** 0.5
    reach = 1.96 * deviation / (area * (1 - area))
    odds = np.log(area / (1 - area))
    found = ranking.auc_interval(members=members, controls=controls, resamples=4000)
    assert found == pytest.approx(
        [1 / (1 + np.exp(-odds + reach)), 1 / (1 + np.exp(-odds - reach))], abs=2e-3
    )
    assert found == ranking.auc_interval(members=members, controls=controls, resamples=4000)
    assert found[1] - found[0] < 0.6 * np.ptp(
        ranking.exact_auc_interval(area, members=700, controls=300)
    )


@pytest.mark.parametrize("area", [0.5, 0.8, 0.97])
def test_auc_interval_covers(area):
    """At 95 %, of 200: 10 misses on average, more than 23 less than once in ten thousand."""
    rng = np.random.default_rng(4)
    apart = stats.norm.ppf(area) * 2**0.5
    missed = 0
    for _ in range(200):
        members, controls = rng.normal(apart, 1, 150), rng.normal(size=60)
        low, high = ranking.auc_interval(members=members, controls=controls, resamples=100)
        missed += not low <= area <= high
    assert missed <= 23


def test_auc_interval_of_few_or_perfect_scores_is_the_exact_one():
    perfect = ranking.auc_interval(members=np.ones(50), controls=np.zeros(60))
    assert perfect == ranking.exact_auc_interval(1.0, members=50, controls=60)
    few = ranking.auc_interval(members=np.array([1.0, 2.0]), controls=np.array([1.5]))
    assert few == ranking.exact_auc_interval(0.5, members=2, controls=1)
    assert ranking.auc_interval(members=np.ones(3), controls=np.array([])) == (0.0, 1.0)
    flat = ranking.auc_interval(members=np.ones(40), controls=np.ones(40))
    assert flat == ranking.exact_auc_interval(0.5, members=40, controls=40)


def test_permutation_p_value_is_small_for_a_shift_and_not_for_none():
    rng = np.random.default_rng(0)
    same, shifted = rng.normal(size=(2, 200))
    shifted = shifted + 1
    controls = rng.normal(size=60)
    found = ranking.permutation_p_value(
        members=shifted, controls=controls, permutations=500, rng=rng
    )
    assert found == pytest.approx(1 / 501)
    other_way = ranking.permutation_p_value(
        members=controls, controls=shifted, permutations=500, rng=rng
    )
    assert other_way == 1.0
    assert (
        ranking.permutation_p_value(members=same, controls=controls, permutations=500, rng=rng)
        > 0.01
    )


@pytest.mark.parametrize("sigma_squared", [Fraction(1, 4), Fraction(30), Fraction(10**8)])
def test_gaussian_law_against_plain_sums(sigma_squared):
    law = GaussianLaw(sigma_squared=sigma_squared)
    sigma = float(sigma_squared) ** 0.5
    support = np.arange(-int(12 * sigma) - 12, int(12 * sigma) + 13)
    weights = np.exp(-(support.astype(float) ** 2) / (2 * float(sigma_squared)))
    assert float(law.log_normalizer(np.array(law.rate))) == pytest.approx(np.log(weights.sum()))
    points = np.array([-3 * int(sigma) - 1, -1, 0, 2, int(sigma)])
    upto = np.cumsum(weights) / weights.sum()
    assert law.below(points) == pytest.approx(upto[points - support[0]], abs=1e-7)
    mean, variance = law.moments()
    assert mean == pytest.approx((weights @ support.astype(float) ** 2) / weights.sum(), rel=1e-6)
    assert variance > 0


@pytest.mark.parametrize("scale", [Fraction(1, 2), Fraction(40)])
def test_laplace_law_against_plain_sums(scale):
    law = LaplaceLaw(scale=scale)
    support = np.arange(-4000, 4001)
    weights = np.exp(-np.abs(support) / float(scale))
    weights /= weights.sum()
    points = np.array([-7, -1, 0, 1, 9])
    assert law.below(points) == pytest.approx(np.cumsum(weights)[points + 4000])
    mean, variance = law.moments()
    held = np.abs(support).astype(float)
    assert mean == pytest.approx(weights @ held)
    assert variance == pytest.approx(weights @ held**2 - mean**2)


@pytest.mark.parametrize(
    "law", [GaussianLaw(sigma_squared=Fraction(900)), LaplaceLaw(scale=Fraction(50))]
)
def test_energy_limits_are_near_the_normal_ones_and_outside_them(law):
    draws, false_alarm = 50_000, 1e-6
    low, high = energy_limits(law, draws=draws, false_alarm=false_alarm)
    mean, variance = law.moments()
    reach = stats.norm.isf(false_alarm / 2) * (variance / draws) ** 0.5
    assert low < mean - reach < mean + reach < high
    assert mean - low < 1.2 * reach
    assert high - mean < 1.2 * reach
    assert 0.95 < detectable_scale(law, draws=draws, false_alarm=false_alarm) < 0.99


def test_gap_is_kolmogorov_and_smirnovs():
    law = GaussianLaw(sigma_squared=Fraction(10**12))
    draws = np.round(np.random.default_rng(1).normal(scale=1e6, size=5000)).astype(np.int64)
    known = stats.kstest(draws, stats.norm(scale=1e6).cdf).statistic
    assert largest_gap(law, draws) == pytest.approx(known, abs=1e-5)
    assert largest_gap(law, draws) <= gap_limit(draws=5000, false_alarm=1e-3)
    assert largest_gap(law, 2 * draws) > gap_limit(draws=5000, false_alarm=1e-3)


def test_divergence_p_value_holds_its_level_exactly():
    chances, draws, level = np.array([0.5, 0.3, 0.2]), 12, 0.05
    alarms = 0.0
    for first in range(draws + 1):
        for second in range(draws + 1 - first):
            counts = np.array([first, second, draws - first - second])
            found = divergence_p_value(frequency_divergence(counts, chances), draws=draws, cells=3)
            if found <= level:
                alarms += stats.multinomial.pmf(counts, draws, chances)
    assert alarms <= level
    assert divergence_p_value(1e5, draws=draws, cells=3) == 0.0
