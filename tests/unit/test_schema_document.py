import datetime as dt
import json
import re
from pathlib import Path

import jsonschema
import pytest

from dpsynth.errors import SchemaError
from dpsynth.schema import (
    CategoricalColumn,
    DateColumn,
    IntegerColumn,
    Provenance,
    Schema,
    Unit,
)
from dpsynth.schema.publish import json_schema, write_json_schema

AGE = {"name": "age", "kind": "integer", "bounds": [0, 90]}
SEX = {"name": "sex", "kind": "categorical", "values": ["F", "M"]}
EVERYTHING = {
    "description": "a table",
    "expected_rows": 50_000,
    "target": "sex",
    "quasi_identifiers": ["age"],
    "sensitive": ["diagnosis"],
    "unit": {"kind": "person", "column": "pid", "max_rows": 4},
    "columns": [
        {"name": "pid", "kind": "identifier", "pattern": "P-####"},
        {**AGE, "nullable": True, "missing_codes": [-9], "unit_of_measure": "years"},
        {**SEX, "labels": {"F": "female"}, "provenance": {"values": "guessed"}},
        {"name": "diagnosis", "kind": "categorical", "codes": "ICD-9-CM"},
        {
            "name": "ward",
            "kind": "categorical",
            "rollup": {"rule": "prefix", "length": 1, "values": ["A", "B"]},
        },
        {"name": "stage", "kind": "ordinal", "values": [1, 2, 3], "fallback": 2},
        {"name": "weight", "kind": "continuous", "bounds": [0, 300.5], "bins": 10, "decimals": 1},
        {"name": "cost", "kind": "continuous"},
        {"name": "smoker", "kind": "boolean", "nullable": True},
        {
            "name": "seen",
            "kind": "date",
            "bounds": ["2020-01-01", "2020-12-31"],
            "format": "%d.%m.%Y",
            "dtype": "str",
        },
        {"name": "notes", "kind": "excluded"},
    ],
}


def one_sentence(message):
    return "\n" not in message and message and not message.endswith(".") and ". " not in message


@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_what_is_written_is_read_back(tmp_path, suffix):
    schema = Schema.from_dict(EVERYTHING)
    path = tmp_path / f"s{suffix}"
    schema.write(path)
    assert Schema.read(path) == schema
    assert Schema.read(path).to_text(suffix) == path.read_text(encoding="utf-8")


def test_toml_dates_are_accepted(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(
        '[[columns]]\nname = "d"\nkind = "date"\nbounds = [2020-01-01, 2020-02-01]\n',
        encoding="utf-8",
    )
    column = Schema.read(path).column("d")
    assert column.bounds == (dt.date(2020, 1, 1), dt.date(2020, 2, 1))


def test_a_byte_order_mark_is_no_fault(tmp_path):
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"columns": [AGE]}), encoding="utf-8-sig")
    assert Schema.read(path).column("age").bounds == (0, 90)


def test_the_published_json_schema_takes_what_we_write(tmp_path):
    write_json_schema(tmp_path / "schema.json")
    published = json.loads((tmp_path / "schema.json").read_text(encoding="utf-8"))
    assert published == json_schema()
    jsonschema.Draft202012Validator.check_schema(published)
    jsonschema.validate(Schema.from_dict(EVERYTHING).to_dict(), published)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"columns": [{**AGE, "bonds": [0, 1]}]}, published)


def column(**fields):
    return {"columns": [{"name": "x", **fields}]}


