"""How well a score ranks members above controls, person by person."""

from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

from dpsynth import _validate

Scores = NDArray[np.float64]


def ranks(scores: Scores) -> Scores:
    """Return 1-based ranks, ties sharing their mean rank."""
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    middle: Scores = last - (count - 1) / 2
    return middle[place]


def auc(*, members: Scores, controls: Scores) -> float | None:
    """Return the chance that a member scores above a control, ties counting half."""
    if not members.size or not controls.size:
        return None
    ranked = ranks(np.concatenate([members, controls]))[: members.size]
    wins = float(ranked.sum()) - members.size * (members.size + 1) / 2
    return wins / (members.size * controls.size)


def auc_interval(
    value: float, *, members: int, controls: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Return an interval for the area that holds for every sample size and every law.

    Args:
        value: the area, in [0, 1].
        members: independent persons on one side, not rows.
        controls: independent persons on the other side.
        confidence: chance that the interval holds, at least; in (0, 1).

    Source:
        Hoeffding (1963), section 5b: a two-sample U-statistic is an average of sums of
        ``min(members, controls)`` independent terms in [0, 1].
    """
    _validate.in_open_unit(confidence=confidence)
    pairs = min(members, controls)
    reach = sqrt(log(2 / (1 - confidence)) / (2 * pairs)) if pairs else 1.0
    return max(0.0, value - reach), min(1.0, value + reach)


def permutation_p_value(
    *, members: Scores, controls: Scores, permutations: int, rng: np.random.Generator
) -> float:
    """Return the p-value that members rank no higher than controls, by re-drawing the labels.

    Exact where persons were split at random and no score depends on the split: the true labels
    are then one more random draw.

    Source:
        Phipson and Smyth (2010), "Permutation P-values Should Never Be Zero".
    """
    if not members.size or not controls.size:
        return 1.0
    ranked = ranks(np.concatenate([members, controls]))
    seen = float(ranked[: members.size].sum())
    fewer = min(members.size, controls.size)
    total = float(ranked.sum())
    as_high = 0
    for _ in range(permutations):
        drawn = float(rng.choice(ranked, size=fewer, replace=False, shuffle=False).sum())
        among_members = drawn if fewer == members.size else total - drawn
        as_high += among_members >= seen - 1e-6
    return (1 + as_high) / (1 + permutations)
