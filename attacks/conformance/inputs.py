"""Is noise added whatever the counts are? The curator is asked about counts of every kind.

Noise of one seed is put on counts of many magnitudes and shapes. Where what is added is the same
for all of them, it cannot depend on any. Where it is not, two worlds of one row more or less are
told apart by what is released in one cell: their distribution functions may differ by what the
charge allows, and no more. Whatever anybody does to a noisy answer, as to cut it off at zero,
passes.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import islice
from math import erf, log, sqrt, tanh
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attacks.conformance.checks import FALSE_ALARM, events
from attacks.conformance.trial import Alarm

_SEEDS = (3, 4)  # of the noise that is compared
_RUNS = 2_000  # in each of two worlds, where noise was seen to differ
_SUSPECTS = 3  # of these at most
_MOST_TESTS = 1 << 12
_NOISE = "noise"
_ORDINARY, _CELLS = 37, 14  # rows of a cell where nothing is special, and cells
_KINDS = 4  # different events looked at

Counts = NDArray[np.int64]


def audit(plan: Mapping[str, Any], *, seed: int) -> list[Alarm]:
    """Return which noise of the plan follows the counts."""
    max_rows = int(plan["unit"]["max_rows"])
    found = []
    for kind in ("discrete_gaussian/v1", "discrete_laplace/v1"):
        for event in _few(events(plan, kind)):
            found += [
                Alarm(component=_NOISE, sentence=f"{kind} tells counts apart: {what}")
                for what in _telling(event, max_rows=max_rows, seed=seed)
            ]
    return list(dict.fromkeys(found))


def _few(planned: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    places = np.unique(np.linspace(0, len(planned) - 1, _KINDS).round().astype(int))
    return [planned[place] for place in places] if planned else []


def worlds() -> dict[str, Counts]:
    """Return counts that differ in what an implementation might look at."""
    even = np.full(_CELLS, _ORDINARY, dtype=np.int64)
    one = np.zeros(_CELLS, dtype=np.int64)
    one[_CELLS // 2] = 1
    steps = np.arange(_CELLS, dtype=np.int64)
    return {
        "no rows": 0 * even,
        "one row": one,
        "all rows in one cell": 900 * one,
        "every count from 0 on": steps,
        "every second cell empty": np.where(steps % 2, even, 0),
        "a hundred rows a cell": even + 63,
        "thousands of rows a cell": 1_000 * (steps + 1),
        "a hundred thousand rows": even * 200 + steps,
        "a million millions of rows": even * 10**12,
        "alternately few and many": np.where(steps % 2, 10**6, 3),
        "one cell": np.array([5_000], dtype=np.int64),
        "an empty cell": np.array([0], dtype=np.int64),
        "two cells": np.array([0, 1_300], dtype=np.int64),
        "a thousand cells": np.arange(1_000, dtype=np.int64) % 7,
    }


def _telling(event: Mapping[str, str], *, max_rows: int, seed: int) -> list[str]:
    from dpsynth.testing.chosen import answers

    mechanism, apart = _of(event)
    kinds = worlds()
    held = list(kinds.values())
    usual = [np.full(each.size, _ORDINARY, dtype=np.int64) for each in held]
    different: dict[str, None] = {}
    for offset in _SEEDS:
        one, other = (
            answers(mechanism, each, max_rows=max_rows, seed=seed + offset)
            for each in (held, usual)
        )
        different |= {
            name: None
            for name, first, second, counts, base in zip(
                kinds, one, other, held, usual, strict=True
            )
            if not np.array_equal(first - counts, second - base)
        }
    suspects = sorted(different, key=lambda name: kinds[name].size)[:_SUSPECTS]
    told = (
        name
        for name in suspects
        if _apart(mechanism, kinds[name], allowed=apart, max_rows=max_rows, seed=seed)
    )
    return list(islice(told, 1))


def _of(event: Mapping[str, str]) -> tuple[Any, float]:
    """Return the mechanism of an event, and how far one row may move any chance."""
    from dpsynth.privacy.mechanisms import DiscreteGaussian, DiscreteLaplace

    if event["kind"] == "discrete_laplace/v1":
        scale = Fraction(event["scale"])
        return DiscreteLaplace(scale=scale), tanh(float(1 / scale) / 2)
    square = Fraction(event["sigma_squared"])
    # Of two normal laws one apart; discrete ones are no farther, but for what rounding does to
    # a noise of less than a row.
    return DiscreteGaussian(sigma_squared=square), erf(1 / sqrt(8 * float(square))) * 1.01 + 1e-9


def _apart(mechanism: Any, counts: Counts, *, allowed: float, max_rows: int, seed: int) -> bool:
    """Whether one row more is seen too well in some cell, over many runs of both worlds."""
    from dpsynth.testing.chosen import answers

    # Dvoretzky, Kiefer, Wolfowitz and Massart, for each of the two worlds.
    by_chance = 2 * sqrt(log(4 * _MOST_TESTS / FALSE_ALARM) / (2 * _RUNS))

    def runs(asked: Counts, number: int) -> Counts:
        return np.array(
            answers(mechanism, [asked], max_rows=max_rows, seed=seed + number, times=_RUNS)
        )

    here = runs(counts, 11)
    for place in sorted({int(counts.argmin()), int(counts.argmax())}):
        more = counts.copy()
        more[place] += 1
        there = runs(more, 12)
        seen = _gap(here[:, place], there[:, place])
        if max(seen, _gap(here.sum(axis=1), there.sum(axis=1))) > allowed + by_chance:
            return True
    return False


def _gap(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Return the largest difference between two distribution functions."""
    values = np.union1d(first, second)
    below = [np.searchsorted(np.sort(each), values, side="right") for each in (first, second)]
    return float(np.abs(below[0] / first.size - below[1] / second.size).max())
