"""A released table on disk, as codes of the smallest unsigned integers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from attacks.engine.counts import Words, record_words
from attacks.engine.disk import Numbers, parts
from attacks.engine.released import Released
from attacks.engine.table import CodedTable, Codes

_SORTED = 1 << 22  # words that are put in order at once
_BUCKETS = 1 << 9  # files at most into which more of them are dealt


class Writer:
    """Writes the rows of a table, block by block.

    Args:
        sizes: number of codes by column, in the order of the columns.
        words: whether rows come with a word for their exact content.
    """

    def __init__(self, sizes: Mapping[str, int], *, words: bool = True) -> None:
        self._columns = tuple(sizes)
        kinds = {name: np.min_scalar_type(max(0, size - 1)) for name, size in sizes.items()}
        self._codes = tuple(Numbers(kinds[name]) for name in self._columns)
        self._words = Numbers(np.uint64) if words else None
        self._rows = 0

    def append(self, codes: Codes, words: Words | None = None) -> None:
        """Write some more rows."""
        for place, column in enumerate(self._codes):
            column.append(codes[:, place])
        if self._words is not None:
            assert words is not None, "the table was opened with words"
            self._words.append(words)
        self._rows += len(codes)

    def table(self) -> "StoredTable":
        """Return what was written."""
        return StoredTable(
            columns=self._columns, stored=self._rows, codes=self._codes, words=self._words
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredTable:
    """Rows on disk, and a few in memory behind them; see ``attacks.engine.released.Released``.

    Args:
        columns: names, in the schema's order.
        stored: rows on disk.
        codes: by column.
        words: one a row for its exact content; None where rows are known by their codes.
        groups: what stands in the place of every code, by column; itself where not named.
        copies: rows that follow those on disk.
    """

    columns: tuple[str, ...]
    stored: int
    codes: tuple[Numbers, ...] = field(repr=False)
    words: Numbers | None = field(repr=False)
    groups: Mapping[str, Codes] = field(default_factory=dict, repr=False)
    copies: CodedTable | None = None

    def __len__(self) -> int:
        return self.stored + (0 if self.copies is None else len(self.copies))

    @property
    def held(self) -> bool:
        """Whether all rows are in memory: no."""
        return False

    def blocks(self, columns: Sequence[str] | None = None) -> Iterator[tuple[int, Codes]]:
        """Yield the number of the first row, and codes; see ``attacks.engine.released``."""
        places = self._places(columns)
        for part in parts(self.stored):
            codes = np.empty((part.stop - part.start, len(places)), dtype=np.int32, order="F")
            for column, place in enumerate(places):
                codes[:, column] = self._grouped(place, self.codes[place].read(part))
            yield part.start, codes
        if self.copies is not None and len(self.copies):
            yield self.stored, self._copied(places, self.copies.codes)

    def word_blocks(self) -> Iterator[Words]:
        """Yield words; see ``attacks.engine.released``."""
        if self.words is None:
            for _, codes in self.blocks():
                yield record_words(codes)
            return
        for part in parts(self.stored):
            yield self.words.read(part)
        if self.copies is not None and len(self.copies):
            yield self.copies.words

    def at(self, rows: NDArray[np.int64], columns: Sequence[str] | None = None) -> Codes:
        """Return the codes of some rows, in the order asked for, from one pass over the files."""
        places = self._places(columns)
        found = np.empty((rows.size, len(places)), dtype=np.int32)
        order = np.argsort(rows, kind="stable")
        rising = rows[order]
        for part in parts(self.stored):
            first, last = np.searchsorted(rising, (part.start, part.stop))
            if first == last:
                continue
            here = rising[first:last] - part.start
            for column, place in enumerate(places):
                codes = self._grouped(place, self.codes[place].read(part)[here])
                found[order[first:last], column] = codes
        first = int(np.searchsorted(rising, self.stored))
        if first < rising.size:
            assert self.copies is not None, "a row is asked for that there is not"
            behind = self.copies.codes[rising[first:] - self.stored]
            found[order[first:]] = self._copied(places, behind)
        return found

    def regrouped(self, groups: Mapping[str, Codes]) -> "StoredTable":
        """Return the same rows with ``groups[column][code]`` in the place of every code."""
        known = {
            name: made[self.groups[name]] if name in self.groups else made
            for name, made in groups.items()
        }
        return replace(self, groups={**self.groups, **known})

    def with_copies(self, copies: CodedTable) -> "StoredTable":
        """Return these rows and then the copied ones."""
        if self.groups or self.copies is not None:
            raise ValueError("copies are added to a table as it was released, and once")
        return replace(self, copies=copies)

    def distinct(self) -> "StoredTable":
        """Return every record once, where it first occurs, known by its codes."""
        first = _Marks(len(self))
        for words, rows in dealt(map(record_words, _codes(self)), rows=len(self)):
            _, at = np.unique(words, return_index=True)
            first.add(rows[at])
        sizes = {}
        for place, name in enumerate(self.columns):
            made = self.groups.get(name)
            sizes[name] = self.codes[place].most + 1 if made is None else int(made.max()) + 1
        writer = Writer(sizes, words=False)
        for start, codes in self.blocks():
            writer.append(codes[first.of(start, len(codes))])
        return writer.table()

    def _places(self, columns: Sequence[str] | None) -> list[int]:
        return [self.columns.index(name) for name in (self.columns if columns is None else columns)]

    def _grouped(self, place: int, codes: Codes) -> Codes:
        made = self.groups.get(self.columns[place])
        return codes if made is None else made[codes]

    def _copied(self, places: Sequence[int], codes: Codes) -> Codes:
        return np.column_stack([self._grouped(place, codes[:, place]) for place in places])


def pairs_alike(blocks: Iterator[Words], *, rows: int) -> int:
    """Return how many pairs of rows have the same word."""
    found = 0
    for words, _ in dealt(blocks, rows=rows):
        _, counts = np.unique(words, return_counts=True)
        found += int((counts * (counts - 1) // 2).sum())
    return found


def dealt(blocks: Iterator[Words], *, rows: int) -> Iterator[tuple[Words, NDArray[np.int64]]]:
    """Yield words and their rows, in parts that hold all rows of a word; rows of a part rise.

    Args:
        blocks: words of rows that follow each other.
        rows: how many there are of them.
    """
    if rows <= _SORTED:
        words = np.concatenate([np.empty(0, dtype=np.uint64), *blocks])
        yield words, np.arange(words.size, dtype=np.int64)
        return
    bits = min(_BUCKETS.bit_length() - 1, int(rows // _SORTED).bit_length())
    files = [(Numbers(np.uint64), Numbers(np.int64)) for _ in range(1 << bits)]
    start = 0
    for words in blocks:
        bucket = (words >> np.uint64(64 - bits)).astype(np.int64)
        order = np.argsort(bucket, kind="stable")
        ends = np.cumsum(np.bincount(bucket, minlength=len(files)))
        for (some, numbers), chosen in zip(files, np.split(order, ends[:-1]), strict=True):
            some.append(words[chosen])
            numbers.append(chosen + start)
        start += words.size
    for some, numbers in files:
        every = slice(0, some.rows)
        yield some.read(every), numbers.read(every)
        some.close()
        numbers.close()


def _codes(table: Released) -> Iterator[Codes]:
    return (codes for _, codes in table.blocks())


class _Marks:
    """Some of many rows, a bit each."""

    def __init__(self, rows: int) -> None:
        self._bits = np.zeros(-(-rows // 8), dtype=np.uint8)

    def add(self, rows: NDArray[np.int64]) -> None:
        np.bitwise_or.at(self._bits, rows >> 3, np.left_shift(1, rows & 7).astype(np.uint8))

    def of(self, start: int, count: int) -> NDArray[np.bool_]:
        """Return which of the rows from ``start`` on are marked."""
        first = start >> 3
        held = np.unpackbits(self._bits[first : -(-(start + count) // 8)], bitorder="little")
        return held[start - 8 * first :][:count].astype(np.bool_)
