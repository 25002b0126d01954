"""Training in plan and ledger: counted at the one Renyi order that the cap fixes, never too low."""

import json
from fractions import Fraction
from math import exp, log

import pytest

from dpsynth.domain import NeighboringRelation, PrivacyUnit
from dpsynth.errors import BudgetExceededError, UnsupportedEventError
from dpsynth.privacy.accounting import (
    MOST_ORDER,
    cost_at,
    epsilon_at,
    epsilon_from_rho,
    least_epsilon,
    noise_multiplier_for,
    order_of,
    pure_epsilon,
    reserved_delta,
    rho_from_epsilon,
    split_trained,
    total_cost,
    total_rho,
    zcdp_rho,
)
from dpsynth.privacy.events import (
    DiscreteGaussianEvent,
    PartitionSelectionEvent,
    SampledGaussianEvent,
)
from dpsynth.privacy.ledger import Cap, Charge, Ledger, least_cap
from dpsynth.privacy.renyi import sampled_gaussian
from dpsynth.synthesizers.base import Step
from dpsynth.synthesizers.plan import Plan, cost_of

EPSILON, DELTA = Fraction(1), Fraction(1, 10**5)
UNIT = PrivacyUnit(max_rows=1, neighboring=NeighboringRelation.ADD_OR_REMOVE)
TABLE = DiscreteGaussianEvent(sigma_squared=Fraction(4000), l2_sensitivity_squared=Fraction(1))
ASKED = {"rate": Fraction(1, 8), "steps": 300}
SELECTION = PartitionSelectionEvent(
    sigma_squared=Fraction(4000),
    threshold=Fraction(600),
    l2_sensitivity_squared=Fraction(1),
    max_new=Fraction(1),
    delta=DELTA / 2,
)


@pytest.fixture(scope="module")
def training():
    multiplier = noise_multiplier_for(epsilon=EPSILON, delta=DELTA, others=(TABLE,) * 3, **ASKED)
    return SampledGaussianEvent(noise_multiplier=multiplier, **ASKED)


def planned(events, **changed):
    values = {"epsilon": EPSILON, "delta": DELTA, **changed}
    steps = tuple(
        Step(phase="fit", label=f"charge {number}", event=event)
        for number, event in enumerate(events)
    )
    return Plan(
        synthesizer="made",
        settings={},
        unit=UNIT,
        unit_column=None,
        steps=steps,
        estimate=None,
        **{"rho": cost_of(events, epsilon=EPSILON, delta=DELTA), **values},
    )


@pytest.fixture(scope="module")
def plan(training):
    return planned([TABLE] * 3 + [training])


# -- cost at an order ---------------------------------------------------------------------------


def log_moment(event, order, points=400_001):
    """Return log E[(P/Q)**order] under Q, by plain quadrature, with the unit in P."""
    import numpy as np

    q, sigma = float(event.rate), float(event.noise_multiplier)
    x = np.linspace(-14 * sigma, 14 * sigma + order, points)
    ratio = np.logaddexp(np.log1p(-q), log(q) + (2 * x - 1) / (2 * sigma**2))
    density = np.exp(-(x**2) / (2 * sigma**2)) / (sigma * (2 * np.pi) ** 0.5)
    return float(np.log(np.sum(density * np.exp(order * ratio)) * (x[1] - x[0])))


@pytest.mark.parametrize("order", [Fraction(3, 2), Fraction(2), Fraction(17, 2), Fraction(101, 10)])
def test_a_cost_between_two_orders_is_above_the_truth_and_near_it(order):
    event = SampledGaussianEvent(rate=Fraction(1, 5), noise_multiplier=Fraction(2), steps=1)
    exact = log_moment(event, float(order)) / float((order - 1) * order)
    found = float(cost_at(event, order))
    assert exact * (1 - 1e-9) <= found <= exact * 1.5
    if order > 3:
        assert found <= exact * 1.02


def test_at_a_whole_order_the_cost_is_the_divergence_over_the_order(training):
    found = cost_at(training, Fraction(7))
    exact = 300 * Fraction(sampled_gaussian(training.rate, training.noise_multiplier, 7)) / 7
    assert exact <= found <= exact + Fraction(1, 10**18)


def test_a_sample_of_all_costs_its_rho():
    event = SampledGaussianEvent(rate=Fraction(1), noise_multiplier=Fraction(10), steps=4)
    assert cost_at(event, Fraction(5)) == pytest.approx(4 / 200, rel=1e-12)
    assert Fraction(4, 200) <= cost_at(event, Fraction(11, 2)) <= Fraction(41, 2000)


def test_what_has_a_rho_costs_it_at_every_order(training):
    for order in (Fraction(3, 2), Fraction(20)):
        assert cost_at(TABLE, order) == zcdp_rho(TABLE)
        assert total_cost([TABLE, training], order) == zcdp_rho(TABLE) + cost_at(training, order)


