"""The first phase of a pure method: one histogram a column, with discrete Laplace noise."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import Self

from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.models.graphical.tables import NoisyTable
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.mechanisms import DiscreteLaplace
from dpsynth.privacy.queries import MarginalQuery
from dpsynth.synthesizers.base import Step
from dpsynth.synthesizers.one_way import PHASE, as_table


@dataclass(frozen=True, kw_only=True)
class PureOneWayPhase:
    """Histograms of all columns that can vary, with a noise scale a column.

    Attributes:
        domain: the columns.
        scales: noise parameter by measured column, in rows, exact, in the order of measuring.
        unit: whose data one guarantee covers.
    """

    domain: Domain
    scales: Mapping[str, Fraction]
    unit: PrivacyUnit

    @classmethod
    def split(
        cls,
        domain: Domain,
        *,
        unit: PrivacyUnit,
        epsilon: Fraction,
        weights: Mapping[str, int] | None = None,
    ) -> Self:
        """Share ``epsilon`` out so that the total error of all histograms is least.

        The L1 error of a histogram of k cells is proportional to k times its noise, and the noise
        to one over its share, so its best share is proportional to the root of k. A column of one
        code cannot vary and is not asked about, unless there is no other.

        Args:
            domain: the columns.
            unit: whose data one guarantee covers.
            epsilon: the budget of the phase without a delta, exact.
            weights: how many times its usual share a column gets, positive integers; 1 where not
                named.
        """
        named = {} if weights is None else weights
        measured = [name for name in domain.columns if domain.sizes[name] > 1]
        measured = measured or list(domain.columns[:1])
        # 16 times the root, by integers: the same on every machine.
        shares = {name: named.get(name, 1) * isqrt(256 * domain.sizes[name]) for name in measured}
        total = sum(shares.values())
        scales = {}
        # Columns of one scale stand together: they are charged and measured at once.
        for name in sorted(measured, key=lambda name: -shares[name]):
            query = MarginalQuery(clique=(name,), domain=domain)
            scales[name] = query.l1_sensitivity(unit) * total / (epsilon * shares[name])
        return cls(domain=domain, scales=scales, unit=unit)

    def steps(self) -> tuple[Step, ...]:
        """List the charges of ``measure``, in order."""
        steps = []
        for name, scale in self.scales.items():
            query = MarginalQuery(clique=(name,), domain=self.domain)
            event = query.event(DiscreteLaplace(scale=scale), self.unit)
            steps.append(Step(phase=PHASE, label=query.label, event=event))
        return tuple(steps)

    def measure(self, curator: Curator) -> dict[str, NoisyTable]:
        """Ask for every histogram; return them by column."""
        batches: dict[Fraction, list[MarginalQuery]] = {}
        for name, scale in self.scales.items():
            query = MarginalQuery(clique=(name,), domain=curator.domain)
            batches.setdefault(scale, []).append(query)
        answers = [
            answer
            for scale, queries in batches.items()
            for answer in curator.measure(queries, DiscreteLaplace(scale=scale))
        ]
        return {answer.clique[0]: as_table(answer) for answer in answers}
