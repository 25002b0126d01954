"""A released table as attacks see it: rows that come in blocks, wherever they stand.

``CodedTable`` holds all of them in memory, in one block; ``StoredTable`` on disk, in many. What an
attack counts or finds over the blocks hangs on no cut between them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from attacks.engine.counts import Words
from attacks.engine.disk import parts
from attacks.engine.table import CodedTable, Codes

Counts = NDArray[np.int64]
T = TypeVar("T", bound=np.generic)


class Released(Protocol):
    """The synthetic table; a row of it belongs to nobody."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names, in the schema's order."""
        ...

    @property
    def held(self) -> bool:
        """Whether all rows are in memory."""
        ...

    def __len__(self) -> int: ...

    def blocks(self, columns: Sequence[str] | None = None) -> Iterator[tuple[int, Codes]]:
        """Yield the number of the first row, and the codes, of rows that follow each other.

        Args:
            columns: some, in the order asked for; all if not given.
        """
        ...

    def word_blocks(self) -> Iterator[Words]:
        """Yield one word a row for its exact content, in blocks as ``blocks`` has them."""
        ...

    def at(self, rows: NDArray[np.int64], columns: Sequence[str] | None = None) -> Codes:
        """Return the codes of some rows, in the order asked for."""
        ...

    def regrouped(self, groups: Mapping[str, Codes]) -> "Released":
        """Return the same rows with ``groups[column][code]`` in the place of every code."""
        ...

    def with_copies(self, copies: CodedTable) -> "Released":
        """Return these rows and then the copied ones."""
        ...

    def distinct(self) -> "Released":
        """Return every record once, where it first occurs."""
        ...


def column_counts(table: Released, column: str, *, size: int) -> Counts:
    """Return how many rows hold each code of a column."""
    return cell_counts(table, (column,), sizes=(size,))


def cell_counts(table: Released, columns: Sequence[str], *, sizes: Sequence[int]) -> Counts:
    """Return how many rows stand in each cell of some columns, row-major."""
    cells = int(np.prod(sizes))
    counts = np.zeros(cells, dtype=np.int64)
    for _, codes in table.blocks(columns):
        place = codes[:, 0]
        for column, size in enumerate(sizes[1:], start=1):
            place = place * np.int32(size) + codes[:, column]
        counts += np.bincount(place, minlength=cells)
    return counts


def pieces(table: Released, columns: Sequence[str]) -> Iterator[Codes]:
    """Yield rows in pieces of one size, wherever they stand: sums of fractions come out alike."""
    for _, codes in table.blocks(columns):
        for part in parts(len(codes)):
            yield codes[part]


class Occurrences:
    """How often some words occur among others, which come block by block.

    Args:
        words: that are looked for; shape ``(n,)``.
    """

    def __init__(self, words: Words) -> None:
        self.distinct, self._back = np.unique(words, return_inverse=True)
        self._counts = np.zeros(self.distinct.size, dtype=np.int64)

    def places(self, among: Words) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return which of ``among`` are looked for, and where each stands in ``distinct``."""
        if not self.distinct.size:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        place = np.minimum(np.searchsorted(self.distinct, among), self.distinct.size - 1)
        rows = np.flatnonzero(self.distinct[place] == among)
        return rows, place[rows]

    def add(self, among: Words) -> None:
        """Count one more block."""
        _, place = self.places(among)
        self._counts += np.bincount(place, minlength=self._counts.size)

    @property
    def counts(self) -> Counts:
        """Shape ``(n,)``: rows so far that hold each word."""
        return self.by_word(self._counts)

    def by_word(self, values: NDArray[T]) -> NDArray[T]:
        """Return what stands for each word in an array of the shape of ``distinct``."""
        return values[self._back]


def gathered(
    table: Released, index: NDArray[np.int64], columns: Sequence[str] | None = None
) -> tuple[Codes, NDArray[np.int64]]:
    """Return the rows that ``index`` names, and where each stands among them; -1 stays.

    Attacks look at few of the rows: those that are close to somebody.
    """
    rows, places = np.unique(index, return_inverse=True)
    places = places.reshape(index.shape)
    if rows.size and rows[0] < 0:
        rows, places = rows[1:], places - 1
    return table.at(rows, columns), places
