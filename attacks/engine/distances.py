"""Closest released rows by a distance for mixed columns, in blocks that stay in the cache.

The distance of two rows is the sum over columns of: 0 or 1 in an unordered column (equal codes or
not); the difference of positions, 0 to 1, in an ordered one; the missing code is 0 from itself and
1 from any other. It is Gower's (1971) coefficient of dissimilarity, not divided by the number of
columns.

Every pair is first compared in 16-bit integers. Rows that this rounding cannot rule out, few of
them as a rule, are then compared in fixed-point integers, whose sums depend on no order: the
answer is that of a full comparison, ties included.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attacks.engine.counts import record_words
from attacks.engine.pairs import FAR, UNIT, Fine, candidates
from attacks.engine.released import Released, gathered
from attacks.engine.space import Space, space
from attacks.engine.table import Codes

__all__ = [
    "Neighbors",
    "Space",
    "between",
    "between_in",
    "closest",
    "closest_in",
    "closest_without_each",
    "closest_without_each_in",
    "space",
]


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
    asked, back = _distinct(targets)
    found = _Found.none(asked.size, k)
    if targets.shape[0]:
        found = _closest(targets[asked], release, space, before=found)
    return found.neighbors(back)


def closest_in(
    targets: Codes,
    release: Released,
    space: Space,
    *,
    k: int,
    columns: Sequence[str] | None = None,
) -> Neighbors:
    """Find the ``k`` closest rows of a released table, block by block; see ``closest``.

    Args:
        targets: shape ``(targets, columns)``.
        release: the table.
        space: of these columns.
        k: how many, at least 1.
        columns: of the table, as in ``targets``; all if not given.
    """
    asked, back = _distinct(targets)
    found = _Found.none(asked.size, k)
    if targets.shape[0]:
        different = targets[asked]
        for start, codes in release.blocks(columns):
            found = _closest(different, codes, space, before=found, start=start)
    return found.neighbors(back)


@dataclass(frozen=True, kw_only=True)
class _Found:
    """The closest rows so far: distances in fixed point, ``FAR`` for none, and rows, -1 for none.

    Ascending in the second axis by distance, then by row.
    """

    apart: NDArray[np.int64]
    index: NDArray[np.int64]

    @classmethod
    def none(cls, targets: int, k: int) -> "_Found":
        return cls(apart=np.full((targets, k), FAR), index=np.full((targets, k), -1))

    def neighbors(self, back: NDArray[np.int64]) -> Neighbors:
        """Return them for all targets, of which each different one was looked up once."""
        distance = np.where(self.apart < FAR, self.apart / UNIT, np.inf).astype(np.float32)
        return Neighbors(distance=distance[back], index=self.index[back])

    def with_(self, later: "_Found") -> "_Found":
        """Return the closest of both; the rows of ``later`` all come after these."""
        k = self.apart.shape[1]
        apart = np.concatenate([self.apart, later.apart], axis=1)
        index = np.concatenate([self.index, later.index], axis=1)
        order = np.argsort(apart, axis=1, kind="stable")[:, :k]
        return _Found(
            apart=np.take_along_axis(apart, order, axis=1),
            index=np.take_along_axis(index, order, axis=1),
        )


def _closest(
    different: Codes, release: Codes, space: Space, *, before: _Found, start: int = 0
) -> _Found:
    """Return the closest rows of every distinct target among those before and these.

    Args:
        different: distinct targets.
        release: rows, of which there may be none.
        space: of these columns.
        before: the closest of rows that come before these.
        start: number of the first row.
    """
    if not release.shape[0]:
        return before
    k = before.apart.shape[1]
    apart_of, index = np.full(before.apart.shape, FAR), np.full(before.index.shape, -1)
    held = _Rows(release)
    rows = release[held.first]
    fine = Fine(different, rows, space)
    known = before.apart[:, -1]
    for first, pairs in candidates(different, rows, space, nearest=k, known=known):
        if not pairs.target.size:
            continue
        apart = fine.total(pairs.target + first, pairs.row)
        # Rows are numbered in the order in which they first occur.
        best = _smallest(pairs.target, apart * rows.shape[0] + pairs.row, k)
        target, apart = pairs.target[best], apart[best]
        row, copies = held.lowest(pairs.row[best], k)
        target, apart = np.repeat(target, copies), np.repeat(apart, copies)
        best = _smallest(target, apart * release.shape[0] + row, k)
        target = target[best]
        rank = np.arange(target.size) - np.searchsorted(target, target, side="left")
        apart_of[target + first, rank] = apart[best]
        index[target + first, rank] = row[best] + start
    return before.with_(_Found(apart=apart_of, index=index))


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
    return _without_each(targets, [(0, release)], space)


def closest_without_each_in(targets: Codes, release: Released, space: Space) -> Neighbors:
    """Find the same in a released table, block by block; see ``closest_without_each``."""
    return _without_each(targets, release.blocks(), space)


def _without_each(targets: Codes, blocks: Iterable[tuple[int, Codes]], space: Space) -> Neighbors:
    asked, back = _distinct(targets)
    different = targets[asked]
    shape = len(space.columns), asked.size
    apart, index = np.full(shape, FAR), np.full(shape, -1)
    for begin, release in blocks:
        if not release.shape[0] or not asked.size:
            continue
        first = _Rows(release).first
        rows = release[first]
        fine = Fine(different, rows, space)
        known = apart.max(axis=0, initial=0)
        for start, pairs in candidates(different, rows, space, nearest=1, spare=1, known=known):
            if not pairs.target.size:
                continue
            total = fine.total(pairs.target + start, pairs.row)
            begins = np.flatnonzero(np.diff(pairs.target, prepend=-1))
            answered = pairs.target[begins] + start
            for place in range(shape[0]):
                left = total - fine.apart(place, pairs.target + start, pairs.row)
                # One number for distance and row: the smallest is the closest, then the lowest row.
                best = np.minimum.reduceat(left * first.size + pairs.row, begins)
                nearer = best // first.size < apart[place, answered]
                apart[place, answered[nearer]] = best[nearer] // first.size
                index[place, answered[nearer]] = first[best[nearer] % first.size] + begin
    distance = np.where(apart < FAR, apart / UNIT, np.inf).astype(np.float32)
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


def between_in(
    targets: Codes,
    release: Released,
    space: Space,
    *,
    rows: NDArray[np.int64],
    columns: Sequence[str],
) -> NDArray[np.float32]:
    """Return the distance of every target from chosen rows of a released table; see ``between``."""
    few, places = gathered(release, rows, columns)
    return between(targets, few, space, rows=places)


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
