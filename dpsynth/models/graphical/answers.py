"""Many small tables of one model at once: what it expects of pairs of columns, near and far.

A pair that no clique of the junction tree holds is answered along the path between its columns.
From every column a table over (that column, separator) walks outward through the tree; each step
is a multiplication by a conditional table that all columns share.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.models.graphical.tables import Array
from dpsynth.models.graphical.tree import Clique, Node, junction_tree


def expected_tables(model: GraphicalModel, cliques: Sequence[Clique]) -> dict[Clique, Array]:
    """Return expected rows per cell over each of ``cliques``; as ``model.marginal``, but together.

    Args:
        model: the distribution.
        cliques: of one or more columns, each column once. Those of three and more columns that no
            clique of the model holds are worked out one by one.

    Returns:
        By clique, shape ``model.domain.shape(clique)``, non-negative, of sum ``model.total``.
    """
    walk = _Walk(model)
    found: dict[Clique, Array] = {}
    between: dict[str, list[str]] = {}
    for clique in cliques:
        home = walk.home(clique)
        if home is not None:
            found[clique] = model.total * walk.onto(home, clique)
        elif len(clique) == 2:
            between.setdefault(clique[0], []).append(clique[1])
        else:
            found[clique] = model.marginal(clique)
    for first, others in between.items():
        tables = walk.from_column(first, set(others))
        found.update({(first, other): model.total * tables[other] for other in others})
    return found


class _Walk:
    """A calibrated junction tree, and conditional tables across its nodes as they are asked for."""

    def __init__(self, model: GraphicalModel) -> None:
        self._tables: Mapping[Clique, Array] = model.probabilities
        self._domain = model.domain
        self._nodes: tuple[Node, ...] = junction_tree(tuple(model.probabilities))
        self._size = [model.domain.size(node.clique) for node in self._nodes]
        self._neighbors: list[list[tuple[int, Clique]]] = [[] for _ in self._nodes]
        for at, node in enumerate(self._nodes):
            if node.parent is not None:
                self._neighbors[at].append((node.parent, node.separator))
                self._neighbors[node.parent].append((at, node.separator))
        self._holders: dict[str, list[int]] = {}
        for at, node in enumerate(self._nodes):
            for name in node.clique:
                self._holders.setdefault(name, []).append(at)
        self._made: dict[tuple[int, Clique, Clique], Array] = {}

    def home(self, clique: Clique) -> int | None:
        """Return the smallest node that holds these columns, if one does."""
        common = set(self._holders[clique[0]])
        for name in clique[1:]:
            common &= set(self._holders[name])
        return min(common, key=self._size.__getitem__) if common else None

    def onto(self, at: int, columns: Clique) -> Array:
        """Sum the table of a node down to ``columns``, in that order."""
        clique = self._nodes[at].clique
        kept = [name for name in clique if name in columns]
        table = self._tables[clique]
        table = table.sum(tuple(axis for axis, name in enumerate(clique) if name not in columns))
        return np.asarray(table.transpose([kept.index(name) for name in columns]))

    def from_column(self, first: str, others: set[str]) -> dict[str, Array]:
        """Return the joint shares of ``first`` and each of ``others``, in no node with it."""
        found: dict[str, Array] = {}
        size = self._domain.sizes[first]
        own = set(self._holders[first])
        waiting: list[tuple[int, int, Clique, Array]] = []
        for at in own:
            for beyond, separator in self._neighbors[at]:
                if beyond not in own:
                    joint = self.onto(at, (first, *separator)).reshape(size, -1)
                    waiting.append((beyond, at, separator, joint))
        while waiting and len(found) < len(others):
            at, came, entry, joint = waiting.pop()
            clique = self._nodes[at].clique
            for name in clique:
                if name in others and name not in found and name not in entry:
                    found[name] = joint @ self._conditional(at, entry, (name,))
            for beyond, separator in self._neighbors[at]:
                if beyond != came:
                    waiting.append(
                        (beyond, at, separator, self._across(at, entry, separator, joint))
                    )
        return found

    def _across(self, at: int, entry: Clique, leave: Clique, joint: Array) -> Array:
        """Carry a table over (column, entry) through a node to (column, leave)."""
        shared = tuple(name for name in entry if name in leave)
        if not shared:
            return np.asarray(joint @ self._conditional(at, entry, leave))
        gone = tuple(name for name in entry if name not in leave)
        new = tuple(name for name in leave if name not in entry)
        order = (*shared, *gone)
        rows = joint.shape[0]
        turned = joint.reshape(rows, *self._domain.shape(entry)).transpose(
            [0, *(1 + entry.index(name) for name in order)]
        )
        kept, summed = self._domain.size(shared), self._domain.size(gone)
        stacked = turned.reshape(rows, kept, summed).transpose(1, 0, 2)
        if new:
            table = self._conditional(at, order, new).reshape(kept, summed, -1)
            moved = stacked @ table
        else:
            moved = stacked.sum(2, keepdims=True)
        moved = moved.transpose(1, 0, 2).reshape(rows, *self._domain.shape((*shared, *new)))
        back = (*shared, *new)
        return np.asarray(
            moved.transpose([0, *(1 + back.index(name) for name in leave)]).reshape(rows, -1)
        )

    def _conditional(self, at: int, given: Clique, wanted: Clique) -> Array:
        """Return shares of ``wanted`` given ``given`` in a node, shape (cells, cells)."""
        key = (at, given, wanted)
        if key not in self._made:
            joint = self.onto(at, (*given, *wanted)).reshape(self._domain.size(given), -1)
            margin = joint.sum(1, keepdims=True)
            self._made[key] = np.divide(joint, margin, out=np.zeros_like(joint), where=margin > 0)
        return self._made[key]
