"""Text from the command line to exact numbers; every refusal is one sentence."""

import re
from decimal import Decimal, localcontext
from fractions import Fraction

from dpsynth.errors import UsageError

# Bounded on purpose: the exponent of "1e999999999" would be computed digit by digit.
_DECIMAL = re.compile(r"[0-9]{0,40}\.?[0-9]{0,60}([eE][+-]?[0-9]{1,3})?")
_RATIO = re.compile(r"[0-9]{1,60}/[0-9]{1,60}")


def _fraction(text: str) -> Fraction | None:
    stripped = text.strip()
    if not (_DECIMAL.fullmatch(stripped) or _RATIO.fullmatch(stripped)):
        return None
    try:
        return Fraction(stripped)
    except (ValueError, ZeroDivisionError):
        return None


def above_zero(name: str, text: str) -> Fraction:
    """Return ``text`` as an exact number above zero, as in 1, 0.5, 1e-9 or 1/3."""
    value = _fraction(text)
    if value is None or value <= 0:
        raise UsageError(
            f"{name} must be a number above 0, such as 1, 0.5, 1e-9 or 1/3, not {_quote(text)}"
        )
    return value


def between_zero_and_one(name: str, text: str) -> Fraction:
    """Return ``text`` as an exact number strictly between 0 and 1."""
    value = _fraction(text)
    if value is None or not 0 < value < 1:
        raise UsageError(
            f"{name} must be a number strictly between 0 and 1, such as 1e-9, not {_quote(text)}"
        )
    return value


def from_zero_to_one(name: str, text: str) -> Fraction:
    """Return ``text`` as an exact number from 0, where nothing may ever fail, to below 1."""
    value = _fraction(text)
    if value is None or not 0 <= value < 1:
        raise UsageError(
            f"{name} must be a number from 0 to below 1, such as 1e-9, or 0 where every "
            f"mechanism is pure, not {_quote(text)}"
        )
    return value


def share(name: str, text: str) -> Fraction:
    """Return ``text`` as an exact number from 0 up to, but not including, 1."""
    value = _fraction(text)
    if value is None or not 0 <= value < 1:
        raise UsageError(
            f"{name} must be a share of the persons from 0 to below 1, such as 0.1, "
            f"not {_quote(text)}"
        )
    return value


def settings(pairs: list[str] | None) -> dict[str, object]:
    """Return ``NAME=VALUE`` texts as settings: true, false and whole numbers are read as such."""
    found: dict[str, object] = {}
    for pair in pairs or []:
        name, equals, text = pair.partition("=")
        if not (equals and name.isidentifier()):
            raise UsageError(f"--set takes NAME=VALUE, such as target=income, not {_quote(pair)}")
        if name in found:
            raise UsageError(f"--set names {name!r} twice")
        found[name] = _WORDS[text] if text in _WORDS else _whole(text)
    return found


_WORDS = {"true": True, "false": False, "none": None}


def _whole(text: str) -> int | str:
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text


def exact_text(value: Fraction) -> str:
    """Return short text that reads back as ``value``: a decimal where one exists, else p/q."""
    with localcontext() as context:
        context.prec = 80
        decimal = Decimal(value.numerator) / Decimal(value.denominator)
    text = str(decimal).lower()
    return text if Fraction(text) == value else f"{value.numerator}/{value.denominator}"


def _quote(text: str) -> str:
    short = text if len(text) <= 40 else text[:37] + "..."
    return repr(short)
