"""``dpsynth evaluate``: what it writes, where it looks, and what it refuses."""

import json
import stat

import numpy as np
import pandas as pd
import pytest

from dpsynth.utility.scores import Evaluation


@pytest.fixture
def files(world):
    """Three tables like the world's own."""
    for seed, name in enumerate(("synthetic", "real", "holdout")):
        rng = np.random.default_rng(seed)
        age = rng.integers(0, 101, 120)
        table = {"age": age, "sex": rng.choice(["f", "m"], 120), "ill": rng.random(120) < age / 150}
        pd.DataFrame(table).to_csv(world.folder / f"{name}.csv", index=False)
    return world


def evaluate(world, *more, leave=(), **changed):
    options = (
        {name: world.folder / f"{name}.csv" for name in ("synthetic", "real", "holdout")}
        | {"schema": world.schema, "out": world.folder / "found"}
        | changed
    )
    words = [
        word
        for name, value in options.items()
        if name not in leave
        for word in (f"--{name}", str(value))
    ]
    return world.run("evaluate", *words, *more)


def test_writes_an_internal_folder_and_registers_the_look(files):
    done = evaluate(files, "--json", ledger=files.ledger)
    assert done.code == 0, done.err
    folder = files.folder / "found"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    document = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    keys = [section["key"] for section in document["sections"]]
    assert keys[:2] == ["marginals", "hellinger"]
    assert Evaluation.from_dict(document).to_dict() == document
    said = done.json
    assert said["directory"] == str(folder)
    assert [section["scores"] for section in said["sections"]] == [
        section["scores"] for section in document["sections"]
    ]
    looks = files.run("ledger", "show", files.ledger, "--json").json
    assert json.dumps(looks).count("utility evaluation") == 1
    assert looks["entries"] == []


def test_the_screen_shows_value_between_floor_and_ceiling(files):
    done = evaluate(files)
    assert done.code == 0, done.err
    assert "mean total variation, pairs of columns" in done.out
    assert "for the custodian alone" in done.out
    assert "telling synthetic from real rows" in done.err
    assert "120" not in done.err  # a count of rows


def refused(world, done, code, *words):
    assert done.code == code, done.err
    said = [line for line in done.err.splitlines() if line.startswith("dpsynth: ")]
    assert len(said) == 1, done.err
    for word in words:
        assert word in said[0], said[0]
    assert done.out == ""
    assert not [name for name in world.names() if name.startswith((".", "found"))]


def test_without_a_holdout_there_is_no_ceiling(files):
    refused(files, evaluate(files, leave=["holdout"]), 2, "--holdout", "not learnt from")


def test_what_is_asked_must_be_declared(files):
    refused(files, evaluate(files, task="charm"), 4, "no column is called 'charm'")
    refused(files, evaluate(files, subgroup="charm"), 4, "no column is called 'charm'")
    refused(files, evaluate(files, task="age"), 2, "column 'age' has no declared list of values")
    refused(files, evaluate(files, task="sex", positive="x"), 2, "declares no value 'x'")


def test_a_task_is_told_of_in_a_section_of_its_own(files):
    done = evaluate(files, "--json", task="sex", positive="f")
    assert done.code == 0, done.err
    found = next(each for each in done.json["sections"] if each["key"] == "downstream")
    assert "Predicted is sex: f against m." in found["notes"][0]
    assert {score["name"] for score in found["scores"]} >= {
        f"{model}: AUROC"
        for model in ("logistic regression", "gradient boosting", "neural network")
    }
    assert "training classifiers on each table" in done.err


def test_survival_and_subgroups_get_sections_where_they_are_named(files):
    done = evaluate(
        files, "--survival", "age", "ill", "--subgroup", "sex", "--subgroup", "age", "--json"
    )
    assert done.code == 0, done.err
    folder = files.folder / "found"
    document = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    sections = {section["key"]: section for section in document["sections"]}
    lines = sections["survival"]["tables"]["curves"]["lines"]
    assert set(lines) == {"real", "synthetic", "holdout"}
    columns = [record["column"] for record in sections["subgroups"]["tables"]["groups"]]
    assert columns[:3] == ["sex", "sex", "age"]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Kaplan-Meier gap" in page
    assert "2 groups" in page


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["age"], 2, "--survival"),
        (["charm", "ill"], 4, "no column is called 'charm'"),
        (["sex", "ill"], 4, "column 'sex' holds no numbers"),
        (["age", "sex"], 4, "column 'sex' does not say which value is the event"),
    ],
)
def test_survival_needs_a_time_and_an_event(files, words, code, said):
    refused(files, evaluate(files, "--survival", *words), code, said)


def test_a_large_file_is_counted_whole_and_persons_are_drawn(files, monkeypatch):
    monkeypatch.setattr("dpsynth.sources.reading.LARGE_CELLS", 1)
    held = pd.read_csv(files.folder / "synthetic.csv")
    held.to_parquet(files.folder / "large.parquet", index=False)
    done = evaluate(files, "--persons", "60", synthetic=files.folder / "large.parquet")
    assert done.code == 0, done.err
    folder = files.folder / "found"
    document = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    drawn, counted = document["notes"]
    assert "were drawn by a keyed hash" in drawn
    assert counted.startswith(f"Single columns were counted in all {len(held):,} rows")
    assert document["rows"]["synthetic"] == len(held)
    page = (folder / "report.html").read_text(encoding="utf-8")
    for sentence in (drawn, counted):
        assert sentence in done.out
        assert sentence in page


def test_a_table_that_lacks_a_column_is_refused(files):
    short = files.folder / "short.csv"
    pd.read_csv(files.folder / "real.csv").drop(columns="sex").to_csv(short, index=False)
    refused(files, evaluate(files, real=short), 4, "sex")


def test_nothing_is_overwritten(files):
    (files.folder / "there").mkdir()
    done = evaluate(files, out=files.folder / "there")
    assert done.code == 2
    assert "nothing is ever overwritten" in done.err


def test_a_failure_leaves_nothing_behind(files, monkeypatch):
    from attacks.gate import Gate

    def fails(*_):
        raise ArithmeticError("age 57")

    monkeypatch.setattr(Gate, "report_utility", fails, raising=False)
    done = evaluate(files)
    assert done.code == 70
    assert "57" not in done.err
    assert not [name for name in files.names() if name.startswith((".", "found"))]
