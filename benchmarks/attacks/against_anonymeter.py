"""Time three attacks against anonymeter 1.1.0 on the same tables, and hold the answers together.

    dpsynth bench peers install anonymeter --into bench-peers
    python benchmarks/attacks/against_anonymeter.py --adult adult.parquet --peers bench-peers \
        --out benchmarks/results/attacks/anonymeter.jsonl

A release of 30,000 rows and 15 columns, 2,000 members and as many controls. Each attack runs in a
process of its own, one thread; CPU seconds from data frames to answers, imports and compilation
aside. Ours is the least of several runs, anonymeter runs once. About six minutes.
"""

import argparse
import datetime as dt
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from tables import Tables, tables, write_schema

from attacks.engine.distances import between, closest, space
from attacks.engine.encode import encode, missing, ordered, sizes
from attacks.engine.predicates import Predicates, isolated
from attacks.engine.table import by_row
from dpsynth.bench import peers
from dpsynth.bench.provenance import commit, machine
from dpsynth.encoding import codecs
from dpsynth.schema import Schema

HERE = Path(__file__).parent
HARNESS = Path(peers.__file__).parents[1] / "harness.py"
TARGETS = 2_000
NEIGHBORS = 10
CONDITIONS = 4
SEED = 7
REPEATS = 3
SAME = 1e-6  # distances that differ by less are a tie for either tool
ONE_THREAD = (
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "POLARS_MAX_THREADS",
)
STATED = re.compile(r'\(col\("([^"]+)"\)\) (>=|<=|==) \((?:dyn int: (-?\d+)|"([^"]*)")\)')


def main() -> None:
    """Run, compare, write."""
    arguments = argparse.ArgumentParser(description="Attacks beside anonymeter's.")
    arguments.add_argument("--adult", type=Path, required=True, help="adult.parquet")
    arguments.add_argument(
        "--peers", type=Path, required=True, help="where anonymeter is installed"
    )
    arguments.add_argument("--out", type=Path, required=True, help="lines of JSON, one an attack")
    arguments.add_argument("--only", nargs="+", help="attacks; else all, and the file is new")
    asked = arguments.parse_args()
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    if not asked.only:
        asked.out.write_text("", encoding="utf-8")
    made = tables(asked.adult, seed=SEED)
    python = peers.interpreter("anonymeter", asked.peers)
    with TemporaryDirectory() as folder:
        write_schema(made.schema, Path(folder) / "schema.toml")
        jobs = _jobs(made, Path(folder))
        for name in asked.only or jobs:
            parts = jobs[name]
            ours = min(
                (_run(None, name, parts["ours"], Path(folder)) for _ in range(REPEATS)),
                key=lambda run: run["cpu_seconds"],
            )
            theirs = [_run(python, name, job, Path(folder)) for job in parts["theirs"]]
            line = _line(name, ours, theirs)
            line["answers"] = _agreement(name, made, ours, theirs)
            with asked.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            _say(f"{name}: {line['times_faster']:.0f} times faster, {line['answers']}")


def _jobs(made: Tables, folder: Path) -> dict[str, dict[str, Any]]:
    """Return by attack our job and theirs: one a secret, since theirs takes one."""
    columns = list(made.release.columns)
    few = {"members": made.members.iloc[:TARGETS], "controls": made.controls.iloc[:TARGETS]}
    # As many members as controls: for other sizes anonymeter fits a correction, at great cost.
    all_ = {"members": made.members.iloc[: len(made.controls)], "controls": made.controls}
    for name, parts in (("few", few), ("all", all_)):
        frames = {"release": made.release, **parts}
        rows = [frame.assign(_part=part) for part, frame in frames.items()]
        pd.concat(rows, ignore_index=True).to_parquet(folder / f"{name}.parquet", index=False)
    base = {"seed": SEED, "schema": str(folder / "schema.toml")}
    half = len(columns) // 2
    link = {**base, "first": columns[:half], "second": columns[half:], "neighbors": NEIGHBORS}
    single = {**base, "attacks": TARGETS, "columns": CONDITIONS}
    return {
        "inference": {
            "ours": {"table": "few", "settings": {**base, "secrets": columns}},
            "theirs": [
                {"table": "few", "settings": {**base, "secrets": [secret]}} for secret in columns
            ],
        },
        "linkability": {
            "ours": {"table": "few", "settings": link},
            "theirs": [{"table": "few", "settings": link}],
        },
        "singling-out": {
            "ours": {"table": "all", "settings": single},
            "theirs": [{"table": "all", "settings": single}],
        },
    }


