"""What a layer's inputs and output gradients say of each unit's gradient, layer by layer.

Every kind of layer here answers two questions from the same two tensors, the input ``a`` and the
gradient ``g`` of the loss at the output: the squared norm of each unit's gradient, and the sum of
the units' gradients with a weight each. A unit's rows, and the positions within a row, are one
axis here: its gradient is the sum over that axis.
"""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, linalg, nn
from torch.nn import functional

from dpsynth.layers import MaskedLinear

_MOST_CELLS = 2**24  # of per-unit gradients at a time, where they are written down


class Gradients(Protocol):
    """Per-unit gradients of one layer, in whichever form is cheapest."""

    def squared_norms(self) -> Tensor:
        """Return shape ``(units,)``, float64."""
        ...

    def weighted_sums(self, factors: Tensor) -> dict[str, Tensor]:
        """Return the sum over units, each times its factor, by parameter."""
        ...


def gradients_of(layer: nn.Module, inputs: Tensor, backward: Tensor, units: int) -> Gradients:
    """Return the per-unit gradients of ``layer``.

    Args:
        layer: a supported one that has trainable parameters.
        inputs: what it was given, first axis unit by unit.
        backward: gradient of the summed loss at its output, first axis likewise.
        units: how many there are.

    Raises:
        TypeError: the layer is of another kind.
    """
    kind = _KINDS.get(type(layer))
    if kind is None:
        raise TypeError(f"no per-unit gradient is known for a layer {type(layer).__name__}")
    return kind(layer, inputs, backward, units)


