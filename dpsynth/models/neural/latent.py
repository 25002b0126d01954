"""A decoder that is trained: from normal draws to logits of the codes of every column."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from dpsynth.models.neural.latent_network import LatentNetwork

_ROWS = 8_192  # that shares are computed over
_ROUNDS = 20  # of moving biases
_LEAST_SUM = 1e-30  # of exponentials of a column


class Decoder(nn.Module):  # type: ignore[misc]  # torch is Any to mypy
    """Layers of tanh units; the last one starts from the logarithms of the shares.

    Args:
        shares: by column, in the order of the network, the share of each code; above 0.
        latent: normal draws a row.
        hidden: units of the hidden layers.
        conditional: whether the code of the first column is given beside the draws; the other
            columns are then what comes out.
        spread: of the first weights of the last layer: how far rows differ at the start.
        generator: of the first weights.
    """

    columns: Tensor  # which column a code that comes out is of: 1 there, else 0

    def __init__(
        self,
        shares: Sequence[NDArray[np.float64]],
        *,
        latent: int,
        hidden: Sequence[int],
        conditional: bool,
        spread: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.all_sizes = [len(each) for each in shares]
        self.latent = latent
        self.conditional = conditional and len(shares) > 1
        given = self.all_sizes[0] if self.conditional else 0
        self.shares = [np.asarray(each) for each in shares]
        self.sizes = self.all_sizes[1:] if self.conditional else self.all_sizes
        widths = [latent + given, *hidden, sum(self.sizes)]
        self.layers = nn.ModuleList([nn.Linear(*pair) for pair in pairwise(widths)])
        logs = np.log(np.concatenate(self.shares[len(shares) - len(self.sizes) :]))
        column = torch.from_numpy(np.repeat(np.arange(len(self.sizes)), self.sizes))
        self.register_buffer("columns", functional.one_hot(column).float())
        with torch.no_grad():
            for layer in self.layers:
                fan = max(layer.in_features - max(given - 1, 0), 1)
                layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) / fan**0.5)
                layer.bias.zero_()
                given = 0
            last = self.layers[-1]
            last.weight.mul_(spread)
            last.bias.copy_(torch.from_numpy(logs))

    def forward(self, draws: Tensor, first: Tensor | None = None) -> Tensor:
        """Return logits, shape ``(rows, codes that come out)``.

        Args:
            draws: shape ``(rows, latent)``.
            first: shape ``(rows,)``, codes of the first column; not looked at unless conditional.
        """
        held = draws
        if self.conditional:
            hot = functional.one_hot(first, self.all_sizes[0]).to(draws.dtype)
            held = torch.cat([draws, hot], 1)
        for layer in list(self.layers)[:-1]:
            held = torch.tanh(layer(held))
        return self.layers[-1](held)

    def normalizers(self, logits: Tensor) -> Tensor:
        """Return the sum over columns of the logarithms of their normalizers, shape ``(rows,)``."""
        top, _, sums = self._grown(logits)
        return torch.log(sums).sum(1) + top[:, 0] * len(self.sizes)

    def normalized(self, logits: Tensor) -> Tensor:
        """Return shares of codes, which sum to 1 in every column; of the shape of ``logits``."""
        _, grown, sums = self._grown(logits)
        return grown * ((1 / sums) @ self.columns.T)

    def _grown(self, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what logits are lessened by, their exponentials, and the sums by column.

        One maximum for all columns of a row, so that no column is taken by itself: a code has to
        be e**69 times rarer than another, of any column, to be lost.
        """
        top = logits.detach().amax(1, keepdim=True)
        grown = torch.exp(logits - top)
        return top, grown, (grown @ self.columns).clamp(min=_LEAST_SUM)

    def released(self) -> LatentNetwork:
        """Return the network as plain arrays."""
        weights = {
            name.removeprefix("layers."): each.detach().numpy().astype(np.float32).copy()
            for name, each in self.named_parameters()
        }
        if self.conditional:
            weights["first"] = np.log(self.shares[0]).astype(np.float32)
        return LatentNetwork(sizes=tuple(self.all_sizes), latent=self.latent, weights=weights)


def calibrated(decoder: Decoder, generator: torch.Generator) -> None:
    """Move the last biases until columns come out in the shares that the decoder started from.

    Post-processing of noisy numbers: what the weights say of single codes is replaced by what the
    histograms say, which are less noisy. What rows have in common stays.

    Args:
        decoder: changed in place.
        generator: of the draws that shares are computed over.
    """
    rows = _ROWS
    with torch.no_grad():
        draws = torch.randn((rows, decoder.latent), generator=generator)
        first = None
        if decoder.conditional:
            ends = torch.from_numpy(np.cumsum(decoder.shares[0]))
            even = (torch.arange(rows, dtype=torch.float64) + 0.5) / rows * ends[-1]
            first = torch.searchsorted(ends, even).clamp(max=len(ends) - 1)
        logits = decoder(draws, first).split(decoder.sizes, dim=1)
        wanted = decoder.shares[len(decoder.shares) - len(decoder.sizes) :]
        moved = []
        for part, shares in zip(logits, wanted, strict=True):
            target = torch.log(torch.from_numpy(shares)).float()
            shift = torch.zeros_like(target)
            for _ in range(_ROUNDS):
                shift += target - torch.logsumexp(torch.log_softmax(part + shift, 1), 0)
                shift += float(np.log(rows))
            moved.append(shift)
        decoder.layers[-1].bias.add_(torch.cat(moved))
