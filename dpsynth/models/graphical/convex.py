"""One convex fit of noisy tables over any cliques of a junction tree.

The model is the base measure (a product of columns) times one factor a table. Its log-factors
minimise ``total * log Z - <theta, y> + penalty / 2 * sum(sigma * theta**2)``: consistent and
non-negative by construction, and shrunk toward the base where a table's noise hides what it
says. docs/proofs/auto.md derives the penalty and the stopping rule.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.models.graphical.estimation import pooled
from dpsynth.models.graphical.minimize import minimize
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.models.graphical.penalties import shrinkage
from dpsynth.models.graphical.preconditioning import Preconditioner
from dpsynth.models.graphical.propagation import Propagation, canonical_order
from dpsynth.models.graphical.tables import Array, NoisyTable
from dpsynth.models.graphical.tree import Clique
from dpsynth.models.graphical.triangulation import GrowingGraph
from dpsynth.models.graphical.zeros import allowed_over, holding_zeros, keeps_zeros, log_barriers

PENALTY = 1.5  # of a unit of log-factor, in standard deviations of its cell
ROUGHNESS = 0.0  # penalty on squared differences of neighboring log-factors
COLUMN_PENALTY = 1.5  # the same for tables of one column
_TRUSTED = 0.04  # variance, in rows squared, of the tables of a model that zeros are put into
_LEAST_ROWS = 0.3  # that the base expects in a cell
MOST_TREE_CELLS = 1_000_000  # of a tree that is grown around structural zeros
_MOST_STEPS = 300
_PRECISION = 0.1  # of the gradient that the known noise alone brings about


@dataclass(frozen=True, kw_only=True, eq=False)
class CliqueFit:
    """A fitted model, and where a later fit of more tables may begin.

    Attributes:
        model: the distribution.
        factors: log-factor of each table, by its columns in canonical order.
    """

    model: GraphicalModel
    factors: Mapping[Clique, Array]


def fit_cliques(
    domain: Domain,
    tables: Sequence[NoisyTable],
    *,
    cliques: Sequence[Clique],
    base: Mapping[str, Array],
    total: float,
    penalty: float = PENALTY,
    column_penalty: float = COLUMN_PENALTY,
    roughness: float = ROUGHNESS,
    ordered: Mapping[str, int] | None = None,
    precision: float = _PRECISION,
    start: Mapping[Clique, Array] | None = None,
    most_steps: int = _MOST_STEPS,
    adapt: bool = False,
    relations: Mapping[Clique, Array] | None = None,
) -> CliqueFit:
    """Return the model over ``cliques`` that is fitted to ``tables``, and its factors.

    Args:
        domain: the columns.
        tables: each within one of ``cliques``; a clique measured twice counts twice.
        cliques: of a junction tree over all columns; grown where the columns of one of the
            domain's structural zeros stand in no clique.
        base: by column, the rows that are expected of each code: what tables are shrunk toward.
        total: number of rows.
        penalty: how strongly, in the unit of the module's formula.
        column_penalty: the same for tables of one column.
        roughness: the same for the difference of neighboring log-factors along ordered columns.
        ordered: how many leading codes of a column stand in order, by column.
        precision: length of the gradient to stop at, in units of what noise alone brings about.
        start: log-factors of an earlier fit to begin from; a table without one begins at 0.
        most_steps: of the solver, whatever the gradient.
        adapt: let every table over several columns say how much it is to be shrunk.
        relations: log-factors of the base measure beyond its columns, each within one of
            ``cliques`` and with its columns in canonical order.
    """
    measured = pooled_by_clique(domain, tables)
    prior = {(name,): np.log(_positive(base[name], total)) for name in domain.columns}
    barriers = log_barriers(domain)
    further = relations or {}
    fixed = [*prior.values(), *barriers.values(), *further.values()]
    factors = [*prior, *barriers, *further, *(table.clique for table in measured)]
    asked = [table.clique for table in measured]
    tree = Propagation(domain, holding_zeros(domain, cliques), factors, asked)
    if barriers:
        tree.rule_out({len(prior) + at: each for at, each in enumerate(barriers.values())})
    values = _flat([_summing_to(table, total, domain) for table in measured])
    variance = _flat([table.variance for table in measured])
    strength = _flat(
        [
            shrinkage(
                table,
                base,
                total=total,
                penalty=penalty if len(table.clique) > 1 else column_penalty,
                adapt=adapt,
            )
            for table in measured
        ]
    )
    bounds = np.cumsum([0, *(table.values.size for table in measured)])
    shapes = [table.values.shape for table in measured]

    def parts(vector: Array) -> list[Array]:
        return [
            vector[low:high].reshape(shape)
            for low, high, shape in zip(bounds[:-1], bounds[1:], shapes, strict=True)
        ]

    known = start or {}
    first = _flat([known.get(table.clique, np.zeros(table.values.shape)) for table in measured])
    _, _, margins = tree.run([*fixed, *parts(first)])
    expected = total * _flat(margins)
    curvature = np.maximum((expected + np.maximum(values, 0.0)) / 2, 0.25) + strength
    smoothing = _Smoothing.of(measured, ordered or {}, roughness)
    curvature = curvature + smoothing.curvature()
    scale = 1 / np.sqrt(curvature)

    def objective(scaled: Array) -> tuple[float, Array]:
        theta = scaled * scale
        log_total, _, margins = tree.run([*fixed, *parts(theta)])
        pull = strength * theta
        smoothing.pull(theta, pull)
        value = total * log_total - theta @ values + 0.5 * (pull @ theta)
        return float(value), (total * _flat(margins) - values + pull) * scale

    noise = float(np.sqrt((variance * scale**2).sum()))
    near = Preconditioner.of(measured, curvature=curvature, strength=strength, expected=expected)
    best = minimize(
        objective,
        first / scale,
        precision=precision * noise,
        most_steps=most_steps,
        inverse=lambda scaled: near(scaled / scale) / scale,
    )
    fitted = parts(best * scale)
    _, beliefs, _ = tree.run([*fixed, *fitted])
    model = GraphicalModel(
        domain=domain,
        total=total,
        probabilities={
            node.clique: belief / belief.sum()
            for node, belief in zip(tree.nodes, beliefs, strict=True)
        },
    )
    found = {table.clique: factor for table, factor in zip(measured, fitted, strict=True)}
    return CliqueFit(model=model, factors=found)


def around_zeros(model: GraphicalModel) -> GraphicalModel:
    """Return ``model``, or the nearest one that holds its domain's structural zeros.

    Nearest to the tables of its cliques, which stay as they were as far as the zeros let them. A
    clique that a junction tree of ``MOST_TREE_CELLS`` cells cannot hold beside the columns of the
    zeros and the cliques before it tells of its columns one by one.
    """
    if keeps_zeros(model):
        return model
    domain = model.domain
    cells = max(MOST_TREE_CELLS, sum(domain.sizes.values()))
    graph = GrowingGraph(domain, most_cells=cells, most_clique_cells=cells)
    tables: list[NoisyTable] = []
    for clique, shares in model.probabilities.items():
        variance = np.full(shares.shape, _TRUSTED)
        table = NoisyTable(clique=clique, values=model.total * shares, variance=variance)
        inside = graph.join(clique)
        tables += [table] if inside else [table.onto(name) for name in clique]
    base = {name: model.marginal((name,)) for name in domain.columns}
    found = fit_cliques(domain, tables, cliques=graph.cliques, base=base, total=model.total).model
    return replace(found, corrections=model.corrections, measured=model.measured)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Smoothing:
    """A penalty on differences of neighbors along the ordered axes of all tables over columns.

    Attributes:
        steps: for one axis of every table at a time, so that no cell is twice behind or ahead:
            places of cells in the vector of all tables, places of their neighbors, and how
            strongly the two are held together.
        size: of that vector.
    """

    steps: Sequence[tuple[NDArray[np.int64], NDArray[np.int64], Array]]
    size: int

    @classmethod
    def of(
        cls, tables: Sequence[NoisyTable], ordered: Mapping[str, int], roughness: float
    ) -> "_Smoothing":
        found: dict[int, list[tuple[NDArray[np.int64], NDArray[np.int64], Array]]] = {}
        start = 0
        for table in tables:
            places = start + np.arange(table.values.size).reshape(table.values.shape)
            start += table.values.size
            strength = roughness * float(np.sqrt(table.variance.mean()))
            for axis, name in enumerate(table.clique):
                codes = ordered.get(name, 0)
                if len(table.clique) < 2 or codes < 2 or not roughness:
                    continue
                lined = np.moveaxis(places, axis, 0)[:codes]
                ahead, behind = lined[1:].ravel(), lined[:-1].ravel()
                found.setdefault(axis, []).append((behind, ahead, np.full(ahead.size, strength)))
        steps = [
            (
                np.concatenate([each[0] for each in held]),
                np.concatenate([each[1] for each in held]),
                np.concatenate([each[2] for each in held]),
            )
            for held in found.values()
        ]
        return cls(steps=steps, size=start)

    def pull(self, theta: Array, pulled: Array) -> None:
        """Add the derivative of the penalty."""
        for behind, ahead, strength in self.steps:
            step = strength * (theta[ahead] - theta[behind])
            pulled[ahead] += step
            pulled[behind] -= step

    def curvature(self) -> Array:
        """Return a bound on the second derivatives, along each cell."""
        found = np.zeros(self.size)
        for behind, ahead, strength in self.steps:
            along = np.zeros(self.size)
            along[behind] = along[ahead] = 2 * strength  # of one table, where a cell is both
            found += along
        return found


def pooled_by_clique(domain: Domain, tables: Sequence[NoisyTable]) -> list[NoisyTable]:
    """Combine tables over the same columns, with their axes in canonical order."""
    found: dict[Clique, list[NoisyTable]] = {}
    for table in tables:
        clique = canonical_order(domain, table.clique)
        axes = [table.clique.index(name) for name in clique]
        if table.values.shape != domain.shape(table.clique):
            raise ValueError(f"the table over {', '.join(table.clique)} does not fit the domain")
        turned = NoisyTable(
            clique=clique,
            values=table.values.transpose(axes),
            variance=table.variance.transpose(axes),
        )
        found.setdefault(clique, []).append(turned)
    return [pooled(each) for each in found.values()]


def _positive(rows: Array, total: float) -> Array:
    kept = np.maximum(rows, min(_LEAST_ROWS, total / (2 * rows.size)))
    return np.asarray(kept / kept.sum())


def _summing_to(table: NoisyTable, total: float, domain: Domain) -> Array:
    """Spread what is over the total evenly; nothing is left where nothing can be."""
    allowed = allowed_over(domain, table.clique)
    if allowed is None:
        return np.asarray(table.values - (table.values.sum() - total) / table.values.size)
    values = np.where(allowed, table.values, 0.0)
    return np.where(allowed, values - (values.sum() - total) / max(allowed.sum(), 1), 0.0)


def _flat(parts: Sequence[Array]) -> Array:
    return np.concatenate([part.ravel() for part in parts]) if parts else np.empty(0)
