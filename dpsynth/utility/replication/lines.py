"""Coefficients on copies beside the same on real rows, and how far they agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Any

import numpy as np

from dpsynth.utility.replication.analyses import INTERCEPT, Analysis, Estimates
from dpsynth.utility.replication.combining import (
    Combined,
    fully_synthetic,
    interval_overlap,
    partially_synthetic,
)
from dpsynth.utility.replication.coverage import Z
from dpsynth.utility.scores import Score

RULES = ("fully", "partially")
COLUMNS = [
    "analysis", "coefficient", "estimate", "low", "high", "copies", "measured",
    "real estimate", "real low", "real high", "overlap", "same sign", "same significance",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Line:
    """One coefficient of one analysis."""

    analysis: str
    coefficient: str
    synthetic: Combined
    measured: bool | None
    real: tuple[float, float, float] | None = None  # estimate, low, high

    @property
    def overlap(self) -> float | None:
        """Interval overlap with the real rows; see ``combining.interval_overlap``."""
        if self.real is None:
            return None
        return interval_overlap(self.synthetic.low, self.synthetic.high, *self.real[1:])

    @property
    def same_sign(self) -> bool | None:
        """Whether both estimates stand on one side of 0."""
        if self.real is None:
            return None
        return bool(np.sign(self.synthetic.estimate) == np.sign(self.real[0]))

    @property
    def same_significance(self) -> bool | None:
        """Whether 0 lies outside of both intervals or of neither, and both agree on the side."""
        if self.real is None:
            return None
        real = not self.real[1] <= 0 <= self.real[2]
        return self.synthetic.significant == real and (not real or bool(self.same_sign))

    def row(self) -> list[Any]:
        """Return the cells of the table of coefficients."""
        found = self.synthetic
        return [
            self.analysis, self.coefficient, found.estimate, found.low, found.high, found.copies,
            self.measured, *(self.real or (None, None, None)),
            self.overlap, self.same_sign, self.same_significance,
        ]  # fmt: skip


def combine(
    found: Sequence[Estimates], name: str, *, rule: str = "fully", rows_ratio: float = 1.0
) -> Combined | None:
    """Combine one coefficient over copies; None where fewer than two of them tell of it.

    Args:
        found: the estimates of every copy.
        name: of the coefficient.
        rule: one of ``RULES``; see ``combining``.
        rows_ratio: rows of a copy over rows of the real table.
    """
    told = [each for estimates in found if (each := estimates.of(name)) is not None]
    if len(told) < 2:
        return None
    values, variances = zip(*told, strict=True)
    if rule == "partially":
        return partially_synthetic(values, variances)
    return fully_synthetic(values, variances, rows_ratio=rows_ratio)


def interval_of(found: Estimates | None, name: str) -> tuple[float, float, float] | None:
    """Return estimate, lower and upper end as one table tells them, None where it does not."""
    pair = None if found is None else found.of(name)
    if pair is None:
        return None
    half = Z * sqrt(pair[1])
    return pair[0], pair[0] - half, pair[0] + half


def scores_of(
    analysis: Analysis,
    lines: Sequence[Line],
    real: Estimates,
    holdout: Estimates | None,
    floor: Estimates,
) -> list[Score]:
    """Return how far the copies agree with the real rows, beside holdout and floor."""

    def agreement(found: Sequence[Line]) -> dict[str, float]:
        told = [line for line in found if line.real and line.coefficient != INTERCEPT]
        return {
            "overlap": _mean([max(line.overlap or 0.0, 0.0) for line in told]),
            "sign": _mean([line.same_sign for line in told]),
            "significance": _mean([line.same_significance for line in told]),
        }

    def alone(found: Estimates) -> list[Line]:
        return [
            Line(
                analysis=analysis.name,
                coefficient=name,
                synthetic=_as_combined(interval),
                measured=None,
                real=interval_of(real, name),
            )
            for name in found.names
            if (interval := interval_of(found, name)) is not None
        ]

    value, bottom = agreement(lines), agreement(alone(floor))
    top = None if holdout is None else agreement(alone(holdout))
    words = {
        "overlap": "mean overlap of 95 % intervals, 0 where they lie apart",
        "sign": "share of coefficients with the same sign",
        "significance": "share of coefficients with the same verdict on significance",
    }
    return [
        Score(
            name=text,
            value=value[key],
            ceiling=None if top is None else _known(top[key]),
            floor=_known(bottom[key]),
            better="higher",
            group=analysis.name,
        )
        for key, text in words.items()
        if _known(value[key]) is not None
    ]


def _as_combined(interval: tuple[float, float, float]) -> Combined:
    """Write the interval of one table as copies would have told it."""
    estimate, low, high = interval
    return Combined(
        estimate=estimate, variance=((high - low) / (2 * Z)) ** 2, degrees=inf,
        low=low, high=high, copies=1, between=0.0, within=0.0,
    )  # fmt: skip


def _mean(values: Sequence[float | bool | None]) -> float:
    told = [float(value) for value in values if value is not None]
    return float(np.mean(told)) if told else float("nan")


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
