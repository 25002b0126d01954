"""Closest released rows by a distance for mixed columns, in blocks that stay in the cache.

The distance of two rows is the sum over columns of: 0 or 1 in an unordered column (equal codes or
not); the difference of positions, 0 to 1, in an ordered one; the missing code is 0 from itself and
1 from any other. It is Gower's (1971) coefficient of dissimilarity, not divided by the number of
columns.

Every pair is first compared in 16-bit integers. Rows that this rounding cannot rule out, few of
them as a rule, are then compared in fixed-point integers, whose sums depend on no order: the
answer is that of a full comparison, ties included.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attacks.engine.counts import record_words
from attacks.engine.table import Codes

# One column's greatest distance, in fixed point: divisible by 1 to 20, so that the steps of short
# scales add up exactly.
UNIT = 232_792_560
_PAIRS = 1 << 17  # coarse distances held at once
_GROUPS = 512  # groups of rows whose smallest coarse distances bound the k-th smallest of all


@dataclass(frozen=True, kw_only=True)
class Space:
    """Columns, and how far apart their codes are.

    Args:
        columns: names, in the order of the codes' columns.
        ordered: by column, whether neighboring codes are alike.
        ordinary: by column, number of codes without the missing one.
        missing: by column, the missing code; -1 where there is none.
    """

    columns: tuple[str, ...]
    ordered: tuple[bool, ...]
    ordinary: tuple[int, ...]
    missing: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Neighbors:
    """The closest released rows of every target.

    Args:
        distance: shape ``(targets, k)``, ascending, in columns (0 to the number of columns);
            infinite where the release has fewer than ``k`` rows to offer.
        index: shape ``(targets, k)``, the released rows; -1 likewise. Of rows at equal distance
            those with the lowest numbers are taken, in ascending order.
    """

    distance: NDArray[np.float32]
    index: NDArray[np.int64]


def space(
    sizes: Mapping[str, int],
    ordered: Mapping[str, bool],
    columns: Sequence[str],
    *,
    missing: Mapping[str, int] | None = None,
) -> Space:
    """Return the space of some columns.

    Args:
        sizes: number of codes by column.
        ordered: by column, whether neighboring codes are alike.
        columns: names, in the order of the columns of the codes to be compared.
        missing: by column that has one, the missing code, which is the last.
    """
    absent = {} if missing is None else missing
    return Space(
        columns=tuple(columns),
        ordered=tuple(ordered[name] for name in columns),
        ordinary=tuple(sizes[name] - (name in absent) for name in columns),
        missing=tuple(absent.get(name, -1) for name in columns),
    )


def closest(
    targets: Codes, release: Codes, space: Space, *, k: int, exclude_own: bool = False
) -> Neighbors:
    """Find the ``k`` closest released rows of every target.

    Args:
        targets: shape ``(targets, columns)``.
        release: shape ``(rows, columns)``.
        space: of these columns.
        k: how many, at least 1.
        exclude_own: target ``i`` is released row ``i``, which is no neighbor of its own.
    """
    if exclude_own:
        return _without_own(closest(targets, release, space, k=k + 1))
    distance = np.full((targets.shape[0], k), np.inf, dtype=np.float32)
    index = np.full((targets.shape[0], k), -1, dtype=np.int64)
    if not targets.shape[0] or not release.shape[0]:
        return Neighbors(distance=distance, index=index)
    asked, back = _distinct(targets)
    held = _Rows(release)
    different, rows = targets[asked], release[held.first]
    fine = _Fine(different, rows, space)
    for start, pairs in _candidates(different, rows, space, nearest=k):
        apart = fine.total(pairs.target + start, pairs.row)
        # Rows are numbered in the order in which they first occur.
        best = _smallest(pairs.target, apart * rows.shape[0] + pairs.row, k)
        target, apart = pairs.target[best], apart[best]
        row, copies = held.lowest(pairs.row[best], k)
        target, apart = np.repeat(target, copies), np.repeat(apart, copies)
        best = _smallest(target, apart * release.shape[0] + row, k)
        target = target[best]
        rank = np.arange(target.size) - np.searchsorted(target, target, side="left")
        distance[target + start, rank] = apart[best] / UNIT
        index[target + start, rank] = row[best]
    return Neighbors(distance=distance[back], index=index[back])


def closest_without_each(targets: Codes, release: Codes, space: Space) -> Neighbors:
    """Find the closest released row of every target by all columns but one, for each left out.

    Args:
        targets: shape ``(targets, columns)``.
        release: shape ``(rows, columns)``.
        space: of these columns.

    Returns:
        Arrays of shape ``(columns, targets)``: row ``c`` as ``closest`` with ``k=1`` gives it for
        the columns without ``c``.
    """
    columns = len(space.columns)
    distance = np.full((columns, targets.shape[0]), np.inf, dtype=np.float32)
    index = np.full((columns, targets.shape[0]), -1, dtype=np.int64)
    if not targets.shape[0] or not release.shape[0]:
        return Neighbors(distance=distance, index=index)
    asked, back = _distinct(targets)
    first = _Rows(release).first
    different, rows = targets[asked], release[first]
    fine = _Fine(different, rows, space)
    for start, pairs in _candidates(different, rows, space, nearest=1, spare=1):
        total = fine.total(pairs.target + start, pairs.row)
        begins = np.flatnonzero(np.diff(pairs.target, prepend=-1))
        for place in range(columns):
            left = total - fine.apart(place, pairs.target + start, pairs.row)
            # One number for distance and row: the smallest is the closest, then the lowest row.
            best = np.minimum.reduceat(left * first.size + pairs.row, begins)
            answered = slice(start, start + best.size)
            distance[place, answered] = best // first.size / UNIT
            index[place, answered] = first[best % first.size]
    return Neighbors(distance=distance[:, back], index=index[:, back])


@dataclass(frozen=True, kw_only=True)
class _Pairs:
    """Targets of a block and rows that may be among their closest, ascending by target."""

    target: NDArray[np.int64]
    row: NDArray[np.int64]


class _Rows:
    """Released rows, each distinct one compared once."""

    def __init__(self, release: Codes) -> None:
        words = record_words(release)
        _, first, back = np.unique(words, return_index=True, return_inverse=True)
        order = np.argsort(first)  # distinct rows in the order in which they first occur
        self.first = first[order].astype(np.int64)
        number = np.empty(order.size, dtype=np.int64)
        number[order] = np.arange(order.size)
        self._back = number[back]
        self._rows: NDArray[np.int64] | None = None

    def lowest(
        self, distinct: NDArray[np.int64], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the first ``k`` rows that hold each distinct row, and how many they are."""
        if self.first.size == self._back.size:
            return self.first[distinct], np.ones(distinct.size, dtype=np.int64)
        if self._rows is None:
            self._rows = np.argsort(self._back, kind="stable")
            self._counts = np.bincount(self._back)
            self._starts = np.cumsum(self._counts) - self._counts
        copies = np.minimum(self._counts[distinct], k)
        ends = np.cumsum(copies)
        within = np.arange(int(ends[-1])) - np.repeat(ends - copies, copies)
        return self._rows[np.repeat(self._starts[distinct], copies) + within], copies


