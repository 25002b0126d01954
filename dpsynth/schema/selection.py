"""Part of what a column can hold, as people write it: values, ranges, the missing level."""

import datetime as dt
import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches

from dpsynth.schema.columns import (
    BooleanColumn,
    ContinuousColumn,
    DateColumn,
    LevelsColumn,
    ModeledColumn,
    NumericColumn,
)
from dpsynth.schema.values import is_number, key

Interval = tuple[float, float]

_FLAGS = {"true": "True", "yes": "True", "false": "False", "no": "False"}
# A boolean column takes what its cells may hold.
_SHORT = {"t": "True", "y": "True", "1": "True", "f": "False", "n": "False", "0": "False"}
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Some of the values of one column.

    Attributes:
        levels: places in the column's list of levels; false and true are 0 and 1.
        intervals: of numbers, or of days counted as ``datetime.date.toordinal`` does; both ends
            belong to it.
        missing: whether the missing level does.
    """

    levels: frozenset[int] = frozenset()
    intervals: tuple[Interval, ...] = ()
    missing: bool = False

    def joined(self, other: "Selection") -> "Selection":
        """Return what is in either."""
        return Selection(
            levels=self.levels | other.levels,
            intervals=(*self.intervals, *other.intervals),
            missing=self.missing or other.missing,
        )


def select(column: ModeledColumn, wanted: object) -> Selection:
    """Return the part of ``column`` that is one value, or None for the missing level.

    Raises:
        ValueError: the column has no such value; the message is a sentence about the column.
    """
    if wanted is None:
        return missing_of(column)
    if isinstance(wanted, dt.datetime):
        wanted = wanted.date()
    if isinstance(wanted, dt.date):
        wanted = wanted.isoformat()
    if not isinstance(wanted, bool | int | float | str):
        raise ValueError(f"column {column.name!r} takes a value, not {_quoted(wanted)}")
    text = key(wanted)
    if text in {key(code) for code in column.missing_codes}:
        return missing_of(column)
    if isinstance(column, LevelsColumn | BooleanColumn):
        return Selection(levels=frozenset({_level(column, text)}))
    value = _number(column, wanted)
    decimals = column.decimals if isinstance(column, ContinuousColumn) else None
    if decimals is None:
        return between(column, value, value)
    if round(value, decimals) != value:
        raise ValueError(f"column {column.name!r} is written with fewer digits than {value:g} has")
    half = 10.0**-decimals / 2  # all that is written as this value
    return between(column, value - half, value + half)


def select_any(column: ModeledColumn, wanted: Iterable[object]) -> Selection:
    """Return the part of ``column`` that is any of these values."""
    found = Selection()
    for each in wanted:
        found = found.joined(select(column, each))
    return found


def select_range(column: ModeledColumn, least: object, most: object) -> Selection:
    """Return the part of a numeric or date column from ``least`` to ``most``, None for no end.

    Raises:
        ValueError: the column has no order of numbers or days, or nothing lies in the range.
    """
    if isinstance(column, LevelsColumn | BooleanColumn):
        raise ValueError(f"column {column.name!r} has levels and takes values, not a range")
    low = -math.inf if least is None else _number(column, least)
    high = math.inf if most is None else _number(column, most)
    if low > high:
        raise ValueError(f"the range of column {column.name!r} ends before it starts")
    return between(column, low, high)


def missing_of(column: ModeledColumn) -> Selection:
    """Return the missing level of ``column``."""
    if not column.has_missing:
        raise ValueError(f"column {column.name!r} has no missing level: it is not nullable")
    return Selection(missing=True)


def limits_of(column: ModeledColumn) -> Interval:
    """Return the declared range of a numeric or date column, infinite where none is declared."""
    limits = column.limits if isinstance(column, NumericColumn | DateColumn) else None
    if limits is None:
        return -math.inf, math.inf
    low, high = (
        float(each.toordinal()) if isinstance(each, dt.date) else float(each) for each in limits
    )
    return low, high


def between(column: ModeledColumn, low: float, high: float) -> Selection:
    """Return the part of a range that lies within the declared bounds."""
    first, last = limits_of(column)
    if high < first or low > last:
        raise ValueError(f"nothing asked of column {column.name!r} lies within its bounds")
    low, high = max(low, first), min(high, last)
    if not isinstance(column, ContinuousColumn):
        low = math.ceil(low) if math.isfinite(low) else low
        high = math.floor(high) if math.isfinite(high) else high
        if low > high:
            raise ValueError(f"column {column.name!r} holds whole numbers, and none lies there")
    return Selection(intervals=((float(low), float(high)),))


def near(name: str, known: Iterable[str]) -> str:
    """Return the end of an error: the nearest known names, or the first ones."""
    listed = list(known)
    close = get_close_matches(name, listed, n=_SHOWN, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(map(repr, close))}?"
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return f"there are {', '.join(map(repr, listed[:_SHOWN]))}{more}"


def _level(column: LevelsColumn | BooleanColumn, text: str) -> int:
    if isinstance(column, BooleanColumn):
        levels: tuple[bool | int | float | str, ...] = (False, True)
        text = _SHORT.get(text.lower(), text)
    else:
        levels = column.levels
    places = {key(level): place for place, level in enumerate(levels)}
    if text in places:
        return places[text]
    if all(isinstance(level, bool) for level in levels):
        text = _FLAGS.get(text.lower(), text)
    elif all(is_number(level) for level in levels):
        text = _respelled(text)
    if text not in places:
        raise UnknownValueError(
            f"column {column.name!r} has no value {_quoted(text)}: {near(text, places)}"
        )
    return places[text]


def _respelled(text: str) -> str:
    try:
        return key(float(text))
    except (ValueError, OverflowError):
        return text


def _number(column: ModeledColumn, wanted: object) -> float:
    """Return a number, or a day as a number."""
    if isinstance(column, DateColumn):
        return float(_day(column, wanted).toordinal())
    if isinstance(wanted, str):
        with suppress(ValueError):
            wanted = float(wanted)
    if not is_number(wanted) or not math.isfinite(wanted):
        raise ValueError(f"column {column.name!r} takes a number, not {_quoted(wanted)}")
    return float(wanted)


def _day(column: DateColumn, wanted: object) -> dt.date:
    if isinstance(wanted, dt.datetime):
        return wanted.date()
    if isinstance(wanted, dt.date):
        return wanted
    if isinstance(wanted, str):
        text = wanted.strip()
        with suppress(ValueError):
            return dt.date.fromisoformat(text)
        with suppress(ValueError):
            if column.format is not None:
                return dt.datetime.strptime(text, column.format).date()  # noqa: DTZ007
    raise ValueError(
        f"column {column.name!r} takes a date such as 2024-01-31, not {_quoted(wanted)}"
    )


def _quoted(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= 40 else text[:37] + "...")


class UnknownValueError(ValueError):
    """A value that a column does not have; the message names near ones."""
