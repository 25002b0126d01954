"""An engine's expressions decide cell by cell as numpy's codecs do; DuckDB stands for engines."""

import datetime as dt
import hashlib
import math
from decimal import Decimal
from fractions import Fraction

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sqlglot import exp

from dpsynth.encoding.arrow import to_series
from dpsynth.encoding.table import encode_table
from dpsynth.schema import Schema
from dpsynth.schema.values import learnable
from dpsynth.sources.frame import prepare
from dpsynth.sources.sql.bounding import ASIDE, KEPT, Laws, bounded_query, identity_query
from dpsynth.sources.sql.engine import DuckDB, Kind, UnsupportedCellError
from dpsynth.sources.sql.query import coded_query

ENGINE = DuckDB()
COLUMNS = [
    {"name": "text", "kind": "categorical", "values": ["a", "A", "7", "é"], "nullable": True},
    {"name": "chosen", "kind": "categorical", "values": ["a", "1", "7.0"], "fallback": "1"},
    {"name": "number", "kind": "categorical", "values": [1, 2.5, 99, 0], "missing_codes": [99]},
    {"name": "order", "kind": "ordinal", "values": [0, 1, 2]},
    {"name": "flag", "kind": "boolean", "nullable": True},
    {"name": "flag9", "kind": "boolean", "missing_codes": ["9", "1"]},
    {"name": "icd", "kind": "categorical", "codes": "icd-9-cm", "nullable": True},
    {
        "name": "prefix",
        "kind": "categorical",
        "rollup": {"rule": "prefix", "length": 2, "values": ["a", "20", "x"], "other": "rest"},
    },
    {"name": "open", "kind": "categorical", "open": True, "values": ["a"], "missing_codes": ["99"]},
    {"name": "age", "kind": "integer", "bounds": [0, 9], "nullable": True, "missing_codes": [99]},
    {"name": "count", "kind": "integer", "bounds": [-50, 900], "bins": 9},
    {"name": "dose", "kind": "continuous", "bounds": [0, 9.5], "bins": [0, 1.5, 5.3, 9.5]},
    {"name": "tiny", "kind": "continuous", "bounds": [0, 1e-6], "bins": 4, "nullable": True},
    {"name": "vast", "kind": "continuous", "bounds": [-1, 1e14], "bins": 7, "missing_codes": ["?"]},
    {"name": "day", "kind": "date", "bounds": ["2019-12-01", "2020-12-31"], "nullable": True},
    {
        "name": "any_day",
        "kind": "date",
        "bounds": ["0001-01-01", "9999-12-31"],
        "bins": 5,
        "missing_codes": ["99"],
    },
]
TEXTS = """a A b é é 1 1.0 +1 01 1. -1.0 -0 -0.0 0 1e3 1E400 -1e400 1e-400 inf -INF Infinity
++inf nan None true T yes No FALSE 0.0 5.3 5.2999996 5.2999994 5.300000000000001 99 99.0 2020-01-01
2020-02-30 2020-02-29 1900-02-29 2000-02-29T10:00 2020-01-01x 2020-W01-1 2020-W53-7 2021-W53-1
9999-W52-7 0001-W01-1 0000-01-01 9999-12-31 250.13 250 25 E849 e9 V1 v12.3 ſ12 ı ß1 00.0 1_000 1,5
٣ 3.5 2.5 1.5 0.5 -0.5 1e15 123456789012345678 9007199254740993 1e-7 0.0000005 ' " \\ other Bern 7.0
7 7.00 2e12 3e12 1e19 0x10 1e e5 .5 5. . + - ?""".split()  # noqa: SIM905  # a list of words
ODD = [" a ", "\u00a0a\u2003", "", "  ", "\t", "2020-01-01 x", "a\nb", "a\0b", "\ufeffa", "a\u200b"]
LONG = ["x" * 100, "x" * 101, "x" * 1000, "x" * 1001, " " * 1001, "7" * 100 + ".0", "0" * 120 + "."]
FLOATS = [
    *(
        0.0,
        -0.0,
        1.0,
        2.5,
        99.0,
        math.nan,
        None,
        math.inf,
        -math.inf,
        0.5,
        1.5,
        -0.5,
        5.3,
        5.2999996,
    ),
    *(
        0.49999999999999994,
        1e300,
        5e-324,
        1e-7,
        5e-7,
        2e12,
        -3e12,
        2.0**63,
        4503599627370497.5,
        7.0,
    ),
]
INTS = [0, 1, 2, -1, 7, 99, 250, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), None, 10, 900, 1066]
DECIMALS = [Decimal(each) for each in ("1", "2.50", "99", "0", "-0.01", "5.30", "7.05")]
CELLS = {
    Kind.TEXT: pa.array([*TEXTS, *ODD, *LONG, None]),
    Kind.INTEGER: pa.array(INTS, pa.int64()),
    Kind.BOOLEAN: pa.array([True, False, None]),
    Kind.FLOAT: pa.array(FLOATS, pa.float64()),
    Kind.DECIMAL: pa.array([*DECIMALS, None], pa.decimal128(20, 2)),
    Kind.DATE: pa.array([dt.date(2020, 1, 1), dt.date(1, 1, 1), dt.date(9999, 12, 31), None]),
    Kind.TIMESTAMP: pa.array([0, -60_000_000, 1_577_836_800_000_001, None], pa.timestamp("us")),
}
AS_TEXT_ONLY = {
    Kind.FLOAT: ("icd", "prefix", "open"),
    Kind.DECIMAL: ("icd", "prefix", "open"),
    Kind.TIMESTAMP: ("text", "chosen", "number", "order", "flag", "flag9", "icd", "prefix", "open"),
}


