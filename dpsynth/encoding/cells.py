"""Raw cells, whatever they are: the same text or number from CSV, Parquet or a frame. Total.

What becomes of a cell depends on that cell alone, never on its fellows in the column: else one
person's cell would move the rows of all others, and no noise is scaled to that.
"""

import datetime as dt
import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.encoding import stamps
from dpsynth.schema.values import MAX_TEXT, key

if TYPE_CHECKING:
    import pandas as pd

# Stands for a cell that no declared value can equal: too long, or of a type with no text form.
UNREADABLE = "\0"

NUMBER, MISSING, UNPARSABLE = 0, 1, 2

_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_INFINITE = {"inf": math.inf, "infinity": math.inf}
_WHOLE_WITH_POINT = re.compile(r"([+-]?[0-9]+)\.0*", re.ASCII)
_MAX_BITS = 4 * MAX_TEXT


@dataclass(frozen=True, kw_only=True)
class Distinct:
    """Cells as a list of distinct ones (at least: fewer repeats) and where each row finds its own.

    Attributes:
        cells: Python objects.
        index: shape ``(rows,)``, int64, position in ``cells``; -1 for a null.
    """

    cells: list[Any]
    index: NDArray[np.int64]

    def spread(self, values: NDArray[Any], null: Any) -> NDArray[Any]:
        """Return ``values`` (one a distinct cell) by row, and ``null`` where the cell is null."""
        extended = np.append(values, np.asarray([null], dtype=values.dtype))
        found: NDArray[Any] = extended[self.index]
        return found


def distinct(series: "pd.Series[Any]") -> Distinct:
    """Factorize a column once, so that slow work is done once a distinct cell."""
    import pandas as pd

    series = _plain(series)
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        levels = distinct(pd.Series(series.cat.categories))
        index = np.append(levels.index, -1)[np.asarray(series.cat.codes, dtype=np.int64)]
        return Distinct(cells=levels.cells, index=index)
    if _is_numeric(series):
        if isinstance(dtype, np.dtype) and dtype.itemsize > 8:
            return _by_hand(list(series.to_numpy()))  # hashing would round to 64 bits
        factors, uniques = pd.factorize(series)
        return Distinct(cells=uniques.tolist(), index=np.asarray(factors, dtype=np.int64))
    if isinstance(dtype, np.dtype) and dtype.kind in "mM":
        return _by_hand(list(series.to_numpy()))
    if isinstance(dtype, pd.DatetimeTZDtype):
        # All zones write the same text. UTC is the one that knows every year.
        return _by_hand(list(series.dt.tz_convert("UTC")))
    if isinstance(dtype, pd.StringDtype):
        return _text_column(series)
    return _by_hand(series.tolist())


