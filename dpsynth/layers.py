"""Layers of torch that networks are built of and that the kernel knows gradients of.

Neutral ground: `models` may not know the kernel, and the kernel no model. Needs torch; imported
where networks are built and trained, never by `import dpsynth`.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class MaskedLinear(nn.Linear):  # type: ignore[misc]  # torch is not there when types are checked
    """A linear layer some of whose weights are held at zero.

    Args:
        mask: shape ``(outputs, inputs)``; 0 where there is no connection.
    """

    mask: Tensor

    def __init__(self, mask: Tensor, *, bias: bool = True) -> None:
        super().__init__(mask.shape[1], mask.shape[0], bias=bias)
        self.register_buffer("mask", mask.to(torch.float32))

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply the connected weights alone."""
        return functional.linear(inputs, self.weight * self.mask, self.bias)
