"""The demo: a real table, the usual commands, a certificate that holds; and a second run."""

import tomllib

import pandas as pd
import pytest

from dpsynth.demo import nhefs


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DPSYNTH_HOME", str(tmp_path / "home"))
    return tmp_path


def test_the_demo_releases_verifies_and_can_be_run_again(run, folder):
    first = run("demo", "--folder", folder)
    assert first.code == 0, first.err
    assert f"{folder}/demo-release/public/report.html" in first.out
    assert (
        "Verdict: PASS: every required audit of the mechanism passed and the policy "
        "dpsynth-default/2 is met." in first.out
    )
    assert "$ dpsynth release" in first.err
    assert not (folder / "home").exists(), "the demo makes no key in the user's home"
    table = pd.read_parquet(folder / "demo-release" / "public" / "synthetic.parquet")
    assert tuple(table.columns) == nhefs.COLUMNS
    assert not set(table["seqn"]) & set(nhefs.load()["seqn"]), "person numbers are generated"
    again = run("demo", "--folder", folder, "--json")
    assert again.code == 0, again.err
    assert again.json["verdict"] == "PASS"


@pytest.mark.parametrize("name", ["demo-release", "demo-data"])
def test_it_removes_nothing_that_it_did_not_make(run, folder, name):
    mine = folder / name / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine", encoding="utf-8")
    done = run("demo", "--folder", folder)
    assert done.code == 2
    assert f"{name} was not made by the demo" in done.err
    assert mine.read_text(encoding="utf-8") == "mine"
    assert sorted(path.name for path in folder.iterdir()) == [name]


def test_a_changed_release_is_kept(run, folder):
    assert run("demo", "--folder", folder).code == 0
    (folder / "demo-release" / "public" / "notes.txt").write_text("mine", encoding="utf-8")
    before = (folder / "demo-data" / "nhefs.sqlite").read_bytes()
    assert run("demo", "--folder", folder).code == 2
    assert (folder / "demo-data" / "nhefs.sqlite").read_bytes() == before


def test_its_schema_is_closed_and_says_where_each_fact_is_from():
    schema = nhefs.schema()
    assert schema.open_items() == ()
    assert not schema.is_conditional
    assert tuple(column.name for column in schema.columns) == nhefs.COLUMNS
    for column in tomllib.loads(nhefs.schema_text())["columns"]:
        if column["kind"] != "identifier":
            assert column["provenance"], column["name"]
            assert all(origin["note"] for origin in column["provenance"].values())


def test_without_the_extra_it_says_what_to_type(run, folder, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "causaldata", None)
    done = run("demo", "--folder", folder)
    assert done.code == 6
    assert "pip install 'dpsynth[demo]'" in done.err
