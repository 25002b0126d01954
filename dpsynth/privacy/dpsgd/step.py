"""Batch, clip and noise as one object: none of them can be had without the others."""

import torch
from torch import Tensor, nn

from dpsynth.privacy.dpsgd.batches import PoissonBatches
from dpsynth.privacy.dpsgd.engines import Engine, Loss, Sums, Units
from dpsynth.privacy.dpsgd.noise import standard_normals
from dpsynth.privacy.dpsgd.rule import StepRule
from dpsynth.privacy.dpsgd.stream import KeyedStream
from dpsynth.privacy.randomness import RandomSource
from dpsynth.privacy.source import UnitRows

__all__ = ["PrivateGradients", "StepRule"]


class PrivateGradients:
    """Releases ``steps`` noisy mean gradients over Poisson batches of units, and no more.

    Made by ``Curator.train``, which has paid for all of them.

    Args:
        rows: the private codes and the unit of each row.
        max_rows: the most rows that a unit has.
        rule: the public numbers.
        engine: how clipped sums are computed.
        rng: source of the key of batches and noise.
        most_rows: of a part of a batch that is in memory at a time, or of one unit if that has
            more; noise is added once, to the sum of all parts.
    """

    def __init__(
        self,
        rows: UnitRows,
        *,
        max_rows: int,
        rule: StepRule,
        engine: Engine,
        rng: RandomSource,
        most_rows: int = 16_384,
    ) -> None:
        self.__rows = rows
        self.__codes = torch.from_numpy(rows.codes)
        self.__stream = KeyedStream.fresh(rng)
        self.__batches = PoissonBatches(
            rows.units, max_rows=max_rows, rate=rule.rate, stream=self.__stream
        )
        self.__engine = engine
        self.__used = 0
        self.__at_once = max(1, most_rows // max_rows)
        self.rule = rule

    @property
    def left(self) -> int:
        """How many steps have not been used."""
        return self.rule.steps - self.__used

    def release(self, model: nn.Module, loss: Loss) -> Sums:
        """Return the next noisy mean gradient of every trainable parameter.

        Args:
            model: of layers that the engine knows; its trainable parameters are public.
            loss: of the model and of rows of codes, shape ``(rows, columns)``, int64; one number a
                row that depends on no other row.

        Privacy:
            One Poisson-sampled Gaussian with the rule's rate and noise multiplier: adding or
            removing a unit moves the sum of clipped gradients by at most ``clip`` in L2, over all
            parameters together.

        Raises:
            ValueError: every step of the rule has been used.
        """
        if not self.left:
            raise ValueError("every step of this training has been used")
        step, self.__used = self.__used, self.__used + 1
        sums = self.__rows.exact(self.__summed(model, loss, step), clip=self.rule.clip)
        sizes = [each.numel() for each in sums.values()]
        noise = standard_normals(sum(sizes), self.__stream, step=step).mul_(self.rule.stddev)
        return {
            name: ((part + each.flatten()) / self.rule.divisor).float().reshape(each.shape)
            for (name, each), part in zip(sums.items(), noise.split(sizes), strict=True)
        }

    def __summed(self, model: nn.Module, loss: Loss, step: int) -> Sums:
        # At least one part, so that an empty batch gives zeros of the right shapes, and noise.
        sums: Sums = {}
        slots = torch.from_numpy(self.__batches.draw(step))
        for part in slots.split(self.__at_once) if len(slots) else (slots,):
            for name, value in self.__clipped(model, loss, part).items():
                sums[name] = sums[name] + value if name in sums else value
        return sums

    def __clipped(self, model: nn.Module, loss: Loss, slots: Tensor) -> Sums:
        rows = self.__codes[slots.clamp(min=0).flatten()]
        units = Units(rows=rows, present=slots >= 0)
        return self.__engine.clipped_sums(model, loss, units, clip=self.rule.clip)

    def __repr__(self) -> str:
        return f"PrivateGradients({self.left} of {self.rule.steps} steps left)"
