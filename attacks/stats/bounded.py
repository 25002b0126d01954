"""The mean of numbers between 0 and 1, with an interval that holds at every sample size."""

import math
from collections.abc import Callable

from scipy import special

from dpsynth import _validate

_STEPS = 60  # halvings: far below the last digit that anyone prints


def interval(mean: float, *, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return an interval for the expected value of numbers in [0, 1].

    Args:
        mean: of the numbers seen.
        trials: how many there were, independent and of one law; 0 gives the whole of [0, 1].
        confidence: chance that the interval holds, at least, whatever the law; in (0, 1).

    Source:
        Hoeffding (1963, theorem 1) and Bentkus (2004): the chance of a sum as small is at most
        ``exp(-n kl)``, and at most e times that of a binomial; the smaller of the two bounds, each
        side at half the error. For numbers that are all 0 or 1 ``binomial.interval`` is narrower.
    """
    _validate.in_open_unit(confidence=confidence)
    if not 0 <= mean <= 1:
        raise ValueError("mean must lie between 0 and 1")
    if not trials:
        return 0.0, 1.0
    half = (1 - confidence) / 2
    return 1 - _upper(1 - mean, trials, half), _upper(mean, trials, half)


def _upper(mean: float, trials: int, error: float) -> float:
    def possible(expected: float) -> bool:
        return _chance(mean, trials, expected) > error

    return _last(possible, low=mean, high=1.0)


def _chance(mean: float, trials: int, expected: float) -> float:
    """Return a bound on the chance of a mean as small, were ``expected`` the true one."""
    if expected <= mean:
        return 1.0
    if expected >= 1:
        return 0.0
    apart = 0.0
    if mean > 0:
        apart += mean * math.log(mean / expected)
    if mean < 1:
        apart += (1 - mean) * math.log((1 - mean) / (1 - expected))
    # A sum that is a whole number but for rounding is not taken for the next one.
    whole = min(trials, math.ceil(trials * mean - 1e-9))
    by_count = math.e * float(special.bdtr(whole, trials, expected))
    return min(math.exp(-trials * apart), by_count)


def _last(possible: Callable[[float], bool], *, low: float, high: float) -> float:
    """Return where ``possible``, true at ``low``, ends; not below the true place."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if possible(middle) else (low, middle)
    return high
