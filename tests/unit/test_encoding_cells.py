import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from dpsynth.encoding.cells import UNREADABLE, days, distinct, numbers, text_of

BERLIN = "Europe/Berlin"
FAR = np.datetime64(2**62, "us")


NAIVE = dt.datetime(2020, 1, 2)  # noqa: DTZ001
TENTH = Decimal(float("0.1"))  # not quite 0.1
AHEAD = dt.timezone(dt.timedelta(hours=1))
CASES = [
    (bytearray(b" a "), "a"),
    (memoryview(b"a"), "a"),
    (memoryview(b"abcd")[::2], "ac"),
    (b"\xff", UNREADABLE),
    (bytearray(b""), None),
    ("é" * 1000, "é" * 1000),
    (("é" * 1000).encode(), "é" * 1000),
    (bytearray(b"x" * 1001), UNREADABLE),
    (Decimal(12345678901234567891), "12345678901234567891"),
    (Decimal("7.00"), "7"),
    (Decimal("-1E+30"), "-1" + "0" * 30),
    (Decimal("-0.0"), "0"),
    (Decimal("0.10"), "0.1"),
    (TENTH, str(TENTH)),
    (Decimal("1E-7"), "1e-07"),
    (Decimal("12345678901234567890.5"), "12345678901234567890.5"),
    (Decimal("0.0012345678901234567891"), "0.0012345678901234567891"),
    (Decimal("-1.50e5000"), "-15e4999"),
    (Decimal("1e-5000"), "1e-5000"),
    (Decimal("Infinity"), "inf"),
    (Decimal("NaN"), None),
    (Decimal("sNaN"), None),
    (Decimal("9" * 1001), UNREADABLE),
    (10**999, "1" + "0" * 999),
    (10**1000, UNREADABLE),
    (10**6000, UNREADABLE),
    (np.longdouble(7), "7"),
    (np.longdouble(2) ** 62 + 1, str(2**62 + 1)),
    (np.longdouble("inf"), "inf"),
    (np.longdouble("nan"), None),
    (np.longdouble("1e-4000"), UNREADABLE),
    (dt.date(2020, 1, 2), "2020-01-02"),
    (NAIVE, "2020-01-02"),
    (NAIVE.replace(hour=3, microsecond=500), "2020-01-02T03:00:00.000500"),
    (pd.Timestamp("2020-01-02 03:04:05.000000007"), "2020-01-02T03:04:05.000000007"),
    (np.datetime64("2020-01-02T03"), "2020-01-02T03:00:00"),
    (np.datetime64("2020-01-02", "ns"), "2020-01-02"),
    (pd.Timestamp("2020-01-02", tz=BERLIN), "2020-01-01T23:00:00+00:00"),
    (NAIVE.replace(tzinfo=AHEAD), "2020-01-01T23:00:00+00:00"),
    (dt.datetime(1, 1, 1, tzinfo=AHEAD), "0000-12-31T23:00:00+00:00"),
    (FAR, "148108-07-06T14:00:27.387904"),
    (pd.Timestamp(FAR), "148108-07-06T14:00:27.387904"),
    (pd.Timestamp(FAR, tz="UTC"), "148108-07-06T14:00:27.387904+00:00"),
    (pd.NaT, None),
    (dt.time(1), UNREADABLE),
    ([1], UNREADABLE),
]


@pytest.mark.parametrize(("cell", "text"), CASES, ids=range(len(CASES)))  # some have no str()
def test_the_text_of_a_cell(cell, text):
    assert text_of(cell) == text


def test_a_released_view_is_unreadable():
    view = memoryview(b"a")
    view.release()
    assert text_of(view) == UNREADABLE


def test_decimals_that_differ_have_texts_that_differ():
    near = [
        TENTH,
        Decimal("0.1"),
        Decimal(2) ** -30,
        Decimal("9.313225746154785e-10"),
    ]
    near += [Decimal(2**53) + step for step in range(4)] + [Decimal("1e400"), Decimal("1.1e400")]
    assert len({text_of(cell) for cell in near}) == len(set(near))


@pytest.mark.parametrize("dtype", ["string", pa.string(), pa.large_string()])
def test_text_that_is_not_utf_8_in_a_column_of_text(dtype):
    offsets = pa.array([0, 1, 2], pa.int32()).buffers()[1]
    broken = pa.StringArray.from_buffers(2, offsets, pa.py_buffer(b"\xffa"))
    if dtype == "string":
        series = pd.Series(pd.StringDtype("pyarrow").__from_arrow__(broken))
    else:
        series = pd.Series(pd.arrays.ArrowExtensionArray(broken.cast(dtype)))
    found = distinct(series)
    assert [text_of(found.cells[place]) for place in found.index] == [UNREADABLE, "a"]


