"""PrivBayes: a Bayesian network chosen and filled in with noise, with or without a delta."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import comb, sqrt
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dpsynth import _validate
from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.encoding.coarsening import Coarsening
from dpsynth.models.graphical.convex import fit_cliques
from dpsynth.models.graphical.denoise import smooth_histogram, smooth_ordered, smoothing_factor
from dpsynth.models.graphical.estimation import project_to_simplex
from dpsynth.models.graphical.tables import Array, NoisyTable, estimate_total, regrouped
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.mechanisms import DiscreteGaussian, DiscreteLaplace, ExponentialSelection
from dpsynth.privacy.queries import DependenceQuery, MarginalQuery
from dpsynth.synthesizers.base import Learned, Step
from dpsynth.synthesizers.compression import merge_rare, most_levels
from dpsynth.synthesizers.facade import Synthesizer
from dpsynth.synthesizers.one_way import OneWayPhase, as_table
from dpsynth.synthesizers.pure_one_way import PureOneWayPhase
from dpsynth.synthesizers.rounding import root_below, whole_shares

Family = tuple[str, ...]  # parents and child, in the domain's order

_RESOLUTION = 1 << 12  # how finely weights state shares
_MEAN_ABSOLUTE = 0.8  # of noise, in standard deviations
_PENALTY = 0.7  # of the fit, in the unit of models/graphical/convex.py: tables of several columns
_COLUMN_PENALTY = 1.5  # tables of one column
_ROUGHNESS = 0.2  # differences of neighbors along ordered columns
_PRECISION = 0.02  # of what noise alone brings about, at which the fit stops
_CHOICE = "choice of family"
_FAMILY = "family"


@dataclass(frozen=True, kw_only=True)
class PrivBayes(Synthesizer):
    """x."""

    name: ClassVar[str] = "privbayes"
    degree: int = 3
    one_way_share: Fraction = Fraction(1, 2)
    selection_share: Fraction = Fraction(1, 32)
    pure_one_way_share: Fraction = Fraction(1, 2)
    pure_selection_share: Fraction = Fraction(1, 16)
    usefulness: Fraction = Fraction(1, 8)
    rare_below: int = 3
    most_cells: int = 100_000

    def steps(self, domain: Domain, *, unit: PrivacyUnit, rho: Fraction) -> tuple[Step, ...]:
        return self._bill(domain, unit, rho).steps(domain)

    def learn(self, curator: Curator, *, rho: Fraction, planned: Domain | None = None) -> Learned:
        return self._learn(curator, self._bill(planned or curator.domain, curator.unit, rho))

    def pure_steps(
        self, domain: Domain, *, unit: PrivacyUnit, epsilon: Fraction
    ) -> tuple[Step, ...]:
        return self._pure_bill(domain, unit, epsilon).steps(domain)

    def pure_learn(
        self, curator: Curator, *, epsilon: Fraction, planned: Domain | None = None
    ) -> Learned:
        bill = self._pure_bill(planned or curator.domain, curator.unit, epsilon)
        return self._learn(curator, bill)

    def _bill(self, domain: Domain, unit: PrivacyUnit, rho: Fraction) -> "_Bill":
        columns = _varied(domain)
        rounds = len(columns) - 1
        if rounds < 1:
            one_way = OneWayPhase.split(domain, unit=unit, rho=rho)
            return _Bill(columns=columns, unit=unit, one_way=one_way)
        epsilon = root_below(8 * rho * self.selection_share / rounds)
        left = rho * (1 - self.one_way_share) - rounds * epsilon**2 / 8
        moved = MarginalQuery(clique=columns[:1], domain=domain).l2_sensitivity_squared(unit)
        return _Bill(
            columns=columns,
            unit=unit,
            one_way=OneWayPhase.split(domain, unit=unit, rho=rho * self.one_way_share),
            selection=ExponentialSelection(epsilon=epsilon),
            noise=DiscreteGaussian(sigma_squared=moved * rounds / (2 * left)),
        )

    def _pure_bill(self, domain: Domain, unit: PrivacyUnit, epsilon: Fraction) -> "_Bill":
        columns = _varied(domain)
        rounds = len(columns) - 1
        if rounds < 1:
            alone = PureOneWayPhase.split(domain, unit=unit, epsilon=epsilon)
            return _Bill(columns=columns, unit=unit, one_way=alone)
        share, choosing = self.pure_one_way_share, self.pure_selection_share
        moved = MarginalQuery(clique=columns[:1], domain=domain).l1_sensitivity(unit)
        return _Bill(
            columns=columns,
            unit=unit,
            one_way=PureOneWayPhase.split(domain, unit=unit, epsilon=epsilon * share),
            selection=ExponentialSelection(epsilon=epsilon * choosing / rounds),
            noise=DiscreteLaplace(scale=moved * rounds / (epsilon * (1 - share - choosing))),
        )

    def _learn(self, curator: Curator, bill: "_Bill") -> Learned:
        histograms = bill.one_way.measure(curator)
        total = estimate_total(list(histograms.values()))
        levels = most_levels(curator.domain)
        ordered = curator.domain.ordered
        known = {
            name: _known(
                table, total, ordered=name in ordered, rare=self.rare_below, levels=levels
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
        families: list[Family] = []
        if bill.selection is not None and bill.noise is not None:
            families = self._choose(coarse, bill, base, total)
            queries = [MarginalQuery(clique=each, domain=coarse.domain) for each in families]
            tables += [as_table(answer) for answer in coarse.measure(queries, bill.noise)]
        model = fit_cliques(
            coarse.domain,
            tables,
            cliques=_maximal(coarse.domain.columns, families),
            base=base,
            total=total,
            penalty=_PENALTY,
            column_penalty=_COLUMN_PENALTY,
            precision=_PRECISION,
            roughness=_ROUGHNESS,
            ordered={name: known[name].in_order for name in ordered if name in known},
        )
        return Learned(model=model, coarsenings={n: each.coarsening for n, each in known.items()})

    def _choose(self, curator, bill, base, total):
        domain, rounds = curator.domain, len(bill.columns) - 1
        stddev = bill.stddev
        most = max(self.most_cells // rounds, max(domain.sizes.values()))
        cliques = [
            clique
            for size in range(1, min(self.degree, rounds) + 2)
            for clique in combinations(bill.columns, size)
            if size <= 2 or domain.size(clique) <= most
        ]
        candidates = [(clique, child) for clique in cliques for child in clique]
        cost = float(self.usefulness) * _MEAN_ABSOLUTE * stddev * _RESOLUTION
        query = DependenceQuery(
            cliques=tuple(clique for clique, _ in candidates),
            children=tuple(child for _, child in candidates),
            weights={name: whole_shares(base[name], _RESOLUTION) for name in bill.columns},
            costs=tuple(round(cost * domain.size(clique)) for clique, _ in candidates),
            resolution=_RESOLUTION,
            domain=domain,
        )
        selection = curator.select(query, bill.selection, rounds=rounds, label=_CHOICE)
        network = _Network(candidates, bill.columns)
        return [network.take(selection.pick(network.allowed())) for _ in range(rounds)]


def _varied(domain):
    return tuple(name for name in domain.columns if domain.sizes[name] > 1)


class _Network:
    def __init__(self, candidates, columns):
        self._candidates = candidates
        parents = [tuple(n for n in clique if n != child) for clique, child in candidates]
        self._numbers = {each: at for at, each in enumerate(dict.fromkeys(parents))}
        self._parents = np.array([self._numbers[each] for each in parents])
        place = {name: at for at, name in enumerate(columns)}
        self._columns = columns
        self._place = place
        self._child = np.array([place[child] for _, child in candidates])
        self._free = np.ones(len(columns), dtype=bool)
        # Before the first choice every column may be the root.
        self._ready = np.array([len(each) <= 1 for each in self._numbers])

    def allowed(self):
        return np.flatnonzero(self._ready[self._parents] & self._free[self._child])

    def take(self, candidate):
        clique, child = self._candidates[candidate]
        parents = [n for n in clique if n != child]
        if self._free.all():  # the first choice
            self._ready[:] = False
            self._ready[self._numbers[()]] = True
            for n in parents:
                self._join((n,), n)
        self._join(clique, child)
        return clique

    def _join(self, clique, child):
        self._free[self._place[child]] = False
        others = [n for n in clique if n != child]
        for size in range(len(others) + 1):
            for some in combinations(others, size):
                key = tuple(sorted((*some, child), key=self._place.__getitem__))
                if key in self._numbers:
                    self._ready[self._numbers[key]] = True


def _maximal(columns, families):
    every = [*families, *((name,) for name in columns)]
    kept = []
    for clique in sorted(dict.fromkeys(every), key=len, reverse=True):
        if not any(set(clique) <= set(other) for other in kept):
            kept.append(clique)
    return kept


@dataclass(frozen=True, kw_only=True)
class _Bill:
    columns: tuple[str, ...]
    unit: PrivacyUnit
    one_way: OneWayPhase | PureOneWayPhase
    selection: ExponentialSelection | None = None
    noise: DiscreteGaussian | DiscreteLaplace | None = None

    @property
    def stddev(self) -> float:
        if isinstance(self.noise, DiscreteLaplace):
            return sqrt(2) * float(self.noise.scale)
        return sqrt(self.noise.sigma_squared)

    def steps(self, domain):
        steps = list(self.one_way.steps())
        if self.selection is not None and self.noise is not None:
            rounds = len(self.columns) - 1
            choice = self.selection.event()
            # Every table has the same sensitivity, whichever family will be chosen.
            table = MarginalQuery(clique=self.columns[:1], domain=domain).event(self.noise, self.unit)
            steps += [
                Step(phase="select", label=f"{_CHOICE} {n} of {rounds}", event=choice)
                for n in range(1, rounds + 1)
            ]
            steps += [
                Step(phase="families", label=f"{_FAMILY} {n} of {rounds}", event=table)
                for n in range(1, rounds + 1)
            ]
        return tuple(steps)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Known:
    coarsening: Coarsening
    table: NoisyTable
    rows: Array
    in_order: int


def _known(table: NoisyTable, total: float, *, ordered: bool, rare: float, levels: int) -> _Known:
    stddev = float(np.sqrt(table.variance.max()))
    raw = table.values
    smooth = smooth_ordered(raw, stddev) if ordered else smooth_histogram(raw, stddev)
    factor = smoothing_factor(raw, smooth)
    rows = project_to_simplex(smooth, np.ones(raw.size), total=total)
    groups = merge_rare(table, threshold=rare, levels=levels).groups
    clean = NoisyTable(clique=table.clique, values=rows, variance=table.variance * factor)
    merged = regrouped(clean, groups)
    return _Known(
        coarsening=Coarsening(groups=groups, weights=rows),
        table=merged,
        rows=merged.values,
        in_order=merged.values.size - int(merged.values.size < raw.size),
    )
