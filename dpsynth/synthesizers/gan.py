"""GAN: a generator against a critic that alone meets the rows, by clipped, noisy gradients."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from typing import TYPE_CHECKING, ClassVar

from dpsynth import _validate
from dpsynth.models.neural.network import Network
from dpsynth.synthesizers.deep import Deep
from dpsynth.synthesizers.deep_facts import Facts, Start, Training

if TYPE_CHECKING:
    from dpsynth.synthesizers.deep_facts import Gradients

_BATCH = 2_048
_STEPS = 600
_GENERATED = 1_024  # rows in each half of a step
_ROOM = 1.001  # of the norm that every row's gradient has: none is scaled down by rounding
_MOST_CELLS = 256  # of the critic's columns together, where they are many
_MOST_MERGED, _LEAST_MERGED = 10, 2  # codes of a column as the critic sees it


@dataclass(frozen=True, kw_only=True)
class GAN(Deep):
    """Synthesize from a conditional generator that is trained against a private critic.

    Only the critic meets the rows; what it releases is the clipped, noisy half of its gradient.
    The generator is post-processing, and so is the other half. The critic scores pairs of columns
    and has neither batch normalization nor anything else that ties rows to each other.

    The first column of ``first`` is the condition: its codes are drawn by their noisy histogram,
    and given to the generator. Conditions on other columns are met by rejection, with the chance
    of each row known.

    Args:
        latent: normal draws a row.
        hidden: units of each of the generator's two hidden layers.

    Source:
        Xu and others (2019), "Modeling tabular data using conditional GAN", arXiv:1907.00503, for
        the conditional generator; Arjovsky, Chintala and Bottou (2017), arXiv:1701.07875, for a
        critic; Li and others (2017), "MMD GAN", arXiv:1705.08584, for one whose best answer is
        known; Xie and others (2018), arXiv:1802.06739, for privacy by the critic alone.
    """

    name: ClassVar[str] = "gan"
    latent: int = 16
    hidden: int = 128

    def __post_init__(self) -> None:
        super().__post_init__()
        counts = {"latent": self.latent, "hidden": self.hidden}
        _validate.exact(**counts)
        _validate.integral(**counts)
        _validate.positive(**counts)

    def preset(self, facts: Facts) -> Training:
        """Return the numbers of a training, by public facts alone."""
        rate = Fraction(1, max(1, facts.units // _BATCH))
        pairs = max(1, facts.columns * (facts.columns - 1) // 2)
        return Training(rate=rate, steps=_STEPS, clip=_ROOM * sqrt(pairs), step_size=0.015)

    def weights(self, facts: Facts) -> int:
        """Return how many weights generator and critic have, about."""
        seen = min(facts.codes, facts.columns * _most_merged(facts.columns))
        return seen**2 + self.hidden * (self.hidden + facts.codes)

    def network(
        self,
        start: Start,
        training: Training,
        gradients: "Gradients",
        progress: Callable[[int], object],
    ) -> Network:
        """Train the generator from the product of its columns."""
        from dpsynth.models.neural.gan import PairCritic, fitted, merging
        from dpsynth.models.neural.latent import Decoder
        from dpsynth.models.neural.training import Schedule, generator

        draws = generator()
        module = Decoder(
            start.shares,
            latent=self.latent,
            hidden=(self.hidden, self.hidden),
            conditional=start.first > 0,
            spread=1.0,
            generator=draws,
        )
        ordered = [name in start.domain.ordered for name in start.domain.columns]
        most = _most_merged(start.facts.columns)
        fitted(
            module,
            PairCritic(merging(start.shares, ordered, most=most)),
            gradients,
            Schedule(
                steps=training.steps, rate=training.step_size, average=training.average, last=0.02
            ),
            rows=_GENERATED,
            draws=draws,
            progress=progress,
        )
        return module.released()


def _most_merged(columns: int) -> int:
    """Return how many codes of a column the critic tells apart."""
    return max(_LEAST_MERGED, min(_MOST_MERGED, _MOST_CELLS // columns))
