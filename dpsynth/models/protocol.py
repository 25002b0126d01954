"""What every model of a table offers, whatever it is made of."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain

Codes = dict[str, NDArray[np.unsignedinteger]]

CORRECTED_ROWS = 1 << 20  # of a large sample that are held against noisy tables together


def in_parts(rows: int, most: int) -> Iterator[int]:
    """Cut a number of rows into parts of ``most``, the last one smaller; at least one part."""
    yield min(rows, most)
    for start in range(most, rows, most):
        yield min(most, rows - start)


def joined(blocks: Iterator[Codes]) -> Codes:
    """Return blocks of rows, at least one, laid end to end."""
    found = list(blocks)
    if len(found) == 1:
        return found[0]
    return {name: np.concatenate([block[name] for block in found]) for name in found[0]}


class Model(Protocol):
    """A distribution over coded columns, made of released numbers; holds no row.

    It may be saved, published and sampled without end. Conditions are tables over a few columns
    with the chance, in [0, 1], that a row with these codes is to be kept.
    """

    kind: ClassVar[str]  # under which it stands in a document

    @property
    def domain(self) -> Domain:
        """Columns, sizes, and what cannot occur."""
        ...

    @property
    def total(self) -> float:
        """Number of rows that the noisy answers speak for, above 0."""
        ...

    def marginal(self, clique: Sequence[str]) -> NDArray[np.float64]:
        """Return expected rows per cell over a few columns, shape ``domain.shape(clique)``."""
        ...

    def sample(
        self,
        rows: int,
        rng: np.random.Generator,
        *,
        likelihood: Mapping[tuple[str, ...], NDArray[np.float64]] | None = None,
    ) -> Codes:
        """Draw rows, or such rows as a condition keeps; the same generator gives the same rows."""
        ...

    def blocks(
        self,
        rows: int,
        rng: np.random.Generator,
        *,
        likelihood: Mapping[tuple[str, ...], NDArray[np.float64]] | None = None,
    ) -> Iterator[Codes]:
        """Yield the rows of ``sample`` in parts, at least one, in bounded memory."""
        ...

    def check_held(self, likelihood: Mapping[tuple[str, ...], NDArray[np.float64]]) -> None:
        """Raise UsageError, in one sentence, where it cannot draw under this condition."""
        ...

    def log_chance(self, likelihood: Mapping[tuple[str, ...], NDArray[np.float64]]) -> float:
        """Return the logarithm of the share of rows that a condition keeps."""
        ...

    def log_likelihood(self, codes: Mapping[str, NDArray[np.integer[Any]]]) -> NDArray[np.float64]:
        """Return the logarithm of every record's probability, shape ``(records,)``."""
        ...

    def with_zeros(self, domain: Domain) -> Self:
        """Return the model over ``domain``, the same columns with structural zeros.

        Raises:
            ValueError: it gives something forbidden a chance.
        """
        ...

    def to_arrays(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return a JSON-able header and the arrays that it names."""
        ...
