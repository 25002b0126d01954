"""Layers of torch that the kernel clips and the models are made of; they stand on nothing else."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class MaskedLinear(nn.Linear):  # type: ignore[misc]  # torch is Any to mypy
    """A linear layer some of whose weights are held at zero.

    Args:
        mask: shape ``(outputs, inputs)``; 0 where there is no connection.
        bias: whether a number is added to every output.
    """

    mask: Tensor

    def __init__(self, mask: Tensor, *, bias: bool = True) -> None:
        super().__init__(mask.shape[1], mask.shape[0], bias=bias)
        self.register_buffer("mask", mask.to(torch.float32))

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply the connected weights alone."""
        return functional.linear(inputs, self.weight * self.mask, self.bias)
