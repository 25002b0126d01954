"""The first phase of every marginal method: one noisy histogram a column."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import Self

import numpy as np

from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.models.graphical.tables import NoisyTable
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.mechanisms import DiscreteGaussian, DiscreteLaplace
from dpsynth.privacy.queries import MarginalQuery, Measurement
from dpsynth.synthesizers.base import Step

PHASE = "one-way"


@dataclass(frozen=True, kw_only=True)
class OneWayPhase:
    """Histograms of all columns that can vary, with noise of a scale a column.

    Attributes:
        domain: the columns.
        noise: by measured column, in the order of measuring.
        unit: whose data one guarantee covers.
    """

    domain: Domain
    noise: Mapping[str, DiscreteGaussian | DiscreteLaplace]
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

        The L1 error of a histogram of k cells is proportional to k times its noise, and Gaussian
        noise to the root of one over its share, so the best share is proportional to ``k**(2/3)``.

        Args:
            domain: the columns.
            unit: whose data one guarantee covers.
            rho: the budget of the phase, exact.
            weights: how many times its usual share a column gets, positive integers; 1 where not
                named.
        """
        noise = {}
        for query, part in _shares(domain, _two_thirds_power, weights):
            squared = query.l2_sensitivity_squared(unit) / (2 * rho * part)
            noise[query.clique[0]] = DiscreteGaussian(sigma_squared=squared)
        return cls(domain=domain, noise=noise, unit=unit)

    @classmethod
    def split_pure(
        cls,
        domain: Domain,
        *,
        unit: PrivacyUnit,
        epsilon: Fraction,
        weights: Mapping[str, int] | None = None,
    ) -> Self:
        """Share a budget without a delta out, by discrete Laplace noise; else as ``split``.

        Laplace noise is proportional to one over its share, so the best share is proportional to
        the root of k.
        """
        noise = {}
        for query, part in _shares(domain, _root, weights):
            scale = query.l1_sensitivity(unit) / (epsilon * part)
            noise[query.clique[0]] = DiscreteLaplace(scale=scale)
        return cls(domain=domain, noise=noise, unit=unit)

    def steps(self) -> tuple[Step, ...]:
        """List the charges of ``measure``, in order."""
        steps = []
        for name, mechanism in self.noise.items():
            query = MarginalQuery(clique=(name,), domain=self.domain)
            event = query.event(mechanism, self.unit)
            steps.append(Step(phase=PHASE, label=query.label, event=event))
        return tuple(steps)

    def measure(self, curator: Curator) -> dict[str, NoisyTable]:
        """Ask for every histogram; return them by column."""
        batches: dict[DiscreteGaussian | DiscreteLaplace, list[MarginalQuery]] = {}
        for name, mechanism in self.noise.items():
            query = MarginalQuery(clique=(name,), domain=curator.domain)
            batches.setdefault(mechanism, []).append(query)
        answers = [
            answer
            for mechanism, queries in batches.items()
            for answer in curator.measure(queries, mechanism)
        ]
        return {answer.clique[0]: as_table(answer) for answer in answers}


def as_table(measurement: Measurement) -> NoisyTable:
    """Write an answer as the table that a model is fitted to."""
    query = measurement.query
    values = measurement.values.astype(np.float64).reshape(query.domain.shape(query.clique))
    variance = np.full(values.shape, measurement.stddev**2)
    return NoisyTable(clique=query.clique, values=values, variance=variance)


def _shares(
    domain: Domain, power: Callable[[int], int], weights: Mapping[str, int] | None
) -> list[tuple[MarginalQuery, Fraction]]:
    """Return the histograms to ask for, each with its part of the budget.

    A column of one code cannot vary and is not asked about, unless there is no other. Columns of
    one scale stand together: they are charged and measured at once.
    """
    named = {} if weights is None else weights
    measured = [name for name in domain.columns if domain.sizes[name] > 1]
    measured = measured or list(domain.columns[:1])
    shares = {name: named.get(name, 1) * power(domain.sizes[name]) for name in measured}
    total = sum(shares.values())
    ordered = sorted(measured, key=lambda name: -shares[name])
    return [
        (MarginalQuery(clique=(name,), domain=domain), Fraction(shares[name], total))
        for name in ordered
    ]


def _root(cells: int) -> int:
    """Return 16 times the root, rounded down, by integers: the same on every machine."""
    return isqrt(256 * cells)


def _two_thirds_power(cells: int) -> int:
    """Return 16 times ``cells**(2/3)``, rounded down, by integers: the same on every machine."""
    return _cube_root(4096 * cells**2)


def _cube_root(value: int) -> int:
    low, high = 0, isqrt(value) + 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**3 <= value else (low, middle)
    return low
