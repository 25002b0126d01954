"""The worst neighbors: what they are, and that a look at any of their oddities is seen."""

import datetime as dt
import warnings

import pandas as pd
import pytest

import dpsynth
from attacks.conformance import neighbors
from dpsynth.privacy.events import event_to_dict
from dpsynth.schema import Schema
from dpsynth.sources import frame as frames
from dpsynth.testing import kit, oddities
from dpsynth.testing.recording import replay
from dpsynth.testing.rows import odd_rows, same_rows

BUDGET = {"epsilon": "1", "delta": "1/1000000000"}
COLUMNS = [
    {"name": "age", "kind": "integer", "bounds": [0, 99], "bins": 10},
    {"name": "ward", "kind": "categorical", "values": ["a", "b"]},
    {"name": "cost", "kind": "continuous", "bounds": [0, 10], "bins": 4, "nullable": True},
    {"name": "seen", "kind": "date", "bounds": ["2020-01-01", "2020-12-31"], "bins": 4},
    {"name": "ill", "kind": "boolean"},
    {"name": "pid", "kind": "identifier"},
]
ROWS = Schema.from_dict({"columns": COLUMNS})
PERSONS = Schema.from_dict(
    {"columns": COLUMNS, "unit": {"kind": "person", "column": "pid", "max_rows": 3}}
)
both = pytest.mark.parametrize("schema", [ROWS, PERSONS], ids=["row", "person"])


def pairs_of(schema, drawn=0):
    plan = dpsynth.Independent().plan(schema, **BUDGET)
    return [
        *kit.far_pairs(schema, plan),
        *kit.odd_pairs(schema, plan),
        *kit.drawn_pairs(schema, plan, count=drawn, seed=0),
    ]


@both
def test_neighbors_differ_by_the_rows_of_one_person(schema):
    for pair in pairs_of(schema, drawn=7):
        neighbor = pair.neighbor
        assert len(neighbor) == len(pair.table) + len(pair.person)
        if schema is ROWS:
            assert len(pair.person) == 1
        else:
            assert not set(pair.person["pid"].dropna()) & set(pair.table["pid"])
            several = "of several rows" in pair.world
            assert pair.table["pid"].is_unique != several
            assert not several or pair.table["pid"].value_counts().max() >= 3


def test_a_person_has_more_rows_than_are_allowed_and_is_unlike_the_crowd_in_every_column():
    canary = pairs_of(PERSONS)[0]
    assert len(canary.person) == 3 + kit.BEYOND
    assert len(canary.table) == kit.CROWD
    for column in PERSONS.modeled:
        held = [table[column.name].map(repr) for table in (canary.table, canary.person)]
        assert all(each.nunique() == 1 for each in held)
        assert held[0].iloc[0] != held[1].iloc[0]


def test_there_are_tables_of_no_row_and_of_one():
    assert {0, 1} <= {len(pair.table) for pair in pairs_of(ROWS)}


@both
def test_every_column_meets_every_kind_of_odd_cell(schema):
    met = {column.name: set() for column in schema.modeled}
    for pair in pairs_of(schema):
        if "odd cells" in pair.world:
            for name, cells in met.items():
                cells |= {repr(each) for each in pair.person[name]}
    for column in schema.modeled:
        wanted = {repr(oddities.odd_cell(column, kind)) for kind in range(oddities.KINDS)}
        assert wanted <= met[column.name]
        assert len(wanted) == oddities.KINDS


def test_a_text_column_meets_look_alikes_of_what_is_declared():
    ward = PERSONS.column("ward")
    cells = [oddities.odd_cell(ward, kind) for kind in range(oddities.KINDS)]
    assert {"a ", "A", "never declared before", ""} <= {each for each in cells if each == str(each)}


def test_missing_cells_are_of_every_column():
    rows = same_rows(PERSONS, last=True, rows=5, values=5)
    names = [column.name for column in PERSONS.modeled]
    assert odd_rows(PERSONS, rows, missing=True)[names].isna().all(axis=None)


def test_a_first_missing_number_changes_the_type_of_its_column():
    (pair,) = [each for each in pairs_of(ROWS) if each.world.endswith("as numbers")]
    assert pair.table["age"].dtype.kind == "i"
    assert pair.neighbor["age"].dtype.kind == "f"


@both
def test_a_narrow_table_keeps_the_person_and_the_target(schema):
    document = {**schema.to_dict(), "target": "ward", "sensitive": ["ill"]}
    narrow = kit.narrowed(Schema.from_dict(document))
    assert [column.name for column in narrow.modeled] == ["ward", "seen", "ill"]
    assert narrow.unit == schema.unit
    assert narrow.target == "ward"


def faults(schema):
    synthesizer = dpsynth.Independent()
    planned = [event_to_dict(step.event) for step in synthesizer.plan(schema, **BUDGET).steps]
    return {
        sentence
        for found in replay(synthesizer, schema, **BUDGET)
        for _, sentence in neighbors.faults_of(found, planned=planned)
    }


