"""Rows as classifiers read them, by the declared schema alone; missing is a level of its own.

What cannot be declared (the mean and spread of a number, the values of an open column) comes from
the training table and from nothing else, whichever table that is.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpsynth.encoding import cells, codecs
from dpsynth.encoding.table import seen
from dpsynth.schema.columns import DateColumn, ModeledColumn, NumericColumn

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

Rows = NDArray[np.float64]

MOST_CATEGORIES = 255  # that boosting takes as categories; a column of more enters as its codes


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """How the columns of a table become features.

    Attributes:
        schema: declares the columns; open ones hold the values of the training table.
        columns: all that are learnt but the target.
        sizes: by column with levels, the number of its codes, the missing level among them.
        center: by number column, its mean over the training rows; 0 where none has a value.
        spread: its standard deviation; 1 where it does not vary.
    """

    schema: "Schema"
    columns: tuple[str, ...]
    sizes: dict[str, int]
    center: dict[str, float] = field(repr=False)
    spread: dict[str, float] = field(repr=False)

    @classmethod
    def of(cls, train: "pd.DataFrame", schema: "Schema", target: str) -> "Features":
        """Fit the little that is to be fitted, on the training table."""
        schema = seen(train, schema)
        tools = codecs(schema)
        columns = [column for column in schema.modeled if column.name != target]
        sizes, center, spread = {}, {}, {}
        for column in columns:
            if not isinstance(column, NumericColumn | DateColumn):
                sizes[column.name] = tools[column.name].size
                continue
            values = numbers(train, column)
            known = values[~np.isnan(values)]
            center[column.name] = float(known.mean()) if known.size else 0.0
            spread[column.name] = (float(known.std()) if known.size else 0.0) or 1.0
        return cls(
            schema=schema,
            columns=tuple(column.name for column in columns),
            sizes=sizes,
            center=center,
            spread=spread,
        )

    @property
    def categories(self) -> list[bool]:
        """By column, whether trees take its codes as categories without an order."""
        ordered = {column.name for column in self.schema.modeled if column.kind == "ordinal"}
        return [
            name not in ordered and 0 < self.sizes.get(name, 0) <= MOST_CATEGORIES
            for name in self.columns
        ]

    def coded(self, frame: "pd.DataFrame") -> Rows:
        """Return one feature a column: numbers as they are, NaN where missing; levels as codes.

        Returns:
            Shape ``(rows, columns)``, for trees. The missing level is the last code.
        """
        tools = codecs(self.schema)
        made = []
        for column in self._held():
            if column.name in self.sizes:
                codes = tools[column.name].encode(frame[column.name]).codes
                made.append(codes.astype(np.float64))
            else:
                made.append(numbers(frame, column))
        return np.column_stack(made) if made else np.zeros((len(frame), 0))

    def design(self, frame: "pd.DataFrame") -> Rows:
        """Return centered and scaled numbers, and an indicator for every level.

        Returns:
            Shape ``(rows, features)``, for linear models and networks. A number that is missing
            is 0, and 1 in an indicator of its own where the column may be empty.
        """
        return self.spread_out(self.coded(frame))

    def spread_out(self, coded: Rows) -> Rows:
        """Return ``design`` of rows that are coded already."""
        made = []
        for column, values in zip(self._held(), coded.T, strict=True):
            if column.name in self.sizes:
                levels = np.arange(self.sizes[column.name])
                made.append(values[:, None] == levels)
                continue
            missing = np.isnan(values)
            scaled = (values - self.center[column.name]) / self.spread[column.name]
            made.append(np.where(missing, 0.0, scaled)[:, None])
            if column.has_missing:
                made.append(missing[:, None])
        return np.hstack(made, dtype=np.float64) if made else np.zeros((len(coded), 0))

    def _held(self) -> list[ModeledColumn]:
        wanted = set(self.columns)
        return [column for column in self.schema.modeled if column.name in wanted]


def numbers(frame: "pd.DataFrame", column: ModeledColumn) -> Rows:
    """Return numbers, or days, inside the declared limits; NaN where there is none."""
    held = frame[column.name]
    if isinstance(column, DateColumn):
        values, states = cells.days(held, layout=column.format, codes=column.missing_codes)
    else:
        assert isinstance(column, NumericColumn), "levels have codes"
        values, states = cells.numbers(held, codes=column.missing_codes)
    limits = span(column)
    inside = values if limits is None else np.clip(values, *limits)
    return np.where((states == cells.NUMBER) & np.isfinite(inside), inside, np.nan)


def span(column: ModeledColumn) -> tuple[float, float] | None:
    """Return the declared limits of a number, or of a date in days; None where there are none."""
    if isinstance(column, DateColumn) and column.limits is not None:
        return float(column.limits[0].toordinal()), float(column.limits[1].toordinal())
    if isinstance(column, NumericColumn) and column.limits is not None:
        return float(column.limits[0]), float(column.limits[1])
    return None
