"""Singling out by one column: the rare and the extreme."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from attacks.base import Evidence
from attacks.engine.predicates import Predicates, isolated_in
from attacks.engine.released import column_counts
from attacks.singling_out.base import distinct_records, last_codes, stated
from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel


@dataclass(frozen=True, kw_only=True)
class Univariate:
    """State every condition on one column that one released record alone meets.

    These are a value that stands in one record, and in an ordered column "at most the least" and
    "at least the greatest" value.

    Source:
        Giomi et al. (2023), "A Unified Framework for Quantifying Privacy Risk in Synthetic Data"
        (anonymeter), arXiv:2211.10459, the univariate attack.
    """

    name: ClassVar[str] = "singling-out/univariate"
    threat_model: ClassVar[ThreatModel] = ThreatModel(
        goal=Goal.SINGLING_OUT,
        generator=GeneratorAccess.NO_BOX,
        data=DataKnowledge.NOTHING,
    )

    @property
    def point(self) -> str:
        """Name of the operating point."""
        return "rare and extreme values"

    def predicates(self, evidence: Evidence) -> Predicates:
        """Return conditions; see ``attacks.singling_out.base.SinglingOutAttack``."""
        records = distinct_records(evidence)
        last = last_codes(evidence)
        found: list[tuple[int, int, bool, bool]] = []
        for place, name in enumerate(records.columns):
            counts = column_counts(records, name, size=evidence.sizes[name])
            found += [(place, code, False, False) for code in np.flatnonzero(counts == 1).tolist()]
            present = np.flatnonzero(counts[: last[place] + 1])
            if evidence.ordered[name] and present.size:
                found += [
                    (place, int(present[0]), False, True),
                    (place, int(present[-1]), True, False),
                ]
        parts = np.array(found, dtype=np.int32).reshape(-1, 4)
        predicates = stated(
            parts[:, :1],
            parts[:, 1:2],
            upward=parts[:, 2:3] > 0,
            downward=parts[:, 3:4] > 0,
            last=last,
        )
        unique = np.flatnonzero(isolated_in(predicates, records) >= 0)
        return predicates.take(evidence.rng(self.name).permutation(unique))
