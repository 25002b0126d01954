"""Renyi accounting of sampled training, held against dp-accounting."""

from fractions import Fraction

import pytest
from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant

from dpsynth.privacy.accounting import epsilon_from_rho
from dpsynth.privacy.events import SampledGaussianEvent, event_from_dict, event_to_dict
from dpsynth.privacy.renyi import ORDERS, epsilon_of, sampled_gaussian

DELTA = Fraction(1, 10**5)
TRAININGS = [
    (Fraction(1, 8), Fraction(17, 2), 300, Fraction(26, 10_000)),
    (Fraction(1, 16), Fraction(3), 600, Fraction(0)),
    (Fraction(1), Fraction(20), 10, Fraction(1, 1000)),
    (Fraction(1, 100), Fraction(1), 1000, Fraction(0)),
    (Fraction(1, 3), Fraction(30), 50, Fraction(1, 50)),
]


def event(rate=Fraction(1, 8), noise_multiplier=Fraction(8), steps=100):
    return SampledGaussianEvent(rate=rate, noise_multiplier=noise_multiplier, steps=steps)


def theirs(accountant, rate, noise_multiplier, steps, rho):
    if rho:
        accountant.compose(GaussianDpEvent(float(1 / (2 * rho)) ** 0.5))
    one = GaussianDpEvent(float(noise_multiplier))
    if rate < 1:
        one = PoissonSampledDpEvent(float(rate), one)
    accountant.compose(one, steps)
    return accountant.get_epsilon(float(DELTA))


@pytest.mark.parametrize(("rate", "noise_multiplier", "steps", "rho"), TRAININGS)
def test_epsilon_is_that_of_another_accountant_and_above_the_tight_one(
    rate, noise_multiplier, steps, rho
):
    ours = float(epsilon_of(rho, [event(rate, noise_multiplier, steps)], DELTA))
    same = theirs(RdpAccountant(orders=list(ORDERS)), rate, noise_multiplier, steps, rho)
    assert ours == pytest.approx(same, rel=1e-9)
    assert ours >= same - 1e-11
    assert ours > theirs(PLDAccountant(), rate, noise_multiplier, steps, rho)


def test_a_sample_of_all_is_a_gaussian_in_zcdp():
    for order in (2, 17, 512):
        cost = sampled_gaussian(Fraction(1), Fraction(5), order)
        assert float(cost) == pytest.approx(order / 50, rel=1e-12)
        assert cost >= order / Fraction(50)


def test_without_training_it_is_zcdp_up_to_the_choice_among_orders():
    for rho in (Fraction(1, 1000), Fraction(1, 10), Fraction(2)):
        exact = epsilon_from_rho(rho, DELTA)
        assert exact <= epsilon_of(rho, [], DELTA) <= exact * Fraction(21, 20)
    assert epsilon_of(Fraction(0), [], DELTA) < Fraction(1, 50)


def test_costs_add_up_whatever_their_order():
    first, second = event(), event(Fraction(1, 5), Fraction(12), 40)
    both = epsilon_of(Fraction(1, 100), [first, second], DELTA)
    assert both == epsilon_of(Fraction(1, 100), [second, first], DELTA)
    assert both > epsilon_of(Fraction(1, 100), [first], DELTA)
    twice = epsilon_of(Fraction(0), [event(steps=200)], DELTA)
    assert epsilon_of(Fraction(0), [event(), event()], DELTA) == twice


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"rate": Fraction(0)}, ValueError),
        ({"rate": Fraction(9, 8)}, ValueError),
        ({"noise_multiplier": Fraction(0)}, ValueError),
        ({"noise_multiplier": 1.5}, TypeError),
        ({"steps": 0}, ValueError),
        ({"steps": Fraction(3, 2)}, ValueError),
    ],
)
def test_events_that_protect_nobody_are_refused(changed, error):
    with pytest.raises(error):
        event(**changed)


def test_the_event_is_written_and_read():
    assert event_to_dict(event()) == {
        "kind": "sampled_gaussian/v1",
        "rate": "1/8",
        "noise_multiplier": "8",
        "steps": "100",
    }
    assert event_from_dict(event_to_dict(event())) == event()


def test_what_is_out_of_range_is_refused():
    with pytest.raises(ValueError, match="rho"):
        epsilon_of(Fraction(-1), [event()], DELTA)
    for delta in (Fraction(0), Fraction(1)):
        with pytest.raises(ValueError, match="delta"):
            epsilon_of(Fraction(0), [event()], delta)
