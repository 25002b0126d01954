"""Sums of per-unit gradients, each clipped: three ways to the same numbers.

The norm of a unit and what is added of it come from the same tensors. Where they come from two
passes, as in the ghost clipping of opacus, terms that cancel leave a norm too small for the sum.

A unit is a person with all of the rows that are kept of it, so that what is clipped is what one
person adds. Each engine returns, for every parameter, ``sum_u min(1, clip / |g_u|) g_u`` with
``|g_u|`` over all parameters together. Noise is not added here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from dpsynth.errors import UnknownNameError
from dpsynth.privacy.dpsgd.layers import SUPPORTED, gradients_of

Loss = Callable[[nn.Module, Tensor], Tensor]
Sums = dict[str, Tensor]

_MIXING = (nn.modules.batchnorm._NormBase,)  # of batches and of instances, with memory or without
_SLACK = 1e-4  # of a norm: rounding in float32 must not let a unit add more than the clip


@dataclass(frozen=True, kw_only=True, eq=False)
class Units:
    """A batch of whole units.

    Attributes:
        rows: shape ``(units * slots, ...)``: the rows of the first unit, of the second, and so on,
            every unit filled up to the same number of slots.
        present: shape ``(units, slots)``, bool: which slots hold a row.
    """

    rows: Tensor
    present: Tensor

    def __post_init__(self) -> None:
        if self.present.ndim != 2 or self.rows.shape[0] != self.present.numel():
            raise ValueError("rows must have one line for every slot of present, unit by unit")


class Engine(Protocol):
    """A way to compute clipped sums."""

    def clipped_sums(self, model: nn.Module, loss: Loss, units: Units, *, clip: float) -> Sums:
        """Return the clipped sum of every trainable parameter, by name.

        A unit whose gradient is not finite adds nothing.

        Args:
            model: of supported layers.
            loss: of the model and rows; one number a row, shape ``(rows,)``, that depends on no
                other row.
            units: the batch; may be empty.
            clip: the largest norm that a unit may add.

        Raises:
            TypeError: a trainable parameter belongs to a layer that the engine does not know, or a
                layer lets rows see one another.
        """
        ...


class BookKeeping:
    """One forward and one backward pass; per-unit gradients of large layers are never written down.

    The inputs and the output gradients of every layer suffice: first for the norm of each unit,
    then for the sum with each unit scaled.

    Source:
        Bu, Wang, Zha and Karypis (2023), arXiv:2210.00038, Algorithm 1; here a unit may have
        several rows, which are treated as that paper treats the positions of a sequence.
    """

    def clipped_sums(self, model: nn.Module, loss: Loss, units: Units, *, clip: float) -> Sums:
        """See ``Engine``. Takes the layers of ``layers.SUPPORTED``, each used once in a pass."""
        trainable = _trainable(model)
        count = _checked(units, clip)
        layers = _layers(model)
        if not count:
            return {name: torch.zeros_like(each) for name, each in trainable.items()}
        with _Recorder(layers) as recorder:
            losses = loss(model, units.rows)
        unused = [name for name in layers if name not in recorder.outputs]
        if unused:
            raise TypeError(f"the layer {unused[0]!r} is trainable and took no part in the loss")
        backward = torch.autograd.grad(_total(losses, units), list(recorder.outputs.values()))
        found = {
            name: gradients_of(layers[name], recorder.inputs[name], gradient, count)
            for name, gradient in zip(recorder.outputs, backward, strict=True)
        }
        factors = _factors([each.squared_norms() for each in found.values()], clip)
        sums = {
            f"{name}.{parameter}" if name else parameter: value
            for name, each in found.items()
            for parameter, value in each.weighted_sums(factors).items()
        }
        return {name: sums[name] for name in trainable}


class PerUnit:
    """A loop over units with one backward pass each: slow, and beyond doubt."""

    def clipped_sums(self, model: nn.Module, loss: Loss, units: Units, *, clip: float) -> Sums:
        """See ``Engine``. Takes layers of every kind that let no row see another."""
        trainable = _trainable(model)
        _checked(units, clip)
        sums = {name: torch.zeros_like(each) for name, each in trainable.items()}
        slots = units.present.shape[1]
        for number, present in enumerate(units.present):
            rows = units.rows[number * slots : (number + 1) * slots][present]
            if not rows.shape[0]:
                continue
            gradients = torch.autograd.grad(
                loss(model, rows).sum(), list(trainable.values()), materialize_grads=True
            )
            factor = _factors([(each.double() ** 2).sum()[None] for each in gradients], clip)[0]
            if factor > 0:
                for total, gradient in zip(sums.values(), gradients, strict=True):
                    total += factor * gradient
        return sums


class Hooks:
    """Per-row gradients by the hooks of opacus: much memory, every layer that opacus knows."""

    def clipped_sums(self, model: nn.Module, loss: Loss, units: Units, *, clip: float) -> Sums:
        """See ``Engine``. Refuses layers that opacus has no rule for."""
        from opacus.grad_sample import GradSampleModule

        trainable = _trainable(model)
        count = _checked(units, clip)
        if not count:
            return {name: torch.zeros_like(each) for name, each in trainable.items()}
        try:
            wrapped = GradSampleModule(model, loss_reduction="sum", strict=True)
        except NotImplementedError as error:
            raise TypeError(f"opacus has no rule for a layer of this model: {error}") from error
        try:
            _total(loss(wrapped, units.rows), units).backward()
            per_unit = {
                name: each.grad_sample.reshape(count, -1, *each.shape).sum(1)
                for name, each in trainable.items()
            }
        finally:
            wrapped.to_standard_module()
            for each in trainable.values():
                each.grad = None
        factors = _factors(
            [(each.double() ** 2).flatten(1).sum(1) for each in per_unit.values()], clip
        )
        kept = factors > 0
        return {
            name: torch.tensordot(factors[kept], each[kept], dims=1)
            for name, each in per_unit.items()
        }


_ENGINES: dict[str, Engine] = {
    "book_keeping": BookKeeping(),
    "hooks": Hooks(),
    "per_unit": PerUnit(),
}


def engine_of(name: str) -> Engine:
    """Return an engine by its name; there are no others.

    Raises:
        UnknownNameError: none has that name.
    """
    if name not in _ENGINES:
        known = ", ".join(_ENGINES)
        raise UnknownNameError(f"no gradient engine is called {name!r}; there are: {known}")
    return _ENGINES[name]


class _Recorder:
    """Keeps what goes into and comes out of each layer during one forward pass."""

    def __init__(self, layers: dict[str, nn.Module]) -> None:
        self.inputs: dict[str, Tensor] = {}
        self.outputs: dict[str, Tensor] = {}
        self._layers = layers
        self._handles: list[Any] = []

    def __enter__(self) -> "_Recorder":
        for name, layer in self._layers.items():
            self._handles.append(layer.register_forward_hook(self._keep(name)))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _keep(self, name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(_: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
            if name in self.outputs:
                raise TypeError(f"the layer {name!r} is used twice in one pass")
            self.inputs[name], self.outputs[name] = given[0], output

        return hook


def _layers(model: nn.Module) -> dict[str, nn.Module]:
    """Return the layers that own trainable parameters, by name; refuse those of unknown kinds."""
    found = {}
    for name, layer in model.named_modules():
        own = [each for each in layer.parameters(recurse=False) if each.requires_grad]
        if not own:
            continue
        if type(layer) not in SUPPORTED:
            raise TypeError(f"no per-unit gradient is known for the layer {name!r}")
        if len(own) != len(list(layer.parameters(recurse=False))):
            raise TypeError(f"the layer {name!r} is trainable in part")
        found[name] = layer
    shared = [id(each) for layer in found.values() for each in layer.parameters(recurse=False)]
    if len(set(shared)) != len(shared):
        raise TypeError("two layers share a parameter")
    return found


def _trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the trainable parameters by name; refuse layers by which rows see one another."""
    for name, layer in model.named_modules():
        if isinstance(layer, _MIXING):
            raise TypeError(f"the layer {name!r} mixes rows or keeps numbers of them")
    return {name: each for name, each in model.named_parameters() if each.requires_grad}


def _checked(units: Units, clip: float) -> int:
    if not 0 < clip < float("inf"):
        raise ValueError("clip must be above 0 and finite")
    return int(units.present.shape[0])


def _total(losses: Tensor, units: Units) -> Tensor:
    if losses.shape != units.rows.shape[:1]:
        raise ValueError("the loss must return one number for every row")
    return torch.where(units.present.flatten(), losses, torch.zeros(())).sum()


def _factors(squares: list[Tensor], clip: float) -> Tensor:
    """Return what each unit is multiplied by; 0 where its gradient is not finite."""
    norms = torch.stack(squares).sum(0).sqrt() * (1 + _SLACK)
    factors = torch.where(norms > clip, clip / norms, torch.ones_like(norms))
    return torch.where(torch.isfinite(norms), factors, torch.zeros_like(norms)).float()
