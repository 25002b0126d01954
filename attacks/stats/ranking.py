"""How well a score ranks members above controls, person by person."""

import numpy as np
from numpy.typing import NDArray
from scipy import special

from attacks.stats import bounded
from attacks.stats.permutation import max_t

Scores = NDArray[np.float64]

RESAMPLES = 400  # the deviation of the area is then off by 4 % or so
FEWEST_WRONG = 5  # expected pairs, of independent ones, that are ranked either way
_DRAWS_AT_ONCE = 1 << 20


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
    *,
    members: Scores,
    controls: Scores,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Return an interval for the chance that a member scores above a control.

    By resampling persons of each side, on the logarithm of the odds, where there are persons enough
    whom the score ranks wrongly, and wrongly the other way; else by a bound that holds at every
    sample size.

    Args:
        members: shape ``(persons,)``, independent persons on one side, not rows.
        controls: likewise on the other side.
        confidence: chance that the interval holds; in (0, 1).
        resamples: how often persons are drawn again.
        seed: of these draws: the same scores give the same interval.

    Source:
        Efron and Tibshirani (1993), "An Introduction to the Bootstrap".
    """
    area = auc(members=members, controls=controls)
    if area is None:
        return 0.0, 1.0
    enough = min(members.size, controls.size) * min(area, 1 - area) >= FEWEST_WRONG
    deviation = _deviation(members, controls, resamples=resamples, seed=seed) if enough else 0.0
    if deviation == 0:
        return exact_auc_interval(
            area, members=members.size, controls=controls.size, confidence=confidence
        )
    odds = float(special.logit(area))
    reach = float(special.ndtri((1 + confidence) / 2)) * deviation / (area * (1 - area))
    return float(special.expit(odds - reach)), float(special.expit(odds + reach))


def exact_auc_interval(
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
        ``min(members, controls)`` independent terms in [0, 1], so that a bound on such sums by
        convex functions holds for it too.
    """
    return bounded.interval(value, trials=min(members, controls), confidence=confidence)


def permutation_p_value(
    *, members: Scores, controls: Scores, permutations: int, rng: np.random.Generator
) -> float:
    """Return the p-value that members rank no higher than controls, by re-drawing the labels.

    ``max_t`` of this one test: the sum of the members' ranks.
    """
    ranked = ranks(np.concatenate([members, controls]))
    is_member = np.arange(ranked.size) < members.size
    found = max_t(ranked[None], is_member, permutations=permutations, rng=rng)
    return found[0].p_value


def _deviation(members: Scores, controls: Scores, *, resamples: int, seed: int) -> float:
    """Return the standard deviation of the area when persons are drawn again.

    How often a person is drawn has the law of Poisson, each by itself: the same to first order as
    drawing a fixed number with replacement, and much faster.
    """
    rng = np.random.default_rng(seed)
    scores = np.concatenate([members, controls])
    order = np.argsort(scores, kind="stable")
    is_member = order < members.size
    ranked = scores[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    at_once = max(1, _DRAWS_AT_ONCE // scores.size)
    areas = []
    for done in range(0, resamples, at_once):
        shape = (min(at_once, resamples - done), scores.size)
        drawn = _POISSON[rng.integers(0, _POISSON.size, shape, dtype=np.uint16)]
        mine = np.add.reduceat(drawn * is_member, starts, axis=1, dtype=np.int64)
        others = np.add.reduceat(drawn * ~is_member, starts, axis=1, dtype=np.int64)
        wins = (mine * (np.cumsum(others, axis=1) - others / 2)).sum(axis=1)
        areas.append(wins / np.maximum(1, mine.sum(axis=1) * others.sum(axis=1)))
    return float(np.concatenate(areas).std())


def _poisson() -> NDArray[np.int8]:
    """Return 65,536 counts that are spread as the law of Poisson with mean 1."""
    counts = np.arange(10)
    below = np.rint(special.pdtr(counts, 1.0) * 65_536).astype(np.int64)
    return np.searchsorted(below, np.arange(65_536), side="right").astype(np.int8)


_POISSON = _poisson()
