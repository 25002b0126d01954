"""Do batches and noise of a training follow their laws, at the very rate and noise of the plan?"""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from attacks.conformance.checks import CONFIDENCE, FALSE_ALARM, Check, events
from attacks.stats.laws import gap_limit
from dpsynth.errors import UnfitEnvironmentError

_UNITS, _NUMBERS, _STEPS = 2_000, 1_000, 50
# A quarter, which is that of Laplace noise: a plan that trains has a delta, and none of it.
_SHARE = FALSE_ALARM / 4


def check(plan: Mapping[str, Any], *, seed: int) -> list[Check]:
    """Return three checks a training: scale and shape of its noise, and how large batches are.

    Raises:
        UnfitEnvironmentError: the plan trains, and torch is not installed.
    """
    found = events(plan, "sampled_gaussian/v1")
    if found and find_spec("torch") is None:
        raise UnfitEnvironmentError(
            "this plan trains a network, which cannot be put on trial without torch: "
            "pip install 'dpsynth[deep]'"
        )
    return [
        each
        for number, event in enumerate(found)
        for each in _one(event, seed=seed + number, false_alarm=_SHARE / (3 * len(found)))
    ]


def _one(event: Mapping[str, str], *, seed: int, false_alarm: float) -> list[Check]:
    from fractions import Fraction

    from dpsynth.testing import noise

    trial = noise.training(event, units=_UNITS, numbers=_NUMBERS, steps=_STEPS, seed=seed)
    multiplier, rate = float(Fraction(event["noise_multiplier"])), float(Fraction(event["rate"]))
    name = f"training(noise multiplier {multiplier:.6g}, rate {rate:.6g})"
    return [
        *_of_noise(trial.noise.ravel() / multiplier, name=name, false_alarm=false_alarm),
        _of_batches(trial.batches, rate, name=name, false_alarm=false_alarm),
    ]


def _of_noise(draws: NDArray[np.float64], *, name: str, false_alarm: float) -> list[Check]:
    """Hold draws against the standard normal law: their energy is chi-square distributed."""
    half = draws.size / 2
    low = float(special.gammaincinv(half, false_alarm / 2)) / half
    high = float(special.gammainccinv(half, false_alarm / 2)) / half
    energy = float((draws**2).mean())
    seen = (low * half / float(special.gammaincinv(half, 0.95))) ** 0.5
    ordered = special.ndtr(np.sort(draws))
    steps = np.arange(draws.size + 1) / draws.size
    gap = float(max(np.abs(ordered - steps[:-1]).max(), np.abs(ordered - steps[1:]).max()))
    limit = gap_limit(draws=draws.size, false_alarm=false_alarm)
    return [
        Check(
            name=f"noise/scale of {name}",
            status="passed" if low <= energy <= high else "failed",
            statistic=energy,
            bound=high,
            lower_bound=low,
            trials=int(draws.size),
            detectable=seen,
            confidence=CONFIDENCE,
            detail=(
                "mean energy of the noise at the released sum over its expectation must lie "
                f"between {low:.4f} and {high:.4f}; a scale below {seen:.3f} of the planned one "
                "would have been seen"
            ),
        ),
        Check(
            name=f"noise/shape of {name}",
            status="passed" if gap <= limit else "failed",
            statistic=gap,
            bound=limit,
            trials=int(draws.size),
            confidence=CONFIDENCE,
            detail="largest gap between the drawn and the claimed distribution function",
        ),
    ]


def _of_batches(batches: NDArray[np.int64], rate: float, *, name: str, false_alarm: float) -> Check:
    """Hold the units of all batches together against the binomial law."""
    coins, joined = _UNITS * batches.size, int(batches.sum())
    few, many = special.bdtr(joined, coins, rate), special.bdtrc(joined - 1, coins, rate)
    chance = min(1.0, 2 * float(min(few, many)))
    return Check(
        name=f"selection/batches of {name}",
        status="passed" if chance > false_alarm else "failed",
        statistic=joined / coins,
        p_value=chance,
        trials=coins,
        confidence=CONFIDENCE,
        detail="units in all batches together, against the coin of each that the plan states",
    )
