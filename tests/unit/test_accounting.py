"""Costs are exact; the conversion to (epsilon, delta) errs upward only."""

from fractions import Fraction
from math import erfc, exp, sqrt

import numpy as np
import pytest

from dpsynth.errors import UnsupportedEventError
from dpsynth.privacy.accounting import (
    epsilon_from_rho,
    gaussian_tail,
    least_epsilon,
    pure_epsilon,
    reserved_delta,
    rho_from_epsilon,
    selection_threshold,
    total_pure_epsilon,
    total_reserved_delta,
    total_rho,
    zcdp_rho,
)
from dpsynth.privacy.events import (
    DiscreteGaussianEvent,
    DiscreteLaplaceEvent,
    ExponentialSelectionEvent,
    PartitionSelectionEvent,
)

GRID = [
    (rho, delta)
    for rho in (Fraction(1, 10**6), Fraction(1, 1000), Fraction(1, 67), Fraction(1, 2), Fraction(9))
    for delta in (Fraction(1, 10**12), Fraction(1, 10**9), Fraction(1, 10**5), Fraction(1, 100))
]


def test_costs_are_the_published_ones():
    gaussian = DiscreteGaussianEvent(
        sigma_squared=Fraction(49, 4), l2_sensitivity_squared=Fraction(25)
    )
    laplace = DiscreteLaplaceEvent(scale=Fraction(10), l1_sensitivity=Fraction(5))
    selection = ExponentialSelectionEvent(epsilon=Fraction(1, 2))
    assert zcdp_rho(gaussian) == Fraction(50, 49)
    assert zcdp_rho(laplace) == Fraction(1, 8)
    assert zcdp_rho(selection) == Fraction(1, 32)
    assert total_rho([gaussian, laplace, selection]) == Fraction(50, 49) + Fraction(5, 32)


def test_an_unknown_event_is_refused():
    with pytest.raises(UnsupportedEventError, match="no zCDP analysis for object"):
        zcdp_rho(object())


LAPLACE = DiscreteLaplaceEvent(scale=Fraction(10), l1_sensitivity=Fraction(5))
CHOICE = ExponentialSelectionEvent(epsilon=Fraction(1, 3))
NORMAL = DiscreteGaussianEvent(sigma_squared=Fraction(10**6), l2_sensitivity_squared=Fraction(1))


def test_pure_costs_are_exact_and_gaussian_noise_has_none():
    assert pure_epsilon(LAPLACE) == Fraction(1, 2)
    assert pure_epsilon(CHOICE) == Fraction(1, 3)
    assert pure_epsilon(NORMAL) is None
    assert total_pure_epsilon([LAPLACE, CHOICE, LAPLACE]) == Fraction(4, 3)
    assert total_pure_epsilon([]) == 0
    assert total_pure_epsilon([LAPLACE, NORMAL]) is None
    with pytest.raises(UnsupportedEventError, match="no pure-DP analysis for object"):
        pure_epsilon(object())


def test_without_a_delta_only_pure_events_have_an_epsilon():
    assert least_epsilon([LAPLACE, CHOICE], Fraction(0)) == Fraction(5, 6)
    with pytest.raises(ValueError, match="delta is 0"):
        least_epsilon([LAPLACE, NORMAL], Fraction(0))
    with pytest.raises(ValueError, match="strictly between"):
        least_epsilon([NORMAL], Fraction(1))


def test_with_a_delta_the_least_proven_epsilon_counts():
    delta = Fraction(1, 10**9)
    # Few pure events: their sum is less than what zCDP makes of them. Many: the reverse.
    assert (
        least_epsilon([LAPLACE], delta)
        == Fraction(1, 2)
        < epsilon_from_rho(zcdp_rho(LAPLACE), delta)
    )
    many = [DiscreteLaplaceEvent(scale=Fraction(100), l1_sensitivity=Fraction(1))] * 1000
    assert least_epsilon(many, delta) == epsilon_from_rho(total_rho(many), delta) < 10
    mixed = [LAPLACE, NORMAL]
    assert least_epsilon(mixed, delta) == epsilon_from_rho(total_rho(mixed), delta)


