"""Is one rate higher than another, and how much higher could we have seen?"""

import numpy as np
from scipy import special

from attacks.stats import binomial
from dpsynth import _validate


def p_value(*, hits: int, trials: int, control_hits: int, control_trials: int) -> float:
    """Return the exact one-sided p-value that the first rate is no higher than the second.

    Conditions on the total of hits. Where persons were split at random and the score does not
    depend on the split, the hits among the first group are hypergeometric, whatever the scores:
    the test holds its level exactly in that case, and is conservative for two binomial rates.

    Returns:
        A number in (0, 1]; 1 where either group is empty.

    Source:
        Fisher (1935), the exact test of a 2 x 2 table.
    """
    binomial.check_counts(hits=hits, trials=trials)
    binomial.check_counts(hits=control_hits, trials=control_trials)
    drawn = hits + control_hits
    if not trials or not control_trials:
        return 1.0
    most = min(trials, drawn)
    seen = np.arange(hits, most + 1)
    logs = (
        _log_choose(trials, seen)
        + _log_choose(control_trials, drawn - seen)
        - _log_choose(trials + control_trials, np.array(drawn))
    )
    # Rounding of the logarithms is far below this; a p-value may only be too large.
    largest = logs.max()
    total = float(np.exp(largest) * np.exp(logs - largest).sum())
    return min(1.0, total * (1 + 1e-9) + 1e-300)


def interval(
    *,
    hits: int,
    trials: int,
    control_hits: int,
    control_trials: int,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Return an interval for the difference of two rates that holds for every sample size.

    Both rates are inside their exact intervals, each at half the error, so the difference is
    inside what these allow. Wider than approximate intervals, and never too narrow.
    """
    _validate.in_open_unit(confidence=confidence)
    each = 1 - (1 - confidence) / 2
    low, high = binomial.interval(hits=hits, trials=trials, confidence=each)
    control_low, control_high = binomial.interval(
        hits=control_hits, trials=control_trials, confidence=each
    )
    return low - control_high, high - control_low


def detectable(
    *, trials: int, control_trials: int, control_rate: float, level: float, power: float = 0.95
) -> float | None:
    """Return the smallest difference of rates that the exact test was sure to see.

    Args:
        trials: size of the first group.
        control_trials: size of the control group.
        control_rate: rate of the controls, in [0, 1].
        level: p-values at or below it count as seen.
        power: chance of seeing the difference, at least.

    Returns:
        A difference such that, were the true rates ``control_rate`` and ``control_rate`` plus it,
        ``p_value`` would have been at most ``level`` with probability ``power`` or more; None
        where even a rate of 1 would not do. An upper bound: half of the allowed misses is given
        to each group.
    """
    _validate.in_open_unit(level=level, power=power)
    if not 0 <= control_rate <= 1:
        raise ValueError("control_rate must lie between 0 and 1")
    if not trials or not control_trials:
        return None
    miss = (1 - power) / 2
    control_hits = _binomial_quantile(control_trials, control_rate, 1 - miss)

    def seen(raised: float) -> bool:
        hits = trials - _binomial_quantile(trials, 1 - raised, 1 - miss)
        found = p_value(
            hits=hits, trials=trials, control_hits=control_hits, control_trials=control_trials
        )
        return found <= level

    if control_rate == 1 or not seen(1.0):
        return None
    low, high = control_rate, 1.0
    for _ in range(20):  # to one part in a million
        middle = (low + high) / 2
        low, high = (low, middle) if seen(middle) else (middle, high)
    return high - control_rate


def _log_choose(total: int, chosen: np.ndarray) -> np.ndarray:
    result: np.ndarray = (
        special.gammaln(total + 1)
        - special.gammaln(chosen + 1)
        - special.gammaln(total - chosen + 1)
    )
    return result


def _binomial_quantile(trials: int, success: float, level: float) -> int:
    """Return the smallest count that a binomial stays at or below with probability ``level``."""
    low, high = 0, trials
    while low < high:
        middle = (low + high) // 2
        if float(special.bdtr(middle, trials, success)) >= level:
            high = middle
        else:
            low = middle + 1
    return low
