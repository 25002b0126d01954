"""What whole audits cost, in CPU seconds and memory, by table and tier.

    OMP_NUM_THREADS=1 python benchmarks/attacks/audit_times.py --adult adult.parquet \
        --out benchmarks/results/attacks/audits.jsonl

Adult with a release by ``auto`` at epsilon 1, and made-up chains whose release is a fresh sample:
nothing to be found. Coins of chance 0.1 say who is a control. Each audit has a process of its own;
CPU seconds are those of ``attacks.audit``, from files to results.
"""

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import tomli_w

from attacks import audit
from dpsynth.bench.made import chain
from dpsynth.bench.provenance import commit, machine

HERE = Path(__file__).parent
ADULT = HERE.parent / "schemas" / "adult.toml"
SHARE = 0.1
SEED = 3
VALUES = 8  # of each column of a chain


@dataclass(frozen=True, kw_only=True)
class Case:
    """One audit: a table, by its rows and columns, and a tier."""

    table: str
    rows: int
    columns: int
    tier: str


CASES = (
    Case(table="adult", rows=48_842, columns=15, tier="smoke"),
    Case(table="adult", rows=48_842, columns=15, tier="standard"),
    Case(table="chain", rows=100_000, columns=15, tier="smoke"),
    Case(table="chain", rows=100_000, columns=15, tier="standard"),
    Case(table="chain", rows=20_000, columns=100, tier="standard"),
    Case(table="chain", rows=100_000, columns=100, tier="smoke"),
)


def main() -> None:
    """Audit each case in a process of its own, and write what it took."""
    arguments = argparse.ArgumentParser(description="What audits cost.")
    arguments.add_argument("--adult", type=Path, help="adult.parquet")
    arguments.add_argument("--out", type=Path, help="lines of JSON, one an audit")
    arguments.add_argument("--only", type=int, help="number of one case, from 0")
    arguments.add_argument("--worker", nargs=2, metavar=("FOLDER", "TIER"), help="for itself")
    asked = arguments.parse_args()
    if asked.worker:
        json.dump(_audited(Path(asked.worker[0]), asked.worker[1]), sys.stdout)
        return
    cases = CASES if asked.only is None else CASES[asked.only : asked.only + 1]
    if asked.out is not None:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text("", encoding="utf-8")
    with TemporaryDirectory() as place:
        for line in _measured(cases, asked.adult, Path(place)):
            text = json.dumps(line) + "\n"
            if asked.out is None:
                sys.stdout.write(text)
            else:
                with asked.out.open("a", encoding="utf-8") as file:
                    file.write(text)


def _measured(cases: tuple[Case, ...], adult: Path | None, place: Path) -> Iterator[dict[str, Any]]:
    for case in cases:
        folder = place / f"{case.table}-{case.rows}-{case.columns}"
        if not folder.exists():
            folder.mkdir()
            if case.table == "adult":
                assert adult is not None, "say where adult.parquet is: --adult FILE"
                _adult(adult, folder)
            else:
                _chain(case, folder)
        took = json.loads(
            _python(str(Path(__file__)), "--worker", str(folder), case.tier, folder=folder)
        )
        sys.stderr.write(
            f"{case.table}, {case.rows} x {case.columns}, {case.tier}: "
            f"{took['cpu_seconds']} CPU s, {took['peak_mib']} MiB\n"
        )
        yield {
            "format": "dpsynth-audit-times/1",
            "table": case.table,
            "rows": case.rows,
            "columns": case.columns,
            "tier": case.tier,
            **took,
            "seed": SEED,
            "versions": {name: version(name) for name in ("numpy", "pandas", "scikit-learn")},
            "commit": commit(),
            "machine": machine(),
            "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        }


def _audited(folder: Path, tier: str) -> dict[str, Any]:
    """Run one audit; return what it took, in sum and by attack."""
    steps: list[tuple[str, float]] = []
    start = time.process_time()
    report = audit(
        folder / "release.parquet",
        folder / "members.parquet",
        folder / "controls.parquet",
        folder / "schema.toml",
        split="random",
        control_share=SHARE,
        tier=tier,
        seed=SEED,
        progress=lambda text: steps.append((text, time.process_time())),
    )
    end = time.process_time()
    stops = [when for _, when in steps[1:]] + [end]
    return {
        "cpu_seconds": round(end - start, 2),
        "peak_mib": _peak_mib(),
        "verdict": report.verdict,
        "lines": len(report.results),
        "steps": {
            text: round(stop - begun, 2) for (text, begun), stop in zip(steps, stops, strict=True)
        },
    }


def _adult(source: Path, folder: Path) -> None:
    """Set controls aside, fit on the members, draw as many rows as there are members."""
    rows = pd.read_parquet(source)
    members = _split(rows, folder)
    (folder / "schema.toml").write_bytes(ADULT.read_bytes())
    budget = ["--epsilon", "1", "--delta", "1e-9"]
    ledger = ["--cap-epsilon", "1", "--cap-delta", "1e-9"]
    fit = ["fit", "members.parquet", "--schema", "schema.toml", *budget]
    out = ["--out", "release.parquet"]
    for words in (
        ["ledger", "init", "adult.ledger", *ledger],
        [*fit, "--ledger", "adult.ledger", "--out", "model"],
        ["sample", "model", "--rows", str(members), "--seed", str(SEED), *out],
    ):
        _python("-m", "dpsynth", *words, folder=folder)


def _chain(case: Case, folder: Path) -> None:
    """Make members, controls and a release, all of one population."""
    made = chain(2 * case.rows, columns=case.columns, values=VALUES)
    rows = pd.DataFrame({name: np.asarray(codes) for name, codes in made.codes.items()})
    _split(rows.iloc[: case.rows], folder)
    rows.iloc[case.rows :].to_parquet(folder / "release.parquet", index=False)
    columns = []
    for place, name in enumerate(rows.columns):
        facts: dict[str, Any] = {"kind": "categorical", "values": list(range(VALUES))}
        if place % 2:
            facts = {"kind": "integer", "bounds": [0, VALUES - 1]}
        source = {"status": "declared", "note": "made up"}
        about = {field: source for field in facts if field != "kind"}
        columns.append({"name": name, **facts, "provenance": about})
    schema = {
        "format": "dpsynth-schema/1",
        "unit": {"kind": "row"},
        "quasi_identifiers": list(rows.columns[:6]),
        "sensitive": list(rows.columns[-3:]),
        "columns": columns,
    }
    (folder / "schema.toml").write_text(tomli_w.dumps(schema), encoding="utf-8")


def _split(rows: pd.DataFrame, folder: Path) -> int:
    """Toss a coin for each person; return how many became members."""
    control = np.random.default_rng(SEED).random(len(rows)) < SHARE
    rows[~control].to_parquet(folder / "members.parquet", index=False)
    rows[control].to_parquet(folder / "controls.parquet", index=False)
    return int((~control).sum())


def _python(*words: str, folder: Path) -> str:
    root = str(HERE.parent.parent)
    places = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(  # noqa: S603  # our own files
        [sys.executable, *words],
        env={**os.environ, "PYTHONPATH": places},
        cwd=folder,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def _peak_mib() -> int:
    """Return the greatest resident size of this process so far."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


if __name__ == "__main__":
    main()
