"""Results are recorded anew in one command, and what peers did stays."""

import runpy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

import dpsynth
from dpsynth.bench import records
from dpsynth.bench.suite_file import read_suite

TOOL = Path(dpsynth.__file__).parent.parent / "tools" / "record_benchmarks.py"
SUITE = """
format = "dpsynth-suite/1"
name = "tiny"
epsilon = 1
delta = "1e-9"
seeds = [100]

[[datasets]]
name = "t"
codes = "t.parquet"
sizes = "t.json"

[[synthesizers]]
name = "mst"
peer = "dpmm"

[[synthesizers]]
name = "aim"
peer = "dpmm"

[[synthesizers]]
name = "mst"
"""


def test_own_results_are_made_anew_and_those_of_peers_stay(tmp_path):
    (tmp_path / "suites").mkdir()
    (tmp_path / "results").mkdir()
    path = tmp_path / "suites" / "tiny.toml"
    path.write_text(SUITE, encoding="utf-8")
    frame = pd.DataFrame({"a": np.arange(60) % 3, "b": np.arange(60) % 2})
    frame.to_parquet(path.with_name("t.parquet"))
    path.with_name("t.json").write_text('{"a": 3, "b": 2}', encoding="utf-8")
    cells = {cell.contender.label: cell for cell in read_suite(path).cells()}
    results = tmp_path / "results" / "tiny.jsonl"
    for label, peer in (("mst", None), ("dpmm-mst", "dpmm"), ("gone", "dpmm")):
        key = cells[label].key if label in cells else "0"
        old = {"format": records.FORMAT, "key": key, "synthesizer": label, "peer": peer}
        records.append(results, old | {"status": "ok", "commit": "old"})
    tool = runpy.run_path(str(TOOL))
    tool["record"].__globals__["HOME"] = tmp_path
    with ThreadPoolExecutor(max_workers=2) as pool:
        assert tool["record"]("tiny", pool).finish() == "tiny: 4 records, 0 of them failures"
    made = [(each["synthesizer"], each["commit"] == "old") for each in records.read([results])]
    # In the order of the suite; a peer without a record is no line, one that is not listed goes.
    assert made == [
        ("resample", False),
        ("independent", False),
        ("dpmm-mst", True),
        ("mst", False),
    ]
    assert list(results.parent.iterdir()) == [results]


def test_a_suite_that_lacks_a_package_stays_as_it_is(tmp_path, monkeypatch, capsys):
    (tmp_path / "suites").mkdir()
    path = tmp_path / "suites" / "tiny.toml"
    path.write_text(SUITE + '\n[[synthesizers]]\nname = "made"\n', encoding="utf-8")
    monkeypatch.setattr("dpsynth.synthesizers.deep.find_spec", lambda name: None)
    tool = runpy.run_path(str(TOOL))
    tool["record_all"].__globals__["HOME"] = tmp_path
    tool["record_all"](["tiny"], jobs=1)
    assert "tiny: left as it is, because made needs torch" in capsys.readouterr().out
    assert not (tmp_path / "results").exists()
