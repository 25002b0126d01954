"""What the default release is worth to a classifier, with fresh noise: Adult at epsilon 1."""

import importlib.util
import os
from pathlib import Path

import pytest

import dpsynth
from dpsynth.bench import runner_raw
from dpsynth.utility.downstream import measure, train

pytestmark = pytest.mark.nightly
ROOT = Path(dpsynth.__file__).parent.parent
DATA = Path(os.environ.get("DPSYNTH_DATA", ROOT.parent / "shared" / "data"))


@pytest.mark.skipif(not (DATA / "adult.parquet").is_file(), reason="needs Adult in DPSYNTH_DATA")
def test_the_default_release_of_adult_keeps_what_boosting_needs(monkeypatch):
    """The study measured 97.0 to 97.7 % over its five seeds; below 96.5 % something is broken."""
    monkeypatch.setenv("DPSYNTH_DATA", str(DATA))
    path = ROOT / "benchmarks" / "utility" / "classifiers.py"
    spec = importlib.util.spec_from_file_location("classifiers_study", path)
    study = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(study)
    held = study.table("adult")
    labels = held.task.labels(held.test, held.schema)
    job = {"name": "auto", "settings": {}, "epsilon": "1", "delta": study.DELTA, "seed": None}
    made = runner_raw.fitted(job, held.train, held.schema).sample()
    areas = [
        measure(train("boosting", rows, held.schema, held.task, seed=0).shares(held.test), labels)[
            "auroc"
        ]
        for rows in (made, held.train)
    ]
    assert areas[0] >= 0.965 * areas[1]
