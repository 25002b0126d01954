"""Files on a full disk, or in a process that is killed: nothing of the rows is left behind."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.errors import DataError, UnfitEnvironmentError
from dpsynth.sources.duckdb import parquet_batches
from dpsynth.sources.folder import PrivateFolder
from dpsynth.testing.people import people_toml

SECRET = "s3cret-cell"
SCHEMA = people_toml(expected_rows=30000)
# Files of at most so many bytes, for this process alone: what a full disk says, in other words.
LIMITED = """
import resource, sys
from dpsynth.cli.app import main
limit, *arguments = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
sys.exit(main(arguments))
"""


@pytest.fixture
def people(tmp_path):
    rng = np.random.default_rng(1)
    sex = np.where(rng.random(60_000) < 0.001, SECRET, rng.choice(["f", "m"], 60_000))
    frame = pd.DataFrame({"age": rng.integers(0, 100, 60_000), "sex": sex})
    frame.to_parquet(tmp_path / "people.parquet", index=False)
    (tmp_path / "people.toml").write_text(SCHEMA)
    dpsynth.Ledger.create(tmp_path / "people.ledger", cap_epsilon="10", cap_delta="1e-6").close()
    (tmp_path / "temporary").mkdir()
    return tmp_path


def test_a_full_disk_under_the_store_of_codes(people):
    """Digests of 60,000 rows take 960,000 bytes, and the ledger less than half a million."""
    arguments = [
        "fit", f"{people}/people.parquet", "--schema", f"{people}/people.toml", "--engine",
        "duckdb", "--synthesizer", "independent", "--epsilon", "1", "--delta", "1e-9", "--ledger",
        f"{people}/people.ledger", "--out", f"{people}/model", "--json",
    ]  # fmt: skip
    before = sorted(each.name for each in people.iterdir())
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, "500000", *arguments], capture_output=True, text=True,
        check=False, env={**os.environ, "TMPDIR": f"{people}/temporary",
                          "DPSYNTH_HOME": f"{people}/temporary/home"},
    )  # fmt: skip
    assert run.returncode == UnfitEnvironmentError.exit_code, run.stderr
    said = json.loads(run.stdout or run.stderr)
    assert "disk for temporary files is full" in json.dumps(said)
    assert SECRET not in run.stdout + run.stderr
    assert sorted(each.name for each in people.iterdir()) == before
    assert list((people / "temporary").glob("dpsynth-rows-*")) == []
    with dpsynth.Ledger.open(people / "people.ledger") as book:
        assert not list(book)  # rows are coded before anything is charged


@pytest.mark.parametrize(
    ("raised", "error", "words"),
    [
        ("OutOfMemoryException", UnfitEnvironmentError, "more memory than DuckDB"),
        ("IOException: No space left on device", UnfitEnvironmentError, "disk .* is full"),
        ("IOException", DataError, "damaged or cut off"),
    ],
)
def test_what_duckdb_says_of_its_disk_and_memory(people, raised, error, words):
    import duckdb

    kind, _, said = raised.partition(": ")

    class Failing:
        def to_arrow_reader(self, rows):
            raise getattr(duckdb, kind)(f"could not write {SECRET}: {said}")

    class Connection:
        def sql(self, query):
            return Failing()

    with pytest.raises(error, match=words) as caught:
        list(parquet_batches(Connection(), [people / "people.parquet"], ["age"], rows=10))
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


SORTING = """
import resource, sys
from pathlib import Path
from dpsynth.errors import DpsynthError
from dpsynth.sources import duckdb as engine
folder, mode = Path(sys.argv[1]), sys.argv[2]
held = engine.locked([], folder=folder, limits=engine.Limits(mebibytes=64, threads=1))
if mode == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
class Sorting:
    def sql(self, query):
        return held.sql(
            "SELECT sha256(i::VARCHAR) AS a, repeat(sha256(i::VARCHAR), 4) AS b "
            "FROM range(400000) AS t(i) ORDER BY a"
        )
try:
    print(sum(batch.num_rows for batch in engine._batches(Sorting(), "nothing", ["a"], 1000)))
except DpsynthError as problem:
    print(problem.exit_code, problem)
"""


@pytest.mark.parametrize(
    ("mode", "said"), [("roomy", "400000\n"), ("full", "6 the disk for temporary files is full")]
)
def test_a_spill_folder_that_is_full(tmp_path, mode, said):
    """A real one: a sort of 128 MB in 64 MiB of memory, whose spill files may not grow."""
    run = subprocess.run(
        [sys.executable, "-c", SORTING, str(tmp_path), mode], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert run.stdout.startswith(said), run.stdout + run.stderr
    assert run.returncode == 0


KILLED = """
import sys, time
from dpsynth.cli.app import main
from dpsynth.sources.store import StoreSource
def waiting(self, cliques):
    print("counting", flush=True)
    time.sleep(600)
StoreSource.count = StoreSource.count_many = waiting
main(sys.argv[1:])
"""


def test_a_fit_that_is_killed_keeps_its_charge_and_leaves_no_rows(people):
    """The folder that stays is empty, and the next run takes it away."""
    arguments = [
        "fit", f"{people}/people.parquet", "--schema", f"{people}/people.toml", "--engine",
        "duckdb", "--synthesizer", "independent", "--epsilon", "1", "--delta", "1e-9", "--ledger",
        f"{people}/people.ledger", "--out", f"{people}/model",
    ]  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, *arguments], stdout=subprocess.PIPE, text=True,
        stderr=subprocess.DEVNULL, env={**os.environ, "TMPDIR": f"{people}/temporary",
                                        "DPSYNTH_HOME": f"{people}/home"},
    ) as child:  # fmt: skip
        assert child.stdout is not None
        assert child.stdout.readline() == "counting\n"
        child.send_signal(signal.SIGKILL)
    assert not (people / "model").exists()
    with dpsynth.Ledger.open(people / "people.ledger") as book:
        assert list(book)
    (left,) = (people / "temporary").glob("dpsynth-rows-*")
    assert list(left.iterdir()) == []
    PrivateFolder(people / "temporary")
    assert not left.exists()
