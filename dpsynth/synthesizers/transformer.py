"""A small transformer over columns, trained on the rows with clipped, noisy gradients."""

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
_STEPS = 400  # where the signal is 1
_FEWEST, _MOST = 100, 800  # steps


@dataclass(frozen=True, kw_only=True)
class Transformer(Deep):
    """Synthesize from a small causal transformer: a token a column.

    Slower than ``made`` and, on the tables tried, no better; its size hardly grows with the number
    of codes.

    Args:
        width: of a token.
        layers: blocks of attention and a hidden layer.
        heads: of the attention; ``width`` is a multiple.
        hidden: units of the hidden layer of a block.

    Source:
        Castellon, Gopal, Bloniarz and Rosenberg (2023), "DP-TBART", arXiv:2307.10430, for the
        method; Abadi and others (2016), arXiv:1607.00133, for its training.
    """

    name: ClassVar[str] = "transformer"
    seconds_per_weight: ClassVar[float] = 8e-10  # of one row in one step
    width: int = 32
    layers: int = 1
    heads: int = 4
    hidden: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes = {
            "width": self.width,
            "layers": self.layers,
            "heads": self.heads,
            "hidden": self.hidden,
        }
        _validate.exact(**sizes)
        _validate.integral(**sizes)
        _validate.positive(**sizes)
        if self.width % self.heads:
            raise ValueError("width must be a multiple of heads")

    def preset(self, facts: Facts) -> Training:
        """Return the numbers of a training, by public facts alone."""
        rate = Fraction(1, max(_LEAST_BATCHES, facts.units // _BATCH))
        steps = min(max(round(_STEPS * sqrt(facts.signal)), _FEWEST), _MOST)
        return Training(rate=rate, steps=steps, step_size=0.006)

    def weights(self, facts: Facts) -> int:
        """Return how many weights a row passes: those of a block once for every column."""
        block = 4 * self.width**2 + 2 * self.width * self.hidden
        return facts.columns * self.layers * block + 2 * facts.codes * self.width

    def network(
        self,
        start: Start,
        training: Training,
        gradients: "Gradients",
        progress: Callable[[int], object],
    ) -> Network:
        """Train the network from the product of its columns."""
        from dpsynth.models.neural.training import Schedule, generator, train
        from dpsynth.models.neural.transformer import Transformer as Module

        module = Module(
            start.shares,
            width=self.width,
            layers=self.layers,
            heads=self.heads,
            hidden=self.hidden,
            generator=generator(),
        )
        schedule = Schedule(steps=training.steps, rate=training.step_size, average=training.average)
        train(
            module,
            lambda: gradients(module, lambda held, rows: held.loss(rows)),
            schedule,
            progress=progress,
        )
        return module.released()
