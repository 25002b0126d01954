"""The released form of a masked autoregressive network."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from dpsynth.models.neural.network import Array, Arrays, whole


@dataclass
class _State:
    hidden: Array  # before the rectifier, of the codes so far
    direct: Array  # logits of all codes, by the direct path and the biases


@dataclass(frozen=True, kw_only=True, eq=False)
class MadeNetwork:
    """One hidden layer and a direct path; see ``dpsynth.models.neural.made``.

    Args:
        sizes: number of codes by place.
        weights: by name, float32, zero wherever a column would see itself or a later one.
    """

    kind: ClassVar[str] = "made"
    exact: ClassVar[bool] = True
    sizes: tuple[int, ...]
    weights: Arrays
    _exact: dict[str, Array] = field(init=False, repr=False)
    _starts: list[int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Codes lead in those that rows of codes are looked up in.
        exact = {name: each.astype(np.float64) for name, each in self.weights.items()}
        for name in ("hidden.weight", "direct.weight", "output.weight"):
            exact[name] = np.ascontiguousarray(exact[name].T)
        object.__setattr__(self, "_exact", exact)
        object.__setattr__(self, "_starts", np.cumsum([0, *self.sizes]).tolist())

    @property
    def numbers_a_row(self) -> int:
        """How many numbers the state of a row comes to."""
        return int(self.weights["hidden.bias"].size) + sum(self.sizes)

    def begin(self, rows: int, rng: np.random.Generator) -> _State:
        """Return the state of rows of which no code is known."""
        del rng
        return _State(
            hidden=np.repeat(self._exact["hidden.bias"][None], rows, axis=0),
            direct=np.repeat(self._exact["output.bias"][None], rows, axis=0),
        )

    def logits(self, state: _State, place: int) -> Array:
        """Return logarithms of the shares of every code, up to a number a row."""
        part = slice(self._starts[place], self._starts[place + 1])
        lit = np.maximum(state.hidden, 0.0)
        return np.asarray(lit @ self._exact["output.weight"][:, part] + state.direct[:, part])

    def extend(self, state: _State, place: int, codes: NDArray[np.int64]) -> None:
        """Tell the state the codes at ``place``."""
        lines, after = self._starts[place] + codes, self._starts[place + 1]
        state.hidden += self._exact["hidden.weight"][lines]
        state.direct[:, after:] += self._exact["direct.weight"][lines, after:]

    def header(self) -> dict[str, Any]:
        """Return what the arrays are made by."""
        return {"hidden": int(self.weights["hidden.bias"].size)}

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return the arrays, by name."""
        return dict(self.weights)

    @classmethod
    def shapes(
        cls, header: Mapping[str, Any], sizes: tuple[int, ...]
    ) -> dict[str, tuple[int, ...]]:
        """Return the shape of every array."""
        hidden, codes = whole(header, "hidden"), sum(sizes)
        return {
            "hidden.weight": (hidden, codes),
            "hidden.bias": (hidden,),
            "output.weight": (codes, hidden),
            "output.bias": (codes,),
            "direct.weight": (codes, codes),
        }

    @classmethod
    def from_arrays(cls, header: Mapping[str, Any], sizes: tuple[int, ...], arrays: Arrays) -> Self:
        """Make the network of arrays of the shapes that follow from the header."""
        del header
        return cls(sizes=sizes, weights=arrays)
