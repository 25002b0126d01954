import traceback

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from dpsynth.errors import DataError, SchemaError
from dpsynth.schema import Schema
from dpsynth.schema.draft import draft_schema
from dpsynth.schema.safe_harbor import findings


def table():
    return pd.DataFrame(
        {
            "patient_id": [f"p{i // 2:03d}" for i in range(60)],
            "record_id": range(1000, 1060),
            "sex": ["F", "M", "?"] * 20,
            "code": [0, 1] * 30,
            "weight": [40.123 + i for i in range(60)],
            "visits": [i * 37 for i in range(60)],
            "seen": pd.date_range("2020-03-04", periods=60).strftime("%Y-%m-%d"),
            "smoker": [True, False] * 30,
            "remark": [f"text number {i}" for i in range(60)],
            "gone": [None] * 60,
            "zip": ["01234", "01235"] * 30,
        }
    )


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_everything_read_off_the_rows_is_guessed(tmp_path, suffix):
    path = tmp_path / f"t.{suffix}"
    if suffix == "csv":
        table().to_csv(path, index=False)
    else:
        table().to_parquet(path)
    draft = draft_schema(path)
    kinds = {column.name: column.kind for column in draft.columns}
    assert kinds == {
        "patient_id": "identifier",
        "record_id": "identifier",
        "sex": "categorical",
        "code": "categorical",
        "weight": "continuous",
        "visits": "integer",
        "seen": "date",
        "smoker": "boolean",
        "remark": "identifier",
        "gone": "excluded",
        "zip": "categorical",
    }
    stated = {(column.name, field) for column in draft.columns for field in column.stated()}
    guessed = {(item.column, item.field) for item in draft.open_items() if item.guessed}
    # A nullable that stands at its default was not read off anything where levels are missing.
    assert stated - guessed <= {(column.name, "nullable") for column in draft.columns}
    assert draft.unit.column == "patient_id"
    assert (None, "column") in guessed
    assert [item.field for item in draft.open_items() if not item.guessed] == ["max_rows"]
    assert draft.expected_rows is None
    assert draft.column("sex").missing_codes == ("?",)
    with pytest.raises(SchemaError):
        draft.require_closed()
    assert Schema.from_dict(draft.to_dict()) == draft


def test_extremes_are_rounded_outward(tmp_path):
    path = tmp_path / "t.csv"
    table().to_csv(path, index=False)
    draft = draft_schema(path)
    assert draft.column("weight").bounds == (40, 100)
    assert draft.column("visits").bounds == (0, 2200)
    assert str(draft.column("seen").bounds[0]) == "2020-01-01"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", b""),
        ("t.csv", b"a,b\n1,2,SECRET\n1,2,3,4\n"),
        ("t.csv", b"a\n\xff\n"),
        ("t.csv", b"a,a\n1,2\n"),
        ("t.parquet", b"SECRET"),
        ("t.txt", b"a"),
    ],
)
def test_a_broken_file_is_refused_without_quoting_it(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        draft_schema(path)
    assert "SECRET" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_safe_harbor_findings_come_from_names_kinds_and_bounds():
    schema = Schema.from_dict(
        {
            "columns": [
                {"name": "age", "kind": "integer", "bounds": [0, 110]},
                {"name": "age_capped", "kind": "integer", "bounds": [0, 90]},
                {"name": "age_open", "kind": "integer"},
                {"name": "zip_code", "kind": "categorical", "values": ["011", "012"]},
                {"name": "admitted", "kind": "date", "bounds": ["2020-01-01", "2020-12-31"]},
                {"name": "birthDate", "kind": "integer"},
                {"name": "firstName", "kind": "categorical", "values": ["A"]},
                {"name": "patient_nbr", "kind": "integer"},
                {"name": "e-mail", "kind": "categorical", "values": ["A"]},
                {"name": "Phone", "kind": "categorical", "values": ["A"]},
                {"name": "ward_id", "kind": "categorical", "values": [1, 2]},
                {"name": "admission_type_id", "kind": "ordinal", "values": [1, 2]},
                {
                    "name": "case_id",
                    "kind": "categorical",
                    "values": ["A1"],
                    "provenance": {"values": "guessed"},
                },
                {"name": "hours_per_week", "kind": "integer", "bounds": [1, 99]},
                {"name": "progress_notes", "kind": "categorical", "open": True},
                {"name": "site_id", "kind": "categorical", "open": True, "values": ["A1"]},
                {"name": "drug", "kind": "categorical", "open": True},
                {"name": "mrn", "kind": "identifier"},
                {"name": "surname", "kind": "excluded"},
            ]
        }
    )
    assert [(each.column, each.identifier) for each in findings(schema)] == [
        ("age", "ages over 89"),
        ("age_open", "ages over 89"),
        ("zip_code", "zip codes"),
        ("admitted", "dates finer than a year"),
        ("birthDate", "dates finer than a year"),
        ("firstName", "names"),
        ("patient_nbr", "identifying numbers"),
        ("e-mail", "email addresses"),
        ("Phone", "telephone numbers"),
        ("case_id", "identifying numbers"),
        ("progress_notes", "any other identifying text"),
        ("site_id", "identifying numbers"),
    ]
    assert all("\n" not in str(each) for each in findings(schema))


@pytest.mark.parametrize("odd", ["stamp", "text"])
def test_a_cell_that_pandas_cannot_hold_is_not_quoted(tmp_path, odd):
    broken = pa.StringArray.from_buffers(
        1, pa.array([0, 2], pa.int32()).buffers()[1], pa.py_buffer(b"Q\xff")
    )
    far = pa.array([2**62], pa.int64()).view(pa.timestamp("us", "Europe/Berlin"))
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"c": broken if odd == "text" else far}), path)
    with pytest.raises(DataError, match=r"declare the column by hand|cannot be read") as caught:
        draft_schema(path)
    words = "".join(traceback.format_exception(caught.value))
    assert "148108" not in words
    assert "UnicodeDecodeError" not in words


def test_a_long_list_of_codes_is_drafted_as_open_and_asked_about(tmp_path):
    path = tmp_path / "t.csv"
    rows = range(600)
    pd.DataFrame(
        {
            "code": [f"C{row % 150:03d}" for row in rows],
            "story": [f"she came on day {row % 150} and left again" for row in rows],
            "long": ["x" * 50 + str(row % 150) for row in rows],
        }
    ).to_csv(path, index=False)
    draft = draft_schema(path)
    assert (draft.column("code").kind, draft.column("code").open) == ("categorical", True)
    assert [draft.column(name).kind for name in ("story", "long")] == ["excluded", "excluded"]
    assert ("code", "open") in {(item.column, item.field) for item in draft.open_items()}
    assert "C001" not in str(draft.to_dict())
    confirmed = draft.confirm("code", reason="a public code system", source="its publisher")
    assert "code" not in {item.column for item in confirmed.open_items()}
