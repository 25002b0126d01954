"""Runs the zoo: every mutant and control in a process of its own, and who found what."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from attacks.conformance import audits
from attacks.mutants.base import Control, Mutant
from attacks.mutants.catalogue import CONTROLS, MUTANTS
from attacks.mutants.subjects import SUBJECTS

LEAST_KILLED = 0.95
_SECONDS = 1_800  # for one process; one that takes longer is counted as an error
_CHUNK = 25  # seeds of a control in one process
# One of every kind, and what the audits could most easily lose again.
_SMOKE = frozenset(
    {
        "noise-20-percent-small",
        "scale-over-n",
        "one-draw-for-all-cells",
        "noise-on-a-coarse-grid",
        "small-counts-suppressed",
        "max-rows-forgotten",
        "number-of-marginals-forgotten",
        "score-sensitivity-halved",
        "contributions-unbounded",
        "selection-factor-two",
        "argmax-past-the-mechanism",
        "every-value-released",
        "exact-number-of-rows",
        "sampled-until-it-passes",
        "identifiers-copied",
        "categories-from-the-rows",
        "warning-on-a-missing-cell",
        "budget-spent-twice",
        "debited-after-the-read",
        "debits-written-at-the-end",
        "releases-charged-once",
        "seed-fixed",
    }
)


class Tier(StrEnum):
    """How much of the zoo is run."""

    smoke = "smoke"
    standard = "standard"
    full = "full"


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What a tier runs.

    Attributes:
        mutants: which.
        required_only: of a mutant the audit that must find it is run, and no other.
        seeds: of every control.
    """

    mutants: tuple[Mutant, ...]
    required_only: bool
    seeds: int


def scope_of(tier: Tier) -> Scope:
    """Return what ``tier`` runs."""
    if tier is Tier.smoke:
        chosen = tuple(each for each in MUTANTS if each.name in _SMOKE)
        return Scope(mutants=chosen, required_only=True, seeds=1)
    return Scope(mutants=MUTANTS, required_only=False, seeds=200 if tier is Tier.full else 5)


@dataclass(frozen=True, kw_only=True)
class Row:
    """What became of one mutant.

    Attributes:
        mutant: its name.
        sentence: what is wrong.
        component: what is broken.
        audit: which audit must say so.
        killed: that audit named that component.
        killers: every audit that found anything, with the components that it named.
        seconds: of the required audit, on the processor.
        errors: audits that could not be run, and why.
    """

    mutant: str
    sentence: str
    component: str
    audit: str
    killed: bool
    killers: Mapping[str, Sequence[str]]
    seconds: float
    errors: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Alarmed:
    """A run of a correct mechanism that an audit complained about, or could not finish."""

    control: str
    seed: int
    audit: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class ZooReport:
    """The kill matrix.

    Attributes:
        tier: what was run.
        rows: one a mutant that was run.
        alarms: of correct mechanisms; every one is false.
        correct_runs: controls times seeds.
        controls: how many different correct mechanisms.
        skipped: mutants and controls that need torch, where it is missing.
    """

    tier: str
    rows: tuple[Row, ...]
    alarms: tuple[Alarmed, ...]
    correct_runs: int
    controls: int
    skipped: tuple[str, ...]

    @property
    def killed(self) -> int:
        """Mutants that the right audit killed, naming the right component."""
        return sum(row.killed for row in self.rows)

    @property
    def kill_rate(self) -> float:
        """Their share; 0 where nothing was run."""
        return self.killed / len(self.rows) if self.rows else 0.0

    @property
    def false_alarms(self) -> int:
        """Runs of correct mechanisms that raised any alarm."""
        return len({(each.control, each.seed) for each in self.alarms})

    @property
    def passed(self) -> bool:
        """Enough were killed, and nothing else."""
        return self.kill_rate >= LEAST_KILLED and not self.false_alarms

    def to_dict(self) -> dict[str, Any]:
        """Write as JSON-ready values."""
        return {
            "tier": self.tier,
            "mutants": len(self.rows),
            "killed": self.killed,
            "kill_rate": self.kill_rate,
            "false_alarms": self.false_alarms,
            "correct_runs": self.correct_runs,
            "controls": self.controls,
            "rows": [asdict(row) for row in self.rows],
            "alarms": [asdict(each) for each in self.alarms],
            "skipped": list(self.skipped),
        }

    def to_text(self) -> str:
        """Write the matrix: a line a mutant, a mark for every audit that found something."""
        names = list(audits.AUDITS)
        width = max((len(row.mutant) for row in self.rows), default=6)
        head = f"{'mutant':{width}}  " + "  ".join(names) + "  killed by             seconds"
        lines = [head]
        for row in self.rows:
            marks = "  ".join(
                f"{'x' if name in row.killers else '-':^{len(name)}}" for name in names
            )
            by = f"{row.audit}: {row.component}" if row.killed else "SURVIVED"
            lines.append(f"{row.mutant:{width}}  {marks}  {by:26}  {row.seconds:5.2f}")
        lines += [
            f"FALSE ALARM  {each.control}, seed {each.seed}: {each.sentence}"
            for each in self.alarms
        ]
        lines += [f"skipped, needs torch: {', '.join(self.skipped)}"] if self.skipped else []
        lines.append(
            f"{self.killed} of {len(self.rows)} mutants killed by the right audit "
            f"({100 * self.kill_rate:.1f} %); {self.false_alarms} false alarms in "
            f"{self.correct_runs} runs of {self.controls} correct mechanisms"
        )
        return "\n".join(lines)


