"""Records are appended and read back; comparisons and tables are those of known numbers."""

import json

import numpy as np
import pytest

from dpsynth.bench import compare as comparing
from dpsynth.bench import growth, plots, records, table
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
    (found,) = compare(paired(KNOWN), challenger="new", comparators=["old"], tolerance=tolerance)
    assert found.difference == pytest.approx(0.01)
    assert (found.pairs, found.verdict) == (10, verdict)


def test_a_verdict_needs_seeds():
    (found,) = compare(paired(KNOWN[:9] * 0), challenger="new", comparators=["old"])
    assert found.verdict == "too few seeds"
    assert not found.holds


def test_only_seeds_that_both_finished_are_paired():
    runs = paired(np.zeros(12))
    runs[3] |= {"status": "failed"}
    runs.append(record("new", 99, 5.0))
    (found,) = compare(runs, challenger="new", comparators=["old"])
    assert (found.pairs, found.difference, found.verdict) == (11, 0, "never above")


def test_pairing_takes_out_what_seeds_share():
    shared = np.random.default_rng(0).normal(1, 0.3, 10)
    runs = [record("old", run, value) for run, value in enumerate(shared)]
    runs += [record("new", run, value * 0.99) for run, value in enumerate(shared)]
    (found,) = compare(runs, challenger="new", comparators=["old"])
    assert found.verdict == "never above"


def test_the_floor_is_compared_with_every_budget():
    runs = [record("resample", run, 0.5, epsilon=None) for run in range(10)]
    runs += [record("new", run, 1.0, epsilon=e) for run in range(10) for e in ("1", "10")]
    found = compare(runs, challenger="new", comparators=["resample"])
    assert [(each.epsilon, each.verdict) for each in found] == [("1", "above"), ("10", "above")]


def test_more_is_better_for_an_area():
    runs = [record("old", run, 1, auc=0.9) for run in range(10)]
    runs += [record("new", run, 1, auc=0.89) for run in range(10)]
    (found,) = compare(runs, challenger="new", comparators=["old"], metric="auc")
    assert found.verdict == "never below"
    (found,) = compare(runs, challenger="new", comparators=["old"], metric="auc", tolerance=0.01)
    assert found.verdict == "below"


def several():
    """Two budgets: the old one is better at 1, the other at 10, the new one never worst."""
    means = {("old", "1"): 1.0, ("other", "1"): 2.0, ("old", "10"): 2.0, ("other", "10"): 1.0}
    means |= {("new", "1"): 1.5, ("new", "10"): 1.01}
    return [
        record(label, run, value + run / 1e6, epsilon=epsilon, auc=1 / value)
        for (label, epsilon), value in means.items()
        for run in range(10)
    ]


@pytest.mark.parametrize("metric", ["tvd2", "auc"])
def test_of_several_the_better_one_counts_at_each_budget(metric):
    found = compare(several(), challenger="new", comparators=["other", "old"], metric=metric)
    judged = [(each.epsilon, each.against, each.holds) for each in found]
    assert judged == [("1", "old", False), ("10", "other", True)]
    with pytest.raises(UsageError, match="'nobody' share no table"):
        compare(several(), challenger="new", comparators=["old", "nobody"], metric=metric)


def test_verdicts_are_a_table_with_failures_in_bold():
    text = comparing.markdown(
        several(), challenger="new", comparators=["other", "old"], metrics=["tvd2", "auc"]
    )
    assert text.splitlines() == [
        "| table | epsilon | metric | seeds | new | against | its mean | "
        "difference, 95 % | verdict |",
        "| --- | --- | --- | ---: | ---: | --- | ---: | ---: | --- |",
        "| t | 1 | tvd2 | 10 | 1.5000 | old | 1.0000 | +0.5000 to +0.5000 | **above** |",
        "| t | 1 | auc | 10 | 0.6667 | old | 1.0000 | -0.3333 to -0.3333 | **below** |",
        "| t | 10 | tvd2 | 10 | 1.0100 | other | 1.0000 | +0.0100 to +0.0100 | never above |",
        "| t | 10 | auc | 10 | 0.9901 | other | 1.0000 | -0.0099 to -0.0099 | never below |",
    ]


