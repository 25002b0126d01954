"""Singling out by several columns of one released record."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence
from attacks.engine.predicates import Predicates, isolated_in
from attacks.engine.released import Counts, Released, column_counts
from attacks.singling_out.base import distinct_records, drawn, last_codes, stated
from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel


@dataclass(frozen=True, kw_only=True)
class Multivariate:
    """State what some columns of a released record say, where no other released record meets it.

    A record and its columns are drawn at random. An unordered column is met by the record's value
    alone; an ordered one by all values that are as far out or further: "at least" above the median
    of the release, "at most" elsewhere.

    Args:
        conditions: columns in a condition; all where there are fewer.
        each: conditions that are tried on each record; one where they hold all columns.
        most: conditions that are tried in all. Those that one released record alone meets are kept.

    Source:
        Giomi et al. (2023), "A Unified Framework for Quantifying Privacy Risk in Synthetic Data"
        (anonymeter), arXiv:2211.10459, the multivariate attack.
    """

    conditions: int = 4
    each: int = 5
    most: int = 50_000

    name: ClassVar[str] = "singling-out/multivariate"
    threat_model: ClassVar[ThreatModel] = ThreatModel(
        goal=Goal.SINGLING_OUT,
        generator=GeneratorAccess.NO_BOX,
        data=DataKnowledge.NOTHING,
    )

    @property
    def point(self) -> str:
        """Name of the operating point."""
        return f"{self.conditions} columns"

    def predicates(self, evidence: Evidence) -> Predicates:
        """Return conditions; see ``attacks.singling_out.base.SinglingOutAttack``."""
        records = distinct_records(evidence)
        rng = evidence.rng(f"{self.name}@{self.point}")
        each = self.each if self.conditions < len(records.columns) else 1
        attempts = min(len(records) * each, self.most)
        rows = drawn_rows(len(records), attempts, rng)
        tried = conditions_on(
            records,
            evidence,
            rows=rows,
            places=drawn_places(len(records.columns), self.conditions, rows.size, rng),
        )
        return tried.take(isolated_in(tried, records) >= 0)


def conditions_on(
    records: Released,
    evidence: Evidence,
    *,
    rows: NDArray[np.int64],
    places: NDArray[np.int32],
) -> Predicates:
    """Return the condition that each row states in its columns.

    Args:
        records: the release, every record once.
        evidence: says which columns are ordered, and which code is the missing level.
        rows: shape ``(predicates,)``.
        places: shape ``(predicates, conditions)``.
    """
    last = last_codes(evidence)
    medians = np.array(
        [
            _median(column_counts(records, name, size=evidence.sizes[name])[: last[place] + 1])
            for place, name in enumerate(records.columns)
        ]
    )
    ordered = np.array([evidence.ordered[name] for name in records.columns])
    codes = np.take_along_axis(records.at(rows), places, axis=1)
    above = codes > medians[places]
    return stated(
        places,
        codes,
        upward=ordered[places] & above,
        downward=ordered[places] & ~above,
        last=last,
    )


def drawn_rows(records: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return row numbers at random, no row again before all have had their turn."""
    turns = -(-count // records)
    return np.concatenate([drawn(records, most=count, rng=rng) for _ in range(turns)])[:count]


def drawn_places(
    columns: int, conditions: int, count: int, rng: np.random.Generator
) -> NDArray[np.int32]:
    """Return for each of ``count`` predicates some different columns, at most all there are."""
    keys = rng.random((count, columns), dtype=np.float32)
    return np.argsort(keys, axis=1)[:, :conditions].astype(np.int32)


def _median(counts: Counts) -> float:
    """Return the median of codes of which so many rows hold each; 0 where there are none."""
    below = np.cumsum(counts)
    rows = int(below[-1]) if below.size else 0
    middle = [(rows - 1) // 2, rows // 2]
    return float(np.searchsorted(below, middle, side="right").mean()) if rows else 0.0
