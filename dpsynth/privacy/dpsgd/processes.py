"""Several processes that train together: one charge, one noise, each unit in one of them.

Every process opens the same table and runs the same program over ``torch.distributed``. A process
samples the units of its own share, by coins of its own; the clipped sums of all are added up in the
first one, which adds the noise of the step, once, and hands the result to all.
"""

from collections.abc import Callable
from hashlib import blake2b

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn

from dpsynth.errors import UsageError
from dpsynth.privacy.dpsgd.state import digest_of_rows
from dpsynth.privacy.source import UnitRows


class Processes:
    """The processes of the default group of ``torch.distributed``.

    Raises:
        UsageError: the group was not made, or its backend works on other devices than the CPU.
    """

    def __init__(self) -> None:
        if not distributed.is_initialized():
            raise UsageError(
                "training in several processes needs torch.distributed.init_process_group('gloo') "
                "in each of them first"
            )
        if distributed.get_backend() != "gloo":
            raise UsageError("training in several processes needs the backend 'gloo'")
        self.rank = int(distributed.get_rank())
        self.count = int(distributed.get_world_size())

    @property
    def first(self) -> bool:
        """Whether this is the process that pays and draws noise."""
        return self.rank == 0

    def pay(self, charge: Callable[[], object]) -> None:
        """Let the first process charge, and all others wait for it.

        Raises:
            UsageError: the first process could not pay; no row was read.
        """
        paid = torch.zeros(1, dtype=torch.int64)
        try:
            if self.first:
                charge()
                paid += 1
        finally:
            distributed.broadcast(paid, src=0)
        if not paid.item():
            raise UsageError("the first process could not pay for the training, so none begins it")

    def share_of(self, rows: UnitRows, *, facts: str) -> NDArray[np.bool_]:
        """Return which rows this process samples from: those of every so many-th unit.

        Args:
            rows: of the whole table.
            facts: what else must be the same everywhere, as text.

        Raises:
            UsageError: the processes hold different rows or facts; a unit could count twice.
        """
        digest = blake2b(f"{digest_of_rows(rows)} {facts}".encode()).digest()
        mine = torch.frombuffer(bytearray(digest), dtype=torch.uint8)
        found = [torch.empty_like(mine) for _ in range(self.count)]
        distributed.all_gather(found, mine)
        if any(not torch.equal(each, mine) for each in found):
            raise UsageError("all processes must open the same table and train by the same rule")
        return np.asarray(rows.units % self.count == self.rank)

    def start_alike(self, model: nn.Module) -> None:
        """Give all processes the weights of the first."""
        for each in (*model.parameters(), *model.buffers()):
            distributed.broadcast(each.data, src=0)

    def combined(self, sums: Tensor, noisy: Callable[[Tensor], Tensor]) -> Tensor:
        """Return what ``noisy`` makes of the sum over all processes, the same in each.

        Args:
            sums: of this process, shape ``(numbers,)``, float64.
            noisy: called in the first process alone.
        """
        distributed.reduce(sums, dst=0)
        result = noisy(sums) if self.first else torch.empty_like(sums)
        distributed.broadcast(result, src=0)
        return result