def test_training_has_neither_rho_nor_pure_epsilon_and_reserves_nothing(training):
    with pytest.raises(UnsupportedEventError):
        zcdp_rho(training)
    assert pure_epsilon(training) is None
    assert reserved_delta(training) == 0
    assert split_trained([TABLE, training]) == ((training,), (TABLE,))


@pytest.mark.parametrize("order", [Fraction(1), Fraction(1, 2)])
def test_an_order_of_one_or_less_is_refused(training, order):
    with pytest.raises(ValueError, match="order"):
        cost_at(training, order)
    with pytest.raises(ValueError, match="order"):
        epsilon_at(Fraction(1), order, DELTA)


def test_an_order_beyond_all_computing_is_refused(training):
    with pytest.raises(UnsupportedEventError, match="no room for training"):
        cost_at(training, Fraction(MOST_ORDER) + 1)


def test_the_order_is_that_of_the_conversion():
    rho = rho_from_epsilon(EPSILON, DELTA)
    order = order_of(rho, DELTA)
    assert epsilon_at(rho, order, DELTA) == epsilon_from_rho(rho, DELTA) <= EPSILON
    assert epsilon_at(rho, order * 2, DELTA) > EPSILON
    with pytest.raises(ValueError, match="rho"):
        epsilon_at(Fraction(-1), order, DELTA)


# -- the ledger ---------------------------------------------------------------------------------


def opened(epsilon=Fraction(2), delta=DELTA):
    return Ledger.in_memory(cap_epsilon=epsilon, cap_delta=delta)


def test_a_ledger_counts_training_at_the_order_of_its_cap(plan, training):
    with opened() as ledger:
        assert not ledger.trains
        account = plan.open(ledger)
        account.charge([Charge(event=event, label="x") for event in plan.events])
        cost = 3 * zcdp_rho(TABLE) + cost_at(training, ledger.cap.order)
        assert ledger.spent == account.spent == account.rho == cost
        assert account.left == 0
        assert ledger.left == ledger.cap.rho - cost
        assert ledger.trains
        assert ledger.spent_epsilon == epsilon_at(cost, ledger.cap.order, DELTA)
        assert EPSILON < ledger.spent_epsilon < 2
        ledger.verify()
        with pytest.raises(BudgetExceededError, match="the plan of this release"):
            account.charge([Charge(event=training, label="once more")])


def test_the_filter_is_never_below_what_renyi_makes_of_the_whole_history(training):
    """Charge until the ledger refuses: all of it together must keep the cap, by PLD and Renyi."""
    from dpsynth.privacy import renyi

    with opened() as ledger:
        count = 0
        while True:
            try:
                account = ledger.open_release(rho=Fraction(0), trained=[training], seeded=False)
            except BudgetExceededError:
                break
            account.charge([Charge(event=training, label="training")])
            count += 1
        events = [entry.event for entry in ledger.entries()]
        assert count == len(events) > 1
        assert least_epsilon(events, DELTA) < 2
        assert renyi.epsilon_of(Fraction(0), events, DELTA) < Fraction(201, 100)
        assert renyi.epsilon_of(Fraction(0), [*events, training], DELTA) > Fraction(19, 10)


def test_a_cap_as_small_as_the_claim_is_refused_with_the_reason(plan):
    with opened(EPSILON) as ledger:
        with pytest.raises(BudgetExceededError, match="more of a cap than it claims") as caught:
            plan.open(ledger)
        assert caught.value.cost > caught.value.left == ledger.cap.rho
        assert ledger.entries() == ()
        ledger.open_release(rho=ledger.left, seeded=False).charge(
            [
                Charge(
                    event=DiscreteGaussianEvent(
                        sigma_squared=1 / (2 * ledger.left), l2_sensitivity_squared=Fraction(1)
                    ),
                    label="all",
                )
            ]
        )
        with pytest.raises(BudgetExceededError, match="used up"):
            plan.open(ledger)


def test_the_cap_that_a_plan_needs_is_enough_and_no_smaller_one_is(plan):
    needed = plan.needs_cap
    assert EPSILON < needed.epsilon < Fraction(12, 10)
    with opened(needed.epsilon) as ledger:
        plan.open(ledger).charge([Charge(event=event, label="x") for event in plan.events])
    with (
        opened(needed.epsilon - Fraction(1, 1000)) as ledger,
        pytest.raises(BudgetExceededError),
    ):
        plan.open(ledger)


def test_a_tiny_cap_has_no_room_for_training(plan):
    with opened(Fraction(1, 10**4)) as ledger, pytest.raises(UnsupportedEventError):
        plan.open(ledger)


