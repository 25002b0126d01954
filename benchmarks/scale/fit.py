"""Fit a file, larger than memory or not, and print time and peak memory as JSON.

    python benchmarks/scale/make_table.py --rows 10000000 --columns 50 --out big.parquet
    python benchmarks/scale/fit.py big.parquet big.json --synthesizer auto

One process, one thread with OMP_NUM_THREADS=1; the ledger is made for the occasion.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import record


def main() -> None:
    """Fit, and say what it took."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("table", type=Path)
    words.add_argument("schema", type=Path)
    words.add_argument("--synthesizer", default="auto")
    given = words.parse_args()
    import dpsynth

    schema = dpsynth.Schema.read(given.schema)
    began, used = time.monotonic(), time.process_time()
    model = fit(given.table, schema, synthesizer=given.synthesizer, files=True)
    found = {
        "columns": len(schema.modeled),
        "noisy_rows": round(model.model.total),
        "synthesizer": given.synthesizer,
        "wall_seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(time.process_time() - used, 1),
        "peak_mebibytes": record.peak_mebibytes(),
    }
    sys.stdout.write(json.dumps(found, sort_keys=True) + "\n")


def fit(table: Path, schema: Any, *, synthesizer: str, files: bool) -> Any:
    """Fit the table, from its file or in memory."""
    import dpsynth
    from dpsynth.sources.frame import prepare

    method = dpsynth.synthesizer(synthesizer)
    plan = method.plan(schema, epsilon=1, delta="1e-9")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ledger = dpsynth.Ledger.create(folder / "ledger", cap_epsilon=2, cap_delta="1e-8")
        with ledger as book:
            account = plan.open(book)
            if files:
                from dpsynth.sources.folder import PrivateFolder
                from dpsynth.sources.stored import prepare_files
                from dpsynth.sources.streams import open_table

                own = PrivateFolder(folder)
                opened = open_table(table, schema)
                prepared = prepare_files(opened, schema, key=book.keyed, folder=own)
            else:
                prepared = prepare(dpsynth.read_table(table), schema, key=book.keyed)
            return method.fit_prepared(prepared, schema=schema, plan=plan, account=account)


if __name__ == "__main__":
    main()
