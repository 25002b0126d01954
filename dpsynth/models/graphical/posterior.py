"""Other models that the same noisy answers could have come from: what noise leaves open.

A model is fitted to noisy answers nearly without shrinkage. It then stands for the truth: persons
are drawn from it, as many as there were, their tables are counted, noise of the known scale is
added, and a model is fitted to that by the same rule. How far these models lie from the first is
how far the first lies from the truth, by the chance of who was in the table and by the noise.

Post-processing of released answers: reads no row and costs no privacy.

Source:
    Räisä, Jälkö, Kaski and Honkela (2023), "Noise-Aware Statistical Inference with Differentially
    Private Synthetic Data", AISTATS, arXiv:2205.14485 (NAPSU-MQ): maximum-entropy models of noisy
    marginals, drawn from their posterior, and combining rules for fully synthetic data. There the
    posterior is explored by Monte Carlo chains; here it is approached by a parametric bootstrap,
    which agrees with it to first order and needs nothing but the fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from dpsynth.domain import Domain
from dpsynth.errors import UsageError
from dpsynth.models.graphical.convex import CliqueFit, fit_cliques
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.models.graphical.tables import Array, NoisyTable, estimate_total
from dpsynth.models.graphical.tree import Clique
from dpsynth.models.graphical.triangulation import GrowingGraph
from dpsynth.models.protocol import Codes

MOST_CELLS = 200_000  # of the junction tree that is fitted
_PENALTY = 0.02  # light: shrinkage would be an error that no copy shows
_PRECISION = 0.01


@dataclass(frozen=True, kw_only=True, eq=False)
class NoiseAware:
    """Nearly unshrunken models of the same noisy answers.

    Attributes:
        center: fitted to the answers as they are.
        models: fitted to answers that are drawn from ``center``.
        supported: columns whose relation the models follow as it was measured: all margins of
            measured tables that found room in the junction tree.
    """

    center: GraphicalModel
    models: tuple[GraphicalModel, ...]
    supported: frozenset[frozenset[str]]


def redrawn(
    model: GraphicalModel,
    copies: int,
    rng: np.random.Generator,
    *,
    interactions: int = 2,
    most_cells: int = MOST_CELLS,
) -> NoiseAware:
    """Return ``copies`` models that spread as the noise of ``model.measured`` leaves open.

    Args:
        model: made by a synthesizer that keeps its noisy answers.
        copies: how many models.
        rng: post-processing randomness.
        interactions: tables over more columns than this are read through their margins over as
            many; relations of more columns than that are then taken not to exist.
        most_cells: of the junction tree's tables together; tables that do not fit are left out.

    Raises:
        UsageError: the model keeps no noisy answers.
    """
    if not model.measured:
        raise UsageError(
            "this model keeps no noisy answers to redraw; release with independent, mst, "
            "privbayes, aim, auto or direct, of this version or later"
        )
    domain = model.domain
    graph = _graph(model, interactions, most_cells)
    sources = [
        (table, [each for each in _margins(table.clique, interactions) if graph.holds(each)])
        for table in model.measured
    ]

    def fitted(answers: Sequence[Array], start: CliqueFit | None) -> CliqueFit:
        raw = [
            NoisyTable(clique=table.clique, values=values, variance=table.variance)
            for (table, _), values in zip(sources, answers, strict=True)
        ]
        total = estimate_total(raw)
        tables = [
            _onto(table, clique)
            for table, (_, kept) in zip(raw, sources, strict=True)
            for clique in kept
        ]
        return fit_cliques(
            domain,
            tables,
            cliques=graph.cliques,
            base={name: np.full(size, total / size) for name, size in domain.sizes.items()},
            total=total,
            penalty=_PENALTY,
            column_penalty=_PENALTY,
            precision=_PRECISION,
            start=None if start is None else start.factors,
        )

    center = fitted([table.values for table, _ in sources], None)
    persons = max(round(center.model.total), 1)
    models = []
    for _ in range(copies):
        drawn = center.model.draw_independent(persons, rng)
        answers = [
            _counted(drawn, domain, table.clique) + rng.normal(0, np.sqrt(table.variance))
            for table, _ in sources
        ]
        models.append(fitted(answers, center).model)
    kept = frozenset(frozenset(clique) for _, found in sources for clique in found)
    return NoiseAware(center=center.model, models=tuple(models), supported=kept)


def _graph(model: GraphicalModel, interactions: int, most_cells: int) -> GrowingGraph:
    """Join the columns of measured tables as far as there is room, the model's own first."""
    domain = model.domain
    graph = GrowingGraph(
        domain,
        most_cells=max(most_cells, sum(domain.sizes.values())),
        most_clique_cells=max(most_cells, max(domain.sizes.values())),
    )
    wanted = dict.fromkeys(
        clique for table in model.measured for clique in _margins(table.clique, interactions)
    )
    held = [set(clique) for clique in model.cliques]
    for clique in sorted(wanted, key=lambda each: not any(set(each) <= own for own in held)):
        graph.join(clique)
    return graph


def _margins(clique: Clique, most: int) -> list[Clique]:
    return [clique] if len(clique) <= most else list(combinations(clique, most))


def _onto(table: NoisyTable, clique: Clique) -> NoisyTable:
    """Sum the other columns out: the noise of the cells adds up."""
    axes = tuple(axis for axis, name in enumerate(table.clique) if name not in clique)
    return NoisyTable(
        clique=clique, values=table.values.sum(axes), variance=table.variance.sum(axes)
    )


def _counted(drawn: Codes, domain: Domain, clique: Clique) -> Array:
    shape = domain.shape(clique)
    places = np.ravel_multi_index([drawn[name].astype(np.int64) for name in clique], shape)
    return np.bincount(places, minlength=domain.size(clique)).astype(np.float64).reshape(shape)