def test_nothing_to_compare_is_an_error():
    with pytest.raises(UsageError, match="share no table"):
        compare(paired(KNOWN), challenger="new", comparators=["older"])
    with pytest.raises(UsageError, match="no metric is called 'tvd9'"):
        compare(paired(KNOWN), challenger="new", comparators=["old"], metric="tvd9")


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
        paths = plots.error_plots(some(), tmp_path / name)
        drawn.append([path.read_bytes() for path in paths])
    assert [path.name for path in paths] == ["t-tvd2-epsilon.svg", "t-tvd2-cpu.svg"]
    assert drawn[0] == drawn[1]
    assert b"resample, not private" in drawn[0][0]
    assert b"mst" in drawn[0][1]


def test_plots_and_tables_need_results(tmp_path):
    with pytest.raises(UsageError, match="no result to show"):
        table.markdown([])
    with pytest.raises(UsageError, match="no result has tvd3"):
        plots.error_plots(some(), tmp_path, metric="tvd3")
    with pytest.raises(UsageError, match="no metric"):
        plots.error_plots(some(), tmp_path, metric="nothing")


def test_a_record_is_one_line_of_plain_json(tmp_path):
    path = tmp_path / "r.jsonl"
    records.append(path, record("mst", 1, 1.0, failure="two\nlines"))
    (line,) = path.read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["failure"] == "two\nlines"
    with pytest.raises(ValueError, match="JSON"):
        records.append(path, record("mst", 2, float("nan")))


def grown():
    """Two sizes and two synthesizers, one of which fails at the larger."""
    runs = [
        record(label, run, rows / 1e5, dataset=f"t{rows}", rows=rows, codes=50, peak_mib=rows / 10)
        for label in ("mst", "auto")
        for rows in (10_000, 1_000)
        for run in range(2)
    ]
    failed = record("auto", 0, 0, dataset="u", rows=20_000, status="failed", failure="a|b")
    del failed["tvd2"], failed["cpu_seconds"]
    return [*runs, failed]


def test_growth_is_a_line_for_each_size():
    assert growth.markdown(grown(), growth.Axis.ROWS).splitlines() == [
        "| rows | mst: CPU s, MiB, tvd2 | auto: CPU s, MiB, tvd2 |",
        "| ---: | ---: | ---: |",
        "| 1,000 | 0.10 / 100 / 0.0100 | 0.10 / 100 / 0.0100 |",
        "| 10,000 | 1.00 / 1,000 / 0.1000 | 1.00 / 1,000 / 0.1000 |",
        "| 20,000 |  | a\\|b |",
    ]


def test_every_axis_has_its_size():
    sizes = {axis: growth.points(grown()[:1], axis)[0].size for axis in growth.Axis}
    assert list(sizes.values()) == [10_000, 5, 10, 1]
    assert growth.points([record("resample", 1, 0.1, epsilon=None)], growth.Axis.EPSILON) == []
    with pytest.raises(UsageError, match="number of codes"):
        growth.points([record("mst", 1, 0.1)], growth.Axis.VALUES)
    with pytest.raises(UsageError, match="no result"):
        growth.markdown([], growth.Axis.ROWS)


def test_growth_is_drawn(tmp_path):
    drawn = plots.growth_plots(grown(), tmp_path, growth.Axis.ROWS, prefix="rows-")
    assert [path.name for path in drawn] == ["rows-cpu.svg", "rows-mib.svg"]
    text = drawn[0].read_text(encoding="utf-8")
    assert all(word in text for word in ("mst", "auto", "1,000", "10,000"))


def test_one_budget_has_no_plot_against_budgets(tmp_path):
    runs = [record("mst", run, 0.1) for run in (1, 2)]
    assert [path.name for path in plots.error_plots(runs, tmp_path)] == ["t-tvd2-cpu.svg"]
