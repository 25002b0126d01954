"""Two worlds, many runs of each: does a distinguisher err less than a claimed curve allows?

The runs are independent, and the rule that calls a run "in" was fixed before any of them was seen:
it may come from other runs, never from these. Then both error counts are binomial, and the exact
bounds below hold for every mechanism and every number of runs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from attacks.stats.binomial import check_counts
from attacks.stats.one_run import gaussian_epsilon
from attacks.stats.trade_off import TradeOffCurve, gaussian_curve
from dpsynth import _validate

Floats = NDArray[np.float64]

INDEPENDENT = "runs are independent of each other, none shares a seed or a fit with another"
FIXED_RULE = "what calls a run 'in' was fixed on other runs"
GAUSSIAN = "the mechanism's trade-off curve is that of Gaussian noise"
METHOD = "exact bounds of both error rates"
GAUSSIAN_METHOD = "exact bounds of both error rates, Gaussian curve through them"
_SPREAD = 8.0  # standard deviations of a binomial count that a power looks at
_HALVINGS = 40
_LARGEST_FACTOR = 64.0
_LUCK = (-4.0, -2.0, 0.0, 1.3)  # standard deviations that counts lie from what is expected
_TRIED = 8  # rules of each such case, whose power is worked out
_RULES = np.linspace(-4.5, 1.0, 45)  # candidate thresholds, as normal quantiles of their FPR


@dataclass(frozen=True, kw_only=True)
class Errors:
    """What a fixed rule got wrong.

    Attributes:
        false_positives: runs without the unit that were called "in".
        runs_out: runs without the unit.
        false_negatives: runs with the unit that were called "out".
        runs_in: runs with the unit.
    """

    false_positives: int
    runs_out: int
    false_negatives: int
    runs_in: int

    def __post_init__(self) -> None:
        check_counts(hits=self.false_positives, trials=self.runs_out)
        check_counts(hits=self.false_negatives, trials=self.runs_in)

    def upper_bounds(self, level: float) -> tuple[float, float]:
        """Return bounds that both error rates are below, unless with probability ``level``.

        Source:
            Clopper and Pearson (1934), one-sided, half of ``level`` each.
        """
        _validate.in_open_unit(level=level)
        high = _upper(
            np.array([self.false_positives, self.false_negatives]),
            np.array([self.runs_out, self.runs_in]),
            level / 2,
        )
        return float(high[0]), float(high[1])


@dataclass(frozen=True, kw_only=True)
class PairedBound:
    """A number that epsilon is not below, from runs in two worlds.

    Attributes:
        value: at least 0; 0 says that nothing was shown.
        confidence: chance that the statement is true, at least, under ``assumptions``.
        delta: of the guarantee that the epsilon belongs to.
        method: how it was worked out.
        assumptions: what must hold for the confidence to hold.
        ceiling: the value, had no run been called wrongly.
    """

    value: float
    confidence: float
    delta: float
    method: str
    assumptions: tuple[str, ...]
    ceiling: float


def below_curve(errors: Errors, curve: TradeOffCurve, *, level: float) -> bool:
    """Whether the claim is rejected: the bounds of both error rates lie strictly below ``curve``.

    A mechanism that keeps the claim is rejected with probability at most ``level``.
    """
    fpr, fnr = errors.upper_bounds(level)
    return bool(fnr < curve(fpr))


def p_value(errors: Errors, curve: TradeOffCurve) -> float:
    """Return the smallest level at which ``below_curve`` rejects, rounded up; 1 where none does."""
    low, high = -300.0, log(0.999_999)
    if not below_curve(errors, curve, level=float(np.exp(high))):
        return 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if below_curve(errors, curve, level=float(np.exp(middle))):
            high = middle
        else:
            low = middle
    return float(np.exp(high))


def epsilon_lower_bounds(
    errors: Errors, *, delta: float, confidence: float = 0.95
) -> tuple[PairedBound, PairedBound]:
    """Return lower bounds on epsilon: one for any mechanism, one that assumes a Gaussian curve.

    Each holds at ``confidence`` by itself.

    Args:
        errors: of a rule fixed on other runs.
        delta: of the guarantee, in [0, 1).
        confidence: in (0, 1).
    """
    _validate.in_open_unit(confidence=confidence)
    if not 0 <= delta < 1:
        raise ValueError("delta must be at least 0 and below 1")
    perfect = Errors(
        false_positives=0,
        runs_out=errors.runs_out,
        false_negatives=0,
        runs_in=errors.runs_in,
    )
    found = [_bounds(each, delta, 1 - confidence) for each in (errors, perfect)]
    any_mechanism = (INDEPENDENT, FIXED_RULE)
    return (
        PairedBound(
            value=found[0][0],
            confidence=confidence,
            delta=delta,
            method=METHOD,
            assumptions=any_mechanism,
            ceiling=found[1][0],
        ),
        PairedBound(
            value=found[0][1],
            confidence=confidence,
            delta=delta,
            method=GAUSSIAN_METHOD,
            assumptions=(*any_mechanism, GAUSSIAN),
            ceiling=found[1][1],
        ),
    )


def power(curve: TradeOffCurve, *, fpr: float, fnr: float, runs: int, level: float) -> float:
    """Return the chance that ``below_curve`` rejects, exact up to 1e-12.

    Args:
        curve: the claim.
        fpr: true false positive rate of the rule.
        fnr: true false negative rate.
        runs: in each world.
        level: of the test.
    """
    _validate.in_open_unit(level=level)
    _validate.positive(runs=runs)
    spread = _SPREAD * (1 + np.sqrt(runs * fpr * (1 - fpr)))
    hits = np.arange(
        max(0, int(runs * fpr - spread)),
        min(runs, int(runs * fpr + spread) + 1) + 1,
        dtype=np.int64,
    )
    allowed = np.minimum(curve(_upper(hits, np.full(hits.size, runs), level / 2)), 1 - 1e-15)
    # A bound of k misses is below c exactly where P(Binomial(runs, c) <= k) is below level / 2.
    most = np.full(hits.size, -1.0)
    held = allowed > 0
    most[held] = stats.binom.ppf(level / 2, runs, allowed[held]) - 1
    chance = stats.binom.pmf(hits, runs, fpr) * np.where(
        most >= 0, stats.binom.cdf(most, runs, fnr), 0.0
    )
    return float(min(1.0, chance.sum()))


def best_power(
    curve: TradeOffCurve, rates: Sequence[tuple[float, float]], *, runs: int, level: float
) -> float:
    """Return the power of the best of several rules, each given as its (fpr, fnr).

    Worked out for the few rules whose errors lie furthest below the curve, where they are as many
    as expected, a few more, or fewer.
    """
    found = np.array(rates, dtype=np.float64).reshape(-1, 2)
    chosen: set[int] = set()
    for lucky in _LUCK:
        likely = np.ceil(found * runs + lucky * np.sqrt(found * (1 - found) * runs))
        hits = np.clip(likely, 0, runs).astype(np.int64)
        high = _upper(hits, np.full_like(hits, runs), level / 2)
        margins = curve(high[:, 0]) - high[:, 1]
        chosen.update(np.argsort(-margins, kind="stable")[:_TRIED].tolist())
    tried = found[sorted(chosen)].tolist()
    return max(power(curve, fpr=fpr, fnr=fnr, runs=runs, level=level) for fpr, fnr in tried)


def _gaussian_rates(mu: float) -> list[tuple[float, float]]:
    return list(
        zip(special.ndtr(_RULES).tolist(), special.ndtr(-mu - _RULES).tolist(), strict=True)
    )


def gaussian_power(mu: float, *, factor: float, runs: int, level: float) -> float:
    """Return the power against Gaussian noise that is ``factor`` times too small.

    Of the best threshold on the whole transcript, which sees a shift of ``mu * factor`` where
    ``mu`` is claimed.

    Args:
        mu: claimed, above 0.
        factor: by which the standard deviation is too small, at least 1.
        runs: in each world.
        level: of the test.
    """
    return best_power(gaussian_curve(mu), _gaussian_rates(mu * factor), runs=runs, level=level)


def detectable_factor(
    curve: TradeOffCurve, mu: float, *, runs: int, level: float, wanted: float = 0.95
) -> float | None:
    """Return the smallest factor of too little noise that is rejected with probability ``wanted``.

    Args:
        curve: the claim that is tested.
        mu: of the transcript as claimed; one that is ``factor`` times too little noised has the
            curve of a Gaussian ``mu * factor``.
        runs: in each world.
        level: of the test.
        wanted: power, in (0, 1).

    Returns:
        Rounded up; None where a factor of 64 would not be seen.
    """
    return least_factor(
        curve, lambda factor: _gaussian_rates(mu * factor), runs=runs, level=level, wanted=wanted
    )


def least_factor(
    curve: TradeOffCurve,
    rates: Callable[[float], Sequence[tuple[float, float]]],
    *,
    runs: int,
    level: float,
    wanted: float = 0.95,
) -> float | None:
    """Return the smallest factor whose (fpr, fnr) of several rules, by ``rates``, are rejected.

    As ``detectable_factor``, for any family of distributions that come apart as a factor grows.
    """
    _validate.in_open_unit(wanted=wanted)

    def seen(factor: float) -> bool:
        return best_power(curve, rates(factor), runs=runs, level=level) >= wanted

    low, high = 1.0, _LARGEST_FACTOR
    if not seen(high):
        return None
    while high - low > 1e-3 * low:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if seen(middle) else (middle, high)
    return high


def _upper(hits: NDArray[np.int64], trials: NDArray[np.int64], error: float) -> NDArray[np.float64]:
    left = trials - hits
    high = special.betaincinv(hits + 1.0, np.maximum(left, 1), 1 - error)
    return np.where(left > 0, high, 1.0)


def _bounds(errors: Errors, delta: float, error: float) -> tuple[float, float]:
    fpr, fnr = errors.upper_bounds(error)
    ratios = [
        max(0.0, log((1 - delta - one) / other))
        for one, other in ((fnr, fpr), (fpr, fnr))
        if 1 - delta - one > 0
    ]
    shift = float(-special.ndtri(fpr) - special.ndtri(fnr)) if fpr < 1 and fnr < 1 else 0.0
    return max(ratios, default=0.0), gaussian_epsilon(shift, delta) if delta > 0 else 0.0
