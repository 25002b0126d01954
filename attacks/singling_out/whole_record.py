"""Singling out by all columns of one released record."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from attacks.base import Evidence
from attacks.engine.predicates import Predicates
from attacks.singling_out.base import distinct_records, drawn
from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel


@dataclass(frozen=True, kw_only=True)
class WholeRecord:
    """State every value of a released record as it is.

    The narrowest condition that a record gives: it fits hardly anybody by chance, and the person
    whom the record was copied from.

    Args:
        most: records that are stated, at most; drawn at random from the distinct ones.
    """

    most: int = 100_000

    name: ClassVar[str] = "singling-out/whole-record"
    threat_model: ClassVar[ThreatModel] = ThreatModel(
        goal=Goal.SINGLING_OUT,
        generator=GeneratorAccess.NO_BOX,
        data=DataKnowledge.NOTHING,
    )

    @property
    def point(self) -> str:
        """Name of the operating point."""
        return "all columns"

    def predicates(self, evidence: Evidence) -> Predicates:
        """Return conditions; see ``attacks.singling_out.base.SinglingOutAttack``."""
        records = distinct_records(evidence)
        codes = records.at(drawn(len(records), most=self.most, rng=evidence.rng(self.name)))
        places = np.broadcast_to(np.arange(codes.shape[1], dtype=np.int32), codes.shape)
        return Predicates(columns=places, low=codes, high=codes)
