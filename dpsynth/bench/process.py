"""One run in a process of its own: ours in this Python, a peer's in that of its environment."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import nextafter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpsynth.bench import peers
from dpsynth.bench.suite import Cell

if TYPE_CHECKING:
    import pandas as pd

HERE = Path(__file__).parent
NOT_INSTALLED = "the peer is not installed"
OUT = "out.parquet"
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_LONGEST_FAILURE = 240
_PATHS = re.compile(r"(?:/[^\s/:'\"]+)+/([^\s/:'\"]+)")


class RunFailedError(Exception):
    """One run went wrong; it becomes a record, and the others go on."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """What one run fits and what it is held against.

    Attributes:
        path: the rows that the synthesizer gets, on disk.
        facts: what its job says of them.
        runner: of our own synthesizers.
        size: numbers of ``rows``, ``columns`` and ``codes``, for the record.
        score: holds a synthetic table against these rows and those that were held out.
    """

    path: Path
    facts: Mapping[str, Any]
    runner: str
    size: Mapping[str, int]
    score: "Callable[[pd.DataFrame], dict[str, float]]"


def run_process(cell: Cell, part: Part, *, peers_folder: Path, folder: Path) -> dict[str, Any]:
    """Run one cell to its end; return what it took. The rows are left in ``OUT`` in ``folder``.

    Raises:
        RunFailedError: the peer is not installed, or the run did not come to an end.
    """
    contender = cell.contender
    job_file, out, measured = (folder / name for name in ("job.json", OUT, "took.json"))
    for left_over in (out, measured):
        left_over.unlink(missing_ok=True)
    job = {
        "table": str(part.path),
        **part.facts,
        "name": contender.name,
        "settings": dict(contender.settings),
        "epsilon": cell.epsilon,
        "delta": cell.delta,
        "rho": _rho(cell),
        "seed": None if cell.fresh else cell.seed,
        "out": str(out),
        "measured": str(measured),
    }
    job_file.write_text(json.dumps(job), encoding="utf-8")
    environment = {**os.environ, **dict.fromkeys(_ONE_THREAD, "1")}
    if contender.peer is None:
        interpreter, runner = Path(sys.executable), HERE / part.runner
        flags = ["-P"]  # the folder of the harness is no place to import from
        places = [str(HERE.parent.parent), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, places))
    else:
        interpreter, runner = (
            peers.interpreter(contender.peer, peers_folder),
            peers.runner(contender.peer),
        )
        flags = ["-I"]
        environment.pop("PYTHONPATH", None)
        if not interpreter.exists():
            raise RunFailedError(NOT_INSTALLED)
    command = [str(interpreter), *flags, str(HERE / "harness.py"), str(runner), str(job_file)]
    code = finish(command, environment, folder=folder, limit_seconds=cell.limit_seconds)
    took: dict[str, Any] = {}
    if measured.exists():
        took = json.loads(measured.read_text(encoding="utf-8"))
    if "failure" in took:
        raise RunFailedError(readable(took["failure"]))
    if code != 0 or not took:
        lines = (folder / "said.txt").read_text(encoding="utf-8", errors="replace").splitlines()
        last = lines[-1] if lines else "it said nothing"
        raise RunFailedError(readable(f"exit code {code}: {last}"))
    return took


def _rho(cell: Cell) -> float | None:
    """Return what the claim allows in zCDP, rounded down, for peers that ask for it in this way."""
    from dpsynth.privacy.accounting import rho_from_epsilon

    if cell.epsilon is None or cell.delta in (None, "0"):
        return None
    exact = rho_from_epsilon(Fraction(cell.epsilon), Fraction(cell.delta))
    near = float(exact)
    return near if Fraction(near) <= exact else nextafter(near, 0)


def finish(
    command: list[str], environment: Mapping[str, str], *, folder: Path, limit_seconds: float
) -> int:
    """Run a command to its end and return its code, or end it and all that it started."""
    with (folder / "said.txt").open("wb") as out:
        process = subprocess.Popen(  # noqa: S603  # our own files, run by a chosen interpreter
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout=limit_seconds)
        except subprocess.TimeoutExpired:
            raise RunFailedError(f"not finished after {limit_seconds:g} s") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    return code


def readable(text: str) -> str:
    """Return one short line that names no folder of this machine."""
    line = _PATHS.sub(r"\1", " ".join(text.split()))
    if len(line) <= _LONGEST_FAILURE:
        return line
    end = _LONGEST_FAILURE // 2  # where a chain of causes ends, it says the first of them
    return f"{line[:end]} ... {line[-end:]}"
