"""Which cliques can be held: a graph of columns that grows while its junction tree stays small.

Sets of columns are the bits of an integer, and tables are counted in whole cells, so no limit is
ever passed by rounding. Whether one more clique fits is answered before any table is made, and by
looking only at the part of the junction tree that it changes: the cliques between the columns that
are to meet, and around these whatever could be arranged anew with them.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from math import inf, prod

from dpsynth.domain import Domain
from dpsynth.models.graphical.tree import Clique

_REGION = 24  # columns that are arranged anew at a time, unless more lie between those that meet


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
        self._size_of: dict[int, int] = {}
        self._sizes = [domain.sizes[name] for name in self._names]
        self._cells = sum(self._sizes)
        self._most_cells: float = most_cells
        self._most_clique_cells: float = most_clique_cells
        if self._cells > most_cells or max(self._sizes) > most_clique_cells:
            raise ValueError("the columns alone have more cells than are allowed")
        count = len(self._names)
        self._neighbors = [0] * count  # as they were joined, without what triangulation adds
        self._tree_of = list(range(count))
        # The junction trees: columns by node, nodes beside a node, nodes that hold a column.
        self._held = {at: 1 << at for at in range(count)}
        self._beside: dict[int, set[int]] = {at: set() for at in range(count)}
        self._nodes_with = [{at} for at in range(count)]
        self._made = count
        self._eliminated = 0
        if domain.zeros:
            self._most_cells = self._most_clique_cells = inf
            for zero in domain.zeros:
                self.join(zero.columns)
            largest = max(map(self._size, self._held.values()))
            self._most_cells = max(most_cells, self._cells)
            self._most_clique_cells = max(most_clique_cells, largest)

    @property
    def cells(self) -> int:
        """Cells of all tables of the junction tree."""
        return self._cells

    @property
    def work(self) -> int:
        """Columns eliminated so far, to try cliques out: what time grows with."""
        return self._eliminated

    @property
    def cliques(self) -> tuple[Clique, ...]:
        """The cliques of the junction tree, each in the domain's order."""
        return tuple(
            tuple(self._names[at] for at in _bits(columns)) for columns in self._held.values()
        )

    def holds(self, clique: Sequence[str]) -> bool:
        """Whether some clique of the junction tree holds all of these columns."""
        return self._holder(self._set_of(clique)) is not None

    def join(self, clique: Sequence[str]) -> bool:
        """Take ``clique`` in if its junction tree stays within the limits.

        Returns:
            Whether the junction tree now has a clique that holds these columns.
        """
        wanted = self._set_of(clique)
        if self._holder(wanted) is None:
            if self._size(wanted) > self._most_clique_cells:
                return False
            parts: dict[int, int] = {}
            for at in _bits(wanted):
                parts[self._tree_of[at]] = parts.get(self._tree_of[at], 0) | 1 << at
            holders = [self._holder(part) for part in parts.values()]
            if None not in holders:  # trees that meet in the new clique alone
                region = {node for node in holders if node is not None}
                kept = [self._held[node] for node in region if self._held[node] & ~wanted]
                found: list[int] | None = [*kept, wanted]
            else:
                region = self._around(set().union(*map(self._between, parts.values())))
                found = self._triangulated(region, wanted)
                while found and (more := self._swallowing(region, found)):
                    region |= more
                    found = self._triangulated(region, wanted)
            if found is None or not self._fits(region, found):
                return False
            self._replace(region, found)
            joined = set(parts)
            first = min(joined)
            self._tree_of = [first if tree in joined else tree for tree in self._tree_of]
        for at in _bits(wanted):
            self._neighbors[at] |= wanted & ~(1 << at)
        return True

    def _set_of(self, clique: Sequence[str]) -> int:
        found = 0
        for name in clique:
            found |= 1 << self._place[name]
        return found

    def _size(self, columns: int) -> int:
        known = self._size_of.get(columns)
        if known is None:
            known = self._size_of[columns] = prod(self._sizes[at] for at in _bits(columns))
        return known

    def _holder(self, columns: int) -> int | None:
        """Return the smallest node that holds all of ``columns``, if any does."""
        nodes = set.intersection(*(self._nodes_with[at] for at in _bits(columns)))
        return min(nodes, key=lambda node: (self._size(self._held[node]), node), default=None)

    def _between(self, columns: int) -> set[int]:
        """Return the nodes of the smallest subtree that holds all of ``columns``, of one tree."""
        first, *others = _bits(columns)
        found = {min(self._nodes_with[first])}
        for at in others:
            found |= self._path(found, self._nodes_with[at])
        # Leaves that hold nothing which the rest does not hold are not needed.
        waiting = deque(found)
        while waiting:
            node = waiting.popleft()
            inside = self._beside[node] & found
            if node in found and len(inside) == 1:
                (neighbor,) = inside
                if not self._held[node] & columns & ~self._held[neighbor]:
                    found.remove(node)
                    waiting.append(neighbor)
        return found

    def _path(self, starts: Iterable[int], goals: set[int]) -> set[int]:
        """Return the nodes from ``starts`` to the nearest of ``goals``, which is in reach."""
        came_from = {node: node for node in starts}
        waiting = deque(came_from)
        while (node := waiting.popleft()) not in goals:
            for neighbor in self._beside[node]:
                if neighbor not in came_from:
                    came_from[neighbor] = node
                    waiting.append(neighbor)
        found = {node}
        while came_from[node] != node:
            node = came_from[node]
            found.add(node)
        return found

    def _around(self, region: set[int]) -> set[int]:
        """Add the nodes that could be arranged anew with a region, as far as the limit allows.

        Beyond columns that were all joined to each other nothing can change: whatever the order
        of elimination, some clique must hold them.
        """
        columns = self._union(region)
        waiting = deque(sorted(region))
        while waiting:
            node = waiting.popleft()
            for neighbor in sorted(self._beside[node] - region):
                more = columns | self._held[neighbor]
                if more.bit_count() <= _REGION and not self._complete(
                    self._held[node] & self._held[neighbor]
                ):
                    region.add(neighbor)
                    waiting.append(neighbor)
                    columns = more
        return region

    def _union(self, nodes: Iterable[int]) -> int:
        found = 0
        for node in nodes:
            found |= self._held[node]
        return found

    def _complete(self, columns: int) -> bool:
        return all(not columns & ~(self._neighbors[at] | 1 << at) for at in _bits(columns))

    def _edge_of(self, region: set[int]) -> list[tuple[int, int]]:
        """Return the nodes beside a region, each with the columns that it shares with it."""
        return [
            (neighbor, self._held[node] & self._held[neighbor])
            for node in region
            for neighbor in self._beside[node] - region
        ]

    def _swallowing(self, region: set[int], cliques: Sequence[int]) -> set[int]:
        """Return the nodes beside a region that hold all of one of its new cliques."""
        return {
            neighbor
            for neighbor, _ in self._edge_of(region)
            if any(not clique & ~self._held[neighbor] for clique in cliques)
        }

    def _triangulated(self, region: set[int], wanted: int) -> list[int] | None:
        """Eliminate the columns of a region, the cheapest first; return the maximal cliques.

        None where one of them is over the limit.
        """
        inside = self._union(region)
        neighbors = {at: self._neighbors[at] & inside for at in _bits(inside)}
        for together in {wanted, *(shared for _, shared in self._edge_of(region))}:
            for at in _bits(together):
                neighbors[at] |= together & ~(1 << at)
        cost = {at: self._size(near | 1 << at) for at, near in neighbors.items()}
        cliques: list[int] = []
        left: set[int] = set()  # what stood around each column when it was eliminated
        while cost:
            first = min(cost, key=cost.__getitem__)
            size = cost.pop(first)
            self._eliminated += 1
            if size > self._most_clique_cells:
                return None
            near, own = neighbors.pop(first), 1 << first
            if near | own not in left:
                cliques.append(near | own)
            left.add(near)
            for at in _bits(near):
                added = near & ~neighbors[at] & ~(1 << at)
                neighbors[at] = (neighbors[at] | added) & ~own
                cost[at] = cost[at] // self._sizes[first] * self._size(added)
        return cliques

    def _fits(self, region: set[int], cliques: Sequence[int]) -> bool:
        sizes = [self._size(clique) for clique in cliques]
        before = sum(self._size(self._held[node]) for node in region)
        return (
            self._cells - before + sum(sizes) <= self._most_cells
            and max(sizes) <= self._most_clique_cells
        )

    def _replace(self, region: set[int], cliques: Sequence[int]) -> None:
        """Put the junction tree of ``cliques`` where a region stood."""
        edge = self._edge_of(region)
        for node in region:
            columns = self._held.pop(node)
            self._cells -= self._size(columns)
            for neighbor in self._beside.pop(node) - region:
                self._beside[neighbor].remove(node)
            for at in _bits(columns):
                self._nodes_with[at].remove(node)
        fresh = range(self._made, self._made + len(cliques))
        self._made += len(cliques)
        for node, columns in zip(fresh, cliques, strict=True):
            self._held[node] = columns
            self._beside[node] = set()
            self._cells += self._size(columns)
            for at in _bits(columns):
                self._nodes_with[at].add(node)
        # A tree of largest separators (Prim); then whatever stood beside the region.
        best = dict.fromkeys(fresh[1:], fresh[0])
        while best:
            node = max(best, key=lambda each: self._shared(each, best[each]))
            self._link(node, best.pop(node))
            for other, nearest in best.items():
                if self._shared(other, node) > self._shared(other, nearest):
                    best[other] = node
        for neighbor, shared in edge:
            holder = min(node for node in fresh if not shared & ~self._held[node])
            self._link(neighbor, holder)

    def _shared(self, node: int, other: int) -> int:
        return (self._held[node] & self._held[other]).bit_count()

    def _link(self, node: int, other: int) -> None:
        self._beside[node].add(other)
        self._beside[other].add(node)


def _bits(columns: int) -> Iterator[int]:
    while columns:
        lowest = columns & -columns
        yield lowest.bit_length() - 1
        columns ^= lowest