def answer(table, query):
    with duckdb.connect() as connection:
        connection.register("t", table)
        return connection.execute(ENGINE.sql(query)).df()


@pytest.mark.parametrize("kind", CELLS, ids=lambda kind: kind.value)
def test_every_cell_has_the_code_and_the_content_that_numpy_gives_it(kind):
    refused = AS_TEXT_ONLY.get(kind, ())
    columns = [column for column in COLUMNS if column["name"] not in refused]
    schema = Schema.from_dict({"columns": columns})
    table = pa.table({column["name"]: CELLS[kind] for column in columns})
    frame = pd.DataFrame({name: to_series(table[name]) for name in table.column_names})
    expected = encode_table(frame, schema)
    kinds = dict.fromkeys(table.column_names, kind)
    coded = coded_query(exp.to_table("t"), schema, kinds=kinds, engine=ENGINE)
    found = answer(table, coded.query)
    columns_of_content = iter(expected.content.T.tolist())
    for name, named in coded.columns.items():
        words = [f"{word:016x}" for word in next(columns_of_content)]
        if name in expected.undeclared:
            more = next(columns_of_content)
            words = [first + f"{second:016x}" for first, second in zip(words, more, strict=True)]
            held = expected.undeclared[name]
            texts = [None if at < 0 else held.texts[at] for at in held.index.tolist()]
            given = [
                t if isinstance(t, str) and learnable(t) else None for t in found[named.undeclared]
            ]
            assert given == texts
        cells = [str(cell)[:40] for cell in CELLS[kind].to_pylist()]
        codes = expected.codes[name].tolist()
        assert list(zip(cells, found[named.code], strict=True)) == list(
            zip(cells, codes, strict=True)
        )
        assert list(zip(cells, found[named.words], strict=True)) == list(
            zip(cells, words, strict=True)
        )


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in AS_TEXT_ONLY.items() for name in names]
)
def test_what_an_engine_would_write_in_its_own_way_is_refused(kind, name):
    columns = [column for column in COLUMNS if column["name"] == name]
    schema = Schema.from_dict({"columns": columns})
    with pytest.raises(UnsupportedCellError, match="cast it to text"):
        coded_query(exp.to_table("t"), schema, kinds={name: kind}, engine=ENGINE)


def key(purpose):
    return hashlib.blake2b(purpose.encode(), digest_size=32).digest()


@pytest.mark.parametrize("persons", [True, False])
def test_rows_are_bounded_and_set_aside_digest_by_digest(persons):
    schema = Schema.from_dict(
        {
            "columns": [
                {"name": "pid", "kind": "identifier"},
                {"name": "x", "kind": "integer", "bounds": [0, 3], "nullable": True},
                {"name": "place", "kind": "categorical", "open": True},
            ],
            **({"unit": {"kind": "person", "column": "pid", "max_rows": 2}} if persons else {}),
        }
    )
    rng = np.random.default_rng(5)
    ids = np.array(["7", "7.0", " 7", "8", "", None, "x" * 1001, "09", "9", "9.00"], dtype=object)
    table = pa.table(
        {
            "pid": pa.array(rng.choice(ids, 400).tolist(), pa.string()),
            "x": rng.integers(0, 3, 400),
            "place": rng.choice(["Bern", "Basel", "other"], 400).tolist(),
        }
    )
    frame = pd.DataFrame({name: to_series(table[name]) for name in table.column_names})
    control = Fraction(1, 3)
    expected = prepare(frame, schema, key=key, control=control)
    kinds = {"pid": Kind.TEXT, "x": Kind.INTEGER, "place": Kind.TEXT}
    coded = coded_query(exp.to_table("t"), schema, kinds=kinds, engine=ENGINE)
    laws = Laws(key=key, max_rows=schema.privacy_unit.max_rows, control=control)
    query = bounded_query(coded, laws, ENGINE)
    found = answer(table, query)
    kept = found[found[KEPT] == 1]
    assert len(kept[kept[ASIDE] == 0]) == len(expected.members)
    assert len(kept[kept[ASIDE] == 1]) == len(expected.controls)
    members = kept[kept[ASIDE] == 0]
    counts = np.bincount(members["c0"] * 1 + members["c1"] * 5, minlength=5)
    assert counts.tolist() == expected.source.count(("place", "x"))[:5].tolist()
    sums = answer(table, identity_query(query, ENGINE)).iloc[0]
    from dpsynth.sources.identity import DigestSums

    held = DigestSums(rows=int(sums["held"]), high=int(sums["high"]), low=int(sums["low"]))
    assert held.identity(schema, key=key("identity")) == expected.identity
