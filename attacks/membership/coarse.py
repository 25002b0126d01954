"""Release, population and targets in groups of codes, made once for all attacks on marginals."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence
from attacks.engine.table import CodedTable, Grouping, grouped, grouping

Cells = NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Coarse:
    """The three tables in groups of codes.

    Args:
        release: the synthetic table.
        population: records of other persons.
        targets: records of the persons attacked.
        groupings: the groups of each column, from the release alone.
    """

    release: CodedTable
    population: CodedTable
    targets: CodedTable
    groupings: tuple[Grouping, ...]

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of groups by column."""
        return tuple(grouping.size for grouping in self.groupings)

    def size(self, clique: tuple[int, ...]) -> int:
        """Return the number of cells of the columns at these places."""
        return int(np.prod([self.groupings[place].size for place in clique]))

    def cells(self, table: CodedTable, clique: tuple[int, ...]) -> Cells:
        """Return for each row of one of the three tables its cell of some columns."""
        cells: Cells = table.codes[:, clique[0]]
        for place in clique[1:]:
            cells = cells * np.int32(self.groupings[place].size) + table.codes[:, place]
        return cells


def coarse(evidence: Evidence, targets: CodedTable) -> Coarse:
    """Return the tables of ``evidence`` and ``targets`` in groups, made once."""
    return evidence.once(("membership/coarse", targets), lambda: _made(evidence, targets))


def _made(evidence: Evidence, targets: CodedTable) -> Coarse:
    release = evidence.release
    groupings = {
        name: grouping(
            release.codes[:, place], size=evidence.sizes[name], ordered=evidence.ordered[name]
        )
        for place, name in enumerate(release.columns)
    }
    tables = [grouped(table, groupings) for table in (release, evidence.population, targets)]
    # Column by column in memory: that is how cells are counted.
    by_column = [replace(table, codes=np.asfortranarray(table.codes)) for table in tables]
    return Coarse(
        release=by_column[0],
        population=by_column[1],
        targets=by_column[2],
        groupings=tuple(groupings[name] for name in release.columns),
    )
