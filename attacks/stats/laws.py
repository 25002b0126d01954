"""The two laws of integer noise, and limits for samples of them that hold at every sample size."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import exp, log, pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from dpsynth import _validate

Values = NDArray[np.float64]
_WIDE = 2000.0  # standard deviations from here on: the sums over integers become integrals
_TILTS = np.logspace(-5, np.log10(0.9), 400)


@dataclass(frozen=True, kw_only=True)
class GaussianLaw:
    """``P(z)`` proportional to ``exp(-z**2 / (2 sigma_squared))`` on the integers."""

    sigma_squared: Fraction

    @property
    def rate(self) -> float:
        """Factor of the energy ``z**2`` in the exponent."""
        return 1 / (2 * float(self.sigma_squared))

    def scaled(self, factor: float) -> "GaussianLaw":
        """Return the law whose standard deviation is ``factor`` times as large."""
        return GaussianLaw(sigma_squared=self.sigma_squared * Fraction(factor) ** 2)

    def energy(self, draws: NDArray[np.int64] | Values) -> Values:
        """Return the statistic that carries the scale, a draw each."""
        return draws.astype(np.float64) ** 2

    def log_normalizer(self, rate: Values) -> Values:
        """Return the logarithm of ``sum exp(-rate * z**2)``.

        For a small rate by Poisson summation, whose next term is below 1e-17.
        """
        rate = np.asarray(rate, dtype=np.float64)
        small = np.minimum(rate, 0.5)
        wide = 0.5 * np.log(pi / small) + np.log1p(2 * np.exp(-(pi**2) / small))
        squares = np.arange(1, 12, dtype=np.float64) ** 2
        large = np.maximum(rate, 0.5)
        narrow = np.log1p(2 * np.exp(-np.multiply.outer(large, squares)).sum(axis=-1))
        result: Values = np.where(rate < 0.5, wide, narrow)
        return result

    def below(self, values: NDArray[np.int64]) -> Values:
        """Return ``P(Z <= value)``."""
        sigma = float(self.sigma_squared) ** 0.5
        if sigma > _WIDE:
            # Midpoint rule: its error is below 1e-8 at this width.
            smooth: Values = special.ndtr((values + 0.5) / sigma)
            return smooth
        return _tabled(values, reach=int(12 * sigma) + 12, log_weight=lambda z: -self.rate * z * z)

    def moments(self) -> tuple[float, float]:
        """Return mean and variance of the energy of one draw."""
        sigma = float(self.sigma_squared) ** 0.5
        if sigma > _WIDE:
            return sigma**2, 2 * sigma**4
        return _moments(int(12 * sigma) + 12, lambda z: -self.rate * z * z, lambda z: z * z)


@dataclass(frozen=True, kw_only=True)
class LaplaceLaw:
    """``P(z)`` proportional to ``exp(-abs(z) / scale)`` on the integers."""

    scale: Fraction

    @property
    def rate(self) -> float:
        """Factor of the energy ``abs(z)`` in the exponent."""
        return 1 / float(self.scale)

    def scaled(self, factor: float) -> "LaplaceLaw":
        """Return the law whose scale is ``factor`` times as large."""
        return LaplaceLaw(scale=self.scale * Fraction(factor))

    def energy(self, draws: NDArray[np.int64] | Values) -> Values:
        """Return the statistic that carries the scale, a draw each."""
        return np.abs(draws).astype(np.float64)

    def log_normalizer(self, rate: Values) -> Values:
        """Return the logarithm of ``sum exp(-rate * abs(z))``, a geometric series."""
        rate = np.asarray(rate, dtype=np.float64)
        result: Values = np.log1p(np.exp(-rate)) - np.log(-np.expm1(-rate))
        return result

    def below(self, values: NDArray[np.int64]) -> Values:
        """Return ``P(Z <= value)``."""
        above = exp(-self.rate) / (1 + exp(-self.rate))  # P(Z >= 1)
        tail = above * np.exp(-self.rate * np.maximum(values, 0).astype(np.float64))
        low = above * np.exp(self.rate * np.minimum(values + 1, 0).astype(np.float64))
        result: Values = np.where(values >= 0, 1 - tail, low)
        return result

    def moments(self) -> tuple[float, float]:
        """Return mean and variance of the energy of one draw."""
        ratio = exp(-self.rate)
        mean = 2 * ratio / ((1 - ratio) * (1 + ratio))
        return mean, 2 * ratio / (1 - ratio) ** 2 - mean**2


Law = GaussianLaw | LaplaceLaw


def law_document(law: Law) -> dict[str, str]:
    """Write a law as a check stores it."""
    if isinstance(law, GaussianLaw):
        return {"sigma_squared": str(law.sigma_squared)}
    return {"scale": str(law.scale)}


def law_of(given: Mapping[str, Any]) -> Law:
    """Read what ``law_document`` wrote."""
    if "sigma_squared" in given:
        return GaussianLaw(sigma_squared=Fraction(given["sigma_squared"]))
    return LaplaceLaw(scale=Fraction(given["scale"]))


def energy_limits(law: Law, *, draws: int, false_alarm: float) -> tuple[float, float]:
    """Return bounds that the mean energy of ``draws`` draws leaves with at most this probability.

    Chernoff's bound with the law's exact moment generating function, each side at half: not an
    approximation, at any number of draws and any scale.
    """
    _validate.in_open_unit(false_alarm=false_alarm)
    spent = log(2 / false_alarm) / draws
    tilts = law.rate * _TILTS
    # log E exp(s * energy) is the log normalizer at ``rate - s`` less that at ``rate``.
    start = law.log_normalizer(np.array(law.rate))
    up = law.log_normalizer(law.rate - tilts) - start
    down_tilts = law.rate * np.logspace(-5, 3, 800)
    down = law.log_normalizer(law.rate + down_tilts) - start
    low = float(np.max((-down - spent) / down_tilts))
    return max(0.0, low), float(np.min((up + spent) / tilts))


def detectable_scale(law: Law, *, draws: int, false_alarm: float, power: float = 0.95) -> float:
    """Return a factor below 1: noise that is narrower by it or more would have been seen.

    Seen means that the mean energy falls below its limit, with chance ``power`` by the normal
    approximation of the mean.
    """
    low, _ = energy_limits(law, draws=draws, false_alarm=false_alarm)
    deviations = float(special.ndtri(power)) / sqrt(draws)
    seen, unseen = 0.01, 1.0
    for _ in range(30):
        middle = (seen + unseen) / 2
        mean, variance = law.scaled(middle).moments()
        if mean + deviations * sqrt(variance) <= low:
            seen = middle
        else:
            unseen = middle
    return seen


def largest_gap(law: Law, draws: NDArray[np.int64]) -> float:
    """Return the largest difference between the distribution functions, drawn and claimed."""
    values, counts = np.unique(draws, return_counts=True)
    upto = np.cumsum(counts) / draws.size
    before = upto - counts / draws.size
    at = np.abs(upto - law.below(values)).max()
    just_below = np.abs(before - law.below(values - 1)).max()
    return float(max(at, just_below))


def gap_limit(*, draws: int, false_alarm: float) -> float:
    """Return what ``largest_gap`` exceeds with at most this probability, whatever the law.

    Source:
        Dvoretzky, Kiefer and Wolfowitz (1956), with the constant of Massart (1990).
    """
    _validate.in_open_unit(false_alarm=false_alarm)
    return sqrt(log(2 / false_alarm) / (2 * draws))


def frequency_divergence(counts: NDArray[np.int64], chances: Values) -> float:
    """Return the draws times the Kullback-Leibler divergence of their frequencies: half of G."""
    total = int(counts.sum())
    seen = counts > 0
    return float((counts[seen] * np.log(counts[seen] / (total * chances[seen]))).sum())


def divergence_p_value(divergence: float, *, draws: int, cells: int) -> float:
    """Return a p-value of ``frequency_divergence`` that holds for every sample size.

    Source:
        The method of types (Csiszar 1998): at most ``C(draws + cells - 1, cells - 1)`` frequency
        vectors, each as likely as ``exp(-divergence)`` at most.
    """
    types = special.gammaln(draws + cells) - special.gammaln(cells) - special.gammaln(draws + 1)
    return min(1.0, exp(min(0.0, float(types) - divergence)))


def softmax(values: Values) -> Values:
    """Return probabilities proportional to ``exp(values)``."""
    result: Values = special.softmax(values)
    return result


def _tabled(
    values: NDArray[np.int64], *, reach: int, log_weight: Callable[[Values], Values]
) -> Values:
    support = np.arange(-reach, reach + 1, dtype=np.float64)
    weights = np.exp(log_weight(support))
    upto = np.concatenate([[0.0], np.cumsum(weights) / weights.sum()])
    result: Values = upto[np.clip(values + reach + 1, 0, upto.size - 1)]
    return result


def _moments(
    reach: int, log_weight: Callable[[Values], Values], energy: Callable[[Values], Values]
) -> tuple[float, float]:
    support = np.arange(-reach, reach + 1, dtype=np.float64)
    weights = np.exp(log_weight(support))
    weights /= weights.sum()
    held = energy(support)
    mean = float(weights @ held)
    return mean, float(weights @ held**2) - mean**2
