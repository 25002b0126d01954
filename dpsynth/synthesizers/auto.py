"""auto: every pair scored once, the best tables measured once, one convex fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from typing import ClassVar

import numpy as np

from dpsynth import _validate
from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.encoding.coarsening import Coarsening
from dpsynth.errors import UnknownNameError
from dpsynth.models.graphical.convex import fit_cliques, pooled_by_clique
from dpsynth.models.graphical.denoise import smooth_histogram, smooth_ordered, smoothing_factor
from dpsynth.models.graphical.estimation import project_to_simplex
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.models.graphical.raking import Correction
from dpsynth.models.graphical.tables import Array, NoisyTable, estimate_total, regrouped
from dpsynth.models.graphical.triangulation import GrowingGraph
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.mechanisms import DiscreteGaussian
from dpsynth.privacy.queries import MarginalErrorQuery, MarginalQuery
from dpsynth.synthesizers.base import Learned, Step
from dpsynth.synthesizers.compression import merge_rare, most_levels
from dpsynth.synthesizers.facade import Synthesizer
from dpsynth.synthesizers.gain import Deviations, share_units, unit_levels
from dpsynth.synthesizers.one_way import OneWayPhase, as_table
from dpsynth.zeros import Alike, alike

Pair = tuple[str, str]

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
    number is fixed and whose questions the noisy distances decide: a table asked for m times is
    known with an m-th of the noise. Tables that a junction tree of limited size can hold are
    fitted by one convex program; samples are re-weighted to the others.

    Args:
        target: a column whose relations to the others count ``target_weight`` times.
        target_weight: how many times.
        most_cells: of the junction tree's tables together; time grows with it.
        one_way_share: share of the budget for the histograms, in (0, 1); by rho where not given.
        selection_share: share for the distances, in (0, 1); the tables get the rest.
        units_per_column: how many answers there are for every column that can vary.
        rake: whether tables outside the junction tree may be asked for.
    """

    name: ClassVar[str] = "auto"
    target: str | None = None
    target_weight: int = 4
    most_cells: int = 100_000
    one_way_share: Fraction | None = None
    selection_share: Fraction = Fraction(1, 32)
    units_per_column: int = 12
    rake: bool = True

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
        _validate.in_open_unit(**shares, both_shares=one_way + self.selection_share)

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
        known: dict[str, Known] = {
            name: _known(
                table,
                total,
                ordered=name in ordered,
                rare=rare,
                levels=levels,
                merging=alike(curator.domain, name),
            )
            for name, table in histograms.items()
        }
        groups = {name: each.coarsening.groups for name, each in known.items()}
        coarse = curator.coarsened(groups)
        base = {
            name: known[name].rows if name in known else np.full(size, total / size)
            for name, size in coarse.domain.sizes.items()
        }
        tables = [each.table for each in known.values()]
        graph = GrowingGraph(
            coarse.domain,
            most_cells=max(self.most_cells, sum(coarse.domain.sizes.values())),
            most_clique_cells=max(self.most_cells // 5, max(coarse.domain.sizes.values())),
        )
        answers: list[NoisyTable] = []
        if bill.scoring is not None and bill.measuring is not None:
            chosen = self._choose(coarse, bill, base, total, graph)
            queries = [
                MarginalQuery(clique=pair, domain=coarse.domain)
                for pair, units in chosen.items()
                for _ in range(units)
            ]
            answers = [as_table(answer) for answer in coarse.measure(queries, bill.measuring)]
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
            roughness=_ROUGHNESS,
            ordered={name: known[name].in_order for name in ordered if name in known},
        )
        if len(inside) < len(pairs):
            model = replace(model, corrections=_corrections(model, pairs, graph))
        return Learned(model=model, coarsenings={n: each.coarsening for n, each in known.items()})

    def _choose(
        self,
        curator: Curator,
        bill: "_Bill",
        base: Mapping[str, Array],
        total: float,
        graph: GrowingGraph,
    ) -> dict[Pair, int]:
        pairs = list(combinations(bill.columns, 2))
        assert bill.scoring is not None
        assert bill.measuring is not None
        expected = [np.outer(base[a], base[b]) / total for a, b in pairs]
        query = MarginalErrorQuery(
            cliques=tuple(pairs),
            references=tuple(
                np.rint(table * _RESOLUTION).astype(np.int64).ravel() for table in expected
            ),
            resolution=_RESOLUTION,
            domain=curator.domain,
        )
        noisy = curator.score(query, bill.scoring, label=_SCORES) / _RESOLUTION
        noise = float(bill.scoring.sigma_squared) ** 0.5 / _RESOLUTION
        distances = np.clip(noisy - noise / 2, 0.0, 2 * total)
        weights = np.array(
            [self.target_weight if self.target in pair else 1 for pair in pairs], dtype=np.float64
        )
        levels = unit_levels(bill.units)
        variances = float(bill.measuring.sigma_squared) / levels[1:]
        even = int(np.searchsorted(levels, max(1, bill.units // max(len(bill.columns), 8)))) - 1

        def gain(at: int, *, noise: float = 1.0) -> Array:
            spread = Deviations.spread(float(distances[at]), expected[at])
            return np.asarray(weights[at] * spread.gain(variances * noise**2))

        gains = [gain(at) for at in range(len(pairs))]
        chosen: dict[int, Array] = {}
        for at in sorted(range(len(pairs)), key=lambda at: -gains[at][even]):
            if gains[at][even] <= 0 and chosen:
                break
            if graph.join(pairs[at]):
                chosen[at] = gains[at]
            elif self.rake or not chosen:
                chosen[at] = gain(at, noise=_OUTSIDE_NOISE)
        table = np.array([[0.0, *each] for each in chosen.values()])
        units = share_units(table, levels, units=bill.units)
        return {pairs[at]: int(n) for at, n in zip(chosen, units, strict=True) if n}

    def _bill(self, domain: Domain, unit: PrivacyUnit, rho: Fraction) -> "_Bill":
        """Fix every scale."""
        if self.target is not None and self.target not in domain.sizes:
            raise UnknownNameError(f"target names no column: {self.target!r}")
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


_ANCHOR = 0.1  # of the stddev of a table in the tree: the tree has drawn on all of them


def _corrections(
    model: GraphicalModel, pairs: Sequence[NoisyTable], graph: GrowingGraph
) -> list[Correction]:
    """Hold what the tree has fitted where it is, and bring the other tables in."""
    found = []
    for table in pairs:
        stddev = float(np.sqrt(table.variance.max())) / model.total
        if graph.holds(table.clique):
            shares = model.marginal(table.clique) / model.total
            found.append(Correction(clique=table.clique, shares=shares, stddev=stddev * _ANCHOR))
        else:
            values = table.values - (table.values.sum() - model.total) / table.values.size
            shares = values / model.total
            found.append(Correction(clique=table.clique, shares=shares, stddev=stddev))
    return found


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Known:
    """What a histogram says of one column: its merged codes, and the rows of each."""

    coarsening: Coarsening
    table: NoisyTable
    rows: Array
    in_order: int


def _known(
    table: NoisyTable,
    total: float,
    *,
    ordered: bool,
    rare: float,
    levels: int,
    merging: Alike | None = None,
) -> Known:
    stddev = float(np.sqrt(table.variance.max()))
    raw = table.values
    smooth = smooth_ordered(raw, stddev) if ordered else smooth_histogram(raw, stddev)
    factor = smoothing_factor(raw, smooth)
    rows = project_to_simplex(smooth, np.ones(raw.size), total=total)
    groups = merge_rare(table, threshold=rare, levels=levels, alike=merging).groups
    clean = NoisyTable(clique=table.clique, values=rows, variance=table.variance * factor)
    merged = regrouped(clean, groups)
    return Known(
        coarsening=Coarsening(groups=groups, weights=rows),
        table=merged,
        rows=merged.values,
        in_order=merged.values.size - int(merged.values.size < raw.size),
    )


def _one_way_share(rho: Fraction) -> Fraction:
    """Return the histograms' share of the budget: the smaller the budget, the larger.

    Two thirds where rho is about 1e-4, a tenth where it is about 1 and above. By integers: the
    same on every machine.
    """
    halvings = rho.denominator.bit_length() - rho.numerator.bit_length()
    return min(max(Fraction(1, 10) + Fraction(halvings, 24), Fraction(1, 10)), Fraction(2, 3))


def _rare_below(rho: Fraction) -> float:
    return 1.0 if rho < Fraction(1, 1000) else 3.0
