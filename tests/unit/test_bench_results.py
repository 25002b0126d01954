"""Records are appended and read back; comparisons and tables are those of known numbers."""

import json

import numpy as np
import pytest

from dpsynth.bench import records, table
from dpsynth.bench.compare import compare, interval
from dpsynth.errors import IntegrityError, UsageError


def record(label, run, value, *, epsilon="1", dataset="t", **more):
    return {
        "format": records.FORMAT,
        "key": f"{label}{run}{epsilon}{dataset}",
        "dataset": dataset,
        "rows": 1_234,
        "columns": 5,
        "synthesizer": label,
        "epsilon": epsilon,
        "delta": None if epsilon is None else "1e-9",
        "seed": run,
        "run": run,
        "protocol": "whole",
        "status": "ok",
        "failure": None,
        "commit": "abc1234",
        "machine": "a machine, 2 cores",
        "tvd2": value,
        "cpu_seconds": 10 * value,
        **more,
    }


def paired(differences, *, base=1.0):
    theirs = [record("old", run, base) for run in range(len(differences))]
    return theirs + [record("new", run, base + d) for run, d in enumerate(differences)]


# Ten differences of mean 0.01 and standard deviation 0.02 (with n - 1); Student's 2.262 at 9
# degrees of freedom gives a reach of 2.262 * 0.02 / sqrt(10) = 0.014307.
KNOWN = 0.01 + 0.02 * np.array([-1.0, 1.0] * 5) * np.sqrt(9 / 10)


def test_the_interval_is_students():
    low, high = interval(KNOWN)
    assert low == pytest.approx(0.01 - 0.014307, abs=1e-5)
    assert high == pytest.approx(0.01 + 0.014307, abs=1e-5)
    assert interval(KNOWN[:1]) == (None, None)


@pytest.mark.parametrize(
    ("tolerance", "verdict"), [(0.02, "above"), (0.024, "above"), (0.025, "never above")]
)
def test_never_above_asks_the_upper_end(tolerance, verdict):
    (found,) = compare(paired(KNOWN), challenger="new", comparator="old", tolerance=tolerance)
    assert found.difference == pytest.approx(0.01)
    assert (found.pairs, found.verdict) == (10, verdict)


def test_a_verdict_needs_seeds():
    (found,) = compare(paired(KNOWN[:9] * 0), challenger="new", comparator="old")
    assert found.verdict == "too few seeds"
    assert not found.holds


def test_only_seeds_that_both_finished_are_paired():
    runs = paired(np.zeros(12))
    runs[3] |= {"status": "failed"}
    runs.append(record("new", 99, 5.0))
    (found,) = compare(runs, challenger="new", comparator="old")
    assert (found.pairs, found.difference, found.verdict) == (11, 0, "never above")


def test_pairing_takes_out_what_seeds_share():
    shared = np.random.default_rng(0).normal(1, 0.3, 10)
    runs = [record("old", run, value) for run, value in enumerate(shared)]
    runs += [record("new", run, value * 0.99) for run, value in enumerate(shared)]
    (found,) = compare(runs, challenger="new", comparator="old")
    assert found.verdict == "never above"


def test_the_floor_is_compared_with_every_budget():
    runs = [record("resample", run, 0.5, epsilon=None) for run in range(10)]
    runs += [record("new", run, 1.0, epsilon=e) for run in range(10) for e in ("1", "10")]
    found = compare(runs, challenger="new", comparator="resample")
    assert [(each.epsilon, each.verdict) for each in found] == [("1", "above"), ("10", "above")]


def test_more_is_better_for_an_area():
    runs = [record("old", run, 1, auc=0.9) for run in range(10)]
    runs += [record("new", run, 1, auc=0.89) for run in range(10)]
    (found,) = compare(runs, challenger="new", comparator="old", metric="auc")
    assert found.verdict == "never below"
    (found,) = compare(runs, challenger="new", comparator="old", metric="auc", tolerance=0.01)
    assert found.verdict == "below"


def test_nothing_to_compare_is_an_error():
    with pytest.raises(UsageError, match="share no table"):
        compare(paired(KNOWN), challenger="new", comparator="older")
    with pytest.raises(UsageError, match="no metric is called 'tvd9'"):
        compare(paired(KNOWN), challenger="new", comparator="old", metric="tvd9")


def test_records_are_appended_and_the_latest_of_a_run_is_read(tmp_path):
    path = tmp_path / "r.jsonl"
    for value in (1.0, 2.0):
        records.append(path, record("mst", 1, value))
    records.append(path, record("mst", 2, 3.0))
    assert [each["tvd2"] for each in records.read([path])] == [2.0, 3.0]


def test_a_line_that_a_crash_left_is_passed_over_and_removed(tmp_path):
    path = tmp_path / "r.jsonl"
    records.append(path, record("mst", 1, 1.0))
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"format": "dpsy')
    assert len(records.read([path])) == 1
    records.drop_unfinished_line(path)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("line", ["not json", "[]", '{"format": "other", "key": "a"}'])
def test_what_is_no_record_is_refused(tmp_path, line):
    path = tmp_path / "r.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(IntegrityError, match="line 1"):
        records.read([path])


def some():
    runs = [record("resample", run, 0.01, epsilon=None) for run in (1, 2)]
    runs += [record("mst", run, 0.1 * run, epsilon=e) for run in (1, 2) for e in ("10", "0.1")]
    failed = record("aim|x", 1, 0, epsilon="10", status="failed", failure="not finished after 9 s")
    del failed["tvd2"], failed["cpu_seconds"]
    return [*runs, failed]


def test_the_table_has_means_spreads_and_failures():
    text = table.markdown(some())
    assert text.splitlines() == [
        "### t, 1,234 x 5",
        "",
        "| epsilon | synthesizer | runs | tvd2 | cpu_seconds |",
        "| --- | --- | ---: | ---: | ---: |",
        "| none | resample | 2 | 0.0100 ± 0.0000 | 0.10 |",
        "| 0.1 | mst | 2 | 0.1500 ± 0.0500 | 1.50 |",
        "| 10 | mst | 2 | 0.1500 ± 0.0500 | 1.50 |",
        "| 10 | aim\\|x | 0, 1 failed (not finished after 9 s) |  |  |",
        "",
        "delta 1e-9; seeds 1 to 2; commit abc1234; a machine, 2 cores.",
    ]


def test_plots_are_the_same_on_every_run(tmp_path):
    drawn = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        paths = table.plots(some(), tmp_path / name)
        drawn.append([path.read_bytes() for path in paths])
    assert [path.name for path in paths] == ["t-tvd2-epsilon.svg", "t-tvd2-cpu.svg"]
    assert drawn[0] == drawn[1]
    assert b"resample, not private" in drawn[0][0]
    assert b"mst" in drawn[0][1]


def test_plots_and_tables_need_results(tmp_path):
    with pytest.raises(UsageError, match="no result to show"):
        table.markdown([])
    with pytest.raises(UsageError, match="no result has tvd3"):
        table.plots(some(), tmp_path, metric="tvd3")
    with pytest.raises(UsageError, match="no metric"):
        table.plots(some(), tmp_path, metric="nothing")


def test_a_record_is_one_line_of_plain_json(tmp_path):
    path = tmp_path / "r.jsonl"
    records.append(path, record("mst", 1, 1.0, failure="two\nlines"))
    (line,) = path.read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["failure"] == "two\nlines"
    with pytest.raises(ValueError, match="JSON"):
        records.append(path, record("mst", 2, float("nan")))
