"""The public numbers of a training; this module needs no torch, for plans are made of them."""

from dataclasses import dataclass
from fractions import Fraction
from math import floor, isfinite, log2

from dpsynth import _validate
from dpsynth.domain import NeighboringRelation, PrivacyUnit
from dpsynth.privacy.events import SampledGaussianEvent

_GRID_BITS = 10


@dataclass(frozen=True, kw_only=True)
class StepRule:
    """The public numbers of a training: fixed before any row is read.

    Args:
        rate: probability of a unit in a batch, exact, in (0, 1].
        noise_multiplier: stddev of the noise in units of ``clip``, exact, above 0.
        clip: the largest norm that one unit adds to a sum of gradients.
        steps: how many sums are released.
        expected_units: declared or noisy number of units, at least 1. The real number divides
            nothing: where this one is wrong, utility suffers and privacy does not.
    """

    rate: Fraction
    noise_multiplier: Fraction
    clip: float
    steps: int
    expected_units: int

    def __post_init__(self) -> None:
        _validate.exact(rate=self.rate, noise_multiplier=self.noise_multiplier)
        _validate.whole(steps=[self.steps], expected_units=[self.expected_units])
        _validate.positive(noise_multiplier=self.noise_multiplier, clip=self.clip, steps=self.steps)
        _validate.positive(expected_units=self.expected_units)
        _validate.at_most(1, rate=self.rate)
        if not isfinite(self.clip):
            raise ValueError("clip must be finite")

    @property
    def divisor(self) -> float:
        """What sums are divided by: the expected size of a batch, at least 1."""
        return max(float(self.rate * self.expected_units), 1.0)

    @property
    def stddev(self) -> float:
        """Of the noise in every coordinate of a sum, before it is divided."""
        return float(self.noise_multiplier) * self.clip

    @property
    def grid(self) -> float:
        """Noisy sums are rounded to multiples of it: a power of 2, about 2**-10 of ``stddev``."""
        return 2.0 ** (floor(log2(self.stddev)) - _GRID_BITS)

    def event(self, unit: PrivacyUnit) -> SampledGaussianEvent:
        """Describe all steps to an accountant. A unit is whole in a batch, or absent.

        Raises:
            ValueError: the unit's neighbors are not those that the event is analyzed for.
        """
        if unit.neighboring is not NeighboringRelation.ADD_OR_REMOVE:
            raise ValueError("a training step is analyzed for add_or_remove alone")
        return SampledGaussianEvent(
            rate=self.rate, noise_multiplier=self.noise_multiplier, steps=self.steps
        )
