"""Structural zeros as tables: what a model of a domain must hold impossible."""

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.models.graphical.propagation import Propagation, canonical_order
from dpsynth.models.graphical.tables import Array
from dpsynth.models.graphical.tree import Clique
from dpsynth.models.graphical.triangulation import GrowingGraph
from dpsynth.zeros import alike

if TYPE_CHECKING:
    from dpsynth.models.graphical.model import GraphicalModel

MOST_CELLS = 200_000  # of one table that declared rules ask for
_UNLIMITED = 2**62


def allowed_by_clique(domain: Domain) -> dict[Clique, NDArray[np.bool_]]:
    """Return which cells can occur, for the columns of every zero, in canonical order."""
    found: dict[Clique, NDArray[np.bool_]] = {}
    for zero in domain.zeros:
        clique = canonical_order(domain, zero.columns)
        axes = [zero.columns.index(name) for name in clique]
        allowed = zero.allowed(domain.sizes).transpose(axes)
        found[clique] = found[clique] & allowed if clique in found else allowed
    return found


def log_barriers(domain: Domain) -> dict[Clique, Array]:
    """Return log-factors of 0 where a cell can occur and of minus infinity where not."""
    return {
        clique: np.where(allowed, 0.0, -np.inf)
        for clique, allowed in allowed_by_clique(domain).items()
    }


def allowed_over(domain: Domain, clique: Clique) -> NDArray[np.bool_] | None:
    """Return which cells of a table over ``clique`` can occur; None where all can."""
    found: NDArray[np.bool_] | None = None
    for columns, allowed in allowed_by_clique(domain).items():
        if set(columns) <= set(clique):
            seen = _seen(domain, columns, allowed, clique)
            found = seen if found is None else found & seen
    return found


def _seen(
    domain: Domain, columns: Clique, allowed: NDArray[np.bool_], clique: Clique
) -> NDArray[np.bool_]:
    """Spread a table over ``columns`` to ``clique``, which holds them."""
    axes = sorted(range(len(columns)), key=lambda at: clique.index(columns[at]))
    shape = [domain.sizes[name] if name in columns else 1 for name in clique]
    return np.broadcast_to(allowed.transpose(axes).reshape(shape), domain.shape(clique))


def holding_zeros(domain: Domain, cliques: Sequence[Clique]) -> tuple[Clique, ...]:
    """Return ``cliques``, grown where they must be to hold the columns of every zero."""
    held = [set(clique) for clique in cliques]
    if all(any(set(zero.columns) <= each for each in held) for zero in domain.zeros):
        return tuple(cliques)
    graph = GrowingGraph(domain, most_cells=_UNLIMITED, most_clique_cells=_UNLIMITED)
    for clique in cliques:
        graph.join(clique)
    return graph.cliques


def keeps_zeros(model: "GraphicalModel") -> bool:
    """Whether the cliques give every forbidden cell probability 0."""
    for clique, allowed in allowed_by_clique(model.domain).items():
        holders = [each for each in model.cliques if set(clique) <= set(each)]
        if not any(
            (model.probabilities[each][~_seen(model.domain, clique, allowed, each)] == 0).all()
            for each in holders
        ):
            return False
    return True


def leaves_something(domain: Domain) -> bool:
    """Whether the zeros of ``domain`` leave any combination of codes."""
    groups: dict[str, NDArray[np.int64]] = {}
    for name in {name for zero in domain.zeros for name in zero.columns}:
        found = alike(domain, name)
        assert found is not None, "the column is one of a zero"
        groups[name] = found.merge(np.ones(domain.sizes[name], dtype=np.bool_))
    small = domain.regrouped(groups)
    alone = [(name,) for name in small.columns]
    barriers = log_barriers(small)
    tree = Propagation(small, holding_zeros(small, alone), [*barriers], [])
    try:
        tree.rule_out(dict(enumerate(barriers.values())))
    except ValueError:
        return False
    return True


def largest_clique(domain: Domain) -> Clique:
    """Return the columns of the largest table that the zeros of ``domain`` ask for."""
    graph = GrowingGraph(domain, most_cells=_UNLIMITED, most_clique_cells=_UNLIMITED)
    joined = [clique for clique in graph.cliques if len(clique) > 1]
    return max(joined, key=lambda clique: prod(domain.shape(clique)))
