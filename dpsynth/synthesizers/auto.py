"""auto: every pair scored once, the best tables measured once, one convex fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from typing import ClassVar

import numpy as np

from dpsynth import _validate
from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.errors import UnknownNameError
from dpsynth.models.graphical.tables import Array, NoisyTable, estimate_total
from dpsynth.models.graphical.tree import Clique
from dpsynth.models.graphical.triangulation import GrowingGraph
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.queries import MarginalErrorQuery, MarginalQuery
from dpsynth.synthesizers.base import MOST_CELLS, Learned, Step
from dpsynth.synthesizers.compression import most_levels
from dpsynth.synthesizers.facade import Synthesizer
from dpsynth.synthesizers.gain import share_units, unit_levels
from dpsynth.synthesizers.loom_bill import RESOLUTION, SCORES, Bill
from dpsynth.synthesizers.loom_columns import Known, known, rare_below
from dpsynth.synthesizers.loom_effort import Effort, effort_called, effort_for
from dpsynth.synthesizers.loom_fit import Fitted, fitted, groups_of
from dpsynth.synthesizers.loom_forecast import (
    Forecast,
    Profile,
    best_resolutions,
    column_gains,
    likely_distances,
    resolutions,
)
from dpsynth.synthesizers.one_way import as_table
from dpsynth.synthesizers.prior import (
    PublicPrior,
    expected_pairs,
    plant,
    require_prior,
)
from dpsynth.zeros import alike

_OUTSIDE_NOISE = 2.0  # by which the noise of a table outside the tree counts more


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
            where not given. The bill is the same, but that "thorough" holds a fifth of the answers
            back for a second round where rho is at least 1/1000: all pairs are then scored once
            more, against the model fitted so far.
        most_cells: of the junction tree's tables together; the effort's where not given.
        one_way_share: share of the budget for the histograms, in (0, 1); by rho where not given.
        selection_share: share for the distances of one round, in (0, 1/2); the tables get the rest.
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
    units_per_column: int = 12
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
        _validate.in_open_unit(**shares, all_shares=one_way + 2 * self.selection_share)
        require_prior(self.prior)

    def steps(self, domain: Domain, *, unit: PrivacyUnit, rho: Fraction) -> tuple[Step, ...]:
        """List the charges of ``learn``, from public facts alone; they add up to ``rho``."""
        return self._bill(domain, unit, rho).steps()

    def learn(self, curator: Curator, *, rho: Fraction, planned: Domain | None = None) -> Learned:
        """Spend exactly ``rho``, as ``steps`` said, and return the fitted model."""
        declared = planned or curator.domain
        bill, effort = self._bill(declared, curator.unit, rho), self._effort(declared)
        histograms: Mapping[str, NoisyTable] = bill.one_way.measure(curator)
        total = estimate_total(list(histograms.values()))
        columns: Mapping[str, Known] = self._known(curator.domain, histograms, rho, total)
        merged = curator.coarsened(groups_of(columns))
        pairs = list(combinations(bill.columns, 2))
        forecast, best = None, dict.fromkeys(bill.columns, 0)
        if bill.units:
            expected = expected_pairs(
                self.prior,
                pairs,
                {name: each.table for name, each in columns.items()},
                groups_of(columns),
                merged.domain,
                total=total,
            )
            found = {name: resolutions(columns[name]) for name in bill.columns}
            profiles = {name: [profile for _, profile in each] for name, each in found.items()}
            forecast = self._forecast(merged, bill, 0, expected, profiles, total)
            best = best_resolutions(forecast, unit_levels(bill.units[0]), units=bill.units[0])
            columns = {name: columns[name].merged(found[name][at][0]) for name, at in best.items()}
        coarse = curator.coarsened(groups_of(columns))
        graph = GrowingGraph(
            coarse.domain,
            most_cells=max(effort.most_cells, sum(coarse.domain.sizes.values())),
            most_clique_cells=max(effort.most_cells // 5, max(coarse.domain.sizes.values())),
        )
        plant(self.prior, graph)

        def fit(answers: Sequence[NoisyTable]) -> Fitted:
            return fitted(
                coarse.domain,
                graph,
                columns,
                histograms,
                answers,
                total=total,
                outside=effort.outside,
                prior=self.prior,
            )

        answers: list[NoisyTable] = []
        last: Fitted | None = None
        for number, units in enumerate(bill.units):
            if last is not None:
                alone = {n: [Profile.of(each.rows, lost=0.0)] for n, each in last.columns.items()}
                best = dict.fromkeys(alone, 0)
                expected = last.expected(pairs)
                forecast = self._forecast(coarse, bill, number, expected, alone, total)
            assert forecast is not None
            chosen = self._choose(
                forecast,
                best,
                graph,
                last.columns if last else columns,
                last.histograms if last else histograms,
                units=units,
                outside=effort.outside,
            )
            answers += _ask(curator, {who: n for who, n in chosen.items() if len(who) == 1}, bill)
            answers += _ask(coarse, {who: n for who, n in chosen.items() if len(who) == 2}, bill)
            last = fit(answers)
        last = last or fit(answers)
        return Learned(
            model=last.model, coarsenings={n: each.coarsening for n, each in last.columns.items()}
        )

    def _known(
        self, domain: Domain, histograms: Mapping[str, NoisyTable], rho: Fraction, total: float
    ) -> dict[str, Known]:
        """Return what histograms say of the columns, rare codes merged."""
        return {
            name: known(
                table,
                total,
                ordered=name in domain.ordered,
                rare=rare_below(rho),
                levels=most_levels(domain),
                merging=alike(domain, name),
                prior=self.prior,
            )
            for name, table in histograms.items()
        }

    def _forecast(
        self,
        curator: Curator,
        bill: Bill,
        number: int,
        expected: Sequence[Array],
        profiles: Mapping[str, Sequence[Profile]],
        total: float,
    ) -> Forecast:
        """Ask how far all pairs are from what is expected of them; return what follows."""
        assert bill.scoring is not None
        assert bill.measuring is not None
        pairs = list(combinations(bill.columns, 2))
        query = MarginalErrorQuery(
            cliques=tuple(pairs),
            references=tuple(
                np.rint(table * RESOLUTION).astype(np.int64).ravel() for table in expected
            ),
            resolution=RESOLUTION,
            domain=curator.domain,
        )
        noisy = curator.score(query, bill.scoring, label=SCORES[number]) / RESOLUTION
        noise = float(bill.scoring.sigma_squared) ** 0.5 / RESOLUTION
        units = bill.units[number]
        return Forecast(
            pairs=pairs,
            distances=likely_distances(noisy, noise, total=total, answers=sum(bill.units)),
            weights=np.array(
                [self.target_weight if self.target in pair else 1 for pair in pairs],
                dtype=np.float64,
            ),
            variances=float(bill.measuring.sigma_squared) / unit_levels(units)[1:],
            total=total,
            profiles=profiles,
        )

    def _choose(
        self,
        forecast: Forecast,
        best: Mapping[str, int],
        graph: GrowingGraph,
        columns: Mapping[str, Known],
        histograms: Mapping[str, NoisyTable],
        *,
        units: int,
        outside: bool,
    ) -> dict[Clique, int]:
        """Return how many units each pair and each column gets, and let ``graph`` grow."""
        levels = unit_levels(units)
        even = int(np.searchsorted(levels, max(1, units // max(len(best), 8)))) - 1
        pairs = forecast.pairs
        gains = forecast.gains_of(range(len(pairs)), best)
        weights = dict.fromkeys(best, 0.0)
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
            for name in best
        }
        # There are no answers for more pairs than this.
        ranked = np.argsort(-gains[:, even], kind="stable")[:units].tolist()
        beyond = []
        for at in (at for at in ranked if gains[at, even] > 0):
            if graph.join(pairs[at]):
                chosen[pairs[at]] = gains[at]
            elif outside:
                beyond.append(at)
        left = forecast.gains_of(beyond, best, noise=_OUTSIDE_NOISE)
        chosen.update(zip((pairs[at] for at in beyond), left, strict=True))
        table = np.array([[0.0, *each] for each in chosen.values()])
        shared = share_units(table, levels, units=units)
        return {who: int(n) for who, n in zip(chosen, shared, strict=True) if n}

    def _effort(self, domain: Domain) -> Effort:
        """Return what public facts and settings allow a fit."""
        found = effort_called(self.effort) if self.effort else effort_for(domain)
        return replace(
            found,
            most_cells=self.most_cells or found.most_cells,
            outside=found.outside and self.rake,
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
            rounds=self._effort(domain).rounds(rho),
        )


def _ask(curator: Curator, units: Mapping[Clique, int], bill: Bill) -> list[NoisyTable]:
    """Fill as many slots with each table as it has units."""
    assert bill.measuring is not None
    queries = [
        MarginalQuery(clique=clique, domain=curator.domain)
        for clique, count in units.items()
        for _ in range(count)
    ]
    return [as_table(answer) for answer in curator.measure(queries, bill.measuring)]
