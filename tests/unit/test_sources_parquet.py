"""One more row of a Parquet file changes no other row, whatever Arrow type its cell has."""

import datetime as dt
import json
import random
import struct
import traceback

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from dpsynth.encoding.codec import codecs
from dpsynth.encoding.table import encode_table
from dpsynth.errors import DataError
from dpsynth.schema import Schema
from dpsynth.sources.files import read_table
from dpsynth.sources.persons import person_numbers

COLUMNS = [
    {"name": "level", "kind": "categorical", "values": ["7", "a", "é", "2001-02-03", "b"]},
    {"name": "number", "kind": "categorical", "values": [0, 1, 7, 2.5], "nullable": True},
    {"name": "rolled", "kind": "categorical", "codes": "ICD-10"},
    {"name": "flag", "kind": "boolean", "nullable": True},
    {"name": "whole", "kind": "integer", "bounds": [-5, 90], "nullable": True},
    {"name": "real", "kind": "continuous"},
    {"name": "day", "kind": "date", "bounds": ["2000-01-01", "2003-12-31"], "nullable": True},
    {"name": "born", "kind": "date", "bounds": ["2000-01-01", "2003-12-31"], "format": "%Y%m%d"},
]
SCHEMA = Schema.from_dict({"columns": COLUMNS})
NAMES = [column["name"] for column in COLUMNS]


def of_bytes(cells, kind):
    """An array of text or bytes that nobody has checked to be UTF-8."""
    wide = kind in (pa.large_string(), pa.large_binary())
    offsets = np.cumsum([0, *(len(cell or b"") for cell in cells)]).astype("i8" if wide else "i4")
    nulls = pa.array([cell is not None for cell in cells]).buffers()[1]
    data = pa.py_buffer(b"".join(cell or b"" for cell in cells))
    buffers = [nulls, pa.py_buffer(offsets.tobytes()), data]
    return pa.Array.from_buffers(kind, len(cells), buffers)


def of_words(cells, kind):
    """An array of 32- or 64-bit words taken as days or times."""
    store = pa.int32() if kind in (pa.date32(), pa.time32("s")) else pa.int64()
    return pa.array(cells, store).view(kind)


def of_values(cells, kind):
    return pa.array(cells, kind)


def of_dictionary(cells, kind):
    return pa.DictionaryArray.from_arrays(
        pa.array([None if cell is None else place for place, cell in enumerate(cells)], pa.int32()),
        of_bytes([cell or b"" for cell in cells], kind.value_type),
    )


TEXTS = [b"a", b"7", "é".encode(), b" a ", None, b"", b"2001-02-03", b"20010203", b"A01.1", b"1e3"]
ODD_TEXTS = [
    b"\xff",
    b"a\xff",
    b"a\0",
    b"x" * 1001,
    "é".encode() * 600,
    b"\xed\xa0\x80",
    None,
    b"7.0",
]
SMALL, NEAR = [0, 1, 7, None, 90], [11_356, 11_357, 12_000, None]
ENDS_32, ENDS_64 = (
    [2**31 - 1, -(2**31), 10**7],
    [2**62, -(2**62), 2**63 - 1, -(2**63), -(2**63) + 1],
)
SECONDS = [day * 86_400 + 79_200 for day in NEAR if day is not None]
TIMES = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}

