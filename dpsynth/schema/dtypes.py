"""Which pandas dtype a decoded column has; names only, so that the schema needs no pandas."""

from typing import Literal

from dpsynth.schema.values import is_number

Dtype = Literal[
    "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64",
    "float64", "bool", "boolean", "str", "datetime64",
]  # fmt: skip

INTEGER_DTYPES = frozenset(
    f"{sign}{stem}{bits}"
    for sign in ("", "u", "U")
    for stem in ("int", "Int")
    for bits in (8, 16, 32, 64)
    if f"{sign}{stem}" in {"int", "Int", "uint", "UInt"}
)
BOOLEAN_DTYPES = frozenset({"bool", "boolean"})


def integer_range(dtype: str) -> tuple[int, int]:
    """Return the least and the greatest whole number that an integer dtype holds."""
    bits = int(dtype.lower().removeprefix("u").removeprefix("int"))
    if dtype.lower().startswith("u"):
        return 0, 2**bits - 1
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def holds(dtype: str, value: bool | int | float | str) -> bool:
    """Tell whether a column of ``dtype`` can hold ``value`` beside its own values."""
    if dtype == "str":
        return True
    if dtype in INTEGER_DTYPES:
        low, high = integer_range(dtype)
        return is_number(value) and float(value).is_integer() and low <= value <= high
    if dtype == "float64":
        return is_number(value)
    return dtype in BOOLEAN_DTYPES and isinstance(value, bool)


def with_nulls(dtype: str) -> str:
    """Return the dtype that holds what ``dtype`` holds and nulls."""
    if dtype == "bool":
        return "boolean"
    if dtype in INTEGER_DTYPES:
        return dtype.replace("uint", "UInt").replace("int", "Int") if dtype.islower() else dtype
    return dtype
