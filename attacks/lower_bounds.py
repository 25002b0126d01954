"""What epsilon this very release must have had, at least, where inclusion was a fair coin."""

from collections.abc import Sequence

import numpy as np

from attacks.audit_set import AuditSet
from attacks.observed import Observed
from attacks.results import LowerBound
from attacks.stats.one_run import EpsilonBound, epsilon_bounds

DELTA = 1e-6  # where the claim's is not known


def lower_bounds(
    lines: Sequence[Observed], persons: AuditSet, *, delta: float
) -> tuple[LowerBound, ...]:
    """Return the largest bound by each method over all attacks that score.

    Every attack that scores is a look at the same coins, and the confidence is shared out among
    them: how many there are follows from the plan, not from what they found.

    Args:
        lines: of the audit.
        persons: labels, and whose labels are fair coins.
        delta: at which the bounds are stated.
    """
    scored = [line for line in lines if line.scores is not None and not line.subgroup]
    fair = np.flatnonzero(persons.fair)
    if not scored or not fair.size:
        return ()
    best: dict[str, EpsilonBound] = {}
    for line in scored:
        assert line.scores is not None
        found = epsilon_bounds(
            line.scores[fair], persons.is_member[fair], delta=delta, looks=len(scored)
        )
        for bound in found:
            held = best.get(bound.method)
            if held is None or bound.value > held.value:
                best[bound.method] = bound
    return tuple(
        LowerBound(
            method=bound.method,
            epsilon=bound.value,
            ceiling=bound.ceiling,
            delta=bound.delta,
            confidence=bound.confidence,
            persons=bound.persons,
            guesses=bound.guesses,
            correct=bound.correct,
            assumptions=bound.assumptions,
        )
        for bound in best.values()
    )
