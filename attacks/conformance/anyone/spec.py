"""What is public of the tables that a mechanism takes: columns, what they may hold, whose rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dpsynth.errors import UsageError

if TYPE_CHECKING:
    from dpsynth.schema import Schema

ADD_OR_REMOVE, REPLACE = "add_or_remove", "replace"


@dataclass(frozen=True, kw_only=True)
class Levels:
    """A column of declared values.

    Args:
        values: at least two, in order.
    """

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if len(set(self.values)) < 2:
            raise UsageError("a column of levels needs at least two different values")


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """A column of numbers within declared bounds.

    Args:
        low: the least.
        high: the largest, above ``low``.
        whole: whether only whole numbers occur.
    """

    low: float
    high: float
    whole: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise UsageError("the bounds of a column must be two different numbers, in order")


@dataclass(frozen=True, kw_only=True)
class Texts:
    """A column whose values are not declared: identifiers, names, open categories."""


Kind = Levels | Numbers | Texts


@dataclass(frozen=True, kw_only=True)
class FrameSpec:
    """What is public of a table.

    Args:
        columns: what each column may hold, by name; at least one.
        person: the column that says whose row it is, one of ``columns``; without it every row
            is a person's only one.
        max_rows: rows that one person may have a say with, at least 1. More may be in the table.
        neighboring: "add_or_remove" where the guarantee is about one person more or less,
            "replace" where it is about one person in place of another.
    """

    columns: Mapping[str, Kind]
    person: str | None = None
    max_rows: int = 1
    neighboring: str = ADD_OR_REMOVE

    def __post_init__(self) -> None:
        if self.person is not None and not isinstance(self.columns.get(self.person), Texts):
            raise UsageError(f"the column of persons {self.person!r} must be one of Texts()")
        if not self.modeled:
            raise UsageError("a trial needs at least one column beside that of the persons")
        if self.neighboring not in (ADD_OR_REMOVE, REPLACE):
            raise UsageError(f"neighboring must be {ADD_OR_REMOVE!r} or {REPLACE!r}")
        if self.max_rows < 1 or (self.max_rows > 1 and self.person is None):
            raise UsageError("max_rows above 1 needs a column that says whose row it is")

    @property
    def modeled(self) -> dict[str, Kind]:
        """All columns but that of the persons."""
        return {name: kind for name, kind in self.columns.items() if name != self.person}

    @property
    def given(self) -> int:
        """Rows of one person in the tables of a trial: more than have a say, where persons are."""
        return 1 if self.person is None else self.max_rows + 3

    @classmethod
    def of(cls, columns: "Mapping[str, Any] | Schema | FrameSpec") -> "FrameSpec":
        """Return a specification from a short form of it, or from a schema of dpsynth.

        Args:
            columns: by name a sequence of declared values, or a tuple of two numbers as bounds
                (of whole numbers where both are), or a kind; or a schema.
        """
        if isinstance(columns, FrameSpec):
            return columns
        if isinstance(columns, Mapping):
            return cls(columns={name: _kind(each) for name, each in columns.items()})
        return _of_schema(columns)


def _kind(each: Any) -> Kind:
    if isinstance(each, Levels | Numbers | Texts):
        return each
    bounds = isinstance(each, tuple) and len(each) == 2
    if bounds and all(isinstance(end, int | float) and not isinstance(end, bool) for end in each):
        return Numbers(low=each[0], high=each[1], whole=all(isinstance(end, int) for end in each))
    if isinstance(each, Sequence) and not isinstance(each, str):
        return Levels(values=tuple(each))
    raise UsageError("a column is declared by a list of values or by a tuple of two bounds")


def _of_schema(schema: "Schema") -> FrameSpec:
    from dpsynth.encoding import base_domain
    from dpsynth.encoding.table import decode_table
    from dpsynth.schema.columns import IdentifierColumn, NumericColumn

    sizes = base_domain(schema).sizes
    columns: dict[str, Kind] = {}
    for column in schema.columns:
        if (
            isinstance(column, IdentifierColumn)
            or column.name not in sizes
            or getattr(column, "learns_values", False)
        ):
            columns[column.name] = Texts()
        elif isinstance(column, NumericColumn) and column.bounds is not None:
            low, high = (float(end) for end in column.bounds)
            columns[column.name] = Numbers(low=low, high=high, whole=column.kind == "integer")
        else:
            size = sizes[column.name]
            codes = {name: np.zeros(size, dtype=np.int64) for name in sizes}
            codes[column.name] = np.arange(size, dtype=np.int64)
            table = decode_table(codes, schema, np.random.default_rng(0), rows=size)
            held = [each for each in table[column.name].tolist() if each == each]
            columns[column.name] = Levels(values=tuple(dict.fromkeys(held)))
    unit = schema.unit
    if unit.column is not None:
        columns[unit.column] = Texts()
    return FrameSpec(
        columns=columns,
        person=unit.column,
        max_rows=unit.max_rows or 1,
    )
