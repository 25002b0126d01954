"""Release, population and targets in groups of codes, made once for all attacks on marginals."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence
from attacks.engine.released import Counts, Released, cell_counts, column_counts
from attacks.engine.table import CodedTable, Grouping, grouped, grouping_of

Cells = NDArray[np.int32]
_CELLS = 1 << 22  # of counts of the release that are kept


@dataclass(frozen=True, kw_only=True, eq=False)
class Coarse:
    """The three tables in groups of codes.

    Args:
        release: the synthetic table.
        population: records of other persons.
        targets: records of the persons attacked.
        groupings: the groups of each column, from the release alone.
    """

    release: Released
    population: CodedTable
    targets: CodedTable
    groupings: tuple[Grouping, ...]
    _counted: dict[tuple[int, ...], Counts] = field(init=False, default_factory=dict, repr=False)

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of groups by column."""
        return tuple(grouping.size for grouping in self.groupings)

    def size(self, clique: tuple[int, ...]) -> int:
        """Return the number of cells of the columns at these places."""
        return int(np.prod([self.groupings[place].size for place in clique]))

    def released(self, clique: tuple[int, ...]) -> Counts:
        """Return how many released rows stand in each cell of the columns at these places."""
        if clique not in self._counted:
            counts = cell_counts(
                self.release,
                [self.release.columns[place] for place in clique],
                sizes=[self.groupings[place].size for place in clique],
            )
            counts.flags.writeable = False
            if sum(map(len, self._counted.values())) + counts.size > _CELLS:
                return counts
            self._counted[clique] = counts
        return self._counted[clique]

    def cells(self, table: CodedTable, clique: tuple[int, ...]) -> Cells:
        """Return for each row of targets or population its cell of some columns."""
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
        name: grouping_of(
            column_counts(release, name, size=evidence.sizes[name]), ordered=evidence.ordered[name]
        )
        for name in release.columns
    }
    groups: Mapping[str, Cells] = {name: made.groups for name, made in groupings.items()}
    tables = [grouped(table, groupings) for table in (evidence.population, targets)]
    # Column by column in memory: that is how cells are counted.
    by_column = [replace(table, codes=np.asfortranarray(table.codes)) for table in tables]
    return Coarse(
        release=release.regrouped(groups),
        population=by_column[0],
        targets=by_column[1],
        groupings=tuple(groupings[name] for name in release.columns),
    )
