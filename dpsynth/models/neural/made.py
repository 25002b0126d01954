"""A masked autoregressive network over codes: each column given those before it."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from dpsynth.layers import MaskedLinear

_AT_ONCE = 16_384  # rows of a draw


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
        return self._logits(self._one_hot(rows))

    def loss(self, rows: Tensor) -> Tensor:
        """Return the negative log-likelihood of each row, shape ``(rows,)``."""
        logits = self(rows)
        chosen = logits.gather(1, rows + self.offsets).sum(1)
        normalizers = [torch.logsumexp(part, 1) for part in logits.split(self.sizes, dim=1)]
        return torch.stack(normalizers).sum(0) - chosen

    def sample(
        self, rows: int, rng: np.random.Generator, given: Mapping[int, int] | None = None
    ) -> NDArray[np.int64]:
        """Draw rows column by column; reproducible by ``rng``.

        Args:
            rows: how many.
            rng: of the draws.
            given: codes that leading columns must have, by place: the first column, or the first
                two, and so on, so that the condition is exact.

        Returns:
            Shape ``(rows, columns)``, int64.

        Raises:
            ValueError: ``given`` skips a column.
        """
        fixed = given or {}
        if set(fixed) != set(range(len(fixed))):
            raise ValueError("a condition must be on the first columns of the network")
        with torch.no_grad():
            parts = [
                self._draw(min(_AT_ONCE, rows - start), rng, fixed)
                for start in range(0, rows, _AT_ONCE)
            ]
        return np.concatenate([np.zeros((0, len(self.sizes)), dtype=np.int64), *parts])

    def _draw(
        self, rows: int, rng: np.random.Generator, given: Mapping[int, int]
    ) -> NDArray[np.int64]:
        codes = np.zeros((rows, len(self.sizes)), dtype=np.int64)
        hot = torch.zeros(rows, sum(self.sizes))
        line = torch.arange(rows)
        for place, (start, size) in enumerate(zip(self.offsets.tolist(), self.sizes, strict=True)):
            if place in given:
                codes[:, place] = given[place]
            else:
                logits = self._logits(hot, slice(start, start + size)).double()
                codes[:, place] = _inverted(functional.softmax(logits, 1).numpy(), rng.random(rows))
            hot[line, start + torch.from_numpy(codes[:, place])] = 1.0
        return codes

    def _logits(self, hot: Tensor, part: slice = slice(None)) -> Tensor:
        hidden = torch.relu(self.hidden(hot))
        if part == slice(None):
            return self.output(hidden) + self.direct(hot)
        weights = self.output.weight[part] * self.output.mask[part]
        direct = self.direct.weight[part] * self.direct.mask[part]
        return functional.linear(hidden, weights, self.output.bias[part]) + hot @ direct.T

    def _one_hot(self, rows: Tensor) -> Tensor:
        hot = torch.zeros(rows.shape[0], sum(self.sizes))
        return hot.scatter_(1, rows + self.offsets, 1.0)


def _inverted(shares: NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return, for each row, the code at which the sum of shares passes the uniform number."""
    ends = np.cumsum(shares, axis=1)
    return np.asarray((ends < uniform[:, None] * ends[:, -1:]).sum(1), dtype=np.int64)
