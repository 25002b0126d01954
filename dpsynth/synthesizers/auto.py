"""auto: every pair scored once, the best tables measured once, one convex fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dpsynth import _validate
from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.errors import UnknownNameError
from dpsynth.models.graphical.convex import fit_cliques, pooled_by_clique
from dpsynth.models.graphical.estimation import pooled
from dpsynth.models.graphical.reconciling import reconciled
from dpsynth.models.graphical.spectral import sharpened
from dpsynth.models.graphical.tables import Array, NoisyTable, estimate_total, regrouped
from dpsynth.models.graphical.tree import Clique
from dpsynth.models.graphical.triangulation import GrowingGraph
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.queries import MarginalErrorQuery, MarginalQuery
from dpsynth.synthesizers.base import MOST_CELLS, Learned, Step
from dpsynth.synthesizers.compression import most_levels
from dpsynth.synthesizers.costs import Read, one_way_reads
from dpsynth.synthesizers.facade import Synthesizer
from dpsynth.synthesizers.gain import share_units, unit_levels
from dpsynth.synthesizers.loom_bill import RESOLUTION, SCORES, Bill
from dpsynth.synthesizers.loom_columns import Known, known, rare_below
from dpsynth.synthesizers.loom_corrections import corrections
from dpsynth.synthesizers.loom_effort import Effort, effort_called, effort_for
from dpsynth.synthesizers.loom_forecast import (
    Forecast,
    best_resolutions,
    column_gains,
    likely_distances,
    resolutions,
)
from dpsynth.synthesizers.one_way import PHASE, as_table
from dpsynth.synthesizers.prior import (
    PublicPrior,
    expected_pairs,
    plant,
    relations,
    require_prior,
)
from dpsynth.zeros import alike

_OUTSIDE_NOISE = 2.0  # by which the noise of a table outside the tree counts more
# Chosen on seeds 0 to 9 of adult_discrete, RAND HIE, flchain and covid_testing; reported on others.
_PENALTY = 0.55  # of the fit, in the unit of models/graphical/convex.py: tables of two columns
_COLUMN_PENALTY = 0.8  # tables of one column
_ROUGHNESS = 0.02  # differences of neighbors along ordered columns
_PRECISION = 0.007  # of what noise alone brings about, at which the fit stops


@dataclass(frozen=True, kw_only=True)
class Auto(Synthesizer):
    """Synthesize from noisy histograms and whichever noisy pair tables promise most.

    Three phases: a histogram of every column, smoothed, its rare codes merged; the distances of
    all pairs from independence, released at once; equal answers, each a noisy pair table, whose
    number is fixed and whose questions the noisy distances decide. A table asked for m times is
    known with an m-th of the noise; neighboring codes of ordered columns are asked about in
    blocks, and histograms once more, where that promises more. Tables that a junction tree of
    limited size can hold are fitted by one convex program; samples are re-weighted to the others.

    Args:
        target: a column whose relations to the others count ``target_weight`` times.
        target_weight: how many times.
        effort: "fast", "default" or "thorough": how large the junction tree may grow, and whether
            tables outside it are asked for. "fast" from 400 declared columns on, else "default",
            where not given. The bill is the same.
        most_cells: of the junction tree's tables together; the effort's where not given.
        one_way_share: share of the budget for the histograms, in (0, 1); by rho where not given.
        selection_share: share for the distances, in (0, 1); the tables get the rest.
        units_per_column: how many answers there are for every column that can vary.
        rake: whether tables outside the junction tree may be asked for, and samples are drawn to
            follow all tables up to whole rows; never with the effort "fast".
        prior: what was known before, from public data.
    """

    name: ClassVar[str] = "auto"
    solves: ClassVar[bool] = True
    target: str | None = None
    target_weight: int = 4
    effort: str | None = None
    most_cells: int | None = None
    one_way_share: Fraction | None = None
    selection_share: Fraction = Fraction(1, 32)
    units_per_column: int = 24
    rake: bool = True
    prior: PublicPrior | None = None

    def __post_init__(self) -> None:
        counts = {"target_weight": self.target_weight, "units_per_column": self.units_per_column}
        if self.most_cells is not None:
            counts["most_cells"] = self.most_cells
        if self.effort is not None:
            effort_called(self.effort)
        one_way = self.one_way_share if self.one_way_share is not None else Fraction(1, 10)
        shares = {"one_way_share": one_way, "selection_share": self.selection_share}
        _validate.exact(**counts, **shares)
        _validate.positive(**counts)
        _validate.at_most(MOST_CELLS, most_cells=counts.get("most_cells", 1))
        _validate.flags(rake=self.rake)
        _validate.in_open_unit(**shares, both_shares=one_way + self.selection_share)
        require_prior(self.prior)

    def steps(self, domain: Domain, *, unit: PrivacyUnit, rho: Fraction) -> tuple[Step, ...]:
        """List the charges of ``learn``, from public facts alone; they add up to ``rho``."""
        return self._bill(domain, unit, rho).steps()

    def learn(self, curator: Curator, *, rho: Fraction, planned: Domain | None = None) -> Learned:
        """Spend exactly ``rho``, as ``steps`` said, and return the fitted model."""
        declared = planned or curator.domain
        bill = self._bill(declared, curator.unit, rho)
        effort = self._effort(declared)
        histograms = bill.one_way.measure(curator)
        total = estimate_total(list(histograms.values()))
        levels = most_levels(curator.domain)
        ordered = curator.domain.ordered
        rare = rare_below(rho)
        columns = {
            name: known(
                table,
                total,
                ordered=name in ordered,
                rare=rare,
                levels=levels,
                merging=alike(curator.domain, name),
                prior=self.prior,
            )
            for name, table in histograms.items()
        }
        forecast = None
        if bill.scoring is not None and bill.measuring is not None:
            forecast, groups = self._forecast(curator, bill, columns, total)
            best = best_resolutions(forecast, unit_levels(bill.units), units=bill.units)
            columns = {name: columns[name].merged(groups[name][at]) for name, at in best.items()}
        coarse = curator.coarsened({n: each.coarsening.groups for n, each in columns.items()})
        graph = GrowingGraph(
            coarse.domain,
            most_cells=max(effort.most_cells, sum(coarse.domain.sizes.values())),
            most_clique_cells=max(effort.most_cells // 5, max(coarse.domain.sizes.values())),
        )
        plant(self.prior, graph)
        answers: list[NoisyTable] = []
        raw = _merged(histograms, columns)
        if forecast is not None and bill.measuring is not None:
            chosen = self._choose(
                forecast, best, bill, graph, columns, histograms, outside=effort.outside
            )
            again = _ask(curator, {who: n for who, n in chosen.items() if len(who) == 1}, bill)
            answers = _ask(coarse, {who: n for who, n in chosen.items() if len(who) == 2}, bill)
            histograms = {
                name: pooled([table, *(more for more in again if more.clique == (name,))])
                for name, table in histograms.items()
            }
            raw = [*_merged(histograms, columns), *pooled_by_clique(coarse.domain, answers)]
            histograms, answers = reconciled(
                histograms, _groups(columns), pooled_by_clique(coarse.domain, answers)
            )
            answers = [sharpened(table) for table in answers]
            columns = {
                name: each.again(histograms[name], total, ordered=name in ordered, prior=self.prior)
                for name, each in columns.items()
            }
        base = {
            name: columns[name].rows if name in columns else np.full(size, total / size)
            for name, size in coarse.domain.sizes.items()
        }
        tables = [each.table for each in columns.values()]
        pairs = pooled_by_clique(coarse.domain, answers)
        inside = [table for table in pairs if graph.holds(table.clique)]
        model = fit_cliques(
            coarse.domain,
            [*tables, *inside],
            cliques=graph.cliques,
            base=base,
            total=total,
            penalty=_PENALTY,
            column_penalty=_COLUMN_PENALTY,
            precision=_PRECISION,
            adapt=True,
            roughness=_ROUGHNESS,
            ordered={name: each.in_order for name, each in columns.items()},
            relations=relations(self.prior, graph, coarse.domain, _groups(columns)),
        ).model
        model = replace(model, measured=raw)
        if pairs and effort.outside:
            model = replace(model, corrections=corrections(model, pairs, graph))
        return Learned(model=model, coarsenings={n: each.coarsening for n, each in columns.items()})

    def reads(self, domain: Domain, steps: Sequence[Step]) -> tuple[Read, ...]:
        """Return what a fit asks of the rows: histograms, all pairs once, and some of both."""
        histograms, pairs = one_way_reads(domain, steps, PHASE), Read.pairs(domain)
        if not pairs.cells:
            return histograms
        varied = sum(size > 1 for size in domain.sizes.values())
        units = self.units_per_column * varied
        again = Read.of(domain, [(name,) for name in domain.columns])
        return (*histograms, pairs, again, Read.likely(domain, pairs=max(units - varied, 1)))

    def model_cells(self, domain: Domain) -> int:
        """Return how many cells the tables of a model may have together."""
        return self._effort(domain).most_cells

    def _forecast(
        self, curator: Curator, bill: Bill, columns: Mapping[str, Known], total: float
    ) -> tuple[Forecast, dict[str, list[NDArray[np.int64]]]]:
        """Ask for all distances; return what follows, and the groupings there are by column."""
        assert bill.scoring is not None
        assert bill.measuring is not None
        coarse = curator.coarsened({n: each.coarsening.groups for n, each in columns.items()})
        pairs = list(combinations(bill.columns, 2))
        tables = {name: each.table for name, each in columns.items()}
        expected = expected_pairs(
            self.prior, pairs, tables, _groups(columns), coarse.domain, total=total
        )
        query = MarginalErrorQuery(
            cliques=tuple(pairs),
            references=tuple(
                np.rint(table * RESOLUTION).astype(np.int64).ravel() for table in expected
            ),
            resolution=RESOLUTION,
            domain=coarse.domain,
        )
        noisy = coarse.score(query, bill.scoring, label=SCORES) / RESOLUTION
        noise = float(bill.scoring.sigma_squared) ** 0.5 / RESOLUTION
        found = {name: resolutions(columns[name]) for name in bill.columns}
        forecast = Forecast(
            pairs=pairs,
            distances=likely_distances(noisy, noise, total=total, answers=bill.units),
            weights=np.array(
                [self.target_weight if self.target in pair else 1 for pair in pairs],
                dtype=np.float64,
            ),
            variances=float(bill.measuring.sigma_squared) / unit_levels(bill.units)[1:],
            total=total,
            profiles={name: [profile for _, profile in each] for name, each in found.items()},
        )
        return forecast, {name: [groups for groups, _ in each] for name, each in found.items()}

    def _choose(
        self,
        forecast: Forecast,
        best: Mapping[str, int],
        bill: Bill,
        graph: GrowingGraph,
        columns: Mapping[str, Known],
        histograms: Mapping[str, NoisyTable],
        *,
        outside: bool,
    ) -> dict[Clique, int]:
        """Return how many units each pair and each column gets, and let ``graph`` grow."""
        levels = unit_levels(bill.units)
        even = int(np.searchsorted(levels, max(1, bill.units // max(len(bill.columns), 8)))) - 1
        pairs = forecast.pairs
        gains = forecast.gains_of(range(len(pairs)), best)
        weights = dict.fromkeys(bill.columns, 0.0)
        for pair, weight in zip(pairs, forecast.weights, strict=True):
            for name in pair:
                weights[name] += float(weight)
        chosen: dict[Clique, Array] = {
            (name,): column_gains(
                columns[name],
                histograms[name],
                weight=weights[name],
                variances=forecast.variances,
            )
            for name in bill.columns
        }
        # There are no answers for more pairs than this.
        ranked = np.argsort(-gains[:, even], kind="stable")[: bill.units].tolist()
        beyond = []
        for at in (at for at in ranked if gains[at, even] > 0):
            if graph.join(pairs[at]):
                chosen[pairs[at]] = gains[at]
            elif outside:
                beyond.append(at)
        left = forecast.gains_of(beyond, best, noise=_OUTSIDE_NOISE)
        chosen.update(zip((pairs[at] for at in beyond), left, strict=True))
        table = np.array([[0.0, *each] for each in chosen.values()])
        units = share_units(table, levels, units=bill.units)
        return {who: int(n) for who, n in zip(chosen, units, strict=True) if n}

    def _effort(self, domain: Domain) -> Effort:
        """Return what public facts and settings allow a fit."""
        found = effort_called(self.effort) if self.effort else effort_for(domain)
        return Effort(
            most_cells=self.most_cells or found.most_cells, outside=found.outside and self.rake
        )

    def _bill(self, domain: Domain, unit: PrivacyUnit, rho: Fraction) -> Bill:
        """Fix every scale."""
        if self.target is not None and self.target not in domain.sizes:
            raise UnknownNameError(f"target names no column: {self.target!r}")
        if self.prior is not None:
            self.prior.require_fits(domain)
        return Bill.split(
            domain,
            unit=unit,
            rho=rho,
            one_way_share=self.one_way_share,
            selection_share=self.selection_share,
            units_per_column=self.units_per_column,
        )


def _groups(columns: Mapping[str, Known]) -> dict[str, NDArray[np.int64]]:
    return {name: each.coarsening.groups for name, each in columns.items()}


def _merged(histograms: Mapping[str, NoisyTable], columns: Mapping[str, Known]) -> list[NoisyTable]:
    """Write histograms over the groups of codes that the model works on."""
    return [regrouped(table, columns[name].coarsening.groups) for name, table in histograms.items()]


def _ask(curator: Curator, units: Mapping[Clique, int], bill: Bill) -> list[NoisyTable]:
    """Fill as many slots with each table as it has units."""
    assert bill.measuring is not None
    queries = [
        MarginalQuery(clique=clique, domain=curator.domain)
        for clique, count in units.items()
        for _ in range(count)
    ]
    return [as_table(answer) for answer in curator.measure(queries, bill.measuring)]
