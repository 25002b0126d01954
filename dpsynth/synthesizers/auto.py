"""auto: every pair scored once, the best tables measured once, one convex fit."""

from collections.abc import Mapping
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
from dpsynth.models.graphical.tables import Array, NoisyTable, estimate_total
from dpsynth.models.graphical.tree import Clique
from dpsynth.models.graphical.triangulation import GrowingGraph
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.mechanisms import DiscreteGaussian
from dpsynth.privacy.queries import MarginalErrorQuery, MarginalQuery
from dpsynth.synthesizers.base import MOST_CELLS, Learned, Step
from dpsynth.synthesizers.compression import most_levels
from dpsynth.synthesizers.facade import Synthesizer
from dpsynth.synthesizers.gain import share_units, unit_levels
from dpsynth.synthesizers.loom_columns import Known, known
from dpsynth.synthesizers.loom_corrections import corrections
from dpsynth.synthesizers.loom_forecast import Forecast, best_resolutions, column_gains, resolutions
from dpsynth.synthesizers.loom_margins import reconciled
from dpsynth.synthesizers.one_way import OneWayPhase, as_table
from dpsynth.synthesizers.prior import (
    PublicPrior,
    expected_pairs,
    plant,
    relations,
    require_prior,
)
from dpsynth.zeros import alike

