"""direct: one noisy histogram over the whole table, where it has few combinations of codes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from typing import ClassVar

import numpy as np

from dpsynth import _validate
from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.errors import UsageError
from dpsynth.models.graphical.convex import fit_cliques
from dpsynth.models.graphical.denoise import smooth_histogram, smooth_ordered, smoothing_factor
from dpsynth.models.graphical.estimation import project_to_simplex
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.models.graphical.tables import NoisyTable, estimate_total
from dpsynth.models.graphical.tree import Clique
from dpsynth.models.graphical.triangulation import GrowingGraph
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.mechanisms import DiscreteGaussian
from dpsynth.privacy.queries import MarginalQuery
from dpsynth.synthesizers.base import MOST_CELLS, Learned, Step
from dpsynth.synthesizers.costs import Read
from dpsynth.synthesizers.facade import Synthesizer
from dpsynth.synthesizers.one_way import as_table
from dpsynth.synthesizers.prior import PublicPrior, informed, relations, require_prior

# As for auto; chosen on few columns of adult_discrete, RAND HIE and flchain, seeds 0 to 2.
_PENALTY = 0.7  # of the fit, in the unit of models/graphical/convex.py: tables of two and more
_COLUMN_PENALTY = 1.5  # tables of one column
_ROUGHNESS = 0.2  # differences of neighbors along ordered columns
_PRECISION = 0.01  # of what noise alone brings about, at which the fit stops


@dataclass(frozen=True, kw_only=True)
class Direct(Synthesizer):
    """Synthesize from one noisy count of every combination of codes.

    For tables of few combinations: nothing but noise stands between the rows and the model, so
    that relations of any number of columns are kept. The noisy table is made non-negative and
    consistent by one convex fit: relations of all columns shrink toward what pairs of columns say,
    pairs toward what columns say, and columns are smoothed, each as far as its noise asks for.

    Args:
        most_cells: combinations of codes that the declared columns may have at most.
        prior: what was known before, from public data.
    """

    name: ClassVar[str] = "direct"
    most_cells: int = 200_000
    prior: PublicPrior | None = None

    def __post_init__(self) -> None:
        _validate.exact(most_cells=self.most_cells)
        _validate.positive(most_cells=self.most_cells)
        _validate.at_most(MOST_CELLS, most_cells=self.most_cells)
        require_prior(self.prior)

    def steps(self, domain: Domain, *, unit: PrivacyUnit, rho: Fraction) -> tuple[Step, ...]:
        """List the one charge of ``learn``, from public facts alone; it comes to ``rho``.

        Raises:
            UsageError: the declared columns have too many combinations of codes.
        """
        self._require_fit(domain)
        query = _query(domain)
        event = _mechanism(query, unit, rho).event(
            l2_sensitivity_squared=query.l2_sensitivity_squared(unit)
        )
        return (Step(phase="joint table", label=query.label, event=event),)

    def learn(self, curator: Curator, *, rho: Fraction, planned: Domain | None = None) -> Learned:
        """Spend exactly ``rho``, as ``steps`` said, and return the fitted table."""
        self._require_fit(planned or curator.domain)
        query = _query(curator.domain)
        (answer,) = curator.measure([query], _mechanism(query, curator.unit, rho))
        joint = as_table(answer)
        model = replace(_fitted(curator.domain, joint, self.prior), measured=[joint])
        return Learned(model=model, coarsenings={})

    def reads(self, domain: Domain, steps: Sequence[Step]) -> tuple[Read, ...]:
        """Return what a fit asks of the rows: one table."""
        del steps
        return (Read.of(domain, [domain.columns]),)

    def model_cells(self, domain: Domain) -> int:
        """Return how many cells the tables of a model may have together."""
        return domain.size(domain.columns)

    def _require_fit(self, domain: Domain) -> None:
        cells = domain.size(domain.columns)
        if cells > self.most_cells:
            raise UsageError(
                f"direct counts every combination of codes, {self.most_cells} at most, and the "
                f"declared columns have {cells}; leave columns out, declare coarser bins, or take "
                "another synthesizer, such as auto"
            )
        if self.prior is not None:
            self.prior.require_fits(domain)


def _query(domain: Domain) -> MarginalQuery:
    """Ask about all columns that can vary; about one where none can."""
    varied = tuple(name for name in domain.columns if domain.sizes[name] > 1)
    return MarginalQuery(clique=varied or domain.columns[:1], domain=domain)


def _mechanism(query: MarginalQuery, unit: PrivacyUnit, rho: Fraction) -> DiscreteGaussian:
    return DiscreteGaussian(sigma_squared=query.l2_sensitivity_squared(unit) / (2 * rho))


def _fitted(domain: Domain, joint: NoisyTable, prior: PublicPrior | None) -> GraphicalModel:
    total = estimate_total([joint])
    columns = [
        informed(
            prior,
            _smoothed(_onto(joint, (name,)), total, ordered=name in domain.ordered),
            total=total,
        )
        for name in joint.clique
    ]
    base = {name: np.full(size, total / size) for name, size in domain.sizes.items()}
    base |= {table.clique[0]: table.values for table in columns}
    tables = [_onto(joint, pair) for pair in combinations(joint.clique, 2)]
    if len(joint.clique) > 2:
        tables.append(joint)
    return fit_cliques(
        domain,
        [*columns, *tables],
        cliques=[joint.clique, *((name,) for name in domain.columns if name not in joint.clique)],
        base=base,
        total=total,
        penalty=_PENALTY,
        column_penalty=_COLUMN_PENALTY,
        roughness=_ROUGHNESS,
        ordered={name: domain.sizes[name] for name in domain.ordered},
        precision=_PRECISION,
        relations=relations(prior, _held(domain, joint.clique), domain, {}),
    ).model


def _held(domain: Domain, clique: Clique) -> GrowingGraph:
    """Return the graph in which these columns are all joined."""
    cells = domain.size(clique) + sum(domain.sizes.values())
    graph = GrowingGraph(domain, most_cells=cells, most_clique_cells=cells)
    graph.join(clique)
    return graph


def _onto(table: NoisyTable, clique: Clique) -> NoisyTable:
    """Sum the other columns out: the noise of the cells adds up."""
    axes = tuple(axis for axis, name in enumerate(table.clique) if name not in clique)
    return NoisyTable(
        clique=clique, values=table.values.sum(axes), variance=table.variance.sum(axes)
    )


def _smoothed(table: NoisyTable, total: float, *, ordered: bool) -> NoisyTable:
    stddev = float(np.sqrt(table.variance.max()))
    raw = table.values
    smooth = smooth_ordered(raw, stddev) if ordered else smooth_histogram(raw, stddev)
    rows = project_to_simplex(smooth, np.ones(raw.size), total=total)
    factor = smoothing_factor(raw, smooth)
    return NoisyTable(clique=table.clique, values=rows, variance=table.variance * factor)
