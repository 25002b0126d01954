"""The benchmark: a tiny grid, run to its end, compared, shown; and what goes wrong in it."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dpsynth.bench import measure, peers, process

SUITE = """
format = "dpsynth-suite/1"
name = "tiny"
epsilon = [1, 10]
delta = 1e-9
seeds = [100, 101]

[[datasets]]
name = "small"
codes = "small.parquet"
sizes = "small.json"
target = "c"
positive = 1
"""
STANDS_IN = """
import os
import pandas as pd

def load(name):
    return {"stand-in": "1"}

def synthesize(job, frame):
    assert "PYTHONPATH" not in os.environ
    if job["settings"].get("fails"):
        raise ValueError("no such thing in /some/where/file.py")
    if job["settings"].get("dies"):
        os._exit(9)
    if job["settings"].get("strays"):
        return frame.assign(a=float("nan"))
    if job["settings"].get("drops"):
        return frame.drop(columns="a")
    return frame
"""


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(1)
    a = rng.integers(0, 4, 400)
    frame = pd.DataFrame({"a": a, "b": rng.integers(0, 3, 400), "c": (a > 1).astype(int)})
    frame.to_parquet(tmp_path / "small.parquet")
    (tmp_path / "small.json").write_text('{"a": 4, "b": 3, "c": 2}', encoding="utf-8")
    return tmp_path


@pytest.fixture
def bench(folder, run):
    """Run the tiny suite with something added or replaced."""

    def bench(*options, more="", **replaced):
        text = SUITE + more
        for name, value in replaced.items():
            text = re.sub(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
        (folder / "tiny.toml").write_text(text, encoding="utf-8")
        out = folder / "results.jsonl"
        return run("bench", "run", folder / "tiny.toml", "--out", out, *options)

    return bench


@pytest.fixture
def stand_in(folder, monkeypatch):
    """Let our own Python and a small script stand in for dpmm and its environment."""
    script = folder / "runner.py"
    script.write_text(STANDS_IN, encoding="utf-8")
    monkeypatch.setattr(peers, "interpreter", lambda peer, at: Path(sys.executable))
    monkeypatch.setattr(peers, "runner", lambda peer: script)

    def entry(**settings):
        words = ", ".join(f"{name} = true" for name in settings)
        return f'[[synthesizers]]\nname = "mst"\npeer = "dpmm"\nsettings = {{ {words} }}\n'

    return entry


def test_a_grid_is_run_once_and_can_be_compared_and_drawn(bench, run, folder):
    done = bench("--json", more='[[synthesizers]]\nname = "mst"\n')
    assert done.code == 0, done.err
    assert (done.json["cells"], done.json["ran"], done.json["failed"]) == (10, 10, 0)
    assert "... 10 of 10: small, mst, epsilon 10, run 101" in done.err
    mst = next(each for each in done.json["records"] if each["synthesizer"] == "mst")
    assert {"tvd1", "tvd2", "tvd3", "cpu_seconds", "wall_seconds", "peak_mib"} <= set(mst)
    assert (mst["seed"], mst["rows"], mst["columns"], mst["rows_outside"]) == (100, 400, 3, 0)
    assert mst["versions"]["dpsynth"]
    assert 20 < mst["peak_mib"] < 1_000
    assert 0 < mst["cpu_seconds"] <= mst["process_cpu_seconds"]

    again = bench("--json", more='[[synthesizers]]\nname = "mst"\n')
    assert again.json["ran"] == 0
    assert again.json["records"] == done.json["records"]
    more = bench("--json", more='[[synthesizers]]\nname = "mst"\n', seeds="[100, 102]")
    assert (more.json["cells"], more.json["ran"]) == (10, 5)

    results = folder / "results.jsonl"
    words = ("bench", "compare", results, "--challenger", "mst", "--comparator", "independent")
    few = run(*words, "--json", "--strict")
    assert few.code == 1
    assert {each["verdict"] for each in few.json["comparisons"]} == {"too few seeds"}
    judged = run(*words, "--least-seeds", "3")
    assert judged.code == 0
    assert "never above" in judged.out
    assert run(*words, "--least-seeds", "3", "--tolerance", "0.5", "--strict").code == 0

    shown = run("bench", "table", results, "--plots", folder / "plots")
    assert shown.code == 0
    assert shown.out.startswith("### small, 400 x 3\n\n| epsilon | synthesizer | runs | tvd1 |")
    assert {path.name for path in (folder / "plots").iterdir()} == {
        "small-tvd2-epsilon.svg",
        "small-tvd2-cpu.svg",
    }
    assert run("bench", "table", results, "--json").json["plots"] == []


def test_a_seed_gives_the_same_numbers_and_fresh_noise_does_not(bench, folder):
    def errors(**replaced):
        (folder / "results.jsonl").unlink(missing_ok=True)
        done = bench("--json", epsilon="1", **replaced)
        return [
            (each["seed"], each["tvd2"])
            for each in done.json["records"]
            if each["synthesizer"] == "independent"
        ]

    seeded = errors()
    assert seeded == errors()
    assert [seed for seed, _ in seeded] == [100, 101]
    fresh = SUITE.replace("seeds = [100, 101]", "fresh = 2")
    (folder / "results.jsonl").unlink()
    path = folder / "fresh.toml"
    path.write_text(fresh, encoding="utf-8")
    from dpsynth.bench.suite_file import read_suite

    outcome = measure.run(read_suite(path), results=folder / "f.jsonl", peers_folder=folder)
    noisy = [each for each in outcome.records if each["synthesizer"] == "independent"]
    assert {each["seed"] for each in noisy} == {None}
    assert len({each["tvd2"] for each in noisy}) == len(noisy) == 4


def test_pure_claims_are_made_where_there_is_a_pure_form(bench):
    more = '[[synthesizers]]\nname = "mst"\n'
    done = bench("--json", more=more, epsilon="10", delta="0", seeds="[100]")
    status = {each["synthesizer"]: each["status"] for each in done.json["records"]}
    assert status == {"resample": "ok", "independent": "ok", "mst": "failed"}
    assert "no claim with delta 0" in done.json["records"][-1]["failure"]


def test_halves_and_targets_are_held_out(bench, folder):
    suite = {"epsilon": "10", "seeds": '[100]\nprotocol = "half"'}
    half = bench("--json", **suite).json["records"]
    assert {each["rows"] for each in half} == {200}
    assert all(each["heldout_tvd2"] > 0 for each in half)
    suite = {"epsilon": "10", "seeds": '[100]\nprotocol = "target"'}
    target = bench("--json", more='[[synthesizers]]\nname = "mst"\n', **suite).json["records"]
    assert {each["rows"] for each in target} == {320}
    area = {each["synthesizer"]: each["auc"] for each in target}
    assert area["resample"] == 1
    assert area["mst"] > 0.9


RAW_SCHEMA = """
target = "c"
expected_rows = 400

