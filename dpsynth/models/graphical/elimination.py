"""Variable elimination: tables over columns that no clique of the junction tree holds together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dpsynth.domain import Domain
from dpsynth.errors import UsageError
from dpsynth.models.graphical.tables import Array
from dpsynth.models.graphical.tree import Clique, Node

MOST_CELLS = 1 << 25  # of one table on the way: 256 MiB


@dataclass(frozen=True, kw_only=True)
class _Step:
    """What one node sends to its parent; the last one keeps the answer.

    Attributes:
        at: the node.
        separator: columns that it shares with its parent.
        beneath: wanted columns at it or beneath, which the parent does not have.
    """

    at: int
    separator: Clique
    beneath: Clique


def eliminate(
    domain: Domain, nodes: Sequence[Node], tables: Mapping[Clique, Array], wanted: Clique
) -> Array:
    """Sum everything but ``wanted`` out of the smallest subtree that holds it.

    Leaves first, every node sends its parent a table over their separator and the wanted columns
    beneath: its own conditional given the separator, times what it was sent.

    Args:
        domain: the columns.
        nodes: of the junction tree, parents first.
        tables: probabilities by clique.
        wanted: columns, each once.

    Raises:
        UsageError: a table on the way would have more than ``MOST_CELLS`` cells; none was made.
    """
    steps = _steps(nodes, wanted)
    most = _most_cells(domain, steps)
    if most > MOST_CELLS:
        raise UsageError(
            f"the table over {', '.join(wanted)} would take {most:,} cells on the way, and at most "
            f"{MOST_CELLS:,} are made: ask for fewer columns, or for columns of fewer codes"
        )
    sent: dict[int, list[tuple[Clique, Array]]] = {}
    for step in steps:
        node = nodes[step.at]
        factors = [(node.clique, tables[node.clique]), *sent.pop(step.at, [])]
        keep = (*step.separator, *step.beneath)
        message = product(factors, keep=keep)
        if step is steps[-1]:
            break
        margin = onto(tables, node.clique, node.separator)
        margin = margin.reshape(margin.shape + (1,) * len(step.beneath))
        conditional = np.divide(message, margin, out=np.zeros_like(message), where=margin > 0)
        assert node.parent is not None, "the root is the smallest position, so it comes last"
        sent.setdefault(node.parent, []).append((keep, conditional))
    return message


def cells_on_the_way(domain: Domain, nodes: Sequence[Node], wanted: Clique) -> int:
    """Return the cells of the largest table that ``eliminate`` would make; makes none."""
    return _most_cells(domain, _steps(nodes, wanted))


def _most_cells(domain: Domain, steps: Sequence[_Step]) -> int:
    return max(domain.size((*step.separator, *step.beneath)) for step in steps)


def _steps(nodes: Sequence[Node], wanted: Clique) -> list[_Step]:
    """Plan the messages, from names alone."""
    home = {name: at for at, node in enumerate(nodes) for name in node.new}
    pending = {home[name] for name in wanted}
    arrived: dict[int, set[str]] = {}
    steps: list[_Step] = []
    while True:
        at = max(pending)  # parents stand before children
        pending.remove(at)
        node = nodes[at]
        present = arrived.pop(at, set()).union(node.clique)
        if not pending:
            return [*steps, _Step(at=at, separator=(), beneath=wanted)]
        assert node.parent is not None, "the root is the smallest position, so it comes last"
        beneath = tuple(n for n in wanted if n in present and n not in node.separator)
        steps.append(_Step(at=at, separator=node.separator, beneath=beneath))
        arrived.setdefault(node.parent, set()).update(beneath)
        pending.add(node.parent)


def product(factors: Sequence[tuple[Clique, Array]], *, keep: Clique) -> Array:
    """Multiply tables and sum out every column that is not kept."""
    number: dict[str, int] = {}
    operands: list[Any] = []
    for columns, values in factors:
        operands += [values, [number.setdefault(name, len(number)) for name in columns]]
    axes = [number[name] for name in keep]
    made = np.einsum(*operands, axes, optimize=("greedy", MOST_CELLS))
    return np.asarray(made, dtype=np.float64)


def onto(tables: Mapping[Clique, Array], clique: Clique, columns: Clique) -> Array:
    """Return the margin of one clique's table over some of its columns, in their order."""
    return product([(clique, tables[clique])], keep=columns)