LEVELS = {"kind": "categorical", "values": ["a", "b"]}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "'columns' is missing"),
        ({"colums": []}, "missing"),
        ({"columns": 3}, "'columns'"),
        ({"columns": [3]}, "column 1"),
        ({"columns": []}, "no column to learn"),
        ({"columns": [AGE], "extra": 1}, "'extra' is not known"),
        ({"format": "dpsynth-schema/2", "columns": [AGE]}, "'format'"),
        ({"columns": [AGE, AGE]}, "'age' is declared twice"),
        ({"columns": [AGE, {**AGE, "name": "ａge"}]}, "looks like"),
        ({"columns": [AGE], "target": "sex"}, "`target` names 'sex'"),
        ({"columns": [AGE], "sensitive": ["age", "age"]}, "twice"),
        ({"columns": [AGE], "expected_rows": 0}, "expected_rows"),
        ({"columns": [AGE], "expected_rows": True}, "expected_rows"),
        ({"columns": [AGE], "unit": {"kind": "person"}}, "needs the person column"),
        ({"columns": [AGE], "unit": {"kind": "row", "column": "age"}}, "takes no column"),
        ({"columns": [AGE], "unit": {"max_rows": 2}}, "max_rows = 1"),
        ({"columns": [AGE], "unit": {"kind": "person", "column": "age"}}, "cannot be learnt"),
        ({"columns": [AGE], "unit": {"kind": "person", "column": "pid"}}, "is not declared"),
        ({"columns": [{"name": "p", "kind": "identifier"}]}, "no column to learn"),
        (column(kind="intger"), "column 'x', field 'kind': say one of"),
        ({"columns": [{"name": "x"}]}, "field 'kind'"),
        ({"columns": [{"kind": "integer"}]}, "field 'name' is missing"),
        (column(kind="integer", bonds=[0, 1]), "column 'x', field 'bonds' is not known"),
        (column(kind="integer", bounds=[1]), "too few"),
        (column(kind="integer", bounds=[2, 1]), "'bounds'"),
        (column(kind="integer", bounds=["a", 1]), "'bounds'"),
        (column(kind="integer", bounds=[True, 2]), "'bounds'"),
        (column(kind="integer", bounds=[0.5, 2]), "whole numbers"),
        (column(kind="integer", bounds=[0, 2**60]), "2^53"),
        (column(kind="continuous", bounds=[0, float("inf")]), "finite"),
        (column(kind="continuous", bounds=[-1.7e308, 1.7e308]), "too far apart"),
        (column(kind="continuous", bounds=[0, 1], bins=0), "between 1 and"),
        (column(kind="continuous", bins=5), "needs declared `bounds`"),
        (column(kind="continuous", bins=[0, 2, 1]), "edges"),
        (column(kind="continuous", bounds=[0, 3], bins=[0, 2]), "must equal the `bounds`"),
        (column(kind="continuous", bounds=[0, 3], fallback=4), "within the bounds"),
        (column(kind="integer", bounds=[0, 300], dtype="int8"), "does not suit"),
        (column(**LEVELS, dtype="int64"), "does not suit"),
        (column(**LEVELS, dtype="complex64"), "'dtype'"),
        (column(kind="categorical", values=[]), "at least one"),
        (column(kind="categorical", values=["a", " a "]), "listed once"),
        (column(kind="categorical", values=[1, "a"]), "all text"),
        (column(kind="categorical", values=[1, True]), "all text"),
        (column(kind="categorical", values=["a", ""]), "characters"),
        (column(kind="categorical", values=["a", "b\0"]), "NUL"),
        (column(kind="categorical", values=["a" * 1001]), "characters"),
        (column(kind="categorical", values=[1.0, float("nan")]), "finite"),
        (column(kind="categorical", values=[2], missing_codes=[2]), "not be a missing code"),
        (column(**LEVELS, missing_codes=["?", "? "]), "differ"),
        (column(**LEVELS, missing_codes=[""]), "empty text"),
        (column(**LEVELS, fallback="c"), "one of the declared levels"),
        (column(**LEVELS, codes="ICD-9-CM"), "either"),
        (column(kind="categorical", rollup={"rule": "x"}), "'rollup.rule'"),
        (column(kind="categorical", rollup={"rule": "prefix"}), "`length`"),
        (column(kind="categorical", rollup={"rule": "prefix", "length": 1}), "`values`"),
        (
            column(kind="categorical", rollup={"rule": "prefix", "length": 1, "values": ["ab"]}),
            "at most its `length`",
        ),
        (column(kind="categorical", rollup={"rule": "icd-10", "length": 3}), "takes no"),
        (column(kind="date", bounds=["2020-01-01"]), "too few"),
        (column(kind="date", bounds=["2020-01-01", "2019-01-01"]), "after"),
        (column(kind="date", bounds=[1, 2]), "must be a date"),
        (column(kind="date", bounds=["2020-01-01", "2020-13-01"]), "'bounds'"),
        (column(kind="date", format="%Y"), "year, the month and the day"),
        (column(kind="date", format="%Q"), "'format'"),
        (column(kind="boolean", dtype="float64"), "does not suit"),
        (column(kind="integer", provenance={"bounds": "found"}), "provenance.bounds"),
        (column(kind="integer", provenance={"name": "guessed"}), "provenance"),
        (column(kind="integer", provenance={"bounds": {"status": "confirmed"}}), "reason"),
        (column(kind="integer", provenance={"bounds": {"status": "learnt"}}), "ledger entry"),
        ({"columns": [AGE, {"name": "i", "kind": "identifier", "pattern": "x"}]}, "run of '#'"),
        ({"columns": [AGE, {"name": "i", "kind": "identifier", "pattern": "#-#"}]}, "run of '#'"),
        ({"columns": [AGE, {"name": "i", "kind": "identifier", "dtype": "bool"}]}, "'dtype'"),
        ({"columns": [{**AGE, "name": "a\nb"}]}, "printable"),
        ({"columns": [{**AGE, "name": " "}]}, "printable"),
    ],
)
def test_every_fault_is_one_sentence_that_names_the_place(document, words):
    with pytest.raises(SchemaError) as caught:
        Schema.from_dict(document)
    message = str(caught.value)
    assert words in message
    assert one_sentence(message), message


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("s.toml", b"columns = ["),
        ("s.json", b'{"columns": [NaN]}'),
        ("s.json", b"[1]"),
        ("s.toml", b"\xff\xfe"),
        ("s.json", b"[" * 100_000),
    ],
)
def test_a_file_that_is_no_document_is_refused_in_one_sentence(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SchemaError) as caught:
        Schema.read(path)
    assert name in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert one_sentence(str(caught.value).replace(name, "file"))


