"""Trained networks as plain arrays, run by numpy: what is released, saved and sampled.

Whoever receives a model needs no torch, and the same seed gives the same table everywhere.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Arrays = Mapping[str, NDArray[np.float32]]

# By kind, as a document names it.
KINDS = {
    "latent": "dpsynth.models.neural.latent_network:LatentNetwork",
    "made": "dpsynth.models.neural.made_network:MadeNetwork",
    "transformer": "dpsynth.models.neural.transformer_network:TransformerNetwork",
}


class Network(Protocol):
    """A network that gives the codes of a row one column after another.

    Columns are known by their place. A row's codes so far, and whatever else was drawn for it,
    are its state.
    """

    kind: ClassVar[str]
    exact: ClassVar[bool]  # whether what it says of rows is their likelihood: nothing else is drawn

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of codes by place."""
        ...

    @property
    def numbers_a_row(self) -> int:
        """How many numbers the state of a row comes to, about: so many rows go together."""
        ...

    def begin(self, rows: int, rng: np.random.Generator) -> Any:
        """Return the state of ``rows`` rows of which no code is known."""
        ...

    def logits(self, state: Any, place: int) -> Array:
        """Return logarithms of the shares of every code, up to a number a row.

        Returns:
            Shape ``(rows, sizes[place])``, float64.
        """
        ...

    def extend(self, state: Any, place: int, codes: NDArray[np.int64]) -> None:
        """Tell the state the codes at ``place``, shape ``(rows,)``; places come in order."""
        ...

    def header(self) -> dict[str, Any]:
        """Return what its arrays are made by, JSON-able; ``shapes`` follow from it."""
        ...

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return the arrays, by name."""
        ...

    @classmethod
    def shapes(
        cls, header: Mapping[str, Any], sizes: tuple[int, ...]
    ) -> dict[str, tuple[int, ...]]:
        """Return the shape of every array, from public facts alone.

        Raises:
            ValueError: the header is not one of this kind.
        """
        ...

    @classmethod
    def from_arrays(cls, header: Mapping[str, Any], sizes: tuple[int, ...], arrays: Arrays) -> Self:
        """Make the network of arrays whose shapes are ``shapes(header, sizes)``."""
        ...


def network_class(kind: object) -> type[Network]:
    """Return the class of networks called ``kind``.

    Raises:
        ValueError: there is none.
    """
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError("no network is known of this kind")
    module, _, name = KINDS[kind].partition(":")
    found: type[Network] = getattr(import_module(module), name)
    return found


def whole(header: Mapping[str, Any], name: str, *, least: int = 1, most: int = 2**20) -> int:
    """Return a whole number of a header.

    Raises:
        ValueError: it is none, or outside its limits.
    """
    value = header[name]
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{name} must be a whole number from {least} to {most}")
    return value
