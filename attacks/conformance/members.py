"""Who was in which batch, and the noise of steps of many sizes: at frozen inputs, one by one.

Poisson sampling tosses a coin for every unit in every step, of the planned chance, whoever else is
there. So every unit is in batches as often as every other, batches are of every size, empty ones
among them, and neither units nor steps know of each other.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from attacks.conformance.checks import FALSE_ALARM, TEST, Check, events, judged
from attacks.stats.draws import echo, tail_bound
from attacks.stats.laws import GaussianLaw, energy_limits, gap_limit, largest_gap

KIND = "sampled_gaussian/v1"
BATCHES, NOISE = "batches", "noise"
_SHARE = FALSE_ALARM / 32  # each: members, and noise of steps
_UNITS, _DECLARED = (1, 2, 120), 60  # there are fewer than was said, and more
_STEPS, _MOST_STEPS = 120, 400
_LAGS = (1, 2, 3, 7)
_SIZES = {1: 60, 9: 30, 300: 6, 5_000: 3}  # of what is trained, and how many steps
_PARTS = 1024  # of a clip norm
_LEAST = 40  # numbers, below which a group is not held by itself

Members = NDArray[np.bool_]


def check(plan: Mapping[str, Any], *, seed: int, wider: bool) -> list[Check]:
    """Return a check of the members of batches, and one of the noise, for each training.

    Args:
        plan: a plan as a document.
        seed: of the draws.
        wider: noise that is wider than claimed passes.
    """
    trained = events(plan, KIND)
    return [
        made
        for at, event in enumerate(trained)
        for made in (
            _members(event, _SHARE / len(trained), seed=seed + at),
            _noise(event, _SHARE / len(trained), seed=seed + at, wider=wider),
        )
    ]


def _members(event: Mapping[str, str], share: float, *, seed: int) -> Check:
    from dpsynth.testing import noise

    rate = float(Fraction(event["rate"]))
    steps = min(_MOST_STEPS, max(_STEPS, ceil(36 / rate)))
    tests: list[tuple[str, float]] = []
    seen = 0
    for units in _UNITS:
        held = noise.trained_members(
            event, units=units, declared=_DECLARED, steps=steps, seed=seed + units
        )
        seen += held.size
        tests += [(f"{what} (of {units})", chance) for what, chance in tests_of(held, rate)]
    level = share / len(tests)
    faults = [what for what, chance in tests if chance < level]
    return _judged(
        f"noise/batches, one by one, at rate {rate:.6g}",
        BATCHES,
        faults,
        trials=seen,
        level=share,
        sound=f"{len(tests)} tests of who was in which batch",
    )


def tests_of(held: Members, rate: float) -> Iterator[tuple[str, float]]:
    """Yield tests of who was in which batch, each a sentence and a bound on its chance.

    Args:
        held: shape ``(steps, units)``.
        rate: the chance of each coin.
    """
    steps, units = held.shape
    yield "units are in batches too often or too seldom", _two_sided(held.ravel(), rate)
    each = [_two_sided(held[:, unit], rate) for unit in range(units)]
    yield "a unit is in batches too often or too seldom", min(1.0, units * min(each))
    sizes = held.sum(axis=1)
    size = [_two_sided(held[step], rate) for step in range(steps)]
    yield "a batch is too large or too small", min(1.0, steps * min(size))
    yield "sizes of batches do not spread as coins do", _gap_chance(sizes, units, rate)
    empty = (sizes == 0).astype(np.bool_)
    yield "empty batches are too many or too few", _two_sided(empty, (1 - rate) ** units)
    apart = held.astype(np.float64) - rate
    for lag in (*_LAGS, ceil(1 / rate)):
        if lag < steps:
            yield f"steps {lag} apart know of each other", _likeness(apart, lag, rate)
        if lag < units:
            yield f"units {lag} apart know of each other", _likeness(apart.T, lag, rate)


def _two_sided(hits: NDArray[Any], chance: float) -> float:
    found = [tail_bound(int(hits.sum()), hits.size, chance, above=above) for above in (True, False)]
    return min(1.0, 2 * min(found))


def _gap_chance(sizes: NDArray[Any], units: int, rate: float) -> float:
    """Return a bound on the chance of the largest gap: Dvoretzky, Kiefer and Wolfowitz."""
    values = np.arange(units + 1)
    drawn = np.searchsorted(np.sort(sizes), values, side="right") / sizes.size
    gap = float(np.abs(drawn - special.bdtr(values, units, rate)).max())
    return min(1.0, 2 * float(np.exp(-2 * sizes.size * gap**2)))


def _likeness(apart: NDArray[np.float64], lag: int, rate: float) -> float:
    """Return a bound on the chance of the products of coins that lie ``lag`` apart in a column.

    By Bernstein's inequality, over pairs that share no coin: of every two stretches of that length
    the first with the second, and then the second with the third.
    """
    variance, widest = (rate * (1 - rate)) ** 2, max(rate, 1 - rate) ** 2
    places = np.arange(apart.shape[0] - lag)
    found = []
    for parity in (0, 1):
        first = places[(places // lag) % 2 == parity]
        if not first.size:
            continue
        products = apart[first] * apart[first + lag]
        total = abs(float(products.sum()))
        spread = products.size * variance
        exponent = total**2 / (2 * (spread + widest * total / 3)) if total else 0.0
        found.append(2 * float(np.exp(-exponent)))
    return min(1.0, 2 * min(found, default=1.0))


def _noise(event: Mapping[str, str], share: float, *, seed: int, wider: bool) -> Check:
    """Hold the noise of steps by size of what is trained, place and number of the step."""
    from dpsynth.testing import noise

    multiplier = Fraction(event["noise_multiplier"])
    law = GaussianLaw(sigma_squared=(_PARTS * multiplier) ** 2)
    made = [
        np.rint(
            noise.trained_steps(event, size=size, steps=steps, seed=seed + size) * _PARTS
        ).astype(np.int64)
        for size, steps in _SIZES.items()
    ]
    groups = {f"{each.shape[1]} numbers": each.ravel() for each in made}
    groups |= {
        "first numbers": np.concatenate([each[:, 0] for each in made]),
        "last numbers": np.concatenate([each[:, -1] for each in made]),
        "first steps": np.concatenate([each[0] for each in made]),
        "last steps": np.concatenate([each[-1] for each in made]),
        "last numbers of many": made[-1][:, -_LEAST:].ravel(),
    }
    level = share / (2 * len(groups) + 1)
    faults = []
    for what, values in groups.items():
        low, high = energy_limits(law, draws=values.size, false_alarm=level)
        mean = float(law.energy(values).mean())
        if mean < low:
            faults.append(f"too little noise ({what})")
        elif mean > high and not wider:
            faults.append(f"too much noise ({what})")
        elif mean <= high and largest_gap(law, values) > gap_limit(
            draws=values.size, false_alarm=level
        ):
            faults.append(f"noise of another shape ({what})")
    if echo(np.concatenate([each.ravel() for each in made])) < level:
        faults.append("noise of one step like that of another")
    return _judged(
        f"noise/steps at multiplier {float(multiplier):.6g}",
        NOISE,
        faults,
        trials=sum(each.size for each in made),
        level=share,
        sound=f"{len(groups)} groups of numbers that steps over nobody release, as the law says",
    )


def _judged(
    name: str, component: str, faults: list[str], *, trials: int, level: float, sound: str
) -> Check:
    return judged(
        Check(
            name=name,
            status="",
            component=component,
            kind=TEST,
            violations=len(faults),
            trials=trials,
            level=level,
            detail="; ".join(faults) or sound,
        )
    )
