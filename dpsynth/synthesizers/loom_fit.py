"""From all noisy answers that there are to one model: columns reconciled, one convex fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.models.graphical.convex import fit_cliques, pooled_by_clique
from dpsynth.models.graphical.estimation import pooled
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.models.graphical.tables import Array, NoisyTable
from dpsynth.models.graphical.tree import Clique
from dpsynth.models.graphical.triangulation import GrowingGraph
from dpsynth.synthesizers.loom_columns import Known
from dpsynth.synthesizers.loom_corrections import corrections
from dpsynth.synthesizers.loom_margins import reconciled
from dpsynth.synthesizers.prior import PublicPrior, relations

# Chosen on seeds 0 to 9 of adult_discrete, RAND HIE, flchain and covid_testing; reported on others.
_PENALTY = 0.7  # of the fit, in the unit of models/graphical/convex.py: tables of two columns
_COLUMN_PENALTY = 1.5  # tables of one column
_ROUGHNESS = 0.2  # differences of neighbors along ordered columns
_PRECISION = 0.01  # of what noise alone brings about, at which the fit stops
_SEED = 0  # of rows drawn to see what a model expects: no secret is in them
_ROWS = 2  # drawn for each that there is, about


@dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """What all answers together say.

    Attributes:
        model: over merged codes.
        columns: what is known of each column that can vary.
        histograms: of the same, over all of its codes, before denoising.
    """

    model: GraphicalModel
    columns: Mapping[str, Known]
    histograms: Mapping[str, NoisyTable]

    def expected(self, pairs: Sequence[Clique]) -> list[Array]:
        """Return rows that the model expects of ``pairs``, whole samples being corrected."""
        if not self.model.corrections:
            return [self.model.marginal(pair) for pair in pairs]
        rows = max(round(self.model.total), 1) * _ROWS
        drawn = self.model.sample(rows, np.random.default_rng(_SEED))
        domain = self.model.domain
        found: list[Array] = []
        for pair in pairs:
            cells = np.ravel_multi_index([drawn[name] for name in pair], domain.shape(pair))
            counts = np.bincount(cells, minlength=domain.size(pair)).astype(np.float64)
            found.append(counts.reshape(domain.shape(pair)) * (self.model.total / rows))
        return found


def fitted(
    domain: Domain,
    graph: GrowingGraph,
    columns: Mapping[str, Known],
    histograms: Mapping[str, NoisyTable],
    answers: Sequence[NoisyTable],
    *,
    total: float,
    outside: bool,
    prior: PublicPrior | None,
) -> Fitted:
    """Fit everything that was answered.

    Args:
        domain: of merged codes.
        graph: which tables the junction tree takes in.
        columns: what is known of each column that can vary: its merged codes are kept.
        histograms: of the same.
        answers: more histograms, over all codes, and pair tables, over merged ones.
        total: number of rows.
        outside: whether samples are to follow the tables that the tree does not take in.
        prior: what was known before.
    """
    again = {
        name: pooled([table, *(more for more in answers if more.clique == (name,))])
        for name, table in histograms.items()
    }
    asked = pooled_by_clique(domain, [table for table in answers if len(table.clique) > 1])
    better, pairs = reconciled(again, groups_of(columns), asked)
    known = {
        name: each.again(better[name], total, ordered=name in domain.ordered, prior=prior)
        for name, each in columns.items()
    }
    base = {
        name: known[name].rows if name in known else np.full(size, total / size)
        for name, size in domain.sizes.items()
    }
    inside = [table for table in pairs if graph.holds(table.clique)]
    model = fit_cliques(
        domain,
        [*(each.table for each in known.values()), *inside],
        cliques=graph.cliques,
        base=base,
        total=total,
        penalty=_PENALTY,
        column_penalty=_COLUMN_PENALTY,
        precision=_PRECISION,
        adapt=True,
        roughness=_ROUGHNESS,
        ordered={name: each.in_order for name, each in known.items()},
        relations=relations(prior, graph, domain, groups_of(known)),
    ).model
    if pairs and outside:
        model = replace(model, corrections=corrections(model, pairs, graph))
    return Fitted(model=model, columns=known, histograms=better)


def groups_of(columns: Mapping[str, Known]) -> dict[str, NDArray[np.int64]]:
    """Return the merged code of each code, by column."""
    return {name: each.coarsening.groups for name, each in columns.items()}
