"""Renyi DP of sampled training, and what it comes to together with zCDP costs.

zCDP cannot say what sampling saves, Renyi DP can: at every integer order its cost adds up over
all mechanisms, zCDP ones included, also where each is chosen after the answers of those before.
docs/proofs/sampled-gaussian.md has the derivation.
"""

from collections.abc import Sequence
from decimal import ROUND_CEILING, Context, Decimal, localcontext
from fractions import Fraction
from functools import lru_cache
from math import comb, exp, lgamma, log, log1p

from dpsynth import _validate
from dpsynth.privacy.events import SampledGaussianEvent

_DIGITS = 60
_SLACK = Decimal(10) ** -40  # far above the error of a thousand operations at 60 digits
_GRID = Decimal(10) ** -12  # a claim is rounded up to this many places
ORDERS = (*range(2, 64), *range(64, 128, 4), *range(128, 256, 16), *range(256, 513, 64))


@lru_cache(maxsize=4096)
def sampled_gaussian(rate: Fraction, noise_multiplier: Fraction, order: int) -> Decimal:
    """Return the Renyi DP of one sampled Gaussian at an integer order, rounded up.

    Args:
        rate: probability of a unit in the sample, exact, in (0, 1].
        noise_multiplier: stddev of the noise over the L2 sensitivity, exact, above 0.
        order: at least 2.

    Source:
        Mironov, Talwar and Zhang (2019), arXiv:1908.10530, Section 3.3: for add-or-remove
        neighbors and integer order a, ``log(sum_k C(a, k) (1-q)**(a-k) q**k
        exp((k*k - k) / (2 s*s))) / (a - 1)``, in both directions.
    """
    with localcontext(Context(prec=_DIGITS, Emin=-999999, Emax=999999)):
        q = Decimal(rate.numerator) / Decimal(rate.denominator)
        twice_variance = 2 * noise_multiplier**2
        inverse = Decimal(twice_variance.denominator) / Decimal(twice_variance.numerator)
        total = Decimal(0)
        for k in range(order + 1):
            weight = Decimal(comb(order, k)) * q**k
            if k < order:
                weight *= (1 - q) ** (order - k)
            total += weight * (inverse * (k * k - k)).exp()
        cost = total.ln() / (order - 1)
        return cost + _SLACK * (1 + abs(cost))


def epsilon_of(rho: Fraction, trained: Sequence[SampledGaussianEvent], delta: Fraction) -> Fraction:
    """Return an epsilon for which all of it together is (epsilon, delta)-DP, rounded up.

    Args:
        rho: zCDP cost of everything else, exact, at least 0.
        trained: the sampled Gaussians.
        delta: in (0, 1), exact.

    Returns:
        At least 0, a multiple of 1e-12.

    Source:
        The cost of each order adds up (Mironov 2017, arXiv:1702.07476, Proposition 1); as
        (epsilon, delta) by Canonne, Kamath and Steinke (2020), arXiv:2004.00010, Proposition 12.
    """
    _validate.exact(rho=rho, delta=delta)
    _validate.in_open_unit(delta=delta)
    if rho < 0:
        raise ValueError("rho must be at least 0")
    best = min(ORDERS, key=lambda order: _roughly(rho, trained, delta, order))
    with localcontext(Context(prec=_DIGITS, Emin=-999999, Emax=999999)):
        cost = best * Decimal(rho.numerator) / Decimal(rho.denominator)
        for event in trained:
            cost += int(event.steps) * sampled_gaussian(event.rate, event.noise_multiplier, best)
        log_inverse_delta = Decimal(delta.denominator).ln() - Decimal(delta.numerator).ln()
        order, gap = Decimal(best), Decimal(best - 1)
        bound = cost + (log_inverse_delta - order.ln()) / gap + gap.ln() - order.ln()
        bound += _SLACK * (1 + abs(bound))
        return Fraction(max(bound, Decimal(0)).quantize(_GRID, rounding=ROUND_CEILING))


def _roughly(
    rho: Fraction, trained: Sequence[SampledGaussianEvent], delta: Fraction, order: int
) -> float:
    """Return about the bound at ``order``: it chooses the order, and any order is valid."""
    cost = order * float(rho) + sum(
        int(event.steps) * _rough_cost(float(event.rate), float(event.noise_multiplier), order)
        for event in trained
    )
    log_inverse_delta = log(delta.denominator) - log(delta.numerator)
    gap = order - 1
    return cost + (log_inverse_delta - log(order)) / gap + log(gap) - log(order)


@lru_cache(maxsize=65536)
def _rough_cost(rate: float, noise_multiplier: float, order: int) -> float:
    if rate == 1.0:
        return order / (2 * noise_multiplier**2)
    terms = [
        lgamma(order + 1)
        - lgamma(k + 1)
        - lgamma(order - k + 1)
        + k * log(rate)
        + (order - k) * log1p(-rate)
        + (k * k - k) / (2 * noise_multiplier**2)
        for k in range(order + 1)
    ]
    top = max(terms)
    return (top + log(sum(exp(term - top) for term in terms))) / (order - 1)
