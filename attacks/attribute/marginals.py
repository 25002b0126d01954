"""What the marginals of a release say of a hidden column, as equations about the targets."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import lsqr

from attacks.engine.table import Codes

Floats = NDArray[np.float64]
_CELLS = 6_000_000  # of targets and marginals together, held at once
_MARGINALS = 150
_LIMITS = (0.01, 0.99)  # of a chance before the marginals are looked at
_DRAWN = 0.25  # of the variance of a drawn count: releases that match counts have less than all


class Marginals:
    """The cells of all marginals in which a target stands, and the released rows in them.

    Args:
        released: shape ``(rows, known columns)``.
        targets: shape ``(targets, known columns)``.
        depth: columns of a marginal, at most.
        rng: draws which marginals are used where there are too many.
    """

    def __init__(
        self, released: Codes, targets: Codes, *, depth: int, rng: np.random.Generator
    ) -> None:
        self.released, self.targets = released, targets
        self._rows: list[Codes] = []
        self._cells: list[Codes] = []
        for columns in self._chosen(depth, rng):
            mine, theirs = _numbers(targets, columns), _numbers(released, columns)
            cells, place = np.unique(mine, return_inverse=True)
            row = np.minimum(np.searchsorted(cells, theirs), cells.size - 1)
            self._rows.append(np.where(cells[row] == theirs, row, cells.size).astype(np.int32))
            self._cells.append(place.ravel().astype(np.int32))

    def _chosen(self, depth: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
        places = range(self.released.shape[1])
        every = [
            columns
            for width in range(1, min(depth, len(places)) + 1)
            for columns in combinations(places, width)
        ]
        most = max(1, min(_MARGINALS, _CELLS // max(1, len(self.targets))))
        if len(every) <= most:
            return every
        return [every[number] for number in np.sort(rng.permutation(len(every))[:most])]

    def equations(
        self, hidden: Floats, before_rows: Floats, before: Floats
    ) -> tuple["sparse.csr_array", Floats]:
        """Return the weighted equations ``matrix @ (x - before) = right side``.

        Args:
            hidden: shape ``(rows,)``, 1 where a released row holds the value.
            before_rows: shape ``(rows,)``, its chance by the columns one by one.
            before: shape ``(targets,)``, the same of the targets.
        """
        spread, spread_rows = before * (1 - before), before_rows * (1 - before_rows)
        right: list[Floats] = []
        weights: list[Floats] = []
        numbers: list[Codes] = []
        start = 0
        for row, cell in zip(self._rows, self._cells, strict=True):
            count = int(cell.max()) + 1
            size = np.bincount(row, minlength=count + 1)[:count]
            beyond = np.bincount(row, weights=hidden - before_rows, minlength=count + 1)[:count]
            noise = np.bincount(row, weights=spread_rows, minlength=count + 1)[:count]
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


class Linear:
    """Chances of a value by the known columns one by one: what cells of pairs are held against.

    Args:
        released: shape ``(rows, known columns)``.
        targets: shape ``(targets, known columns)``.
    """

    def __init__(self, released: Codes, targets: Codes) -> None:
        sizes = [
            int(max(released[:, place].max(), targets[:, place].max(initial=0))) + 1
            for place in range(released.shape[1])
        ]
        self._rows, self._targets = (_indicators(codes, sizes) for codes in (released, targets))

    def chances(self, hidden: Floats) -> tuple[Floats, Floats]:
        """Return the chance of each released row and of each target."""
        mean = float(hidden.mean())
        weights = lsqr(self._rows, hidden - mean, damp=1.0, iter_lim=100)[0]
        rows, targets = (
            np.clip(mean + table @ weights, *_LIMITS) for table in (self._rows, self._targets)
        )
        return rows, targets


def _indicators(codes: Codes, sizes: Sequence[int]) -> "sparse.csr_array":
    rows, columns = codes.shape
    places = codes + np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
    return sparse.csr_array(
        (
            np.ones(codes.size),
            places.ravel(),
            np.arange(0, codes.size + 1, columns, dtype=np.int32),
        ),
        shape=(rows, int(np.sum(sizes))),
    )


def _numbers(codes: Codes, columns: tuple[int, ...]) -> NDArray[np.int64]:
    """Return one number a row for its cell of a marginal."""
    numbers = np.zeros(len(codes), dtype=np.int64)
    for place in columns:
        numbers = numbers * (1 << 20) + codes[:, place]
    return numbers
