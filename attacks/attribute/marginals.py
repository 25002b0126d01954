"""What the marginals of a release say of a hidden column, as equations about the targets.

The release is read in blocks: nothing that is as long as it is ever held.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from attacks.base import TooLittle
from attacks.engine.table import Codes

Floats = NDArray[np.float64]
# Blocks of released rows, as often as they are asked for: the known columns, then the hidden one.
Records = Callable[[], Iterator[Codes]]

_CELLS = 6_000_000  # of targets and marginals together, held at once
_MARGINALS = 150
_LIMITS = (0.01, 0.99)  # of a chance before the marginals are looked at
_DRAWN = 0.25  # of the variance of a drawn count: releases that match counts have less than all
_VALUES = 8192  # of all known columns together: the linear model solves for one number each


@dataclass(frozen=True, kw_only=True)
class Cells:
    """One marginal: its cells in which a target stands.

    Args:
        columns: places of its columns.
        numbers: of the cells, ascending.
        of_targets: shape ``(targets,)``, the place of each target's cell among them.
    """

    columns: tuple[int, ...]
    numbers: NDArray[np.int64]
    of_targets: Codes

    def of(self, known: Codes) -> NDArray[np.int64]:
        """Return the place of each row's cell; one past the last where no target stands in it."""
        theirs = _numbers(known, self.columns)
        place = np.minimum(np.searchsorted(self.numbers, theirs), self.numbers.size - 1)
        return np.where(self.numbers[place] == theirs, place, self.numbers.size)


