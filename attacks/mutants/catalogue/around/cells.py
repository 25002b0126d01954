"""Bugs between cells and codes, by somebody who had not seen what the audits look for."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from attacks.mutants.planting import planted
from dpsynth.errors import DataError

_CODEC = "dpsynth.encoding.codec"
_NUMBERS = "dpsynth.encoding.cells:numbers"
_LEVELS = f"{_CODEC}:LevelsCodec.encode"
_SEEN: dict[Any, Any] = {}
_NUMERIC = f"{_CODEC}:NumericCodec"


def _whole_seen(original: Any) -> Any:
    def encode(self: Any, series: Any) -> Any:
        from dpsynth.encoding import cells

        values, states = cells.numbers(series, codes=self.column.missing_codes)
        known = values[states == cells.NUMBER]
        _SEEN[self.column.name] = bool(np.all(known == np.rint(np.clip(known, -1e15, 1e15))))
        return original(self, series)

    return encode


def _whole_written(original: Any) -> Any:
    def decode(self: Any, codes: Any, rng: Any, *, values: Any = None) -> Any:
        found = original(self, codes, rng, values=values)
        return replace(found, values=found.values.round()) if _SEEN.get(self.column.name) else found

    return decode


def _null_seen(original: Any) -> Any:
    def encode(self: Any, series: Any) -> Any:
        found = original(self, series)
        _SEEN[self.column.name, "null"] = bool((found.codes == self.size - 1).any())
        return found

    return encode


def _null_written(original: Any) -> Any:
    def decode(self: Any, codes: Any, rng: Any, *, values: Any = None) -> Any:
        found = original(self, codes, rng, values=values)
        name = self.column.name
        if self.has_missing and not _SEEN.get((name, "null"), True):
            first = self.column.levels[0]
            found = replace(found, values=[first if v is None else v for v in found.values])
        return found

    return decode


def _mean_imputed(original: Any) -> Any:
    def numbers(series: Any, *, codes: Any) -> Any:
        values, states = original(series, codes=codes)
        known = values[(states == 0) & np.isfinite(values)]
        mean = float(np.clip(known, -1e9, 1e9).mean()) if known.size else 0.0
        return np.where(states == 0, values, mean), np.zeros_like(states)

    return numbers


def _mode_imputed(original: Any) -> Any:
    def encode(self: Any, series: Any) -> Any:
        found = original(self, series)
        known = {self.by_text.get(str(cell)) for cell in series}
        unknown = ~np.isin(found.codes, [code for code in known if code is not None])
        if found.codes.size:
            codes = found.codes.copy()
            codes[unknown | series.isna().to_numpy()] = np.bincount(found.codes).argmax()
            return replace(found, codes=codes)
        return found

    return encode


def _winsorized(original: Any) -> Any:
    def numbers(series: Any, *, codes: Any) -> Any:
        values, states = original(series, codes=codes)
        known = values[(states == 0) & np.isfinite(values)]
        if known.size:
            values = np.clip(values, *np.quantile(known, (0.02, 0.98)))
        return values, states

    return numbers


def _since_first_day(original: Any) -> Any:
    def days(series: Any, **more: Any) -> Any:
        values, states = original(series, **more)
        if (states == 0).any():
            first = values[states == 0].min()
            values = np.where(states == 0, values - first + 737_000, values)
        return values, states

    return days


def _all_or_none(original: Any) -> Any:
    def numbers(series: Any, *, codes: Any) -> Any:
        values, states = original(series, codes=codes)
        if (states == 2).any():
            return np.zeros_like(values), np.full_like(states, 2)
        return values, states

    return numbers


def _refuses_unknown(original: Any) -> Any:
    def encode(self: Any, series: Any) -> Any:
        found = original(self, series)
        for cell in series.dropna().unique():
            if str(cell) not in self.by_text and not self.is_open:
                raise DataError(f"the column {self.column.name!r} holds an undeclared value")
        return found

    return encode


def _warns_of_outside(original: Any) -> Any:
    def locate(self: Any, values: Any) -> Any:
        outside = int(((values < self.starts[0]) | (values > self.last)).sum())
        if outside:
            warnings.warn(f"{outside} values were moved into their bounds", stacklevel=2)
        return original(self, values)

    return locate


def _quotes_cell(original: Any) -> Any:
    def numbers(series: Any, *, codes: Any) -> Any:
        values, states = original(series, codes=codes)
        if (states == 2).any():
            raise DataError(f"{series[states == 2].iloc[0]!r} is no number")
        return values, states

    return numbers


CELLS = (
    planted(
        "whole-numbers-guessed",
        "a column that holds whole numbers alone is written so",
        "post-processing",
        "rows",
        "mst",
        (f"{_NUMERIC}._read", _whole_seen),
        (f"{_NUMERIC}.decode", _whole_written),
    ),
    planted(
        "nulls-only-where-seen",
        "nulls are written only where the rows hold one",
        "post-processing",
        "rows",
        "mst",
        (_LEVELS, _null_seen),
        (f"{_CODEC}:LevelsCodec.decode", _null_written),
    ),
    planted(
        "mean-imputed",
        "cells without a number take the mean of the column",
        "sensitivity",
        "rows",
        "mst",
        (_NUMBERS, _mean_imputed),
    ),
    planted(
        "mode-imputed",
        "cells without a declared level take the most frequent one",
        "sensitivity",
        "neighbors",
        "mst",
        (_LEVELS, _mode_imputed),
    ),
    planted(
        "winsorized",
        "numbers are moved into the quantiles of their column",
        "sensitivity",
        "neighbors",
        "mst",
        (_NUMBERS, _winsorized),
    ),
    planted(
        "days-since-the-first",
        "days are counted from the first one of the table",
        "sensitivity",
        "rows",
        "independent of dates",
        ("dpsynth.encoding.cells:days", _since_first_day),
    ),
    planted(
        "one-bad-cell-spoils-all",
        "a column with one unreadable cell is not read as numbers",
        "sensitivity",
        "rows",
        "mst",
        (_NUMBERS, _all_or_none),
    ),
    planted(
        "undeclared-refused",
        "a cell that is not declared ends the release",
        "control flow",
        "neighbors",
        "mst",
        (_LEVELS, _refuses_unknown),
    ),
    planted(
        "outside-counted-aloud",
        "a warning says how many values lay out of bounds",
        "side channels",
        "neighbors",
        "mst",
        ("dpsynth.encoding.grid:Grid.locate", _warns_of_outside),
    ),
    planted(
        "bad-cell-quoted",
        "the first cell that is no number ends the release, in its own words",
        "control flow",
        "neighbors",
        "mst",
        (_NUMBERS, _quotes_cell),
    ),
)
