"""Spark Connect: a session without RDDs and without a JVM of its own counts as numpy does."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dpsynth.errors import UnfitEnvironmentError

SEEDS = ("9", "18")  # with persons, and without


@pytest.mark.xdist_group("spark")
def test_spark_connect_counts_as_numpy_does(tmp_path, java):
    """In a process of its own, with a server of its own: here the session is a classic one."""
    if importlib.util.find_spec("grpc") is None and os.environ.get("CI") != "true":
        pytest.skip("Spark Connect needs grpcio: pip install 'pyspark[connect]'")
    run = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("over_connect.py")), str(tmp_path), *SEEDS],
        capture_output=True, text=True, check=False, timeout=600,
        env={**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-2_000:]
    said = json.loads(run.stdout.strip().splitlines()[-1])
    assert said["session"].startswith("pyspark.sql.connect.")
    assert said["context"] == "PySparkAttributeError"  # there is none to lean on
    assert said["apart"] == {seed: [] for seed in SEEDS}
    sentence = "the Spark session failed or has ended; what the ledger was charged stays charged"
    assert said["ended"] == [[UnfitEnvironmentError.exit_code, sentence]] * 3
