"""How long does ``dpsynth evaluate`` take on Adult, and how much memory?

    python benchmarks/utility/evaluate_time.py --adult adult.parquet \
        --out benchmarks/results/utility/evaluate_time.jsonl

Adult (48,842 rows of 15 columns) is parted at random, the synthetic table is what ``mst`` makes of
the real part at epsilon 1. Two designs: ``fifth`` (four fifths real, one fifth holdout, as many
synthetic rows as Adult has) and ``halves`` (real, holdout and synthetic rows are half of it each).
The command runs with all its sections and the report, in a process of its own; measured are its
wall time, its CPU time and its largest resident memory, and how large its report is. Once with the
libraries told to take one thread, once with nothing said. Lines are added to OUT.
"""

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

import dpsynth
from dpsynth.bench import runner_raw
from dpsynth.bench.provenance import commit, machine

SCHEMA = Path(__file__).parents[1] / "schemas" / "adult.toml"
SEED = 11
DESIGNS = {"fifth": (4 / 5, 1.0), "halves": (1 / 2, 1 / 2)}
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> None:
    """Make the tables, run the command, write what it took."""
    arguments = argparse.ArgumentParser(description="Time and memory of dpsynth evaluate.")
    arguments.add_argument("--adult", type=Path, required=True, help="adult.parquet")
    arguments.add_argument("--out", type=Path, required=True, help="lines of JSON, one a run")
    arguments.add_argument("--design", choices=sorted(DESIGNS), action="append")
    arguments.add_argument("--threads", type=int, choices=(0, 1), action="append", help="0: unsaid")
    asked = arguments.parse_args()
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    for design in asked.design or DESIGNS:
        with TemporaryDirectory(prefix="dpsynth-evaluate-") as made:
            folder = Path(made)
            rows = tables(asked.adult, design, folder)
            for threads in asked.threads or (1, 0):
                found = {"design": design, "rows": rows, "threads": threads or "unsaid"}
                line = json.dumps({**found, **measured(folder, threads), **_context()})
                with asked.out.open("a", encoding="utf-8") as file:
                    file.write(line + "\n")
                sys.stderr.write(line + "\n")


def tables(adult: Path, design: str, folder: Path) -> dict[str, int]:
    """Write the three tables as CSV, and return how many rows each has."""
    schema = dpsynth.Schema.read(SCHEMA)
    rows = pd.read_parquet(adult)[[column.name for column in schema.columns]]
    order = np.random.default_rng(SEED).permutation(len(rows))
    of_real, of_synthetic = DESIGNS[design]
    edge = round(of_real * len(rows))
    real, holdout = rows.iloc[order[:edge]], rows.iloc[order[edge:]]
    job = {"name": "mst", "settings": {}, "epsilon": "1", "delta": "1e-9", "seed": SEED}
    model = runner_raw.fitted(job, real, schema)
    synthetic = model.sample(round(of_synthetic * len(rows)), seed=SEED)
    found = {"synthetic": synthetic, "real": real, "holdout": holdout}
    for name, frame in found.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    return {name: len(frame) for name, frame in found.items()}


def measured(folder: Path, threads: int) -> dict[str, float | int]:
    """Run the command to its end, and return what it took."""
    out = folder / f"found-{threads}"
    words = [sys.executable, "-m", "dpsynth", "evaluate", "--schema", str(SCHEMA)]
    for name in ("synthetic", "real", "holdout"):
        words += [f"--{name}", str(folder / f"{name}.csv")]
    environment = {key: held for key, held in os.environ.items() if key not in THREADS}
    if threads:
        environment |= dict.fromkeys(THREADS, str(threads))
    began = time.perf_counter()
    child = subprocess.Popen(  # noqa: S603  # our own words
        [*words, "--out", str(out)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, took = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit("the command failed")
    return {
        "wall_seconds": round(wall, 1),
        "cpu_seconds": round(took.ru_utime + took.ru_stime, 1),
        "peak_mib": round(took.ru_maxrss / 1024),
        "report_kib": round((out / "report.html").stat().st_size / 1024),
    }


def _context() -> dict[str, str]:
    return {
        "commit": commit(),
        "machine": str(machine()),
        "load": f"{os.getloadavg()[0]:.1f}",
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
    }


if __name__ == "__main__":
    main()
