"""Does selection follow the exponential law, at the plan's epsilon and frozen scores?"""

from collections.abc import Mapping
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from attacks.conformance import choices
from attacks.conformance.checks import FALSE_ALARM, NOT_APPLICABLE, TEST, Check, events
from attacks.conformance.follows import CHOICES, SHARE, ruled
from attacks.stats.laws import (
    GaussianLaw,
    Values,
    divergence_p_value,
    frequency_divergence,
    softmax,
)

SELECTION = "selection"
DRAWS = 4_000
# Exponents of the candidates: far enough apart that a wrong rate moves the frequencies, near
# enough that each is chosen often.
_EXPONENTS = np.array([0.0, 0.7, 1.4, 2.1])
_KINDS = 8  # different values of epsilon tested
_SHARE = FALSE_ALARM / 4
VALUES = 50_000
_VALUES_SHARE = FALSE_ALARM / 8
_DEVIATIONS = 1.645  # normal quantile of 95 %


def check(plan: Mapping[str, Any], *, seed: int, flatter: bool = False) -> list[Check]:
    """Return one check for each different selection, the first few of each kind.

    Args:
        plan: a plan as a document.
        seed: of the draws.
        flatter: an exponential law of a smaller rate passes: it is no fault of privacy.
    """
    return [
        *_exponential(plan, seed=seed, flatter=flatter),
        *_values(plan, seed=seed),
        *choices.check(plan, seed=seed, flatter=flatter),
    ] or [
        Check(
            name="selection",
            status=NOT_APPLICABLE,
            component=SELECTION,
            detail="the plan selects nothing",
        )
    ]


def _values(plan: Mapping[str, Any], *, seed: int) -> list[Check]:
    """Are values near the threshold released as often as the law says?"""
    from dpsynth.testing import noise

    tested = events(plan, "partition_selection/v1")[:_KINDS]
    checks = []
    for number, event in enumerate(tested):
        law = GaussianLaw(sigma_squared=Fraction(event["sigma_squared"]))
        threshold = int(event["threshold"])
        below = min(round(float(law.sigma_squared) ** 0.5), threshold - 1)
        chance = 1 - float(law.below(np.array([below - 1], dtype=np.int64))[0])
        found = noise.released_values(
            event, units=threshold - below, size=VALUES, seed=seed + number
        )
        below_it = int((found < threshold).sum())
        checks.append(
            Check(
                name=f"selection/values at threshold {threshold}",
                status="",
                component=SELECTION,
                kind=TEST,
                statistic=found.size / VALUES,
                level=_VALUES_SHARE / len(tested),
                given={"rule": SHARE, "chance": min(chance, 1.0), "outside": below_it},
                trials=VALUES,
                detail=(
                    f"share of values held by {threshold - below} units that were released; the "
                    f"law says {chance:.4f}"
                ),
            )
        )
    return [ruled(check) for check in checks]


def _exponential(plan: Mapping[str, Any], *, seed: int, flatter: bool) -> list[Check]:
    from dpsynth.testing import noise

    planned = sorted({Fraction(e["epsilon"]) for e in events(plan, "exponential_selection/v1")})
    sensitivity = Fraction(plan["unit"]["max_rows"])
    tested = planned[:_KINDS]
    checks = []
    for number, epsilon in enumerate(tested):
        # Scores are whole numbers: rounded, and the law is worked out for the rounded ones. A
        # multiple of the sensitivity keeps them apart where epsilon is large.
        fine = 1 + ceil(20 * epsilon / sensitivity)
        unit = sensitivity * fine
        scores = np.array(
            [round(Fraction(x) * 2 * unit / epsilon) for x in _EXPONENTS.tolist()], dtype=np.int64
        )
        rate = float(epsilon / (2 * unit))
        counts = noise.selections(
            epsilon, scores, sensitivity=unit, draws=DRAWS, seed=seed + number
        )
        exponents = np.asarray(scores * rate, dtype=np.float64)
        level = _SHARE / len(tested)
        factor = _likeliest(counts, exponents) if flatter else 1.0
        found = frequency_divergence(counts, softmax(exponents * factor))
        narrowest = detectable_rate(exponents, draws=DRAWS, level=level)
        checks.append(
            Check(
                name=f"selection/law at epsilon {float(epsilon):.6g}",
                status="",
                component=SELECTION,
                kind=TEST,
                statistic=2 * found,
                level=level,
                trials=DRAWS,
                given={"rule": CHOICES, "exponents": exponents.tolist()},
                detail=(
                    "G statistic of the choices among four frozen scores; a rate of selection "
                    f"{narrowest:.2f} times the claimed one would have been seen"
                ),
            )
        )
    return [ruled(check) for check in checks]


def _likeliest(counts: NDArray[np.int64], exponents: Values) -> float:
    """Return the factor on the rate, at most 1, under which the choices are likeliest."""
    shares = counts / counts.sum()

    def short(factor: float) -> float:
        return float((shares - softmax(exponents * factor)) @ exponents)

    if short(1.0) >= 0:
        return 1.0
    return 0.0 if short(0.0) <= 0 else float(brentq(short, 0.0, 1.0))


def detectable_rate(exponents: Values, *, draws: int, level: float) -> float:
    """Return the smallest factor above 1 on the rate that would show, to one hundredth."""
    claimed = softmax(exponents)
    for hundredths in range(101, 400):
        drawn = softmax(exponents * hundredths / 100)
        ratio = np.log(drawn / claimed)
        mean = float(drawn @ ratio)
        deviation = float(drawn @ (ratio - mean) ** 2) ** 0.5
        least = draws * mean - _DEVIATIONS * draws**0.5 * deviation
        if divergence_p_value(least, draws=draws, cells=exponents.size) <= level:
            return hundredths / 100
    return 4.0
