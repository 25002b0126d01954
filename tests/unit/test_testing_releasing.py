"""Releases of neighboring files: what is right looks the same, and every planted trace is seen."""

import logging
import warnings

import pytest

import dpsynth
from dpsynth.release import bundle, pipeline
from dpsynth.schema import Schema
from dpsynth.testing.releasing import replay_release

BUDGET = {"epsilon": "1", "delta": "1/1000000000"}
COLUMNS = [
    {"name": "age", "kind": "integer", "bounds": [0, 99], "bins": 4},
    {"name": "ward", "kind": "categorical", "values": ["a", "b"], "nullable": True},
    {"name": "cost", "kind": "continuous", "bounds": [0, 10], "bins": 3},
    {"name": "seen", "kind": "date", "bounds": ["2020-01-01", "2020-12-31"], "bins": 3},
    {"name": "pid", "kind": "identifier"},
]
SCHEMA = Schema.from_dict(
    {"columns": COLUMNS, "unit": {"kind": "person", "column": "pid", "max_rows": 3}}
)
OPENED = Schema.from_dict(
    {
        **SCHEMA.to_dict(),
        "columns": [*COLUMNS, {"name": "town", "kind": "categorical", "open": True}],
    }
)
UNLIKE = ("one person unlike all others",)


def unlike(worlds=UNLIKE, synthesizer=None, schema=SCHEMA):
    found = replay_release(synthesizer or dpsynth.Independent(), schema, worlds=worlds, **BUDGET)
    assert found
    return {each for pair in found for each in pair.unlike}


@pytest.mark.parametrize("name", ["independent", "mst"])
@pytest.mark.parametrize("schema", [SCHEMA, OPENED], ids=["declared", "open"])
def test_releases_of_all_worst_neighbors_look_the_same(name, schema):
    found = replay_release(dpsynth.synthesizer(name), schema, **BUDGET)
    assert len(found) > 10
    assert [(pair.world, pair.unlike) for pair in found if pair.unlike] == []
    assert {"synthetic.csv", "synthetic.parquet", "schema.toml", "plan.json", "ledger.json"} <= set(
        found[0].files
    )
    assert any(file.startswith("model") for file in found[0].files)


class Rows:
    """How many rows the release under way was read from."""

    def __init__(self, monkeypatch):
        self.count = 0
        right = pipeline_reader()

        def read(path, schema):
            frame = right(path, schema)
            self.count = len(frame)
            return frame

        monkeypatch.setattr("dpsynth.sources.files.read_table", read)


def pipeline_reader():
    from dpsynth.sources.files import read_table

    return read_table


@pytest.mark.parametrize(
    ("trace", "words"),
    [
        ("file", "names of public files differ"),
        ("bytes", "schema.toml differs"),
        ("type", "synthetic.parquet differs"),
        ("order", "synthetic.csv differs"),
        ("warning", "warnings, log lines"),
        ("log", "warnings, log lines"),
        ("output", "warnings, log lines"),
        ("crash", "ended otherwise"),
    ],
)
def test_a_trace_of_the_rows_in_what_is_written_or_said_is_seen(monkeypatch, trace, words):
    rows = Rows(monkeypatch)
    right = bundle.write_public

    def write(directory, *, synthetic, **given):
        many = rows.count > 12
        if trace == "type" and many:
            synthetic = synthetic.astype({"age": "int32"})
        if trace == "order" and many:
            synthetic = synthetic[list(synthetic)[::-1]]
        right(directory, synthetic=synthetic, **given)
        if trace == "file":
            (directory / f"notes-{rows.count}.txt").write_text("")
        if trace == "bytes":
            with (directory / "schema.toml").open("a") as stream:
                stream.write(" " * rows.count)
        if trace == "warning" and many:
            warnings.warn("this takes a while", stacklevel=1)
        if trace == "log":
            logging.getLogger("somewhere").info("%d rows", rows.count)
        if trace == "output" and many:
            print("many rows")  # noqa: T201  # what a forgotten line would do
        if trace == "crash" and many:
            raise ValueError("too many rows")

    monkeypatch.setattr(bundle, "write_public", write)
    assert any(words in each for each in unlike())


def test_another_question_about_the_neighbor_is_seen(monkeypatch):
    rows = Rows(monkeypatch)
    right = dpsynth.Independent.learn

    def learn(self, curator, **given):
        if rows.count > 12:
            curator._Curator__source.count((curator.domain.columns[0],))
        return right(self, curator, **given)

    monkeypatch.setattr(dpsynth.Independent, "learn", learn)
    assert any("the neighbor's rows" in each for each in unlike())


def test_a_ledger_of_a_replayed_release_says_that_its_noise_was_seeded(monkeypatch):
    marks = []
    right = pipeline.make_release

    def release(*given, **named):
        outcome = right(*given, **named)
        with dpsynth.Ledger.open(named["ledger"]) as book:
            marks.extend(entry.seeded for entry in book.entries())
        return outcome

    monkeypatch.setattr(pipeline, "make_release", release)
    unlike()
    assert marks
    assert all(marks)
