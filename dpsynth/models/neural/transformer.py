"""A small causal transformer over codes: a token a column, each column given those before it."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from dpsynth.models.neural.transformer_network import TransformerNetwork


class Block(nn.Module):  # type: ignore[misc]  # torch is not there when types are checked
    """Attention to the columns so far, then a hidden layer; each adds to what went in.

    Args:
        width: of a token.
        heads: of the attention; ``width`` is a multiple.
        hidden: units of the hidden layer.
        generator: of the first weights.
    """

    def __init__(self, width: int, heads: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(width)
        self.attention = nn.Linear(width, 3 * width)
        self.mixed = nn.Linear(width, width)
        self.before_hidden = nn.LayerNorm(width)
        self.hidden = nn.Linear(width, hidden)
        self.output = nn.Linear(hidden, width)
        with torch.no_grad():
            for layer in (self.attention, self.mixed, self.hidden, self.output):
                normal = torch.randn(layer.weight.shape, generator=generator)
                layer.weight.copy_(normal / layer.in_features**0.5)
                layer.bias.zero_()

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens of the same shape, ``(rows, columns, width)``."""
        rows, columns, width = tokens.shape
        parts = self.attention(self.before_attention(tokens))
        parts = parts.reshape(rows, columns, 3, self.heads, width // self.heads)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        tokens = tokens + self.mixed(seen.transpose(1, 2).reshape(rows, columns, width))
        return tokens + self.output(torch.relu(self.hidden(self.before_hidden(tokens))))


class Transformer(nn.Module):  # type: ignore[misc]  # torch is not there when types are checked
    """Pre-norm blocks over one token a column, and for every column an output layer of its own.

    A column's token is looked up by the code of the column before it, so that no token needs a
    position. Starts as the product of its columns: the output biases are the logarithms of their
    shares, and every weight that leads to an output is 0.

    Args:
        shares: by column, in the order of the network, the share of each code; above 0.
        width: of a token.
        layers: blocks.
        heads: of the attention.
        hidden: units of the hidden layer of a block.
        generator: of the first weights.

    Source:
        Castellon, Gopal, Bloniarz and Rosenberg (2023), "DP-TBART", arXiv:2307.10430.
    """

    offsets: Tensor

    def __init__(
        self,
        shares: Sequence[NDArray[np.float64]],
        *,
        width: int,
        layers: int,
        heads: int,
        hidden: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError("width must be a multiple of heads")
        self.sizes = [len(each) for each in shares]
        starts = np.cumsum([0, *self.sizes])
        self.register_buffer("offsets", torch.from_numpy(starts[:-1]))
        self.start = int(starts[-1])  # the token that stands before all columns
        self.tokens = nn.Embedding(self.start + 1, width)
        self.blocks = nn.ModuleList(Block(width, heads, hidden, generator) for _ in range(layers))
        self.normal = nn.LayerNorm(width)
        self.outputs = nn.ModuleList(nn.Linear(width, size) for size in self.sizes)
        with torch.no_grad():
            self.tokens.weight.copy_(torch.randn(self.tokens.weight.shape, generator=generator))
            for layer, share in zip(self.outputs, shares, strict=True):
                layer.weight.zero_()
                layer.bias.copy_(torch.from_numpy(np.log(share)))

    def forward(self, rows: Tensor) -> list[Tensor]:
        """Return, by column, the logits of its codes, each of shape ``(rows, codes)``.

        Args:
            rows: shape ``(rows, columns)``, int64 codes.
        """
        before = (rows + self.offsets)[:, :-1]
        first = torch.full((rows.shape[0], 1), self.start, dtype=before.dtype)
        tokens = self.tokens(torch.cat([first, before], dim=1))
        for block in self.blocks:
            tokens = block(tokens)
        tokens = self.normal(tokens)
        return [output(tokens[:, place]) for place, output in enumerate(self.outputs)]

    def loss(self, rows: Tensor) -> Tensor:
        """Return the negative log-likelihood of each row, shape ``(rows,)``."""
        losses = [
            functional.cross_entropy(logits, rows[:, place], reduction="none")
            for place, logits in enumerate(self(rows))
        ]
        return torch.stack(losses).sum(0)

    def released(self) -> TransformerNetwork:
        """Return the network as plain arrays."""
        weights = {
            "tokens": self.tokens.weight,
            "normal.weight": self.normal.weight,
            "normal.bias": self.normal.bias,
            "outputs.weight": torch.cat([each.weight for each in self.outputs]),
            "outputs.bias": torch.cat([each.bias for each in self.outputs]),
        }
        weights |= dict(self.blocks.named_parameters())
        return TransformerNetwork(
            sizes=tuple(self.sizes),
            layers=len(self.blocks),
            heads=self.blocks[0].heads,
            weights={name: each.detach().numpy().copy() for name, each in weights.items()},
        )
