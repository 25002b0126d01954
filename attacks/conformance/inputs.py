"""Is noise added whatever the counts are? The curator is asked about counts of every kind.

Noise of one seed is put on counts of many magnitudes and shapes. Where what is added is the same
for all of them, it cannot depend on any. Where it is not, two worlds of one row more or less are
told apart by what is released in one cell: their distribution functions may differ by what the
charge allows, and no more. Whatever anybody does to a noisy answer, as to cut it off at zero,
passes.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import erf, log, sqrt, tanh
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attacks.conformance.checks import FALSE_ALARM, TEST, Check, events, judged

_SEEDS = (3, 4)  # of the noise that is compared
_RUNS = 2_000  # in each of two worlds, where noise was seen to differ
_SUSPECTS = 3  # worlds at most that are tried so, of those where it was
_KINDS = 2  # different events looked at
_LEVEL = FALSE_ALARM / 8
_TESTS = 4 * _SUSPECTS * _KINDS * 2  # of a plan at most, each at its share of the level
_BOUND = 2 * sqrt(log(4 * _TESTS / _LEVEL) / (2 * _RUNS))
_WIDE = 9.0  # rows squared
_ORDINARY, _CELLS = 37, 14  # rows of a cell where nothing is special, and cells

Counts = NDArray[np.int64]


def check(plan: Mapping[str, Any], *, seed: int) -> list[Check]:
    """Return a check an event of the plan: how far its noise lets two kinds of counts be told."""
    max_rows = int(plan["unit"]["max_rows"])
    return [
        _judged(event, max_rows=max_rows, seed=seed)
        for kind in ("discrete_gaussian/v1", "discrete_laplace/v1")
        for event in _few(events(plan, kind))
    ]


def _scale(event: Mapping[str, str]) -> float:
    if "scale" in event:
        return float(Fraction(event["scale"]))
    return sqrt(Fraction(event["sigma_squared"]))


def _few(planned: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    places = np.unique(np.linspace(0, len(planned) - 1, _KINDS).round().astype(int))
    return [planned[place] for place in places] if planned else []


def _judged(event: Mapping[str, str], *, max_rows: int, seed: int) -> Check:
    allowed, kinds = _allowed(event), worlds()
    suspects = _suspects(event, kinds, max_rows=max_rows, seed=seed)
    excess, where = 0.0, "noise of one seed is the same for counts of every kind"
    for name in suspects:
        apart = _apart(event, kinds[name], max_rows=max_rows, seed=seed) - allowed
        if apart > excess:
            excess, where = apart, f"one row more is seen where there are: {name}"
        if excess > _BOUND:
            break
    return judged(
        Check(
            name=f"inputs/{event['kind'].partition('/')[0]}, scale {_scale(event):.6g}",
            status="",
            component="noise",
            kind=TEST,
            statistic=excess,
            bound=_BOUND,
            level=_LEVEL,
            trials=len(kinds) + len(suspects) * _RUNS,
            detail=f"distance of two worlds beyond what the charge allows; {where}",
        )
    )


def worlds() -> dict[str, Counts]:
    """Return counts that differ in what an implementation might look at."""
    even = np.full(_CELLS, _ORDINARY, dtype=np.int64)
    one = np.zeros(_CELLS, dtype=np.int64)
    one[_CELLS // 2] = 1
    steps = np.arange(_CELLS, dtype=np.int64)
    return {
        "no rows": 0 * even,
        "one row": one,
        "rows in one cell alone": 900 * one,
        "every count from 0 on": steps,
        "empty cells between others": np.where(steps % 2, even, 0),
        "a hundred rows a cell": even + 63,
        "thousands of rows a cell": 1_000 * (steps + 1),
        "a hundred thousand rows": even * 200 + steps,
        "a million millions of rows": even * 10**12,
        "few rows and many in turn": np.where(steps % 2, 10**6, 3),
        "thousands of rows in one cell": np.array([5_000], dtype=np.int64),
        "no rows in one cell": np.array([0], dtype=np.int64),
        "two cells": np.array([0, 1_300], dtype=np.int64),
        "a thousand cells": np.arange(1_000, dtype=np.int64) % 7,
    }


def _suspects(
    event: Mapping[str, str], kinds: Mapping[str, Counts], *, max_rows: int, seed: int
) -> list[str]:
    """Name worlds whose noise differs from that of usual counts of the same shape and seed."""
    from dpsynth.testing.chosen import answers

    held = list(kinds.values())
    usual = [np.full(each.size, _ORDINARY, dtype=np.int64) for each in held]
    different: set[str] = set()
    for offset in _SEEDS:
        one, other = (
            answers(event, each, max_rows=max_rows, seed=seed + offset) for each in (held, usual)
        )
        added = zip(kinds, one, other, held, usual, strict=True)
        different |= {
            name
            for name, here, there, counts, base in added
            if not np.array_equal(here - counts, there - base)
        }
    return sorted(different, key=lambda name: (kinds[name].size, name))[:_SUSPECTS]


def _allowed(event: Mapping[str, str]) -> float:
    """Return how far one row may move any chance."""
    if "scale" in event:
        return tanh(1 / float(Fraction(event["scale"])) / 2)
    square = float(Fraction(event["sigma_squared"]))
    # The distance of two normal laws that are one apart. Where noise is only a few rows wide, the
    # discrete law differs from the normal one: Pinsker's inequality.
    return erf(1 / sqrt(8 * square)) if square > _WIDE else 0.5 / sqrt(square)


def _apart(event: Mapping[str, str], counts: Counts, *, max_rows: int, seed: int) -> float:
    """Return how well one row more in some cell is seen, over many runs of both worlds.

    The bound on what chance does is that of Dvoretzky, Kiefer, Wolfowitz and Massart, in each.
    """
    from dpsynth.testing.chosen import answers

    def runs(asked: Counts, number: int) -> Counts:
        return np.array(answers(event, [asked], max_rows=max_rows, seed=seed + number, times=_RUNS))

    here = runs(counts, 11)
    worst = 0.0
    for place in sorted({int(counts.argmin()), int(counts.argmax())}):
        more = counts.copy()
        more[place] += 1
        there = runs(more, 12)
        alone = _gap(here[:, place], there[:, place])
        worst = max(worst, alone, _gap(here.sum(axis=1), there.sum(axis=1)))
    return worst


def _gap(first: Counts, second: Counts) -> float:
    """Return the largest difference between two distribution functions."""
    values = np.union1d(first, second)
    one, other = (np.searchsorted(np.sort(each), values, side="right") for each in (first, second))
    return float(np.abs(one / first.size - other / second.size).max())
