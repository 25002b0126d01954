"""Many small tables from few passes over the rows.

Columns are packed into groups of so many codes together that a table over two (or three) groups has
about a cell a row. Where one pass over such a table saves enough others, every table over a column
of each of the groups is a sum of it, exact: all numbers are integers below 2**53.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.encoding.codec import smallest_unsigned

Clique = tuple[str, ...]
Codes = Mapping[str, NDArray[Any]]

_ROWS_A_CELL = 2  # that are counted in the time in which one cell of a shared table is summed


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Columns that are counted together, the last one varying fastest."""

    columns: Clique
    sizes: tuple[int, ...]

    @property
    def cells(self) -> int:
        return prod(self.sizes)

    @cached_property
    def starts(self) -> dict[str, int]:
        """Where the codes of each column begin in a row of ``indicators``."""
        return dict(zip(self.columns, accumulate(self.sizes, initial=0), strict=False))

    @cached_property
    def indicators(self) -> NDArray[np.float64]:
        """Return a row a joint code, with a 1 for the code of each column."""
        parts = np.unravel_index(np.arange(self.cells), self.sizes)
        found = np.zeros((self.cells, sum(self.sizes)))
        for name, part in zip(self.columns, parts, strict=True):
            found[np.arange(self.cells), self.starts[name] + part] = 1.0
        return found


class Batches:
    """Tables over cliques of coded rows, as many in one pass as share their groups of columns.

    Args:
        codes: by column, each of shape ``(rows,)``, unsigned, below the column's size.
        domain: the columns and their sizes.
        cliques: whose tables are wanted, each once.
    """

    def __init__(self, codes: Codes, domain: Domain, cliques: Iterable[Clique]) -> None:
        self._codes = codes
        self._domain = domain
        self._rows = next(iter(codes.values())).size
        self._fused: dict[Clique, NDArray[Any]] = {}
        self._groups: dict[int, dict[str, _Group]] = {}
        self._waiting: dict[tuple[int, tuple[Clique, ...]], list[Clique]] = {}
        for clique in cliques:
            self._waiting.setdefault(self._batch_of(clique), []).append(clique)

    def with_(self, clique: Clique) -> dict[Clique, NDArray[np.int64]]:
        """Return exact rows per cell for ``clique`` and all others that one pass counts with it."""
        batch = self._waiting.pop(self._batch_of(clique), [clique])
        groups = self._in_order(clique)
        shape = tuple(group.cells for group in groups)
        if prod(shape) * _ROWS_A_CELL > (len(batch) - 1) * self._rows:
            return {each: count_rows(self._codes, self._domain, each) for each in batch}
        fused = {str(at): self._fuse(group) for at, group in enumerate(groups)}
        sizes = {str(at): cells for at, cells in enumerate(shape)}
        table = count_rows(fused, Domain(sizes=sizes), tuple(sizes)).reshape(shape)
        sums = table.astype(np.float64)
        for group in groups:  # the first axis is summed, and becomes the last
            sums = np.tensordot(sums, group.indicators, axes=(0, 0))
        exact = sums.astype(np.int64)
        return {each: self._part(exact, groups, each) for each in batch}

    def _batch_of(self, clique: Clique) -> tuple[int, tuple[Clique, ...]]:
        if len(clique) == 1:
            return 0, (clique,)  # counted sooner than taken out of a larger table
        groups = [group.columns for group in self._in_order(clique)]
        if len(set(groups)) == len(groups):
            return len(clique), tuple(groups)
        return 0, (clique,)  # two columns of one group are no sum of a table over other groups

    def _in_order(self, clique: Clique) -> list[_Group]:
        group_of = self._groups.get(len(clique))
        if group_of is None:
            group_of = self._groups[len(clique)] = self._packed(len(clique))
        return sorted((group_of[name] for name in clique), key=lambda group: group.columns)

    def _packed(self, axes: int) -> dict[str, _Group]:
        """Put columns in a row into groups of so many codes that ``axes`` groups suit the rows."""
        most = self._rows ** (1 / axes)
        found: dict[str, _Group] = {}
        columns: list[str] = []
        for name in (*self._domain.columns, None):
            grown = self._domain.size([*columns, *([name] if name is not None else [])])
            if columns and (name is None or grown > most):
                group = _Group(columns=tuple(columns), sizes=self._domain.shape(columns))
                found.update(dict.fromkeys(columns, group))
                columns = []
            if name is not None:
                columns.append(name)
        return found

    def _fuse(self, group: _Group) -> NDArray[Any]:
        known = self._fused.get(group.columns)
        if known is None:
            known = self._fused[group.columns] = places(self._codes, self._domain, group.columns)
        return known

    def _part(
        self, sums: NDArray[np.int64], groups: list[_Group], clique: Clique
    ) -> NDArray[np.int64]:
        window = []
        axes = [0] * len(clique)
        for axis, group in enumerate(groups):
            place = next(at for at, name in enumerate(clique) if name in group.starts)
            start = group.starts[clique[place]]
            window.append(slice(start, start + self._domain.sizes[clique[place]]))
            axes[place] = axis
        return sums[tuple(window)].transpose(axes).flatten()


def count_rows(codes: Codes, domain: Domain, clique: Clique) -> NDArray[np.int64]:
    """Return exact rows per cell of one clique, row-major."""
    counted = np.bincount(places(codes, domain, clique), minlength=domain.size(clique))
    return counted.astype(np.int64, copy=False)


def places(codes: Codes, domain: Domain, clique: Clique) -> NDArray[Any]:
    """Return the cell that each row falls into, row-major over the clique, in a narrow type."""
    if not clique:
        raise ValueError("a clique must name at least one column")
    cells = domain.size(clique)
    # A column's size, which may equal the number of cells, must fit like every cell's place.
    kind = np.int64 if cells >= 2**32 else smallest_unsigned(cells + 1)
    place = codes[clique[0]].astype(kind, copy=False)
    for name in clique[1:]:
        place = place * kind(domain.sizes[name])
        place += codes[name].astype(kind, copy=False)
    return place
