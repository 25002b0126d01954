"""Do the noise and the batches of a training follow their laws, at the numbers of the plan?

Through the object that a release uses: what comes out of a step over nobody is the noise, and
what comes out where every made-up unit adds one clip norm is the size of its batch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor, log2, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from attacks.conformance import tails
from attacks.conformance.checks import FALSE_ALARM, TEST, Check, events
from attacks.conformance.follows import ruled
from attacks.stats.laws import GaussianLaw

BATCHES = "batches"
if TYPE_CHECKING:
    from dpsynth.testing.notes import Trained

KIND = "sampled_gaussian/v1"
SHARE = FALSE_ALARM / 16  # each: the noise, and the batches with their spread
UNITS, STEPS, LEAST_BATCH = 6_000, 40, 200  # made up; units in a batch
GROUPS, MEMBERS, MOST_STEPS = 64, 100, 64  # units whose batches are counted group by group
_GRID_BITS = 10  # noisy sums are rounded to about so many binary places of the noise's deviation

Event = Mapping[str, str]
Numbers = NDArray[np.float64]


def laws(plan: Mapping[str, Any]) -> dict[GaussianLaw, Mapping[str, str]]:
    """Return the law of the noise of every training in ``plan``, in steps of its grid."""
    return {_law(event): event for event in events(plan, KIND)}


def _law(event: Mapping[str, str]) -> GaussianLaw:
    multiplier = Fraction(event["noise_multiplier"])
    return GaussianLaw(sigma_squared=(multiplier * _steps_of(multiplier)) ** 2)


def _steps_of(multiplier: Fraction) -> Fraction:
    """Return how many steps of the grid of noisy sums a clip norm has, a power of 2."""
    return Fraction(2) ** (_GRID_BITS - floor(log2(multiplier)))


def draws(event: Mapping[str, str], *, size: int, seed: int) -> NDArray[np.int64]:
    """Return ``size`` draws of the noise of a step, in steps of its grid."""
    from dpsynth.testing import noise

    fine = float(_steps_of(Fraction(event["noise_multiplier"])))
    return np.rint(noise.trained(event, size=size, seed=seed) * fine).astype(np.int64)


def batches(plan: Mapping[str, Any], *, seed: int) -> list[Check]:
    """Return a check for each training: whether units are in batches as often as planned."""
    planned = events(plan, KIND)
    share = SHARE / (2 * len(planned)) if planned else SHARE
    return [
        check
        for at, event in enumerate(planned)
        for check in _batches_of(event, seed=seed + at, share=share)
    ]


def _batches_of(event: Event, *, seed: int, share: float) -> tuple[Check, Check]:
    from dpsynth.testing import noise

    sizes = noise.trained_totals(event, units=_units(event), steps=STEPS, seed=seed)
    spread = _spread(event, sizes, seed=seed, share=share)
    return _batches(event, sizes, share=share), spread


def _units(event: Event) -> int:
    """Return how many units are made up: enough that the size of a batch is all but normal."""
    return max(UNITS, ceil(LEAST_BATCH / Fraction(event["rate"])))


def _spread(event: Event, sizes: Numbers, *, seed: int, share: float) -> Check:
    """Test whether each unit has a coin of its own in every step: sizes spread as coins do.

    The number of units in a batch has the variance of independent coins, and so has the number of
    times that a group's units were drawn. A shuffled table cut into pieces has batches of one size,
    and every unit in as many of them as every other; coins that are shared spread further.
    """
    from dpsynth.testing import noise

    rate, multiplier = float(Fraction(event["rate"])), float(Fraction(event["noise_multiplier"]))
    epoch = ceil(1 / rate)
    steps = epoch * max(1, MOST_STEPS // epoch)  # whatever is planned: few would tell nothing
    found = noise.trained_groups(event, groups=GROUPS, units=MEMBERS, steps=steps, seed=seed)
    coin, added = MEMBERS * rate * (1 - rate), multiplier**2
    apart = found - MEMBERS * rate
    units = _units(event)
    standard = {
        "batch sizes": (sizes - units * rate) / sqrt(units * rate * (1 - rate) + added),
        "how often units were drawn": apart.sum(axis=0) / sqrt(steps * (coin + added)),
    }
    checks = [
        ruled(
            Check(
                name=f"noise/spread of batches at rate {rate:.6g}",
                status="",
                component=BATCHES,
                kind=TEST,
                statistic=float((values**2).mean()),
                level=share / len(standard),
                trials=values.size,
                # Sums of some hundred coins each are all but normal.
                given={"rule": tails.SPREAD, "both": True},
                detail=f"variance of {name} over that of independent coins and noise",
            )
        )
        for name, values in standard.items()
    ]
    return min(checks, key=lambda check: check.p_value or 0.0)


def _batches(event: Event, sizes: Numbers, *, share: float) -> Check:
    rate, multiplier = float(Fraction(event["rate"])), float(Fraction(event["noise_multiplier"]))
    units = _units(event)
    check = ruled(
        Check(
            name=f"noise/batches at rate {rate:.6g}",
            status="",
            component=BATCHES,
            kind=TEST,
            statistic=float(sizes.sum()) / (STEPS * units * rate),
            level=share,
            trials=STEPS * units,
            given={
                "rule": tails.BATCHES,
                "rate": rate,
                "noise_multiplier": multiplier,
                "steps": STEPS,
            },
        )
    )
    margin = (check.bound or 0.0) - 1
    return replace(
        check,
        detail="units drawn into batches over their expected number; a rate wrong by "
        f"{ceil(200 * margin)} % or more would have been seen",
    )


def taken(steps: "Sequence[Trained]", *, units: int, level: float) -> list[Check]:
    """Return whether the batches of trainings that were heard are what was charged.

    Args:
        steps: of trainings on a table of ``units``.
        units: in the table.
        level: chance of a false alarm of each check.
    """
    charged = [(step.units, float(Fraction((step.charged or {})["rate"]))) for step in steps]
    if not charged:
        return []
    sizes, rates = np.array(charged).T
    apart, variances = sizes - units * rates, units * rates * (1 - rates)
    blank = Check(
        name="", status="", component=BATCHES, kind=TEST, level=level, trials=len(charged)
    )
    checks = [
        replace(
            blank,
            name="released/units in batches",
            statistic=float(apart.sum()),
            given={"rule": tails.DRAWN, "variance": float(variances.sum())},
            detail="units that were drawn into batches beyond those that were charged",
        )
    ]
    # Sizes of hundreds of coins are all but normal. More alike are those of an epoch cut to size.
    wide = variances >= LEAST_BATCH / 4
    if wide.any():
        energy = float((apart[wide] ** 2 / variances[wide]).sum())
        checks.append(
            replace(
                blank,
                name="released/spread of batches",
                statistic=energy / int(wide.sum()),
                trials=int(wide.sum()),
                given={"rule": tails.SPREAD, "both": False},
                detail="variance of batch sizes over that of independent coins",
            )
        )
    return [ruled(check) for check in checks]
