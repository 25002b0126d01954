"""Counting many overlapping tables of the same rows by a few larger ones.

Summing weights into a table, or looking its cells up, takes one walk over the rows. A table over
a few more columns holds many small ones, and its cells are fewer than the rows: the rows are
walked once for all of them, and the rest happens among cells.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.models.graphical.tables import Array

Codes = Mapping[str, NDArray[np.unsignedinteger]]
Places = NDArray[np.integer]
Clique = tuple[str, ...]

_ROWS_PER_CELL = 8  # a fused table has at most one cell for so many rows
_MOST_CELLS = 1 << 12  # of a fused table: cells are looked up, too


@dataclass(frozen=True, kw_only=True, eq=False)
class Carrier:
    """A table that holds others.

    Attributes:
        places: shape ``(rows,)``: each row's cell.
        size: number of cells.
        members: position of each table held, among all that were given.
        cells: for each table held, shape ``(size,)``: where a cell of this one goes in the vector
            of all tables' cells.
    """

    places: Places
    size: int
    members: tuple[int, ...]
    cells: tuple[NDArray[np.int32], ...]


class FusedTables:
    """Tables of the same rows, their cells laid end to end in one vector.

    Args:
        cliques: columns of each table; one may be given twice.
        codes: the rows, by column.
        domain: the columns and their sizes.
    """

    def __init__(self, cliques: Sequence[Clique], codes: Codes, domain: Domain) -> None:
        self.rows = next(iter(codes.values())).size
        sizes = [domain.size(clique) for clique in cliques]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        self.slices = [slice(a, b) for a, b in pairwise(starts)]
        self.cells = int(starts[-1])
        self.carriers: list[Carrier] = []
        for wide, members in _cover(cliques, domain, rows=self.rows):
            cells = tuple(
                _within(wide, cliques[at], domain) + np.int32(starts[at]) for at in members
            )
            self.carriers.append(
                Carrier(
                    places=places_of(codes, domain, wide),
                    size=domain.size(wide),
                    members=members,
                    cells=cells,
                )
            )

    def summed(self, weights: Array) -> Array:
        """Return the weight in every cell of every table."""
        found = np.empty(self.cells)
        for carrier in self.carriers:
            here = summed(carrier.places, weights, carrier.size)
            for at, cells in zip(carrier.members, carrier.cells, strict=True):
                part = self.slices[at]
                found[part] = summed(cells - cells[0], here, part.stop - part.start)
        return found

    def scores(self, values: Array, rows: slice) -> NDArray[np.float32]:
        """Return for each of ``rows`` the sum of ``values`` over the cells that it lies in."""
        narrow = values.astype(np.float32)
        score = np.zeros(rows.stop - rows.start, np.float32)
        found = np.empty_like(score)
        for carrier in self.carriers:
            held = np.zeros(carrier.size, np.float32)
            for cells in carrier.cells:
                held += narrow.take(cells, mode="clip")
            # Unlike plain indexing, this neither converts the places nor makes a new array.
            held.take(carrier.places[rows], out=found, mode="clip")
            score += found
        return score

    def cells_of(self, rows: NDArray[np.integer]) -> NDArray[np.int32]:
        """Return shape ``(tables, rows)``: the cells that each of ``rows`` lies in."""
        found = np.empty((len(self.slices), rows.size), np.int32)
        for carrier in self.carriers:
            places = carrier.places[rows]
            for at, cells in zip(carrier.members, carrier.cells, strict=True):
                cells.take(places, out=found[at], mode="clip")
        return found


def _cover(
    cliques: Sequence[Clique], domain: Domain, *, rows: int
) -> list[tuple[Clique, tuple[int, ...]]]:
    """Cover ``cliques`` by few tables of at most one cell for every few rows.

    The largest one left is widened by one column after another: by whichever brings most of the
    others in for its size. A clique that is larger by itself stands alone.
    """
    names = domain.columns
    position = {name: at for at, name in enumerate(names)}
    held = np.zeros((len(cliques), len(names)), dtype=bool)
    for at, clique in enumerate(cliques):
        held[at, [position[name] for name in clique]] = True
    sizes = np.array([domain.sizes[name] for name in names], dtype=np.float64)
    logs = np.log(np.maximum(sizes, 2.0))
    most = max(min(rows // _ROWS_PER_CELL, _MOST_CELLS), 1)
    left = np.array(sorted(range(len(cliques)), key=lambda at: -domain.size(cliques[at])), np.int64)
    found = []
    while left.size:
        columns = held[left[0]].copy()
        waiting = held[left]
        while True:
            missing = waiting & ~columns
            brought = missing[missing.sum(1) == 1].sum(0)
            fits = sizes[columns].prod() * sizes <= most
            worth = np.where(fits, brought / logs, 0.0)
            best = int(np.argmax(worth))
            if worth[best] <= 0:
                break
            columns[best] = True
        inside = ~(waiting & ~columns).any(1)
        wide = tuple(names[at] for at in np.flatnonzero(columns))
        found.append((wide, tuple(int(at) for at in left[inside])))
        left = left[~inside]
    return found


def _within(wide: Clique, clique: Clique, domain: Domain) -> NDArray[np.int32]:
    """Return for each cell over ``wide`` the cell over ``clique`` that it belongs to."""
    shape = domain.shape(wide)
    place = np.zeros((1,) * len(wide), np.int32)
    for name in clique:
        axis = wide.index(name)
        line = np.arange(shape[axis], dtype=np.int32)
        place = place * np.int32(shape[axis]) + line.reshape((-1,) + (1,) * (len(wide) - axis - 1))
    return np.ascontiguousarray(np.broadcast_to(place, shape)).ravel()


def places_of(codes: Codes, domain: Domain, clique: Clique) -> Places:
    """Return each row's cell in the table over ``clique``, in the narrowest type that will do."""
    dtype = np.min_scalar_type(max(domain.size(clique) - 1, 0))
    place: Places = codes[clique[0]].astype(dtype)
    for name in clique[1:]:
        # A factor too large for the type belongs to columns before it that have one code.
        place *= np.array(domain.sizes[name]).astype(dtype)
        place += codes[name].astype(dtype, copy=False)
    return place


def summed(places: Places, weights: Array, size: int) -> Array:
    """Return the weight in every cell."""
    found = np.bincount(places, weights=weights, minlength=size)
    return np.asarray(found, dtype=np.float64)
