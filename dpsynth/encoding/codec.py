"""Codecs: one a modeled column, from any cell to a code and from codes back to cells."""

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.encoding import cells, grid, output, rules
from dpsynth.encoding.undeclared import Undeclared, content_words
from dpsynth.schema.columns import (
    BooleanColumn,
    CategoricalColumn,
    DateColumn,
    IntegerColumn,
    LevelsColumn,
    ModeledColumn,
    NumericColumn,
    OrdinalColumn,
)
from dpsynth.schema.values import is_number, key, learnable

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema.document import Schema

NO_CUTS = np.empty(0)

MISSING_LABEL = "(missing)"


def smallest_unsigned(size: int) -> type[np.unsignedinteger[Any]]:
    """Return the narrowest unsigned type that holds the codes 0 to ``size - 1``."""
    for kind in (np.uint8, np.uint16, np.uint32):
        if size <= np.iinfo(kind).max + 1:
            return kind
    return np.uint64


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedColumn:
    """One column in codes.

    Attributes:
        codes: shape ``(rows,)``, the narrowest unsigned type.
        undeclared: of an open column, the values that could be learnt; None of any other.
        content: shape ``(rows,)``, uint64: the cell in canonical form, equal for equal cells
            whatever file they came from, and unequal for cells of unequal codes. A code for
            levels, ``Grid.words`` for numbers and days, the first half of a digest for the text
            of an open column.
        rest: of an open column, the second half; None of any other.
    """

    codes: NDArray[np.unsignedinteger[Any]]
    content: NDArray[np.uint64]
    undeclared: Undeclared | None = None
    rest: NDArray[np.uint64] | None = None


class Codec(Protocol):
    """What every modeled column offers. ``encode`` is total: any cell has a code, silently."""

    @property
    def size(self) -> int:
        """Number of base codes, the missing level included and last."""
        ...

    @property
    def needs_bins(self) -> bool:
        """Whether bins must be learnt: nothing declared says how to cut the range."""
        ...

    @property
    def open_ended(self) -> bool:
        """Whether no bounds are declared, so that most of the grid holds nothing but noise."""
        ...

    @property
    def has_missing(self) -> bool:
        """Whether the last code is the missing level."""
        ...

    def encode(self, series: "pd.Series[Any]") -> EncodedColumn:
        """Map every cell to a code by the declared rules."""
        ...

    @property
    def marks(self) -> NDArray[np.int64]:
        """Base codes at which a bin must start, because a declared rule tells them apart."""
        ...

    def decode(
        self,
        codes: NDArray[Any],
        rng: np.random.Generator,
        *,
        values: NDArray[np.float64] | None = None,
    ) -> output.Cells:
        """Draw a cell for every code, in the declared dtype and range.

        Args:
            codes: base codes.
            rng: of the sampling.
            values: what a number or a day is to be, where it is settled; NaN elsewhere.
        """
        ...

    def labels(self) -> list[str]:
        """Display text for every base code."""
        ...


