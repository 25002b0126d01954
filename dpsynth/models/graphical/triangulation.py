"""Which cliques can be held: a graph of columns that grows while its junction tree stays small.

Sets of columns are the bits of an integer. Whether one more clique fits is answered before any
table is made, by eliminating columns in the order that keeps the next table smallest.
"""

from collections.abc import Iterator, Sequence
from math import exp, inf, log

from dpsynth.domain import Domain
from dpsynth.models.graphical.tree import Clique

_ROUNDING = 1e-9


class GrowingGraph:
    """Columns joined clique by clique, within a limit on the cells of the junction tree.

    The columns of every structural zero of the domain are joined first, whatever the limits; where
    that alone takes more cells, the limits are raised to what it takes.

    Args:
        domain: the columns.
        most_cells: of all tables of the junction tree together.
        most_clique_cells: of one table.

    Raises:
        ValueError: the columns alone are over a limit.
    """

    def __init__(self, domain: Domain, *, most_cells: int, most_clique_cells: int) -> None:
        self._names = domain.columns
        self._place = {name: at for at, name in enumerate(self._names)}
        self._log_size = [log(domain.sizes[name]) for name in self._names]
        self._neighbors = [0] * len(self._names)
        self._component = [1 << at for at in range(len(self._names))]
        # By component, which is known by its columns: the cliques of its triangulation.
        self._cliques = {1 << at: [1 << at] for at in range(len(self._names))}
        self._most_cells = most_cells * (1 + _ROUNDING)
        self._most_log = log(most_clique_cells) + _ROUNDING
        self._cells = float(sum(domain.sizes.values()))
        if self._cells > self._most_cells or max(self._log_size) > self._most_log:
            raise ValueError("the columns alone have more cells than are allowed")
        if domain.zeros:
            self._most_cells = self._most_log = inf
            for zero in domain.zeros:
                self.join(zero.columns)
            largest = max(self._log(held) for each in self._cliques.values() for held in each)
            self._most_cells = max(most_cells, self._cells) * (1 + _ROUNDING)
            self._most_log = max(log(most_clique_cells), largest) + _ROUNDING

    @property
    def cells(self) -> float:
        """Cells of all tables of the junction tree."""
        return self._cells

    @property
    def cliques(self) -> tuple[Clique, ...]:
        """The cliques of the junction tree, each in the domain's order."""
        found = [clique for each in self._cliques.values() for clique in each]
        return tuple(tuple(self._names[at] for at in _bits(clique)) for clique in found)

    def holds(self, clique: Sequence[str]) -> bool:
        """Whether some clique of the junction tree holds all of these columns."""
        wanted = self._set_of(clique)
        component = self._component[self._place[clique[0]]]
        return any(wanted & ~held == 0 for held in self._cliques[component])

    def join(self, clique: Sequence[str]) -> bool:
        """Take ``clique`` in if its junction tree stays within the limits.

        Returns:
            Whether the junction tree now has a clique that holds these columns.
        """
        wanted = self._set_of(clique)
        touched = {self._component[at] for at in _bits(wanted)}
        merged = 0
        for component in touched:
            merged |= component
        if len(touched) == 1 and self.holds(clique):
            cliques = self._cliques[merged]
        elif len(touched) == wanted.bit_count():  # trees that meet in the new clique alone
            kept = [held for each in touched for held in self._cliques[each]]
            cliques = [held for held in kept if held & ~wanted] + [wanted]
        else:
            cliques = self._triangulated(merged, wanted)
        before = sum(self._size(held) for each in touched for held in self._cliques[each])
        cells = self._cells - before + sum(map(self._size, cliques))
        if cells > self._most_cells or max(map(self._log, cliques)) > self._most_log:
            return False
        self._cells = cells
        for at in _bits(wanted):
            self._neighbors[at] |= wanted & ~(1 << at)
        for component in touched:
            del self._cliques[component]
        self._cliques[merged] = cliques
        for at in _bits(merged):
            self._component[at] = merged
        return True

    def _set_of(self, clique: Sequence[str]) -> int:
        found = 0
        for name in clique:
            found |= 1 << self._place[name]
        return found

    def _log(self, columns: int) -> float:
        return sum(self._log_size[at] for at in _bits(columns))

    def _size(self, columns: int) -> float:
        return exp(self._log(columns))

    def _triangulated(self, component: int, wanted: int) -> list[int]:
        """Eliminate the columns of a component, the cheapest first; return the maximal cliques."""
        neighbors = {at: self._neighbors[at] for at in _bits(component)}
        for at in _bits(wanted):
            neighbors[at] |= wanted & ~(1 << at)
        cost = {at: self._log(near | 1 << at) for at, near in neighbors.items()}
        cliques: list[int] = []
        while cost:
            first = min(cost, key=cost.__getitem__)
            near, own = neighbors.pop(first), 1 << first
            del cost[first]
            clique = near | own
            if not any(clique & ~held == 0 for held in cliques):
                cliques.append(clique)
            for at in _bits(near):
                added = near & ~neighbors[at] & ~(1 << at)
                neighbors[at] = (neighbors[at] | added) & ~own
                cost[at] += self._log(added) - self._log_size[first]
        return cliques


def _bits(columns: int) -> Iterator[int]:
    while columns:
        lowest = columns & -columns
        yield lowest.bit_length() - 1
        columns ^= lowest