[[columns]]
name = "a"
kind = "integer"
bounds = [0, 3]

[[columns]]
name = "c"
kind = "categorical"
values = [0, 1]
"""


def test_a_table_with_a_schema_is_measured_as_a_user_would_use_it(folder, run, monkeypatch):
    pd.read_parquet(folder / "small.parquet")[["c", "a"]].to_parquet(folder / "raw.parquet")
    about = '{"file": "raw.parquet", "columns": []}'
    (folder / "raw.json").write_text(about, encoding="utf-8")
    (folder / "raw.toml").write_text(f'format = "dpsynth-schema/1"{RAW_SCHEMA}', encoding="utf-8")
    head = SUITE.partition("[[datasets]]")[0].replace("[1, 10]", "10").replace(", 101", "")
    (folder / "tiny.toml").write_text(
        head + 'protocol = "target"\n[[datasets]]\nname = "raw"\nschema = "raw.toml"\n'
        '[[synthesizers]]\nname = "test"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("DPSYNTH_DATA", str(folder))
    out = folder / "results.jsonl"
    done = run("bench", "run", folder / "tiny.toml", "--out", out, "--json")
    held = {each["synthesizer"]: each for each in done.json["records"]}
    assert {each["failure"] for each in held.values()} == {None}
    assert (held["test"]["rows"], held["test"]["columns"], held["test"]["codes"]) == (320, 2, 6)
    assert held["test"]["rows_drawn"] == 80
    assert held["test"]["auc"] == held["resample"]["auc"] == 1  # c is a above 1
    own = held["independent"]
    assert 0 < own["fit_cpu_seconds"] < own["cpu_seconds"]
    assert own["cpu_seconds"] == pytest.approx(
        own["fit_cpu_seconds"] + own["sample_cpu_seconds"], abs=0.05
    )


def test_a_reference_needs_a_schema(bench):
    done = bench(more='\n[[synthesizers]]\nname = "train"\n')
    assert done.code != 0
    assert "'train' needs a table with a schema" in done.err


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("fails", "ValueError: no such thing in file.py"),
        ("dies", "exit code 9: it said nothing"),
        ("drops", "the synthetic table has no column 'a'"),
    ],
)
def test_a_peer_that_fails_is_a_line_and_the_others_go_on(bench, stand_in, setting, said):
    suite = {"epsilon": "1", "seeds": "[100]"}
    done = bench("--json", more=stand_in(**{setting: True}), **suite)
    assert done.code == 0, done.err
    assert (done.json["ran"], done.json["failed"]) == (3, 1)
    assert f"warning: dpmm-mst on small at epsilon 1, run 100: {said}" in done.err
    failed = done.json["records"][-1]
    assert (failed["status"], failed["failure"]) == ("failed", said)
    assert "tvd2" not in failed
    again = bench("--json", more=stand_in(**{setting: True}), **suite)
    assert again.json["ran"] == 0
    retried = bench("--json", "--retry", more=stand_in(**{setting: True}), **suite)
    assert retried.json["ran"] == 1
    shown = bench(more=stand_in(**{setting: True}), **suite)
    assert f"| 1 | dpmm-mst | 0, 1 failed ({said})" in shown.out


def test_a_run_is_ended_at_its_limit_with_all_that_it_started(tmp_path):
    sleeps = "import subprocess, sys, time; "
    sleeps += "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
    command = [sys.executable, "-c", sleeps + "time.sleep(600)"]
    with pytest.raises(process.RunFailedError, match=r"not finished after 0\.5 s"):
        process.finish(command, {}, folder=tmp_path, limit_seconds=0.5)


def test_a_peer_is_measured_like_ourselves(bench, stand_in):
    done = bench("--json", more=stand_in(), epsilon="1", seeds="[100]")
    peer = done.json["records"][-1]
    assert (peer["peer"], peer["tvd2"], peer["rows_outside"]) == ("dpmm", 0, 0)
    assert peer["versions"]["stand-in"] == "1"
    strays = bench("--json", more=stand_in(strays=True), epsilon="1", seeds="[100]")
    peer = strays.json["records"][-1]
    assert (peer["rows_outside"], peer["tvd1"]) == (400, pytest.approx(1 / 3, abs=1e-6))


def test_a_peer_that_is_not_installed_is_said_and_tried_again(bench, folder):
    entry = '[[synthesizers]]\nname = "aim"\npeer = "dpmm"\n'
    for ran in (3, 1):
        done = bench("--json", "--peers", folder, more=entry, epsilon="1", seeds="[100]")
        assert done.json["records"][-1]["failure"] == process.NOT_INSTALLED
        assert done.json["ran"] == ran


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('[[synthesizers]]\nname = "mts"\n', "no synthesizer is called 'mts'"),
        ('[[synthesizers]]\nname = "mst"\nsettings = { a = 1 }\n', "mst has no setting 'a'"),
        ('[[synthesizers]]\nname = "mst"\npeer = "pgm"\n', "no peer is called 'pgm'"),
        ('[[synthesizers]]\nname = "gan"\npeer = "dpmm"\n', "dpmm has no synthesizer 'gan'"),
        ('[[synthesizer]]\nname = "mst"\n', "no key is called 'synthesizer'"),
    ],
)
def test_what_can_be_seen_to_fail_is_refused_before_anything_runs(bench, folder, more, said):
    done = bench(more=more)
    assert done.code == 2
    assert said in done.err
    assert not (folder / "results.jsonl").exists()


def test_results_are_refused_where_they_cannot_be(bench, run, folder):
    assert bench("--out", folder / "none" / "r.jsonl").code == 2
    broken = folder / "broken.jsonl"
    broken.write_text("{}\n", encoding="utf-8")
    assert bench("--out", broken).code == 5
    assert run("bench", "table", folder / "none.jsonl").code == 2
    words = ("bench", "compare", broken, "--challenger", "a", "--comparator", "b")
    assert run(*words, "--tolerance", "2").code == 2
    assert run(*words, "--least-seeds", "1").code == 2


@pytest.mark.parametrize(
    "command", [["table"], ["compare", "--challenger", "a", "--comparator", "b"]]
)
def test_a_metric_that_there_is_not_is_refused(command, run, tmp_path):
    (tmp_path / "none.jsonl").touch()
    result = run("bench", *command, str(tmp_path / "none.jsonl"), "--metric", "tvd9")
    assert result.code == 2
    assert "no metric is called 'tvd9'; there are: tvd1, " in result.err


def test_a_line_that_a_crash_left_is_run_again(bench, folder):
    first = bench("--json", epsilon="1", seeds="[100]")
    path = folder / "results.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text(lines[0] + "\n" + lines[1][:50], encoding="utf-8")
    again = bench("--json", epsilon="1", seeds="[100]")
    assert (first.json["ran"], again.json["ran"]) == (2, 1)
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2


def test_peers_are_listed_and_refused_by_name(run, folder):
    listed = run("bench", "peers", "list", "--into", folder, "--json").json["peers"]
    assert {each["name"] for each in listed} == set(peers.PEERS)
    assert not any(each["installed"] for each in listed)
    assert "dpmm" in run("bench", "peers", "list", "--into", folder).out
    assert run("bench", "peers", "install", "pgm", "--into", folder).code == 2
    (folder / "dpmm").mkdir()
    done = run("bench", "peers", "install", "dpmm", "--into", folder)
    assert done.code == 2
    assert "is there already" in done.err


def test_a_failed_install_leaves_nothing_behind(run, folder, monkeypatch):
    wrong = peers.Peer(name="wrong", runner="runner_dpmm.py", synthesizers=("mst",), license="none")
    monkeypatch.setitem(peers.PEERS, "wrong", wrong)  # it has no requirements
    done = run("bench", "peers", "install", "wrong", "--into", folder, "--json")
    assert done.code == 6
    assert "installing for wrong failed" in done.json["error"]
    assert not (folder / "wrong").exists()


@pytest.mark.parametrize("name", sorted(peers.PEERS))
def test_every_peer_is_pinned_and_has_a_runner(name):
    peer = peers.PEERS[name]
    lines = peer.requirements.read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pins)
    assert {name, "pandas", "pyarrow"} <= {line.partition("==")[0] for line in pins}
    script = (peers.HERE / peer.runner).read_text(encoding="utf-8")
    assert "def load(name" in script
    work = "attack" if peer.attacks else "measure" if peer.measures else "synthesize"
    assert f"def {work}(job" in script
    assert "import dpsynth" not in script
    assert "from dpsynth" not in script


def test_the_suites_that_are_recorded_can_be_read_and_their_results_too():
    from dpsynth.bench import records
    from dpsynth.bench.suite_file import read_suite

    root = Path(measure.__file__).parents[2] / "benchmarks"
    suites = {suite.name: suite for suite in map(read_suite, root.glob("suites/*.toml"))}
    assert suites
    for path in root.glob("results/*.jsonl"):
        found = records.read([path])
        assert {each["suite"] for each in found} <= set(suites)
        assert json.dumps(found)
