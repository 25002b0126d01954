"""aim: rounds of choosing what the model so far gets most wrong, and measuring it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import sqrt
from typing import ClassVar

from dpsynth import _validate
from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.models.graphical.tables import NoisyTable, estimate_total, regrouped
from dpsynth.models.graphical.tree import Clique
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.mechanisms import DiscreteGaussian, ExponentialSelection
from dpsynth.privacy.queries import MarginalQuery
from dpsynth.synthesizers.base import MOST_CELLS, Learned, Step
from dpsynth.synthesizers.compression import most_levels
from dpsynth.synthesizers.facade import Synthesizer
from dpsynth.synthesizers.loom_bill import default_one_way_share
from dpsynth.synthesizers.loom_columns import Known, rare_below
from dpsynth.synthesizers.loom_columns import known as describe
from dpsynth.synthesizers.one_way import OneWayPhase, as_table
from dpsynth.synthesizers.prior import PublicPrior, require_prior
from dpsynth.synthesizers.rounding import root_below
from dpsynth.synthesizers.rounds import RoundModel
from dpsynth.synthesizers.workload import candidates, read_workload, workload_cliques
from dpsynth.zeros import alike

# Chosen on seeds 0 to 7 of adult_discrete, RAND HIE, flchain and covid_testing; reported on others.
_ROUNDS = 6  # at most: the choices of one round see the same model
_TOLERANCE = 0.1  # of the exponent of a choice, by which its score may be out of date


@dataclass(frozen=True, kw_only=True)
class AIM(Synthesizer):
    """Synthesize from noisy histograms and tables that are chosen round by round.

    After a histogram of every column, smoothed, its rare codes merged, every round chooses the
    tables that the model so far answers worst, by exponential selection, measures each of them,
    and fits the model anew from where it stood. All choices cost the same and so do all answers: a
    table may be chosen again in a later round, its answers are pooled, and its noise falls with
    each of them. That anneals as the published rule does, but leaves the bill fixed before any
    answer. docs/proofs/aim.md has the arguments.

    Args:
        workload: column names of each table to answer well, or the same as JSON text; all sets of
            ``degree`` columns where not given.
        degree: width of those.
        target: a column whose tables count ``target_weight`` times.
        target_weight: how many times.
        most_cells: of the junction tree's tables together; time grows with it.
        one_way_share: share of the budget for the histograms, in (0, 1); by rho where not given.
        selection_share: share of the rest for the choices, in (0, 1); the tables get what is left.
        choices_per_column: how many tables are chosen for every column; by rho where not given.
        rake: whether tables outside the junction tree may be chosen; samples are then re-weighted
            to them.
        prior: what was known before, from public data.

    Source:
        McKenna, Miklau, Mullins and Sheldon (2022), "AIM: An Adaptive and Iterative Mechanism for
        Differentially Private Synthetic Data", arXiv:2201.12677, with a fixed bill, batched
        rounds, a base measure of smoothed histograms, and one convex fit, warm-started.
    """

    name: ClassVar[str] = "aim"
    solves: ClassVar[bool] = True
    workload: Sequence[Sequence[str]] | str | None = None
    degree: int = 2
    target: str | None = None
    target_weight: int = 4
    most_cells: int = 100_000
    one_way_share: Fraction | None = None
    selection_share: Fraction = Fraction(1, 10)
    choices_per_column: int | None = None
    rake: bool = True
    prior: PublicPrior | None = None

    def __post_init__(self) -> None:
        counts = {
            "degree": self.degree,
            "target_weight": self.target_weight,
            "most_cells": self.most_cells,
            "choices_per_column": self.choices_per_column or 1,
        }
        one_way = self.one_way_share if self.one_way_share is not None else Fraction(1, 10)
        shares = {"one_way_share": one_way, "selection_share": self.selection_share}
        _validate.exact(**counts, **shares)
        _validate.positive(**counts)
        _validate.at_most(MOST_CELLS, most_cells=self.most_cells)
        _validate.flags(rake=self.rake)
        _validate.in_open_unit(**shares)
        require_prior(self.prior)
        if self.workload is not None:
            object.__setattr__(self, "workload", read_workload(self.workload))

    def steps(self, domain: Domain, *, unit: PrivacyUnit, rho: Fraction) -> tuple[Step, ...]:
        """List the charges of ``learn``, from public facts alone; they add up to ``rho``."""
        bill = self._bill(domain, unit, rho)
        steps = list(bill.one_way.steps())
        if bill.selection is None or bill.measuring is None:
            return tuple(steps)
        choice = bill.selection.event()
        table = bill.measuring.event(l2_sensitivity_squared=Fraction(unit.max_rows**2))
        rounds = len(bill.rounds)
        for at, choices in enumerate(bill.rounds, 1):
            phase, numbers = f"round {at} of {rounds}", range(1, choices + 1)
            steps += [
                Step(phase=phase, label=f"{phase}: choice {n} of {choices}", event=choice)
                for n in numbers
            ]
            steps += [
                Step(phase=phase, label=f"{phase}: table {n} of {choices}", event=table)
                for n in numbers
            ]
        return tuple(steps)

    def learn(self, curator: Curator, *, rho: Fraction, planned: Domain | None = None) -> Learned:
        """Spend exactly ``rho``, as ``steps`` said, and return the fitted model."""
        bill = self._bill(planned or curator.domain, curator.unit, rho)
        tables = bill.one_way.measure(curator)
        total = estimate_total(list(tables.values()))
        known = _known_columns(curator.domain, tables, total, rho, self.prior)
        coarse = curator.coarsened({name: each.coarsening.groups for name, each in known.items()})
        model = RoundModel(
            coarse.domain, known, total=total, most_cells=self.most_cells, prior=self.prior
        )
        cliques = list(bill.candidates)
        rounds = len(bill.rounds)
        for at, choices in enumerate(bill.rounds, 1):
            assert bill.selection is not None
            assert bill.measuring is not None
            query = model.errors(
                bill.candidates,
                stddev=sqrt(bill.measuring.sigma_squared),
                tolerance=_TOLERANCE * 2 * curator.unit.max_rows / float(bill.selection.epsilon),
            )
            label = f"round {at} of {rounds}: choice"
            selection = coarse.select(query, bill.selection, rounds=choices, label=label)
            chosen: list[int] = []
            for _ in range(choices):
                left = [number for number in range(len(cliques)) if number not in chosen]
                chosen.append(selection.pick(model.usable(cliques, left, anywhere=self.rake)))
                model.graph.join(cliques[chosen[-1]])
            queries = [MarginalQuery(clique=cliques[n], domain=coarse.domain) for n in chosen]
            answers = coarse.measure(queries, bill.measuring)
            model.refit([as_table(answer) for answer in answers], last=at == rounds)
        return Learned(
            model=model.finished(
                raked=self.rake,
                histograms=[
                    regrouped(table, known[name].coarsening.groups)
                    for name, table in tables.items()
                ],
            ),
            coarsenings={name: each.coarsening for name, each in known.items()},
        )

    def model_cells(self, domain: Domain) -> int:
        """Return how many cells the tables of a model may have together."""
        del domain
        return self.most_cells

    def _bill(self, domain: Domain, unit: PrivacyUnit, rho: Fraction) -> "_Bill":
        """Fix every scale. Rounding of the selections' epsilon is given to the tables."""
        if self.prior is not None:
            self.prior.require_fits(domain)
        columns = tuple(name for name in domain.columns if domain.sizes[name] > 1)
        found = candidates(
            domain,
            workload_cliques(
                domain, columns, given=read_workload(self.workload), degree=self.degree
            ),
            target=self.target,
            target_weight=self.target_weight,
            most_cells=self.most_cells // 5,
        )
        pairs = sum(len(clique) == 2 for clique in found)
        if not pairs:
            one_way = OneWayPhase.split(domain, unit=unit, rho=rho)
            return _Bill(one_way=one_way, candidates={}, rounds=())
        share = self.one_way_share or default_one_way_share(rho)
        wanted = (self.choices_per_column or _choices_per_column(rho)) * len(columns)
        rounds = _rounds(min(wanted, _ROUNDS * pairs))
        slot = rho * (1 - share) / sum(rounds)
        epsilon = root_below(8 * slot * self.selection_share)
        sensitivity = MarginalQuery(clique=columns[:1], domain=domain).l2_sensitivity_squared(unit)
        return _Bill(
            one_way=OneWayPhase.split(domain, unit=unit, rho=rho * share),
            candidates=found,
            rounds=rounds,
            selection=ExponentialSelection(epsilon=epsilon),
            measuring=DiscreteGaussian(sigma_squared=sensitivity / (2 * (slot - epsilon**2 / 8))),
        )


