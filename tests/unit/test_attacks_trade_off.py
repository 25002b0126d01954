"""Is the claimed curve one that correct mechanisms stay above, and does it lose little?"""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from scipy import special

from attacks.stats.trade_off import (
    claimed_curve,
    gaussian_curve,
    gaussian_shift,
    rounding_distance,
)
from dpsynth.errors import UnsupportedEventError

RATES = np.array([1e-4, 1e-3, 0.01, 0.05, 0.2, 0.5, 0.8, 0.99])


def gaussian(sigma_squared, sensitivity="1"):
    return {
        "kind": "discrete_gaussian/v1",
        "sigma_squared": str(sigma_squared),
        "l2_sensitivity_squared": str(sensitivity),
    }


def laplace(scale, sensitivity="1"):
    return {
        "kind": "discrete_laplace/v1",
        "scale": str(scale),
        "l1_sensitivity": str(sensitivity),
    }


def selection(epsilon):
    return {"kind": "exponential_selection/v1", "epsilon": str(epsilon)}


def exact(first, second):
    """Return the corners (fpr, fnr) of the best tests of ``second`` against ``first``."""
    order = np.argsort(-second / first, kind="stable")
    fpr = np.concatenate([[0.0], np.cumsum(first[order])])
    fnr = 1 - np.concatenate([[0.0], np.cumsum(second[order])])
    return np.minimum(fpr, 1.0), np.maximum(fnr, 0.0)


def shifted_noise(sigma_squared, reach=400):
    values = np.arange(-reach, reach + 1)
    one = np.exp(-(values**2) / (2 * sigma_squared))
    two = np.exp(-((values - 1) ** 2) / (2 * sigma_squared))
    held = (one > 1e-290) & (two > 1e-290)
    return one[held] / one.sum(), two[held] / two.sum()


def chosen(epsilon, scores):
    weights = np.exp(epsilon * scores / 2)
    return weights / weights.sum()


@pytest.mark.parametrize("mu", [0.1, 0.5, 2.0])
def test_gaussian_curve_is_the_known_one(mu):
    known = special.ndtr(special.ndtri(1 - RATES) - mu)
    found = gaussian_curve(mu)(RATES)
    assert (found <= known).all()
    assert np.abs(found - known).max() < 1e-4


def test_shift_adds_up_in_squares():
    assert gaussian_shift([gaussian(4), gaussian(9, 3), selection("1/2")]) == pytest.approx(
        (1 / 4 + 3 / 9) ** 0.5
    )


@pytest.mark.parametrize("sigma_squared", [0.3, 1, 4, 25])
def test_noise_on_whole_numbers_stays_above_its_claim(sigma_squared):
    fpr, fnr = exact(*shifted_noise(sigma_squared))
    claim = claimed_curve([gaussian(Fraction(str(sigma_squared)))])
    assert (claim(fpr) <= fnr + 1e-9).all()


def test_plain_gaussian_curve_would_accuse_small_noise_on_whole_numbers():
    fpr, fnr = exact(*shifted_noise(0.3))
    assert (gaussian_curve((1 / 0.3) ** 0.5)(fpr) > fnr + 1e-3).any()


def test_claim_of_much_noise_is_nearly_the_gaussian_curve():
    events = [gaussian(100)] * 6
    lost = gaussian_curve(gaussian_shift(events))(RATES) - claimed_curve(events)(RATES)
    assert 0 <= lost.max() < 0.005


def test_discrete_laplace_is_claimed_exactly():
    epsilon = 0.7
    ends = [(0.0, 1.0), (1 / (1 + np.exp(epsilon)), 1 / (1 + np.exp(epsilon))), (1.0, 0.0)]
    claim = claimed_curve([laplace(Fraction(10, 7))])
    found = claim(np.array([fpr for fpr, _ in ends]))
    assert found == pytest.approx([fnr for _, fnr in ends], abs=1e-5)


def test_composed_pure_mechanisms_are_claimed_exactly():
    epsilon, times = 0.5, 4
    one = np.array([1.0, np.exp(epsilon)]) / (1 + np.exp(epsilon))
    cells = list(product((0, 1), repeat=times))
    first = np.array([np.prod([one[bit] for bit in cell]) for cell in cells])
    second = np.array([np.prod([one[1 - bit] for bit in cell]) for cell in cells])
    fpr, fnr = exact(first, second)
    claim = claimed_curve([laplace(2)] * times)(fpr)
    assert (claim <= fnr + 1e-9).all()
    assert np.abs(claim - fnr).max() < 1e-4


