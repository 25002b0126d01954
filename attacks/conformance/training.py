"""Do the noise and the batches of a training follow their laws, at the numbers of the plan?

Through the object that a release uses: what comes out of a step over nobody is the noise, and
what comes out where every made-up unit adds one clip norm is the size of its batch.
"""

from collections.abc import Mapping
from fractions import Fraction
from math import ceil, log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attacks.conformance.checks import CONFIDENCE, FALSE_ALARM, Check, events
from attacks.stats.laws import GaussianLaw

KIND = "sampled_gaussian/v1"
SHARE = FALSE_ALARM / 16  # each: the noise, and the batches
UNITS, STEPS = 20_000, 12
_PARTS = 1024  # of a clip norm; the law of whole numbers of such parts is that of the noise
_SLACK = 1e-3  # of a clip norm that a unit may add less, for floating point


def laws(plan: Mapping[str, Any]) -> dict[GaussianLaw, Mapping[str, str]]:
    """Return the law of the noise of every training in ``plan``, in parts of a clip norm."""
    return {_law(event): event for event in events(plan, KIND)}


def _law(event: Mapping[str, str]) -> GaussianLaw:
    return GaussianLaw(sigma_squared=(_PARTS * Fraction(event["noise_multiplier"])) ** 2)


def draws(event: Mapping[str, str], *, size: int, seed: int) -> NDArray[np.int64]:
    """Return ``size`` draws of the noise of a step, in parts of a clip norm."""
    from dpsynth.testing import noise

    return np.rint(noise.trained(event, size=size, seed=seed) * _PARTS).astype(np.int64)


def batches(plan: Mapping[str, Any], *, seed: int) -> list[Check]:
    """Return a check for each training: whether units are in batches as often as planned."""
    planned = events(plan, KIND)
    return [_batches(event, seed=seed + at, among=len(planned)) for at, event in enumerate(planned)]


def _batches(event: Mapping[str, str], *, seed: int, among: int) -> Check:
    from dpsynth.testing import noise

    rate, multiplier = float(Fraction(event["rate"])), float(Fraction(event["noise_multiplier"]))
    found = noise.trained_totals(event, units=UNITS, steps=STEPS, seed=seed)
    # The sum of all sizes: Bernstein's inequality for the coins, a normal tail for the noise.
    tail = log(4 * among / SHARE)
    variance = STEPS * UNITS * rate * (1 - rate)
    most = sqrt(2 * variance * tail) + tail * 2 / 3 + multiplier * sqrt(2 * STEPS * tail)
    expected = STEPS * UNITS * rate
    share, margin = float(found.sum()) / expected, most / expected
    right = 1 - margin - _SLACK <= share <= 1 + margin
    return Check(
        name=f"noise/batches at rate {rate:.6g}",
        status="passed" if right else "failed",
        statistic=share,
        bound=1 + margin,
        lower_bound=1 - margin - _SLACK,
        trials=STEPS * UNITS,
        confidence=CONFIDENCE,
        detail=(
            "units drawn into batches over their expected number; a rate wrong by "
            f"{ceil(200 * margin)} % or more would have been seen"
        ),
    )