_OUTSIDE_NOISE = 2.0  # by which the noise of a table outside the tree counts more
# Chosen on seeds 0 to 9 of adult_discrete and RAND HIE; reported on others.
_PENALTY = 0.7  # of the fit, in the unit of models/graphical/convex.py: tables of two columns
_COLUMN_PENALTY = 1.5  # tables of one column
_ROUGHNESS = 0.2  # differences of neighbors along ordered columns
_PRECISION = 0.01  # of what noise alone brings about, at which the fit stops
_RESOLUTION = 64  # how finely a reference states fractions of a row
_SCORES = f"distances of all pairs from independence, in 1/{_RESOLUTION} rows"


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
        most_cells: of the junction tree's tables together; time grows with it.
        one_way_share: share of the budget for the histograms, in (0, 1); by rho where not given.
        selection_share: share for the distances, in (0, 1); the tables get the rest.
        units_per_column: how many answers there are for every column that can vary.
        rake: whether tables outside the junction tree may be asked for, and samples are drawn to
            follow all tables up to whole rows.
        prior: what was known before, from public data.
    """

    name: ClassVar[str] = "auto"
    solves: ClassVar[bool] = True
    target: str | None = None
    target_weight: int = 4
    most_cells: int = 100_000
    one_way_share: Fraction | None = None
    selection_share: Fraction = Fraction(1, 32)
    units_per_column: int = 12
    rake: bool = True
    prior: PublicPrior | None = None

    def __post_init__(self) -> None:
        counts = {
            "target_weight": self.target_weight,
            "most_cells": self.most_cells,
            "units_per_column": self.units_per_column,
        }
        one_way = self.one_way_share if self.one_way_share is not None else Fraction(1, 10)
        shares = {"one_way_share": one_way, "selection_share": self.selection_share}
        _validate.exact(**counts, **shares)
        _validate.positive(**counts)
        _validate.at_most(MOST_CELLS, most_cells=self.most_cells)
        _validate.flags(rake=self.rake)
        _validate.in_open_unit(**shares, both_shares=one_way + self.selection_share)
        require_prior(self.prior)

    def steps(self, domain: Domain, *, unit: PrivacyUnit, rho: Fraction) -> tuple[Step, ...]:
        """List the charges of ``learn``, from public facts alone; they add up to ``rho``."""
        bill = self._bill(domain, unit, rho)
        steps = list(bill.one_way.steps())
        if bill.scoring is not None and bill.measuring is not None:
            square = unit.max_rows**2
            scores = bill.scoring.event(
                l2_sensitivity_squared=Fraction(bill.pairs * _RESOLUTION**2 * square)
            )
            table = bill.measuring.event(l2_sensitivity_squared=Fraction(square))
            steps.append(Step(phase="select", label=_SCORES, event=scores))
            steps += [
                Step(phase="tables", label=f"answer {n} of {bill.units}", event=table)
                for n in range(1, bill.units + 1)
            ]
        return tuple(steps)

    def learn(self, curator: Curator, *, rho: Fraction, planned: Domain | None = None) -> Learned:
        """Spend exactly ``rho``, as ``steps`` said, and return the fitted model."""
        bill = self._bill(planned or curator.domain, curator.unit, rho)
        histograms = bill.one_way.measure(curator)
        total = estimate_total(list(histograms.values()))
        levels = most_levels(curator.domain)
        ordered = curator.domain.ordered
        rare = _rare_below(rho)
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
            most_cells=max(self.most_cells, sum(coarse.domain.sizes.values())),
            most_clique_cells=max(self.most_cells // 5, max(coarse.domain.sizes.values())),
        )
        plant(self.prior, graph)
        answers: list[NoisyTable] = []
        if forecast is not None and bill.measuring is not None:
            chosen = self._choose(forecast, best, bill, graph, columns, histograms)
            again = _ask(curator, {who: n for who, n in chosen.items() if len(who) == 1}, bill)
            answers = _ask(coarse, {who: n for who, n in chosen.items() if len(who) == 2}, bill)
            histograms, answers = reconciled(
                {
                    name: pooled([table, *(more for more in again if more.clique == (name,))])
                    for name, table in histograms.items()
                },
                _groups(columns),
                pooled_by_clique(coarse.domain, answers),
            )
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
        )
        if pairs and self.rake:
            model = replace(model, corrections=corrections(model, pairs, graph))
        return Learned(model=model, coarsenings={n: each.coarsening for n, each in columns.items()})

    def _forecast(
        self, curator: Curator, bill: "_Bill", columns: Mapping[str, Known], total: float
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
                np.rint(table * _RESOLUTION).astype(np.int64).ravel() for table in expected
            ),
            resolution=_RESOLUTION,
            domain=coarse.domain,
        )
        noisy = coarse.score(query, bill.scoring, label=_SCORES) / _RESOLUTION
        noise = float(bill.scoring.sigma_squared) ** 0.5 / _RESOLUTION
        found = {name: resolutions(columns[name]) for name in bill.columns}
        forecast = Forecast(
            pairs=pairs,
            distances=np.clip(noisy - noise / 2, 0.0, 2 * total),
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
        bill: "_Bill",
        graph: GrowingGraph,
        columns: Mapping[str, Known],
        histograms: Mapping[str, NoisyTable],
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
        outside = []
        for at in (at for at in ranked if gains[at, even] > 0):
            if graph.join(pairs[at]):
                chosen[pairs[at]] = gains[at]
            elif self.rake:
                outside.append(at)
        left = forecast.gains_of(outside, best, noise=_OUTSIDE_NOISE)
        chosen.update(zip((pairs[at] for at in outside), left, strict=True))
        table = np.array([[0.0, *each] for each in chosen.values()])
        units = share_units(table, levels, units=bill.units)
        return {who: int(n) for who, n in zip(chosen, units, strict=True) if n}

    def _bill(self, domain: Domain, unit: PrivacyUnit, rho: Fraction) -> "_Bill":
        """Fix every scale."""
        if self.target is not None and self.target not in domain.sizes:
            raise UnknownNameError(f"target names no column: {self.target!r}")
        if self.prior is not None:
            self.prior.require_fits(domain)
        columns = tuple(name for name in domain.columns if domain.sizes[name] > 1)
        pairs = len(columns) * (len(columns) - 1) // 2
        if not pairs:
            one_way = OneWayPhase.split(domain, unit=unit, rho=rho)
            return _Bill(columns=columns, one_way=one_way, scoring=None, measuring=None, units=0)
        share = self.one_way_share or _one_way_share(rho)
        units = self.units_per_column * len(columns)
        sensitivity = MarginalQuery(clique=columns[:2], domain=domain).l2_sensitivity_squared(unit)
        left = rho * (1 - share - self.selection_share)
        scores = pairs * _RESOLUTION**2 * sensitivity
        return _Bill(
            columns=columns,
            one_way=OneWayPhase.split(
                domain,
                unit=unit,
                rho=rho * share,
            ),
            scoring=DiscreteGaussian(sigma_squared=scores / (2 * rho * self.selection_share)),
            measuring=DiscreteGaussian(sigma_squared=sensitivity * units / (2 * left)),
            units=units,
        )


def _groups(columns: Mapping[str, Known]) -> dict[str, NDArray[np.int64]]:
    return {name: each.coarsening.groups for name, each in columns.items()}


def _ask(curator: Curator, units: Mapping[Clique, int], bill: "_Bill") -> list[NoisyTable]:
    """Fill as many slots with each table as it has units."""
    assert bill.measuring is not None
    queries = [
        MarginalQuery(clique=clique, domain=curator.domain)
        for clique, count in units.items()
        for _ in range(count)
    ]
    return [as_table(answer) for answer in curator.measure(queries, bill.measuring)]


@dataclass(frozen=True, kw_only=True)
class _Bill:
    """Every mechanism of a fit, with its scale; the last two are None where there is no pair."""

    columns: tuple[str, ...]
    one_way: OneWayPhase
    scoring: DiscreteGaussian | None
    measuring: DiscreteGaussian | None
    units: int

    @property
    def pairs(self) -> int:
        return len(self.columns) * (len(self.columns) - 1) // 2


def _one_way_share(rho: Fraction) -> Fraction:
    """Return the histograms' share of the budget: the smaller the budget, the larger.

    Two thirds where rho is about 1e-4, a fifth where it is about 1/4 and above. By integers: the
    same on every machine.
    """
    halvings = rho.denominator.bit_length() - rho.numerator.bit_length()
    return min(max(Fraction(1, 10) + Fraction(halvings, 24), Fraction(1, 5)), Fraction(2, 3))


def _rare_below(rho: Fraction) -> float:
    return 1.0 if rho < Fraction(1, 1000) else 3.0