def run(
    tier: Tier, *, jobs: int | None = None, progress: Callable[[str], object] | None = None
) -> ZooReport:
    """Run the zoo.

    Args:
        tier: how much of it.
        jobs: processes at a time; as many as there are cores where not given.
        progress: told the name of everything that is done.
    """
    scope = scope_of(tier)
    mutants, controls, skipped = _runnable(scope.mutants)
    chunks = [
        (control, seeds)
        for control in controls
        for seeds in _chunks(range(1, scope.seeds + 1), size=_CHUNK)
    ]

    def of_mutant(mutant: Mutant) -> Row:
        only = [mutant.audit] if scope.required_only else None
        row = row_of(mutant, child_of(mutant.name, audits_named=only, seeds=[0]))
        if progress is not None:
            progress(mutant.name)
        return row

    def of_control(chunk: tuple[Control, Sequence[int]]) -> list[Alarmed]:
        control, seeds = chunk
        found = alarms_of(control, child_of(control.name, audits_named=None, seeds=seeds), seeds)
        if progress is not None:
            progress(control.name)
        return found

    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        waiting = [pool.submit(of_control, chunk) for chunk in chunks]
        rows = list(pool.map(of_mutant, mutants))
        alarms = [alarm for each in waiting for alarm in each.result()]
    return ZooReport(
        tier=tier.value,
        rows=tuple(rows),
        alarms=tuple(alarms),
        correct_runs=len(controls) * scope.seeds,
        controls=len(controls),
        skipped=skipped,
    )


def _runnable(
    mutants: Iterable[Mutant],
) -> tuple[tuple[Mutant, ...], tuple[Control, ...], tuple[str, ...]]:
    """Leave out what needs torch, where it is missing."""

    def can(each: Mutant | Control) -> bool:
        return audits.has_torch() or not SUBJECTS[each.subject].trains

    chosen = tuple(mutants)
    skipped = [each.name for each in chosen if not can(each)]
    skipped += [each.name for each in CONTROLS if not can(each)]
    return (
        tuple(each for each in chosen if can(each)),
        tuple(each for each in CONTROLS if can(each)),
        tuple(skipped),
    )


def _chunks(seeds: range, *, size: int) -> list[Sequence[int]]:
    return [seeds[start : start + size] for start in range(0, len(seeds), size)]


def child_of(
    name: str, *, audits_named: Sequence[str] | None, seeds: Sequence[int]
) -> list[dict[str, Any]] | str:
    """Return what a process of its own printed, or why there is nothing."""
    command = [sys.executable, "-m", "attacks.mutants.child", name]
    command += [f"--audit={each}" for each in audits_named or ()]
    command += [f"--seed={seed}" for seed in seeds]
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


def row_of(mutant: Mutant, runs: list[dict[str, Any]] | str) -> Row:
    """Judge a mutant by what its process printed."""
    found = [] if isinstance(runs, str) else [each for run in runs for each in run["found"]]
    killers = {
        each["audit"]: sorted({alarm["component"] for alarm in each["alarms"]})
        for each in found
        if each["alarms"]
    }
    errors = {each["audit"]: each["error"] for each in found if each["error"]}
    return Row(
        mutant=mutant.name,
        sentence=mutant.sentence,
        component=mutant.component,
        audit=mutant.audit,
        killed=mutant.component in killers.get(mutant.audit, ()),
        killers=killers,
        seconds=sum(each["seconds"] for each in found if each["audit"] == mutant.audit),
        errors={"process": runs} if isinstance(runs, str) else errors,
    )


def alarms_of(
    control: Control, runs: list[dict[str, Any]] | str, seeds: Sequence[int]
) -> list[Alarmed]:
    """Return every alarm about a correct mechanism; an audit that did not end is one too."""
    if isinstance(runs, str):
        return [
            Alarmed(control=control.name, seed=seed, audit="process", sentence=runs)
            for seed in seeds
        ]
    return [
        Alarmed(control=control.name, seed=run["seed"], audit=each["audit"], sentence=sentence)
        for run in runs
        for each in run["found"]
        for sentence in [
            *(alarm["sentence"] for alarm in each["alarms"]),
            *([each["error"]] if each["error"] else []),
        ]
    ]
