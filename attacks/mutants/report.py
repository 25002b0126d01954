"""What became of every mutant and of every correct mechanism: the kill matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from attacks.conformance import audits
from attacks.mutants.base import Control, Mutant

LEAST_KILLED = 0.95
RARE = 0.01  # chance of more false alarms than are let pass, where every audit keeps its level


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
        seconds: of the required audit, on the processor; what audits share counts for the first.
        took: seconds of every audit that was run.
        errors: audits that could not be run, and why.
    """

    mutant: str
    sentence: str
    component: str
    audit: str
    killed: bool
    killers: Mapping[str, Sequence[str]]
    seconds: float
    took: Mapping[str, float]
    errors: Mapping[str, str]

    @property
    def killed_by(self) -> str | None:
        """The audit that killed it; None where it survived."""
        return self.audit if self.killed else None


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
        alarms: of correct mechanisms; every one is false, if the code is as it was published.
        seeds: how often each correct mechanism was run.
        audit_runs: how often each audit looked at one; one that takes long does so less often.
        skipped: mutants and controls that need torch, where it is missing.
        seconds: that the run took, on the clock.
        made: when, by which command, version, Python and machine.
    """

    tier: str
    rows: tuple[Row, ...]
    alarms: tuple[Alarmed, ...]
    seeds: Mapping[str, int]
    audit_runs: Mapping[str, int]
    skipped: tuple[str, ...]
    seconds: float
    made: Mapping[str, str]

    @property
    def killed(self) -> int:
        """Mutants that the right audit killed, naming the right component."""
        return sum(row.killed for row in self.rows)

    @property
    def kill_rate(self) -> float:
        """Their share; 1 where no mutant was run."""
        return self.killed / len(self.rows) if self.rows else 1.0

    @property
    def correct_runs(self) -> int:
        """Runs of correct mechanisms."""
        return sum(self.seeds.values())

    @property
    def false_alarms(self) -> int:
        """Runs of correct mechanisms that raised any alarm."""
        return len({(each.control, each.seed) for each in self.alarms})

    @cached_property
    def false_alarms_allowed(self) -> int:
        """How many may be raised; see ``allowed``."""
        return allowed(self.correct_runs, level=audits.LEVEL)

    @property
    def passed(self) -> bool:
        """Enough were killed, and hardly anything else."""
        return self.kill_rate >= LEAST_KILLED and self.false_alarms <= self.false_alarms_allowed

    def to_dict(self) -> dict[str, Any]:
        """Write as JSON-ready values."""
        return {
            "tier": self.tier,
            "mutants": len(self.rows),
            "killed": self.killed,
            "kill_rate": self.kill_rate,
            "false_alarms": self.false_alarms,
            "false_alarms_allowed": self.false_alarms_allowed,
            "false_alarm_level": audits.LEVEL,
            "correct_runs": self.correct_runs,
            "controls": dict(self.seeds),
            "audit_runs": dict(self.audit_runs),
            "passed": self.passed,
            "seconds": self.seconds,
            "rows": [{**asdict(row), "killed_by": row.killed_by} for row in self.rows],
            "alarms": [asdict(each) for each in self.alarms],
            "skipped": list(self.skipped),
            "made": dict(self.made),
        }


def allowed(runs: int, *, level: float) -> int:
    """Return the most false alarms of so many runs that are put down to chance.

    Where each run raises one with probability ``level``, independently, more happen with
    probability at most ``RARE``.
    """
    from scipy.stats import binom

    return int(binom.ppf(1 - RARE, runs, level)) if runs else 0


def row_of(mutant: Mutant, runs: Sequence[Mapping[str, Any]] | str) -> Row:
    """Judge a mutant by what its process printed, or by why it printed nothing.

    A process that failed, and an audit that could not be run, kill nobody.
    """
    found = [] if isinstance(runs, str) else [each for run in runs for each in run["found"]]
    killers = {
        each["audit"]: sorted({alarm["component"] for alarm in each["alarms"]})
        for each in found
        if each["alarms"]
    }
    took: dict[str, float] = {}
    for each in found:
        took[each["audit"]] = took.get(each["audit"], 0.0) + each["seconds"]
    errors = {each["audit"]: each["error"] for each in found if each["error"]}
    return Row(
        mutant=mutant.name,
        sentence=mutant.sentence,
        component=mutant.component,
        audit=mutant.audit,
        killed=mutant.component in killers.get(mutant.audit, ()),
        killers=killers,
        seconds=took.get(mutant.audit, 0.0),
        took=took,
        errors={"process": runs} if isinstance(runs, str) else errors,
    )


def alarms_of(
    control: Control, runs: Sequence[Mapping[str, Any]] | str, seeds: Sequence[int]
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
            *(f"{alarm['component']}: {alarm['sentence']}" for alarm in each["alarms"]),
            *([each["error"]] if each["error"] else []),
        ]
    ]
