"""Decoded values in the dtype that the schema declares."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.schema.dtypes import BOOLEAN_DTYPES, INTEGER_DTYPES
from dpsynth.schema.values import key

if TYPE_CHECKING:
    import pandas as pd

Value = bool | int | float | str | None


def text(value: Value) -> str | None:
    """Return a value as a text column writes it."""
    return value if isinstance(value, str) or value is None else key(value)


def levels(values: Sequence[Value], codes: NDArray[Any], dtype: str) -> "pd.Series[Any]":
    """Return ``values[codes]``; None among the values is a null."""
    import pandas as pd

    if dtype == "str":
        return texts([text(value) for value in values], codes)
    if dtype == "datetime64":
        days = ["NaT" if value is None else str(value) for value in values]
        return pd.Series(np.array(days, dtype="datetime64[s]")[codes])
    null = np.array([value is None for value in values], dtype=np.bool_)
    if dtype in BOOLEAN_DTYPES:
        flags = np.array([bool(value) for value in values], dtype=np.bool_)[codes]
        if dtype == "bool":
            return pd.Series(flags)
        return pd.Series(pd.arrays.BooleanArray(flags, null[codes]))
    if dtype in INTEGER_DTYPES:
        wide = np.array([int(value or 0) for value in values], dtype=_numpy_integer(dtype))
        return integers(wide[codes], null[codes], dtype)
    floats = np.array([np.nan if value is None else float(value) for value in values])
    return pd.Series(floats[codes])


def numbers(
    values: NDArray[np.float64], missing: NDArray[np.bool_], code: Value, dtype: str, *, whole: bool
) -> "pd.Series[Any]":
    """Return ``values``, with ``code`` (or a null) where ``missing``."""
    import pandas as pd

    if dtype == "str":
        numerals: list[str | None] = (
            [str(value) for value in values.astype(np.int64).tolist()]
            if whole
            else [repr(value) for value in values.tolist()]
        )
        absent = text(code)
        shown = [absent if gone else each for each, gone in zip(numerals, missing, strict=True)]
        return texts(shown)
    if dtype in INTEGER_DTYPES:
        filled = np.where(missing, 0 if code is None else float(code), values)
        null = missing if code is None else np.zeros_like(missing)
        return integers(filled.astype(_numpy_integer(dtype)), null, dtype)
    return pd.Series(np.where(missing, np.nan if code is None else float(code), values))


def _numpy_integer(dtype: str) -> str:
    return dtype.lower()


def integers(values: NDArray[Any], null: NDArray[np.bool_], dtype: str) -> "pd.Series[Any]":
    """Return whole numbers in an integer dtype; nulls need one that is capitalized."""
    import pandas as pd

    fitted = values.astype(_numpy_integer(dtype), copy=False)
    if dtype.islower():
        return pd.Series(fitted)
    return pd.Series(pd.arrays.IntegerArray(fitted, null.copy()))


def texts(values: Sequence[str | None], codes: NDArray[Any] | None = None) -> "pd.Series[Any]":
    """Return text, or ``values[codes]``; None is a null."""
    import pandas as pd

    if int(pd.__version__.partition(".")[0]) < 3:
        held = np.array([*values, None], dtype=object)[:-1]
        return pd.Series(held if codes is None else held[codes], dtype=object)
    import pyarrow as pa

    array = pa.array(values, type=pa.large_string())
    if codes is not None:
        array = array.take(pa.array(codes.astype(np.int64)))
    return pd.Series(pd.array(array, dtype="str"))
