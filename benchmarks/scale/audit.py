"""Time and peak memory of an audit by rows of the synthetic table, which is never thinned.

    python benchmarks/scale/audit.py MODEL MEMBERS CONTROLS --rows 1000000 5000000 20000000

MODEL is a folder made by ``dpsynth fit`` of MEMBERS; the synthetic tables are drawn from it. Every
audit runs in a process of its own, on one thread, on the same persons; ``--engine frame`` holds the
synthetic table in memory instead. Records that are there already are not measured again.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import record

HERE = str(Path(__file__))
NAME = "audit"
SEED = 1  # of the synthetic tables


def main() -> None:
    """Measure what was asked for."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("model", type=Path)
    words.add_argument("members", type=Path)
    words.add_argument("controls", type=Path)
    words.add_argument("--rows", type=int, nargs="*", default=[1_000_000])
    words.add_argument("--persons", type=int, default=1000)
    words.add_argument("--tier", default="smoke")
    words.add_argument("--engine", default="duckdb")
    words.add_argument("--table", type=Path)
    given = words.parse_args()
    if given.table is not None:
        sys.stdout.write(json.dumps(attacked(given)) + "\n")
        return
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    for rows in given.rows:
        run(given, rows)


def run(given: argparse.Namespace, rows: int) -> None:
    """Draw one synthetic table and attack it, unless that is on record."""
    key = {"rows": rows, "persons": given.persons, "tier": given.tier, "engine": given.engine}
    if record.known(NAME, **key):
        return
    import dpsynth

    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.parquet"
        dpsynth.load_model(given.model).write_sample(table, rows, seed=SEED)
        found = record.measured(
            HERE,
            *(str(given.model), str(given.members), str(given.controls)),
            *("--table", str(table), "--persons", str(given.persons)),
            *("--tier", given.tier, "--engine", given.engine),
        )
    record.append(NAME, {**key, **found})


def attacked(given: argparse.Namespace) -> dict[str, float]:
    """Attack the synthetic table in this process."""
    import attacks
    import dpsynth

    schema = dpsynth.load_model(given.model).schema
    start = time.process_time()
    attacks.audit(
        given.table,
        given.members,
        given.controls,
        schema,
        split="random",
        tier=given.tier,
        persons=given.persons,
        engine=given.engine,
    )
    return {
        "columns": len(schema.modeled),
        "cpu_seconds": round(time.process_time() - start, 1),
        "peak_mebibytes": record.peak_mebibytes(),
    }


if __name__ == "__main__":
    main()
