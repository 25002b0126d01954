"""A generator against a private critic of pairs of columns.

The critic gives every pair of codes a number, and a row the sum over its pairs; it is trained to
give real rows more than generated ones, and pays for the square of its numbers. Its gradient has
two halves: that of real rows is released by the kernel, clipped and noisy; that of generated rows
is computed from the generator and public draws. The generator never sees anything else.

Two things follow from a score that is a sum over pairs. The real half does not depend on the
critic's numbers, so that all of them released so far may be averaged, and the best critic against
the present generator is known at once: the average less what is generated. And the expected score
of what the generator would draw is the score of its shares, exactly: nothing is relaxed.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from dpsynth.layers import MaskedLinear
from dpsynth.models.neural.latent import Decoder
from dpsynth.models.neural.training import Schedule

Array = NDArray[np.float64]
Loss = Callable[[nn.Module, Tensor], Tensor]

_SILENT = 10  # steps at the start in which the real half is all noise
_LEAST_SCALE = 0.05  # of the sum of all shares that is believed


class PairCritic(nn.Module):  # type: ignore[misc]  # torch is Any to mypy
    """A number for every pair of merged codes of two columns.

    Args:
        merged: by column, in the order of the network, the merged code of each code.
    """

    codes: Tensor
    starts: Tensor

    def __init__(self, merged: Sequence[NDArray[np.int64]]) -> None:
        super().__init__()
        sizes = [int(each.max()) + 1 for each in merged]
        ends = np.cumsum([0, *sizes])
        places = [each + start for each, start in zip(merged, ends, strict=False)]
        self.cells = int(ends[-1])
        self.pairs = len(sizes) * (len(sizes) - 1) // 2
        starts = np.cumsum([0, *(len(each) for each in merged)])[:-1]
        self.register_buffer("starts", torch.from_numpy(starts))
        self.register_buffer("codes", torch.from_numpy(np.concatenate(places)))
        column = torch.from_numpy(np.repeat(np.arange(len(sizes)), sizes))
        self.pair = MaskedLinear((column[:, None] > column[None, :]).float(), bias=False)
        with torch.no_grad():
            self.pair.weight.zero_()

    @property
    def norm(self) -> float:
        """Norm of every row's gradient: it has a 1 for each pair of columns."""
        return float(max(self.pairs, 1) ** 0.5)

    def loss(self, rows: Tensor) -> Tensor:
        """Return minus the score of each row, shape ``(rows,)``.

        Args:
            rows: shape ``(rows, columns)``, int64 codes, not merged.
        """
        hot = torch.zeros(rows.shape[0], self.cells)
        hot.scatter_(1, self.codes[rows + self.starts], 1.0)
        return -(hot * self.pair(hot)).sum(1)

    def merged(self, shares: Tensor) -> Tensor:
        """Return shares of merged codes, shape ``(rows, cells)``, of such of all codes."""
        found = torch.zeros(shares.shape[0], self.cells)
        return found.index_add_(1, self.codes, shares)


def merging(
    shares: Sequence[Array], ordered: Sequence[bool], *, most: int
) -> list[NDArray[np.int64]]:
    """Merge the rarest codes of every column until there are ``most`` at most.

    Where codes are ordered, two neighbors are merged that hold least together. Post-processing of
    noisy shares.
    """
    return [_merged(each, in_order, most) for each, in_order in zip(shares, ordered, strict=True)]


def _merged(shares: Array, ordered: bool, most: int) -> NDArray[np.int64]:
    groups = [[code] for code in range(shares.size)]
    held = [float(each) for each in shares]
    while len(groups) > most:
        if ordered:
            low = min(range(len(held) - 1), key=lambda at: held[at] + held[at + 1])
            high = low + 1
        else:
            low, high = sorted(sorted(range(len(held)), key=held.__getitem__)[:2])
        groups[low] += groups.pop(high)
        held[low] += held.pop(high)
    merged = np.zeros(shares.size, dtype=np.int64)
    for number, codes in enumerate(groups):
        merged[codes] = number
    return merged


def fitted(
    generator: Decoder,
    critic: PairCritic,
    gradients: Callable[[nn.Module, Loss], dict[str, Tensor]],
    schedule: Schedule,
    *,
    rows: int,
    draws: torch.Generator,
    progress: Callable[[int], object],
) -> None:
    """Train the generator against the critic; leave it at the average of its path.

    Args:
        generator: changed in place.
        critic: over the same columns.
        gradients: the next noisy mean gradient of a module over private rows; asked
            ``schedule.steps`` times.
        schedule: of the generator's steps.
        rows: generated for each half of a step.
        draws: public randomness.
        progress: told the steps done after each.
    """
    named = list(generator.parameters())
    optimizer = torch.optim.Adam(named, lr=schedule.rate, betas=(0.9, 0.99))
    path = [each.detach().clone() for each in named]
    wanted = torch.from_numpy(np.concatenate(generator.shares)).float()
    mask = critic.pair.mask
    released = torch.zeros_like(mask)
    for step in range(schedule.steps):
        half = -gradients(critic, PairCritic.loss)["pair.weight"] * mask
        released += (half - released) / (step + 1)
        if step >= min(_SILENT, schedule.steps - 1):
            # The declared number of rows may be far off; of shares the sum is known.
            scale = max(float(released.sum()) / max(critic.pairs, 1), _LEAST_SCALE)
            with torch.no_grad():
                shares = _shares(generator, rows, draws)
                seen = critic.merged(shares)
                worth = (released / scale - seen.T @ seen / rows) * mask
                columns = wanted - shares.mean(0)
            shares = _shares(generator, rows, draws)
            seen = critic.merged(shares)
            score = (functional.linear(seen, worth) * seen).sum(1).mean()
            optimizer.zero_grad()
            (-score - shares.mean(0) @ columns).backward()
            for group in optimizer.param_groups:
                group["lr"] = schedule.rate * schedule.factor(step)
            optimizer.step()
        past = min(schedule.average, (step + 1) / (step + 10))
        for held, each in zip(path, named, strict=True):
            held.mul_(past).add_(each.detach(), alpha=1 - past)
        progress(step + 1)
    with torch.no_grad():
        for held, each in zip(path, named, strict=True):
            each.copy_(held)
            each.grad = None


def _shares(generator: Decoder, rows: int, draws: torch.Generator) -> Tensor:
    """Generate rows: the shares of all codes, of a given first column 0 or 1."""
    latent = torch.randn((rows, generator.latent), generator=draws)
    first = None
    if generator.conditional:
        chances = torch.from_numpy(generator.shares[0])
        first = torch.multinomial(chances, rows, replacement=True, generator=draws)
    found = generator.normalized(generator(latent, first))
    if first is None:
        return found
    return torch.cat([functional.one_hot(first, generator.all_sizes[0]).float(), found], 1)
