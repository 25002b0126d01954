"""A table of the declared target with every other column, for generators that are trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.models.graphical.tables import NoisyTable
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.mechanisms import DiscreteGaussian
from dpsynth.privacy.queries import MarginalQuery
from dpsynth.synthesizers.base import Step
from dpsynth.synthesizers.one_way import as_table

PHASE = "target"


@dataclass(frozen=True, kw_only=True)
class TargetPairs:
    """Tables of one column with all others that can vary, with noise of one scale.

    A network learns all relations at once, and blurs the few that a reader asks for first: samples
    are held against these tables.

    Attributes:
        domain: the columns.
        cliques: pairs of columns, the target last.
        noise: None where there is no pair.
        unit: whose data one guarantee covers.
    """

    domain: Domain
    cliques: tuple[tuple[str, str], ...]
    noise: DiscreteGaussian | None
    unit: PrivacyUnit

    @classmethod
    def of(cls, domain: Domain, target: str | None, *, unit: PrivacyUnit, rho: Fraction) -> Self:
        """Share ``rho`` out evenly.

        Args:
            domain: the columns, as planned.
            target: one of them; None, or one that cannot vary, and there are no pairs.
            unit: whose data one guarantee covers.
            rho: the budget of the phase, exact.
        """
        cliques: list[tuple[str, str]] = []
        if target is not None and domain.sizes.get(target, 1) > 1:
            others = [name for name in domain.columns if name != target and domain.sizes[name] > 1]
            cliques = [(name, target) for name in others]
        noise = None
        if cliques and rho > 0:
            squared = MarginalQuery(clique=cliques[0], domain=domain).l2_sensitivity_squared(unit)
            noise = DiscreteGaussian(sigma_squared=squared * len(cliques) / (2 * rho))
        return cls(domain=domain, cliques=tuple(cliques), noise=noise, unit=unit)

    def steps(self) -> tuple[Step, ...]:
        """List the charges of ``measure``, in order."""
        if self.noise is None:
            return ()
        steps = []
        for query in self._queries(self.domain):
            event = query.event(self.noise, self.unit)
            steps.append(Step(phase=PHASE, label=query.label, event=event))
        return tuple(steps)

    def measure(self, curator: Curator) -> list[NoisyTable]:
        """Ask for every table."""
        if self.noise is None:
            return []
        return [
            as_table(each) for each in curator.measure(self._queries(curator.domain), self.noise)
        ]

    def _queries(self, domain: Domain) -> Sequence[MarginalQuery]:
        return [MarginalQuery(clique=clique, domain=domain) for clique in self.cliques]
