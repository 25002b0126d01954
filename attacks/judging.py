"""Labels at last: what was seen of each person becomes counts, tests and statuses."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from attacks import rules
from attacks.observed import Figure, Observed
from attacks.results import AttackResult
from attacks.stats import ranking
from attacks.stats.permutation import PERMUTATIONS, max_t
from attacks.suite import NotRun

Mask = NDArray[np.bool_]


def counted(line: Observed, is_member: Mask) -> AttackResult:
    """Return the counts of one line, not judged yet."""
    asked = np.ones(is_member.size, dtype=bool) if line.asked is None else line.asked
    mine, others = asked & is_member, asked & ~is_member
    result = AttackResult(
        name=line.name,
        goal=line.threat_model.goal.name,
        threat_model=line.threat_model.to_dict(),
        status="inconclusive",  # until it is judged together with the others
        members_hits=int((line.hits & mine).sum()),
        members_n=int(mine.sum()),
        controls_hits=int((line.hits & others).sum()),
        controls_n=int(others.sum()),
        baseline_rate=line.baseline_rate,
        subgroup=line.subgroup,
        figures=line.figures + (line.describe(is_member) if line.describe else ()),
        notes=line.notes,
    )
    if line.scores is None:
        return result
    return replace(
        result, figures=(*_curve(line.scores, result, mine=mine, others=others), *result.figures)
    )


def with_p_values(
    lines: Sequence[Observed],
    is_member: Mask,
    *,
    seed: int,
    permutations: int = PERMUTATIONS,
) -> list[AttackResult]:
    """Return the counts of all lines with the p-values of one permutation test of them together."""
    results = [counted(line, is_member) for line in lines]
    if not lines:
        return results
    found = max_t(
        np.stack([line.weights for line in lines]),
        is_member,
        permutations=permutations,
        rng=np.random.default_rng(seed),
    )
    return [
        replace(result, p_value=test.p_value, adjusted_p_value=test.adjusted)
        for result, test in zip(results, found, strict=True)
    ]


def judged(
    results: Sequence[AttackResult],
    others: Sequence[NotRun],
    *,
    calibrated: bool,
    comparable: bool,
    limits: rules.Limits,
) -> tuple[AttackResult, ...]:
    """Return all lines with their statuses, by the rule; those that did not run come last."""
    everything = [*results, *(_without_counts(one) for one in others)]
    judgments = rules.judge(
        [rules.Tally.from_dict(result.to_dict()) for result in everything],
        calibrated=calibrated,
        comparable=comparable,
        limits=limits,
    )
    return tuple(
        replace(result, status=judgment.status, detectable_effect=judgment.detectable)
        for result, judgment in zip(everything, judgments, strict=True)
    )


def _without_counts(one: NotRun) -> AttackResult:
    return AttackResult(
        name=one.name,
        goal=one.threat_model.goal.name,
        threat_model=one.threat_model.to_dict(),
        status=one.status,
        notes=(one.note,),
    )


def _curve(
    scores: NDArray[np.float64], result: AttackResult, *, mine: Mask, others: Mask
) -> list[Figure]:
    """Return the area under the curve, and the advantage at the population's median."""
    area = ranking.auc(members=scores[mine], controls=scores[others])
    if area is None or result.difference is None:
        return []
    low, high = ranking.auc_interval(members=scores[mine], controls=scores[others])
    least, most = result.difference_interval
    return [
        Figure(name="area under the curve", value=area, low=low, high=high),
        Figure(name="advantage", value=result.difference, low=least, high=most),
    ]