def _run(python: Path | None, name: str, job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Run one job to its end; return what it took, with its answers."""
    out, measured = folder / "out.parquet", folder / "took.json"
    whole = {
        "name": name,
        "settings": job["settings"],
        "table": str(folder / f"{job['table']}.parquet"),
        "out": str(out),
        "measured": str(measured),
    }
    (folder / "job.json").write_text(json.dumps(whole), encoding="utf-8")
    environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1")}
    if python is None:
        command = [sys.executable, "-P", str(HARNESS), str(HERE / "runner_own.py")]
        root = str(HERE.parent.parent)
        places = [root, environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, places))
    else:
        command = [str(python), "-I", str(HARNESS), str(peers.runner("anonymeter"))]
        environment.pop("PYTHONPATH", None)
    subprocess.run(  # noqa: S603  # our own files
        [*command, str(folder / "job.json")],
        env=environment,
        cwd=folder,
        check=True,
        capture_output=True,
    )
    took: dict[str, Any] = json.loads(measured.read_text(encoding="utf-8"))
    who = "ours" if python is None else "anonymeter"
    _say(f"{name}, {who}: {took['cpu_seconds']:.2f} CPU s")
    return {**took, "answers": pd.read_parquet(out)}


def _line(name: str, ours: dict[str, Any], theirs: list[dict[str, Any]]) -> dict[str, Any]:
    own, other = ours["cpu_seconds"], sum(run["cpu_seconds"] for run in theirs)
    return {
        "format": "dpsynth-attack-times/1",
        "attack": name,
        "rows": 30_000,
        "columns": 15,
        "targets": TARGETS,
        "cpu_seconds": round(own, 3),
        "peak_mib": round(ours["peak_mib"]),
        "peer": "anonymeter",
        "peer_cpu_seconds": round(other, 2),
        "peer_peak_mib": round(max(run["peak_mib"] for run in theirs)),
        "times_faster": round(other / own, 1),
        "repeats": REPEATS,
        "seed": SEED,
        "versions": ours["versions"],
        "peer_versions": theirs[0]["versions"],
        "commit": commit(),
        "machine": machine(),
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
    }


def _agreement(
    name: str, made: Tables, ours: dict[str, Any], theirs: list[dict[str, Any]]
) -> dict[str, int]:
    """Hold the answers together, and fail where they differ without a tie to explain it."""
    with TemporaryDirectory() as folder:
        write_schema(made.schema, Path(folder) / "schema.toml")
        schema = Schema.read(Path(folder) / "schema.toml")
    few = pd.concat([made.members.iloc[:TARGETS], made.controls.iloc[:TARGETS]])
    targets = encode(few, schema, name="targets", persons=False).codes
    release = encode(made.release, schema, name="release", persons=False).codes
    if name == "inference":
        found = pd.concat([run["answers"] for run in theirs], axis=1)
        return _guesses(made, schema, targets, release, ours["answers"], found)
    if name == "linkability":
        return _links(made, schema, targets, release, ours["answers"], theirs[0]["answers"])
    return _conditions(made, schema, theirs[0]["answers"])


def _guesses(
    made: Tables,
    schema: Schema,
    targets: np.ndarray,
    release: np.ndarray,
    ours: pd.DataFrame,
    theirs: pd.DataFrame,
) -> dict[str, int]:
    """Compare the guesses wherever one released record is closer than every other."""
    columns = list(made.release.columns)
    compared = 0
    for place, secret in enumerate(columns):
        rest = [other for other in range(len(columns)) if other != place]
        near = closest(
            targets[:, rest], release[:, rest], _space(schema, [columns[at] for at in rest]), k=2
        ).distance
        clear = near[:, 1] - near[:, 0] > SAME
        said = theirs[secret].astype(made.release[secret].dtype)
        codes = codecs(schema)[secret].encode(said).codes
        same = codes == ours[secret].to_numpy()
        assert same[clear].all(), f"guesses of {secret} differ"
        compared += int(clear.sum())
    return {"guesses": targets.shape[0] * len(columns), "without_a_tie": compared, "different": 0}


def _links(
    made: Tables,
    schema: Schema,
    targets: np.ndarray,
    release: np.ndarray,
    ours: pd.DataFrame,
    theirs: pd.DataFrame,
) -> dict[str, int]:
    """Compare neighbors by their distances, and links wherever no tie decides who is a neighbor."""
    columns = list(made.release.columns)
    half = len(columns) // 2
    clear = np.ones(len(targets), dtype=bool)
    for letter, places in (("a", range(half)), ("b", range(half, len(columns)))):
        names = [columns[at] for at in places]
        mine, rows = targets[:, list(places)], release[:, list(places)]
        within = _space(schema, names)
        near = closest(mine, rows, within, k=NEIGHBORS + 1).distance
        said = theirs[[f"{letter}{rank}" for rank in range(NEIGHBORS)]].to_numpy(dtype=np.int64)
        far = np.sort(between(mine, rows, within, rows=said), axis=1)
        assert np.abs(far - near[:, :NEIGHBORS]).max() < SAME, "neighbors differ"
        clear &= near[:, NEIGHBORS] - near[:, NEIGHBORS - 1] > SAME
    same = (theirs["linked"] == "True").to_numpy() == ours["linked"].to_numpy()
    assert same[clear].all(), "links differ"
    return {
        "neighbors": 2 * NEIGHBORS * len(targets),
        "links": len(targets),
        "without_a_tie": int(clear.sum()),
        "different": 0,
    }


def _conditions(made: Tables, schema: Schema, theirs: pd.DataFrame) -> dict[str, int]:
    """Hold anonymeter's conditions against the tables with our engine."""
    columns = list(made.release.columns)
    parts = [STATED.findall(query) for query in theirs["query"]]
    assert all(len(part) == CONDITIONS for part in parts), "a condition was not understood"
    stated = np.array([[columns.index(name) for name, *_ in part] for part in parts])
    codes = np.empty(stated.shape, dtype=np.int32)
    for place, name in enumerate(columns):
        texts = [number or text for part in parts for at, _, number, text in part if at == name]
        values = pd.Series(texts, dtype="str").astype(made.release[name].dtype)
        codes[stated == place] = codecs(schema)[name].encode(values).codes
    signs = np.array([[sign for _, sign, *_ in part] for part in parts])
    last = np.array([sizes(schema)[name] - 1 for name in columns])[stated]
    asked = Predicates(
        columns=stated.astype(np.int32),
        low=np.where(signs == "<=", 0, codes).astype(np.int32),
        high=np.where(signs == ">=", last, codes).astype(np.int32),
    )
    for part, frame in (("members", made.members), ("controls", made.controls)):
        # It takes each different record once.
        once = frame.iloc[: len(made.controls)].drop_duplicates()
        table = encode(once, schema, name=part, persons=False)
        hits = isolated(asked, by_row(table.columns, table.codes)) >= 0
        assert (hits == (theirs[part] == "true").to_numpy()).all(), f"conditions on {part} differ"
    return {"conditions": len(parts), "different": 0}


def _space(schema: Schema, names: list[str]):
    return space(sizes(schema), ordered(schema), names, missing=missing(schema))


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main()
