"""Does a loss give every row its own number? Asked before a training, of made-up rows.

Clipping bounds what a unit adds only if no other unit's gradient changes with it. A loss that
normalizes over its batch, divides by its size or draws by place breaks that, and nothing in a
clipped sum would show it.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

_ROWS = 9
_PARTS = (slice(0, 4), slice(4, 6), slice(6, _ROWS))
_TOLERANCE = 1e-3  # of a number and of 1: float32 adds up in another order
_MOVED = 0.3  # by which weights are moved for a second look


def made_up_rows(sizes: Mapping[str, int]) -> Tensor:
    """Return public rows of valid codes, shape ``(rows, columns)``, int64, not all alike."""
    rows = torch.arange(_ROWS)[:, None]
    columns = torch.arange(len(sizes))[None, :]
    return (rows * (2 * columns + 1) + columns) % torch.tensor(list(sizes.values()))


def require_rowwise(
    model: nn.Module, loss: Callable[[nn.Module, Tensor], Tensor], rows: Tensor
) -> None:
    """Raise ValueError where a row's loss changes with the rows around it.

    Args:
        model: as it will be trained; left as it was.
        loss: of the model and rows; one number a row.
        rows: made up; shape ``(rows, columns)``.
    """
    _require(model, loss, rows)
    # Where weights start at 0, what stands before them does not show: so at other weights, too.
    held = [each.detach().clone() for each in model.parameters()]
    try:
        with torch.no_grad():
            for number, each in enumerate(model.parameters()):
                moves = torch.sin(1.7 * torch.arange(each.numel()) + number)
                each.add_(_MOVED * moves.reshape(each.shape).to(each.dtype))
        _require(model, loss, rows)
    finally:
        with torch.no_grad():
            for each, before in zip(model.parameters(), held, strict=True):
                each.copy_(before)


def _require(model: nn.Module, loss: Callable[[nn.Module, Tensor], Tensor], rows: Tensor) -> None:
    with torch.no_grad():
        together = loss(model, rows)
        apart = [loss(model, rows[part].flip(0)).flip(0) for part in _PARTS]
    alike = together.shape == rows.shape[:1] and torch.allclose(
        together, torch.cat(apart), rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True
    )
    if not alike:
        raise ValueError(
            "the loss of a row changes with the other rows of its batch, so clipping would not "
            "bound what one person adds: use no batch norm, dropout or mean over the batch"
        )