def test_the_cap_for_selections_has_an_order_of_its_own(training):
    cap = least_cap([SELECTION, training], DELTA)
    assert cap.reserved == DELTA / 2
    assert cap.order != Cap(epsilon=cap.epsilon, delta=DELTA).order
    with opened(cap.epsilon) as ledger:
        account = ledger.open_release(
            rho=zcdp_rho(SELECTION), reserved=DELTA / 2, trained=[training], seeded=False
        )
        charges = [Charge(event=event, label="x") for event in (SELECTION, training)]
        account.charge(charges)
        shown = account.extract()["cap"]
        assert shown["order"] == str(cap.order)
        assert ledger.spent == cap.cost(SELECTION, training)


def test_an_extract_says_the_order_as_soon_as_anything_trained(plan, training):
    with opened() as ledger:
        before = ledger.open_release(rho=Fraction(1, 1000), seeded=False)
        one = DiscreteGaussianEvent(sigma_squared=Fraction(500), l2_sensitivity_squared=Fraction(1))
        before.charge([Charge(event=one, label="before")])
        account = plan.open(ledger)
        account.charge([Charge(event=event, label="x") for event in plan.events])
        after = ledger.open_release(rho=Fraction(1, 1000), seeded=False)
        after.charge([Charge(event=one, label="after")])
        assert "order" not in before.extract()["cap"]
        shown = json.loads(json.dumps(account.extract()))
        assert shown["cap"]["order"] == str(ledger.cap.order)
        assert Fraction(shown["rho_release"]) == ledger.cap.cost(*plan.events)
        assert Fraction(shown["rho_before"]) == Fraction(1, 1000)
        last = after.extract()
        assert last["cap"]["order"] == str(ledger.cap.order)
        assert Fraction(last["rho_after"]) == ledger.spent


def test_nothing_negative_and_nothing_at_all_is_opened(training):
    with opened() as ledger:
        with pytest.raises(ValueError, match="rho"):
            ledger.open_release(rho=Fraction(-1, 10**6), trained=[training], seeded=False)
        with pytest.raises(ValueError, match="rho"):
            ledger.open_release(rho=Fraction(0), seeded=False)


# -- the plan -----------------------------------------------------------------------------------


def test_a_plan_that_trains_shares_its_cost_at_one_order(plan, training):
    assert plan.trained == (training,)
    assert plan.order == Cap(epsilon=EPSILON, delta=DELTA).order
    assert sum(plan.costs) == plan.rho == total_cost(plan.events, plan.order)
    assert plan.rho > rho_from_epsilon(EPSILON, DELTA)
    document = plan.to_dict()
    assert document["order"] == str(plan.order)
    assert [step["rho"] for step in document["steps"]] == [str(cost) for cost in plan.costs]
    assert least_epsilon(plan.events, DELTA) <= EPSILON


def test_a_plan_that_does_not_train_is_as_it_was():
    events = [TABLE]
    plain = planned(events, epsilon=Fraction(1), rho=total_rho(events))
    assert plain.order is None
    assert plain.needs_cap is None
    assert "order" not in plain.to_dict()
    assert plain.costs == (zcdp_rho(TABLE),)


@pytest.mark.parametrize(
    "changed", [{"noise_multiplier": Fraction(8)}, {"steps": 400}, {"rate": Fraction(1, 6)}]
)
def test_a_plan_that_trains_more_than_it_claims_is_refused(training, changed):
    from dataclasses import replace

    with pytest.raises(ValueError, match="keep to its epsilon"):
        planned([TABLE] * 3 + [replace(training, **changed)])


def test_a_plan_whose_cost_is_not_that_of_its_steps_is_refused(training):
    with pytest.raises(ValueError, match="add up to its rho"):
        planned([TABLE, training], rho=rho_from_epsilon(EPSILON, DELTA))


def test_an_epsilon_of_a_total_uses_the_order_only_where_something_trained():
    cap = Cap(epsilon=Fraction(2), delta=DELTA)
    rho = cap.rho / 2
    assert cap.epsilon_of(rho, trains=False) == epsilon_from_rho(rho, DELTA)
    assert cap.epsilon_of(rho, trains=True) == epsilon_at(rho, cap.order, DELTA)
    assert cap.epsilon_of(rho, trains=True) > cap.epsilon_of(rho, trains=False)
    assert cap.epsilon_of(Fraction(0), trains=True) == 0
    assert exp(float(cap.epsilon_of(cap.rho, trains=True))) == pytest.approx(exp(2), rel=1e-9)


def test_a_claim_of_next_to_nothing_needs_a_cap_with_room_for_training():
    quiet = SampledGaussianEvent(rate=Fraction(1, 100), noise_multiplier=Fraction(500), steps=1)
    cap = least_cap([quiet], DELTA)
    assert least_epsilon([quiet], DELTA) < cap.epsilon < Fraction(1, 10)
    assert cap.order <= MOST_ORDER
