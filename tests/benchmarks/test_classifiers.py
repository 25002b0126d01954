"""The study of classifiers: every run is there once, and what matters most comes first."""

import importlib.util
import json
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.bench import records
from dpsynth.synthesizers import registry

HOME = Path(dpsynth.__file__).parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def study():
    path = HOME / "utility" / "classifiers.py"
    spec = importlib.util.spec_from_file_location("classifiers_study", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_synthesizer_table_budget_and_seed_is_run_once(study):
    cells = list(study.cells())
    assert len({cell.key for cell in cells}) == len(cells)
    found = {(c.contender.label, c.dataset.name, c.epsilon, c.seed) for c in cells}
    private = {f"diffprivlib-{name}" for name in study.PRIVATE}
    labels = {*registry.BUILT_IN, *private, "auto, target"}
    wanted = set(product(labels, study.POSITIVE, study.EPSILONS, study.SEEDS))
    wanted |= set(product(("train", "shuffled"), study.POSITIVE, (None,), study.SEEDS))
    assert found == wanted
    first = cells[: len(study.SEEDS)]
    assert {(c.contender.label, c.dataset.name, c.epsilon) for c in first} == {
        ("auto", "adult", "1")
    }


def test_its_seeds_decide_nothing_else(study):
    for path in (HOME / "suites").glob("*.toml"):
        text = path.read_text(encoding="utf-8")
        assert not [seed for seed in study.SEEDS if str(seed) in text], path.name


def test_runs_are_recorded_once_and_failures_too(study, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    rows = 400
    age = rng.integers(30, 80, rows)
    frame = pd.DataFrame(
        {
            "site": rng.choice(["cleveland", "va"], rows),
            "age": age,
            "sex": rng.integers(0, 2, rows),
            "cp": rng.integers(1, 5, rows),
            **{name: pd.array([pd.NA] * rows, dtype="Int64") for name in EMPTY},
            "num": np.where(age + rng.normal(0, 5, rows) > 55, 1, 0),
        }
    )
    frame.to_parquet(tmp_path / "heart_disease.parquet")
    about = {"file": "heart_disease.parquet", "columns": []}
    (tmp_path / "heart_disease.json").write_text(json.dumps(about))
    monkeypatch.setenv("DPSYNTH_DATA", str(tmp_path))
    wanted = [
        cell
        for cell in study.cells()
        if (cell.dataset.name, cell.seed) == ("heart_disease", study.SEEDS[0])
        and (cell.contender.name, cell.epsilon) in {("train", None), ("direct", "1")}
    ]
    monkeypatch.setattr(study, "cells", lambda: iter(wanted))
    out = tmp_path / "out.jsonl"
    study.run(out)
    real, direct = records.read([out])
    assert real["status"] == records.OK
    assert real["boosting_auroc"] > 0.8
    assert real["rows"] == 320
    assert direct["status"] == records.FAILED
    assert "direct counts every combination" in direct["failure"]
    size = out.stat().st_size
    with out.open("a") as file:
        file.write('{"key": "what a crash left')
    study.run(out)
    assert out.stat().st_size == size
    assert "none train: 1 of 1" in study.plan(out)
    # What failed for want of a package is run again, once it is there.
    wanting = {**direct, "failure": "UnfitEnvironmentError: it needs more: pip install x"}
    records.append(out, wanting)
    assert "1 direct: 0 of 1" in study.plan(out)


EMPTY = ("trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak", "slope", "ca", "thal")
