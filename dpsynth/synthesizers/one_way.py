"""The first phase of every marginal method: one noisy histogram a column."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import Self

import numpy as np

from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.models.graphical.tables import NoisyTable
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.mechanisms import DiscreteGaussian
from dpsynth.privacy.queries import MarginalQuery, Measurement
from dpsynth.synthesizers.base import Step

PHASE = "one-way"


@dataclass(frozen=True, kw_only=True)
class OneWayPhase:
    """Histograms of all columns that can vary, with a noise scale a column.

    Attributes:
        domain: the columns.
        scales: squared noise parameter by measured column, exact, in the order of measuring.
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
        rho: Fraction,
        weights: Mapping[str, int] | None = None,
    ) -> Self:
        """Share ``rho`` out so that the total error of all histograms is least.

        The L1 error of a histogram of k cells is proportional to k times its noise, so its best
        share is proportional to ``k**(2/3)``. A column of one code cannot vary and is not asked
        about, unless there is no other.

        Args:
            domain: the columns.
            unit: whose data one guarantee covers.
            rho: the budget of the phase, exact.
            weights: how many times its usual share a column gets, positive integers; 1 where not
                named.
        """
        named = {} if weights is None else weights
        measured = [name for name in domain.columns if domain.sizes[name] > 1]
        measured = measured or list(domain.columns[:1])
        shares = {name: named.get(name, 1) * _share(domain.sizes[name]) for name in measured}
        total = sum(shares.values())
        scales = {}
        # Columns of one scale stand together: they are charged and measured at once.
        for name in sorted(measured, key=lambda name: -shares[name]):
            query = MarginalQuery(clique=(name,), domain=domain)
            cost = rho * shares[name] / total
            scales[name] = query.l2_sensitivity_squared(unit) / (2 * cost)
        return cls(domain=domain, scales=scales, unit=unit)

    def steps(self) -> tuple[Step, ...]:
        """List the charges of ``measure``, in order."""
        steps = []
        for name, sigma_squared in self.scales.items():
            query = MarginalQuery(clique=(name,), domain=self.domain)
            event = DiscreteGaussian(sigma_squared=sigma_squared).event(
                l2_sensitivity_squared=query.l2_sensitivity_squared(self.unit)
            )
            steps.append(Step(phase=PHASE, label=query.label, event=event))
        return tuple(steps)

    def measure(self, curator: Curator) -> dict[str, NoisyTable]:
        """Ask for every histogram; return them by column."""
        batches: dict[Fraction, list[MarginalQuery]] = {}
        for name, sigma_squared in self.scales.items():
            query = MarginalQuery(clique=(name,), domain=curator.domain)
            batches.setdefault(sigma_squared, []).append(query)
        answers = [
            answer
            for sigma_squared, queries in batches.items()
            for answer in curator.measure(queries, DiscreteGaussian(sigma_squared=sigma_squared))
        ]
        return {answer.clique[0]: as_table(answer) for answer in answers}


def as_table(measurement: Measurement) -> NoisyTable:
    """Write an answer as the table that a model is fitted to."""
    query = measurement.query
    values = measurement.values.astype(np.float64).reshape(query.domain.shape(query.clique))
    variance = np.full(values.shape, measurement.stddev**2)
    return NoisyTable(clique=query.clique, values=values, variance=variance)


def _share(cells: int) -> int:
    """Return 16 times ``cells**(2/3)``, rounded down, by integers: the same on every machine."""
    return _cube_root(4096 * cells**2)


def _cube_root(value: int) -> int:
    low, high = 0, isqrt(value) + 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**3 <= value else (low, middle)
    return low