@pytest.mark.parametrize("events", [1, 3])
@pytest.mark.parametrize("seed", range(10))
def test_selections_and_noise_stay_above_their_claim(seed, events):
    rng = np.random.default_rng(seed)
    epsilon = 1.2
    first, second = shifted_noise(2.0, reach=15)
    for _ in range(events):
        scores = rng.integers(0, 4, 5)
        moved = scores + rng.choice([-1, 1], 5)  # each score moves by its sensitivity, either way
        first = np.outer(first, chosen(epsilon, scores)).ravel()
        second = np.outer(second, chosen(epsilon, moved)).ravel()
    claim = claimed_curve([gaussian(2)] + [selection("6/5")] * events)
    for fpr, fnr in (exact(first, second), exact(second, first)):
        assert (claim(fpr) <= fnr + 1e-9).all()


def test_claim_of_a_selection_is_reached_by_its_worst_case():
    # Two candidates whose scores move apart: losses as far apart as epsilon lets them be.
    epsilon = 1.0
    worst = np.inf
    for gap in np.linspace(-6, 6, 49):
        fpr, fnr = exact(
            chosen(epsilon, np.array([gap + 0.5, -0.5])),
            chosen(epsilon, np.array([gap - 0.5, 0.5])),
        )
        worst = min(worst, (fpr + fnr).min())
    claim = claimed_curve([selection(1)])
    grid = np.linspace(0, 1, 2001)
    assert (claim(grid) + grid).min() == pytest.approx(worst, abs=1e-4)


def test_selection_that_is_twice_too_sharp_comes_below_its_claim():
    epsilon = 1.0
    fpr, fnr = exact(
        chosen(2 * epsilon, np.array([1.0, -1.0]) / 2),
        chosen(2 * epsilon, np.array([-1.0, 1.0]) / 2),
    )
    claim = claimed_curve([selection(1)])(fpr)
    assert (claim > fnr + 0.01).any()


def test_curve_falls_and_is_never_above_chance():
    claim = claimed_curve([gaussian(3), selection("1/10"), laplace(5)])
    grid = np.linspace(0, 1, 501)
    found = claim(grid)
    assert (np.diff(found) <= 0).all()
    assert (found <= 1 - grid + 1e-12).all()


def test_training_is_claimed_by_its_epsilon_and_delta():
    event = {
        "kind": "sampled_gaussian/v1",
        "rate": "1/10",
        "noise_multiplier": "2",
        "steps": "20",
    }
    claim = claimed_curve([event, selection("1/10")])
    assert claim.method == "epsilon and delta of the accountant"
    assert 0 < float(claim(0.1)) < 0.9
    # Looking at every row at every step is worse than sampling: its curve lies below.
    assert float(gaussian_curve(20**0.5 / 2)(0.1)) < float(claim(0.1))


def test_delta_set_aside_for_values_is_taken_off():
    values = {
        "kind": "partition_selection/v1",
        "sigma_squared": "400",
        "threshold": "200",
        "l2_sensitivity_squared": "1",
        "max_new": "1",
        "delta": "1/100",
    }
    assert float(claimed_curve([values])(1e-6)) < 0.99
    assert float(claimed_curve([gaussian(400)])(1e-6)) > 0.99


@pytest.mark.parametrize(("sigma_squared", "limit"), [(1.0, 0.0166), (100.0, 0.000202)])
def test_distance_of_discrete_from_rounded_noise(sigma_squared, limit):
    assert rounding_distance(sigma_squared) == pytest.approx(limit, rel=0.01)
    assert rounding_distance(1e12) >= 0.0202 / 1e12


def test_what_is_no_claim_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        claimed_curve([])
    with pytest.raises(UnsupportedEventError):
        claimed_curve([{"kind": "magic/v1"}])
    with pytest.raises(ValueError, match="mu"):
        gaussian_curve(0.0)
    with pytest.raises(ValueError, match="slack"):
        gaussian_curve(1.0).lowered(-0.1)


def test_claims_of_hundreds_of_unequal_events_are_computed():
    events = [selection(Fraction(1, 1000 + each)) for each in range(200)] + [selection(5)]
    claim = claimed_curve([*events, gaussian(50)])
    assert 0 < float(claim(0.01)) < 0.99
    assert float(claimed_curve([selection(400)])(0.5)) >= 0
