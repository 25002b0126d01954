"""Runs the zoo: every mutant and control in a process of its own, and who found what."""

import itertools
import json
import os
import platform
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

from attacks.conformance import audits
from attacks.mutants.base import Control, Mutant
from attacks.mutants.report import Alarmed, Row, ZooReport, alarms_of, row_of
from attacks.mutants.subjects import SUBJECTS
from attacks.mutants.tiers import Scope, Tier, scope_of
from attacks.statement import today

_SECONDS = 1_800  # for one process; one that takes longer is counted as an error
_CHUNK = 20  # seeds of a control in one process, all put before the same audits


def run(
    tier: Tier,
    *,
    scope: Scope | None = None,
    planted: Path | None = None,
    jobs: int | None = None,
    progress: Callable[[str], object] | None = None,
) -> ZooReport:
    """Run the zoo.

    Args:
        tier: how much of it.
        scope: what is run, where it is not what the tier says.
        planted: a file of mutants of which the scope's may be.
        jobs: processes at a time; as many as there are cores where not given.
        progress: told a sentence about everything that is done.
    """
    start = time.monotonic()
    scope = scope or scope_of(tier)
    mutants = [each for each in scope.mutants if _runnable(each)]
    controls = [(each, seeds) for each, seeds in scope.controls if _runnable(each)]
    chunks = [
        (control, seeds[first : first + _CHUNK])
        for control, seeds in controls
        for first in range(0, len(seeds), _CHUNK)
    ]
    done, count = itertools.count(1), len(mutants) + len(chunks)

    def tell(what: str) -> None:
        if progress is not None:
            progress(f"{next(done)} of {count}: {what}")

    def of_mutant(mutant: Mutant) -> Row:
        only = scope.audits_of(mutant)
        row = row_of(mutant, child_of(mutant.name, only=only, seeds=[0], planted=planted))
        tell(f"{mutant.name} {'killed' if row.killed else 'SURVIVED'}")
        return row

    def of_control(chunk: tuple[Control, Sequence[int]]) -> list[Alarmed]:
        control, seeds = chunk
        only = scope.audits_at(seeds[0])
        printed = child_of(control.name, only=only, seeds=seeds, plain=scope.spares(seeds[0]))
        found = alarms_of(control, printed, seeds)
        tell(f"{control.name}, {len(seeds)} seeds, {len(found) or 'no'} alarms")
        return found

    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        waiting = [pool.submit(of_control, chunk) for chunk in chunks]
        rows = list(pool.map(of_mutant, mutants))
        alarms = [alarm for each in waiting for alarm in each.result()]
    return ZooReport(
        tier=tier.value,
        rows=tuple(rows),
        alarms=tuple(alarms),
        seeds={control.name: len(seeds) for control, seeds in controls},
        audit_runs=Counter(
            name for _, seeds in controls for seed in seeds for name in scope.audits_at(seed)
        ),
        skipped=tuple(_skipped([*scope.mutants, *(each for each, _ in scope.controls)])),
        seconds=round(time.monotonic() - start, 1),
        made=_made(tier),
    )


def _made(tier: Tier) -> dict[str, str]:
    """Say when, by what and on what this was run."""
    return {
        "command": f"dpsynth mutants --tier {tier.value} --json",
        "date": today(),
        "version": version("dpsynth"),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }


def _runnable(each: Mutant | Control) -> bool:
    """Whether torch is there, where it is needed."""
    return audits.has_torch() or not SUBJECTS[each.subject].trains


def _skipped(chosen: Iterable[Mutant | Control]) -> list[str]:
    return [each.name for each in chosen if not _runnable(each)]


def child_of(
    name: str,
    *,
    only: Sequence[str] = (),
    seeds: Sequence[int],
    plain: bool = False,
    planted: Path | None = None,
) -> list[dict[str, Any]] | str:
    """Return what a process of its own printed, or why there is nothing.

    Args:
        name: of a mutant or control.
        only: audits that are run; all where empty.
        seeds: of the trials.
        plain: whether replays leave odd cells and loud budgets out.
        planted: a file that the mutant may stand in.
    """
    command = [sys.executable, "-m", "attacks.mutants.child", name]
    command += [f"--audit={each}" for each in only]
    command += [f"--seed={seed}" for seed in seeds]
    command += ["--plain"] if plain else []
    command += [] if planted is None else [f"--planted={planted}"]
    alone = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    found: list[dict[str, Any]]
    try:
        done = subprocess.run(  # noqa: S603  # this very program
            command,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
            env={**os.environ, **alone},
        )
        found = json.loads(done.stdout.splitlines()[-1])
    except subprocess.CalledProcessError as error:
        said: list[str] = error.stderr.strip().splitlines()
        return said[-1] if said else "it ended with no word"
    except (subprocess.TimeoutExpired, ValueError, IndexError) as error:
        return type(error).__name__
    return found
