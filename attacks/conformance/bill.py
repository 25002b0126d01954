"""The bill, added up again: does a plan cost more than it claims?

Written down from the papers a second time, in floating point and with none of the kernel's code. A
plan whose events cost more than its (epsilon, delta) is a fault; one that costs less is not.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import exp, expm1, log, log1p, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from attacks.conformance.checks import Check, judged, witness
from attacks.conformance.trial import Trial
from attacks.stats.laws import GaussianLaw

_CLOSE = 1e-6  # of an epsilon: the plan's own numbers are rounded, exactly and in its disfavor
_GAUSSIAN, _LAPLACE = "discrete_gaussian/v1", "discrete_laplace/v1"
_CHOICE, _VALUES, _STEPS = (
    "exponential_selection/v1",
    "partition_selection/v1",
    "sampled_gaussian/v1",
)
_TERMS = 1 << 16  # of a tail
_PLACES = 1 << 18  # on which privacy losses are put, each rounded down: a lower bound results
_REACH = 20.0  # standard deviations of all losses together that the places reach to
_MUCH = 1e300  # stands for an epsilon without end, which JSON cannot write
ACCOUNTING, SENSITIVITY, LEDGER = "accounting", "sensitivity", "ledger"

Event = Mapping[str, str]
Array = NDArray[np.float64]


def audit(trial: Trial) -> list[Check]:
    """Return what the plan costs, and what the accountant and a cap say of it."""
    import dpsynth
    from dpsynth.testing.bookkeeping import admitted

    plan = trial.document
    events = [step["event"] for step in plan["steps"]]
    stated = float(dpsynth.claimed_epsilon(events, plan["delta"]))
    epsilon, delta = Fraction(1), Fraction(1, 10**9)
    let_through = admitted(cap_epsilon=epsilon, cap_delta=delta, releases=20)
    return [
        *_of_claim(plan, events),
        _at_most(
            "bill/accountant",
            "what the events cost at least, against the epsilon that the accountant states",
            cost=least_epsilon(events, plan["delta"]) if Fraction(plan["delta"]) else 0.0,
            most=stated * (1 + _CLOSE),
            events=len(events),
        ),
        _of_person(plan, events),
        _at_most(
            "bill/cap",
            "what a ledger let through, against the epsilon of its cap",
            cost=least_epsilon(let_through, str(delta)),
            most=float(epsilon) * (1 + _CLOSE),
            events=len(let_through),
            component=LEDGER,
        ),
    ]


def _at_most(
    name: str, what: str, *, cost: float, most: float, events: int, component: str = ACCOUNTING
) -> Check:
    return judged(
        Check(
            name=name,
            status="",
            component=component,
            statistic=min(cost, _MUCH),
            bound=most,
            trials=events,
            detail=what,
        )
    )


def _of_claim(plan: Mapping[str, Any], events: Sequence[Event]) -> list[Check]:
    epsilon, delta = float(Fraction(plan["epsilon"])), Fraction(plan["delta"])
    selections = [event for event in events if event["kind"] == _VALUES]
    kept = witness(
        "bill/delta of values",
        ACCOUNTING,
        "selections of values set aside the delta that a value of one unit costs",
        violations=sum(values_delta(e) > float(Fraction(e["delta"])) for e in selections),
        trials=len(selections),
    )
    if delta:
        cost = least_epsilon(events, plan["delta"])
    else:  # an event that has no pure epsilon costs more than any claim
        costs = [pure_epsilon(event) for event in events]
        cost = sum(float("inf") if each is None else each for each in costs)
    return [
        kept,
        _at_most(
            "bill/claim",
            "what the events of the plan cost at least, against its epsilon",
            cost=cost,
            most=epsilon * (1 + _CLOSE),
            events=len(events),
        ),
    ]


def _of_person(plan: Mapping[str, Any], events: Sequence[Event]) -> Check:
    """Tables of counts move by all rows of a person in one cell; by two of them where replaced."""
    rows = Fraction(plan["unit"]["max_rows"])
    swapped = plan["unit"]["neighboring"] != "add_or_remove"
    least = {
        (_GAUSSIAN, "l2_sensitivity_squared"): rows**2 * (1 + swapped),
        (_LAPLACE, "l1_sensitivity"): rows * (1 + swapped),
        (_VALUES, "l2_sensitivity_squared"): rows * (1 + swapped),
        (_VALUES, "max_new"): rows,
    }
    return witness(
        "bill/person",
        SENSITIVITY,
        "every event is made for a person with all the rows that the plan promises to protect",
        violations=sum(
            Fraction(event[field]) < bound
            for event in events
            for (kind, field), bound in least.items()
            if event["kind"] == kind
        ),
        trials=len(events),
    )


def rho_of(event: Event) -> float:
    """Return the zCDP cost of an event other than training."""
    if event["kind"] in (_GAUSSIAN, _VALUES):
        return float(
            Fraction(event["l2_sensitivity_squared"]) / (2 * Fraction(event["sigma_squared"]))
        )
    if event["kind"] == _LAPLACE:
        return float(Fraction(event["l1_sensitivity"]) / Fraction(event["scale"])) ** 2 / 2
    return float(Fraction(event["epsilon"])) ** 2 / 8


def pure_epsilon(event: Event) -> float | None:
    """Return the epsilon of an event at delta 0, or None where it has none."""
    if event["kind"] == _LAPLACE:
        return float(Fraction(event["l1_sensitivity"]) / Fraction(event["scale"]))
    return float(Fraction(event["epsilon"])) if event["kind"] == _CHOICE else None


def values_delta(event: Event) -> float:
    """Return the chance that a value of one unit is released, times how many it can bring.

    The tail of the discrete law, term by term; what is left out makes it smaller: a fault is a
    fault.
    """
    square = float(Fraction(event["sigma_squared"]))
    first = float(Fraction(event["threshold"])) - 1
    law = GaussianLaw(sigma_squared=Fraction(event["sigma_squared"]))
    terms = first + np.arange(_TERMS, dtype=np.float64)
    log_weights = -(terms**2) / (2 * square) - float(law.log_normalizer(np.array(law.rate)))
    tail = float(np.exp(special.logsumexp(log_weights))) * (1 - _CLOSE)
    return float(Fraction(event["max_new"])) * tail


def least_epsilon(events: Sequence[Event], delta: str) -> float:
    """Return an epsilon that the events cost together at ``delta``.

    From zCDP by Canonne, Kamath and Steinke (2020), Proposition 12, at the best order. With
    training, a lower bound: its privacy losses, discretized downward and convolved.
    """
    reserved = sum(
        (Fraction(event["delta"]) for event in events if event["kind"] == _VALUES), Fraction(0)
    )
    left = float(Fraction(delta) - reserved)
    if left <= 0:
        return float("inf")
    trained = [event for event in events if event["kind"] == _STEPS]
    rho = sum(rho_of(event) for event in events if event["kind"] != _STEPS)
    if trained:
        return trained_epsilon(trained, left)
    return zcdp_epsilon(rho, left)


def zcdp_epsilon(rho: float, delta: float) -> float:
    """Return the least epsilon over all orders of a rho-zCDP mechanism."""

    def at(log_gap: float) -> float:
        gap = exp(log_gap)
        order = 1 + gap
        return order * rho + log1p(-1 / order) - (log(delta) + log(order)) / gap

    middle = log(log(1 / delta) / rho) / 2 if rho else 0.0
    found = optimize.minimize_scalar(
        at, bounds=(middle - 6, middle + 6), method="bounded", options={"xatol": 1e-10}
    )
    return max(float(found.fun), 0.0)


def trained_epsilon(trained: Sequence[Event], delta: float) -> float:
    """Return a lower bound on the epsilon of sampled training alone, at ``delta``."""
    grid, masses = _losses(trained)
    low, high = 0.0, grid * (_PLACES // 2)
    places = grid * (np.arange(_PLACES) - _PLACES // 2)
    for _ in range(60):
        middle = (low + high) / 2
        above = places > middle
        gained = float((masses[above] * -np.expm1(middle - places[above])).sum())
        low, high = (middle, high) if gained > delta * (1 + _CLOSE) else (low, middle)
    return low


def _losses(trained: Sequence[Event]) -> tuple[float, Array]:
    """Return a grid and the masses on it of all steps' privacy losses, each rounded down."""
    laws = [
        (float(Fraction(e["rate"])), float(Fraction(e["noise_multiplier"])), int(e["steps"]))
        for e in trained
    ]
    spread = sqrt(sum(steps * rate**2 * expm1(min(sigma**-2, 50.0)) for rate, sigma, steps in laws))
    grid = 2 * _REACH * spread * (1 + spread) / _PLACES
    total: NDArray[np.complex128] | None = None
    for rate, sigma, steps in laws:
        # Of a step in which one unit was removed: the mixture against the noise alone.
        edges = np.linspace(-12 * sigma, 1 + 12 * sigma, 400_001)
        losses = np.log1p(rate * np.expm1((2 * edges - 1) / (2 * sigma**2)))
        below = (1 - rate) * special.ndtr(edges / sigma) + rate * special.ndtr((edges - 1) / sigma)
        places = np.floor(losses[:-1] / grid).astype(np.int64) + _PLACES // 2
        inside = np.clip(places, 0, _PLACES - 1)
        step = np.bincount(inside, weights=np.diff(below), minlength=_PLACES)
        transformed = np.fft.rfft(np.fft.ifftshift(step)) ** steps
        total = transformed if total is None else total * transformed
    assert total is not None, "there is training"
    masses = np.fft.fftshift(np.fft.irfft(total, _PLACES))
    return grid, np.asarray(np.maximum(masses, 0.0))
