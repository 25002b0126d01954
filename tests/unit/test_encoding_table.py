import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dpsynth.encoding import base_domain
from dpsynth.encoding.identifiers import generate
from dpsynth.encoding.table import decode_table, encode_table
from dpsynth.errors import SchemaError
from dpsynth.schema import IdentifierColumn, Schema
from dpsynth.schema.importer import import_schema
from dpsynth.sources.files import read_table

DATA = Path(os.environ.get("DPSYNTH_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
SINGLE = (
    "adult",
    "adult_discrete",
    "breast_cancer_wdbc",
    "covid_testing",
    "diabetes130",
    "flchain",
    "heart_disease",
    "nhefs",
    "randhie",
)


@pytest.mark.skipif(not DATA.is_dir(), reason="no shared data folder")
@pytest.mark.parametrize("name", SINGLE)
def test_every_shared_table_goes_there_and_back(name, tmp_path):
    schema = import_schema(DATA / f"{name}.json")
    if schema.unit.kind == "person":
        schema = import_schema(DATA / f"{name}.json", max_rows=5)
    schema = schema.confirm(reason="for this test")
    frame = read_table(DATA / f"{name}.parquet", schema)
    encoded = encode_table(frame, schema)
    back = decode_table(encoded.codes, schema, np.random.default_rng(0))
    assert list(back.columns) == [c.name for c in schema.columns if c.kind != "excluded"]
    again = encode_table(back, schema)
    for column, codes in encoded.codes.items():
        assert np.array_equal(codes, again.codes[column]), column
    # Levels come back as they were written; so does what is missing.
    for column in schema.modeled:
        same = back[column.name].isna() == frame[column.name].isna()
        assert same.all(), column.name
    frame.to_csv(tmp_path / "t.csv", index=False)
    from_text = encode_table(read_table(tmp_path / "t.csv", schema), schema)
    assert np.array_equal(from_text.content, encoded.content)


@pytest.mark.skipif(not DATA.is_dir(), reason="no shared data folder")
def test_declared_levels_and_dtypes_of_adult_come_back():
    schema = import_schema(DATA / "adult.json")
    frame = read_table(DATA / "adult.parquet", schema)
    back = decode_table(encode_table(frame, schema).codes, schema, np.random.default_rng(0))
    for column in ("workclass", "education", "native-country", "age", "hours-per-week"):
        assert back[column].astype(str).tolist() == frame[column].astype(str).tolist()
    assert (back["workclass"] == "?").sum() == (frame["workclass"] == "?").sum()
    assert back["capital-gain"].dtype == "int64"
    # Amounts come back within their cell, no wider than a 256th of the range.
    assert (
        np.abs(back["capital-gain"] - frame["capital-gain"].astype(int)).max() <= 99_999 / 256 + 1
    )


def test_columns_keep_their_order_and_ids_are_new():
    schema = Schema.from_dict(
        {
            "columns": [
                {"name": "b", "kind": "categorical", "values": ["x"]},
                {"name": "id", "kind": "identifier", "pattern": "P-##"},
                {"name": "gone", "kind": "excluded"},
                {"name": "a", "kind": "boolean"},
            ]
        }
    )
    frame = decode_table(
        {"a": np.array([0, 1]), "b": np.zeros(2, int)}, schema, np.random.default_rng(0)
    )
    assert list(frame.columns) == ["b", "id", "a"]
    assert frame["id"].tolist() == ["P-01", "P-02"]
    assert decode_table(
        {"a": np.zeros(0, int), "b": np.zeros(0, int)}, schema, np.random.default_rng(0)
    ).empty


@pytest.mark.parametrize(
    ("fields", "dtype"),
    [({}, "int64"), ({"dtype": "int32"}, "int32"), ({"dtype": "UInt16"}, "UInt16")],
)
def test_numbered_ids_are_unique_and_typed(fields, dtype):
    ids = generate(IdentifierColumn(name="id", **fields), 500)
    assert ids.is_unique
    assert ids.dtype == dtype


def test_ids_outgrow_their_pattern_and_refuse_to_repeat():
    ids = generate(IdentifierColumn(name="id", pattern="#"), 12)
    assert ids.is_unique
    assert ids.tolist()[-1] == "12"
    assert pd.api.types.is_string_dtype(generate(IdentifierColumn(name="id", dtype="str"), 3))
    with pytest.raises(SchemaError, match="wider"):
        generate(IdentifierColumn(name="id", dtype="int8"), 128)


def test_the_codes_are_as_narrow_as_the_domain():
    schema = Schema.from_dict(
        {"columns": [{"name": "d", "kind": "categorical", "codes": "ICD-10"}]}
    )
    encoded = encode_table(pd.DataFrame({"d": ["A00"]}), schema)
    assert encoded.codes["d"].dtype == np.uint16
    assert base_domain(schema).sizes["d"] == 2601
