"""Arrow columns to pandas: what becomes of a cell depends on the column's type and on that cell.

pyarrow's own conversion raises on a day beyond Python's calendar or on text that is not UTF-8, so
that one person's cell could stop a release or show up in a message.
"""

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np

from dpsynth.encoding.cells import UNREADABLE

if TYPE_CHECKING:
    import pandas as pd

_SECONDS_A_DAY = 86_400
_MILLISECONDS_A_DAY = 1_000 * _SECONDS_A_DAY


def to_series(column: Any) -> "pd.Series[Any]":
    """Return a ``pyarrow.ChunkedArray`` as a pandas series; never raises on what a cell holds.

    Whole numbers and booleans stay so beside nulls, days and times become datetime64, text that
    is not UTF-8 stays bytes. Nested columns and times of the day hold nothing that can be read:
    their cells are ``UNREADABLE`` or null.

    Raises:
        ValueError: a time zone that this machine does not know.
    """
    import pandas as pd
    import pyarrow as pa

    kind, types = column.type, pa.types
    if isinstance(kind, pa.BaseExtensionType):
        stored = [chunk.storage for chunk in column.chunks]
        return to_series(pa.chunked_array(stored, type=kind.storage_type))
    if types.is_dictionary(kind):
        spelled = [chunk.dictionary.take(chunk.indices) for chunk in column.chunks]
        return to_series(pa.chunked_array(spelled, type=kind.value_type))
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return _text(column)
    if types.is_date32(kind):
        return _times(column.cast(pa.int32()), scale=_SECONDS_A_DAY)
    if types.is_date64(kind):
        return _times(column.cast(pa.int64()), divisor=_MILLISECONDS_A_DAY, scale=_SECONDS_A_DAY)
    if types.is_timestamp(kind):
        times = _times(column.cast(pa.int64()), unit=kind.unit)
        if kind.tz is None:
            return times
        zone: dt.tzinfo = pa.lib.string_to_tzinfo(kind.tz)
        zoned: pd.Series[Any] = times.dt.tz_localize("UTC").dt.tz_convert(zone)
        return zoned
    if types.is_integer(kind) or types.is_boolean(kind):
        # Whole numbers with nulls must not become floats, which would merge long ids.
        name = "boolean" if types.is_boolean(kind) else str(kind)
        dtype = pd.api.types.pandas_dtype(name.replace("uint", "UInt").replace("int", "Int"))
        whole: pd.Series[Any] = column.to_pandas(types_mapper=lambda _: dtype)
        return whole
    if types.is_floating(kind) or types.is_decimal(kind) or _is_binary(kind):
        plain: pd.Series[Any] = column.to_pandas()
        return plain
    known = column.is_valid().to_pylist()
    return pd.Series([UNREADABLE if each else None for each in known], dtype="object")


def _is_binary(kind: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    return bool(
        types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind)
    )


def _text(column: Any) -> "pd.Series[Any]":
    import pandas as pd
    import pyarrow as pa

    raw = column.cast(pa.large_binary())
    try:
        text: pd.Series[Any] = raw.cast(pa.large_string()).to_pandas()
    except pa.ArrowInvalid:  # some cell is not UTF-8; the others are read as ever
        return pd.Series([_decoded(cell) for cell in raw.to_pylist()], dtype="object")
    return text


def _decoded(cell: bytes | None) -> str | bytes | None:
    if cell is None:
        return None
    try:
        return cell.decode("utf-8")
    except UnicodeDecodeError:
        return cell


def _times(column: Any, *, unit: str = "s", divisor: int = 1, scale: int = 1) -> "pd.Series[Any]":
    import pandas as pd

    numbers = column.fill_null(0).to_numpy().astype(np.int64) // divisor * scale
    stamps = numbers.view(f"datetime64[{unit}]").copy()
    stamps[column.is_null().to_numpy()] = np.array("NaT", dtype=stamps.dtype)
    return pd.Series(stamps)
