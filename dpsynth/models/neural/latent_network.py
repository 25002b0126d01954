"""The released form of a decoder: from normal draws to the shares of all codes at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from dpsynth.models.neural.network import Array, Arrays, whole


@dataclass
class _State:
    inputs: Array  # what was drawn for each row, and room for its first code
    logits: Array | None  # of the codes of all columns that the layers give


@dataclass(frozen=True, kw_only=True, eq=False)
class LatentNetwork:
    """Layers of tanh units between normal draws and logits; columns meet in the draws alone.

    Given what was drawn for a row, its columns are independent of each other. Where the network
    is conditional, the first column is drawn before everything else, from shares of its own, and
    its code goes into the layers beside the draws.

    Args:
        sizes: number of codes by place.
        latent: normal draws a row.
        weights: by name, float32: ``first``, the logits of the first column where the network is
            conditional, and ``0.weight``, ``0.bias``, ... of the layers in order.
    """

    kind: ClassVar[str] = "latent"
    exact: ClassVar[bool] = False
    sizes: tuple[int, ...]
    latent: int
    weights: Arrays
    _layers: list[tuple[Array, Array]] = field(init=False, repr=False)
    _starts: list[int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        exact = {name: each.astype(np.float64) for name, each in self.weights.items()}
        depth = sum(name.endswith(".bias") for name in exact)
        layers = [
            (np.ascontiguousarray(exact[f"{at}.weight"].T), exact[f"{at}.bias"])
            for at in range(depth)
        ]
        object.__setattr__(self, "_layers", layers)
        given = self.sizes[0] if self.conditional else 0
        object.__setattr__(self, "_starts", (np.cumsum([0, *self.sizes]) - given).tolist())

    @property
    def conditional(self) -> bool:
        """Whether the first column goes into the layers."""
        return "first" in self.weights

    @property
    def numbers_a_row(self) -> int:
        """How many numbers the state of a row comes to."""
        return max(each.size for _, each in self._layers) + sum(self.sizes) + self.latent

    def begin(self, rows: int, rng: np.random.Generator) -> _State:
        """Draw what the rows are made of; of no row is a code known."""
        given = self.sizes[0] if self.conditional else 0
        inputs = np.zeros((rows, self.latent + given))
        inputs[:, : self.latent] = rng.standard_normal((rows, self.latent))
        return _State(inputs=inputs, logits=None if self.conditional else self.decoded(inputs))

    def logits(self, state: _State, place: int) -> Array:
        """Return logarithms of the shares of every code, up to a number a row."""
        if state.logits is None:
            first = self.weights["first"].astype(np.float64)
            return np.repeat(first[None], len(state.inputs), axis=0)
        return state.logits[:, self._starts[place] : self._starts[place + 1]]

    def extend(self, state: _State, place: int, codes: NDArray[np.int64]) -> None:
        """Tell the state the codes at ``place``; only the first ones bear on others."""
        if place == 0 and self.conditional:
            state.inputs[np.arange(len(codes)), self.latent + codes] = 1.0
            state.logits = self.decoded(state.inputs)

    def decoded(self, inputs: Array) -> Array:
        """Run the layers: shape ``(rows, draws and first codes)`` to ``(rows, codes)``."""
        for weight, bias in self._layers[:-1]:
            inputs = np.tanh(inputs @ weight + bias)
        weight, bias = self._layers[-1]
        return np.asarray(inputs @ weight + bias)

    def header(self) -> dict[str, Any]:
        """Return what the arrays are made by."""
        return {
            "latent": self.latent,
            "conditional": self.conditional,
            "hidden": [int(bias.size) for _, bias in self._layers[:-1]],
        }

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return the arrays, by name."""
        return dict(self.weights)

    @classmethod
    def shapes(
        cls, header: Mapping[str, Any], sizes: tuple[int, ...]
    ) -> dict[str, tuple[int, ...]]:
        """Return the shape of every array."""
        hidden = header["hidden"]
        if not isinstance(hidden, list) or not 1 <= len(hidden) <= 8:
            raise ValueError("hidden must list the sizes of 1 to 8 layers")
        if type(header["conditional"]) is not bool:
            raise ValueError("conditional must be true or false")
        given = sizes[0] if header["conditional"] else 0
        units = [whole({"hidden": each}, "hidden") for each in hidden]
        widths = [whole(header, "latent") + given, *units, sum(sizes) - given]
        found: dict[str, tuple[int, ...]] = {"first": (given,)} if given else {}
        for at, (inputs, outputs) in enumerate(pairwise(widths)):
            found |= {f"{at}.weight": (outputs, inputs), f"{at}.bias": (outputs,)}
        return found

    @classmethod
    def from_arrays(cls, header: Mapping[str, Any], sizes: tuple[int, ...], arrays: Arrays) -> Self:
        """Make the network of arrays of the shapes that follow from the header."""
        return cls(sizes=sizes, latent=whole(header, "latent"), weights=arrays)
