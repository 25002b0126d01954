"""Calibration: would this audit have found copies of some members in this release?

A share of the attacked members is copied into the release, and the attacks that find copied persons
run again. All lines of the audit are then tested as before, with the lines of these attacks
replaced, those of groups of persons too: what comes out is what the audit would have said, had the
leak been there.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from attacks import rules, suite
from attacks.audit_set import AuditSet
from attacks.base import Evidence
from attacks.observed import Observed
from attacks.results import AttackResult, Plant

Test = Callable[[Sequence[Observed]], list[AttackResult]]
Groups = Callable[[Sequence[Observed]], list[Observed]]

SHARES = (0.001, 0.01, 0.1)


def planted(
    evidence: Evidence,
    persons: AuditSet,
    lines: Sequence[Observed],
    entries: Sequence[suite.Entry],
    *,
    test: Test,
    groups: Groups,
    limits: rules.Limits,
    seed: int,
    progress: suite.Progress,
) -> tuple[Plant, ...]:
    """Plant each share of the attacked members in turn, and return what would have been seen.

    Args:
        evidence: the release as it is.
        persons: who is attacked.
        lines: of the audit as it is.
        entries: the attacks of the audit; those that find copies run again.
        test: tests lines together.
        groups: draws the lines of groups of persons from others, as the audit did.
        limits: what the verdict is measured by.
        seed: of the choice of whom to copy.
        progress: told what is being done.
    """
    quick = [entry for entry in entries if entry.plants]
    names = {entry.name for entry in quick}
    rest = [line for line in lines if line.name.partition("@")[0] not in names]
    inside = np.flatnonzero(persons.is_member)
    rng = np.random.default_rng([seed, inside.size])
    found = []
    for share in SHARES:
        copied = rng.permutation(inside)[: round(share * inside.size)]
        if not copied.size:
            continue
        progress(f"calibration: would copies of {share:.1%} of the members be found?")
        release = evidence.release.with_copies(persons.stage.targets.take(copied))
        again, _ = suite.run(
            quick, replace(evidence, release=release), persons.stage, progress=lambda _: None
        )
        if not again:
            continue
        again += groups(again)
        results = test([*again, *rest])
        best = min(results[: len(again)], key=partial(_doubt, limits))
        found.append(Plant(share=share, planted=int(copied.size), line=best))
    return tuple(found)


def _doubt(limits: rules.Limits, result: AttackResult) -> tuple[bool, float, float]:
    """Order lines: those that the audit would fail on, the surest, those that name more members.

    The surest of all may be a ranking that moves a little everywhere, which alone decides nothing.
    """
    found = rules.found(rules.Tally.from_dict(result.to_dict()), limits)
    p_value = 1.0 if result.adjusted_p_value is None else result.adjusted_p_value
    return not found, p_value, -(result.difference or 0.0)
