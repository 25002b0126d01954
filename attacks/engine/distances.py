"""Closest released rows by a distance for mixed columns, in blocks that stay in the cache.

The distance of two rows is the sum over columns of: 0 or 1 in an unordered column (equal codes or
not); the difference of positions, 0 to 1, in an ordered one; the missing code is 0 from itself and
1 from any other. It is Gower's (1971) coefficient of dissimilarity, not divided by the number of
columns.

Every pair is first compared in 16-bit integers. Rows that this rounding cannot rule out, few of
them as a rule, are then compared in fixed-point integers, whose sums depend on no order: the
answer is that of a full comparison, ties included.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attacks.engine.counts import record_words
from attacks.engine.pairs import UNIT, Fine, candidates
from attacks.engine.space import Space, space
from attacks.engine.table import Codes

__all__ = ["Neighbors", "Space", "between", "closest", "closest_without_each", "space"]


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
    fine = Fine(different, rows, space)
    for start, pairs in candidates(different, rows, space, nearest=k):
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
    fine = Fine(different, rows, space)
    for start, pairs in candidates(different, rows, space, nearest=1, spare=1):
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


def between(
    targets: Codes, release: Codes, space: Space, *, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the distance of every target from chosen released rows, as ``closest`` gives it.

    Args:
        targets: shape ``(targets, columns)``.
        release: shape ``(rows, columns)``.
        space: of these columns.
        rows: shape ``(targets, chosen)``, numbers of released rows; -1 is at infinite distance.
    """
    distance = np.full(rows.shape, np.inf, dtype=np.float32)
    target, place = np.nonzero(rows >= 0)
    if target.size:
        apart = Fine(targets, release, space).total(target, rows[target, place])
        distance[target, place] = apart / UNIT
    return distance


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


def _smallest(target: NDArray[np.int64], key: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Return where the ``k`` smallest keys of each target stand, ascending by target and key."""
    order = np.lexsort((key, target))
    target = target[order]
    rank = np.arange(target.size) - np.searchsorted(target, target, side="left")
    return np.asarray(order[rank < k])
