"""Linking by the closest released rows."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence
from attacks.engine.distances import Space, between_in, closest_in, space
from attacks.engine.table import Codes
from attacks.linkage.base import Candidates
from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel


@dataclass(frozen=True, kw_only=True)
class ClosestRows:
    """Look each half of a record up among the released rows, by distance in its own columns.

    Args:
        first: columns of the one half; empty for the declared quasi-identifiers.

    Source:
        Giomi et al. (2023), "A Unified Framework for Quantifying Privacy Risk in Synthetic Data"
        (anonymeter), arXiv:2211.10459, the linkability attack.
    """

    first: tuple[str, ...] = ()

    name: ClassVar[str] = "linkage/closest-rows"
    threat_model: ClassVar[ThreatModel] = ThreatModel(
        goal=Goal.LINKAGE,
        generator=GeneratorAccess.NO_BOX,
        data=DataKnowledge.NOTHING,
    )

    def candidates(
        self, evidence: Evidence, half: Codes, known: tuple[str, ...], *, most: int
    ) -> Candidates:
        """Return the closest rows; see ``attacks.linkage.base.LinkageAttack``."""
        within = _space(evidence, known)
        found = closest_in(half, evidence.release, within, k=most, columns=known)
        return Candidates(rows=found.index, misfit=found.distance)

    def misfit(
        self,
        evidence: Evidence,
        half: Codes,
        known: tuple[str, ...],
        rows: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Return the distance of given rows; see ``attacks.linkage.base.LinkageAttack``."""
        within = _space(evidence, known)
        return between_in(half, evidence.release, within, rows=rows, columns=known)


def _space(evidence: Evidence, known: tuple[str, ...]) -> Space:
    return space(evidence.sizes, evidence.ordered, known, missing=evidence.missing)
