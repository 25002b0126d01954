"""The baseline: every column on its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import ClassVar

from dpsynth import _validate
from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.errors import UnknownNameError
from dpsynth.models.graphical.denoise import smooth_histogram
from dpsynth.models.graphical.estimation import fit
from dpsynth.models.graphical.tables import NoisyTable
from dpsynth.privacy.curator import Curator
from dpsynth.synthesizers.base import Learned, Step
from dpsynth.synthesizers.costs import Read, one_way_reads
from dpsynth.synthesizers.facade import Synthesizer
from dpsynth.synthesizers.one_way import PHASE, OneWayPhase


@dataclass(frozen=True, kw_only=True)
class Independent(Synthesizer):
    """Synthesize each column from its own noisy histogram.

    Keeps every one-way marginal and no relation between columns: the least that a synthesizer
    can do, and the line that every other one must beat. Where delta is 0, the noise is discrete
    Laplace instead of discrete Gaussian.

    Args:
        weights: how many times its usual share of the budget a column gets, positive integers by
            column name; 1 where not named.
    """

    name: ClassVar[str] = "independent"
    weights: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _validate.exact(**self.weights)
        _validate.positive(**self.weights)

    def steps(self, domain: Domain, *, unit: PrivacyUnit, rho: Fraction) -> tuple[Step, ...]:
        """List the charges of ``learn``, from public facts alone; they add up to ``rho``."""
        return self._phase(domain, unit, rho).steps()

    def learn(self, curator: Curator, *, rho: Fraction, planned: Domain | None = None) -> Learned:
        """Spend exactly ``rho`` on histograms and return the model of independent columns."""
        phase = self._phase(planned or curator.domain, curator.unit, rho)
        return _modeled(curator.domain, phase.measure(curator))

    def reads(self, domain: Domain, steps: Sequence[Step]) -> tuple[Read, ...]:
        """Return what a fit asks of the rows: histograms."""
        return one_way_reads(domain, steps, PHASE)

    def pure_steps(
        self, domain: Domain, *, unit: PrivacyUnit, epsilon: Fraction
    ) -> tuple[Step, ...]:
        """List the charges of ``pure_learn``; their pure epsilons add up to ``epsilon``."""
        return self._pure_phase(domain, unit, epsilon).steps()

    def pure_learn(
        self, curator: Curator, *, epsilon: Fraction, planned: Domain | None = None
    ) -> Learned:
        """Spend exactly ``epsilon`` on histograms and return the model of independent columns."""
        phase = self._pure_phase(planned or curator.domain, curator.unit, epsilon)
        return _modeled(curator.domain, phase.measure(curator))

    def _phase(self, domain: Domain, unit: PrivacyUnit, rho: Fraction) -> OneWayPhase:
        self._require_known(domain)
        return OneWayPhase.split(domain, unit=unit, rho=rho, weights=self.weights)

    def _pure_phase(self, domain: Domain, unit: PrivacyUnit, epsilon: Fraction) -> OneWayPhase:
        self._require_known(domain)
        return OneWayPhase.split_pure(domain, unit=unit, epsilon=epsilon, weights=self.weights)

    def _require_known(self, domain: Domain) -> None:
        unknown = sorted(set(self.weights) - set(domain.columns))
        if unknown:
            raise UnknownNameError(f"weights name columns that do not exist: {', '.join(unknown)}")


def _modeled(domain: Domain, histograms: Mapping[str, NoisyTable]) -> Learned:
    model = fit(domain, [_smoothed(table) for table in histograms.values()])
    measured = list(histograms.values())
    return Learned(model=replace(model, measured=measured), coarsenings={})


def _smoothed(table: NoisyTable) -> NoisyTable:
    """Smooth a histogram and keep its noisy sum, which the number of rows is estimated from."""
    stddev = float(table.variance.max() ** 0.5)
    smooth = smooth_histogram(table.values, stddev)
    shift = (table.values.sum() - smooth.sum()) / smooth.size
    return NoisyTable(clique=table.clique, values=smooth + shift, variance=table.variance)
