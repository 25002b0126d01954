"""Tables as integer codes, encoded once for all attacks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from attacks.engine.counts import record_words

Codes = NDArray[np.int32]
GROUPS = 32  # ordered codes are put into at most so many groups where whole pairs are counted
CATEGORIES = 64  # unordered codes likewise: the rarest in the release become one group


@dataclass(frozen=True, kw_only=True, eq=False)
class CodedTable:
    """Rows as codes, and whose they are. Equal to itself alone, so that it can be a key.

    Args:
        columns: names, in the schema's order.
        codes: shape ``(rows, columns)``, the declared code of each cell.
        words: shape ``(rows,)``, one word a row for its exact content: finer than the codes where
            a code stands for a range of values.
        persons: shape ``(rows,)``, a person number a row, 0 to ``size - 1`` without gaps.
        size: number of persons.
    """

    columns: tuple[str, ...]
    codes: Codes
    words: NDArray[np.uint64]
    persons: NDArray[np.int64]
    size: int

    def __len__(self) -> int:
        return int(self.codes.shape[0])

    def only(self, columns: Sequence[str]) -> "CodedTable":
        """Return the same rows with some columns, in the order asked for, known by their codes."""
        codes = self.codes[:, [self.columns.index(name) for name in columns]]
        return CodedTable(
            columns=tuple(columns),
            codes=codes,
            words=record_words(codes),
            persons=self.persons,
            size=self.size,
        )

    @property
    def held(self) -> bool:
        """Whether all rows are in memory; see ``attacks.engine.released``."""
        return True

    def blocks(self, columns: Sequence[str] | None = None) -> Iterator[tuple[int, Codes]]:
        """Yield all rows at once, some columns of them."""
        yield 0, self._some(columns)

    def word_blocks(self) -> Iterator[NDArray[np.uint64]]:
        """Yield all words at once."""
        yield self.words

    def at(self, rows: NDArray[np.int64], columns: Sequence[str] | None = None) -> Codes:
        """Return the codes of some rows, in the order asked for."""
        return self._some(columns)[rows]

    def regrouped(self, groups: Mapping[str, Codes]) -> "CodedTable":
        """Return the same rows with ``groups[column][code]`` in the place of every code."""
        codes = np.empty(self.codes.shape, dtype=np.int32, order="F")
        for place, name in enumerate(self.columns):
            column = self.codes[:, place]
            codes[:, place] = groups[name][column] if name in groups else column
        return replace(self, codes=codes)

    def with_copies(self, copies: "CodedTable") -> "CodedTable":
        """Return these rows and the copied ones; every row of a release stands for itself."""
        rows = len(self) + len(copies)
        return CodedTable(
            columns=self.columns,
            codes=np.concatenate([self.codes, copies.codes]),
            words=np.concatenate([self.words, copies.words]),
            persons=np.arange(rows, dtype=np.int64),
            size=rows,
        )

    def distinct(self) -> "CodedTable":
        """Return every record once, where it first occurs, known by its codes."""
        _, first = np.unique(record_words(self.codes), return_index=True)
        return by_row(self.columns, self.codes[np.sort(first)])

    def _some(self, columns: Sequence[str] | None) -> Codes:
        if columns is None or tuple(columns) == self.columns:
            return self.codes
        return self.codes[:, [self.columns.index(name) for name in columns]]

    def take(self, persons: NDArray[np.int64]) -> "CodedTable":
        """Return the rows of the named persons, renumbered in the order of ``persons``."""
        number = np.full(self.size, -1, dtype=np.int64)
        number[persons] = np.arange(persons.size)
        mine = number[self.persons]
        kept = mine >= 0
        return CodedTable(
            columns=self.columns,
            codes=self.codes[kept],
            words=self.words[kept],
            persons=mine[kept],
            size=int(persons.size),
        )

    def one_row_each(self, rng: np.random.Generator) -> "CodedTable":
        """Return one row of every person, drawn by ``rng``, in the order of person numbers."""
        shuffled = rng.permutation(len(self))
        _, first = np.unique(self.persons[shuffled], return_index=True)
        rows = shuffled[first]
        return CodedTable(
            columns=self.columns,
            codes=self.codes[rows],
            words=self.words[rows],
            persons=np.arange(rows.size, dtype=np.int64),
            size=int(rows.size),
        )

    def in_person_order(self) -> "CodedTable":
        """Return the same rows, sorted by person number."""
        rows = np.argsort(self.persons, kind="stable")
        return replace(
            self, codes=self.codes[rows], words=self.words[rows], persons=self.persons[rows]
        )

    def mean_by_person(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return one number a person: the mean of ``values`` over the person's rows."""
        sums = np.bincount(self.persons, weights=values, minlength=self.size)
        rows = np.bincount(self.persons, minlength=self.size)
        means: NDArray[np.float64] = sums / np.maximum(rows, 1)
        return means


