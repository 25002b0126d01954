"""Are the coins and the noise of a training fresh, apart, and made of a whole key?

Every draw of a training comes from one key. Then no run of noise may come twice, in a step or in
another one; no batch may; noise may not follow who is in a batch; every bit of the key must matter;
and noise must reach as far out as its law does.
"""

from collections.abc import Mapping
from fractions import Fraction
from math import log2, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from attacks.conformance import tails
from attacks.conformance.checks import FALSE_ALARM, Check, events, witness
from attacks.conformance.follows import ruled
from attacks.conformance.training import KIND

NOISE, INDEPENDENCE, BATCHES, RANDOMNESS = "noise", "independence", "batches", "randomness"
UNITS, MOST_STEPS = 240, 600
RUN = 8  # numbers in a row, of about 10 bits each: by chance no two such runs are alike
_LEAST_BITS = 80.0  # of chance against two batches being one
_FAR, _DRAWS = 4.3, 1 << 21  # standard deviations, and draws: 36 lie further out
_TAIL, _END = 3.0, 8.0  # standard deviations between which different draws are counted
_LAGS = 3  # places between a unit's coin and a number's noise, either way
_FINE = 1e-2  # of a step of the grid, for the floating point of what is released
_SHARE = FALSE_ALARM / 16


def check(plan: Mapping[str, Any], *, seed: int) -> list[Check]:
    """Return the checks of each training of ``plan``; none where it does not train."""
    return [
        each for at, event in enumerate(events(plan, KIND)) for each in _check(event, seed + at)
    ]


def _check(event: Mapping[str, str], seed: int) -> list[Check]:
    from dpsynth.testing import streams

    steps = min(int(Fraction(event["steps"])), MOST_STEPS)
    found = streams.steps_of(event, units=UNITS, steps=steps, seed=seed)
    return [
        witness(
            "noise/runs of a training",
            INDEPENDENCE,
            f"runs of {RUN} numbers of noise that came before, in its steps together",
            violations=_repeated(found.noise),
            trials=found.noise.size,
        ),
        witness(
            "noise/batches that came before",
            BATCHES,
            "batches that hold exactly who an earlier one held",
            violations=_same_batches(found.inside, float(Fraction(event["rate"]))),
            trials=steps,
        ),
        _coins(found.inside, found.noise),
        _keys(event, seed),
        *_far(event, seed),
    ]


def _repeated(noise: NDArray[np.float64]) -> int:
    """Count runs that occur twice; a sign that is turned around makes no other run."""
    scaled = np.abs(noise) / max(float(np.abs(noise).max()), 1e-12)
    lines = np.round(scaled * 2**40).astype(np.int64)
    # What is left of floating point after sums were taken off: compare to fewer places.
    runs = np.lib.stride_tricks.sliding_window_view(lines >> 20, RUN, axis=1).reshape(-1, RUN)
    mixed = (runs * _odd(RUN)).sum(axis=1)
    return int(mixed.size - np.unique(mixed).size)


def _odd(count: int) -> NDArray[np.int64]:
    return np.random.default_rng(7).integers(1, 2**62, count) * 2 + 1


def _same_batches(inside: NDArray[np.bool_], rate: float) -> int:
    if not 0 < rate < 1:
        return 0
    bits = -inside.shape[1] * (rate * log2(rate) + (1 - rate) * log2(1 - rate))
    if bits < _LEAST_BITS:
        return 0
    return len(inside) - len(np.unique(np.packbits(inside, axis=1), axis=0))


def _coins(inside: NDArray[np.bool_], noise: NDArray[np.float64]) -> Check:
    """Signs of noise are even among those inside, whichever number's noise is looked at."""
    signs = np.sign(noise)
    worst, trials = 0.0, 0
    for lag in range(-_LAGS, _LAGS + 1):
        beside = np.roll(signs, lag, axis=1)
        for held in (inside, ~inside):
            count = int(held.sum())
            trials += count
            if count:
                worst = max(worst, abs(float(beside[held].sum())) / sqrt(count))
    return ruled(
        Check(
            name="noise/coins and noise",
            status="",
            component=INDEPENDENCE,
            kind="test",
            statistic=worst,
            level=_SHARE,
            given={"rule": tails.HOEFFDING, "tests": 2 * (2 * _LAGS + 1)},
            trials=trials,
            detail="sum of the signs of noise of those in a batch, over its standard deviation",
        )
    )


def _keys(event: Mapping[str, str], seed: int) -> Check:
    from dpsynth.testing import streams

    short = {"units": RUN, "steps": 1, "seed": seed}
    seen = [
        streams.steps_of(event, **short, bit=bit).released.tobytes()
        for bit in (None, *range(streams.KEY_BITS))
    ]
    return witness(
        "noise/bits of the key",
        RANDOMNESS,
        "bits of the words that a key is made of which change nothing",
        violations=len(seen) - len(set(seen)),
        trials=len(seen),
    )


def _far(event: Mapping[str, str], seed: int) -> list[Check]:
    """Are there draws as far out as the law has them, as many different ones, all on the grid?"""
    from dpsynth.testing import noise

    multiplier = float(Fraction(event["noise_multiplier"]))
    fine = 2.0 ** (10 - np.floor(np.log2(multiplier)))  # steps of the grid in a clip norm
    drawn = noise.trained(event, size=_DRAWS, seed=seed) * fine
    apart = np.abs(drawn) / (multiplier * fine)
    beyond = int((apart > _FAR).sum())
    steps = drawn[: _DRAWS >> 6]
    return [
        ruled(
            Check(
                name="noise/draws far out",
                status="",
                component=NOISE,
                kind="test",
                statistic=float(beyond),
                given={"rule": tails.FAR, "chance": 2 * float(stats.norm.sf(_FAR))},
                level=_SHARE,
                trials=_DRAWS,
                detail=f"draws of a step beyond {_FAR} standard deviations; too few are tested for",
            )
        ),
        _different(np.rint(drawn[apart > _TAIL]), multiplier * fine),
        witness(
            "noise/grid of a step",
            NOISE,
            "draws that lie on no step of the public grid",
            violations=int((np.abs(steps - np.rint(steps)) > _FINE).sum()),
            trials=steps.size,
        ),
    ]


def _different(tail: NDArray[np.float64], stddev: float) -> Check:
    """Are draws in the tails as different from each other as the law has them?"""
    cells = np.arange(np.floor(_TAIL * stddev), np.ceil(_END * stddev))
    chances = stats.norm.sf((cells - 0.5) / stddev) - stats.norm.sf((cells + 0.5) / stddev)
    chances /= 2 * chances.sum()  # on either side
    expected = 2 * float(-np.expm1(tail.size * np.log1p(-chances)).sum())
    return ruled(
        Check(
            name="noise/different draws far out",
            status="",
            component=NOISE,
            kind="test",
            statistic=float(np.unique(tail).size),
            given={"rule": tails.DIFFERENT, "expected": expected},
            level=_SHARE,
            trials=tail.size,
            detail=f"different draws of a step beyond {_TAIL} standard deviations",
        )
    )
