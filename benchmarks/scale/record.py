"""Shared by the scripts of this folder: resumable records, and one measured process a record."""

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent.parent / "results" / "scale"


def read(name: str) -> list[dict[str, Any]]:
    """Return what was recorded under ``name``."""
    path = RESULTS / f"{name}.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def by_step(name: str) -> dict[str, list[dict[str, Any]]]:
    """Return the records of each step and synthesizer, by what to call them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in read(name):
        found.setdefault(f"{each['step']}, {each['synthesizer']}", []).append(each)
    return found


def append(name: str, record: dict[str, Any]) -> None:
    """Write one more record down."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    with (RESULTS / f"{name}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(record, sort_keys=True) + "\n")


def known(name: str, **key: Any) -> bool:
    """Tell whether a record with these values is there."""
    return any(key.items() <= record.items() for record in read(name))


def measured(script: str, *words: str) -> dict[str, Any]:
    """Run a script of this folder in a process of its own; return the JSON that it prints last."""
    done = subprocess.run(  # noqa: S603  # our own script
        [sys.executable, script, *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise SystemExit(done.returncode)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def peak_mebibytes() -> int:
    """Return the most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
