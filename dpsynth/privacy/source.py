"""What an engine that holds the rows must offer to the curator."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class UnitRows:
    """Bounded rows with the unit of each, for the kernel to train on and for nobody else.

    Attributes:
        codes: shape ``(rows, columns)``, integers, in the order of the domain; perhaps on disk.
        units: shape ``(rows,)``, int64: whose row each is, numbered from 0 without a gap.
    """

    codes: NDArray[np.integer]
    units: NDArray[np.int64]

    def exact(self, sums: dict[str, Any], *, clip: float) -> dict[str, Any]:
        """Return the clipped sums of a batch as they are; a recorder of made-up rows notes them."""
        del clip
        return sums


class TableSource(Protocol):
    """Rows that were coded and bounded, able to count themselves and little else."""

    @property
    def domain(self) -> Domain:
        """The columns and their numbers of codes: public, whatever the rows hold."""
        ...

    def count(self, clique: tuple[str, ...]) -> NDArray[np.int64]:
        """Return exact rows per cell, shape ``(domain.size(clique),)``, row-major, int64."""
        ...

    def count_many(self, cliques: Sequence[tuple[str, ...]]) -> Iterable[NDArray[np.int64]]:
        """Return ``count`` of every clique, in order, by whatever is quickest for all of them."""
        ...

    def coarsened(self, groups: Mapping[str, NDArray[np.int64]]) -> "TableSource":
        """Return the same rows with codes regrouped: ``groups[column][code]`` is the new code.

        The groups are public (declared, or computed from noisy answers); each column's new codes
        are 0 to the largest group number.
        """
        ...

    def values(self, column: str) -> tuple[Sequence[str], NDArray[np.int64]]:
        """Return the undeclared values that units hold in an open column, and how many hold each.

        A unit is counted at most once a value. A value that no kept row holds is left out: that
        others held it may not show. The texts come sorted, each once; the counts are int64.
        """
        ...

    def closed(self, values: Mapping[str, Sequence[str]], domain: Domain) -> "TableSource":
        """Return the same rows with new codes for the given ``values`` of open columns.

        The values are public (released by a selection), and so is ``domain``, which counts them.
        Each gets a code after the declared levels, in the order given; the codes behind those move
        up. Other columns keep their codes, and all lose what they held of undeclared values.
        """
        ...

    def unit_rows(self) -> UnitRows:
        """Return the rows themselves, unit by unit: to ``Curator.train``, which has paid."""
        ...
