"""MST: columns, and the tree of pairs that says most about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dpsynth import _validate
from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.models.graphical.estimation import fit, project_to_simplex
from dpsynth.models.graphical.tables import Array, NoisyTable, estimate_total, regrouped
from dpsynth.models.graphical.tree import SpanningForest
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.mechanisms import DiscreteGaussian, ExponentialSelection
from dpsynth.privacy.queries import MarginalErrorQuery, MarginalQuery
from dpsynth.synthesizers.base import Learned, Step
from dpsynth.synthesizers.compression import merge_rare, most_levels
from dpsynth.synthesizers.costs import Read, one_way_reads
from dpsynth.synthesizers.facade import Synthesizer
from dpsynth.synthesizers.one_way import PHASE, OneWayPhase, as_table
from dpsynth.synthesizers.rounding import root_below
from dpsynth.zeros import alike

Pair = tuple[str, str]

_RESOLUTION = 64  # how finely a reference states fractions of a row


@dataclass(frozen=True, kw_only=True)
class MST(Synthesizer):
    """Synthesize from noisy histograms and a spanning tree of noisy pair tables.

    Three phases: a histogram of every column; d - 1 exponential selections, each of the pair
    farthest from independence among those that join two trees; the tables of the chosen pairs.
    Between the first two, codes with small noisy counts are merged.

    Args:
        one_way_share: share of the budget for the histograms, in (0, 1).
        selection_share: share for the selections, in (0, 1); the pairs get the rest.
        rare_below: a code is merged where its noisy count is below this many standard deviations
            of its noise.

    Source:
        McKenna, Miklau and Sheldon (2021), "Winning the NIST Contest", arXiv:2108.04978, with
        other shares, exact arithmetic, and shrinkage of pairs toward independence.
    """

    name: ClassVar[str] = "mst"
    one_way_share: Fraction = Fraction(1, 2)
    selection_share: Fraction = Fraction(1, 32)
    rare_below: int = 3

    def __post_init__(self) -> None:
        shares = {"one_way_share": self.one_way_share, "selection_share": self.selection_share}
        _validate.exact(**shares, rare_below=self.rare_below)
        _validate.in_open_unit(**shares, both_shares=self.one_way_share + self.selection_share)
        _validate.positive(rare_below=self.rare_below)

    def steps(self, domain: Domain, *, unit: PrivacyUnit, rho: Fraction) -> tuple[Step, ...]:
        """List the charges of ``learn``, from public facts alone; they add up to ``rho``."""
        bill = self._bill(domain, unit, rho)
        steps = list(bill.one_way.steps())
        rounds = bill.pairs
        if bill.selection is not None and bill.measurement is not None:
            choice = bill.selection.event()
            # Every pair table has the same sensitivity, whichever pairs will be chosen.
            first = MarginalQuery(clique=bill.columns[:2], domain=domain)
            table = bill.measurement.event(
                l2_sensitivity_squared=first.l2_sensitivity_squared(unit)
            )
            numbers = range(1, rounds + 1)
            steps += [Step(phase="select", label=_choice(n, rounds), event=choice) for n in numbers]
            steps += [
                Step(phase="pairs", label=f"chosen pair {n} of {rounds}", event=table)
                for n in numbers
            ]
        return tuple(steps)

    def learn(self, curator: Curator, *, rho: Fraction, planned: Domain | None = None) -> Learned:
        """Spend exactly ``rho``, as ``steps`` said, and return the fitted tree."""
        bill = self._bill(planned or curator.domain, curator.unit, rho)
        histograms = bill.one_way.measure(curator)
        levels = most_levels(curator.domain)
        coarsenings = {
            name: merge_rare(
                table,
                threshold=float(self.rare_below),
                levels=levels,
                alike=alike(curator.domain, name),
            )
            for name, table in histograms.items()
        }
        groups = {name: coarsening.groups for name, coarsening in coarsenings.items()}
        merged = {name: regrouped(table, groups[name]) for name, table in histograms.items()}
        coarse = curator.coarsened(groups)
        tables = list(merged.values())
        if bill.selection is not None and bill.measurement is not None:
            pairs = _choose(coarse, merged, bill.columns, bill.selection)
            queries = [MarginalQuery(clique=pair, domain=coarse.domain) for pair in pairs]
            tables += [as_table(answer) for answer in coarse.measure(queries, bill.measurement)]
        model = replace(fit(coarse.domain, tables), measured=tables)
        return Learned(model=model, coarsenings=coarsenings)

    def reads(self, domain: Domain, steps: Sequence[Step]) -> tuple[Read, ...]:
        """Return what a fit asks of the rows: histograms, all pairs once, and a tree of them."""
        pairs = Read.pairs(domain)
        tree = Read.likely(domain, pairs=sum(size > 1 for size in domain.sizes.values()) - 1)
        return (*one_way_reads(domain, steps, PHASE), *((pairs, tree) if pairs.cells else ()))

    def _bill(self, domain: Domain, unit: PrivacyUnit, rho: Fraction) -> "_Bill":
        """Fix every scale. Rounding of the selections' epsilon is given to the pairs."""
        columns = tuple(name for name in domain.columns if domain.sizes[name] > 1)
        rounds = len(columns) - 1
        if rounds < 1:
            one_way = OneWayPhase.split(domain, unit=unit, rho=rho)
            return _Bill(columns=columns, one_way=one_way, selection=None, measurement=None)
        epsilon = root_below(8 * rho * self.selection_share / rounds)
        selection = ExponentialSelection(epsilon=epsilon)
        left = rho * (1 - self.one_way_share) - rounds * epsilon**2 / 8
        sensitivity = MarginalQuery(clique=columns[:2], domain=domain).l2_sensitivity_squared(unit)
        return _Bill(
            columns=columns,
            one_way=OneWayPhase.split(domain, unit=unit, rho=rho * self.one_way_share),
            selection=selection,
            measurement=DiscreteGaussian(sigma_squared=sensitivity * rounds / (2 * left)),
        )