class LevelsCodec:
    """Categorical, ordinal and boolean: a finite list of levels."""

    needs_bins = False
    open_ended = False
    marks = np.empty(0, dtype=np.int64)

    def __init__(self, column: LevelsColumn | BooleanColumn) -> None:
        self.column = column
        self.has_missing = column.has_missing
        self.rule = column.rule if isinstance(column, CategoricalColumn) else None
        self.is_open = column.learns_values
        self._levels: tuple[bool | int | float | str, ...] = (
            (False, True) if isinstance(column, BooleanColumn) else column.levels
        )
        self.kept = len(self._levels)
        self.by_text = {key(level): code for code, level in enumerate(self._levels)}
        self.flags = all(isinstance(level, bool) for level in self._levels)
        self.numeric = all(is_number(level) for level in self._levels)
        fallback = column.fallback
        if fallback is None:
            # An open list has a level for what is not in it.
            other = self.rule.other.strip() if self.rule is not None else ""
            default = self.kept - 1 if self.is_open else self.by_text.get(other, 0)
        else:
            default = self.by_text[key(fallback)]
        self.unexpected = self.kept if self.has_missing else default
        for code in column.missing_codes:
            self.by_text[key(code)] = self.kept

    @property
    def size(self) -> int:
        """Levels, and the missing one."""
        return self.kept + self.has_missing

    def encode(self, series: "pd.Series[Any]") -> EncodedColumn:
        """Look every distinct cell up once."""
        found = cells.distinct(series)
        kind = smallest_unsigned(self.size)
        each = np.array([self._code(cell) for cell in found.cells], dtype=kind)
        codes = found.spread(each, self.unexpected)
        if not self.is_open:
            return EncodedColumn(codes=codes, content=codes.astype(np.uint64))
        texts = [self._text(cell, code) for cell, code in zip(found.cells, each, strict=True)]
        words = content_words(texts, each)
        return EncodedColumn(
            codes=codes,
            content=found.spread(words[:, 0], self.unexpected),
            undeclared=self._undeclared(texts, each, found),
            rest=found.spread(words[:, 1], 0),
        )

    def _text(self, cell: object, code: int) -> str | None:
        """Return the one spelling of a value of an open column, or None where it is missing."""
        text = cells.text_of(cell)
        if text is None or code >= self.kept:
            return None
        return text if text in self.by_text else self._respelled(text)

    def _undeclared(
        self, texts: list[str | None], each: NDArray[Any], found: cells.Distinct
    ) -> Undeclared:
        other = self.kept - 1
        free = [
            text if code == other and text is not None and text not in self.by_text else None
            for text, code in zip(texts, each.tolist(), strict=True)
        ]
        return Undeclared.of(
            [text if text is not None and learnable(text) else None for text in free],
            found,
            first=other,
        )

    def _code(self, cell: object) -> int:
        text = cells.text_of(cell)
        if text is None:
            return self.unexpected
        code = self.by_text.get(text)
        if code is not None:
            return code
        if self.is_open:
            return self.by_text.get(self._respelled(text), self.kept - 1)
        if self.rule is not None:
            level = self.rule.apply(text) if text != cells.UNREADABLE else self.rule.other
            return self.by_text.get(level, self.by_text.get(self.rule.other, self.unexpected))
        return self.by_text.get(self._respelled(text), self.unexpected)

    def _respelled(self, text: str) -> str:
        if self.flags:
            return FLAGS.get(text.lower(), text)
        if self.numeric:
            number = cells.number_of_text(text)
            return text if number is None else key(number)
        return cells.as_whole_text(text) or text

    def decode(
        self,
        codes: NDArray[Any],
        rng: np.random.Generator,
        *,
        values: NDArray[np.float64] | None = None,
    ) -> output.Cells:
        """Write every level as it was declared."""
        del rng, values  # a level has one spelling
        written: list[output.Value] = list(self._levels)
        if self.has_missing:
            written.append(self.column.missing_value)
        return output.LevelCells(values=written, codes=codes, dtype=self.column.output_dtype)

    def labels(self) -> list[str]:
        """The levels, each with its declared meaning."""
        meanings = {} if isinstance(self.column, BooleanColumn) else self.column.labels
        texts = []
        for level in self._levels:
            name = key(level)
            texts.append(f"{name} ({meanings[name]})" if name in meanings else name)
        return [*texts, MISSING_LABEL] if self.has_missing else texts


FLAGS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1", "1.0"), "True"),
    **dict.fromkeys(("false", "f", "no", "n", "0", "0.0"), "False"),
}


