"""Spark that fails: one sentence, exit 6, charges kept, no half a release, no cell in any word."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import dpsynth
from dpsynth.cli.app import main
from dpsynth.errors import UnfitEnvironmentError
from dpsynth.sources import spark as of_spark
from dpsynth.testing.people import people_toml

pytestmark = [
    pytest.mark.xdist_group("spark"),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas"),
]
SECRET = "s3cret-cell"
SCHEMA = people_toml(expected_rows=200)


@pytest.fixture
def people(spark, tmp_path, monkeypatch):
    """Two files of rows, a view over them, a schema and a ledger."""
    monkeypatch.setenv("DPSYNTH_HOME", str(tmp_path / "home"))
    ages = f"SELECT CAST(id % 90 AS INT) AS age, IF(id = 7, '{SECRET}', 'f') AS sex FROM range(200)"
    spark.sql(ages).repartition(2).write.parquet(str(tmp_path / "people"))
    spark.read.parquet(str(tmp_path / "people")).createOrReplaceTempView("people")
    (tmp_path / "people.toml").write_text(SCHEMA)
    dpsynth.Ledger.create(tmp_path / "people.ledger", cap_epsilon="10", cap_delta="1e-6").close()
    yield tmp_path
    spark.catalog.dropTempView("people")


def calling(command, folder):
    return [
        command, "people", "--spark", "local[2]", "--schema", f"{folder}/people.toml",
        "--epsilon", "1", "--delta", "1e-9", "--synthesizer", "independent",
        "--ledger", f"{folder}/people.ledger", "--out", f"{folder}/out",
    ]  # fmt: skip


def charged(folder):
    with dpsynth.Ledger.open(folder / "people.ledger") as book:
        return len(list(book))


def failed_well(folder, before, shown, *, after):
    """What every fault must have left: its sentence, the charges, and nothing else."""
    said = (shown.out + shown.err).strip().splitlines()
    assert (
        "the Spark session failed or has ended; what the ledger was charged stays charged"
        in (said[-1])
    )
    assert SECRET not in shown.out + shown.err
    assert "Exception" not in shown.out + shown.err
    assert (charged(folder) > before) is after
    assert [each.name for each in folder.iterdir() if "out" in each.name] == []


def cut(folder):
    """Cut a file of the table off in its middle."""
    for each in (folder / "people").glob("*.parquet"):
        each.write_bytes(each.read_bytes()[:60])


def test_a_file_under_the_table_is_cut_off_before_it_is_read(people, capfd):
    before = charged(people)
    cut(people)
    assert main(calling("fit", people)) == UnfitEnvironmentError.exit_code
    failed_well(people, before, capfd.readouterr(), after=False)


def test_a_query_that_fails_on_a_cell(people, spark, capfd):
    """PySpark logs the cell by itself, at the level of errors, on the terminal."""
    bad = f"SELECT CAST(IF(id = 77, '{SECRET}', '5') AS INT) AS age, 'f' AS sex FROM range(200)"
    spark.sql(bad).createOrReplaceTempView("people")
    before = charged(people)
    assert main(calling("fit", people)) == UnfitEnvironmentError.exit_code
    failed_well(people, before, capfd.readouterr(), after=False)


@pytest.mark.parametrize("command", ["fit", "release"])
def test_a_task_fails_after_the_charge(people, spark, monkeypatch, capfd, command):
    """Spark has lost the coded rows, reads the table again, and a file of it is cut off."""
    rows, before = of_spark.SparkEngine.rows, charged(people)

    def lost(engine, statement):
        if "AS cell" in statement:
            spark.catalog.clearCache()
            cut(people)
        return rows(engine, statement)

    monkeypatch.setattr(of_spark.SparkEngine, "rows", lost)
    assert main(calling(command, people)) == UnfitEnvironmentError.exit_code
    failed_well(people, before, capfd.readouterr(), after=True)


def test_a_job_that_somebody_cancels(people, spark, monkeypatch, capfd):
    rows, before = of_spark.SparkEngine.rows, charged(people)

    def cancelled(engine, statement):
        if "AS cell" not in statement:
            return rows(engine, statement)
        threading.Timer(1, spark.sparkContext.cancelAllJobs).start()
        return rows(engine, "SELECT SUM(CAST(id AS DOUBLE) % 7), 0 FROM range(1000000000000)")

    monkeypatch.setattr(of_spark.SparkEngine, "rows", cancelled)
    assert main(calling("fit", people)) == UnfitEnvironmentError.exit_code
    failed_well(people, before, capfd.readouterr(), after=True)


def test_what_a_jvm_says_on_our_terminal_holds_no_cell(tmp_path, java):
    """Spark's own error names the cell that a cast fails on, and its executor logs it."""
    (tmp_path / "people.toml").write_text(SCHEMA)
    dpsynth.Ledger.create(tmp_path / "people.ledger", cap_epsilon="10", cap_delta="1e-6").close()
    script = str(Path(__file__).with_name("over_classic.py"))
    run = subprocess.run(
        [sys.executable, script, str(tmp_path), SECRET], capture_output=True, text=True,
        check=False, timeout=600,
        env={**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "TMPDIR": str(tmp_path),
             "DPSYNTH_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-2_000:]
    assert SECRET not in run.stdout + run.stderr
    assert json.loads(run.stdout.strip().splitlines()[-1]) == {
        "a cell that a query fails on": [6, False],
        "a context stopped during a job": [6, True],
    }
    assert not (tmp_path / "model").exists()
