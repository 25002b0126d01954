"""By how much the release over-represents a row: column by column, and pair by pair beyond that."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attacks.engine.counts import own_occurrences
from attacks.engine.table import CodedTable
from attacks.membership.coarse import Cells, Coarse

Values = NDArray[np.float64]
_WEIGHT = 2.0  # rows of prior weight on independence, in every pair table


@dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """Sums of log-ratios of two tables, by row.

    Args:
        usual: log-probability under release and population together, without the row's person.
        excess: ``log((released + 1) / (expected + 1))``: one more row on either side, so that
            where less than one is expected, none is no evidence.
    """

    usual: Values
    excess: Values


class Ratios:
    """Log-ratios of the release to what is expected of it, for the rows of one table.

    Expected is the share in release and population together, since under no leak both are samples
    of one population; of a pair, on top of what the release's own columns have too much of, so that
    columns and pairs do not tell the same thing twice.

    Args:
        tables: in groups of codes.
        among: the targets, or the population; of the latter every row is left out of the counts
            with all rows of its person.
    """

    def __init__(self, tables: Coarse, among: CodedTable) -> None:
        self._tables = tables
        self._among = among
        self._own = among is tables.population
        persons = among.persons
        rows = np.bincount(persons, minlength=among.size)[persons] if self._own else 0
        self._both = len(tables.release) + len(tables.population) - rows
        columns = [self._counted((place,)) for place in range(len(tables.widths))]
        widths = tables.widths
        self._chance = [
            (both + 0.5 / width) / (self._both + 0.5)
            for (_, both), width in zip(columns, widths, strict=True)
        ]
        self._released = [released for released, _ in columns]

    @property
    def rows(self) -> int:
        """Rows that are scored."""
        return len(self._among)

    def columns(self) -> Parts:
        """Sum over all columns."""
        usual, excess = np.zeros(self.rows), np.zeros(self.rows)
        for chance, released in zip(self._chance, self._released, strict=True):
            usual += np.log(chance)
            excess += _excess(released, len(self._tables.release) * chance)
        return Parts(usual=usual, excess=excess)

    def pairs(self, pairs: tuple[tuple[int, int], ...]) -> Parts:
        """Sum over ``pairs`` what each says beyond its two columns."""
        usual, excess = np.zeros(self.rows), np.zeros(self.rows)
        rows = len(self._tables.release)
        for first, second in pairs:
            released, both = self._counted((first, second))
            apart = self._chance[first] * self._chance[second]
            chance = (both + _WEIGHT * apart) / (self._both + _WEIGHT)
            usual += np.log(chance / apart)
            excess += _excess(released, rows * chance * self._lean(first) * self._lean(second))
        return Parts(usual=usual, excess=excess)

    def _lean(self, place: int) -> Values:
        """Return how many times as often as expected the release holds a row's code."""
        expected = len(self._tables.release) * self._chance[place]
        lean: Values = (self._released[place] + 0.5) / (expected + 0.5)
        return lean

    def _counted(self, clique: tuple[int, ...]) -> tuple[Values, Values]:
        """Return by row how often its cell occurs in the release, and in both tables."""
        tables = self._tables
        size = tables.size(clique)
        released = tables.released(clique)
        both = released + np.bincount(tables.cells(tables.population, clique), minlength=size)
        cells = tables.cells(self._among, clique)
        own = self._own_rows(cells) if self._own else 0
        return released[cells].astype(np.float64), (both[cells] - own).astype(np.float64)

    def _own_rows(self, cells: Cells) -> NDArray[np.int64] | int:
        if self._among.size == len(self._among):
            return 1
        return own_occurrences(cells.astype(np.uint64), self._among.persons)


def _excess(released: Values, expected: Values) -> Values:
    excess: Values = np.log((released + 1) / (expected + 1))
    return excess