class GridCodec:
    """Shared by numbers and dates: cells of a fixed grid, and a missing level."""

    open_ended = False

    def __init__(self, column: ModeledColumn, cut: grid.Grid, at: NDArray[np.float64]) -> None:
        self.has_missing = column.has_missing
        self.cuts = at
        self.grid = cut = cut.split(at) if at.size else cut
        self.marks = np.flatnonzero(np.isin(cut.starts, at))
        self.needs_bins = column.learns_bins
        self.unexpected = cut.size

    @property
    def size(self) -> int:
        """Cells, and the missing level."""
        return self.grid.size + self.has_missing

    def _read(self, series: "pd.Series[Any]") -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Parse every cell; see ``cells.numbers``."""
        raise NotImplementedError

    def encode(self, series: "pd.Series[Any]") -> EncodedColumn:
        """Parse, move into the range, find the cell."""
        return self._located(*self._read(series))

    def numbers(self, series: "pd.Series[Any]") -> NDArray[np.float64]:
        """Return what the cells hold, moved into the range; NaN where missing or unparsable.

        Days are numbered as ``datetime.date.toordinal`` does.
        """
        values, states = self._read(series)
        held = np.clip(values, self.grid.starts[0], self.grid.last)
        return np.where(states == cells.NUMBER, held, np.nan)

    def _located(self, values: NDArray[np.float64], states: NDArray[np.uint8]) -> EncodedColumn:
        codes = self.grid.locate(values).astype(smallest_unsigned(self.size))
        content = self.grid.words(values, codes)
        codes[states != cells.NUMBER] = self.unexpected
        content[states == cells.MISSING] = grid.MISSING_WORD
        content[states == cells.UNPARSABLE] = grid.UNPARSABLE_WORD
        return EncodedColumn(codes=codes, content=content)

    def _drawn(
        self,
        codes: NDArray[Any],
        rng: np.random.Generator,
        settled: NDArray[np.float64] | None,
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        missing = codes >= self.grid.size
        present = np.where(missing, 0, codes) if missing.any() else codes
        values = self.round(self.grid.draw(present, rng))
        if settled is not None:
            values = np.where(np.isnan(settled), values, settled)
        return values, missing

    def round(
        self, values: NDArray[np.float64], *, within: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Round to the declared digits, but never across a cut of a rule or one of ``within``."""
        del within
        return values


