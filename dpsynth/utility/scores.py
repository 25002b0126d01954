"""What an evaluation says: scores between ceiling and floor, sections of them, and the whole.

Every number here is computed from real rows outside the guarantee: it is for the custodian alone.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dpsynth.errors import DataError

FORMAT = "dpsynth-evaluation/1"
DIGITS = 6  # kept in a document


@dataclass(frozen=True, kw_only=True)
class Score:
    """One number between its ceiling and its floor.

    Attributes:
        name: what is measured, in plain words.
        value: of the synthetic table against the real one.
        ceiling: the same of a real holdout, which has as many rows as the synthetic table is
            compared at; None where there is none.
        floor: the same of a table whose columns were drawn independently of one another.
        low: lower end of the 95 % interval of ``value``; the section says which rows it resamples.
        high: upper end of it.
        better: whether lower or higher values are closer to the real table.
        group: the subgroup, column or pair that it is about; empty for the whole table.
        note: plain words for who reads the number.
    """

    name: str
    value: float
    ceiling: float | None = None
    floor: float | None = None
    low: float | None = None
    high: float | None = None
    better: Literal["lower", "higher"]
    group: str = ""
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the score as a JSON-able document; a number that is not finite is None."""
        numbers = {key: _plain(getattr(self, key)) for key in _NUMBERS}
        words = {"name": self.name, "better": self.better, "group": self.group, "note": self.note}
        return {**words, **numbers}


_NUMBERS = ("value", "ceiling", "floor", "low", "high")


@dataclass(frozen=True, kw_only=True)
class Section:
    """A chapter of an evaluation.

    Attributes:
        key: short and stable, such as "marginals".
        title: for people.
        scores: what was measured.
        tables: what a plot needs, by name; anything that JSON holds, and numbers of numpy.
        notes: plain words; warnings to people among them.
    """

    key: str
    title: str
    scores: tuple[Score, ...] = ()
    tables: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the section as a JSON-able document."""
        return {
            "key": self.key,
            "title": self.title,
            "scores": [score.to_dict() for score in self.scores],
            "tables": _plain(self.tables),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """All sections of one evaluation.

    Attributes:
        sections: in the order of the report.
        rows: of each table, by name.
        seed: of every choice that was drawn.
        seconds: how long each section took, by its key; for the screen, in no document.
        notes: sentences on what was read of the tables, where that is not all of them.
    """

    sections: tuple[Section, ...]
    rows: Mapping[str, int]
    seed: int
    seconds: Mapping[str, float] = field(default_factory=dict, compare=False)
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the evaluation as evaluation.json holds it."""
        return {
            "format": FORMAT,
            "rows": {name: int(count) for name, count in self.rows.items()},
            "seed": self.seed,
            "sections": [section.to_dict() for section in self.sections],
            **({"notes": list(self.notes)} if self.notes else {}),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Evaluation":
        """Read what ``to_dict`` wrote.

        Raises:
            DataError: it is no evaluation in this format.
        """
        if document.get("format") != FORMAT:
            raise DataError(f"this is no evaluation in the format {FORMAT}")
        try:
            return cls(
                sections=tuple(
                    Section(
                        key=found["key"],
                        title=found["title"],
                        scores=tuple(_score(score) for score in found["scores"]),
                        tables=found["tables"],
                        notes=tuple(found["notes"]),
                    )
                    for found in document["sections"]
                ),
                rows=dict(document["rows"]),
                seed=int(document["seed"]),
                notes=tuple(document.get("notes", ())),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise DataError("this evaluation is damaged: make it again") from None


def _score(document: Mapping[str, Any]) -> Score:
    value = document["value"]
    return Score(**{**document, "value": math.nan if value is None else float(value)})


def _plain(held: Any) -> Any:
    """Return numpy's numbers and arrays as JSON has them, floats rounded, NaN as None."""
    if isinstance(held, Mapping):
        return {str(key): _plain(each) for key, each in held.items()}
    if isinstance(held, list | tuple):
        return [_plain(each) for each in held]
    if hasattr(held, "tolist"):  # an array, or a number of numpy
        return _plain(held.tolist())
    if isinstance(held, float):
        return round(held, DIGITS) if math.isfinite(held) else None
    return held
