"""PrivBayes: a Bayesian network chosen and filled in with noise, with or without a delta."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import sqrt
from typing import ClassVar

import numpy as np

from dpsynth import _validate
from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.models.graphical.convex import fit_cliques
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.models.graphical.tables import Array, NoisyTable, estimate_total, regrouped
from dpsynth.models.graphical.triangulation import GrowingGraph
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.mechanisms import DiscreteGaussian, DiscreteLaplace, ExponentialSelection
from dpsynth.privacy.queries import DependenceQuery, MarginalQuery
from dpsynth.synthesizers.base import MOST_CELLS, Learned, Step
from dpsynth.synthesizers.compression import most_levels
from dpsynth.synthesizers.facade import Synthesizer
from dpsynth.synthesizers.loom_columns import Known, known
from dpsynth.synthesizers.network import Family, Network, candidates
from dpsynth.synthesizers.one_way import OneWayPhase, as_table
from dpsynth.synthesizers.rounding import root_below, whole_shares
from dpsynth.zeros import alike

_RESOLUTION = 1 << 12  # how finely the weights of a column state shares
# Chosen on seeds 0 to 9 of adult_discrete, RAND HIE, flchain and covid_testing; reported on others.
_NOISE_LEFT = 0.1  # of a cell's stddev, that the fit leaves of a table's noise: what a cell costs
_PENALTY = 0.7  # of the fit, in the unit of models/graphical/convex.py: tables of several columns
_COLUMN_PENALTY = 1.5  # tables of one column
_ROUGHNESS = 0.2  # differences of neighbors along ordered columns
_PRECISION = 0.02  # of what noise alone brings about, at which the fit stops
_CHOICE = "choice of family"


@dataclass(frozen=True, kw_only=True)
class PrivBayes(Synthesizer):
    """Synthesize from a Bayesian network of low degree, each family measured once.

    Three phases: a histogram of every column, smoothed, its rare codes merged; d - 1 exponential
    selections, each of a child among the columns that are left and of its parents among those
    that are not; the table of every chosen family. A candidate's score is how far, in rows, the
    child is from not depending on the parents, less what the noise of the table would cost;
    families that are too large for the noisy number of rows are no candidates. The parents stand
    together in an earlier family, so that the families are the cliques of a junction tree.

    A claim with a delta above 0 gets discrete Gaussian noise and is accounted for in zCDP. A claim
    with delta 0 gets discrete Laplace noise, and all epsilons add up to the claimed one.

    Args:
        degree: parents that a column may have, at least 1; fewer where the table has so many
            columns that there would be too many candidates.
        one_way_share: share of the budget (rho, or epsilon where delta is 0) for the histograms,
            in (0, 1).
        selection_share: share for the selections, in (0, 1); the families get the rest.
        usefulness: how many standard deviations of noise the average cell of a family with parents
            must hold in rows, by the noisy number of rows; the larger, the smaller the families.
        rare_below: a code is merged where its noisy count is below this many standard deviations
            of its noise.
        most_cells: of the families' tables together; time grows with it.

    Source:
        Zhang, Cormode, Procopiuc, Srivastava and Xiao (2017), "PrivBayes: Private Data Release
        via Bayesian Networks", ACM TODS 42(4). Their scores are normalised by the number of rows,
        which is private here; docs/proofs/privbayes.md derives the sensitivity of ours. Histograms
        first, merging, and one convex fit in place of conditional tables are not theirs.
    """

    name: ClassVar[str] = "privbayes"
    degree: int = 3
    one_way_share: Fraction = Fraction(1, 2)
    selection_share: Fraction = Fraction(1, 10)
    usefulness: Fraction = Fraction(1)
    rare_below: int = 3
    most_cells: int = 100_000

    def __post_init__(self) -> None:
        shares = {"one_way_share": self.one_way_share, "selection_share": self.selection_share}
        counts = {
            "degree": self.degree,
            "rare_below": self.rare_below,
            "most_cells": self.most_cells,
        }
        _validate.exact(**shares, **counts, usefulness=self.usefulness)
        _validate.in_open_unit(**shares, both_shares=self.one_way_share + self.selection_share)
        _validate.positive(**counts, usefulness=self.usefulness)
        _validate.at_most(MOST_CELLS, most_cells=self.most_cells)

    def steps(self, domain: Domain, *, unit: PrivacyUnit, rho: Fraction) -> tuple[Step, ...]:
        """List the charges of ``learn``, from public facts alone; they add up to ``rho``."""
        return self._bill(domain, unit, rho).steps(domain)

    def learn(self, curator: Curator, *, rho: Fraction, planned: Domain | None = None) -> Learned:
        """Spend exactly ``rho``, as ``steps`` said, and return the fitted network."""
        return self._learn(curator, self._bill(planned or curator.domain, curator.unit, rho))

    def pure_steps(
        self, domain: Domain, *, unit: PrivacyUnit, epsilon: Fraction
    ) -> tuple[Step, ...]:
        """List the charges of ``pure_learn``; their pure epsilons add up to ``epsilon``."""
        return self._pure_bill(domain, unit, epsilon).steps(domain)

    def pure_learn(
        self, curator: Curator, *, epsilon: Fraction, planned: Domain | None = None
    ) -> Learned:
        """Spend exactly ``epsilon``, as ``pure_steps`` said, and return the fitted network."""
        bill = self._pure_bill(planned or curator.domain, curator.unit, epsilon)
        return self._learn(curator, bill)

    def model_cells(self, domain: Domain) -> int:
        """Return how many cells the tables of a model may have together."""
        del domain
        return self.most_cells

    def _bill(self, domain: Domain, unit: PrivacyUnit, rho: Fraction) -> "_Bill":
        """Fix every scale. Rounding of the selections' epsilon is given to the families."""
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
        """Fix every scale of the form without a delta."""
        columns = _varied(domain)
        rounds = len(columns) - 1
        if rounds < 1:
            alone = OneWayPhase.split_pure(domain, unit=unit, epsilon=epsilon)
            return _Bill(columns=columns, unit=unit, one_way=alone)
        share, choosing = self.one_way_share, self.selection_share
        moved = MarginalQuery(clique=columns[:1], domain=domain).l1_sensitivity(unit)
        return _Bill(
            columns=columns,
            unit=unit,
            one_way=OneWayPhase.split_pure(domain, unit=unit, epsilon=epsilon * share),
            selection=ExponentialSelection(epsilon=epsilon * choosing / rounds),
            noise=DiscreteLaplace(scale=moved * rounds / (epsilon * (1 - share - choosing))),
        )

    def _learn(self, curator: Curator, bill: "_Bill") -> Learned:
        histograms = bill.one_way.measure(curator)
        total = estimate_total(list(histograms.values()))
        levels = most_levels(curator.domain)
        columns = {
            name: known(
                table,
                total,
                ordered=name in curator.domain.ordered,
                rare=float(self.rare_below),
                levels=levels,
                merging=alike(curator.domain, name),
            )
            for name, table in histograms.items()
        }
        coarse = curator.coarsened({name: each.coarsening.groups for name, each in columns.items()})
        base = {
            name: columns[name].rows if name in columns else np.full(size, total / size)
            for name, size in coarse.domain.sizes.items()
        }
        tables = [each.table for each in columns.values()]
        measured = [regrouped(each, columns[n].coarsening.groups) for n, each in histograms.items()]
        if bill.selection is not None and bill.noise is not None:
            families = self._choose(coarse, bill, bill.selection, base, total=total)
            queries = [MarginalQuery(clique=each, domain=coarse.domain) for each in families]
            answers = [as_table(answer) for answer in coarse.measure(queries, bill.noise)]
            tables, measured = tables + answers, measured + answers
        model = self._fitted(coarse.domain, tables, base=base, total=total, columns=columns)
        model = replace(model, measured=measured)
        return Learned(model=model, coarsenings={n: each.coarsening for n, each in columns.items()})

    def _choose(
        self,
        curator: Curator,
        bill: "_Bill",
        mechanism: ExponentialSelection,
        base: Mapping[str, Array],
        *,
        total: float,
    ) -> list[Family]:
        """Choose the families, each by how much its child depends on its parents."""
        domain, rounds = curator.domain, bill.rounds
        useful = int(total / (float(self.usefulness) * bill.stddev))
        most = min(useful, self.most_cells // rounds)
        found = candidates(domain, bill.columns, degree=self.degree, most_cells=most)
        cost = _NOISE_LEFT * bill.stddev * _RESOLUTION
        query = DependenceQuery(
            cliques=tuple(family for family, _ in found),
            children=tuple(child for _, child in found),
            weights={name: whole_shares(base[name], _RESOLUTION) for name in bill.columns},
            costs=tuple(round(cost * domain.size(family)) for family, _ in found),
            resolution=_RESOLUTION,
            domain=domain,
        )
        selection = curator.select(query, mechanism, rounds=rounds, label=_CHOICE)
        network = Network(found, bill.columns)
        return [network.take(selection.pick(network.allowed().tolist())) for _ in range(rounds)]

    def _fitted(
        self,
        domain: Domain,
        tables: list[NoisyTable],
        *,
        base: Mapping[str, Array],
        total: float,
        columns: Mapping[str, Known],
    ) -> GraphicalModel:
        """Fit all tables at once. Families always find room; structural zeros may take some."""
        cells = self.most_cells + sum(domain.sizes.values())
        graph = GrowingGraph(domain, most_cells=cells, most_clique_cells=cells)
        held: list[NoisyTable] = []
        for table in tables:
            inside = graph.join(table.clique)
            held += [table] if inside else [table.onto(name) for name in table.clique]
        return fit_cliques(
            domain,
            held,
            cliques=graph.cliques,
            base=base,
            total=total,
            penalty=_PENALTY,
            column_penalty=_COLUMN_PENALTY,
            precision=_PRECISION,
            roughness=_ROUGHNESS,
            ordered={name: each.in_order for name, each in columns.items()},
        ).model


def _varied(domain: Domain) -> tuple[str, ...]:
    """Name the columns that can vary."""
    return tuple(name for name in domain.columns if domain.sizes[name] > 1)


@dataclass(frozen=True, kw_only=True)
class _Bill:
    """Every mechanism of a fit, with its scale; the last two are None where there is no pair."""

    columns: tuple[str, ...]
    unit: PrivacyUnit
    one_way: OneWayPhase
    selection: ExponentialSelection | None = None
    noise: DiscreteGaussian | DiscreteLaplace | None = None

    @property
    def rounds(self) -> int:
        return max(len(self.columns) - 1, 0)

    @property
    def stddev(self) -> float:
        """Of the noise in one cell of a family's table, in rows."""
        if isinstance(self.noise, DiscreteLaplace):
            return sqrt(2) * float(self.noise.scale)
        return sqrt(self.noise.sigma_squared) if self.noise else 0.0

    def steps(self, domain: Domain) -> tuple[Step, ...]:
        steps = list(self.one_way.steps())
        if self.selection is not None and self.noise is not None:
            choice = self.selection.event()
            # Every table has the same sensitivity, whichever family will be chosen.
            first = MarginalQuery(clique=self.columns[:1], domain=domain)
            table = first.event(self.noise, self.unit)
            numbers, of = range(1, self.rounds + 1), self.rounds
            steps += [
                Step(phase="select", label=f"{_CHOICE} {n} of {of}", event=choice) for n in numbers
            ]
            steps += [
                Step(phase="families", label=f"chosen family {n} of {of}", event=table)
                for n in numbers
            ]
        return tuple(steps)