def joined(first: CodedTable, second: CodedTable) -> CodedTable:
    """Return the rows of both, the persons of ``second`` numbered after those of ``first``."""
    return CodedTable(
        columns=first.columns,
        codes=np.concatenate([first.codes, second.codes]),
        words=np.concatenate([first.words, second.words]),
        persons=np.concatenate([first.persons, second.persons + first.size]),
        size=first.size + second.size,
    )


def by_row(columns: Sequence[str], codes: Codes) -> CodedTable:
    """Return a table in which every row is a person of its own, known by codes alone."""
    rows = int(codes.shape[0])
    return CodedTable(
        columns=tuple(columns),
        codes=codes,
        words=record_words(codes),
        persons=np.arange(rows, dtype=np.int64),
        size=rows,
    )


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """Codes of one column put into fewer groups, from what the release alone shows.

    Args:
        groups: shape ``(codes,)``, the group of each code.
        widths: shape ``(groups,)``, codes in each group.
    """

    groups: Codes
    widths: NDArray[np.int64]

    @property
    def size(self) -> int:
        """Number of groups."""
        return int(self.widths.size)


def grouping(codes: Codes, *, size: int, ordered: bool, groups: int | None = None) -> Grouping:
    """Group the codes of one released column where it has too many to count in pairs.

    Args:
        codes: the released column.
        size: number of declared codes.
        ordered: neighboring codes are alike, so they may be put together; else the codes that are
            rare in the release are.
        groups: groups made at most; ``GROUPS`` or ``CATEGORIES`` if not given.
    """
    return grouping_of(np.bincount(codes, minlength=size), ordered=ordered, groups=groups)


def grouping_of(counts: NDArray[np.int64], *, ordered: bool, groups: int | None = None) -> Grouping:
    """Group the codes of one released column by how many rows hold each; see ``grouping``."""
    size = counts.size
    most = groups or (GROUPS if ordered else CATEGORIES)
    if size <= most:
        return _grouping(np.arange(size, dtype=np.int32))
    if ordered:
        # A code with a large share of the rows has a group almost to itself.
        middle = np.cumsum(counts) - counts / 2
        places = np.floor(middle / max(1, int(counts.sum())) * most).astype(np.int32)
        return _grouping(np.minimum(places, most - 1))
    common = np.argsort(-counts, kind="stable")[: most - 1]
    grouped_as = np.full(size, most - 1, dtype=np.int32)
    grouped_as[common] = np.arange(most - 1, dtype=np.int32)
    return _grouping(grouped_as)


def _grouping(groups: Codes) -> Grouping:
    _, dense = np.unique(groups, return_inverse=True)
    return Grouping(groups=dense.astype(np.int32), widths=np.bincount(dense))


def grouped(table: CodedTable, groupings: Mapping[str, Grouping]) -> CodedTable:
    """Return the same rows with every code replaced by its group."""
    codes = np.empty_like(table.codes)
    for place, name in enumerate(table.columns):
        codes[:, place] = groupings[name].groups[table.codes[:, place]]
    return replace(table, codes=codes)
