"""Numbers and names as a reader should see them; every rounding is against the claim.

A name from a schema is hostile until shown: control characters and marks that turn the writing
direction are spelled out, so that no column can rewrite the sentence around it.
"""

import unicodedata
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from math import isfinite
from typing import Any

_DIRECTION_MARKS = frozenset(
    {0x061C, 0x200B, 0x200E, 0x200F, 0xFEFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
)
_SPELLED_OUT = frozenset({"Cc", "Cs", "Zl", "Zp", "Co", "Cn"})
_PERCENT = "\N{NO-BREAK SPACE}%"
_MINUS = "\N{MINUS SIGN}"
_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def clean(value: object) -> str:
    """Return ``value`` as one line of text in which nothing acts and nothing hides."""
    shown = []
    for letter in str(value):
        hidden = unicodedata.category(letter) in _SPELLED_OUT or ord(letter) in _DIRECTION_MARKS
        shown.append(f"\\u{{{ord(letter):x}}}" if hidden else letter)
    return "".join(shown)


def shorten(text: str, letters: int) -> str:
    """Return ``text`` in at most ``letters`` characters, with an ellipsis where it was cut."""
    return text if len(text) <= letters else text[: max(letters - 1, 0)].rstrip() + "…"


def exact(value: object) -> Fraction | None:
    """Read a number as files of a release write it ("p/q", "1.0", 1), or None for none."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, float | int | Fraction):
        try:
            return Fraction(value)
        except (ValueError, OverflowError):
            return None
    try:
        return Fraction(str(value))
    except (ValueError, ZeroDivisionError):
        return None


def _decimal(value: Fraction, digits: int, rounding: str) -> Decimal:
    quotient = Context(prec=digits, rounding=rounding)
    return quotient.divide(Decimal(value.numerator), Decimal(value.denominator))


def number(value: object, *, digits: int = 4, up: bool = True) -> str:
    """Show a cost in at most ``digits`` digits, rounded up: never less than was spent."""
    found = exact(value)
    if found is None:
        return "not stated"
    if found == 0:
        return "0"
    shown = _decimal(found, digits, ROUND_CEILING if up else ROUND_FLOOR)
    if not -5 <= shown.adjusted() <= 8:
        return power_of_ten(found, up=up)
    text = f"{shown:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def power_of_ten(value: object, *, up: bool = True) -> str:
    """Show a small number as 10⁻⁹ or 2.5 × 10⁻⁶."""
    found = exact(value)
    if found is None:
        return "not stated"
    if found == 0:
        return "0"
    shown = _decimal(found, 3, ROUND_CEILING if up else ROUND_FLOOR)
    exponent = shown.adjusted()
    lead = f"{shown.scaleb(-exponent):f}"
    lead = lead.rstrip("0").rstrip(".") if "." in lead else lead
    power = "10" + str(exponent).translate(_SUPERSCRIPTS)
    return power if lead == "1" else f"{lead} × {power}"


def one_in(value: object) -> str:
    """Show a small chance as "1 in 1,000,000", rounded so that the chance is not understated."""
    found = exact(value)
    if found is None or found <= 0:
        return "none"
    return f"1 in {int(1 / found):,}" if found < 1 else "certain"


def percent(value: float | Fraction | None, *, digits: int = 1, up: bool = True) -> str:
    """Show a share in percent, rounded up unless told otherwise."""
    if value is None:
        return "not stated"
    found = exact(value)
    if found is None:
        return "not stated"
    step = Decimal(1).scaleb(-digits)
    # Shares that were computed in floats carry errors near 1e-16, which must not move a digit.
    settled = Fraction(round(found * 10**12), 10**12) if isinstance(value, float) else found
    scaled = Decimal(settled.numerator * 100) / Decimal(settled.denominator)
    shown = f"{scaled.quantize(step, rounding=ROUND_CEILING if up else ROUND_FLOOR)}"
    return shown.removesuffix(".0") + _PERCENT


def share(value: float) -> str:
    """Show a share of a table in percent, rounded to nearest."""
    return f"{100 * value:.1f}{_PERCENT}"


def measured(value: object) -> str:
    """Show a measured number in about four digits, and say of what is none that it is."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return "not measured"
    if value and abs(value) < 0.0005:
        return f"{value:.6f}".replace("-", _MINUS)
    digits = 4 if abs(value) < 10 else 2 if abs(value) < 1000 else 0
    return f"{round(value, digits) + 0.0:,.{digits}f}".replace("-", _MINUS)


def plural(count: int, one: str, many: str | None = None) -> str:
    """Return "1 row" or "5 rows"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def humanize(name: object) -> str:
    """Return an identifier as words: "noise/chi_square" reads "noise: chi square"."""
    words = clean(name).replace("/", ": ").replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:]


def listed(items: list[str], *, most: int = 8) -> str:
    """Join names with commas, and say how many more there are."""
    head = ", ".join(items[:most])
    rest = len(items) - most
    return f"{head} and {rest} more" if rest > 0 else head


def mapping(value: Any) -> dict[str, Any]:
    """Return ``value`` if it is a dict, else an empty one: a report shows what it was given."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    """Return ``value`` as a list if it is a list or tuple, else an empty one."""
    return list(value) if isinstance(value, list | tuple) else []
