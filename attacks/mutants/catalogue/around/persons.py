"""Bugs of whose rows are counted, by somebody who had not seen what the audits look for."""

from dataclasses import replace
from typing import Any

import numpy as np

from attacks.mutants.planting import planted

_CODEC = "dpsynth.encoding.codec"
_LEVELS = f"{_CODEC}:LevelsCodec.encode"
_PREPARE = "dpsynth.sources.frame:prepare"
_SEEN: dict[Any, Any] = {}
_PERSONS = "dpsynth.sources.frame:person_numbers"
_HOLDERS = "dpsynth.encoding.undeclared:Undeclared.holders"


def _rare_merged(original: Any) -> Any:
    def encode(self: Any, series: Any) -> Any:
        found = original(self, series)
        counts = np.bincount(found.codes, minlength=self.size)
        codes = np.where(counts[found.codes] < 5, self.unexpected, found.codes)
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


def _greatest_id(original: Any) -> Any:
    def person_numbers(series: Any) -> Any:
        found = original(series)
        numbers = [int(each) for each in found[1] if each.isdigit()]
        _SEEN["greatest"] = max(numbers, default=0)
        return found

    return person_numbers


def _after_greatest(original: Any) -> Any:
    def series(self: Any) -> Any:
        found = original(self)
        start = _SEEN.get("greatest", 0) + 1
        return found.map(dict(zip(found, map(str, range(start, start + self.rows)), strict=True)))

    return series


PERSONS = (
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
        "ids-go-on",
        "synthetic identifiers go on after the greatest of the rows",
        "post-processing",
        "rows",
        "mst",
        (_PERSONS, _greatest_id),
        ("dpsynth.encoding.identifiers:IdentifierCells.series", _after_greatest),
    ),
)