class Marginals:
    """The cells of all marginals in which a target stands.

    Args:
        targets: shape ``(targets, known columns)``.
        depth: columns of a marginal, at most.
        rng: draws which marginals are used where there are too many.
    """

    def __init__(self, targets: Codes, *, depth: int, rng: np.random.Generator) -> None:
        self.targets = targets
        self._every = [self._cells(columns) for columns in self._chosen(depth, rng)]

    def _cells(self, columns: tuple[int, ...]) -> Cells:
        cells, place = np.unique(_numbers(self.targets, columns), return_inverse=True)
        return Cells(columns=columns, numbers=cells, of_targets=place.ravel().astype(np.int32))

    def _chosen(self, depth: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
        places = range(self.targets.shape[1])
        every = [
            columns
            for width in range(1, min(depth, len(places)) + 1)
            for columns in combinations(places, width)
        ]
        most = max(1, min(_MARGINALS, _CELLS // max(1, len(self.targets))))
        if len(every) <= most:
            return every
        return [every[number] for number in np.sort(rng.permutation(len(every))[:most])]

    def sums(self, records: Records, solved: Sequence[int], linear: "Linear") -> "Sums":
        """Count released rows by cell, and what they show of the hidden values.

        Args:
            records: the release.
            solved: hidden values.
            linear: chances of each of these, by the columns one by one.
        """
        shapes = [(each.numbers.size + 1, len(solved)) for each in self._every]
        found = Sums(
            size=[np.zeros(cells, dtype=np.int64) for cells, _ in shapes],
            beyond=[np.zeros(shape) for shape in shapes],
            noise=[np.zeros(shape) for shape in shapes],
        )
        for codes in records():
            known = codes[:, :-1]
            chances = linear.chances(known)
            beyond = (codes[:, -1:] == np.array(solved)) - chances
            noise = chances * (1 - chances)
            for number, (each, (cells, _)) in enumerate(zip(self._every, shapes, strict=True)):
                place = each.of(known)
                found.size[number] += np.bincount(place, minlength=cells)
                for code in range(len(solved)):
                    for sums, values in ((found.beyond, beyond), (found.noise, noise)):
                        weights = values[:, code]
                        sums[number][:, code] += np.bincount(place, weights, minlength=cells)
        return found

    def equations(
        self, seen: "Sums", code: int, before: Floats
    ) -> tuple["sparse.csr_array", Floats]:
        """Return the weighted equations ``matrix @ (x - before) = right side``.

        Args:
            seen: what the released rows show.
            code: place of the hidden value in it.
            before: shape ``(targets,)``, the chance of it by the columns one by one.
        """
        spread = before * (1 - before)
        right: list[Floats] = []
        weights: list[Floats] = []
        numbers: list[Codes] = []
        start = 0
        for number, each in enumerate(self._every):
            count, cell = each.numbers.size, each.of_targets
            size = seen.size[number][:count]
            beyond, noise = seen.beyond[number][:count, code], seen.noise[number][:count, code]
            known = np.bincount(cell)
            chance = np.minimum(0.5, size / known)  # no more members than there are persons
            theirs = np.bincount(cell, weights=spread)
            # Persons of the cell whom the attacker does not know, targets who may be strangers,
            # and the draw of the released rows; at least a rounding of the count.
            unknown = np.maximum(noise - chance * theirs, 0.0)
            variance = unknown + chance * (1 - chance) * theirs + _DRAWN * noise + 1 / 12
            # A cell without released rows says nothing of how many members stand in it.
            weight = np.where(size > 0, 1 / np.sqrt(variance), 0.0)
            right.append(np.asarray(beyond * weight, dtype=np.float64))
            weights.append((chance * weight)[cell])
            numbers.append(cell + start)
            start += count
        targets = np.tile(np.arange(len(self.targets)), len(numbers))
        matrix = sparse.csr_array(
            (np.concatenate(weights), (np.concatenate(numbers), targets)),
            shape=(start, len(self.targets)),
        )
        return matrix, np.concatenate(right)


@dataclass(frozen=True, kw_only=True)
class Sums:
    """What the released rows in the cells of each marginal add up to; the last cell is all others.

    Args:
        size: by marginal, shape ``(cells,)``, rows.
        beyond: by marginal, shape ``(cells, hidden values)``, rows that hold the value, less the
            sum of their chances.
        noise: of the same shapes, the sum of ``chance * (1 - chance)``.
    """

    size: list[NDArray[np.int64]]
    beyond: list[Floats]
    noise: list[Floats]


class Linear:
    """Chances of values by the known columns one by one: what cells of pairs are held against.

    The least-squares weights of all codes of all columns, each drawn to 0 as if by one row.

    Args:
        records: the release.
        sizes: number of codes of each known column.
        solved: hidden values.

    Raises:
        TooLittle: the known columns have too many codes to be solved for.
    """

    def __init__(self, records: Records, sizes: Sequence[int], solved: Sequence[int]) -> None:
        self._sizes = list(sizes)
        self._starts = np.concatenate([[0], np.cumsum(self._sizes)[:-1]]).astype(np.int32)
        values = int(np.sum(self._sizes))
        if values > _VALUES:
            raise TooLittle(f"the known columns have more than {_VALUES:,} values together")
        pairs, ones = np.zeros((values, values)), np.zeros(values)
        hits, rows = np.zeros((values, len(solved))), 0
        held = np.zeros(len(solved))
        for codes in records():
            # Whole numbers, which add up exactly in any order.
            table = self._indicators(codes[:, :-1])
            hidden = (codes[:, -1:] == np.array(solved)).astype(np.float64)
            pairs += (table.T @ table).toarray()
            ones += table.T @ np.ones(len(codes))
            hits += table.T @ hidden
            held += hidden.sum(axis=0)
            rows += len(codes)
        self._mean = held / max(1, rows)
        right = hits - ones[:, None] * self._mean
        self._weights = np.linalg.solve(pairs + np.eye(values), right)

    def chances(self, known: Codes) -> Floats:
        """Return the chance of each value for each row, shape ``(rows, values)``."""
        found = np.tile(self._mean, (len(known), 1))
        for place, start in enumerate(self._starts.tolist()):
            found += self._weights[start : start + self._sizes[place]][known[:, place]]
        return np.clip(found, *_LIMITS)

    def _indicators(self, codes: Codes) -> "sparse.csr_array":
        rows, columns = codes.shape
        return sparse.csr_array(
            (
                np.ones(codes.size),
                (codes + self._starts).ravel(),
                np.arange(0, codes.size + 1, columns, dtype=np.int32),
            ),
            shape=(rows, int(np.sum(self._sizes))),
        )


def _numbers(codes: Codes, columns: tuple[int, ...]) -> NDArray[np.int64]:
    """Return one number a row for its cell of a marginal."""
    numbers = np.zeros(len(codes), dtype=np.int64)
    for place in columns:
        numbers = numbers * (1 << 20) + codes[:, place]
    return numbers