STAMPS = [
    "2020-07-01T21:59:59",
    "2020-07-01T22:00:00",
    "2020-12-31T23:30:00",
    "NaT",
    "0001-01-01T00:00:00",
    "9999-12-31T23:59:59",
]


@pytest.mark.parametrize("zone", [None, "UTC", BERLIN, "America/New_York"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_days_and_texts_are_the_same_from_a_typed_column_and_from_objects(unit, zone):
    edge = 10**14 if unit == "ns" else 0  # pandas has no local time for the last nanoseconds
    near = STAMPS[:4] if unit == "ns" else STAMPS
    stamps = [*near, -(2**63) + 1 + edge, 2**63 - 1 - edge, 2**62]
    series = pd.Series(
        [np.datetime64(stamp, unit) for stamp in stamps], dtype=f"datetime64[{unit}]"
    )
    if zone is None:
        cells = [pd.Timestamp(stamp) for stamp in series.to_numpy()]
    else:
        series = series.dt.tz_localize("UTC").dt.tz_convert(zone)
        cells = []
        for stamp in series.dt.tz_convert(None).to_numpy():
            cell = pd.Timestamp(stamp, tz="UTC")
            try:
                cells.append(cell.tz_convert(zone))
            except (NotImplementedError, OverflowError, ValueError):
                cells.append(cell)
    typed = days(series, layout=None, codes=())
    objects = days(pd.Series(cells, dtype=object), layout=None, codes=())
    assert typed[1].tolist() == objects[1].tolist() == [0, 0, 0, 1] + [0] * (len(stamps) - 4)
    assert typed[0].tolist() == objects[0].tolist()
    july = dt.date(2020, 7, 1).toordinal()
    second = july + 1 if zone == BERLIN else july
    assert typed[0][:2].tolist() == [july, second]
    found = distinct(series)
    texts = [None if place < 0 else text_of(found.cells[place]) for place in found.index]
    assert texts == [text_of(cell) for cell in cells]


@pytest.mark.parametrize("end", [-(2**63) + 1, 2**63 - 1])
def test_the_last_nanoseconds_have_a_day(end):
    column = pd.Series(np.array([end]).view("datetime64[ns]")).dt.tz_localize("UTC")
    values, states = days(column.dt.tz_convert(BERLIN), layout=None, codes=())
    assert states.tolist() == [0]
    first = dt.date(1677, 9, 21) if end < 0 else dt.date(2262, 4, 12)
    assert values.tolist() == [first.toordinal()]


def test_extended_floats_are_read_without_a_warning():
    column = pd.Series(np.array(["1e4000", "-1e4000", "nan", "0.5"], dtype=np.longdouble))
    values, states = numbers(column, codes=())
    assert values.tolist() == [np.inf, -np.inf, 0.0, 0.5]
    assert states.tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize(
    "column",
    [
        ["2020-01-02", "9999-12-31", None],
        ["2020-01-02T10:00", "9999-12-31 00:00:00", None],
        [dt.date(2020, 1, 2), dt.date(9999, 12, 31), None],
        pa.chunked_array([[dt.date(2020, 1, 2), dt.date(9999, 12, 31), None]]).to_pandas(),
        np.array(["2020-01-02", "9999-12-31", "NaT"], dtype="M8[us]"),
    ],
    ids=["text", "times", "days", "arrow", "stamps"],
)
def test_a_day_that_means_missing_is_missing_however_it_is_stored(column):
    values, states = days(pd.Series(column), layout=None, codes=("9999-12-31", "unknown"))
    assert states.tolist() == [0, 1, 1]
    assert values.tolist() == [dt.date(2020, 1, 2).toordinal(), 0.0, 0.0]


def test_a_day_that_means_missing_is_read_by_the_declared_format():
    column = pd.Series([dt.date(2020, 1, 2), dt.date(9999, 12, 31)])
    assert days(column, layout="%d.%m.%Y", codes=("31.12.9999",))[1].tolist() == [0, 1]
    assert days(column, layout=None, codes=("31.12.9999",))[1].tolist() == [0, 0]
