"""Coded rows on disk, a byte or two a cell, counted a piece at a time.

The files have no name: they are gone with the process that made them, however it ends.
"""

import errno
import os
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.encoding.codec import smallest_unsigned
from dpsynth.errors import UnfitEnvironmentError
from dpsynth.privacy.source import UnitRows
from dpsynth.sources.batches import Batches
from dpsynth.sources.folder import DISK_FULL, PrivateFolder

ROWS_AT_ONCE = 1 << 20
_CACHED_CELLS = 1 << 22  # at most 32 MiB of counts are kept
_PASS_CELLS = 1 << 24  # at most 128 MiB of counts are summed in one pass
_SORTED_ROWS = 1 << 22  # of one part, where rows must be put in order
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Clique = tuple[str, ...]


class Column:
    """One column on disk: written from first to last, then read by slices.

    Args:
        folder: where the nameless file stands.
        kind: of its numbers.
        width: numbers a row.
    """

    def __init__(self, folder: Path, kind: Any, *, width: int = 1) -> None:
        self._kind = np.dtype(kind)
        self._width = width
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            self._file = os.dup(file.fileno())
        self.close = weakref.finalize(self, os.close, self._file)  # gives the disk back
        self.rows = 0

    @property
    def _row(self) -> int:
        return int(self._kind.itemsize) * self._width

    def append(self, values: NDArray[Any]) -> None:
        """Write some more rows."""
        self._write(values, self.rows)
        self.rows += len(values)

    def read(self, part: slice) -> NDArray[Any]:
        """Return the rows of a slice: ``(rows,)``, or ``(rows, width)``."""
        found = np.empty((part.stop - part.start) * self._width, dtype=self._kind)
        view, at = found.data.cast("B"), part.start * self._row
        while view:
            done = os.preadv(self._file, [view], at)
            if not done:
                raise OSError("a column on disk is shorter than it was written")
            view, at = view[done:], at + done
        return found if self._width == 1 else found.reshape(-1, self._width)

    def at(self, places: NDArray[np.int64]) -> NDArray[Any]:
        """Return the rows at some places, which rise."""
        shape = (places.size,) if self._width == 1 else (places.size, self._width)
        found, done = np.empty(shape, dtype=self._kind), 0
        for part in parts(self.rows):
            end = int(np.searchsorted(places, part.stop))
            if end > done:
                found[done:end] = self.read(part)[places[done:end] - part.start]
            done = end
        return found

    def _write(self, values: NDArray[Any], start: int) -> None:
        flat = np.ascontiguousarray(values, dtype=self._kind).reshape(-1)
        view, at = flat.data.cast("B"), start * self._row
        while view:
            try:
                done = os.pwrite(self._file, view, at)
            except OSError as problem:
                if problem.errno not in _FULL:
                    raise
                raise UnfitEnvironmentError(DISK_FULL) from None
            view, at = view[done:], at + done

    def keep(self, chosen: NDArray[np.bool_]) -> None:
        """Drop the rows that are not chosen, in place."""
        end = 0
        for part in parts(self.rows):
            some = self.read(part)[chosen[part]]
            self._write(some, end)
            end += len(some)
        self.rows = end
        os.ftruncate(self._file, end * self._row)

    def mapped(self) -> NDArray[Any]:
        """Return all rows, mapped: read when they are looked at."""
        if not self.rows:
            return np.empty((0, self._width), dtype=self._kind)
        shape = (self.rows, self._width)
        with os.fdopen(os.dup(self._file), "r+b") as file:
            return np.memmap(file, dtype=self._kind, mode="r+", shape=shape)


def parts(rows: int) -> Iterator[slice]:
    """Yield slices that cover ``rows``."""
    size = ROWS_AT_ONCE
    return (slice(start, min(start + size, rows)) for start in range(0, rows, size))


