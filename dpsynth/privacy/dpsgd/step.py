"""Batch, clip and noise as one object: none of them can be had without the others."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dpsynth import _validate
from dpsynth.privacy.dpsgd.batches import PoissonBatches
from dpsynth.privacy.dpsgd.engines import Engine, Loss, Sums, Units
from dpsynth.privacy.dpsgd.noise import standard_normals
from dpsynth.privacy.randomness import RandomSource


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
        _validate.exact(rate=self.rate, noise_multiplier=self.noise_multiplier, steps=self.steps)
        _validate.positive(noise_multiplier=self.noise_multiplier, clip=self.clip, steps=self.steps)
        _validate.positive(expected_units=self.expected_units)
        _validate.at_most(1, rate=self.rate)

    @property
    def divisor(self) -> float:
        """What sums are divided by: the expected size of a batch, at least 1."""
        return max(float(self.rate * self.expected_units), 1.0)


class PrivateGradients:
    """Releases ``steps`` noisy mean gradients over Poisson batches of units, and no more.

    Args:
        rows: shape ``(rows, columns)``, the private codes.
        units: shape ``(rows,)``, the unit of each row.
        max_rows: the most rows that a unit has.
        rule: the public numbers.
        engine: how clipped sums are computed.
        rng: source of batches and noise.
        most_rows: of a part of a batch that is in memory at a time; noise is added once, to the
            sum of all parts.
    """

    def __init__(
        self,
        rows: NDArray[np.integer],
        units: NDArray[np.int64],
        *,
        max_rows: int,
        rule: StepRule,
        engine: Engine,
        rng: RandomSource,
        most_rows: int = 16_384,
    ) -> None:
        self.__rows = torch.from_numpy(np.ascontiguousarray(rows))
        self.__batches = PoissonBatches(units, max_rows=max_rows, rate=rule.rate, rng=rng)
        self.__engine = engine
        self.__rng = rng
        self.__left = rule.steps
        self.__at_once = max(1, most_rows // max_rows)
        self.rule = rule

    def release(self, model: nn.Module, loss: Loss) -> Sums:
        """Return the next noisy mean gradient of every trainable parameter.

        Privacy:
            One Poisson-sampled Gaussian with the rule's rate and noise multiplier: adding or
            removing a unit moves the sum of clipped gradients by at most ``clip`` in L2, over all
            parameters together.

        Raises:
            ValueError: every step of the rule has been used.
        """
        if not self.__left:
            raise ValueError("every step of this training has been used")
        self.__left -= 1
        # At least one part, so that an empty batch gives zeros of the right shapes, and noise.
        sums: Sums = {}
        slots = torch.from_numpy(self.__batches.draw())
        for part in slots.split(self.__at_once) if len(slots) else (slots,):
            for name, value in self.__clipped(model, loss, part).items():
                sums[name] = sums[name] + value if name in sums else value
        scale = float(self.rule.noise_multiplier) * self.rule.clip
        return {name: self.__noisy(value, scale) for name, value in sums.items()}

    def __clipped(self, model: nn.Module, loss: Loss, slots: Tensor) -> Sums:
        present = slots >= 0
        rows = self.__rows[slots.clamp(min=0).flatten()]
        units = Units(rows=rows, present=present)
        return self.__engine.clipped_sums(model, loss, units, clip=self.rule.clip)

    def __noisy(self, value: Tensor, scale: float) -> Tensor:
        noise = torch.from_numpy(standard_normals(value.numel(), self.__rng)).reshape(value.shape)
        return ((value.double() + scale * noise) / self.rule.divisor).float()

    def __repr__(self) -> str:
        return f"PrivateGradients({self.__left} of {self.rule.steps} steps left)"