def test_a_missing_file_is_refused():
    with pytest.raises(SchemaError, match="cannot read"):
        Schema.read(Path("nowhere.toml"))


def test_guesses_stay_open_until_a_person_confirms_them():
    guessed = CategoricalColumn(
        name="c", values=("a",), provenance={"values": "guessed", "kind": "guessed"}
    )
    other = IntegerColumn(name="i", bounds=(0, 1), provenance={"bounds": "guessed"})
    unit = Unit(provenance={"kind": "guessed"})
    schema = Schema(columns=(guessed, other), unit=unit)
    assert {(item.column, item.field) for item in schema.open_items()} == {
        (None, "kind"),
        ("c", "kind"),
        ("c", "values"),
        ("i", "bounds"),
    }
    with pytest.raises(SchemaError, match="column 'c', field 'values'"):
        schema.require_closed()

    one = schema.confirm(["c"], reason="the ward's list", source="list of wards, 2020")
    assert {item.column for item in one.open_items()} == {None, "i"}
    assert not one.is_conditional

    closed = one.confirm(reason="as in every hospital")
    closed.require_closed()
    assert closed.is_conditional
    summary = closed.provenance_summary()
    assert summary["columns"]["c"]["values"] == {
        "status": "confirmed",
        "reason": "the ward's list",
        "source": "list of wards, 2020",
    }
    assert summary["columns"]["i"]["bounds"]["status"] == "confirmed"
    assert summary["columns"]["i"]["kind"] == {"status": "declared"}
    assert summary["unit"]["kind"]["status"] == "confirmed"
    assert Schema.from_dict(closed.to_dict()) == closed


def test_confirming_cannot_supply_what_was_never_stated():
    open_list = CategoricalColumn(name="code", codes="a code list that nobody knows")
    day = DateColumn(name="day")
    schema = Schema(
        columns=(open_list, day, {"name": "p", "kind": "identifier"}),
        unit=Unit(kind="person", column="p"),
    ).confirm(reason="because")
    assert [(item.column, item.field) for item in schema.open_items()] == [
        (None, "max_rows"),
        ("code", "values"),
        ("day", "bounds"),
    ]
    assert not any(item.guessed for item in schema.open_items())
    with pytest.raises(SchemaError, match="max_rows"):
        _ = schema.privacy_unit


@pytest.mark.parametrize(("columns", "reason"), [(["nobody"], "x"), (None, " ")])
def test_a_confirmation_names_a_column_and_gives_a_reason(columns, reason):
    with pytest.raises(SchemaError):
        Schema.from_dict({"columns": [AGE]}).confirm(columns, reason=reason)


def test_the_unit_in_the_words_of_the_kernel():
    schema = Schema.from_dict(EVERYTHING)
    assert (schema.privacy_unit.name, schema.privacy_unit.max_rows) == ("person", 4)
    row = Schema.from_dict({"columns": [AGE]}).privacy_unit
    assert (row.name, row.max_rows) == ("row", 1)


def test_a_schema_is_frozen():
    schema = Schema.from_dict({"columns": [AGE]})
    with pytest.raises(ValueError, match="frozen"):
        schema.target = "age"
    with pytest.raises(ValueError, match="frozen"):
        schema.columns[0].name = "b"


def test_a_short_provenance_is_written_short():
    assert Provenance(status="guessed").model_dump() == "guessed"
    assert Provenance(note="codebook").model_dump() == {"status": "declared", "note": "codebook"}


