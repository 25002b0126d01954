"""How near do the worst neighbors come to the claim? A table, and JSON.

    python benchmarks/audits/tightness.py [--runs 1000000] [--paths 20] [--seed 0] [--json FILE]

Every registered synthesizer that trains no network, for rows and for persons of three rows, with a
delta and, where it has such a form, without. A narrow made-up table; each path is a real fit with
its own choices and its own split of the budget; noise is the curator's. CPU seconds of each stand
beside it. One thread: ``OMP_NUM_THREADS=1``.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dpsynth
from attacks.conformance.game.tightness import tightness
from dpsynth.errors import UsageError
from dpsynth.schema import Schema
from dpsynth.synthesizers import registry
from dpsynth.synthesizers.deep import Deep

EPSILON, DELTA = "1", "1/1000000000"
ROWS: dict[str, Any] = {
    "columns": [
        {"name": "age", "kind": "integer", "bounds": [0, 99], "bins": 6},
        {"name": "sex", "kind": "categorical", "values": ["m", "f"]},
        {"name": "ward", "kind": "categorical", "values": list("abcde"), "nullable": True},
        {"name": "sick", "kind": "boolean"},
        {"name": "pid", "kind": "identifier"},
    ],
}
PERSONS = {**ROWS, "unit": {"kind": "person", "column": "pid", "max_rows": 3}}
HEAD = f"{'synthesizer':12} {'unit':>7} {'delta':>6} {'claimed':>8} {'reached':>8} {'>= 95 %':>8} "
HEAD += f"{'ratio':>6} {'choices':>8} {'reached':>8} {'CPU s':>6}  worst neighbor"


def measured(*, runs: int, paths: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield one row a synthesizer, unit and form."""
    for name in sorted(registry.BUILT_IN):
        kind = registry.get(name)
        if issubclass(kind, Deep):
            continue
        synthesizer = dpsynth.synthesizer(name)
        for unit, document in (("row", ROWS), ("3 rows", PERSONS)):
            schema = Schema.from_dict(document)
            for delta in (DELTA, "0"):
                began = time.process_time()
                try:
                    plan = synthesizer.plan(schema, epsilon=EPSILON, delta=delta)
                except UsageError:  # it has no form without a delta
                    continue
                found = tightness(synthesizer, plan, schema, paths=paths, runs=runs, seed=seed)
                seconds = time.process_time() - began
                yield {
                    "synthesizer": name,
                    "unit": unit,
                    "delta": delta,
                    "cpu_seconds": round(seconds, 2),
                    **found.to_dict(),
                }


def line(row: dict[str, Any]) -> str:
    """Write a row of the table: mu where there is Gaussian noise, else epsilon."""
    which = "mu" if row["mu_claimed"] else "epsilon"
    numbers = [row[f"{which}_{each}"] for each in ("claimed", "reached", "at_least")]
    return (
        f"{row['synthesizer']:12} {row['unit']:>7} {'1e-9' if row['delta'] != '0' else '0':>6} "
        + " ".join(f"{number:8.4f}" for number in numbers)
        + f" {row['ratio']:6.3f} {row['choices_claimed']:8.4f} {row['choices_reached']:8.4f} "
        + f"{row['cpu_seconds']:6.1f}  {row['world']}"
    )


def main() -> int:
    """Print the table; write JSON where asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--paths", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = []
    sys.stdout.write(HEAD + "\n")
    for row in measured(runs=given.runs, paths=given.paths, seed=given.seed):
        rows.append(row)
        sys.stdout.write(line(row) + "\n")
        sys.stdout.flush()
    if given.json is not None:
        given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
