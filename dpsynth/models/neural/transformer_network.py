"""The released form of a small causal transformer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from dpsynth.models.neural.network import Array, Arrays, whole

_EPSILON = 1e-5  # of a layer norm
_MOST_LAYERS = 64


@dataclass
class _State:
    last: Array  # the newest token, after all blocks and the last norm
    keys: list[list[Array]]  # by block and place, shape (rows, heads, width of a head)
    values: list[list[Array]]


@dataclass(frozen=True, kw_only=True, eq=False)
class TransformerNetwork:
    """A token a column; see ``dpsynth.models.neural.transformer``.

    Keys and values of the columns so far are kept, so that every token is computed once.

    Args:
        sizes: number of codes by place.
        layers: blocks.
        heads: of the attention.
        weights: by name, float32.
    """

    kind: ClassVar[str] = "transformer"
    exact: ClassVar[bool] = True
    sizes: tuple[int, ...]
    layers: int
    heads: int
    weights: Arrays
    _exact: dict[str, Array] = field(init=False, repr=False)
    _starts: list[int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        exact = {name: each.astype(np.float64) for name, each in self.weights.items()}
        object.__setattr__(self, "_exact", exact)
        object.__setattr__(self, "_starts", np.cumsum([0, *self.sizes]).tolist())

    @property
    def numbers_a_row(self) -> int:
        """How many numbers the state of a row comes to, in the end."""
        width = int(self.weights["tokens"].shape[1])
        hidden = int(self.weights["0.hidden.bias"].size)
        return 2 * self.layers * len(self.sizes) * width + 4 * width + hidden + max(self.sizes)

    def begin(self, rows: int, rng: np.random.Generator) -> _State:
        """Return the state of rows of which no code is known."""
        del rng
        state = _State(
            last=np.zeros((0, 0)),
            keys=[[] for _ in range(self.layers)],
            values=[[] for _ in range(self.layers)],
        )
        self._advance(state, np.full(rows, self._starts[-1], dtype=np.int64))
        return state

    def logits(self, state: _State, place: int) -> Array:
        """Return logarithms of the shares of every code, up to a number a row."""
        part = slice(self._starts[place], self._starts[place + 1])
        weight, bias = self._exact["outputs.weight"][part], self._exact["outputs.bias"][part]
        return np.asarray(state.last @ weight.T + bias)

    def extend(self, state: _State, place: int, codes: NDArray[np.int64]) -> None:
        """Tell the state the codes at ``place``."""
        if place + 1 < len(self.sizes):
            self._advance(state, self._starts[place] + codes)

    def header(self) -> dict[str, Any]:
        """Return what the arrays are made by."""
        return {
            "width": int(self.weights["tokens"].shape[1]),
            "hidden": int(self.weights["0.hidden.bias"].size),
            "layers": self.layers,
            "heads": self.heads,
        }

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return the arrays, by name."""
        return dict(self.weights)

    @classmethod
    def shapes(
        cls, header: Mapping[str, Any], sizes: tuple[int, ...]
    ) -> dict[str, tuple[int, ...]]:
        """Return the shape of every array."""
        width, hidden, layers, _ = _read(header)
        found: dict[str, tuple[int, ...]] = {
            "tokens": (sum(sizes) + 1, width),
            "normal.weight": (width,),
            "normal.bias": (width,),
            "outputs.weight": (sum(sizes), width),
            "outputs.bias": (sum(sizes),),
        }
        for block in range(layers):
            for name, shape in {
                "before_attention": (width,),
                "attention": (3 * width, width),
                "mixed": (width, width),
                "before_hidden": (width,),
                "hidden": (hidden, width),
                "output": (width, hidden),
            }.items():
                found[f"{block}.{name}.weight"] = shape
                found[f"{block}.{name}.bias"] = shape[:1]
        return found

    @classmethod
    def from_arrays(cls, header: Mapping[str, Any], sizes: tuple[int, ...], arrays: Arrays) -> Self:
        """Make the network of arrays of the shapes that follow from the header."""
        _, _, layers, heads = _read(header)
        return cls(sizes=sizes, layers=layers, heads=heads, weights=arrays)

    def _advance(self, state: _State, codes: NDArray[np.int64]) -> None:
        """Run one more token of every row through the blocks."""
        token = self._exact["tokens"][codes]
        for block in range(self.layers):
            name = f"{block}."
            parts = self._linear(self._normal(token, name + "before_attention"), name + "attention")
            query, key, value = (
                each.reshape(len(codes), self.heads, -1) for each in np.split(parts, 3, axis=1)
            )
            state.keys[block].append(key)
            state.values[block].append(value)
            seen = _attended(query, state.keys[block], state.values[block])
            token += self._linear(seen.reshape(len(codes), -1), name + "mixed")
            hidden = self._linear(self._normal(token, name + "before_hidden"), name + "hidden")
            token += self._linear(np.maximum(hidden, 0.0), name + "output")
        state.last = self._normal(token, "normal")

    def _linear(self, inputs: Array, name: str) -> Array:
        return np.asarray(inputs @ self._exact[f"{name}.weight"].T + self._exact[f"{name}.bias"])

    def _normal(self, inputs: Array, name: str) -> Array:
        centered = inputs - inputs.mean(axis=1, keepdims=True)
        variance = np.square(centered).mean(axis=1, keepdims=True)
        centered /= np.sqrt(variance + _EPSILON)
        return np.asarray(centered * self._exact[f"{name}.weight"] + self._exact[f"{name}.bias"])


def _attended(query: Array, keys: list[Array], values: list[Array]) -> Array:
    """Return the mean of the values, weighted by how well their keys fit the query."""
    scale = 1 / np.sqrt(query.shape[2])
    fits = np.stack([np.einsum("rhw,rhw->rh", query, key) for key in keys]) * scale
    fits = np.exp(fits - fits.max(axis=0))
    fits /= fits.sum(axis=0)
    mixed = np.zeros_like(query)
    for fit, value in zip(fits, values, strict=True):
        mixed += fit[:, :, None] * value
    return mixed


def _read(header: Mapping[str, Any]) -> tuple[int, int, int, int]:
    width, hidden = whole(header, "width"), whole(header, "hidden")
    layers, heads = whole(header, "layers", most=_MOST_LAYERS), whole(header, "heads")
    if width % heads:
        raise ValueError("width must be a multiple of heads")
    return width, hidden, layers, heads
