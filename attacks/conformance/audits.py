"""All audits of a mechanism, in order, each a function from a trial to its checks.

A check that fails says which component is broken, and no audit knows what could be: they test what
must hold of every mechanism. An audit that cannot be run raises, and that is no pass.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec

from attacks.conformance import (
    bill,
    books,
    game,
    inputs,
    neighbors,
    noise,
    preparing,
    raw,
    released,
    repeats,
    selection,
    streams,
    whole,
)
from attacks.conformance.checks import ERROR, FAILED, FALSE_ALARM, GAME, Check, witness
from attacks.conformance.trial import Alarm, Trial

Audit = Callable[[Trial], Sequence[Check | Alarm]]


def at_frozen_inputs(trial: Trial) -> list[Check]:
    """Return whether the mechanisms of the plan follow their laws, asked directly.

    Choices also with a budget so large that scores count which lie closer than their sensitivity.
    """
    loud = (
        () if trial.trains else selection.check(trial.loud.document, seed=trial.seed, flatter=True)
    )
    return [
        *noise.check(trial.document, seed=trial.seed, wider=True),
        *selection.check(trial.document, seed=trial.seed, flatter=True),
        *(replace(each, name=f"{each.name}, loud") for each in loud),
        *(streams.check(trial.document, seed=trial.seed) if has_torch() else ()),
        *inputs.check(trial.document, seed=trial.seed),
    ]


# In the order in which they run: what is quick and certain first.
AUDITS: Mapping[str, Audit] = {
    "bill": bill.audit,
    "rows": preparing.audit,
    "neighbors": neighbors.audit,
    "law": at_frozen_inputs,
    "released": released.audit,
    "game": game.audit,
    "randomness": repeats.audit,
    "ledger": books.audit,
    "raw": raw.audit,
    "release": whole.audit,
}
# Chance that all audits together raise an alarm about a correct mechanism, at most: three of them
# are statistical, "law" (twice: at two budgets, and at counts of all kinds),
# "released" and "game"; "randomness" needs a deviation of far less chance.
LEVEL = 4.1 * FALSE_ALARM


@dataclass(frozen=True, kw_only=True)
class Found:
    """What one audit found.

    Attributes:
        audit: its name.
        checks: what it looked at, each with its status; empty where it could not be run.
        alarms: the checks that failed, as what is broken and a sentence; of games, which fail at a
            familywise level of their own, those alone that fail at the level of all other audits.
        error: why it could not be run, or None.
        seconds: of this process's time.
    """

    audit: str
    checks: tuple[Check, ...]
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
    return list(running(trial, names=names))


def running(trial: Trial, *, names: Sequence[str] | None = None) -> Iterator[Found]:
    """Run them one by one, as their results are asked for; see ``run``."""
    for name in AUDITS if names is None else names:
        yield _run(name, trial)


def checks_of(found: Sequence[Found]) -> list[Check]:
    """Return the checks of all audits; one with the status "error" for each that did not end."""
    return [
        check
        for each in found
        for check in (
            each.checks
            if each.error is None
            else (
                Check(
                    name=each.audit,
                    audit=each.audit,
                    status=ERROR,
                    detail=f"the audit did not end: {each.error.partition(':')[0]}",
                ),
            )
        )
    ]


def _run(name: str, trial: Trial) -> Found:
    start = time.process_time()
    checks: tuple[Check, ...] = ()
    error = None
    audit = AUDITS[name]
    try:
        checks = tuple(replace(_as_check(each, name), audit=name) for each in audit(trial))
    except Exception as fault:  # noqa: BLE001  # a broken mechanism may raise anything
        error = f"{type(fault).__name__}: {fault}"
    alarms = [
        Alarm(component=check.component, sentence=f"{check.name}: {check.detail}")
        for check in checks
        if check.status == FAILED and (check.kind != GAME or _surely(check, checks))
    ]
    return Found(
        audit=name,
        checks=checks,
        alarms=tuple(alarms),
        error=error,
        seconds=time.process_time() - start,
    )


def _surely(check: Check, beside: Sequence[Check]) -> bool:
    games = [each for each in beside if each.kind == GAME]
    return check.p_value is not None and check.p_value * len(games) <= FALSE_ALARM


def _as_check(found: Check | Alarm, audit: str) -> Check:
    if isinstance(found, Check):
        return found
    return witness(f"{audit}/alarm", found.component, found.sentence, violations=1)


def has_torch() -> bool:
    """Whether trainings can be tried here."""
    return find_spec("torch") is not None