class _Linear:
    """``w = sum g a'``, ``b = sum g``; masked weights count as absent."""

    def __init__(self, layer: nn.Linear, inputs: Tensor, backward: Tensor, units: int) -> None:
        self._layer = layer
        self._mask: Tensor | None = layer.mask if isinstance(layer, MaskedLinear) else None
        self._inputs = inputs.detach().reshape(units, -1, layer.in_features)
        self._backward = backward.detach().reshape(units, -1, layer.out_features)

    def squared_norms(self) -> Tensor:
        inputs, backward = self._inputs, self._backward
        if inputs.shape[1] == 1:
            return self._squared_norms_of_single(inputs[:, 0], backward[:, 0]).double()
        sizes = linalg.vector_norm(backward, dim=2)
        lengths = sizes * linalg.vector_norm(inputs, dim=2)
        if self._mask is None and inputs.shape[1] ** 2 <= self._layer.weight.numel():
            pairs = (inputs @ inputs.transpose(1, 2)) * (backward @ backward.transpose(1, 2))
            terms = self._layer.in_features + self._layer.out_features + 1
            weight = _at_most(pairs, terms, lengths)
        else:
            weight = torch.cat([_squares(each.flatten(1)) for each in self._written_down()])
            weight = weight + _hidden(lengths)
        if self._layer.bias is None:
            return weight
        return weight + _squares(backward.sum(1)) + _hidden(sizes)

    def _squared_norms_of_single(self, inputs: Tensor, backward: Tensor) -> Tensor:
        bias = 0.0 if self._layer.bias is None else 1.0
        if self._mask is None:
            return (linalg.vecdot(inputs, inputs) + bias) * linalg.vecdot(backward, backward)
        reached = (inputs * inputs) @ self._mask.T + bias
        return linalg.vecdot(backward * backward, reached)

    def weighted_sums(self, factors: Tensor) -> dict[str, Tensor]:
        inputs, scaled = _scaled(self._inputs, self._backward, factors)
        weight = scaled.T @ inputs
        if self._mask is not None:
            weight = weight * self._mask
        sums = {"weight": weight}
        return sums if self._layer.bias is None else sums | {"bias": scaled.sum(0)}

    def _written_down(self) -> list[Tensor]:
        at_once = max(1, _MOST_CELLS // self._layer.weight.numel())
        found = []
        for inputs, backward in zip(
            self._inputs.split(at_once), self._backward.split(at_once), strict=True
        ):
            gradient = backward.transpose(1, 2) @ inputs
            found.append(gradient if self._mask is None else gradient * self._mask)
        return found


class _Embedding:
    """A row of the table gets the sum of ``g`` over the positions that looked it up."""

    def __init__(self, layer: nn.Embedding, inputs: Tensor, backward: Tensor, units: int) -> None:
        if layer.padding_idx is not None or layer.max_norm is not None or layer.sparse:
            raise TypeError("an embedding must be plain: no padding_idx, max_norm or sparse")
        self._layer = layer
        self._codes = inputs.detach().reshape(units, -1)
        self._backward = backward.detach().reshape(units, -1, layer.embedding_dim)

    def squared_norms(self) -> Tensor:
        same = self._codes[:, :, None] == self._codes[:, None, :]
        pairs = self._backward @ self._backward.transpose(1, 2)
        terms = self._layer.embedding_dim + 1
        return _at_most(pairs * same, terms, linalg.vector_norm(self._backward, dim=2))

    def weighted_sums(self, factors: Tensor) -> dict[str, Tensor]:
        codes, scaled = _scaled(self._codes, self._backward, factors)
        table = torch.zeros_like(self._layer.weight)
        return {"weight": table.index_add_(0, codes, scaled)}


class _LayerNorm:
    """``w = sum g z`` and ``b = sum g`` with z the normalized input; small, so written down."""

    def __init__(self, layer: nn.LayerNorm, inputs: Tensor, backward: Tensor, units: int) -> None:
        normal = functional.layer_norm(inputs.detach(), layer.normalized_shape, eps=layer.eps)
        shape = (units, -1, *layer.normalized_shape)
        gradient = backward.detach().reshape(shape)
        parts = {"weight": gradient * normal.reshape(shape)}
        if layer.bias is not None:
            parts["bias"] = gradient
        self._gradients = {name: each.sum(1) for name, each in parts.items()}
        self._hidden = [
            _hidden(linalg.vector_norm(each.flatten(2), dim=2)) for each in parts.values()
        ]

    def squared_norms(self) -> Tensor:
        squares = [_squares(each.flatten(1)) for each in self._gradients.values()]
        return torch.stack([*squares, *self._hidden]).sum(0)

    def weighted_sums(self, factors: Tensor) -> dict[str, Tensor]:
        kept = factors > 0
        return {
            name: torch.tensordot(factors[kept], gradient[kept], dims=1)
            for name, gradient in self._gradients.items()
        }


def _at_most(pairs: Tensor, terms: int, lengths: Tensor) -> Tensor:
    """Return sums over all pairs of positions, above what rounding can have taken from them.

    Where gradients at several positions cancel, little is left of large terms, and rounding might
    leave less: a unit would pass with more than the clip. A pair is a product of sums of ``terms``
    numbers in all; ``lengths`` are the norms of the positions' gradients, by position.
    """
    lost = terms * torch.finfo(pairs.dtype).eps * lengths.double().sum(1) ** 2
    return pairs.sum((1, 2), dtype=torch.float64).clamp(min=0) + lost


def _hidden(lengths: Tensor) -> Tensor:
    """Return what rounding may hide of the squared norm of a sum over positions, by unit.

    The same danger as for pairs, where the sum itself is written down. ``lengths`` are the norms of
    the positions' gradients, by position.
    """
    return 4 * lengths.shape[1] * torch.finfo(lengths.dtype).eps * lengths.double().sum(1) ** 2


def _squares(rows: Tensor) -> Tensor:
    return linalg.vecdot(rows, rows).double()


def _scaled(inputs: Tensor, backward: Tensor, factors: Tensor) -> tuple[Tensor, Tensor]:
    """Return both by position, the second scaled by unit; units of factor 0 are left out.

    A product with 0 would not do: what is not finite would stay so.
    """
    kept = factors > 0
    if not kept.all():
        inputs, backward, factors = inputs[kept], backward[kept], factors[kept]
    return inputs.flatten(0, 1), (backward * factors[:, None, None]).flatten(0, 1)


_KINDS: dict[type, Callable[[Any, Tensor, Tensor, int], Gradients]] = {
    nn.Linear: _Linear,
    MaskedLinear: _Linear,
    nn.Embedding: _Embedding,
    nn.LayerNorm: _LayerNorm,
}
SUPPORTED = tuple(_KINDS)
