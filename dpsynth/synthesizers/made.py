"""MADE: a masked autoregressive network, trained on the rows with clipped, noisy gradients."""

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

_BATCH = 1_024
_LEAST_BATCHES = 4  # of all units; in fewer, and larger ones, noise is no smaller
_STEPS = 600  # where the signal is 1
_FEWEST, _MOST = 150, 1_200  # steps


@dataclass(frozen=True, kw_only=True)
class MADE(Deep):
    """Synthesize from a masked autoregressive network.

    Each column given those before it, by one hidden layer and a direct path. Its size grows with
    the number of codes alone; of tables over several columns it takes those of a declared target.

    Args:
        hidden: units of the hidden layer.

    Source:
        Germain, Gregor, Murray and Larochelle (2015), "MADE", arXiv:1502.03509, for the network;
        Abadi and others (2016), arXiv:1607.00133, for its training.
    """

    name: ClassVar[str] = "made"
    hidden: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        _validate.exact(hidden=self.hidden)
        _validate.integral(hidden=self.hidden)
        _validate.positive(hidden=self.hidden)

    def preset(self, facts: Facts) -> Training:
        """Return the numbers of a training, by public facts alone."""
        rate = Fraction(1, max(_LEAST_BATCHES, facts.units // _BATCH))
        steps = min(max(round(_STEPS * sqrt(facts.signal)), _FEWEST), _MOST)
        return Training(rate=rate, steps=steps, step_size=0.015)

    def weights(self, facts: Facts) -> int:
        """Return how many weights the network has."""
        return 2 * facts.codes * self.hidden + facts.codes**2

    def network(
        self,
        start: Start,
        training: Training,
        gradients: "Gradients",
        progress: Callable[[int], object],
    ) -> Network:
        """Train the network from the product of its columns."""
        from dpsynth.models.neural.made import Made
        from dpsynth.models.neural.training import Schedule, generator, train

        module = Made(start.shares, hidden=self.hidden, generator=generator())
        schedule = Schedule(steps=training.steps, rate=training.step_size, average=training.average)
        train(
            module,
            lambda: gradients(module, lambda held, rows: held.loss(rows)),
            schedule,
            progress=progress,
        )
        return module.released()
