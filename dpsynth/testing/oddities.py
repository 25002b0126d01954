"""Cells that users' files hold and that no schema expects."""

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

from dpsynth.schema.columns import BooleanColumn, DateColumn, NumericColumn

if TYPE_CHECKING:
    from dpsynth.schema.columns import ModeledColumn

_LONG = "x" * 3_000
_ZONE = dt.timezone(dt.timedelta(hours=5))
_NUMBERS: tuple[object, ...] = (
    float("inf"),
    1e300,
    -1e300,
    "no number",
    float("nan"),
    float("-inf"),
    "",
    5e-324,
    " 7 ",
    True,
    3.7,
    2**70,
    "1,5",
    "1e3",
    np.float32(0.1),
    "٣",  # a digit of another script
)
_TEXTS: tuple[object, ...] = (
    "never declared before",
    "",
    "9999-12-31",
    _LONG,
    " ",
    "nan",
    "None",
    0,
    1.0,
    True,
    'a,"b"\nc',
    "=1+1",
    "\N{GRINNING FACE}",
    "e\N{COMBINING ACUTE ACCENT}",
    float("inf"),
    dt.datetime(2020, 2, 29, 12, tzinfo=_ZONE),
)
_DAYS: tuple[object, ...] = (
    "9999-12-31",
    "never",
    "",
    "2020-02-30",
    dt.datetime(2020, 2, 29, 23, tzinfo=_ZONE),
    "2020-01-01T23:00:00+05:00",
    dt.date(1, 1, 1),
    dt.datetime.max.replace(tzinfo=dt.UTC),
    "31/12/2019",
    0,
    1e18,
    float("nan"),
    np.datetime64("2200-01-01"),
    np.datetime64("NaT"),
    True,
    _LONG,
)
_ANSWERS: tuple[object, ...] = (
    "yes",
    2,
    "TRUE",
    1.0,
    -1,
    "",
    "0",
    " true ",
    float("nan"),
    "no",
    np.True_,
    "t",
    1e300,
    _LONG,
    "False",
    dt.date(2020, 1, 1),
)
KINDS = 16  # of cells, for every kind of column
# In turn with the last ones: texts that look like a declared one and are another.
_LOOK_ALIKES = (
    lambda text: f"{text} ",
    str.swapcase,
    lambda text: f"\N{ZERO WIDTH SPACE}{text}",
    lambda text: text[:-1] + "\N{FULLWIDTH LATIN SMALL LETTER A}",
)


def odd_cell(column: "ModeledColumn", number: int) -> object:
    """Return odd cell ``number`` of a column, in turn where there are fewer."""
    kind = number % KINDS
    if isinstance(column, NumericColumn):
        return _NUMBERS[kind]
    if isinstance(column, DateColumn):
        return _DAYS[kind]
    if isinstance(column, BooleanColumn):
        return _ANSWERS[kind]
    declared = [str(each) for each in getattr(column, "values", None) or ()]
    if declared and kind in (4, 6, 10, 11):
        return _LOOK_ALIKES[(4, 6, 10, 11).index(kind)](declared[0])
    return _TEXTS[kind]
