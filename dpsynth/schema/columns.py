"""The kinds of column that a schema can declare. Public facts only; frozen, nothing unknown."""

import datetime as dt
import math
import re
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    model_validator,
)

from dpsynth.errors import SchemaError
from dpsynth.schema.codes import Rollup, known_system
from dpsynth.schema.dtypes import BOOLEAN_DTYPES, INTEGER_DTYPES, Dtype, holds, with_nulls
from dpsynth.schema.provenance import DECLARED, Provenance
from dpsynth.schema.values import (
    MAX_TEXT,
    Number,
    Scalar,
    is_number,
    key,
    learnable,
    one_type,
)

# A declared range of at most this many whole numbers or days needs no bins: each is a level.
MAX_OWN_LEVELS = 128
# Whole numbers beyond this are not exact in the float64 that cells are parsed to.
MAX_INTEGER = 2**53


def _plain_date(value: Any) -> Any:
    if isinstance(value, dt.datetime) or not isinstance(value, str | dt.date):
        raise ValueError("must be a date such as 2024-01-31")
    return value


Day = Annotated[dt.date, BeforeValidator(_plain_date)]


class Column(BaseModel):
    """What every kind shares.

    Args:
        name: the column's name in the table.
        description: free text for readers of the report.
        provenance: origin by field name; a field not listed is declared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    # Fields that describe the table and so can be guessed from it.
    facts: ClassVar[tuple[str, ...]] = ("kind",)
    is_modeled: ClassVar[bool] = False

    name: StrictStr
    kind: str
    description: StrictStr | None = None
    provenance: dict[StrictStr, Provenance] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names(self) -> "Column":
        if not self.name.strip() or len(self.name) > 200 or not self.name.isprintable():
            raise SchemaError(
                "every column needs a printable name of 1 to 200 characters: fix `name`"
            )
        for field in self.provenance:
            if field not in self.facts:
                raise self.wrong("provenance", f"names no field that has one; use {self.facts}")
        return self

    def wrong(self, field: str, what: str) -> SchemaError:
        """Return the error for one field, as one sentence."""
        return SchemaError(f"column {self.name!r}, field '{field}': {what}")

    def origin(self, field: str) -> Provenance:
        """Where ``field`` comes from."""
        return self.provenance.get(field, DECLARED)

    def stated(self) -> tuple[str, ...]:
        """The facts that this column states, in a fixed order."""
        return tuple(field for field in self.facts if getattr(self, field) not in (None, ()))

    def undeclared(self) -> tuple[tuple[str, str], ...]:
        """Fields that must be declared before use, each with what to do."""
        return ()


class ModeledColumn(Column):
    """A column that is learnt and synthesized.

    Args:
        nullable: whether cells may be empty; then the column has a missing level.
        missing_codes: values that mean missing; they join the missing level.
        dtype: pandas dtype on output; by default the natural one of the declared values.
        unit_of_measure: such as "mm Hg".
    """

    is_modeled: ClassVar[bool] = True
    facts: ClassVar[tuple[str, ...]] = ("kind", "nullable", "missing_codes", "dtype")
    dtypes: ClassVar[frozenset[str]] = frozenset()

    nullable: StrictBool = False
    missing_codes: tuple[Scalar, ...] = ()
    dtype: Dtype | None = None
    unit_of_measure: StrictStr | None = None

    @model_validator(mode="after")
    def _missing(self) -> "ModeledColumn":
        keys = [key(code) for code in self.missing_codes]
        if len(set(keys)) < len(keys):
            raise self.wrong("missing_codes", "the codes must differ from each other")
        if any(not text or len(text) > MAX_TEXT or text == "nan" for text in keys):
            raise self.wrong("missing_codes", "empty text, NaN and very long text need no code")
        if self.dtype is not None and self.dtype not in self.allowed_dtypes():
            allowed = ", ".join(sorted(self.allowed_dtypes()))
            raise self.wrong("dtype", f"'{self.dtype}' does not suit the column; use {allowed}")
        return self

    def allowed_dtypes(self) -> frozenset[str]:
        """The dtypes that can hold every declared value."""
        return self.dtypes

    @property
    def natural_dtype(self) -> str:
        """The dtype of the declared values when nothing is missing."""
        raise NotImplementedError

    @property
    def learns_bins(self) -> bool:
        """Whether bins must be learnt privately: nothing declared says how to cut the range."""
        return False

    @property
    def learns_values(self) -> bool:
        """Whether values must be learnt privately: the list of them is declared to be open."""
        return False

    @property
    def has_missing(self) -> bool:
        """Whether there is a missing level, always the last code."""
        return self.nullable or bool(self.missing_codes)

    @property
    def missing_value(self) -> bool | int | float | str | None:
        """What a missing cell is decoded to: the only missing code, or None for null."""
        if len(self.missing_codes) != 1:
            return None
        code = self.missing_codes[0]
        return code if self.dtype is None or holds(self.dtype, code) else None

    @property
    def output_dtype(self) -> str:
        """The dtype after decoding, wide enough for what a missing cell becomes."""
        dtype = self.dtype or self.natural_dtype
        code = self.missing_value
        if code is not None and not holds(dtype, code):
            return "str"
        if self.has_missing and code is None:
            return with_nulls(dtype)
        return dtype


class LevelsColumn(ModeledColumn):
    """Shared by categorical and ordinal: a declared list of values.

    Args:
        values: the levels; a missing code among them is the missing level.
        labels: what a value means, by value, for the reports.
        fallback: level of an unexpected cell where there is no missing level; default the first.
    """

    facts: ClassVar[tuple[str, ...]] = (*ModeledColumn.facts, "values")

    values: tuple[Scalar, ...] | None = None
    labels: dict[StrictStr, StrictStr] = Field(default_factory=dict)
    fallback: Scalar | None = None

    @model_validator(mode="after")
    def _values(self) -> "LevelsColumn":
        if self.values is not None:
            self._check_values(self.values)
        if (
            self.fallback is not None
            and self.is_ready()
            and key(self.fallback) not in {key(level) for level in self.levels}
        ):
            raise self.wrong("fallback", "must be one of the declared levels")
        return self

    def _check_values(self, values: tuple[bool | int | float | str, ...]) -> None:
        if not values:
            raise self.wrong("values", "list at least one value")
        if not one_type(values):
            raise self.wrong("values", "must be all text, all numbers, or all true/false")
        keys = [key(value) for value in values]
        if any(not text or len(text) > MAX_TEXT or "\0" in text for text in keys):
            raise self.wrong(
                "values", f"each must have 1 to {MAX_TEXT} characters, none of them NUL"
            )
        if any(is_number(value) and not math.isfinite(value) for value in values):
            raise self.wrong("values", "numbers must be finite")
        if len(set(keys)) < len(keys):
            raise self.wrong("values", "each value may be listed once")
        if set(keys) <= {key(code) for code in self.missing_codes}:
            raise self.wrong("values", "at least one value must not be a missing code")

    def is_ready(self) -> bool:
        """Whether the levels are declared."""
        return self.values is not None

    @property
    def levels(self) -> tuple[bool | int | float | str, ...]:
        """The levels in order, without those that mean missing."""
        if self.values is None:
            raise self.wrong("values", "declare the values, or a rollup to a public list")
        codes = {key(code) for code in self.missing_codes}
        return tuple(value for value in self.values if key(value) not in codes)

    def undeclared(self) -> tuple[tuple[str, str], ...]:
        """Say that the values are wanted, if they are."""
        return () if self.is_ready() else (("values", "declare the list of values"),)

    def allowed_dtypes(self) -> frozenset[str]:
        """Text for anything; numbers for numbers that fit."""
        if not self.is_ready():
            return frozenset({"str", "float64"}) | INTEGER_DTYPES | BOOLEAN_DTYPES
        candidates = {"str", "float64"} | INTEGER_DTYPES | BOOLEAN_DTYPES
        return frozenset(
            dtype for dtype in candidates if all(holds(dtype, level) for level in self.levels)
        )

    @property
    def natural_dtype(self) -> str:
        """Text, int64, float64 or bool, by the declared values."""
        for dtype in ("bool", "int64", "float64"):
            if all(holds(dtype, level) for level in self.levels):
                return dtype
        return "str"


class CategoricalColumn(LevelsColumn):
    """Unordered levels: a declared list, a code list with a public rollup, or an open list.

    Args:
        codes: name of the code system, such as "ICD-9-CM"; one that is known brings its rollup.
        rollup: the rule that turns any code into a level of a finite public list.
        open: the values are learnt privately: those that enough persons hold. ``values`` may list
            some that need no learning. All text.
        other: of an open column, the level of every value that was not released; default "other".
    """

    facts: ClassVar[tuple[str, ...]] = (*LevelsColumn.facts, "codes", "rollup", "open")

    kind: Literal["categorical"] = "categorical"
    codes: StrictStr | None = None
    rollup: Rollup | None = None
    open: StrictBool = False
    other: StrictStr | None = None

    @model_validator(mode="after")
    def _one_list(self) -> "CategoricalColumn":
        if self.open:
            self._check_open()
        elif self.other is not None:
            raise self.wrong("other", "only an open column has this: say open = true")
        elif self.values is not None and (self.rollup is not None or self.codes is not None):
            raise self.wrong("values", "declare either `values`, or `codes` with a `rollup`")
        if self.rule is not None and not self.levels:
            raise self.wrong("rollup", "at least one level must not be a missing code")
        return self

    def _check_open(self) -> None:
        if self.rollup is not None:
            raise self.wrong("rollup", "declare either `open`, or a `rollup` to a public list")
        if any(not isinstance(value, str) for value in self.values or ()):
            raise self.wrong("values", "of an open column must be text")
        if self.dtype not in (None, "str"):
            raise self.wrong("dtype", "of an open column must be 'str'")
        if not learnable(self.placeholder):
            raise self.wrong("other", "must have 1 to 100 printable characters")
        taken = {key(value) for value in (*(self.values or ()), *self.missing_codes)}
        if self.placeholder in taken:
            raise self.wrong("other", "must differ from the values and the missing codes")

    @property
    def placeholder(self) -> str:
        """The level of an open column for what was not released."""
        return "other" if self.other is None else self.other.strip()

    @property
    def learns_values(self) -> bool:
        """Whether the list of values is declared to be open."""
        return self.open

    @property
    def rule(self) -> Rollup | None:
        """The rollup declared, or the one that the code system brings; none if open."""
        if self.open:
            return None
        if self.rollup is not None or self.codes is None:
            return self.rollup
        system = known_system(self.codes)
        return None if system is None else Rollup(rule=system)

    def is_ready(self) -> bool:
        """Whether the levels are declared, or declared to be learnt."""
        return self.open or self.values is not None or self.rule is not None

    def stated(self) -> tuple[str, ...]:
        """The facts that this column states, in a fixed order."""
        return tuple(field for field in super().stated() if field != "open" or self.open)

    @property
    def known(self) -> tuple[bool | int | float | str, ...]:
        """The declared values, without those that mean missing."""
        codes = {key(code) for code in self.missing_codes}
        return tuple(value for value in self.values or () if key(value) not in codes)

    @property
    def levels(self) -> tuple[bool | int | float | str, ...]:
        """The levels in order, without those that mean missing; of an open list the known ones."""
        if self.open:
            return (*self.known, self.placeholder)
        if self.rule is None:
            return super().levels
        codes = {key(code) for code in self.missing_codes}
        return tuple(level for level in self.rule.levels if level not in codes)

    def learnt(self, values: Sequence[str]) -> "CategoricalColumn":
        """Return the column with released ``values`` among the known ones, after the declared.

        Raises:
            SchemaError: one is no value that an open column can learn, or stands there already.
        """
        taken = {key(level) for level in (*self.levels, *self.missing_codes)}
        if not self.open or taken & set(values) or len(set(values)) < len(values):
            raise self.wrong("values", "these cannot be learnt: not open, or one is known already")
        if not all(learnable(value) and value == value.strip() for value in values):
            raise self.wrong("values", "one of these cannot be the value of an open column")
        return self.model_copy(update={"values": (*self.known, *values) or None})

    def undeclared(self) -> tuple[tuple[str, str], ...]:
        """Say that a list or a rule is wanted, if it is."""
        if self.is_ready():
            return ()
        return (
            (
                "values",
                "declare the list of values, a `rollup` to a public list, or `open = true`",
            ),
        )


class OrdinalColumn(LevelsColumn):
    """Levels with an order: ``values`` from least to greatest."""

    kind: Literal["ordinal"] = "ordinal"


class NumericColumn(ModeledColumn):
    """Shared by integer and continuous.

    Args:
        bounds: least and greatest value; cells outside are moved to the nearer bound. Not
            declared: learnt privately on a public grid of powers of two, and paid for.
        bins: edges, or how many bins of equal width; not declared: learnt where needed.
        fallback: value of an unexpected cell where there is no missing level; default the lower
            bound.
    """

    facts: ClassVar[tuple[str, ...]] = (*ModeledColumn.facts, "bounds", "bins")

    bounds: tuple[Number, Number] | None = None
    bins: StrictInt | tuple[Number, ...] | None = None
    fallback: Number | None = None

    @model_validator(mode="after")
    def _range(self) -> "NumericColumn":
        for field, numbers in (("bounds", self.bounds), ("bins", self.bins)):
            if isinstance(numbers, tuple):
                self._check_numbers(field, numbers)
        if self.bounds is not None and not math.isfinite(self.bounds[1] - self.bounds[0]):
            raise self.wrong("bounds", "are too far apart")
        if isinstance(self.bins, int):
            if not 1 <= self.bins <= 10_000:
                raise self.wrong("bins", "the number of bins must lie between 1 and 10000")
            if self.bounds is None:
                raise self.wrong("bins", "a number of bins needs declared `bounds`")
        if isinstance(self.bins, tuple):
            if len(self.bins) < 2 or list(self.bins) != sorted(set(self.bins)):
                raise self.wrong("bins", "edges must be at least two numbers, each above the last")
            if self.bounds is not None and self.bounds != (self.bins[0], self.bins[-1]):
                raise self.wrong("bins", "the first and last edge must equal the `bounds`")
        if self.fallback is not None:
            low, high = self.limits or (-math.inf, math.inf)
            if not (math.isfinite(self.fallback) and low <= self.fallback <= high):
                raise self.wrong("fallback", "must lie within the bounds")
        return self

    def _check_numbers(self, field: str, numbers: tuple[int | float, ...]) -> None:
        if not all(math.isfinite(number) for number in numbers):
            raise self.wrong(field, "must be finite numbers")
        if field == "bounds" and numbers[0] > numbers[1]:
            raise self.wrong(field, "the lower bound must not be above the upper one")

    @property
    def limits(self) -> tuple[int | float, int | float] | None:
        """The range that values are moved into, from ``bounds`` or else from the edges."""
        if self.bounds is None and isinstance(self.bins, tuple):
            return self.bins[0], self.bins[-1]
        return self.bounds

    @property
    def learns_bins(self) -> bool:
        """Whether bins must be learnt: none declared, and too wide a range to do without."""
        if self.bins is not None:
            return False
        return self.limits is None or self._levels(self.limits) > MAX_OWN_LEVELS

    def _levels(self, limits: tuple[int | float, int | float]) -> float:
        return 1 if limits[0] == limits[1] else math.inf


class IntegerColumn(NumericColumn):
    """Whole numbers; a cell with a fraction is rounded, halves to the even neighbor."""

    kind: Literal["integer"] = "integer"

    def _check_numbers(self, field: str, numbers: tuple[int | float, ...]) -> None:
        super()._check_numbers(field, numbers)
        if any(not float(number).is_integer() or abs(number) > MAX_INTEGER for number in numbers):
            raise self.wrong(field, "must be whole numbers of at most 2^53")

    def _levels(self, limits: tuple[int | float, int | float]) -> float:
        return limits[1] - limits[0] + 1

    def allowed_dtypes(self) -> frozenset[str]:
        """Text, float64, and the integer dtypes that hold the bounds."""
        low, high = self.limits or (-(2**40), 2**40)
        fitting = {d for d in INTEGER_DTYPES if holds(d, low) and holds(d, high)}
        return frozenset({"str", "float64"} | fitting)

    @property
    def natural_dtype(self) -> str:
        """The dtype int64."""
        return "int64"


class ContinuousColumn(NumericColumn):
    """Real numbers.

    Args:
        decimals: digits kept after the point on output; all, if not declared.
    """

    kind: Literal["continuous"] = "continuous"
    dtypes: ClassVar[frozenset[str]] = frozenset({"float64", "str"})

    decimals: Annotated[StrictInt, Field(ge=0, le=15)] | None = None

    @property
    def natural_dtype(self) -> str:
        """The dtype float64."""
        return "float64"


class BooleanColumn(ModeledColumn):
    """True or false; also written t/f, yes/no, y/n, 1/0 in any case.

    Args:
        fallback: value of an unexpected cell where there is no missing level; default false.
    """

    kind: Literal["boolean"] = "boolean"
    dtypes: ClassVar[frozenset[str]] = BOOLEAN_DTYPES | INTEGER_DTYPES | {"str"}

    fallback: StrictBool | None = None

    @property
    def natural_dtype(self) -> str:
        """The dtype bool."""
        return "bool"


class DateColumn(ModeledColumn):
    """Days between two declared days; a time of day is dropped.

    Args:
        bounds: first and last day; days outside are moved to the nearer one.
        bins: first days of the bins and at the end the last day, or how many bins of equal
            width; not declared: learnt where there are more than 128 days.
        format: how dates are written as text, in the notation of ``strptime``; default ISO 8601.
        fallback: day of an unexpected cell where there is no missing level; default the first.
    """

    facts: ClassVar[tuple[str, ...]] = (*ModeledColumn.facts, "bounds", "bins", "format")
    dtypes: ClassVar[frozenset[str]] = frozenset({"datetime64", "str"})

    kind: Literal["date"] = "date"
    bounds: tuple[Day, Day] | None = None
    bins: StrictInt | tuple[Day, ...] | None = None
    format: StrictStr | None = None
    fallback: Day | None = None

    @model_validator(mode="after")
    def _range(self) -> "DateColumn":
        if self.bounds is not None and self.bounds[0] > self.bounds[1]:
            raise self.wrong("bounds", "the first day must not be after the last one")
        if isinstance(self.bins, int) and not 1 <= self.bins <= 10_000:
            raise self.wrong("bins", "the number of bins must lie between 1 and 10000")
        if isinstance(self.bins, tuple):
            if len(self.bins) < 2 or list(self.bins) != sorted(set(self.bins)):
                raise self.wrong("bins", "edges must be at least two days, each after the last")
            if self.bounds is not None and self.bounds != (self.bins[0], self.bins[-1]):
                raise self.wrong("bins", "the first and last edge must equal the `bounds`")
        if self.format is not None:
            self._check_format(self.format)
        low, high = self.limits or (dt.date.min, dt.date.max)
        if self.fallback is not None and not low <= self.fallback <= high:
            raise self.wrong("fallback", "must lie within the bounds")
        return self

    def _check_format(self, layout: str) -> None:
        day = dt.date(2023, 11, 28)
        try:
            read_back = dt.datetime.strptime(day.strftime(layout), layout).date()  # noqa: DTZ007  # a day has no zone
        except (ValueError, re.error) as problem:
            raise self.wrong("format", "is not a notation that strptime can read") from problem
        if read_back != day:
            raise self.wrong("format", "must hold the year, the month and the day")

    @property
    def limits(self) -> tuple[dt.date, dt.date] | None:
        """First and last day, from ``bounds`` or else from the edges."""
        if self.bounds is None and isinstance(self.bins, tuple):
            return self.bins[0], self.bins[-1]
        return self.bounds

    @property
    def learns_bins(self) -> bool:
        """Whether bins must be learnt: none declared, and too many days to do without."""
        if self.bins is not None or self.limits is None:
            return False
        return (self.limits[1] - self.limits[0]).days + 1 > MAX_OWN_LEVELS

    def undeclared(self) -> tuple[tuple[str, str], ...]:
        """Say that the bounds are wanted, if they are."""
        if self.limits is not None:
            return ()
        return (("bounds", "declare the first and the last day that can occur"),)

    @property
    def natural_dtype(self) -> str:
        """Dates as datetime64."""
        return "datetime64"


class IdentifierColumn(Column):
    """Generated on output, never learnt; read only where it is the person column.

    Args:
        dtype: an integer dtype or text on output; int64 unless a pattern is given.
        pattern: text with a run of ``#`` that a running number fills, such as "P-######".
    """

    facts: ClassVar[tuple[str, ...]] = ("kind", "dtype")

    kind: Literal["identifier"] = "identifier"
    dtype: Dtype | None = None
    pattern: StrictStr | None = None

    @model_validator(mode="after")
    def _shape(self) -> "IdentifierColumn":
        if self.dtype is not None and self.dtype not in INTEGER_DTYPES | {"str"}:
            raise self.wrong("dtype", "must be 'str' or an integer dtype")
        if self.pattern is not None:
            if len(re.findall("#+", self.pattern)) != 1 or len(self.pattern) > MAX_TEXT:
                raise self.wrong("pattern", "must hold one run of '#', such as 'P-######'")
            if self.dtype not in (None, "str"):
                raise self.wrong("pattern", "needs the dtype 'str'")
        return self

    @property
    def output_dtype(self) -> str:
        """The declared dtype, else text for a pattern, else int64."""
        return self.dtype or ("str" if self.pattern is not None else "int64")


class ExcludedColumn(Column):
    """Dropped: never read, never written; read only where it is the person column."""

    kind: Literal["excluded"] = "excluded"


AnyColumn = Annotated[
    CategoricalColumn
    | OrdinalColumn
    | IntegerColumn
    | ContinuousColumn
    | BooleanColumn
    | DateColumn
    | IdentifierColumn
    | ExcludedColumn,
    Field(discriminator="kind"),
]

KINDS: dict[str, type[Column]] = {
    "categorical": CategoricalColumn,
    "ordinal": OrdinalColumn,
    "integer": IntegerColumn,
    "continuous": ContinuousColumn,
    "boolean": BooleanColumn,
    "date": DateColumn,
    "identifier": IdentifierColumn,
    "excluded": ExcludedColumn,
}