def test_undeclared_bounds_are_not_open_but_learnt():
    wide = {"name": "y", "kind": "integer", "bounds": [0, 1000]}
    schema = Schema.from_dict({"columns": [{"name": "x", "kind": "continuous"}, wide, AGE]})
    schema.require_closed()
    summary = schema.provenance_summary()["columns"]
    assert summary["x"]["bounds"] == summary["x"]["bins"]
    assert summary["x"]["bins"] == {"status": "learnt", "entry": "bins(x)"}
    assert summary["y"]["bounds"] == {"status": "declared"}
    assert summary["y"]["bins"] == {"status": "learnt", "entry": "bins(y)"}
    assert "bins" not in summary["age"]


@pytest.mark.parametrize(
    ("fields", "dtype", "missing"),
    [
        ({"kind": "integer"}, "int64", None),
        ({"kind": "integer", "nullable": True}, "Int64", None),
        ({"kind": "integer", "missing_codes": [-9], "nullable": True}, "int64", -9),
        ({"kind": "integer", "missing_codes": [-9, -8]}, "Int64", None),
        ({"kind": "integer", "missing_codes": ["?"]}, "str", "?"),
        ({"kind": "integer", "missing_codes": ["?"], "dtype": "int64"}, "Int64", None),
        ({"kind": "integer", "bounds": [0, 5], "dtype": "uint8", "nullable": True}, "UInt8", None),
        ({"kind": "integer", "dtype": "float64", "nullable": True}, "float64", None),
        ({"kind": "continuous", "missing_codes": [-1]}, "float64", -1),
        ({"kind": "boolean", "nullable": True}, "boolean", None),
        ({"kind": "boolean"}, "bool", None),
        ({"kind": "categorical", "values": ["a"], "nullable": True}, "str", None),
        ({"kind": "categorical", "values": ["a"], "missing_codes": ["?"]}, "str", "?"),
        ({"kind": "categorical", "values": [0, 1, 2], "missing_codes": [2]}, "int64", 2),
        ({"kind": "categorical", "values": [0.5, 1]}, "float64", None),
        ({"kind": "categorical", "values": [True, False]}, "bool", None),
        ({"kind": "ordinal", "values": [1, 2], "dtype": "int16", "nullable": True}, "Int16", None),
    ],
)
def test_output_dtype_holds_what_a_missing_cell_becomes(fields, dtype, missing):
    (found,) = Schema.from_dict(column(**fields)).modeled
    assert (found.output_dtype, found.missing_value) == (dtype, missing)


def test_every_message_of_the_room_is_free_of_full_stops_and_newlines():
    room = Path(__file__).parents[2] / "dpsynth" / "schema"
    text = "".join(path.read_text(encoding="utf-8") for path in room.glob("*.py"))
    for found in re.findall(r'(?:SchemaError|wrong)\(\s*f?"([^"]*)"', text):
        assert not found.endswith(".")


@pytest.mark.parametrize(
    ("field", "entry"), [("bounds", "bins(y)"), ("bounds", "bins(nothing)"), ("bins", "bins(x)")]
)
def test_learnt_is_no_word_for_what_the_schema_itself_says(field, entry):
    wide = {"name": "y", "kind": "integer", "bounds": [0, 1000]}
    origin = {field: {"status": "learnt", "entry": entry}}
    schema = Schema.from_dict({"columns": [{**wide, "provenance": origin}]})
    with pytest.raises(SchemaError, match=f"column 'y', field '{field}': says `learnt`"):
        schema.require_closed()
    assert [item.guessed for item in schema.open_items()] == [False]


def test_the_unit_is_never_learnt():
    origin = {"max_rows": {"status": "learnt", "entry": "bins(age)"}}
    unit = {"kind": "person", "column": "id", "max_rows": 2, "provenance": origin}
    columns = [{"name": "id", "kind": "identifier"}, AGE]
    with pytest.raises(SchemaError, match="field 'max_rows': says `learnt`"):
        Schema.from_dict({"columns": columns, "unit": unit}).require_closed()


def test_what_a_release_learns_itself_may_be_written_out():
    wide = {"name": "y", "kind": "integer", "bounds": [0, 1000]}
    origin = {"bins": {"status": "learnt", "entry": "bins(y)"}}
    schema = Schema.from_dict({"columns": [{**wide, "provenance": origin}]})
    schema.require_closed()
    plain = Schema.from_dict({"columns": [wide]})
    assert schema.provenance_summary() == plain.provenance_summary()