def least_gaussian_epsilon(rho, delta):
    """Exact epsilon of a continuous Gaussian of this rho (Balle and Wang 2018), by bisection."""
    mu = sqrt(2 * rho)

    def tail(x):
        return erfc(x / sqrt(2)) / 2

    def delta_at(epsilon):
        return tail(epsilon / mu - mu / 2) - exp(epsilon) * tail(epsilon / mu + mu / 2)

    low, high = 0.0, 200.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if delta_at(middle) > delta else (low, middle)
    return high


@pytest.mark.parametrize(("rho", "delta"), GRID)
def test_the_conversion_never_undercuts_the_gaussian_mechanism(rho, delta):
    """Every Gaussian of this rho is rho-zCDP, so its exact epsilon is a lower limit."""
    stated = float(epsilon_from_rho(rho, delta))
    exact = least_gaussian_epsilon(float(rho), float(delta))
    assert stated >= exact - 1e-20
    if delta <= Fraction(1, 10**5):
        assert stated <= 1.25 * exact + 1e-3  # and is no idle bound


@pytest.mark.parametrize(("rho", "delta"), GRID)
def test_the_order_is_chosen_well(rho, delta):
    """No order on a fine grid does better by more than one part in a million."""
    orders = 1 + np.exp(np.linspace(-12, 16, 20_001))
    bounds = (
        orders * float(rho)
        + (np.log(1 / float(delta)) - np.log(orders)) / (orders - 1)
        + np.log1p(-1 / orders)
    )
    least = max(bounds.min(), 0)
    stated = float(epsilon_from_rho(rho, delta))
    assert least * (1 - 1e-5) - 1e-9 <= stated <= least * (1 + 1e-6) + 1e-9


def test_agrees_with_the_pld_accountant_from_above():
    accounting = pytest.importorskip("dp_accounting")
    pld = pytest.importorskip("dp_accounting.pld")
    for stddev, uses, delta in [(20.0, 14, 1e-9), (5.0, 3, 1e-6), (60.0, 200, 1e-9)]:
        accountant = pld.PLDAccountant()
        accountant.compose(accounting.GaussianDpEvent(stddev), uses)
        reference = accountant.get_epsilon(delta)
        rho = uses * Fraction(1) / (2 * Fraction(stddev) ** 2)
        stated = float(epsilon_from_rho(rho, Fraction(str(delta))))
        assert reference <= stated <= 1.2 * reference


@pytest.mark.parametrize("epsilon", ["1/1000", "1/10", "1", "10", "300"])
@pytest.mark.parametrize("delta", ["1/1000000000000", "1/1000000000", "1/1000", "1/2"])
def test_there_and_back_never_gains(epsilon, delta):
    epsilon, delta = Fraction(epsilon), Fraction(delta)
    rho = rho_from_epsilon(epsilon, delta)
    assert epsilon_from_rho(rho, delta) <= epsilon
    assert epsilon_from_rho(rho * (1 + Fraction(1, 10**8)), delta) > epsilon


def test_nothing_costs_nothing():
    assert epsilon_from_rho(Fraction(0), Fraction(1, 10)) == 0


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="rho must be at least 0"):
        epsilon_from_rho(Fraction(-1), Fraction(1, 10))
    with pytest.raises(ValueError, match="delta must lie strictly between 0 and 1"):
        epsilon_from_rho(Fraction(1), Fraction(1))
    with pytest.raises(ValueError, match="epsilon must be above 0"):
        rho_from_epsilon(Fraction(0), Fraction(1, 10))
    with pytest.raises(TypeError, match="exact number"):
        rho_from_epsilon(1.0, Fraction(1, 10))
    with pytest.raises(ValueError, match="epsilon must be at most"):
        rho_from_epsilon(Fraction(10**400), Fraction(1, 10))
    with pytest.raises(ValueError, match="too small"):
        rho_from_epsilon(Fraction(1, 10**200), Fraction(1, 10**150))