@both
def test_what_is_right_passes(schema):
    assert not faults(schema)


LOOKS = {
    "infinite": lambda cell: isinstance(cell, float) and cell == float("inf"),
    "huge": lambda cell: isinstance(cell, float) and 1e299 < cell < float("inf"),
    "missing": lambda cell: cell is None,
    "not a number": lambda cell: isinstance(cell, float) and cell != cell,
    "empty text": lambda cell: isinstance(cell, str) and not cell,
    "long text": lambda cell: isinstance(cell, str) and len(cell) > 1000,
    "white space": lambda cell: isinstance(cell, str) and cell != cell.strip(),
    "never declared": lambda cell: isinstance(cell, str) and cell.startswith("never"),
    "truth among numbers": lambda cell: cell is True,
    "beyond 64 bits": lambda cell: type(cell) is int and cell >= 2**63,
    "time zone": lambda cell: isinstance(cell, dt.datetime) and cell.tzinfo is not None,
    "no such day": lambda cell: cell == "2020-02-30",
}


@pytest.mark.parametrize("look", LOOKS)
@both
def test_a_look_at_an_odd_cell_is_seen(monkeypatch, schema, look):
    """Whatever is done on seeing such a cell: here a warning, as a library may give by itself."""
    right = frames.encode_table

    def encode(frame, schema):
        table = frame.astype(object)
        if any(LOOKS[look](cell) for name in table for cell in table[name]):
            warnings.warn("a cell was odd", stacklevel=1)
        return right(frame, schema)

    monkeypatch.setattr(frames, "encode_table", encode)
    assert "warnings, log lines or output differ" in faults(schema)


@pytest.mark.parametrize(
    "refused", [lambda frame: len(frame) == 1, lambda frame: not len(frame)], ids=["one", "none"]
)
def test_a_refusal_of_a_small_table_is_seen(monkeypatch, refused):
    right = frames.encode_table

    def encode(frame, schema):
        if refused(frame):
            warnings.warn("a small table", stacklevel=1)
        return right(frame, schema)

    monkeypatch.setattr(frames, "encode_table", encode)
    assert "warnings, log lines or output differ" in faults(ROWS)


@pytest.mark.parametrize("kind", ["string", "category", "Int64"])
def test_a_look_at_how_a_table_is_stored_is_seen_where_one_cell_changes_it(monkeypatch, kind):
    right = frames.encode_table

    def encode(frame, schema):
        stored = {str(each) for each in frame.dtypes}
        if kind in stored and pd.isna(frame.astype(object)).any(axis=None):
            warnings.warn("a gap", stacklevel=1)
        if kind in stored and len(frame) > kit.CROWD:
            warnings.warn("many", stacklevel=1)
        return right(frame, schema)

    monkeypatch.setattr(frames, "encode_table", encode)
    assert "warnings, log lines or output differ" in faults(ROWS)


def test_ids_told_apart_by_their_type_are_seen(monkeypatch):
    """A person would then have the rows of several."""
    monkeypatch.setattr(
        frames,
        "person_numbers",
        lambda ids: (
            pd.factorize(pd.Series([repr(each) for each in ids]))[0].astype("int64"),
            [repr(each).encode() for each in dict.fromkeys(map(repr, ids))],
        ),
    )
    assert any("moved further than declared" in each for each in faults(PERSONS))


@pytest.mark.parametrize("what", ["name", "bytes", "type"])
def test_files_of_a_model_that_differ_are_seen(monkeypatch, what):
    """Each depends on how many rows there were: a file more, another byte, a wider number."""
    from dpsynth.synthesizers.fitted import FittedModel

    held = {"rows": 0}
    right, save = frames.encode_table, FittedModel.save

    def encode(frame, schema):
        held["rows"] = len(frame)
        return right(frame, schema)

    def saved(self, folder):
        save(self, folder)
        wide = held["rows"] > kit.CROWD
        if what == "name":
            (folder / f"notes{wide:d}.txt").write_text("")
        if what == "bytes":
            (folder / "notes.txt").write_text("x" * wide)
        if what == "type":
            (folder / "notes.npy").write_bytes(b"<f8" if wide else b"<f4")

    monkeypatch.setattr(frames, "encode_table", encode)
    monkeypatch.setattr(FittedModel, "save", saved)
    words = "names of the model's files differ" if what == "name" else "bytes of the model's files"
    assert any(words in each for each in faults(ROWS))


@both
def test_tables_of_many_sizes_grow_by_one_person_at_a_time(schema):
    largest, *smaller = kit.grown_tables(schema, seed=0)
    for each in smaller:
        assert each.equals(largest.head(len(each)))
    sizes = [len(each) for each in (largest, *smaller)]
    assert sizes == sorted(sizes, reverse=True)
    assert all(len({rows // unit for rows in sizes}) > 1 for unit in (2, 5, 10, 100, 1_000))
    assert {rows % 2 for rows in sizes} == {0, 1}
