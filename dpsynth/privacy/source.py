"""What an engine that holds the rows must offer to the curator."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain


class TableSource(Protocol):
    """Rows that were coded and bounded, able to count themselves and nothing else."""

    @property
    def domain(self) -> Domain:
        """The columns and their numbers of codes: public, whatever the rows hold."""
        ...

    def count(self, clique: tuple[str, ...]) -> NDArray[np.int64]:
        """Return exact rows per cell, shape ``(domain.size(clique),)``, row-major, int64."""
        ...

    def coarsened(self, groups: Mapping[str, NDArray[np.int64]]) -> "TableSource":
        """Return the same rows with codes regrouped: ``groups[column][code]`` is the new code.

        The groups are public (declared, or computed from noisy answers); each column's new codes
        are 0 to the largest group number.
        """
        ...
