"""A Bayesian network that grows family by family, and what may be added to it."""

from collections.abc import Sequence
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain

Family = tuple[str, ...]  # parents and child, in the order of the columns
Candidate = tuple[Family, str]  # a family and which of its columns is the child

MOST_SETS = 20_000  # of columns that are counted to compare candidates


def candidates(
    domain: Domain, columns: Sequence[str], *, degree: int, most_cells: int
) -> list[Candidate]:
    """List every family that may be chosen, those over the same columns side by side.

    Args:
        domain: sizes of the columns.
        columns: that can vary, in order.
        degree: parents that a child may have; fewer where more than ``MOST_SETS`` sets of columns
            would have to be counted, but at least 1.
        most_cells: of one table with parents. A child without parents is always a candidate.
    """
    most = min(degree, len(columns) - 1)
    while most > 1 and sum(comb(len(columns), size + 1) for size in range(most + 1)) > MOST_SETS:
        most -= 1
    families = [
        family
        for size in range(1, most + 2)
        for family in combinations(columns, size)
        if size == 1 or domain.size(family) <= most_cells
    ]
    return [(family, child) for family in families for child in family]


class Network:
    """Which candidates extend the network, and the families that were taken.

    The parents of a new child stand together in one family that was taken before, or are a
    single column of the network, or none: so the families are the cliques of a junction tree.

    Args:
        found: the candidates.
        columns: all columns of them.
    """

    def __init__(self, found: Sequence[Candidate], columns: Sequence[str]) -> None:
        self._candidates = found
        self._place = {name: place for place, name in enumerate(columns)}
        parents = [_without(family, child) for family, child in found]
        self._number = {each: number for number, each in enumerate(dict.fromkeys(parents))}
        self._parents = np.array([self._number[each] for each in parents])
        self._child = np.array([self._place[child] for _, child in found])
        self._free = np.ones(len(columns), dtype=np.bool_)
        # Before the first choice every column may turn out to be the root.
        self._ready = np.array([len(each) <= 1 for each in self._number])

    def allowed(self) -> NDArray[np.int64]:
        """Return the candidates that extend the network; never empty while a column is free."""
        return np.flatnonzero(self._ready[self._parents] & self._free[self._child])

    def take(self, candidate: int) -> Family:
        """Add a candidate to the network and return its family."""
        family, child = self._candidates[candidate]
        if self._free.all():
            self._ready[:] = False
            self._ready[self._number[()]] = True
            for root in _without(family, child):
                self._add((root,), root)
        self._add(family, child)
        return family

    def _add(self, family: Family, child: str) -> None:
        self._free[self._place[child]] = False
        parents = _without(family, child)
        for size in range(len(parents) + 1):
            for some in combinations(parents, size):
                together = tuple(sorted((*some, child), key=self._place.__getitem__))
                if together in self._number:
                    self._ready[self._number[together]] = True


def _without(family: Family, child: str) -> Family:
    return tuple(name for name in family if name != child)
