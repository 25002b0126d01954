"""Checks at construction; the keyword is the name in the message."""

from collections.abc import Iterable
from fractions import Fraction

import numpy as np

from dpsynth.errors import UsageError


def as_fraction(value: Fraction | int | float | str, *, name: str) -> Fraction:
    """Return ``value`` as the exact number that a person wrote.

    A float stands for its shortest decimal form: 1e-9 means one billionth, not the binary
    fraction nearest to it.

    Raises:
        UsageError: it is not a number, or not above 0.
    """
    try:
        exact = Fraction(str(value)) if isinstance(value, float) else Fraction(value)
    except (ValueError, ZeroDivisionError, TypeError) as error:
        raise UsageError(f"{name} must be a number above 0, such as 1 or 1e-9") from error
    if exact <= 0:
        raise UsageError(f"{name} must be above 0")
    return exact


def positive(**values: Fraction | int | float) -> None:
    """Raise ValueError unless every value is above zero."""
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} must be above 0")


def at_most(limit: Fraction | int, **values: Fraction | int) -> None:
    """Raise ValueError if any value is above ``limit``."""
    for name, value in values.items():
        if value > limit:
            raise ValueError(f"{name} must be at most {limit}")


def exact(**values: object) -> None:
    """Raise TypeError unless every value is a Fraction or an int: floats carry rounding."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, Fraction | int):
            raise TypeError(f"{name} must be an exact number (fractions.Fraction or int)")


def flags(**values: object) -> None:
    """Raise TypeError unless every value is True or False: any text would count as True."""
    for name, value in values.items():
        if not isinstance(value, bool):
            raise TypeError(f"{name} must be true or false")


def integral(**values: Fraction | int) -> None:
    """Raise ValueError unless every value is a whole number."""
    for name, value in values.items():
        if value.denominator != 1:
            raise ValueError(f"{name} must be a whole number")


def whole(**values: Iterable[object]) -> None:
    """Raise TypeError unless every sequence holds plain integers."""
    for name, held in values.items():
        if any(isinstance(value, bool) or not isinstance(value, int) for value in held):
            raise TypeError(f"{name} must be whole numbers (int)")


def in_open_unit(**values: Fraction | float) -> None:
    """Raise ValueError unless every value lies strictly between 0 and 1."""
    for name, value in values.items():
        if not 0 < value < 1:
            raise ValueError(f"{name} must lie strictly between 0 and 1")


def counts(**values: object) -> None:
    """Raise unless every value is a one-dimensional int64 array."""
    for name, value in values.items():
        if not isinstance(value, np.ndarray) or value.dtype != np.int64:
            raise TypeError(f"{name} must be an int64 array")
        if value.ndim != 1:
            raise ValueError(f"{name} must be one-dimensional")
