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
from scipy import special

from attacks.conformance.checks import FALSE_ALARM, TEST, Check, events, judged
from attacks.stats.laws import GaussianLaw

BATCHES = "batches"
KIND = "sampled_gaussian/v1"
SHARE = FALSE_ALARM / 16  # each: the noise, and the batches with their spread
UNITS, STEPS = 20_000, 12
GROUPS, MEMBERS, MOST_STEPS = 64, 100, 64  # units whose batches are counted group by group
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
    share = SHARE / (2 * len(planned)) if planned else SHARE
    return [
        check
        for at, event in enumerate(planned)
        for check in (
            _batches(event, seed=seed + at, share=share),
            _spread(event, seed=seed + at, share=share),
        )
    ]


def _spread(event: Mapping[str, str], *, seed: int, share: float) -> Check:
    """Test whether each unit has a coin of its own in every step: sizes spread as coins do.

    The number of a group's units in a batch has the variance of independent coins, and so has its
    sum over steps. A shuffled table cut into pieces has batches of one size, and every unit in as
    many of them as every other; coins that units or steps share spread further.
    """
    from dpsynth.testing import noise

    rate, multiplier = float(Fraction(event["rate"])), float(Fraction(event["noise_multiplier"]))
    epoch = ceil(1 / rate)
    steps = epoch * max(1, min(MOST_STEPS // epoch, int(Fraction(event["steps"])) // epoch))
    found = noise.trained_groups(event, groups=GROUPS, units=MEMBERS, steps=steps, seed=seed)
    coin, added = MEMBERS * rate * (1 - rate), multiplier**2
    apart = found - MEMBERS * rate
    # Whole batches in units of groups, groups over all steps, and groups in single steps.
    standard = {
        "batch sizes": apart.sum(axis=1) / sqrt(GROUPS * (coin + added)),
        "how often units were drawn": apart.sum(axis=0) / sqrt(steps * (coin + added)),
    }
    spreads = {name: float((values**2).mean()) for name, values in standard.items()}
    chances = {name: _chance(values) for name, values in standard.items()}
    worst = min(chances, key=lambda name: chances[name])
    return judged(
        Check(
            name=f"noise/spread of batches at rate {rate:.6g}",
            status="",
            component=BATCHES,
            kind=TEST,
            statistic=spreads[worst],
            p_value=chances[worst],
            level=share / len(chances),
            trials=steps * GROUPS * MEMBERS,
            detail=f"variance of {worst} over that of independent coins and noise",
        )
    )


def _chance(standard: NDArray[np.float64]) -> float:
    """Return twice the smaller tail of chi-square, for sums of some hundred coins each."""
    total = float((standard**2).sum())
    tails = (
        special.gammainc(standard.size / 2, total / 2),
        special.gammaincc(standard.size / 2, total / 2),
    )
    return min(1.0, 2 * float(min(tails)))


def _batches(event: Mapping[str, str], *, seed: int, share: float) -> Check:
    from dpsynth.testing import noise

    rate, multiplier = float(Fraction(event["rate"])), float(Fraction(event["noise_multiplier"]))
    found = noise.trained_totals(event, units=UNITS, steps=STEPS, seed=seed)
    # The sum of all sizes: Bernstein's inequality for the coins, a normal tail for the noise.
    tail = log(4 / share)
    variance = STEPS * UNITS * rate * (1 - rate)
    most = sqrt(2 * variance * tail) + tail * 2 / 3 + multiplier * sqrt(2 * STEPS * tail)
    expected = STEPS * UNITS * rate
    drawn, margin = float(found.sum()) / expected, most / expected
    return judged(
        Check(
            name=f"noise/batches at rate {rate:.6g}",
            status="",
            component=BATCHES,
            kind=TEST,
            statistic=drawn,
            bound=1 + margin,
            lower_bound=1 - margin - _SLACK,
            level=share,
            trials=STEPS * UNITS,
            detail=(
                "units drawn into batches over their expected number; a rate wrong by "
                f"{ceil(200 * margin)} % or more would have been seen"
            ),
        )
    )
