"""Declared rules: what cannot occur together, and what cannot come before what."""

import datetime as dt
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_validator,
)

from dpsynth.errors import SchemaError
from dpsynth.schema.columns import (
    BooleanColumn,
    CategoricalColumn,
    Column,
    ContinuousColumn,
    LevelsColumn,
    ModeledColumn,
    OrdinalColumn,
)
from dpsynth.schema.selection import (
    Selection,
    limits_of,
    missing_of,
    near,
    select,
    select_any,
    select_range,
)


def _as_text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.date) else value


Value = Annotated[
    StrictBool | StrictInt | StrictFloat | StrictStr,
    BeforeValidator(_as_text, json_schema_input_type=bool | int | float | str),
]


class Range(BaseModel):
    """Part of a column that is more than a list of values.

    Args:
        least: least number or first day; none where not given.
        most: greatest number or last day.
        missing: whether the missing level belongs to it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    least: Value | None = None
    most: Value | None = None
    missing: StrictBool = False

    @model_validator(mode="after")
    def _something(self) -> "Range":
        if self.least is None and self.most is None and not self.missing:
            raise ValueError("a range needs `least`, `most` or `missing = true`")
        return self


class Rule(BaseModel):
    """One thing that never happens, whatever the rows say. Exactly one of the first two.

    Args:
        forbid: by column, a value, a list of values or a range: they never occur together.
        order: columns whose values never fall, from the first to the last.
        reason: why, for readers of the schema.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    forbid: dict[StrictStr, Range | Value | tuple[Value, ...]] | None = None
    order: tuple[StrictStr, ...] | None = None
    reason: StrictStr | None = None

    @model_validator(mode="after")
    def _one(self) -> "Rule":
        if (self.forbid is None) == (self.order is None):
            raise ValueError("a rule has either `forbid` or `order`")
        if self.forbid is not None and len(self.forbid) < 2:
            raise ValueError(
                "`forbid` needs two columns at least: what never occurs in one column is left out "
                "of its declared values"
            )
        if self.order is not None and (
            len(self.order) < 2 or len(set(self.order)) < len(self.order)
        ):
            raise ValueError("`order` needs two columns at least, each once")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it names."""
        return tuple(self.forbid) if self.forbid is not None else self.order or ()


def forbidden_parts(rule: Rule, columns: Mapping[str, ModeledColumn]) -> dict[str, Selection]:
    """Return what a ``forbid`` rule names of each column.

    Raises:
        ValueError: a column has no such value.
    """
    return {name: _part(columns[name], wanted) for name, wanted in (rule.forbid or {}).items()}


def _part(column: ModeledColumn, wanted: object) -> Selection:
    if isinstance(wanted, tuple):
        if not wanted:
            raise ValueError(f"the list of values of column {column.name!r} is empty")
        return select_any(column, wanted)
    if not isinstance(wanted, Range):
        return select(column, wanted)
    found = missing_of(column) if wanted.missing else Selection()
    if wanted.least is not None or wanted.most is not None:
        found = found.joined(select_range(column, wanted.least, wanted.most))
    return found


def ordered_pairs(rules: Sequence[Rule]) -> tuple[tuple[str, str], ...]:
    """Return every pair of columns that ``order`` rules put in order, directly or by way of others.

    Raises:
        ValueError: the rules go round in a circle.
    """
    before: dict[str, set[str]] = {}
    for rule in rules:
        listed = rule.order or ()
        for place, name in enumerate(listed):
            before.setdefault(name, set()).update(listed[:place])
    try:
        turns = list(TopologicalSorter(before).static_order())
    except CycleError as error:
        names = ", ".join(map(repr, dict.fromkeys(error.args[1])))
        raise ValueError(f"the `order` rules put {names} in a circle") from None
    pairs: list[tuple[str, str]] = []
    for name in turns:  # earlier columns are complete when later ones look at them
        for earlier in tuple(before[name]):
            before[name] |= before[earlier]
        pairs += [(earlier, name) for earlier in turns if earlier in before[name]]
    return tuple(pairs)


def check(rules: Sequence[Rule], columns: Sequence[Column]) -> None:
    """Refuse rules that name what is not there, or that nothing could keep.

    Raises:
        SchemaError: in one sentence, with the number of the rule.
    """
    modeled = {each.name: each for each in columns if isinstance(each, ModeledColumn)}
    known = {each.name for each in columns}
    for number, rule in enumerate(rules, start=1):
        try:
            for name in rule.columns:
                if name not in known:
                    raise ValueError(f"no column is called {name!r}: {near(name, modeled)}")
                if name not in modeled:
                    raise ValueError(f"column {name!r} is not learnt, so no rule can hold in it")
            ready = [modeled[name] for name in rule.columns if not modeled[name].undeclared()]
            if rule.order is not None:
                _check_order(ready)
            elif len(ready) == len(rule.columns):
                _check_forbid(forbidden_parts(rule, modeled), modeled)
        except ValueError as problem:
            raise SchemaError(f"rule {number}: {problem}") from None
    try:
        ordered_pairs(rules)
    except ValueError as problem:
        raise SchemaError(str(problem)) from None


def _check_forbid(parts: Mapping[str, Selection], columns: Mapping[str, ModeledColumn]) -> None:
    if all(_covers(columns[name], part) for name, part in parts.items()):
        raise ValueError("it forbids every value that its columns can have")


def _covers(column: ModeledColumn, part: Selection) -> bool:
    if isinstance(column, BooleanColumn):
        return part.levels == frozenset({0, 1})
    if isinstance(column, LevelsColumn):
        return len(part.levels) == len(column.levels)
    low, high = limits_of(column)
    return any(first <= low and high <= last for first, last in part.intervals)


def _check_order(columns: Sequence[ModeledColumn]) -> None:
    kinds = {each.kind for each in columns}
    for each in columns:
        if isinstance(each, BooleanColumn | CategoricalColumn):
            raise ValueError(f"column {each.name!r} is {each.kind} and has no order to keep")
    if len(kinds) > 1:
        raise ValueError(f"`order` needs columns of one kind, not {' and '.join(sorted(kinds))}")
    levels = {each.levels for each in columns if isinstance(each, OrdinalColumn)}
    if len(levels) > 1:
        raise ValueError("ordinal columns in `order` must declare the same values")
    real = [each for each in columns if isinstance(each, ContinuousColumn)]
    if len({each.decimals for each in real}) > 1:
        raise ValueError("continuous columns in `order` must declare the same `decimals`")
    for each in real:
        low, high = limits_of(each)
        digits = each.decimals
        if digits is not None and (round(low, digits), round(high, digits)) != (low, high):
            raise ValueError(f"the bounds of column {each.name!r} have more digits than `decimals`")
    for place, first in enumerate(columns):
        for second in columns[place + 1 :]:
            if limits_of(first)[0] > limits_of(second)[1]:
                raise ValueError(
                    f"every value of {first.name!r} lies above every value of {second.name!r}, so "
                    "it forbids every value"
                )
