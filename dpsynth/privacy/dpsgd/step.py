"""Batch, clip and noise as one object: none of them can be had without the others."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dpsynth.privacy.dpsgd.batches import PoissonBatches
from dpsynth.privacy.dpsgd.checkpoint import Checkpoint
from dpsynth.privacy.dpsgd.engines import Engine, Loss, Sums, Units
from dpsynth.privacy.dpsgd.noise import standard_normals
from dpsynth.privacy.dpsgd.processes import Processes
from dpsynth.privacy.dpsgd.rowwise import require_rowwise
from dpsynth.privacy.dpsgd.rule import StepRule
from dpsynth.privacy.dpsgd.state import State, digest_of_rows, digest_of_weights
from dpsynth.privacy.dpsgd.stream import KeyedStream
from dpsynth.privacy.source import UnitRows

__all__ = ["PrivateGradients", "StepRule"]


class PrivateGradients:
    """Releases ``steps`` noisy mean gradients over Poisson batches of units, and no more.

    Made by ``Curator.train``, which has paid for all of them. ``kept`` is what was saved with the
    checkpoint that it goes on from, if it does.

    Args:
        rows: the private codes and the unit of each row.
        max_rows: the most rows that a unit has.
        rule: the public numbers.
        engine: how clipped sums are computed.
        stream: of batches and noise; secret.
        most_rows: of a part of a batch that is in memory at a time, or of one unit if that has
            more; noise is added once, to the sum of all parts.
        processes: those that train together; this one is alone where None.
        checkpoint: destroyed after the last step.
        paid: digest of the ledger entry that pays for all steps.
        before: what an interrupted training left, where this one goes on from it.
        made_up: public rows, on which a loss must show that it gives every row its own number.
    """

    def __init__(
        self,
        rows: UnitRows,
        *,
        max_rows: int,
        rule: StepRule,
        engine: Engine,
        stream: KeyedStream,
        most_rows: int = 16_384,
        processes: Processes | None = None,
        checkpoint: Checkpoint | None = None,
        paid: str = "",
        before: State | None = None,
        made_up: Tensor | None = None,
    ) -> None:
        units = rows.units
        self.__own = None
        if processes is not None:
            self.__own = np.flatnonzero(processes.share_of(rows, facts=repr(rule)))
            units = units[self.__own] // processes.count
        self.__rows = rows
        self.__stream = stream
        self.__batches = PoissonBatches(units, max_rows=max_rows, rate=rule.rate, stream=stream)
        self.__engine = engine
        self.__at_once = max(1, most_rows // max_rows)
        self.__processes = processes
        self.__checkpoint = checkpoint
        self.__paid = paid
        self.__used = 0 if before is None else before.used
        self.__weights = None if before is None else before.weights
        self.kept = {} if before is None else dict(before.kept)
        self.__made_up = made_up
        self.rule = rule

    @property
    def used(self) -> int:
        """How many steps have been released."""
        return self.__used

    @property
    def left(self) -> int:
        """How many steps have not been released."""
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
            ValueError: every step of the rule has been used, a training goes on from other
                weights than those of its checkpoint, or a row's loss depends on other rows.
        """
        if not self.left:
            raise ValueError("every step of this training has been used")
        if self.__weights is not None and self.__weights != digest_of_weights(model):
            raise ValueError("a training goes on from the weights of its checkpoint alone")
        if self.__processes is not None and not self.__used:
            self.__processes.start_alike(model)
        if self.__made_up is not None:
            require_rowwise(model, loss, self.__made_up)
            self.__made_up = None
        step, self.__used, self.__weights = self.__used, self.__used + 1, None
        sums = self.__rows.exact(self.__summed(model, loss, step), clip=self.rule.clip)
        released = self.__noisy(sums, step)
        if not self.left and self.__checkpoint is not None:
            self.__checkpoint.destroy()
        return released

    def save(self, model: nn.Module, kept: Mapping[str, Tensor]) -> None:
        """Write the state from which this training can go on to its checkpoint.

        Args:
            model: whose weights the next step starts from.
            kept: what the caller needs to go on: weights, their average, moments of the optimizer.

        Raises:
            ValueError: the training has no checkpoint, or no step left.
        """
        if self.__checkpoint is None or not self.left:
            raise ValueError("only a training with a checkpoint and steps left can be saved")
        state = State(
            paid=self.__paid,
            key=self.__stream.key,
            rows=digest_of_rows(self.__rows),
            rule=repr(self.rule),
            used=self.__used,
            weights=digest_of_weights(model),
            kept=kept,
        )
        state.write(self.__checkpoint)

    def __summed(self, model: nn.Module, loss: Loss, step: int) -> Sums:
        # At least one part, so that an empty batch gives zeros of the right shapes, and noise.
        sums: Sums = {}
        slots = torch.from_numpy(self.__batches.draw(step))
        for part in slots.split(self.__at_once) if len(slots) else (slots,):
            units = Units(rows=self.__read(part.flatten().numpy()), present=part >= 0)
            found = self.__engine.clipped_sums(model, loss, units, clip=self.rule.clip)
            for name, value in found.items():
                sums[name] = sums[name] + value if name in sums else value
        return sums

    def __read(self, places: NDArray[np.integer]) -> Tensor:
        """Read the rows of a part of a batch, and no others, wherever the codes are held.

        Where a unit has fewer rows than others, place -1 stands for a row of zeros: what fills a
        batch up must not come from anybody's rows.
        """
        codes, held = self.__rows.codes, places >= 0
        found = np.zeros((places.size, codes.shape[1]), dtype=np.int64)
        found[held] = codes[places[held] if self.__own is None else self.__own[places[held]]]
        return torch.from_numpy(found)

    def __noisy(self, sums: Sums, step: int) -> Sums:
        flat = torch.cat([each.flatten().double() for each in sums.values()])

        def noisy(total: Tensor) -> Tensor:
            noise = standard_normals(total.numel(), self.__stream, step=step)
            # On a public grid: the last bits of a float say more than its size does.
            steps = noise.mul_(self.rule.stddev).add_(total).mul_(1 / self.rule.grid).round_()
            return steps.mul_(self.rule.grid / self.rule.divisor)

        mean = noisy(flat) if self.__processes is None else self.__processes.combined(flat, noisy)
        parts = mean.float().split([each.numel() for each in sums.values()])
        return {
            name: part.reshape(each.shape)
            for (name, each), part in zip(sums.items(), parts, strict=True)
        }

    def __repr__(self) -> str:
        return f"PrivateGradients({self.left} of {self.rule.steps} steps left)"