class NumericCodec(GridCodec):
    """Integer and continuous."""

    def __init__(self, column: NumericColumn, at: NDArray[np.float64] = NO_CUTS) -> None:
        whole = isinstance(column, IntegerColumn)
        limits, bins = column.limits, column.bins
        if limits is None:
            cut = grid.powers(whole=whole)
        elif isinstance(bins, tuple):
            cut = grid.from_edges(np.array(bins, dtype=np.float64), whole=whole)
        elif bins is not None:
            cut = grid.equal(float(limits[0]), float(limits[1]), bins, whole=whole)
        else:
            cut = grid.fine(float(limits[0]), float(limits[1]), whole=whole)
        super().__init__(column, cut, at)
        cut = self.grid
        self.open_ended = limits is None
        self.column = column
        self._decimals = getattr(column, "decimals", None)
        if not self.has_missing:
            default = limits[0] if limits is not None else 0
            value = default if column.fallback is None else column.fallback
            self.unexpected = int(cut.locate(np.array([value], dtype=np.float64))[0])

    def _read(self, series: "pd.Series[Any]") -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        return cells.numbers(series, codes=self.column.missing_codes)

    def decode(
        self,
        codes: NDArray[Any],
        rng: np.random.Generator,
        *,
        values: NDArray[np.float64] | None = None,
    ) -> output.Cells:
        """Draw evenly within every cell."""
        drawn, missing = self._drawn(codes, rng, values)
        column = self.column
        return output.NumberCells(
            values=drawn,
            missing=missing,
            code=column.missing_value,
            dtype=column.output_dtype,
            whole=self.grid.whole,
        )

    def round(
        self, values: NDArray[np.float64], *, within: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Round to the declared digits, but never across a cut of a rule or one of ``within``."""
        if self._decimals is None:
            return values
        low, high = self.grid.starts[0], self.grid.last
        rounded = np.clip(np.round(values, self._decimals), low, high)
        cuts = self.cuts if within is None else np.union1d(self.cuts, within)
        if not cuts.size:
            return rounded
        step = np.where(rounded > values, -1, 1) * 10.0**-self._decimals
        other = np.round(rounded + step, self._decimals)
        home = np.searchsorted(cuts, values, side="right")
        for found in (other, rounded):  # the nearer one last, so that it is taken where it may be
            kept = np.searchsorted(cuts, found, side="right") == home
            values = np.where(kept & (found >= low) & (found <= high), found, values)
        return values

    def labels(self) -> list[str]:
        """The cells, as ranges."""
        texts = self.grid.labels()
        return [*texts, MISSING_LABEL] if self.has_missing else texts


class DateCodec(GridCodec):
    """Dates, as whole numbers of days."""

    def __init__(self, column: DateColumn, at: NDArray[np.float64] = NO_CUTS) -> None:
        if column.limits is None:
            raise column.wrong("bounds", "declare the first and the last day that can occur")
        low, high = (float(day.toordinal()) for day in column.limits)
        if isinstance(column.bins, tuple):
            edges = np.array([day.toordinal() for day in column.bins], dtype=np.float64)
            cut = grid.from_edges(edges, whole=True)
        elif column.bins is not None:
            cut = grid.equal(low, high, column.bins, whole=True)
        else:
            cut = grid.fine(low, high, whole=True, skewed=False)
        super().__init__(column, cut, at)
        cut = self.grid
        self.column = column
        if not self.has_missing:
            day = low if column.fallback is None else float(column.fallback.toordinal())
            self.unexpected = int(cut.locate(np.array([day]))[0])

    def _read(self, series: "pd.Series[Any]") -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        codes = self.column.missing_codes
        return cells.days(series, layout=self.column.format, codes=codes)

    def decode(
        self,
        codes: NDArray[Any],
        rng: np.random.Generator,
        *,
        values: NDArray[np.float64] | None = None,
    ) -> output.Cells:
        """Draw a day evenly within every cell."""
        drawn, missing = self._drawn(codes, rng, values)
        days, places = np.unique(drawn.astype(np.int64), return_inverse=True)
        written: list[output.Value] = [self._written(day) for day in days.tolist()]
        written.append(self.column.missing_value)
        places = np.where(missing, len(days), places)
        dtype = self.column.output_dtype
        return output.LevelCells(values=written, codes=places, dtype=dtype)

    def _written(self, ordinal: int) -> str:
        day = dt.date.fromordinal(ordinal)
        if self.column.output_dtype == "str" and self.column.format is not None:
            return day.strftime(self.column.format)
        return day.isoformat()

    def labels(self) -> list[str]:
        """The cells, as days or ranges of days."""
        texts = []
        for low, high in zip(self.grid.starts, self.grid.ends, strict=True):
            first, last = dt.date.fromordinal(int(low)), dt.date.fromordinal(int(high))
            texts.append(f"{first}" if first == last else f"{first} to {last}")
        return [*texts, MISSING_LABEL] if self.has_missing else texts


def codec(column: ModeledColumn, at: NDArray[np.float64] = NO_CUTS) -> Codec:
    """Return the codec of one column, with a cell starting at each of these values."""
    if isinstance(column, NumericColumn):
        return NumericCodec(column, at)
    if isinstance(column, DateColumn):
        return DateCodec(column, at)
    if isinstance(column, LevelsColumn | BooleanColumn):
        return LevelsCodec(column)
    raise TypeError(f"no codec for a column of kind {column.kind!r}")


def codecs(schema: "Schema") -> dict[str, Codec]:
    """Return the codec of every modeled column, in table order; the schema must be closed."""
    schema.require_closed()
    at = rules.cuts(schema)
    return {column.name: codec(column, at.get(column.name, NO_CUTS)) for column in schema.modeled}


def base_domain(schema: "Schema") -> Domain:
    """Return the declared domain: the base codes of every modeled column, and what is forbidden."""
    tools = codecs(schema)
    return Domain(
        sizes={name: each.size for name, each in tools.items()},
        ordered=ordered_columns(schema),
        zeros=rules.zeros(schema, tools),
    )


def ordered_columns(schema: "Schema") -> frozenset[str]:
    """Return the columns whose codes stand in a declared order."""
    kinds = (NumericColumn, DateColumn, OrdinalColumn)
    return frozenset(column.name for column in schema.modeled if isinstance(column, kinds))