def _distinct(codes: Codes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    _, first, back = np.unique(record_words(codes), return_index=True, return_inverse=True)
    return first.astype(np.int64), back.astype(np.int64)


def _without_own(found: Neighbors) -> Neighbors:
    """Drop every target's own row; where others at distance 0 came before it, the last one."""
    own = found.index == np.arange(found.index.shape[0])[:, None]
    own[~own.any(axis=1), -1] = True
    shape = (found.index.shape[0], found.index.shape[1] - 1)
    return Neighbors(
        distance=found.distance[~own].reshape(shape), index=found.index[~own].reshape(shape)
    )


def _candidates(
    targets: Codes, release: Codes, space: Space, *, nearest: int, spare: int = 0
) -> Iterator[tuple[int, _Pairs]]:
    """Yield per block of targets the rows that rounding cannot rule out.

    Args:
        targets: distinct targets.
        release: distinct rows.
        space: of their columns.
        nearest: the row may be among so many closest.
        spare: columns in which it may be further away than these.
    """
    coarse = _Coarse(release, space)
    rows = release.shape[0]
    block = max(1, _PAIRS // rows)
    for start in range(0, targets.shape[0], block):
        apart = coarse.distances(targets[start : start + block])
        limit = _bound(apart, nearest).astype(np.int64) + spare * coarse.unit + 2 * coarse.error + 1
        limit = np.minimum(limit, np.iinfo(np.int16).max).astype(np.int16)
        flat = np.flatnonzero(apart <= limit[:, None])
        yield start, _Pairs(target=flat // rows, row=flat % rows)


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

    def __init__(self, release: Codes, space: Space) -> None:
        self._space = space
        columns = len(space.columns)
        largest = int(np.iinfo(np.int16).max)
        # Twice the unit is the place of the missing code: it is cut back to one unit.
        self.unit = max(1, min(largest // 2, largest // max(1, columns)))
        self.error = 0
        self._columns: list[NDArray[Any]] = []
        self._full = np.full(release.shape[0], self.unit, dtype=np.int16)
        self._rows = release.shape[0]
        for place in range(columns):
            self._columns.append(self._column(release[:, place], place))
            steps = space.ordinary[place] - 1
            self.error += space.ordered[place] and steps > 0 and self.unit % steps > 0

    def _column(self, codes: Codes, place: int) -> NDArray[Any]:
        if self._space.ordered[place]:
            return _positions(codes, self._space, place, self.unit).astype(np.int16)
        largest = max(self._space.ordinary[place], self._space.missing[place])
        return np.ascontiguousarray(codes, dtype=np.min_scalar_type(largest))

    def distances(self, targets: Codes) -> NDArray[np.int16]:
        """Return distances to all rows, shape ``(targets, rows)``."""
        shape = (targets.shape[0], self._rows)
        result = np.zeros(shape, dtype=np.int16)
        scratch = np.empty(shape, dtype=np.int16)
        differs = np.empty(shape, dtype=np.bool_)
        count = np.zeros(shape, dtype=np.uint8)
        counted = 0
        for place, column in enumerate(self._columns):
            mine = self._column(targets[:, place], place)[:, None]
            if self._space.ordered[place]:
                np.subtract(mine, column, out=scratch)
                np.abs(scratch, out=scratch)
                if self._space.missing[place] >= 0:
                    np.minimum(scratch, self._full, out=scratch)
                result += scratch
                continue
            np.not_equal(mine, column, out=differs)
            count += differs.view(np.uint8)
            counted += 1
            if counted == np.iinfo(np.uint8).max:
                result += np.multiply(count, np.int16(self.unit), out=scratch)
                count[:] = 0
                counted = 0
        if counted:
            result += np.multiply(count, np.int16(self.unit), out=scratch)
        return result


def _positions(codes: Codes, space: Space, place: int, unit: int) -> NDArray[np.int64]:
    """Return the place of every code on a line from 0 to ``unit``; the missing one at twice it."""
    steps = max(1, space.ordinary[place] - 1)
    positions = (2 * unit * codes.astype(np.int64) + steps) // (2 * steps)
    if space.missing[place] >= 0:
        positions[codes == space.missing[place]] = 2 * unit
    return positions


class _Fine:
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


def _smallest(target: NDArray[np.int64], key: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Return where the ``k`` smallest keys of each target stand, ascending by target and key."""
    order = np.lexsort((key, target))
    target = target[order]
    rank = np.arange(target.size) - np.searchsorted(target, target, side="left")
    return np.asarray(order[rank < k])
