"""What a linking attack is: it looks each half of a record up in the release, one at a time."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence
from attacks.engine.table import Codes
from attacks.threat_model import ThreatModel


@dataclass(frozen=True, kw_only=True)
class Halves:
    """The columns of a record, in two parts that two different sources hold.

    Args:
        first: columns of the one.
        second: columns of the other, none of them in ``first``.
    """

    first: tuple[str, ...]
    second: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Released rows for half records.

    Args:
        rows: shape ``(targets, most)``, released rows, the best first; -1 where there is none.
        misfit: of the same shape, how badly each suits: ascending, infinite where there is none.
    """

    rows: NDArray[np.int64]
    misfit: NDArray[np.float32]


class LinkageAttack(Protocol):
    """Finds released rows for half a record; never handed both halves of anybody."""

    name: ClassVar[str]
    threat_model: ClassVar[ThreatModel]

    @property
    def first(self) -> tuple[str, ...]:
        """Columns of the one half; empty for the declared quasi-identifiers."""
        ...

    def candidates(
        self, evidence: Evidence, half: Codes, known: tuple[str, ...], *, most: int
    ) -> Candidates:
        """Return the released rows that suit each half record best.

        Args:
            evidence: the release.
            half: shape ``(targets, known columns)``, codes of the known columns alone.
            known: names of these columns.
            most: how many rows a target.
        """
        ...

    def misfit(
        self,
        evidence: Evidence,
        half: Codes,
        known: tuple[str, ...],
        rows: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Return how badly given rows suit each half record, on the scale of ``candidates``.

        Args:
            evidence: the release.
            half: shape ``(targets, known columns)``.
            known: names of these columns.
            rows: shape ``(targets, most)``, released rows; -1 suits nobody.
        """
        ...
