"""Open code lists and the rules that roll them up to a finite public list of levels."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, StrictInt, StrictStr, model_validator

from dpsynth.errors import SchemaError
from dpsynth.schema.values import MAX_TEXT

RuleName = Literal["prefix", "icd-9-cm", "icd-10", "icd-10-cm"]

# The three-character categories of ICD-10-CM that end in a letter.
_ICD_10_CM_LETTERED = ("C4A", "C7A", "C7B", "D3A", "M1A", "O9A", "Z3A")


def _icd_9_levels() -> tuple[str, ...]:
    numbers = tuple(f"{number:03d}" for number in range(1, 1000))
    supplementary = tuple(f"V{number:02d}" for number in range(1, 92))
    external = tuple(f"E{number:02d}" for number in range(100))
    return numbers + supplementary + external


def _icd_10_levels() -> tuple[str, ...]:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return tuple(f"{letter}{number:02d}" for letter in letters for number in range(100))


def _icd_10_cm_levels() -> tuple[str, ...]:
    return tuple(sorted(_icd_10_levels() + _ICD_10_CM_LETTERED))


LEVELS: dict[str, Callable[[], tuple[str, ...]]] = {
    "icd-9-cm": _icd_9_levels,
    "icd-10": _icd_10_levels,
    "icd-10-cm": _icd_10_cm_levels,
}


def known_system(name: str) -> RuleName | None:
    """Return the rule for a code system by its usual name, or None if we know none."""
    spelled = re.sub(r"[\s_]+", "-", name.strip().lower())
    spelled = re.sub(r"^icd(\d)", r"icd-\1", spelled)
    aliases: dict[str, RuleName] = {
        "icd-9-cm": "icd-9-cm",
        "icd-9": "icd-9-cm",
        "icd-9-cm-diagnosis": "icd-9-cm",
        "icd-10": "icd-10",
        "icd-10-who": "icd-10",
        "icd-10-cm": "icd-10-cm",
    }
    return aliases.get(spelled)


def icd_category(code: str) -> str:
    """Return the three-character category of an ICD code: before the dot, padded, cut."""
    head = code.strip().upper().partition(".")[0]
    if head.isdigit():
        return head.zfill(3)[:3]
    if head[:1].isalpha() and head[1:].isdigit():
        return head[0] + head[1:].zfill(2)[:2]
    return head[:3]


class Rollup(BaseModel):
    """How an open list of codes becomes a finite one, by public rule.

    Args:
        rule: ``prefix`` keeps the first ``length`` characters; ``icd-9-cm``, ``icd-10`` and
            ``icd-10-cm`` keep the three-character category, out of a list built in.
        length: for ``prefix``, how many characters to keep.
        values: for ``prefix``, the prefixes that are levels.
        other: the level of every code that the rule leads to nothing known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: RuleName
    length: StrictInt | None = None
    values: tuple[StrictStr, ...] | None = None
    other: StrictStr = "other"

    @model_validator(mode="after")
    def _complete(self) -> "Rollup":
        if not self.other.strip():
            raise SchemaError("a rollup needs a name for its `other` level")
        if self.rule != "prefix":
            if self.length is not None or self.values is not None:
                raise SchemaError(f"the rollup rule '{self.rule}' takes no `length` or `values`")
            return self
        if self.length is None or not 1 <= self.length <= MAX_TEXT:
            raise SchemaError("a `prefix` rollup needs a `length` of at least 1")
        if not self.values:
            raise SchemaError("a `prefix` rollup needs the `values` that are levels")
        if any(not value.strip() or len(value) > self.length for value in self.values):
            raise SchemaError("the `values` of a rollup must be prefixes of at most its `length`")
        if len({value.strip() for value in self.values}) < len(self.values):
            raise SchemaError("the `values` of a rollup must differ from each other")
        if self.other.strip() in {value.strip() for value in self.values}:
            raise SchemaError("the `other` level of a rollup must not stand among its `values`")
        return self

    @property
    def levels(self) -> tuple[str, ...]:
        """The public levels in order, ``other`` last."""
        return _levels(self.rule, self.values, self.other)

    def apply(self, code: str) -> str:
        """Return the level that ``code`` would have; it counts as ``other`` if not in the list."""
        if self.rule == "prefix":
            return code.strip()[: self.length]
        return icd_category(code)


@lru_cache(maxsize=64)
def _levels(rule: str, values: tuple[str, ...] | None, other: str) -> tuple[str, ...]:
    listed = values if values is not None else LEVELS[rule]()
    return (*(value.strip() for value in listed), other.strip())