@dataclass(frozen=True, kw_only=True)
class _Bill:
    """Every mechanism of a fit, with its scale; the last two are None where there is no pair."""

    columns: tuple[str, ...]
    one_way: OneWayPhase
    selection: ExponentialSelection | None
    measurement: DiscreteGaussian | None

    @property
    def pairs(self) -> int:
        return max(len(self.columns) - 1, 0)


def _choose(
    curator: Curator,
    histograms: Mapping[str, NoisyTable],
    columns: Sequence[str],
    mechanism: ExponentialSelection,
) -> list[Pair]:
    """Choose a spanning tree, each pair by its distance from independence."""
    candidates = list(combinations(columns, 2))
    total = estimate_total(list(histograms.values()))
    margins = {
        name: project_to_simplex(table.values, table.variance, total=total)
        for name, table in histograms.items()
    }
    query = MarginalErrorQuery(
        cliques=tuple(candidates),
        references=tuple(_expected(margins[a], margins[b], total) for a, b in candidates),
        resolution=_RESOLUTION,
        domain=curator.domain,
    )
    rounds = len(columns) - 1
    selection = curator.select(query, mechanism, rounds=rounds, label=_CHOICE)
    forest = SpanningForest(columns)
    chosen = []
    for _ in range(rounds):
        allowed = [index for index, pair in enumerate(candidates) if forest.joins(pair)]
        pair = candidates[selection.pick(allowed)]
        forest.join(pair)
        chosen.append(pair)
    return chosen


_CHOICE = "choice of pair"


def _choice(number: int, rounds: int) -> str:
    return f"{_CHOICE} {number} of {rounds}"


def _expected(first: Array, second: Array, total: float) -> NDArray[np.int64]:
    """Return what independence expects in every cell, in units of a row over the resolution."""
    scaled = np.outer(first, second) * (_RESOLUTION / total)
    return np.rint(scaled).astype(np.int64).ravel()
