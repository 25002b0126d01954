"""Run one synthesizer or attack once, in a process of its own, and measure what that took.

    python -P harness.py RUNNER.py JOB.json

Any Python with pandas and pyarrow can execute this file: ours, or that of a peer's environment. It
imports nothing of dpsynth; the runner may. A runner is a file with two functions:

- ``load(name)`` imports what is needed and returns versions by package; its time is not counted;
- ``synthesize(job, frame)`` plans, fits and samples, and returns rows as a frame of codes; in its
  place there may be ``fit(job, frame)`` and ``sample(job, fitted)``, whose times are told apart,
  or ``attack(job, frame)``, which returns what an attack answered, or ``measure(job, frame)``,
  which returns what was measured.

The job names the table, the sizes of its columns or else what is declared of them, budget (also as
rho), seed and settings, and where to write.
"""

import importlib.util
import json
import platform
import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd


def main(runner: str, job_file: str) -> None:
    """Load, measure, write."""
    job: dict[str, Any] = json.loads(Path(job_file).read_text(encoding="utf-8"))
    try:
        _measure(runner, job)
    except Exception as error:
        failure = {"failure": f"{type(error).__name__}: {error}"}
        Path(job["measured"]).write_text(json.dumps(failure), encoding="utf-8")
        raise


def _measure(runner: str, job: Mapping[str, Any]) -> None:
    functions = _module(runner)
    versions = {"python": platform.python_version(), **functions.load(job["name"])}
    frame = pd.read_parquet(job["table"])
    cpu, wall = _cpu_seconds(), time.perf_counter()
    apart: dict[str, float] = {}
    if hasattr(functions, "fit"):
        fitted = functions.fit(job, frame)
        apart["fit_cpu_seconds"] = _cpu_seconds() - cpu
        made = functions.sample(job, fitted)
        apart["sample_cpu_seconds"] = _cpu_seconds() - cpu - apart["fit_cpu_seconds"]
    else:
        names = ("attack", "measure", "synthesize")
        work = next(getattr(functions, name) for name in names if hasattr(functions, name))
        made = work(job, frame)
    measured = {
        **apart,
        "cpu_seconds": _cpu_seconds() - cpu,
        "wall_seconds": time.perf_counter() - wall,
        "process_cpu_seconds": _cpu_seconds(),
        "peak_mib": _peak_mib(),
        "versions": versions,
    }
    made.to_parquet(job["out"], index=False)
    Path(job["measured"]).write_text(json.dumps(measured), encoding="utf-8")


def _module(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("runner", path)
    assert spec is not None, "a runner is a Python file"
    assert spec.loader is not None, "a runner is a Python file"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _cpu_seconds() -> float:
    """Return CPU seconds of this process, all threads, and of children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _peak_mib() -> float:
    """Return the greatest resident size so far, of this process or of one of its children.

    On Linux ``ru_maxrss`` of a process starts at the size of the one that started it, so this
    process itself is asked elsewhere.
    """
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    status = Path("/proc/self/status")
    if status.is_file():
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
        own = next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), own)
    # Children's figures start at our own size, which is no more than the peak to report.
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return max(own, children) / unit


if __name__ == "__main__":
    main(*sys.argv[1:3])
