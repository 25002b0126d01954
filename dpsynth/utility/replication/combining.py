"""Combining rules: one estimate and one interval from the same analysis of m synthetic copies.

With estimates ``q_l`` and their variances ``u_l`` as each copy tells them, ``qbar`` and ``ubar``
are their means and ``b`` is the variance of the ``q_l`` between copies (divided by ``m - 1``).

Sources:
    Fully synthetic: Raghunathan, Reiter and Rubin (2003), "Multiple imputation for statistical
    disclosure limitation", Journal of Official Statistics 19(1), 1-16:
    ``T = (1 + 1/m) b - ubar``, t distribution with ``(m - 1) (1 - ubar / ((1 + 1/m) b))**2``
    degrees of freedom. ``T`` may come out negative; Reiter (2002), "Satisfying disclosure
    restrictions with synthetic data sets", Journal of Official Statistics 18(4), 531-544, then
    takes ``ubar`` times rows of a copy over rows of the real table.
    Partially synthetic: Reiter (2003), "Inference for partially synthetic, public use microdata
    sets", Survey Methodology 29(2), 181-188: ``T = ubar + b / m``,
    ``(m - 1) (1 + ubar / (b / m))**2`` degrees of freedom.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, sqrt

import numpy as np

from dpsynth.errors import UsageError

LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Combined:
    """One quantity as m copies tell it together.

    Attributes:
        estimate: mean over the copies.
        variance: of the estimate, above or equal to 0.
        degrees: of freedom of the t distribution; may be infinite.
        low: lower end of the interval.
        high: upper end of the interval.
        copies: how many.
        between: variance of the estimates between copies.
        within: mean of the variances that the copies tell.
        adjusted: whether the rule's variance came out negative and its stand-in was taken.
    """

    estimate: float
    variance: float
    degrees: float
    low: float
    high: float
    copies: int
    between: float
    within: float
    adjusted: bool = False

    @property
    def stderr(self) -> float:
        """Standard error of the estimate."""
        return sqrt(self.variance)

    @property
    def significant(self) -> bool:
        """Whether 0 lies outside the interval."""
        return not self.low <= 0 <= self.high


def fully_synthetic(
    estimates: Sequence[float],
    variances: Sequence[float],
    *,
    level: float = LEVEL,
    rows_ratio: float = 1.0,
) -> Combined:
    """Combine copies in which every row is drawn from a model that was itself drawn anew.

    That holds for ``FittedModel.sample_copies``; it does not hold for several samples of one
    model, which all repeat its error.

    Args:
        estimates: of each copy, at least two.
        variances: of each estimate as the copy tells it, at least 0.
        level: of the interval, in (0, 1).
        rows_ratio: rows of a copy over rows of the real table, above 0; what the stand-in for a
            negative variance is multiplied with. Its degrees of freedom are then ``m - 1``, which
            the sources leave open.

    Raises:
        UsageError: fewer than two copies, or a number that cannot be.
    """
    means = _means(estimates, variances, level)
    m, _, ubar, b = means
    if not rows_ratio > 0:
        raise UsageError("rows_ratio must be above 0")
    spread = (1 + 1 / m) * b
    variance = spread - ubar
    if variance > 0:
        degrees = (m - 1) * (1 - ubar / spread) ** 2
        return _combined(means, variance, degrees, level)
    return _combined(means, rows_ratio * ubar, m - 1, level, adjusted=True)


def partially_synthetic(
    estimates: Sequence[float], variances: Sequence[float], *, level: float = LEVEL
) -> Combined:
    """Combine copies of real persons in which only some values were drawn anew.

    A release of this package is fully synthetic; this rule is for copies made elsewhere.

    Args:
        estimates: of each copy, at least two.
        variances: of each estimate as the copy tells it, at least 0.
        level: of the interval, in (0, 1).

    Raises:
        UsageError: fewer than two copies, or a number that cannot be.
    """
    means = _means(estimates, variances, level)
    m, _, ubar, b = means
    degrees = (m - 1) * (1 + ubar / (b / m)) ** 2 if b > 0 else inf
    return _combined(means, ubar + b / m, degrees, level)


def interval_overlap(low: float, high: float, other_low: float, other_high: float) -> float:
    """Return how far two intervals overlap, as the mean of the shares of either that both hold.

    1 where they are one and the same; below 0 where they lie apart.

    Source:
        Karr, Kohnen, Oganian, Reiter and Sanil (2006), "A framework for evaluating the utility of
        data altered to protect confidentiality", The American Statistician 60(3), 224-232.
    """
    shared = min(high, other_high) - max(low, other_low)
    shortest, longest = sorted([high - low, other_high - other_low])
    if shortest <= 0:
        return 1.0 if longest <= 0 and shared == 0 else 0.0
    if not isfinite(longest):
        return 0.5 if shared == shortest else 0.0
    return shared * (1 / shortest + 1 / longest) / 2


_Means = tuple[int, float, float, float]


def _means(estimates: Sequence[float], variances: Sequence[float], level: float) -> _Means:
    if not 0 < level < 1:
        raise UsageError("level must be above 0 and below 1, such as 0.95")
    if len(estimates) != len(variances) or len(estimates) < 2:
        raise UsageError("combining rules need an estimate and a variance of two copies or more")
    found, told = np.asarray(estimates, dtype=float), np.asarray(variances, dtype=float)
    if not (np.isfinite(found).all() and np.isfinite(told).all() and (told >= 0).all()):
        raise UsageError("estimates and variances must be finite numbers, variances at least 0")
    return len(found), float(found.mean()), float(told.mean()), float(found.var(ddof=1))


def _combined(
    means: _Means, variance: float, degrees: float, level: float, *, adjusted: bool = False
) -> Combined:
    from scipy.special import ndtri, stdtrit

    m, qbar, ubar, b = means
    upper = (1 + level) / 2
    quantile = float(stdtrit(degrees, upper) if isfinite(degrees) else ndtri(upper))
    half = quantile * sqrt(variance) if variance else 0.0
    return Combined(
        estimate=qbar,
        variance=variance,
        degrees=degrees,
        low=qbar - half,
        high=qbar + half,
        copies=m,
        between=b,
        within=ubar,
        adjusted=adjusted,
    )
