"""Bugs between a file and its codes, and between codes and a synthetic table."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from attacks.mutants.planting import planted
from dpsynth.errors import DataError

_CODEC = "dpsynth.encoding.codec"
_NUMBERS = "dpsynth.encoding.cells:numbers"
_LEVELS = f"{_CODEC}:LevelsCodec.encode"
_PREPARE = "dpsynth.sources.frame:prepare"
_SEEN: dict[Any, Any] = {}


def _whole_seen(original: Any) -> Any:
    def encode(self: Any, series: Any) -> Any:
        from dpsynth.encoding import cells

        values, states = cells.numbers(series, codes=self._column.missing_codes)
        known = values[states == cells.NUMBER]
        _SEEN[self._column.name] = bool(np.all(known == np.rint(np.clip(known, -1e15, 1e15))))
        return original(self, series)

    return encode


def _whole_written(original: Any) -> Any:
    def decode(self: Any, codes: Any, rng: Any, *, values: Any = None) -> Any:
        found = original(self, codes, rng, values=values)
        return found.round() if _SEEN.get(self._column.name) else found

    return decode


def _null_seen(original: Any) -> Any:
    def encode(self: Any, series: Any) -> Any:
        found = original(self, series)
        _SEEN[self._column.name, "null"] = bool((found.codes == self.size - 1).any())
        return found

    return encode


def _null_written(original: Any) -> Any:
    def decode(self: Any, codes: Any, rng: Any, *, values: Any = None) -> Any:
        found = original(self, codes, rng, values=values)
        name = self._column.name
        if self.has_missing and not _SEEN.get((name, "null"), True):
            found = found.fillna(str(self._column.levels[0]))
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
        known = {self._codes.get(str(cell)) for cell in series}
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


def _rare_merged(original: Any) -> Any:
    def encode(self: Any, series: Any) -> Any:
        found = original(self, series)
        counts = np.bincount(found.codes, minlength=self.size)
        codes = np.where(counts[found.codes] < 5, self._unexpected, found.codes)
        return replace(found, codes=codes.astype(found.codes.dtype))

    return encode


def _lonely_dropped(original: Any) -> Any:
    def holders(self: Any, units: Any) -> Any:
        texts, counts = original(self, units)
        return tuple(t for t, n in zip(texts, counts, strict=True) if n > 1), counts[counts > 1]

    return holders


def _outliers_dropped(original: Any) -> Any:
    def prepare(frame: Any, schema: Any, **more: Any) -> Any:
        from dpsynth.encoding import cells

        keep = np.ones(len(frame), dtype=np.bool_)
        for column in schema.modeled:
            if column.kind == "integer" and len(frame):
                values, states = cells.numbers(frame[column.name], codes=())
                values = np.clip(values, -1e9, 1e9)
                apart = np.abs(values - values.mean())
                keep &= (states != 0) | (apart <= 2 * values.std() + 1e-9)
        return original(frame.loc[keep], schema, **more)

    return prepare


def _tenth_aside(original: Any) -> Any:
    def coin(units: Any, *, share: Any, key: bytes) -> Any:
        from dpsynth.privacy import bounding

        words = bounding.person_digests([int(u).to_bytes(8, "little") for u in units], key=key)
        threshold = np.sort(np.unique(words))
        count = round(float(share) * threshold.size)
        return words < threshold[count] if 0 < count < threshold.size else words < words * 0

    return coin


def _as_spelled(original: Any) -> Any:
    def person_numbers(series: Any) -> Any:
        texts = [None if cell is None or cell != cell else repr(cell) for cell in series.tolist()]
        known: dict[str, int] = {}
        numbers = [-1 if t is None else known.setdefault(t, len(known)) for t in texts]
        return np.array(numbers, dtype=np.int64), [text.encode() for text in known]

    return person_numbers


def _nobody_kept(original: Any) -> Any:
    def bound_rows(digests: Any, persons: Any, *, max_rows: int) -> Any:
        kept = original(digests, persons, max_rows=max_rows)
        return kept if persons is None else kept | (persons < 0)

    return bound_rows


def _nobody_numbered(original: Any) -> Any:
    def person_numbers(series: Any) -> Any:
        numbers, ids = original(series)
        nobody = np.flatnonzero(numbers < 0)
        numbers = numbers.copy()
        numbers[nobody] = len(ids) + np.arange(nobody.size)
        return numbers, [*ids, *(b"row %d" % row for row in nobody.tolist())]

    return person_numbers


def _exact_weights(original: Any) -> Any:
    def learn(self: Any, curator: Any, *more: Any, **named: Any) -> Any:
        found = original(self, curator, *more, **named)
        source = curator._Curator__source
        return {n: replace(c, weights=source.count((n,)) + 1e-9) for n, c in found.items()}

    return learn


def _refuses_unknown(original: Any) -> Any:
    def encode(self: Any, series: Any) -> Any:
        found = original(self, series)
        for cell in series.dropna().unique():
            if str(cell) not in self._codes and not self._open:
                raise DataError(f"the column {self._column.name!r} holds an undeclared value")
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


def _greatest_id(original: Any) -> Any:
    def person_numbers(series: Any) -> Any:
        found = original(series)
        numbers = [int(each) for each in found[1] if each.isdigit()]
        _SEEN["greatest"] = max(numbers, default=0)
        return found

    return person_numbers


def _after_greatest(original: Any) -> Any:
    def generate(column: Any, rows: int) -> Any:
        found = original(column, rows)
        start = _SEEN.get("greatest", 0) + 1
        return found.map(dict(zip(found, map(str, range(start, start + rows)), strict=True)))

    return generate


_PERSONS = "dpsynth.sources.frame:person_numbers"
_NUMERIC = f"{_CODEC}:NumericCodec"
_HOLDERS = "dpsynth.encoding.undeclared:Undeclared.holders"

UNLISTED_ENCODING = (
    planted(
        "whole-numbers-guessed",
        "a column that holds whole numbers alone is written so",
        "post-processing",
        "rows",
        "mst",
        (f"{_NUMERIC}.encode", _whole_seen),
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
        "rare-levels-merged",
        "levels that fewer than five rows hold are merged away",
        "sensitivity",
        "neighbors",
        "mst",
        (_LEVELS, _rare_merged),
    ),
    planted(
        "lonely-values-dropped",
        "values of one holder are left out before the noise",
        "sensitivity",
        "neighbors",
        "mst of open columns",
        (_HOLDERS, _lonely_dropped),
    ),
    planted(
        "outliers-dropped",
        "rows far from the mean of their column are dropped",
        "sensitivity",
        "neighbors",
        "mst",
        (_PREPARE, _outliers_dropped),
    ),
    planted(
        "controls-are-a-tenth",
        "exactly a share of the persons is set aside",
        "sensitivity",
        "rows",
        "independent",
        ("dpsynth.sources.frame:control_coin", _tenth_aside),
    ),
    planted(
        "persons-as-spelled",
        "7 and 7.0 are two persons, who both may bring their rows",
        "sensitivity",
        "rows",
        "mst",
        (_PERSONS, _as_spelled),
    ),
    planted(
        "rows-of-nobody-kept",
        "rows without a person are all kept",
        "sensitivity",
        "rows",
        "mst",
        ("dpsynth.sources.frame:bound_rows", _nobody_kept),
    ),
    planted(
        "rows-of-nobody-numbered",
        "each row without a person is a person of its own",
        "sensitivity",
        "rows",
        "mst",
        (_PERSONS, _nobody_numbered),
    ),
    planted(
        "exact-within-bins",
        "values spread within learnt bins as the exact counts do",
        "charges",
        "neighbors",
        "mst of open columns",
        ("dpsynth.encoding.bins:PrivateBins._learn", _exact_weights),
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
    planted(
        "ids-go-on",
        "synthetic identifiers go on after the greatest of the rows",
        "post-processing",
        "rows",
        "mst",
        (_PERSONS, _greatest_id),
        ("dpsynth.encoding.table:generate", _after_greatest),
    ),
)
