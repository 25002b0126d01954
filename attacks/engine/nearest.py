"""Who in the release is closest, in columns that differ, and what they vote for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from attacks.engine.counts import record_words

Codes = NDArray[np.int32]
SUBSETS = 200  # ways to leave columns out that are looked up before distances are computed
_VOTES = 1 << 22  # counters worked on at once
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


class Ballot(Protocol):
    """What the closest released rows of every target say."""

    @property
    def distance(self) -> NDArray[np.int64]:
        """Shape ``(targets,)``, as ``Nearest`` has it."""
        ...

    def votes(self, column: str, *, start: int, stop: int) -> NDArray[np.int64]:
        """Return how many of a target's closest rows hold each value; see ``Nearest.votes``."""
        ...


@dataclass(frozen=True, kw_only=True)
class _OfOne:
    """Votes of rows that are all in memory, counted when they are asked for."""

    found: Nearest
    said: Mapping[str, Codes]
    sizes: Mapping[str, int]

    @property
    def distance(self) -> NDArray[np.int64]:
        return self.found.distance

    def votes(self, column: str, *, start: int, stop: int) -> NDArray[np.int64]:
        size = self.sizes[column]
        return self.found.votes(self.said[column], size=size, start=start, stop=stop)


@dataclass(kw_only=True)
class _Counted:
    """Votes of rows that come block by block, counted as they come."""

    distance: NDArray[np.int64]
    counted: dict[str, NDArray[np.int32]]

    def add(self, found: Nearest, said: Mapping[str, Codes]) -> None:
        """Count the votes of one more block: of rows that are closer, or as close."""
        here = found.distance >= 0
        nearer = here & ((self.distance < 0) | (found.distance < self.distance))
        alike = here & (found.distance == self.distance)
        for name, counted in self.counted.items():
            size = counted.shape[1]
            step = max(1, _VOTES // size)
            for start in range(0, len(counted), step):
                part = slice(start, min(start + step, len(counted)))
                more = found.votes(said[name], size=size, start=part.start, stop=part.stop)
                now = counted[part]
                now[nearer[part]] = 0
                now[nearer[part] | alike[part]] += more[nearer[part] | alike[part]].astype(np.int32)
        self.distance[nearer] = found.distance[nearer]

    def votes(self, column: str, *, start: int, stop: int) -> NDArray[np.int64]:
        return self.counted[column][start:stop].astype(np.int64)


Records = Iterator[tuple[Codes, Mapping[str, Codes]]]


def ballot(targets: Codes, records: Records, sizes: Mapping[str, int]) -> Ballot:
    """Let the closest of all released rows vote, block by block.

    Args:
        targets: shape ``(targets, columns)``.
        records: of each block the same columns, and by name those that are voted on.
        sizes: number of codes of the latter.
    """
    first = next(records, None)
    second = next(records, None)
    if first is None:
        first = np.empty((0, targets.shape[1]), dtype=np.int32), {}
    if second is None:
        return _OfOne(found=nearest(targets, first[0]), said=first[1], sizes=sizes)
    counted = {name: np.zeros((len(targets), size), dtype=np.int32) for name, size in sizes.items()}
    found = _Counted(distance=np.full(len(targets), -1), counted=counted)
    for codes, said in chain((first, second), records):
        found.add(nearest(targets, codes, within=found.distance), said)
    return found


def nearest(targets: Codes, release: Codes, *, within: NDArray[np.int64] | None = None) -> Nearest:
    """Find the closest released rows of every target by Hamming distance, exactly.

    Rows at distance ``d`` agree in all columns but some ``d``: they are looked up by what is left
    when those are left out, for as long as there are few ways to choose them, and the few targets
    that remain are compared with every row.

    Args:
        targets: shape ``(targets, columns)``.
        release: shape ``(rows, columns)``.
        within: by target, a distance beyond which no row is looked for; -1 for none. Whoever has
            no row within it may be answered with a row further away, or with none.
    """
    distance = np.full(targets.shape[0], -1, dtype=np.int64)
    if not targets.size or not release.size:
        return Nearest(distance=distance, matches=())
    matches: list[Group] = []
    columns = range(targets.shape[1])
    looked = 0
    most = np.full(distance.shape, targets.shape[1])
    if within is not None:
        most = np.where(within >= 0, within, most)
    for apart in range(targets.shape[1] + 1):
        chosen = list(combinations(columns, apart))
        looked += len(chosen)
        if looked > SUBSETS:
            break
        left = np.flatnonzero((distance < 0) & (most >= apart))
        for dropped in chosen:
            kept = [place for place in columns if place not in dropped]
            found = _look_up(targets[left][:, kept], release[:, kept], left)
            if found is not None:
                matches.append(found)
                distance[found.targets] = apart
        if not ((distance < 0) & (most > apart)).any():
            return Nearest(distance=distance, matches=tuple(matches))
    left = np.flatnonzero((distance < 0) & (most >= apart))
    for found, apart_of in _compare(targets, release, left):
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
