"""A model that is fitted anew as answers come in, and what it should be asked next."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import reduce
from math import pi, sqrt

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.models.graphical.answers import expected_tables
from dpsynth.models.graphical.convex import CliqueFit, fit_cliques, pooled_by_clique
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.models.graphical.propagation import canonical_order
from dpsynth.models.graphical.tables import Array, NoisyTable
from dpsynth.models.graphical.tree import Clique
from dpsynth.models.graphical.triangulation import GrowingGraph
from dpsynth.privacy.queries import MarginalErrorQuery
from dpsynth.synthesizers.loom_columns import Known
from dpsynth.synthesizers.loom_corrections import corrections
from dpsynth.synthesizers.prior import PublicPrior, plant, relations

RESOLUTION = 64  # how finely a reference states fractions of a row
# Chosen on seeds 0 to 7 of adult_discrete, RAND HIE, flchain and covid_testing; reported on others.
_NOISE_LEFT = 0.3  # of a table's noise, that the fit does not shrink away
_PENALTY = 0.7  # of the fit, in the unit of models/graphical/convex.py: tables of two and more
_COLUMN_PENALTY = 1.5  # tables of one column
_ROUGHNESS = 0.2  # differences of neighbors along ordered columns
_PRECISION = 0.01  # of what noise alone brings about, at which the last fit stops
_ROUGH = 0.1  # the same for the fits between rounds,
_FEW_STEPS = 30  # which take no more steps than this
_MOST_STEPS = 300
_MOST_CELLS = 1 << 20  # of a table on the way to what the model expects of three and more columns


class RoundModel:
    """A fitted model of released answers, and the graph of columns that it may grow over.

    Args:
        domain: the columns, their rare codes merged.
        known: what a histogram says of each column; one that is missing is taken as even.
        total: number of rows, estimated with noise.
        most_cells: of the junction tree's tables together.
        prior: what was known of pairs before.
    """

    def __init__(
        self,
        domain: Domain,
        known: Mapping[str, Known],
        *,
        total: float,
        most_cells: int,
        prior: PublicPrior | None = None,
    ) -> None:
        self._domain = domain
        self._columns = [each.table for each in known.values()]
        self._total = total
        self._base = {
            name: known[name].rows if name in known else np.full(size, total / size)
            for name, size in domain.sizes.items()
        }
        self._in_order = {name: each.in_order for name, each in known.items()}
        self.graph = GrowingGraph(
            domain,
            most_cells=max(most_cells, sum(domain.sizes.values())),
            most_clique_cells=max(most_cells // 5, max(domain.sizes.values())),
        )
        plant(prior, self.graph)
        groups = {name: each.coarsening.groups for name, each in known.items()}
        self._relations = relations(prior, self.graph, domain, groups)
        self._refused: set[Clique] = set()
        self._answers: list[NoisyTable] = []
        self._references: dict[Clique, NDArray[np.int64]] = {}
        self._fitted: CliqueFit = self._fit(last=False, start=None)

    def errors(
        self, weights: Mapping[Clique, int], *, stddev: float, tolerance: float
    ) -> MarginalErrorQuery:
        """Ask how much there is to gain from each candidate: its distance, less expected noise.

        A reference stays where the model's answer has hardly moved: the curator then neither
        counts nor compares that candidate again. It stays too where columns lie so far apart in the
        junction tree that the answer would take too large a table.

        Args:
            weights: candidates, each with its weight.
            stddev: of the noise in a cell of the answer.
            tolerance: in rows, by which an answer may have moved in all its cells together.
        """
        expected = self._expected(list(weights))
        self._follow_answers(expected)
        for clique, table in expected.items():
            reference = np.rint(table * RESOLUTION).astype(np.int64).ravel()
            kept = self._references.get(clique)
            if kept is None or np.abs(reference - kept).sum() > tolerance * RESOLUTION:
                self._references[clique] = reference
        noise = _NOISE_LEFT * sqrt(2 / pi) * stddev * RESOLUTION
        return MarginalErrorQuery(
            cliques=tuple(weights),
            references=tuple(self._references[clique] for clique in weights),
            resolution=RESOLUTION,
            domain=self._domain,
            weights=tuple(weights.values()),
            offsets=tuple(
                -weight * round(noise * self._domain.size(clique))
                for clique, weight in weights.items()
            ),
        )

    def _expected(self, cliques: Sequence[Clique]) -> dict[Clique, Array]:
        """Return what the model expects; of columns too far apart, if never asked before, apart."""
        model = self._fitted.model
        far = {
            clique
            for clique in cliques
            if len(clique) > 2 and model.cells_on_the_way(clique) > _MOST_CELLS
        }
        found = expected_tables(model, [clique for clique in cliques if clique not in far])
        for clique in sorted(far.difference(self._references)):
            shares = (model.marginal((name,)) / model.total for name in clique)
            found[clique] = model.total * reduce(np.multiply.outer, shares)
        return found

    def usable(
        self, cliques: Sequence[Clique], numbers: Sequence[int], *, anywhere: bool
    ) -> list[int]:
        """Return those of ``numbers`` whose cliques the junction tree holds or can take in.

        Pairs are usable everywhere where ``anywhere`` is set. All are returned where none is
        usable: what was planned is asked for, whatever it is good for.
        """
        found = [
            number
            for number in numbers
            if (anywhere and len(cliques[number]) == 2) or self._takes(cliques[number])
        ]
        return found or list(numbers)

    def refit(self, answers: Sequence[NoisyTable], *, last: bool) -> None:
        """Fit to all answers so far, from where the last fit ended."""
        self._answers += answers
        self._fitted = self._fit(last=last, start=self._fitted.factors)

    def finished(self, *, raked: bool, histograms: Sequence[NoisyTable] = ()) -> GraphicalModel:
        """Return the model; where ``raked``, with what the junction tree cannot hold.

        Args:
            raked: whether samples are to follow tables outside the tree.
            histograms: as they were measured, over the model's codes, to be kept with the answers.
        """
        tables = self._pooled()
        model = replace(self._fitted.model, measured=[*histograms, *tables])
        if not raked or all(self.graph.holds(table.clique) for table in tables):
            return model
        return replace(model, corrections=corrections(model, tables, self.graph))

    def _pooled(self) -> list[NoisyTable]:
        return pooled_by_clique(self._domain, self._answers)

    def _fit(self, *, last: bool, start: Mapping[Clique, Array] | None) -> CliqueFit:
        inside = [table for table in self._pooled() if self.graph.holds(table.clique)]
        return fit_cliques(
            self._domain,
            [*self._columns, *inside],
            cliques=self.graph.cliques,
            base=self._base,
            total=self._total,
            penalty=_PENALTY,
            column_penalty=_COLUMN_PENALTY,
            roughness=_ROUGHNESS,
            ordered=self._in_order,
            precision=_PRECISION if last else _ROUGH,
            start=start,
            most_steps=_MOST_STEPS if last else _FEW_STEPS,
            relations=self._relations,
        )

    def _takes(self, clique: Clique) -> bool:
        if self.graph.holds(clique):
            return True
        if clique not in self._refused and deepcopy(self.graph).join(clique):
            return True
        self._refused.add(clique)  # the tree only grows
        return False

    def _follow_answers(self, expected: dict[Clique, Array]) -> None:
        """Let what was measured beyond the junction tree count as known: samples will follow it."""
        outside = {
            table.clique: table for table in self._pooled() if not self.graph.holds(table.clique)
        }
        for clique in expected if outside else ():
            ordered = canonical_order(self._domain, clique)
            if ordered in outside:
                axes = [ordered.index(name) for name in clique]
                answer = outside[ordered]
                expected[clique] = _toward(
                    expected[clique], answer.values.transpose(axes), float(answer.variance.max())
                )


def _toward(expected: Array, measured: Array, variance: float) -> Array:
    """Move a table toward a noisy one, by as much as the noise lets its deviations be believed.

    As if deviations were normal with variance in proportion to the expected rows; the proportion
    is estimated from the table itself.
    """
    deviation = measured - expected
    deviation = deviation - deviation.mean()
    excess = max(float((deviation**2).sum()) - variance * deviation.size, 0.0)
    prior = excess * expected / float(expected.sum())
    return np.asarray(np.maximum(expected + deviation * (prior / (prior + variance)), 0.0))
