"""Values in order: exact draws from independent columns, given that some never exceed others.

All columns share a line that is cut into cells, within which values are even. Columns are put into
cells from the lowest cell up: what is placed is always closed downward in the order, so a sum over
such sets counts every arrangement once. Within one cell the chance that values come out in order
is known exactly, and at least one in the factorial of their number.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import factorial

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Line:
    """Cells in order, each from its start to its end.

    Args:
        starts: shape ``(cells,)``, rising.
        ends: the greatest value of every cell, which belongs to it.
        whole: values are whole numbers.
    """

    starts: Array
    ends: Array
    whole: bool

    def in_order(self, pairs: Pairs, columns: int) -> Array:
        """Return for every cell the chance that values in it satisfy ``pairs``."""
        if not pairs:
            return np.ones(self.starts.size)
        steps = _steps(pairs, columns)
        if not self.whole:
            # Where a cell is one point, values are equal and so in order.
            even = steps[columns] / factorial(columns)
            return np.where(self.ends > self.starts, even, 1.0)
        held = self.ends - self.starts + 1
        # How many choices have s different values: binomials, divided early to stay finite.
        found = np.zeros(held.size)
        for many, ways in steps.items():
            term = np.full(held.size, ways / factorial(many))
            for at in range(many):
                term *= np.maximum(held - at, 0) / held
            found += term / held ** (columns - many)
        return found

    def draw(self, cells: NDArray[np.int64], rng: np.random.Generator) -> Array:
        """Draw a value evenly from every cell given."""
        low, high = self.starts[cells], self.ends[cells]
        u = rng.random(cells.shape)
        drawn = low + np.floor(u * (high - low + 1)) if self.whole else low + u * (high - low)
        return np.asarray(np.clip(drawn, low, high))


class OrderedDraw:
    """Columns with weights over the cells of one line, given the pairs that are in order.

    Args:
        line: the cells.
        weights: one vector a column, shape ``(cells,)``, not negative.
        pairs: (lower, greater), all that follow from others included.
    """

    def __init__(self, line: Line, weights: Sequence[Array], pairs: Pairs) -> None:
        self._line = line
        self._pairs = pairs
        self._columns = len(weights)
        self._full = (1 << self._columns) - 1
        self._chance: dict[int, Array] = {}
        # By downward closed set: the weight of having placed exactly it before each cell, and for
        # each last group of columns the weight of that group's standing in each cell.
        before: dict[int, Array] = {0: np.ones(line.starts.size + 1)}
        self._options: dict[int, tuple[tuple[int, ...], Array]] = {}
        for done in sorted(self._closed(), key=int.bit_count):
            if not done:
                continue
            groups, rows = [], []
            for last in _subsets(done):
                if done & ~last not in before:
                    continue
                together = [at for at in range(self._columns) if last >> at & 1]
                product = np.prod([weights[at] for at in together], axis=0)
                rows.append(before[done & ~last][:-1] * product * self._within(last))
                groups.append(last)
            stacked = np.array(rows).T
            self._options[done] = tuple(groups), np.cumsum(stacked.ravel())
            before[done] = np.concatenate([[0.0], np.cumsum(stacked.sum(1))])
        self.weight = float(before[self._full][-1])

    def draw(self, rows: int, rng: np.random.Generator) -> Array:
        """Return values, shape ``(rows, columns)``, in order in every row."""
        cells = self._cells(rows, rng)
        values = self._line.draw(cells, rng)
        pending = np.arange(rows)
        while pending.size:
            wrong = np.zeros(pending.size, dtype=np.bool_)
            for low, high in self._pairs:
                wrong |= values[pending, low] > values[pending, high]
            pending = pending[wrong]
            values[pending] = self._line.draw(cells[pending], rng)
        return values

    def _cells(self, rows: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Place the columns from the last group back to the first."""
        cells = np.zeros((rows, self._columns), dtype=np.int64)
        left = np.full(rows, self._full)
        below = np.full(rows, self._line.starts.size)  # the next group stands before this cell
        even = (rng.permutation(rows) + rng.random(rows)) / max(rows, 1)
        while left.any():
            for done in np.unique(left[left > 0]).tolist():
                here = np.flatnonzero(left == done)
                groups, sums = self._options[done]
                reach = below[here] * len(groups)
                u = even[here] if done == self._full else rng.random(here.size)
                top = sums[np.maximum(reach, 1) - 1]
                found = np.searchsorted(sums, u * top, side="right")
                found = np.minimum(found, np.searchsorted(sums, top, side="left"))
                cell, option = np.divmod(found, len(groups))
                chosen = np.array(groups)[option]
                for at in range(self._columns):
                    mine = (chosen >> at & 1).astype(np.bool_)
                    cells[here[mine], at] = cell[mine]
                left[here] = done & ~chosen
                below[here] = cell
        return cells

    def _closed(self) -> Iterator[int]:
        """Yield every set of columns that holds with each column all that are below it."""
        for chosen in range(self._full + 1):
            if all(chosen >> low & 1 or not chosen >> high & 1 for low, high in self._pairs):
                yield chosen

    def _within(self, group: int) -> Array:
        """Return for every cell the chance that the values of ``group`` in it are in order."""
        if group not in self._chance:
            names = [at for at in range(self._columns) if group >> at & 1]
            number = {at: place for place, at in enumerate(names)}
            inner = tuple(
                (number[low], number[high])
                for low, high in self._pairs
                if low in number and high in number
            )
            self._chance[group] = self._line.in_order(inner, len(names))
        return self._chance[group]


def _subsets(chosen: int) -> Iterator[int]:
    """Yield every subset but the empty one."""
    part = chosen
    while part:
        yield part
        part = (part - 1) & chosen


@lru_cache(maxsize=256)
def _steps(pairs: Pairs, columns: int) -> dict[int, int]:
    """Count by s the ways to lay columns on s steps, no step empty, so that no pair falls."""
    full = (1 << columns) - 1
    closed = [
        chosen
        for chosen in range(full + 1)
        if all(chosen >> low & 1 or not chosen >> high & 1 for low, high in pairs)
    ]
    ways = {0: 1}
    found: dict[int, int] = {}
    for many in range(1, columns + 1):
        ways = {
            done: sum(ways[less] for less in ways if less & ~done == 0 and less != done)
            for done in closed
        }
        found[many] = ways.get(full, 0)
    return found
