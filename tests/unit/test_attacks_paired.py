"""Two worlds: bounds, rejection, power and ceiling, against figures worked out otherwise."""

import numpy as np
import pytest
from scipy import special, stats

from attacks.stats.paired import (
    GAUSSIAN,
    Errors,
    below_curve,
    detectable_factor,
    epsilon_lower_bounds,
    gaussian_power,
    p_value,
    power,
)
from attacks.stats.trade_off import gaussian_curve

MU_OF_1, MU_OF_4 = 0.268, 0.925  # epsilon 1 and 4 at a delta of 1e-5


def errors(false_positives, false_negatives, runs=1000):
    return Errors(
        false_positives=false_positives,
        runs_out=runs,
        false_negatives=false_negatives,
        runs_in=runs,
    )


def test_upper_bounds_are_those_of_clopper_and_pearson():
    found = errors(10, 0).upper_bounds(0.1)
    assert found == pytest.approx((stats.beta.ppf(0.95, 11, 990), 1 - 0.05 ** (1 / 1000)))
    assert errors(1000, 1000).upper_bounds(0.1) == (1.0, 1.0)


def test_what_keeps_the_claim_exactly_is_not_rejected():
    rate = special.ndtr(-MU_OF_4 / 2)
    kept = errors(round(1000 * rate), round(1000 * rate))
    assert not below_curve(kept, gaussian_curve(MU_OF_4), level=0.05)
    assert p_value(kept, gaussian_curve(MU_OF_4)) == 1.0


def test_p_value_is_the_level_at_which_rejection_begins():
    curve = gaussian_curve(MU_OF_4)
    found = errors(180, 180)
    level = p_value(found, curve)
    assert 0 < level < 0.01
    assert below_curve(found, curve, level=level * 1.01)
    assert not below_curve(found, curve, level=level * 0.99)


def test_without_runs_nothing_is_shown():
    nothing = errors(0, 0, runs=0)
    assert not below_curve(nothing, gaussian_curve(0.1), level=0.5)
    assert [bound.value for bound in epsilon_lower_bounds(nothing, delta=1e-5)] == [0.0, 0.0]


@pytest.mark.parametrize(("runs", "ceiling"), [(100, 3.3), (1000, 5.6), (10_000, 7.9)])
def test_ceiling_of_a_perfect_attack(runs, ceiling):
    exact, gaussian = epsilon_lower_bounds(errors(0, 0, runs=runs), delta=1e-5)
    assert exact.value == exact.ceiling == pytest.approx(ceiling, abs=0.05)
    assert gaussian.ceiling > exact.ceiling
    assert GAUSSIAN in gaussian.assumptions
    assert GAUSSIAN not in exact.assumptions


def test_lower_bound_reads_both_directions():
    first = epsilon_lower_bounds(errors(1, 500), delta=0.0)[0].value
    second = epsilon_lower_bounds(errors(500, 1), delta=0.0)[0].value
    assert first == second > 3


# The smallest number of runs, of 1, 3, 10 ... that reaches 95 %, and the one before.
@pytest.mark.parametrize(
    ("mu", "factor", "before", "runs"),
    [
        (MU_OF_1, 1.25, 10_000, 30_000),
        (MU_OF_1, 2**0.5, 3_000, 10_000),
        (MU_OF_1, 2.0, 300, 1_000),
        (MU_OF_4, 2**0.5, 300, 1_000),
        (MU_OF_4, 2.0, 30, 100),
    ],
)
def test_runs_that_find_too_little_noise(mu, factor, before, runs):
    assert gaussian_power(mu, factor=factor, runs=runs, level=0.05) >= 0.95
    assert gaussian_power(mu, factor=factor, runs=before, level=0.05) < 0.95


def test_power_is_the_share_of_games_that_reject():
    curve, rng = gaussian_curve(MU_OF_4), np.random.default_rng(3)
    fpr, fnr, runs, games = 0.27, 0.27, 400, 2_000
    rejected = sum(
        below_curve(errors(int(one), int(two), runs=runs), curve, level=0.05)
        for one, two in zip(
            rng.binomial(runs, fpr, games), rng.binomial(runs, fnr, games), strict=True
        )
    )
    expected = power(curve, fpr=fpr, fnr=fnr, runs=runs, level=0.05)
    assert 0.1 < expected < 0.9
    # More than five standard deviations apart happens less than once in a million.
    assert abs(rejected / games - expected) < 5 * (0.25 / games) ** 0.5


def test_detectable_factor_is_where_power_reaches_its_level():
    curve = gaussian_curve(MU_OF_4)
    factor = detectable_factor(curve, MU_OF_4, runs=500, level=0.01)
    assert 1 < factor < 2
    assert gaussian_power(MU_OF_4, factor=factor, runs=500, level=0.01) >= 0.95
    assert gaussian_power(MU_OF_4, factor=factor * 0.99, runs=500, level=0.01) < 0.95
    assert detectable_factor(curve, MU_OF_4, runs=2, level=0.01) is None


@pytest.mark.parametrize("counts", [(-1, 0), (1001, 0), (0, 1001)])
def test_impossible_counts_are_refused(counts):
    with pytest.raises(ValueError, match="trials"):
        errors(*counts)
