"""A masked autoregressive network over codes: each column given those before it."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dpsynth.layers import MaskedLinear
from dpsynth.models.neural.made_network import MadeNetwork


class Made(nn.Module):  # type: ignore[misc]  # torch is Any to mypy
    """One hidden layer and a direct path, masked so that no column sees itself or a later one.

    Starts as the product of its columns: the output biases are the logarithms of their shares,
    and every weight that leads to an output is 0.

    Args:
        shares: by column, in the order of the network, the share of each code; above 0.
        hidden: units of the hidden layer.
        generator: of the first weights.

    Source:
        Germain, Gregor, Murray and Larochelle (2015), arXiv:1502.03509.
    """

    offsets: Tensor

    def __init__(
        self, shares: Sequence[NDArray[np.float64]], *, hidden: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.sizes = [len(each) for each in shares]
        starts = np.cumsum([0, *self.sizes])
        self.register_buffer("offsets", torch.from_numpy(starts[:-1]))
        column = torch.from_numpy(np.repeat(np.arange(len(shares)), self.sizes))
        # A hidden unit of degree k sees the columns up to the k-th and serves those after it.
        degree = torch.arange(hidden) % max(len(shares) - 1, 1)
        self.hidden = MaskedLinear((degree[:, None] >= column[None, :]).float())
        self.output = MaskedLinear((column[:, None] > degree[None, :]).float())
        self.direct = MaskedLinear((column[:, None] > column[None, :]).float(), bias=False)
        with torch.no_grad():
            normal = torch.randn(self.hidden.weight.shape, generator=generator)
            self.hidden.weight.copy_(normal / len(shares) ** 0.5 * self.hidden.mask)
            self.hidden.bias.zero_()
            self.output.weight.zero_()
            self.direct.weight.zero_()
            self.output.bias.copy_(torch.from_numpy(np.log(np.concatenate(list(shares)))))

    def forward(self, rows: Tensor) -> Tensor:
        """Return logits of every code of every column, shape ``(rows, codes of all columns)``.

        Args:
            rows: shape ``(rows, columns)``, int64 codes.
        """
        hot = self._one_hot(rows)
        return self.output(torch.relu(self.hidden(hot))) + self.direct(hot)

    def loss(self, rows: Tensor) -> Tensor:
        """Return the negative log-likelihood of each row, shape ``(rows,)``."""
        logits = self(rows)
        chosen = logits.gather(1, rows + self.offsets).sum(1)
        normalizers = [torch.logsumexp(part, 1) for part in logits.split(self.sizes, dim=1)]
        return torch.stack(normalizers).sum(0) - chosen

    def released(self) -> MadeNetwork:
        """Return the network as plain arrays, with what is masked at 0."""
        masked = {"hidden": self.hidden, "output": self.output, "direct": self.direct}
        weights = {f"{name}.weight": each.weight * each.mask for name, each in masked.items()}
        weights |= {"hidden.bias": self.hidden.bias, "output.bias": self.output.bias}
        return MadeNetwork(
            sizes=tuple(self.sizes),
            weights={name: each.detach().numpy().copy() for name, each in weights.items()},
        )

    def _one_hot(self, rows: Tensor) -> Tensor:
        hot = torch.zeros(rows.shape[0], sum(self.sizes))
        return hot.scatter_(1, rows + self.offsets, 1.0)
