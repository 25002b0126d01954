import json
import os
from pathlib import Path

import pytest

from dpsynth.errors import SchemaError
from dpsynth.schema.importer import import_schema

DATA = Path(os.environ.get("DPSYNTH_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="no shared data folder")

PERSONS = {"diabetes130", "randhie", "covid_testing"}


def write(tmp_path, **fields):
    path = tmp_path / "meta.json"
    path.write_text(json.dumps({"kind": "single_table", **fields}), encoding="utf-8")
    return path


@needs_data
@pytest.mark.parametrize(
    "name",
    [
        "adult",
        "adult_discrete",
        "nhefs",
        "randhie",
        "heart_disease",
        "flchain",
        "breast_cancer_wdbc",
    ],
)
def test_published_domains_import_closed(name):
    schema = import_schema(DATA / f"{name}.json", max_rows=5 if name in PERSONS else None)
    assert schema.open_items() == ()
    assert not schema.is_conditional


def test_free_text_stays_behind(tmp_path):
    column = {
        "name": "sex",
        "type": "categorical",
        "values": ["F", "M"],
        "domain_source": "codebook",
    }
    told = {"description": "97% missing", "n_null": 6543}
    path = write(tmp_path, title="of 71,518 patients", n_rows=101766, columns=[{**column, **told}])
    text = import_schema(path).to_text()
    assert not any(fact in text for fact in ("97", "71,518", "6543", "101766"))


@needs_data
def test_domains_read_off_the_rows_arrive_guessed():
    schema = import_schema(DATA / "diabetes130.json", max_rows=5)
    assert {(item.column, item.field) for item in schema.open_items()} == {
        (column, field)
        for column in ("payer_code", "medical_specialty")
        for field in ("values", "missing_codes", "dtype", "nullable")
    }
    confirmed = schema.confirm(reason="usual abbreviations")
    confirmed.require_closed()
    assert confirmed.is_conditional
    assert confirmed.column("diag_1").rule.rule == "icd-9-cm"
    assert confirmed.privacy_unit.max_rows == 5
    assert "None" in confirmed.column("max_glu_serum").levels


@needs_data
def test_a_table_of_persons_waits_for_max_rows():
    (item,) = import_schema(DATA / "randhie.json").open_items()
    assert (item.column, item.field) == (None, "max_rows")
    assert "--max-rows" in str(item)


@needs_data
@pytest.mark.parametrize("name", ["adult", "nhefs", "diabetes130", "covid_testing"])
def test_counts_of_the_private_table_leave_no_trace(name, tmp_path):
    data = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    before = import_schema(DATA / f"{name}.json")
    data["n_rows"] = data["n_persons"] = 1
    for column in data["columns"]:
        column["n_null"] = 77
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    assert import_schema(path).to_text() == before.to_text()
    assert before.expected_rows is None


@needs_data
@pytest.mark.parametrize("name", ["synthea_small", "mimic3_demo", "pneumonia_mnist"])
def test_other_kinds_are_refused_in_one_sentence(name):
    with pytest.raises(SchemaError, match="single_table") as caught:
        import_schema(DATA / f"{name}.json")
    assert "\n" not in str(caught.value)


@needs_data
def test_a_missing_code_among_the_values_is_the_missing_level():
    column = import_schema(DATA / "nhefs.json").column("hbp")
    assert column.levels == (0, 1)
    assert (column.missing_value, column.output_dtype) == (2, "int64")


def test_an_unknown_code_list_must_be_declared(tmp_path):
    path = write(
        tmp_path,
        columns=[
            {"name": "c", "type": "categorical", "open_vocabulary": True, "values": ["x"]},
            {"name": "d", "type": "categorical", "open_vocabulary": True, "code_system": "ICD-10"},
        ],
    )
    schema = import_schema(path)
    (item,) = schema.open_items()
    assert (item.column, item.field, item.guessed) == ("c", "values", False)
    assert "'x'" not in schema.to_text()


def test_ids_are_generated_and_direct_identifiers_dropped(tmp_path):
    path = write(
        tmp_path,
        direct_identifiers=["who"],
        columns=[
            {"name": "id", "type": "id", "dtype": "int64"},
            {"name": "who", "type": "categorical", "values": ["a"], "domain_source": "codebook"},
            {"name": "note", "type": "text"},
            {"name": "x", "type": "integer", "bounds": [0, 1], "domain_source": "codebook"},
        ],
    )
    kinds = [column.kind for column in import_schema(path).columns]
    assert kinds == ["identifier", "excluded", "excluded", "integer"]


def test_a_domain_of_unstated_origin_is_a_guess(tmp_path):
    path = write(tmp_path, columns=[{"name": "x", "type": "integer", "bounds": [0, 1]}])
    assert [item.field for item in import_schema(path).open_items()] == ["bounds"]


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        '{"kind": "multi_table", "tables": []}',
        '{"columns": [1]}',
        '{"columns": [{"name": "x", "type": "blob"}]}',
        '{"columns": [{"name": "x", "type": "integer", "bounds": [3, 1]}]}',
    ],
)
def test_other_files_are_refused_in_one_sentence(tmp_path, content):
    path = tmp_path / "m.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SchemaError) as caught:
        import_schema(path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_max_rows_without_persons_is_refused(tmp_path):
    path = write(tmp_path, columns=[{"name": "x", "type": "integer"}])
    with pytest.raises(SchemaError, match="--max-rows"):
        import_schema(path, max_rows=3)


SOURCED = {
    "name": "a",
    "type": "categorical",
    "dtype": "object",
    "values": ["x", "RARE-1"],
    "labels": {"x": "common", "RARE-1": "SEEN-ONCE"},
    "missing_codes": ["RARE-2"],
    "nullable": False,
}


@pytest.mark.parametrize("source", ["data", "hearsay", None])
def test_what_comes_with_a_domain_read_off_the_rows_is_a_guess_too(tmp_path, source):
    schema = import_schema(write(tmp_path, columns=[{**SOURCED, "domain_source": source}]))
    fields = {item.field for item in schema.open_items() if item.guessed}
    assert fields == {"values", "missing_codes", "dtype", "nullable"}
    assert "SEEN-ONCE" not in schema.to_text()
    assert "SEEN-ONCE" not in schema.confirm(reason="looked up").to_text()


def test_no_value_from_the_rows_outlives_its_replacement(tmp_path):
    schema = import_schema(write(tmp_path, columns=[{**SOURCED, "domain_source": "data"}]))
    document = schema.to_dict()
    (column,) = document["columns"]
    column["values"] = ["x", "y"]
    del column["provenance"]["values"]
    half = schema.from_dict(document)
    assert {item.field for item in half.open_items()} == {"missing_codes", "dtype", "nullable"}
    column["missing_codes"] = ["?"]
    del column["provenance"]
    replaced = schema.from_dict(document)
    replaced.require_closed()
    assert "RARE" not in replaced.to_text()


def test_labels_of_a_codebook_are_kept_and_declared(tmp_path):
    schema = import_schema(write(tmp_path, columns=[{**SOURCED, "domain_source": "codebook"}]))
    assert schema.open_items() == ()
    assert schema.column("a").labels["RARE-1"] == "SEEN-ONCE"