def _plain(series: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return a column that arrow holds as the file reader would have read it."""
    import pandas as pd
    import pyarrow as pa

    if not isinstance(series.dtype, pd.ArrowDtype):
        return series
    from dpsynth.encoding.arrow import to_series

    return to_series(pa.chunked_array(pa.array(series)))


def _text_column(series: "pd.Series[Any]") -> Distinct:
    """Factorize a column of pandas' text type, fast; the same cells as by hand."""
    import pyarrow as pa

    try:
        held = pa.array(series, type=pa.large_string(), from_pandas=True)
        if isinstance(held, pa.ChunkedArray):
            held = held.combine_chunks()
        encoded = held.dictionary_encode()
    except (pa.ArrowException, TypeError, ValueError):  # lone surrogates
        return _by_hand(series.tolist())
    try:
        cells = encoded.dictionary.to_pylist()
    except UnicodeDecodeError:
        cells = encoded.dictionary.cast(pa.large_binary()).to_pylist()
    index = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return Distinct(cells=cells, index=index.astype(np.int64))


def _by_hand(column: list[Any]) -> Distinct:
    # Only plain text and bytes are found by their hash: foreign objects could fail or lie there
    # (a signaling NaN, 1 == True), and pandas' own tables cut text at a NUL.
    known: dict[type, dict[Any, int]] = {str: {}, bytes: {}}
    cells: list[Any] = []
    index = np.empty(len(column), dtype=np.int64)
    for row, cell in enumerate(column):
        if cell is None:
            index[row] = -1
            continue
        places = known.get(type(cell))
        place = len(cells) if places is None else places.setdefault(cell, len(cells))
        if place == len(cells):
            cells.append(cell)
        index[row] = place
    return Distinct(cells=cells, index=index)


def _is_numeric(series: "pd.Series[Any]") -> bool:
    import pandas as pd

    if isinstance(series.dtype, np.dtype):
        return series.dtype.kind in "iufb"
    types = pd.api.types
    return bool(
        types.is_integer_dtype(series.dtype)
        or types.is_float_dtype(series.dtype)
        or types.is_bool_dtype(series.dtype)
    )


def text_of(cell: object) -> str | None:
    """Return the text form of a cell, None where it is null, or ``UNREADABLE``."""
    if isinstance(cell, bytes | bytearray | memoryview):
        try:
            cell = bytes(cell).decode("utf-8")
        except ValueError:  # not UTF-8, or a view that was released
            return UNREADABLE
    if isinstance(cell, str):
        if len(cell) > MAX_TEXT:
            return UNREADABLE
        return cell.strip() or None
    if _is_null(cell):
        return None
    text = _text_of_value(cell)
    return UNREADABLE if text is None or len(text) > MAX_TEXT else text


def _text_of_value(cell: object) -> str | None:
    """Write a cell that is no text and no null; equal texts only for equal values."""
    if isinstance(cell, bool | np.bool_):
        return str(bool(cell))
    if isinstance(cell, int | np.integer):
        return str(int(cell)) if int(cell).bit_length() <= _MAX_BITS else None
    if isinstance(cell, dt.date | np.datetime64):
        return stamps.text(cell)
    if isinstance(cell, np.longdouble) and float(cell) != cell:
        over, under = cell.as_integer_ratio()  # finite, for an infinity equals its float
        exponent = under.bit_length() - 1
        if max(over.bit_length(), exponent) > _MAX_BITS:
            return None
        digits = Decimal(over * 5**exponent).as_tuple()
        return _text_of_decimal(Decimal((digits.sign, digits.digits, -exponent)))
    if isinstance(cell, Decimal):
        return _text_of_decimal(cell)
    number = _number_of_object(cell)
    return None if number is None else key(number)


def _text_of_decimal(value: Decimal) -> str | None:
    """Write a decimal as the float of exactly the same digits, or else in its own digits."""
    if not value.is_finite():
        return key(float(value))
    sign, digits, exponent = value.as_tuple()
    whole = "".join(map(str, digits)).lstrip("0")
    bare = whole.rstrip("0")
    if not bare:
        return "0"
    exponent = int(exponent) + len(whole) - len(bare)
    minus = "-" if sign else ""
    if 0 <= exponent <= MAX_TEXT:
        return f"{minus}{bare}{'0' * exponent}"
    short = key(float(value))
    if Decimal(short) == value:
        return short
    if -MAX_TEXT <= exponent < 0:
        padded = bare.rjust(1 - exponent, "0")
        return f"{minus}{padded[:exponent]}.{padded[exponent:]}"
    return f"{minus}{bare}e{exponent}"


def as_whole_text(text: str) -> str | None:
    """Return "7" for "7.0", as a table that once held nulls writes it; None for other text."""
    found = _WHOLE_WITH_POINT.fullmatch(text)
    return None if found is None else str(int(found[1])) if len(text) < 100 else found[1]


def number_of_text(text: str) -> float | None:
    """Parse plain decimal notation and the word for infinity; None for anything else."""
    if _DECIMAL.fullmatch(text):
        return float(text)
    word = text.lower()
    magnitude = _INFINITE.get(word.lstrip("+-"))
    if magnitude is None or word.count("-") + word.count("+") > 1:
        return None
    return -magnitude if word.startswith("-") else magnitude


def _is_null(cell: object) -> bool:
    import pandas as pd

    if cell is None or cell is pd.NA or cell is pd.NaT:
        return True
    if isinstance(cell, float | np.floating):
        return bool(np.isnan(cell))
    if isinstance(cell, np.datetime64 | np.timedelta64):
        return bool(np.isnat(cell))
    return isinstance(cell, Decimal) and cell.is_nan()


def _number_of_object(cell: object) -> float | None:
    """Return a cell that is not text as a float; None if it is no number. Nulls excluded."""
    if isinstance(cell, bool | int | float | np.bool_ | np.integer | np.floating | Decimal):
        try:
            return float(cell)
        except OverflowError:
            return math.inf if cell > 0 else -math.inf
    return None


def numbers(
    series: "pd.Series[Any]", *, codes: tuple[bool | int | float | str, ...]
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Parse a column as numbers.

    Args:
        series: any cells.
        codes: the missing codes, numbers or text.

    Returns:
        Values, float64, 0 where there is none; and for each row NUMBER, MISSING or UNPARSABLE.
    """
    series = _plain(series)
    if _is_numeric(series):
        with np.errstate(all="ignore"):  # an extended float may be beyond the range of a double
            values = series.to_numpy(dtype=np.float64, na_value=np.nan)
        states = np.isnan(values).astype(np.uint8)  # MISSING is 1
        values = np.where(states == NUMBER, values, 0.0)
    else:
        found = distinct(series)
        texts = {key(code) for code in codes}
        parsed = [_parse(cell, texts) for cell in found.cells]
        values = found.spread(np.array([value for value, _ in parsed], dtype=np.float64), 0.0)
        states = found.spread(np.array([state for _, state in parsed], dtype=np.uint8), MISSING)
    for code in codes:
        number = number_of_text(key(code))
        if number is not None:
            states[(values == number) & (states == NUMBER)] = MISSING
    values = np.where(states == NUMBER, values, 0.0) + 0.0  # adding zero makes -0.0 plain zero
    return values, states


def _parse(cell: object, codes: set[str]) -> tuple[float, int]:
    if isinstance(cell, str | bytes | bytearray | memoryview):
        text = text_of(cell)
        if text is None or text in codes:
            return 0.0, MISSING
        number = number_of_text(text)
    elif _is_null(cell):
        return 0.0, MISSING
    else:
        number = _number_of_object(cell)
    return (0.0, UNPARSABLE) if number is None else (number, NUMBER)


def days(
    series: "pd.Series[Any]", *, layout: str | None, codes: tuple[bool | int | float | str, ...]
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Parse a column as days, counted as ``datetime.date.toordinal`` does; see ``numbers``."""
    import pandas as pd

    series = _plain(series)
    dtype = series.dtype
    if isinstance(dtype, pd.DatetimeTZDtype) or (isinstance(dtype, np.dtype) and dtype.kind == "M"):
        values, nulls = stamps.days(series)
        states = nulls.astype(np.uint8)  # MISSING is 1
    else:
        found = distinct(series)
        texts = {key(code) for code in codes}
        parsed = [_parse_day(cell, layout, texts) for cell in found.cells]
        values = found.spread(np.array([value for value, _ in parsed], dtype=np.float64), 0.0)
        states = found.spread(np.array([s for _, s in parsed], dtype=np.uint8), MISSING)
    listed = np.isin(values, days_of_codes(codes, layout=layout)) & (states == NUMBER)
    return np.where(listed, 0.0, values), np.where(listed, np.uint8(MISSING), states)


def days_of_codes(
    codes: tuple[bool | int | float | str, ...], *, layout: str | None
) -> list[float]:
    """Return the days that codes for "missing" name, however a table spells or stores these."""
    parsed = [_parse_day(key(code), layout, set()) for code in codes]
    return [day for day, state in parsed if state == NUMBER]


def _parse_day(cell: object, layout: str | None, codes: set[str]) -> tuple[float, int]:
    if _is_null(cell):
        return 0.0, MISSING
    if isinstance(cell, dt.date | np.datetime64):
        return stamps.day(cell), NUMBER
    text = text_of(cell)
    if text is None or text in codes:
        return 0.0, MISSING
    try:
        if layout is not None:
            # A declared layout may hold a time of day or a zone; the day as written is kept.
            day = dt.datetime.strptime(text, layout).date()  # noqa: DTZ007
        elif len(text) == 10 or (len(text) > 10 and text[10] in "T "):
            day = dt.date.fromisoformat(text[:10])
        else:
            return 0.0, UNPARSABLE
    except (ValueError, OverflowError):
        return 0.0, UNPARSABLE
    return float(day.toordinal()), NUMBER