CASES = {
    **{
        str(kind): (of_bytes, kind, TEXTS, ODD_TEXTS)
        for kind in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())
    },
    "fixed": (of_values, pa.binary(1), [b"a", b"7", None], [b"\xff", b"\0", b" "]),
    "dictionary": (of_dictionary, pa.dictionary(pa.int32(), pa.string()), TEXTS, ODD_TEXTS),
    **{
        str(kind): (of_values, kind, SMALL, [2**top - 1, -(2**top) if signed else 0, None])
        for kind, top, signed in (
            (pa.int8(), 7, True),
            (pa.int16(), 15, True),
            (pa.int32(), 31, True),
            (pa.int64(), 63, True),
            (pa.uint8(), 8, False),
            (pa.uint64(), 64, False),
        )
    },
    "long": (of_values, pa.int64(), [2**60, 2**60 + 1, 2**60 + 2], [None, 2**60 + 3]),
    "bool": (of_values, pa.bool_(), [True, False], [None, True]),
    **{
        str(kind): (of_values, kind, [0.0, 2.5, 7.0, None], [np.nan, np.inf, -0.0, 6e4, None])
        for kind in (pa.float32(), pa.float64())
    },
    "decimal": (
        of_values,
        pa.decimal128(38, 2),
        [*SMALL, 2**60, 2**60 + 1],
        [None, 2**60 + 2, 10**35, -(10**35)],
    ),
    "decimal256": (of_values, pa.decimal256(60, 0), [10**50, 10**50 + 1], [10**50 + 2, None]),
    "date32": (of_words, pa.date32(), NEAR, [*ENDS_32, None]),
    "date64": (
        of_words,
        pa.date64(),
        [None if day is None else day * 86_400_000 for day in NEAR],
        [10**7 * 86_400_000, -(10**7) * 86_400_000, None],
    ),
    **{
        f"timestamp {unit} {zone}": (
            of_words,
            pa.timestamp(unit, zone),
            [*(second * scale for second in SECONDS), None],
            # Parquet stores seconds as milliseconds, so these reach less far.
            [None, *(end // (1024 if unit == "s" else 1) for end in ENDS_64)],
        )
        for unit, scale in TIMES.items()
        for zone in (None, "UTC", "Europe/Berlin", "+05:30")
    },
    "time32": (of_words, pa.time32("s"), [0, 3600, None], [86_400, -1]),
    "time64": (of_words, pa.time64("us"), [0, 3600 * 10**6, None], ENDS_64),
    "duration": (of_words, pa.duration("s"), [0, 1, None], ENDS_64),
    "null": (of_values, pa.null(), [None, None], [None]),
    "list": (of_values, pa.list_(pa.int64()), [[1], [], None], [[None], [2**62] * 99]),
    "struct": (of_values, pa.struct([("a", pa.int64())]), [{"a": 1}, None], [{"a": None}]),
    "map": (of_values, pa.map_(pa.string(), pa.int64()), [[("a", 1)], None], [[]]),
    "nested": (of_values, pa.list_(pa.date32()), [[1], None], [None]),
}


def read(path, column):
    # The writer must not convert anything either, so that a hostile cell arrives as it is.
    parquet.write_table(pa.table(dict.fromkeys(NAMES, column)), path, store_schema=True)
    return read_table(path, SCHEMA)


@pytest.mark.parametrize("case", CASES)
def test_one_more_row_changes_no_other(tmp_path, case):
    build, kind, plain, hostile = CASES[case]
    rng = random.Random(case)
    rows = [*plain, *rng.choices(plain, k=12)]
    frame = read(tmp_path / "few.parquet", build(rows, kind))
    before = encode_table(frame, SCHEMA)
    persons, ids = person_numbers(frame[NAMES[0]])
    owners = [ids[number] if number >= 0 else None for number in persons]
    for extra in hostile:
        place = rng.randrange(len(rows) + 1)
        longer = [*rows[:place], extra, *rows[place:]]
        more = read(tmp_path / "more.parquet", build(longer, kind))
        after = encode_table(more, SCHEMA)
        assert np.delete(after.content, place, axis=0).tolist() == before.content.tolist()
        for name in NAMES:
            assert np.delete(after.codes[name], place).tolist() == before.codes[name].tolist()
        found, names = person_numbers(more[NAMES[0]])
        others = np.delete(found, place)
        assert [names[number] if number >= 0 else None for number in others] == owners


@pytest.mark.parametrize("case", CASES)
def test_a_column_that_arrow_holds_reads_as_its_file_does(tmp_path, case):
    build, kind, plain, hostile = CASES[case]
    column = build([*plain, *hostile], kind)
    from_file = encode_table(read(tmp_path / "t.parquet", column), SCHEMA)
    held = pd.Series(column, dtype=pd.ArrowDtype(column.type))
    in_memory = encode_table(pd.DataFrame(dict.fromkeys(NAMES, held)), SCHEMA)
    assert in_memory.content.tolist() == from_file.content.tolist()


def test_days_are_local_and_far_ones_move_to_the_nearer_bound(tmp_path):
    seconds = [983_397_600, 983_397_599, 2**50, -(2**50), None]  # 2001-02-28 22:00 in UTC
    column = of_words(
        [None if s is None else s * 1000 for s in seconds], pa.timestamp("ms", "+02:00")
    )
    frame = read(tmp_path / "t.parquet", column)
    found = codecs(SCHEMA)["day"].encode(frame["day"]).content
    days = (found[:2] - np.uint64(2**61)).tolist()
    assert days == [dt.date(2001, 3, 1).toordinal(), dt.date(2001, 2, 28).toordinal()]
    codes = codecs(SCHEMA)["day"].encode(frame["day"]).codes.tolist()
    last = codecs(SCHEMA)["day"].size - 1  # the missing level
    assert codes[2:] == [last - 1, 0, last]


def test_decimal_ids_that_a_float_cannot_tell_apart_are_two_persons(tmp_path):
    ids = [12345678901234567890, 12345678901234567891, None]
    frame = read(tmp_path / "t.parquet", pa.array(ids, pa.decimal128(20, 0)))
    numbers, names = person_numbers(frame["level"])
    assert numbers.tolist() == [0, 1, -1]
    assert names == [b"12345678901234567890", b"12345678901234567891"]


def test_a_date_is_its_day_as_in_csv(tmp_path):
    frame = read(tmp_path / "t.parquet", of_words([11_356], pa.date32()))
    assert codecs(SCHEMA)["level"].encode(frame["level"]).codes.tolist() == [3]


@pytest.mark.parametrize("damage", ["footer", "start", "end"])
def test_a_damaged_file_is_refused_without_a_value(tmp_path, damage):
    path = tmp_path / "t.parquet"
    read(path, pa.array(["SECRET"] * 500))
    content = path.read_bytes()
    size = struct.unpack("<I", content[-8:-4])[0]
    damaged = {
        "footer": content[: -8 - size // 2] + content[-8:],
        "start": content[:4] + b"SECRET" * 20 + content[124:],
        "end": content[:-4],
    }
    path.write_bytes(damaged[damage])
    with pytest.raises(DataError, match="damaged or cut off") as caught:
        read_table(path, SCHEMA)
    assert caught.value.__cause__ is None
    assert "SECRET" not in "".join(traceback.format_exception(caught.value))
    assert "SECRET" not in json.dumps(caught.value.args)
