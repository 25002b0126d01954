"""Canonical JSON: one value, one sequence of bytes, so that a digest or signature means one thing.

The rules of RFC 8785: no white space, keys sorted by UTF-16 code unit, numbers as ECMAScript
prints them, UTF-8. Stricter in three places: whole numbers stay within 2^53 (larger ones and exact
fractions travel as text), strings are kept as they are, and reading refuses what two readers could
read differently (a key that occurs twice, NaN, invalid UTF-8).
"""

import json
import math
import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from dpsynth.errors import IntegrityError

LARGEST_WHOLE_NUMBER = 2**53 - 1
LARGEST_DOCUMENT = 64 * 2**20
DEEPEST_NESTING = 64
LONGEST_NUMBER = 4096

_EXACT = re.compile(r"-?[0-9]+(\.[0-9]+|/0*[1-9][0-9]*)?", re.ASCII)


def dumps(value: object) -> bytes:
    """Return the canonical bytes of ``value``.

    Args:
        value: dicts with text keys, lists, tuples, text, booleans, None, whole numbers within
            2^53, finite floats; nothing else.

    Raises:
        TypeError: ``value`` holds something that JSON has no word for.
        ValueError: a number is not finite or too large, or a text is not valid Unicode.
    """
    return _text(value, depth=0).encode("utf-8")


def loads(data: bytes, *, name: str) -> object:
    """Parse strict JSON; every fault is an IntegrityError that names ``name``."""
    if len(data) > LARGEST_DOCUMENT:
        raise IntegrityError(f"{name} is larger than any document that dpsynth writes")
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_without_duplicates,
            parse_constant=_refuse_constant,
            parse_int=_whole,
        )
    except (ValueError, RecursionError):
        # The parser's own message would quote the document; the file's name is enough.
        raise IntegrityError(
            f"{name} is not strict JSON (valid UTF-8, finite numbers, no key twice)"
        ) from None


def read(path: Path, *, name: str | None = None) -> dict[str, object]:
    """Read a canonical JSON object; refuse other JSON and any other spelling of the same value."""
    shown = path.name if name is None else name
    try:
        size = path.lstat().st_size
        if size > LARGEST_DOCUMENT:
            raise IntegrityError(f"{shown} is larger than any document that dpsynth writes")
        data = path.read_bytes()
    except OSError as error:
        raise IntegrityError(f"{shown} cannot be read: {error.strerror}") from None
    value = loads(data, name=shown)
    if not isinstance(value, dict):
        raise IntegrityError(f"{shown} must hold one JSON object")
    try:
        same = dumps(value) == data
    except (TypeError, ValueError):
        same = False
    if not same:
        raise IntegrityError(f"{shown} is not written canonically, so it is not as dpsynth left it")
    return value


def exact_text(value: Fraction | int) -> str:
    """Return an exact number as text: "3/8", or "2" where it is whole."""
    return str(Fraction(value))


def exact_number(text: object, *, name: str) -> Fraction:
    """Read what :func:`exact_text` wrote; ``name`` says where it stood."""
    # A pattern first: Fraction itself reads "1e999999999", and would never come back.
    if isinstance(text, str) and len(text) <= LONGEST_NUMBER and _EXACT.fullmatch(text):
        return Fraction(text)
    raise IntegrityError(f'{name} must be an exact number written as text, as in "3/8"')


def exact_fraction(text: object, *, name: str) -> Fraction:
    """Read the one spelling that :func:`exact_text` writes: lowest terms, no decimal point.

    Raises:
        IntegrityError: it is another spelling of a number ("2/4", "01", "0.5"), or none.
    """
    number = exact_number(text, name=name)
    if str(number) != text:
        raise IntegrityError(f'{name} must be written in lowest terms, as in "3/8" or "2"')
    return number


def _text(value: object, *, depth: int) -> str:
    if depth > DEEPEST_NESTING:
        raise ValueError(f"a document must not nest deeper than {DEEPEST_NESTING} levels")
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int):
        if abs(value) > LARGEST_WHOLE_NUMBER:
            raise ValueError("a whole number above 2^53 must be written as text")
        return str(value)
    if isinstance(value, float):
        return _number(float(value))
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"keys must be text, not {type(key).__name__}")
        names = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        inside = (f"{_string(key)}:{_text(value[key], depth=depth + 1)}" for key in names)
        return "{" + ",".join(inside) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_text(item, depth=depth + 1) for item in value) + "]"
    raise TypeError(f"{type(value).__name__} has no place in canonical JSON")


def _string(value: str) -> str:
    value.encode("utf-8")  # a lone surrogate raises here, as a ValueError
    return json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    """Write a float as ECMAScript's Number.prototype.toString does."""
    if not math.isfinite(value):
        raise ValueError("a number must be finite")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, part = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)
    digits = (whole + part).lstrip("0")
    point -= len(whole + part) - len(digits)
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    power = f"{point - 1:+d}"
    return sign + digits[0] + (f".{digits[1:]}" if digits[1:] else "") + f"e{power}"


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _whole(text: str) -> int | float:
    """Read a number without a point; beyond 2^53 it is a float, as every reader of JSON has it."""
    if len(text) <= len(str(LARGEST_WHOLE_NUMBER)) and abs(int(text)) <= LARGEST_WHOLE_NUMBER:
        return int(text)
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number must be finite")
    return number


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
