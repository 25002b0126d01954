"""A first draft of a schema from a table. All that is read off the rows is marked ``guessed``.

The draft quotes the rows (values, rounded ranges), so it is the custodian's, like the table. A
person edits it, or confirms it with a reason; until then nothing uses it.
"""

import csv
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpsynth.errors import DataError
from dpsynth.schema.document import Schema

if TYPE_CHECKING:
    import pandas as pd

_MISSING_WORDS = ("?", "NA", "N/A", "n/a", "null", "NULL", ".")
_MOST_LEVELS = 100  # longer lists are no list that a person can read through and adopt
_LONGEST_CODE, _MOST_WORDS = 40, 4  # text beyond that is no code: it may tell of persons
_FEW_NUMBERS = 10  # so few different whole numbers are read as codes
_PERSON = re.compile(r"(patient|person|subject|participant|member)[ _-]?(id|nbr|no|num|number|key)")
_ID = re.compile(r"(^|[ _-])(id|nbr|uuid|guid|key|number)$")


def draft_schema(path: Path | str) -> Schema:
    """Draft a schema from a CSV or Parquet file.

    Raises:
        DataError: the file cannot be read as a table.
    """
    path = Path(path)
    frame = _read(path)
    columns = [_read_column(path, name, frame[name]) for name in frame.columns]
    if not columns:
        raise DataError(f"{path.name!r} has no columns")
    unit: dict[str, Any] = {"kind": "row", "provenance": {"kind": "guessed"}}
    for column in columns:
        spelled = column["name"].lower()
        if _PERSON.search(spelled) and not frame[column["name"]].is_unique:
            column = _shaped(column["name"], "identifier", dtype=_id_type(frame[column["name"]]))
            columns = [column if each["name"] == column["name"] else each for each in columns]
            unit = {
                "kind": "person",
                "column": column["name"],
                "provenance": {"kind": "guessed", "column": "guessed"},
            }
            break
    return Schema.from_dict({"unit": unit, "columns": columns})


def _read(path: Path) -> "pd.DataFrame":
    import pandas as pd
    import pyarrow as pa

    if not path.is_file():
        raise DataError(f"there is no table at {path.name!r}: give a .csv or .parquet file")
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise DataError(f"{path.name!r} must end in .csv or .parquet")
    try:
        if suffix == ".parquet":
            return pd.read_parquet(path, dtype_backend="numpy_nullable").reset_index(drop=True)
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
        if len(set(header)) < len(header):
            raise DataError(f"{path.name!r} has two columns of one name: rename one")
        return pd.read_csv(
            path, dtype=str, keep_default_na=False, na_values=[""], encoding="utf-8-sig"
        )
    except (ValueError, OSError, TypeError, ArithmeticError, pa.ArrowException):
        # The parser's own words quote cells, so they are not passed on.
        raise DataError(
            f"{path.name!r} cannot be read as a table: it is damaged or empty"
        ) from None


def _read_column(path: Path, name: str, series: "pd.Series[Any]") -> dict[str, Any]:
    try:
        return _column(name, series)
    except (UnicodeError, ArithmeticError, NotImplementedError):
        # Their words quote cells, so they are not passed on.
        raise DataError(
            f"column {name!r} of {path.name!r} holds days beyond the year 9999 or text that is "
            "not UTF-8, which a draft cannot describe: declare the column by hand"
        ) from None


def _column(name: str, series: "pd.Series[Any]") -> dict[str, Any]:
    import pandas as pd

    present = series.dropna()
    nullable = len(present) < len(series)
    if pd.api.types.is_bool_dtype(series.dtype):
        return _shaped(name, "boolean", nullable=nullable)
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        days = [present.min().date(), present.max().date()] if len(present) else []
        return _dates(name, days, nullable)
    if pd.api.types.is_numeric_dtype(series.dtype):
        return _numbers(name, [float(value) for value in present], nullable, [])
    texts = [str(value).strip() for value in present]
    codes = [word for word in _MISSING_WORDS if word in texts]
    kept = [text for text in texts if text not in codes]
    if not kept:
        return _shaped(name, "excluded")
    numbers = _all(kept, _number)
    if numbers is not None:
        return _numbers(name, numbers, nullable, codes)
    dates = _all(kept, _day)
    if dates is not None:
        return _dates(name, [min(dates), max(dates)], nullable, codes)
    if {text.lower() for text in kept} <= {"true", "false"}:
        return _shaped(name, "boolean", nullable=nullable, missing_codes=codes)
    levels = sorted(set(kept))
    if len(levels) <= _MOST_LEVELS and len(levels) <= max(len(kept) / 2, 2):
        return _shaped(name, "categorical", values=levels, nullable=nullable, missing_codes=codes)
    if len(levels) > 0.9 * len(kept):
        return _shaped(name, "identifier", dtype="str")
    if all(len(text) <= _LONGEST_CODE and text.count(" ") < _MOST_WORDS for text in levels):
        return _shaped(name, "categorical", open=True, nullable=nullable, missing_codes=codes)
    return _shaped(name, "excluded")


def _all(texts: Sequence[str], parse: Callable[[str], Any]) -> list[Any] | None:
    try:
        return [parse(text) for text in texts]
    except ValueError:
        return None


def _number(text: str) -> float:
    if not re.fullmatch(r"[+-]?[0-9.]+([eE][+-]?[0-9]+)?", text) or re.match(r"0[0-9]", text):
        raise ValueError  # a leading zero marks a code, not a quantity
    return float(text)


def _day(text: str) -> Any:
    import datetime as dt

    return dt.date.fromisoformat(text) if len(text) == 10 else _number("no day")


def _numbers(name: str, values: list[float], nullable: bool, codes: list[str]) -> dict[str, Any]:
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return _shaped(name, "excluded")
    shared: dict[str, Any] = {"nullable": nullable, "missing_codes": codes}
    whole = all(value.is_integer() and abs(value) < 2**53 for value in finite)
    different = sorted(set(finite))
    if whole and len(different) == len(finite) > 20 and _ID.search(name.lower()):
        return _shaped(name, "identifier", dtype="int64")
    if whole and len(different) <= _FEW_NUMBERS:
        return _shaped(name, "categorical", values=[int(value) for value in different], **shared)
    low, high = _outward(different[0], math.floor), _outward(different[-1], math.ceil)
    if whole:
        return _shaped(name, "integer", bounds=[int(low), int(high)], **shared)
    return _shaped(name, "continuous", bounds=[low, high], **shared)


def _outward(value: float, toward: Callable[[float], int]) -> float:
    """Round to two digits, away from the other values, so that the extreme itself is not kept."""
    if value == 0 or abs(value) >= 2**52:
        return value
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    return float(f"{toward(value / step) * step:.6g}")


def _dates(name: str, days: list[Any], nullable: bool, codes: Sequence[str] = ()) -> dict[str, Any]:
    if not days:
        return _shaped(name, "excluded")
    first, last = days[0].replace(month=1, day=1), days[1].replace(month=12, day=31)
    bounds = [first.isoformat(), last.isoformat()]
    return _shaped(name, "date", bounds=bounds, nullable=nullable, missing_codes=list(codes))


def _id_type(series: "pd.Series[Any]") -> str:
    import pandas as pd

    return "int64" if pd.api.types.is_integer_dtype(series.dtype) else "str"


def _shaped(name: str, kind: str, **facts: Any) -> dict[str, Any]:
    stated = {field: value for field, value in facts.items() if value != []}
    guesses = dict.fromkeys(["kind", *stated], "guessed")
    return {"name": name, "kind": kind, **stated, "provenance": guesses}
