"""Declared scalars and the one text form under which two spellings of a value are the same."""

from typing import TypeGuard

from pydantic import StrictBool, StrictFloat, StrictInt, StrictStr

Number = StrictInt | StrictFloat
Scalar = StrictBool | StrictInt | StrictFloat | StrictStr

# Longer text is never a declared value, so an oversized cell needs no reading.
MAX_TEXT = 1_000
# Nor is text longer than this ever a value that an open column can learn.
MAX_OPEN_TEXT = 100


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell whether ``value`` is a declared number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def key(value: bool | int | float | str) -> str:
    """Return the text under which a declared value is looked up.

    Whole numbers are written without a decimal point, text without white space at its ends, so
    that ``1``, ``1.0`` and ``" 1 "`` are one value whatever file format held them.
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def one_type(values: tuple[bool | int | float | str, ...]) -> bool:
    """Tell whether all values are text, all numbers, or all true/false."""
    if all(isinstance(value, str) for value in values):
        return True
    if all(isinstance(value, bool) for value in values):
        return True
    return all(is_number(value) for value in values)


def learnable(text: str) -> bool:
    """Tell whether an open column can learn ``text``: short, and printable on one line.

    By the text alone, so that no cell decides about another. Control characters, line breaks,
    marks that turn the direction of writing and lone surrogates never come out of a release.
    """
    return 0 < len(text) <= MAX_OPEN_TEXT and text.isprintable()