@dataclass(frozen=True, kw_only=True)
class _Bill:
    """Every mechanism of a fit, with its scale, and how many tables each round chooses."""

    one_way: OneWayPhase
    candidates: Mapping[Clique, int]
    rounds: tuple[int, ...]
    selection: ExponentialSelection | None = None
    measuring: DiscreteGaussian | None = None


def _known_columns(
    domain: Domain,
    tables: Mapping[str, NoisyTable],
    total: float,
    rho: Fraction,
    prior: PublicPrior | None,
) -> dict[str, Known]:
    """Smooth every histogram and merge its rare codes."""
    return {
        name: describe(
            table,
            total,
            ordered=name in domain.ordered,
            rare=rare_below(rho),
            levels=most_levels(domain),
            merging=alike(domain, name),
            prior=prior,
        )
        for name, table in tables.items()
    }


def _rounds(choices: int) -> tuple[int, ...]:
    """Split the choices into rounds of nearly one size, the larger ones last."""
    rounds = min(_ROUNDS, choices)
    ends = [choices * at // rounds for at in range(rounds + 1)]
    return tuple(after - before for before, after in pairwise(ends))


def _choices_per_column(rho: Fraction) -> int:
    """Return 2 where rho is below about 1e-2, 3 at about 1e-2, 6 at about 1 and above.

    By integers: the same on every machine.
    """
    halvings = rho.denominator.bit_length() - rho.numerator.bit_length()
    return min(max(6 - halvings // 2, 2), 6)