def test_a_delta_next_to_one_is_no_accident():
    delta = 1 - Fraction(1, 10**20)
    assert epsilon_from_rho(Fraction(1, 10), delta) >= 0
    assert rho_from_epsilon(Fraction(1), delta) > 0


def values_event(**changed):
    fields = {
        "sigma_squared": Fraction(100),
        "threshold": Fraction(70),
        "l2_sensitivity_squared": Fraction(5),
        "max_new": Fraction(5),
        "delta": Fraction(1, 10**9),
    }
    return PartitionSelectionEvent(**{**fields, **changed})


def test_a_selection_of_values_costs_rho_and_a_delta():
    event = values_event()
    assert zcdp_rho(event) == Fraction(5, 200)
    assert reserved_delta(event) == Fraction(1, 10**9)
    gaussian = DiscreteGaussianEvent(sigma_squared=Fraction(1), l2_sensitivity_squared=Fraction(1))
    assert reserved_delta(gaussian) == 0
    assert total_reserved_delta([event, gaussian, event]) == Fraction(2, 10**9)


@pytest.mark.parametrize(
    "changed",
    [
        {"threshold": Fraction(60)},
        {"max_new": Fraction(5000)},
        {"sigma_squared": Fraction(200)},
        {"delta": Fraction(1, 10**13)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_selection_that_sets_too_little_aside_has_no_price(changed):
    for price in (zcdp_rho, reserved_delta):
        with pytest.raises(UnsupportedEventError, match="sets less delta aside"):
            price(values_event(**changed))


def test_what_is_unknown_has_no_reserve_either():
    with pytest.raises(UnsupportedEventError, match="no zCDP analysis"):
        reserved_delta(object())


def test_the_least_threshold_is_the_least_that_is_priced():
    for sigma_squared in (Fraction(1, 100), Fraction(3), Fraction(10**9), Fraction(2**96)):
        for max_new, delta in ((1, Fraction(1, 2)), (7, Fraction(1, 10**12))):
            threshold = selection_threshold(sigma_squared, max_new=Fraction(max_new), delta=delta)
            assert max_new * gaussian_tail(threshold - 1, sigma_squared) <= delta
            assert threshold == 2 or max_new * gaussian_tail(threshold - 2, sigma_squared) > delta


def test_a_tail_is_a_chance_and_falls():
    tails = [gaussian_tail(start, Fraction(30)) for start in range(1, 200)]
    assert 0 < min(tails) <= max(tails) <= 1
    assert tails == sorted(tails, reverse=True)
    assert gaussian_tail(10**9, Fraction(1, 2)) == Fraction(1, 10**100)
    assert gaussian_tail(1, Fraction(10**200)) == 1  # a file may say anything


def test_a_delta_that_nothing_can_be_set_aside_from_is_refused():
    with pytest.raises(ValueError, match="too small to set any aside"):
        selection_threshold(Fraction(1), max_new=Fraction(1), delta=Fraction(1, 10**101))


def test_a_claim_pays_the_reserves_first():
    event = values_event()
    delta = Fraction(3, 10**9)
    assert least_epsilon([event, event], delta) == epsilon_from_rho(
        Fraction(10, 200), Fraction(1, 10**9)
    )
    with pytest.raises(ValueError, match="nothing of delta is left"):
        least_epsilon([event, event, event], delta)
    assert pure_epsilon(event) is None
    with pytest.raises(ValueError, match="delta is 0"):
        least_epsilon([event], Fraction(0))


def test_one_below_the_least_threshold_has_no_price():
    for sigma_squared in (Fraction(1, 2), Fraction(100), Fraction(10**7)):
        fields = {"sigma_squared": sigma_squared, "max_new": Fraction(5)}
        least = selection_threshold(
            sigma_squared, max_new=fields["max_new"], delta=values_event().delta
        )
        assert zcdp_rho(values_event(**fields, threshold=Fraction(least)))
        with pytest.raises(UnsupportedEventError, match="sets less delta aside"):
            zcdp_rho(values_event(**fields, threshold=Fraction(least - 1)))
