"""Who in the release is closest, in columns that differ, and what they vote for."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from attacks.engine.counts import record_words

Codes = NDArray[np.int32]
SUBSETS = 200  # ways to leave columns out that are looked up before distances are computed
_PAIRS = 1 << 18  # distances held at once: they stay in the processor's cache


@dataclass(frozen=True, kw_only=True)
class Group:
    """Targets and the released rows that are closest to them, joined by a group number.

    Args:
        targets: indices of targets.
        target_groups: the group of each of these targets.
        rows: indices of released rows.
        row_groups: the group of each of these rows.
        groups: number of groups.
    """

    targets: NDArray[np.int64]
    target_groups: NDArray[np.int64]
    rows: NDArray[np.int64]
    row_groups: NDArray[np.int64]
    groups: int


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """The closest released rows of every target: all of them, where several are as close.

    Args:
        distance: shape ``(targets,)``, columns in which the closest rows differ; -1 where the
            release is empty.
        matches: targets and their closest rows, each target and row pair once.
    """

    distance: NDArray[np.int64]
    matches: tuple[Group, ...]

    def votes(self, values: Codes, *, size: int, start: int, stop: int) -> NDArray[np.int64]:
        """Return how many of a target's closest rows hold each value.

        Args:
            values: one code a released row, below ``size``.
            size: number of codes.
            start: first target.
            stop: one past the last target.

        Returns:
            Shape ``(stop - start, size)``.
        """
        votes = np.zeros((stop - start, size), dtype=np.int64)
        for match in self.matches:
            mine = (match.targets >= start) & (match.targets < stop)
            if not mine.any():
                continue
            used, place = np.unique(match.target_groups[mine], return_inverse=True)
            number = np.full(match.groups, -1, dtype=np.int64)
            number[used] = np.arange(used.size)
            groups = number[match.row_groups]
            counted = groups >= 0
            cells = groups[counted] * size + values[match.rows[counted]]
            counts = np.bincount(cells, minlength=used.size * size)
            votes[match.targets[mine] - start] += counts.reshape(used.size, size)[place]
        return votes


def nearest(targets: Codes, release: Codes) -> Nearest:
    """Find the closest released rows of every target by Hamming distance, exactly.

    Rows at distance ``d`` agree in all columns but some ``d``: they are looked up by what is left
    when those are left out, for as long as there are few ways to choose them, and the few targets
    that remain are compared with every row.
    """
    distance = np.full(targets.shape[0], -1, dtype=np.int64)
    if not targets.size or not release.size:
        return Nearest(distance=distance, matches=())
    matches: list[Group] = []
    columns = range(targets.shape[1])
    looked = 0
    for apart in range(targets.shape[1] + 1):
        chosen = list(combinations(columns, apart))
        looked += len(chosen)
        if looked > SUBSETS:
            break
        left = np.flatnonzero(distance < 0)
        for dropped in chosen:
            kept = [place for place in columns if place not in dropped]
            found = _look_up(targets[left][:, kept], release[:, kept], left)
            if found is not None:
                matches.append(found)
                distance[found.targets] = apart
        if not (distance < 0).any():
            break
    for found, apart_of in _compare(targets, release, np.flatnonzero(distance < 0)):
        matches.append(found)
        distance[found.targets] = apart_of
    return Nearest(distance=distance, matches=tuple(matches))


def _look_up(targets: Codes, release: Codes, numbers: NDArray[np.int64]) -> Group | None:
    words, target_groups = np.unique(record_words(targets), return_inverse=True)
    released = record_words(release)
    place = np.minimum(np.searchsorted(words, released), words.size - 1)
    rows = np.flatnonzero(words[place] == released)
    if not rows.size:
        return None
    used, row_groups = np.unique(place[rows], return_inverse=True)
    number = np.full(words.size, -1, dtype=np.int64)
    number[used] = np.arange(used.size)
    mine = number[target_groups]
    return Group(
        targets=numbers[mine >= 0],
        target_groups=mine[mine >= 0],
        rows=rows,
        row_groups=row_groups,
        groups=int(used.size),
    )


def _compare(
    targets: Codes, release: Codes, left: NDArray[np.int64]
) -> Iterator[tuple[Group, NDArray[np.int64]]]:
    """Compare with every row, a few targets at a time."""
    block = max(1, _PAIRS // release.shape[0])
    columns = [np.ascontiguousarray(release[:, place]) for place in range(release.shape[1])]
    for start in range(0, left.size, block):
        numbers = left[start : start + block]
        apart = np.zeros((numbers.size, release.shape[0]), dtype=np.uint16)
        for place, column in enumerate(columns):
            apart += targets[numbers, place][:, None] != column[None, :]
        closest = apart.min(axis=1)
        target_groups, rows = np.nonzero(apart == closest[:, None])
        group = Group(
            targets=numbers,
            target_groups=np.arange(numbers.size),
            rows=rows,
            row_groups=target_groups,
            groups=int(numbers.size),
        )
        yield group, closest.astype(np.int64)
