"""Trees: which pair may still join a forest, and the junction tree of a set of cliques."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Clique = tuple[str, ...]


class SpanningForest:
    """Columns joined by pairs one at a time, never in a circle (Kruskal's rule)."""

    def __init__(self, columns: Iterable[str]) -> None:
        self._tree_of = {name: number for number, name in enumerate(columns)}

    def joins(self, pair: Clique) -> bool:
        """Whether ``pair`` would connect two trees."""
        first, second = pair
        return self._tree_of[first] != self._tree_of[second]

    def join(self, pair: Clique) -> None:
        """Connect the two trees of ``pair``."""
        if not self.joins(pair):
            raise ValueError(f"{' and '.join(pair)} are connected already")
        kept, gone = (self._tree_of[name] for name in pair)
        self._tree_of = {
            name: kept if tree == gone else tree for name, tree in self._tree_of.items()
        }


@dataclass(frozen=True, kw_only=True)
class Node:
    """One clique of a junction tree.

    Attributes:
        clique: its columns.
        parent: position of the parent in the tree's order, None for the root alone.
        separator: columns shared with the parent, in the clique's order; may be empty.
        new: the other columns, in the clique's order: the ones that this node introduces.
    """

    clique: Clique
    parent: int | None
    separator: Clique
    new: Clique


def junction_tree(cliques: Sequence[Clique]) -> tuple[Node, ...]:
    """Order ``cliques`` into a tree, parents first, along the largest separators.

    Raises:
        ValueError: no such tree has the running-intersection property, so that a product of the
            cliques' tables over their separators' would be no distribution.
    """
    if not cliques:
        raise ValueError("cliques must hold at least one clique")
    if len(set(cliques)) != len(cliques):
        raise ValueError("every clique must be given once")
    nodes = [Node(clique=cliques[0], parent=None, separator=(), new=cliques[0])]
    members = set(cliques[0])
    # For every clique not yet placed: the size of its best separator, and the node it hangs from.
    waiting = {clique: (_shared(clique, cliques[0]), 0) for clique in cliques[1:]}
    while waiting:
        clique = max(waiting, key=lambda name: waiting[name][0])
        _, parent = waiting.pop(clique)
        above = set(nodes[parent].clique)
        separator = tuple(name for name in clique if name in above)
        new = tuple(name for name in clique if name not in above)
        if members & set(new) or not new:
            raise ValueError("the cliques form a circle, or one lies inside another")
        members.update(new)
        nodes.append(Node(clique=clique, parent=parent, separator=separator, new=new))
        for other, (size, _) in waiting.items():
            if (shared := _shared(other, clique)) > size:
                waiting[other] = (shared, len(nodes) - 1)
    return tuple(nodes)


def _shared(first: Clique, second: Clique) -> int:
    return len(set(first) & set(second))
