"""Distances between targets and released rows: coarse ones of all pairs, exact ones of a few."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attacks.engine.space import Space
from attacks.engine.table import Codes

# One column's greatest distance, in fixed point: divisible by 1 to 20, so that the steps of short
# scales add up exactly.
UNIT = 232_792_560
FAR = np.int64(1) << 40  # beyond any distance in fixed point
_PAIRS = 1 << 17  # coarse distances worked on at once, in the processor's cache
_TOGETHER = 16  # targets at least that are compared together, so that a row is read once for them
_GROUPS = 512  # groups of rows whose smallest coarse distances bound the k-th smallest of all


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Targets of a block and rows that may be among their closest, ascending by target."""

    target: NDArray[np.int64]
    row: NDArray[np.int64]


def candidates(
    targets: Codes,
    release: Codes,
    space: Space,
    *,
    nearest: int,
    spare: int = 0,
    known: NDArray[np.int64] | None = None,
) -> Iterator[tuple[int, Pairs]]:
    """Yield per block of targets its first one, and the rows that rounding cannot rule out.

    Args:
        targets: distinct targets.
        release: distinct rows.
        space: of their columns.
        nearest: the row may be among so many closest.
        spare: columns in which it may be further away than these.
        known: by target, a distance in ``UNIT`` beyond which no row matters; ``FAR`` for none.
    """
    coarse = _Coarse(targets, release, space)
    rows = release.shape[0]
    block = max(_TOGETHER, _PAIRS // rows)
    for start in range(0, targets.shape[0], block):
        apart = coarse.distances(start, min(start + block, targets.shape[0]))
        limit = _bound(apart, nearest).astype(np.int64) + 2 * coarse.error
        if known is not None:
            held = known[start : start + limit.size]
            limit = np.minimum(limit, held // UNIT * coarse.unit + coarse.unit + coarse.error)
        limit += spare * coarse.unit + 1
        limit = np.minimum(limit, np.iinfo(np.int16).max).astype(np.int16)
        flat = np.flatnonzero(apart <= limit[:, None])
        yield start, Pairs(target=flat // rows, row=flat % rows)


def _bound(apart: NDArray[np.int16], k: int) -> NDArray[np.int16]:
    """Return for each target a number that at least ``k`` of its distances do not exceed."""
    targets, rows = apart.shape
    if k == 1:
        return np.asarray(apart.min(axis=1))
    if k >= rows:
        return np.asarray(apart.max(axis=1))
    groups = max(_GROUPS, 8 * k)
    deep = rows // groups
    if deep > 1:  # the k-th smallest of the groups' smallest is never below the k-th smallest
        apart = apart[:, : deep * groups].reshape(targets, deep, groups).min(axis=1)
    return np.asarray(np.partition(apart, k - 1, axis=1)[:, k - 1])


class _Coarse:
    """Distances in 16-bit integers, ``unit`` to a column, wrong by ``error`` at most."""

    def __init__(self, targets: Codes, release: Codes, space: Space) -> None:
        self._space = space
        columns = len(space.columns)
        largest = int(np.iinfo(np.int16).max)
        # Twice the unit is the place of the missing code: it is cut back to one unit.
        self.unit = max(1, min(largest // 2, largest // max(1, columns)))
        self.error = 0
        for ordered, ordinary in zip(space.ordered, space.ordinary, strict=True):
            self.error += ordered and self.unit % max(1, ordinary - 1) > 0
        self._targets = [self._column(targets[:, place], place) for place in range(columns)]
        self._release = [self._column(release[:, place], place) for place in range(columns)]
        self._rows = release.shape[0]

    def _column(self, codes: Codes, place: int) -> NDArray[Any]:
        if self._space.ordered[place]:
            return _positions(codes, self._space, place, self.unit).astype(np.int16)
        largest = max(self._space.ordinary[place], self._space.missing[place])
        return np.ascontiguousarray(codes, dtype=np.min_scalar_type(largest))

    def distances(self, start: int, stop: int) -> NDArray[np.int16]:
        """Return distances of some targets to all rows, shape ``(stop - start, rows)``."""
        result = np.zeros((stop - start, self._rows), dtype=np.int16)
        step = max(1, _PAIRS // (stop - start))
        for first in range(0, self._rows, step):
            self._add(result[:, first : first + step], slice(start, stop), first)
        return result

    def _add(self, result: NDArray[np.int16], targets: slice, first: int) -> None:
        """Add the distances to the rows from ``first`` on, column by column, to ``result``."""
        rows = slice(first, first + result.shape[1])
        scratch = np.empty(result.shape, dtype=np.int16)
        differs = np.empty(result.shape, dtype=np.bool_)
        count = np.zeros(result.shape, dtype=np.uint8)
        full = np.full(result.shape[1], self.unit, dtype=np.int16)
        counted = 0
        for place, ordered in enumerate(self._space.ordered):
            mine, theirs = self._targets[place][targets][:, None], self._release[place][rows]
            if ordered:
                np.subtract(mine, theirs, out=scratch)
                np.abs(scratch, out=scratch)
                if self._space.missing[place] >= 0:
                    np.minimum(scratch, full, out=scratch)
                result += scratch
                continue
            np.not_equal(mine, theirs, out=differs)
            count += differs.view(np.uint8)
            counted += 1
            if counted == np.iinfo(np.uint8).max:
                result += np.multiply(count, np.int16(self.unit), out=scratch)
                count[:] = 0
                counted = 0
        if counted:
            result += np.multiply(count, np.int16(self.unit), out=scratch)


def _positions(codes: Codes, space: Space, place: int, unit: int) -> NDArray[np.int64]:
    """Return the place of every code on a line from 0 to ``unit``; the missing one at twice it."""
    steps = max(1, space.ordinary[place] - 1)
    positions = (2 * unit * codes.astype(np.int64) + steps) // (2 * steps)
    if space.missing[place] >= 0:
        positions[codes == space.missing[place]] = 2 * unit
    return positions


class Fine:
    """Distances of chosen pairs in fixed point."""

    def __init__(self, targets: Codes, release: Codes, space: Space) -> None:
        self._steps = [
            max(1, ordinary - 1) if ordered else 0
            for ordinary, ordered in zip(space.ordinary, space.ordered, strict=True)
        ]
        self._targets = [self._column(targets, space, place) for place in range(len(self._steps))]
        self._release = [self._column(release, space, place) for place in range(len(self._steps))]

    def _column(self, codes: Codes, space: Space, place: int) -> Codes:
        column = np.ascontiguousarray(codes[:, place], dtype=np.int32)
        if self._steps[place] and space.missing[place] >= 0:
            # So far away that the difference is cut back to all steps.
            column = np.where(column == space.missing[place], 2 * self._steps[place], column)
        return column.astype(np.int32, copy=False)

    def apart(
        self, place: int, target: NDArray[np.int64], row: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return the distance of every pair in one column."""
        mine, theirs = self._targets[place][target], self._release[place][row]
        steps = self._steps[place]
        if not steps:
            return np.asarray((mine != theirs) * np.int64(UNIT))
        codes_apart = np.minimum(np.abs(mine - theirs), steps)
        return np.asarray(np.rint(codes_apart * (UNIT / steps)), dtype=np.int64)

    def total(self, target: NDArray[np.int64], row: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the distance of every pair, over all columns."""
        total = np.zeros(target.size, dtype=np.int64)
        for place in range(len(self._steps)):
            total += self.apart(place, target, row)
        return total