def alike(digests: Column) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint64]]]:
    """Yield places and digests of rows that begin alike: few enough to be put in order.

    Equal digests always come together, whatever the order of the rows.
    """
    bits = int(digests.rows // _SORTED_ROWS).bit_length()
    for number in range(1 << bits):
        places, found = [np.empty(0, dtype=np.int64)], []
        for part in parts(digests.rows):
            held = digests.read(part)
            first = held if held.ndim == 1 else held[:, 0]
            if bits:
                same = np.flatnonzero((first >> np.uint64(64 - bits)) == np.uint64(number))
                places.append(same + part.start)
                found.append(held[same])
            else:
                places.append(np.arange(part.start, part.stop))
                found.append(held)
        if found:
            yield np.concatenate(places), np.concatenate(found)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class StoredColumn:
    """A column of codes on disk, and what has become of its codes since.

    Attributes:
        codes: as they were written.
        now: shape ``(codes,)``: what each of those is now; None for itself.
        texts: of an open column, number of the undeclared text in every row, from 1; 0 for none.
        names: those texts.
        first: code that the first released value gets.
        released: shape ``(texts + 1,)``, the code of every text now, -1 where it has none.
    """

    codes: Column
    now: NDArray[np.int64] | None = None
    texts: Column | None = None
    names: Sequence[str] = field(default=())
    first: int = 0
    released: NDArray[np.int64] | None = None

    def read(self, part: slice, size: int) -> NDArray[Any]:
        """Return the codes now of some rows, in the narrowest type for ``size`` codes."""
        kind = smallest_unsigned(size)
        codes = self.codes.read(part)
        found = codes if self.now is None else self.now.astype(kind).take(codes)
        if self.released is not None and self.texts is not None:
            own = self.released.take(self.texts.read(part))
            found = np.where(own >= 0, own, found)
        return np.ascontiguousarray(found, dtype=kind)

    def closed(self, values: Sequence[str], size: int) -> "StoredColumn":
        """Give each of ``values`` a code of its own, from ``first`` on; those behind move up."""
        ranks = {value: rank for rank, value in enumerate(values)}
        if len(ranks) < len(values):
            raise ValueError("each released value must be named once")
        own = [-1, *(ranks.get(name, -1) for name in self.names)]
        held = np.array(own, dtype=np.int64)
        codes = np.arange(size)
        return replace(
            self,
            now=np.where(codes < self.first, codes, codes + len(values)),
            released=np.where(held >= 0, held + self.first, -1),
        )

    def coarsened(self, groups: NDArray[np.int64]) -> "StoredColumn":
        """Put ``groups[code]`` in the place of every code."""
        released = self.released
        if released is not None:
            released = np.where(released >= 0, groups[released], -1)
        return replace(
            self, now=groups if self.now is None else groups[self.now], released=released
        )


class StoreSource:
    """Counts coded rows on disk; see ``dpsynth.privacy.source.TableSource``.

    Args:
        columns: in the order of the domain.
        domain: the columns and their sizes.
        rows: how many there are.
        folder: for what must be written to be read again; it lasts as long as the source.
        units: digest of every row's unit; None where every row is its own.
    """

    def __init__(
        self,
        columns: Mapping[str, StoredColumn],
        domain: Domain,
        *,
        rows: int,
        folder: PrivateFolder,
        units: Column | None = None,
    ) -> None:
        if tuple(columns) != domain.columns:
            raise ValueError("columns and domain must name the same columns in the same order")
        self.domain = domain
        self.__columns = dict(columns)
        self.__rows = rows
        self.__folder = folder
        self.__units = units
        self.__cache: dict[Clique, NDArray[np.int64]] = {}
        self.__cached = 0

    def count(self, clique: Clique) -> NDArray[np.int64]:
        """Return exact rows per cell, row-major over the clique."""
        return next(iter(self.count_many([clique])))

    def count_many(self, cliques: Sequence[Clique]) -> Iterator[NDArray[np.int64]]:
        """Yield ``count`` of every clique, in order, in few passes over the rows."""
        waiting = list(cliques)
        while waiting:
            now, cells = 0, 0
            while now < len(waiting) and (not now or cells <= _PASS_CELLS):
                cells += self.domain.size(waiting[now])
                now += 1
            some, waiting = waiting[:now], waiting[now:]
            fresh = dict.fromkeys(clique for clique in some if clique not in self.__cache)
            sums = self.__summed(tuple(fresh))
            for clique in some:
                known = self.__cache.get(clique)
                yield self.__kept(clique, sums[clique]) if known is None else known.copy()

    def __summed(self, cliques: tuple[Clique, ...]) -> dict[Clique, NDArray[np.int64]]:
        sums = {each: np.zeros(self.domain.size(each), dtype=np.int64) for each in cliques}
        if not cliques:
            return sums
        if any(not each for each in cliques):
            raise ValueError("a clique must name at least one column")
        names = dict.fromkeys(name for clique in cliques for name in clique)
        sizes = self.domain.sizes
        for part in parts(self.__rows):
            codes = {name: self.__columns[name].read(part, sizes[name]) for name in names}
            batches = Batches(codes, self.domain, cliques)
            left = dict.fromkeys(cliques)
            while left:
                for clique, counts in batches.with_(next(iter(left))).items():
                    sums[clique] += counts
                    left.pop(clique, None)
        return sums

    def __kept(self, clique: Clique, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        if clique not in self.__cache and self.__cached + counts.size <= _CACHED_CELLS:
            self.__cache[clique] = counts.copy()
            self.__cached += counts.size
        return counts.copy()

    def values(self, column: str) -> tuple[Sequence[str], NDArray[np.int64]]:
        """Return the undeclared values that rows hold, sorted, and how many units hold each."""
        held = self.__columns[column]
        if held.texts is None:
            raise KeyError(column)
        size = len(held.names) + 1
        counts = np.zeros(size, dtype=np.int64)
        if self.__units is None:
            for part in parts(self.__rows):
                counts += np.bincount(held.texts.read(part), minlength=size)
        else:
            for places, units in alike(self.__units):
                texts = held.texts.at(places).astype(np.uint64)
                pairs = np.column_stack([units, texts])
                order = np.lexsort((pairs[:, 1], pairs[:, 0]))
                pairs = pairs[order]
                fresh = np.ones(len(pairs), dtype=np.bool_)
                fresh[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
                counts += np.bincount(pairs[fresh, 1].astype(np.int64), minlength=size)
        present = sorted(
            (held.names[at - 1], int(counts[at])) for at in range(1, size) if counts[at]
        )
        found = np.array([count for _, count in present], dtype=np.int64)
        return tuple(name for name, _ in present), found

    def closed(self, values: Mapping[str, Sequence[str]], domain: Domain) -> "StoreSource":
        """Return the same rows with codes of their own for ``values`` of open columns."""
        columns = {
            name: column.closed(values[name], self.domain.sizes[name]) if name in values else column
            for name, column in self.__columns.items()
        }
        return self.__over(columns, domain)

    def coarsened(self, groups: Mapping[str, NDArray[np.int64]]) -> "StoreSource":
        """Return the same rows with codes regrouped: ``groups[column][code]`` is the new code."""
        columns = {
            name: column.coarsened(groups[name]) if name in groups else column
            for name, column in self.__columns.items()
        }
        return self.__over(columns, self.domain.regrouped(groups))

    def __over(self, columns: Mapping[str, StoredColumn], domain: Domain) -> "StoreSource":
        return StoreSource(
            columns, domain, rows=self.__rows, folder=self.__folder, units=self.__units
        )

    def unit_rows(self) -> UnitRows:
        """Return the rows, on disk, and the unit of each."""
        width = len(self.domain.columns)
        held = Column(self.__folder.path, np.int64, width=width)
        for part in parts(self.__rows):
            some = [
                self.__columns[name].read(part, size).astype(np.int64)
                for name, size in self.domain.sizes.items()
            ]
            held.append(np.column_stack(some))
        codes = held.mapped()
        if self.__units is None:
            return UnitRows(codes=codes, units=np.arange(self.__rows))
        units = self.__units.mapped()[:, 0]
        return UnitRows(codes=codes, units=np.unique(units, return_inverse=True)[1])

    def __repr__(self) -> str:
        return f"StoreSource({', '.join(self.domain.columns)})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("StoreSource holds private rows and cannot be pickled or copied")
