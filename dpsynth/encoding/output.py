"""Decoded values in the dtype that the schema declares."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dpsynth.schema.dtypes import BOOLEAN_DTYPES, INTEGER_DTYPES
from dpsynth.schema.values import key

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Value = bool | int | float | str | None


class Cells(Protocol):
    """The cells of one column, drawn, and not yet in any library's array."""

    def series(self) -> "pd.Series[Any]":
        """Return them as pandas holds them."""
        ...

    def arrow(self) -> "pa.Array":
        """Return them as Arrow holds them: nulls for what is missing, text by its codes."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class LevelCells:
    """``values[codes]``; None among the values is a null."""

    values: Sequence[Value]
    codes: NDArray[Any]
    dtype: str

    def series(self) -> "pd.Series[Any]":
        """See ``Cells``."""
        return levels(self.values, self.codes, self.dtype)

    def arrow(self) -> "pa.Array":
        """See ``Cells``. Text is never spelled out: a dictionary, and an index a row."""
        import pyarrow as pa

        if self.dtype != "str":
            return arrow(self.series())
        spelled = [text(value) for value in self.values]
        null = np.array([each is None for each in spelled], dtype=np.bool_)
        indices = pa.array(self.codes, mask=null[self.codes] if null.any() else None)
        known = pa.array(["" if each is None else each for each in spelled], type=pa.string())
        return pa.DictionaryArray.from_arrays(indices, known)


@dataclass(frozen=True, kw_only=True, eq=False)
class NumberCells:
    """Numbers, with ``code`` (or a null) where ``missing``."""

    values: NDArray[np.float64]
    missing: NDArray[np.bool_]
    code: Value
    dtype: str
    whole: bool

    def series(self) -> "pd.Series[Any]":
        """See ``Cells``."""
        return numbers(self.values, self.missing, self.code, self.dtype, whole=self.whole)

    def arrow(self) -> "pa.Array":
        """See ``Cells``."""
        return arrow(self.series())


def arrow(series: "pd.Series[Any]") -> "pa.Array":
    """Return a column as Arrow holds it, nulls for what is missing."""
    import pyarrow as pa

    found = pa.array(series, from_pandas=True)
    plain = pa.types.is_null(found.type) or pa.types.is_large_string(found.type)
    return found.cast(pa.string()) if plain else found


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
