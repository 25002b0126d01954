"""What happens to rows before they are counted, and where random words come from."""

from typing import Any

import numpy as np

from attacks.mutants.base import Mutant
from attacks.mutants.planting import planted

_FRAME = "dpsynth.sources.frame"


def _one_more(original: Any) -> Any:
    def bound_rows(digests: Any, persons: Any, *, max_rows: int) -> Any:
        most = max_rows if persons is None else max_rows + 1
        return original(digests, persons, max_rows=most)

    return bound_rows


def _one_is_all(original: Any) -> Any:
    def bound_rows(digests: Any, persons: Any, *, max_rows: int) -> Any:
        if max_rows == 1:
            return np.ones(digests.shape, dtype=np.bool_)
        return original(digests, persons, max_rows=max_rows)

    return bound_rows


def _nobody_kept(original: Any) -> Any:
    def bound_rows(digests: Any, persons: Any, *, max_rows: int) -> Any:
        kept = original(digests, persons, max_rows=max_rows)
        return kept if persons is None else kept | (persons < 0)

    return bound_rows


def _share_of_all(original: Any) -> Any:
    """Keep as many rows of a person as the average person has."""

    def bound_rows(digests: Any, persons: Any, *, max_rows: int) -> Any:
        if persons is not None and persons.size:
            held = np.bincount(persons[persons >= 0])
            mean = int(np.ceil(held[held > 0].mean())) if held.any() else 1
            max_rows = min(max_rows, mean)
        return original(digests, persons, max_rows=max_rows)

    return bound_rows


def _without_person(original: Any) -> Any:
    def content_digests(content: Any, *, key: bytes) -> Any:
        return original(content[:, 1:], key=key)

    return content_digests


def _as_written(original: Any) -> Any:
    del original

    def person_numbers(series: Any) -> Any:
        numbered: dict[str, int] = {}
        each = [
            -1
            if cell is None or cell != cell or cell == ""
            else numbered.setdefault(repr(cell), len(numbered))
            for cell in series.tolist()
        ]
        return np.array(each, dtype=np.int64), [text.encode() for text in numbered]

    return person_numbers


def _spoiled(original: Any) -> Any:
    def numbers(series: Any, *, codes: Any) -> Any:
        values, states = original(series, codes=codes)
        if (states == 2).any():
            states = np.full_like(states, 2)
        return values, states

    return numbers


def _winsorized(original: Any) -> Any:
    def encode(self: Any, series: Any) -> Any:
        import pandas as pd

        # As objects: a category takes no other number, and a nullable type no fraction.
        plain = series.astype(object)
        numbers = pd.to_numeric(plain, errors="coerce").astype(float)
        held = numbers[np.isfinite(numbers)]
        if held.size > 3:
            low, high = held.quantile([0.1, 0.9])
            series = plain.where(numbers.isna(), numbers.clip(low, high))
        return original(self, series)

    return encode


def _rows_not_units(original: Any) -> Any:
    def holders(self: Any, units: Any) -> Any:
        return original(self, np.arange(self.index.size) + 0 * units)

    return holders


def _rare_is_other(original: Any) -> Any:
    """Levels that a single row holds are coded as the first level."""

    def encode(self: Any, series: Any) -> Any:
        found = original(self, series)
        counts = np.bincount(found.codes, minlength=self.size)
        found.codes[counts[found.codes] == 1] = 0
        return found

    return encode


def _deduplicated(original: Any) -> Any:
    """Rows that stand twice are kept once."""

    def bound_rows(digests: Any, persons: Any, *, max_rows: int) -> Any:
        kept = original(digests, persons, max_rows=max_rows)
        if persons is None or not digests.size:
            return kept
        order = np.argsort(digests, kind="stable")
        kept[order[: digests.size // 50]] = False
        return kept

    return bound_rows


_BOUND = f"{_FRAME}:bound_rows"


_SENSITIVE, _SEE = "sensitivity", "neighbors"


UNLISTED_ROWS: tuple[Mutant, ...] = (
    planted(
        "one-row-more-a-person",
        "A person keeps max_rows + 1 rows.",
        _SENSITIVE,
        _SEE,
        "mst",
        (_BOUND, _one_more),
    ),
    planted(
        "one-row-a-person-is-not-bounded",
        "Where max_rows is 1, nothing is bounded.",
        _SENSITIVE,
        _SEE,
        "mst of one row a person",
        (_BOUND, _one_is_all),
    ),
    planted(
        "rows-of-nobody-kept",
        "Rows without a person id are all counted.",
        _SENSITIVE,
        _SEE,
        "mst",
        (_BOUND, _nobody_kept),
    ),
    planted(
        "bounded-by-the-average",
        "A person keeps no more rows than persons have on average.",
        _SENSITIVE,
        _SEE,
        "mst",
        (_BOUND, _share_of_all),
    ),
    planted(
        "copies-numbered-over-persons",
        "Copies are numbered over all persons: a new person's rows change which rows others keep.",
        _SENSITIVE,
        _SEE,
        "mst",
        (f"{_FRAME}:content_digests", _without_person),
    ),
    planted(
        "ids-as-written",
        "7, 7.0 and '7' are three persons, each with max_rows rows.",
        _SENSITIVE,
        _SEE,
        "mst",
        (f"{_FRAME}:person_numbers", _as_written),
    ),
    planted(
        "least-digests-dropped",
        "The fiftieth of all rows with least digests is left out.",
        _SENSITIVE,
        _SEE,
        "mst",
        (_BOUND, _deduplicated),
    ),
    planted(
        "odd-cell-spoils-its-column",
        "One cell that is no number makes all others missing.",
        _SENSITIVE,
        "rows",
        "mst",
        ("dpsynth.encoding.cells:numbers", _spoiled),
    ),
    planted(
        "columns-winsorized",
        "Numbers are moved between the column's own quantiles.",
        _SENSITIVE,
        _SEE,
        "mst",
        ("dpsynth.encoding.codec:NumericCodec._read", _winsorized),
    ),
    planted(
        "levels-of-one-row-recoded",
        "A level that one row alone holds is coded as the first.",
        _SENSITIVE,
        _SEE,
        "mst",
        ("dpsynth.encoding.codec:LevelsCodec.encode", _rare_is_other),
    ),
    planted(
        "holders-are-rows",
        "Open values are counted by row, not by person.",
        _SENSITIVE,
        _SEE,
        "mst of open columns",
        ("dpsynth.encoding.undeclared:Undeclared.holders", _rows_not_units),
    ),
)
