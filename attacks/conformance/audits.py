"""All audits of a mechanism, in order, each a function from a trial to what it found wrong.

Each says which component is broken, and none knows what could be: they test what must hold of every
mechanism. An audit that cannot be run raises, and that is no pass.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from attacks.conformance import (
    bill,
    books,
    neighbors,
    noise,
    preparing,
    raw,
    released,
    repeats,
    selection,
    whole,
)
from attacks.conformance.checks import Check
from attacks.conformance.trial import Alarm, Trial

Audit = Callable[[Trial], list[Alarm]]
_COMPONENTS = {
    "noise/batches": "batches",
    "noise/spread": "batches",
    "noise": "noise",
    "selection": "selection",
}


def replayed(trial: Trial) -> list[Alarm]:
    """Return what tells neighboring tables apart beside what the noise covers."""
    found = []
    for each in (trial,) if trial.trains else (trial, trial.loud):
        planned = [step["event"] for step in each.document["steps"]]
        found += [
            Alarm(component=component, sentence=f"{sentence} ({pair.world.split(' of drawn')[0]})")
            for pair in each.replays
            for component, sentence in neighbors.faults_of(pair, planned=planned)
        ]
    return list(dict.fromkeys(found))


def at_frozen_inputs(trial: Trial) -> list[Alarm]:
    """Return which mechanisms of the plan do not follow their laws, asked directly."""
    checks = [
        *noise.check(trial.document, seed=trial.seed, wider=True),
        *selection.check(trial.document, seed=trial.seed, flatter=True),
    ]
    return [_alarm(check) for check in checks if check.status in ("failed", "error")]


def _alarm(check: Check) -> Alarm:
    family = next(name for name in _COMPONENTS if check.name.startswith(name))
    return Alarm(component=_COMPONENTS[family], sentence=f"{check.name}: {check.detail}")


# In the order in which they run: what is quick and certain first. A distinguishing game takes its
# place behind "released": it sees the same answers, and needs the most runs.
AUDITS: Mapping[str, Audit] = {
    "bill": bill.audit,
    "rows": preparing.audit,
    "neighbors": replayed,
    "law": at_frozen_inputs,
    "released": released.audit,
    "randomness": repeats.audit,
    "ledger": books.audit,
    "raw": raw.audit,
    "release": whole.audit,
}


@dataclass(frozen=True, kw_only=True)
class Found:
    """What one audit found.

    Attributes:
        audit: its name.
        alarms: what is wrong; empty where nothing is.
        error: why it could not be run, or None.
        seconds: of this process's time.
    """

    audit: str
    alarms: tuple[Alarm, ...]
    error: str | None
    seconds: float


def run(trial: Trial, *, names: Sequence[str] | None = None) -> list[Found]:
    """Run the audits of these names, or all, in order.

    Args:
        trial: what is audited.
        names: keys of ``AUDITS``.

    Raises:
        KeyError: no audit has such a name.
    """
    return [_run(name, trial) for name in (AUDITS if names is None else names)]


def _run(name: str, trial: Trial) -> Found:
    start = time.process_time()
    alarms: tuple[Alarm, ...] = ()
    error = None
    try:
        alarms = tuple(AUDITS[name](trial))
    except Exception as fault:  # noqa: BLE001  # a broken mechanism may raise anything
        error = f"{type(fault).__name__}: {fault}"
    return Found(audit=name, alarms=alarms, error=error, seconds=time.process_time() - start)


def has_torch() -> bool:
    """Whether trainings can be tried here."""
    return find_spec("torch") is not None
