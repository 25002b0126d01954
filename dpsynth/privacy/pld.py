"""Privacy losses added up: what sampled training and the rest of one release come to together.

Every mechanism is replaced by a pair of distributions that dominates it, with losses on a common
grid; the losses of all are added up by convolution. Whatever is rounded, cut off or wrapped around
is rounded, cut off or wrapped toward more loss, and floating-point error is paid for by explicit
slack: docs/proofs/accounting.md has the derivation. Valid where every scale was fixed before the
first answer, and for that alone (DESIGN, law 3).
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, exp, expm1, floor, inf, log, sqrt

import numpy as np
from numpy.typing import NDArray

from dpsynth.privacy.events import SampledGaussianEvent

Floats = NDArray[np.float64]

_CUT = 1e-6  # of delta: lost beyond all tails, and again beyond the window
_UNIT = 2.0**-52  # of floating point
_FINENESS = 256.0  # grid points to the standard deviation of one part's loss
_GUARD = 1e-4  # share of every mass that is moved up by a grid step: covers float error in splits
_MOST_POINTS = 2**23  # of a convolution; finer than that is refused
_FARTHEST = 600.0  # of exponents, so that none leaves the range of floats
_COARSENESS = 64.0  # grid points of a zCDP bound to its standard deviation
MOST_SCALAR = 10**8  # sigma squared of a discrete Gaussian whose values are counted one by one
_UP = 1e-9  # added to an epsilon, in units and in parts: above the error of its last steps


class UnsuitedError(ValueError):
    """These losses cannot be added up on a grid of bearable size; another bound must serve."""


@dataclass(frozen=True, kw_only=True)
class _Losses:
    """A dominating pair: ``masses[i]`` at loss ``(first + i) * step``, at most ``lost`` at ∞."""

    first: int
    masses: Floats
    lost: float
    times: int


def epsilon_of(
    trained: Sequence[SampledGaussianEvent],
    scalars: Sequence[Fraction],
    rho: Fraction,
    delta: Fraction,
) -> float:
    """Return an epsilon for which all of it together is (epsilon, delta)-DP, never too small.

    Args:
        trained: the sampled Gaussians, at least one.
        scalars: sigma squared of each discrete Gaussian that moves one coordinate by one, exact.
        rho: zCDP cost of everything else, exact.
        delta: in (0, 1), exact.

    Raises:
        UnsuitedError: the losses reach too far for a grid of bearable size.

    Source:
        Dominating pairs compose (Zhu, Dong and Wang 2022, arXiv:2106.08567); losses are put on
        the grid as by Doroshenko et al. (2022), arXiv:2207.04380.
    """
    steps = sum(int(event.steps) for event in trained)
    count = steps + len(scalars) + 1
    spread = float(2 * rho) + sum(float(1 / each) for each in scalars)
    spread += sum(int(event.steps) * _variance(event) for event in trained)
    step = sqrt(spread / count) / _FINENESS
    log_cut = log(count) - log(delta) - log(_CUT)  # minus the logarithm of each tail's share
    shared = [
        _scalar(each, scalars.count(each), step=step, log_cut=log_cut)
        for each in dict.fromkeys(scalars)
    ]
    if rho:
        shared.append(_concentrated(float(rho), step=step, log_cut=log_cut))
    both = [_trained(event, step=step, log_cut=log_cut) for event in trained]
    return max(
        _composed([*shared, *(pair[way] for pair in both)], step=step, delta=float(delta))
        for way in (0, 1)
    )


def _variance(event: SampledGaussianEvent) -> float:
    """Return about the variance of one step's loss: it chooses a grid, and any grid is valid."""
    square = 1 / float(event.noise_multiplier) ** 2
    return min(float(event.rate) ** 2 * expm1(min(square, 50.0)), square + square**2)


def _split(first: Floats, second: Floats, levels: Floats) -> Floats:
    """Move each mass to the two grid points around its losses, so that both totals stay.

    Args:
        first: masses of the first distribution, with losses within the cell, and bounds of their
            floating-point errors; shape ``(2, cells)``.
        second: those of the second distribution.
        levels: shape ``(cells + 1,)``, the grid points.

    Returns:
        Shape ``(cells + 1,)``; more than needed goes up, for floating-point error.
    """
    masses, scale = first[0], np.exp(levels[:-1])
    upper = masses - second[0] * scale + first[1] + second[1] * scale
    upper = np.clip(upper / -expm1(levels[0] - levels[1]) + _GUARD * masses, 0.0, masses)
    found = np.append(masses - upper, 0.0)
    found[1:] += upper
    return found


def _trained(
    event: SampledGaussianEvent, *, step: float, log_cut: float
) -> tuple[_Losses, _Losses]:
    """Return the losses of one sampled Gaussian: with a unit against without it, and reversed.

    Source:
        Zhu, Dong and Wang (2022), on Poisson sampling: for each direction the pair of the
        one-dimensional mechanism dominates. Outputs are normal around 0 without the unit, and with
        it around 1 with probability q: the loss rises with the output, so grid points cut it into
        intervals.
    """
    from scipy.special import ndtr

    q, sigma, times = float(event.rate), float(event.noise_multiplier), int(event.steps)
    reach = sigma * sqrt(2 * log_cut)
    absent = np.log1p(-q) if q < 1 else -np.inf
    ends = [
        np.logaddexp(absent, log(q) + (2 * x - 1) / (2 * sigma**2)) for x in (-reach, 1 + reach)
    ]
    first, last = floor(ends[0] / step), ceil(ends[1] / step)
    if last - first > _MOST_POINTS or max(-ends[0], ends[1]) > _FARTHEST:
        raise UnsuitedError("the losses of one step reach too far")
    levels = step * np.arange(first, last + 1)
    with np.errstate(divide="ignore"):  # a level that no output reaches lies at -∞
        shifted = levels if q == 1 else np.log1p(np.maximum(np.expm1(levels) / q, -1.0))
    at = (0.5 + sigma**2 * shifted) / sigma

    def between(places: Floats) -> Floats:
        """Return the normal mass of each interval, and a bound of its error; shape (2, cells)."""
        rising, falling = ndtr(places), ndtr(-places)  # the smaller tail keeps its digits
        return np.where(
            places[:-1] > 0,
            [falling[:-1] - falling[1:], 16 * _UNIT * falling[:-1]],
            [rising[1:] - rising[:-1], 16 * _UNIT * rising[1:]],
        )

    without = between(at)
    present = (1 - q) * without + q * between(at - 1 / sigma)
    removed = _split(present, without, levels)
    removed[0] += (1 - q) * ndtr(at[0]) + q * ndtr(at[0] - 1 / sigma)
    added = _split(without[:, ::-1], present[:, ::-1], -levels[::-1])
    added[0] += ndtr(-at[-1])
    lost = exp(-log_cut)
    return (
        _Losses(first=first, masses=removed, lost=lost, times=times),
        _Losses(first=-last, masses=added, lost=lost, times=times),
    )


def _scalar(sigma_squared: Fraction, times: int, *, step: float, log_cut: float) -> _Losses:
    """Return the losses of discrete Gaussian noise on one number that moves by one.

    The same in both directions. Its tails are sub-Gaussian (Canonne, Kamath and Steinke 2020).
    """
    variance = float(sigma_squared)
    reach = ceil(sqrt(variance * 2 * log_cut))
    noise = np.arange(reach, -reach - 1, -1, dtype=np.float64)
    masses = np.exp(-(noise**2) / (2 * variance))
    masses /= masses.sum()
    losses = (1 - 2 * noise) / (2 * variance)
    below = np.floor(losses / step)
    upper = np.expm1(below * step - losses) / expm1(-step)
    upper = masses * np.clip(upper + _GUARD, 0.0, 1.0)
    at = (below - below[0]).astype(np.int64)
    found = np.zeros(at[-1] + 2)
    np.add.at(found, at, masses - upper)
    np.add.at(found, at + 1, upper)
    return _Losses(first=int(below[0]), masses=found, lost=exp(-log_cut), times=times)


def _concentrated(rho: float, *, step: float, log_cut: float) -> _Losses:
    """Return losses that dominate every rho-zCDP mechanism, in both directions.

    Its delta at each epsilon is at most the bound of Canonne, Kamath and Steinke (2020),
    Proposition 12, and convex in exp(epsilon): so at most the lower hull of those bounds, which
    is the delta of the masses returned here.
    """
    stride = max(1, round(sqrt(2 * rho) / (_COARSENESS * step)))
    reach = ceil((rho + 2.05 * sqrt(rho * log_cut)) / (stride * step))
    if 2 * reach * stride > _MOST_POINTS or reach * stride * step > _FARTHEST:
        raise UnsuitedError("the losses of what does not train reach too far")
    levels = stride * step * np.arange(reach + 1)
    gaps = np.geomspace(1 / 64, 4 * (2 + sqrt(log_cut / rho)), 512)[:, None]  # alpha - 1
    orders = 1 + gaps
    bounds = gaps * (orders * rho - levels) - np.log(gaps) + orders * np.log(gaps / orders)
    above = np.minimum(np.exp(bounds.min(axis=0)), 1.0) * (1 + _UP)
    below = -np.expm1(-levels[:0:-1]) + np.exp(-levels[:0:-1]) * above[:0:-1]
    places = np.exp(stride * step * np.arange(-reach, reach + 1))
    heights = np.concatenate([below, above])
    hull = [(0.0, 1.0, -inf, -1)]  # its corners: place, height, slope that leads there, index
    for index, (place, height) in enumerate(zip(places.tolist(), heights.tolist(), strict=True)):
        while (slope := (height - hull[-1][1]) / (place - hull[-1][0])) <= hull[-1][2]:
            hull.pop()
        hull.append((place, height, slope, index))
    corners = [index for *_, index in hull[1:]]
    masses = np.zeros(stride * 2 * reach + 1)
    rises = np.diff([slope for _, _, slope, _ in hull[1:]], append=0.0)
    masses[stride * np.array(corners)] = places[corners] * rises
    return _Losses(first=-stride * reach, masses=masses, lost=float(above[-1]), times=1)


def _composed(parts: Sequence[_Losses], *, step: float, delta: float) -> float:
    """Return the epsilon of the sum of independent losses of ``parts``, rounded up.

    All masses are tilted by ``exp(tilt * loss)``, which puts the losses near the answer into the
    bulk, where a Fourier transform is accurate in parts and not in units alone. Any tilt is valid:
    the error of the transform is bounded, and its bound added to every mass.
    """

    def tilted(part: _Losses, tilt: float) -> tuple[Floats, float]:
        exponents = tilt * step * (part.first + np.arange(part.masses.size))
        top = float(exponents[part.masses > 0].max())
        weights = part.masses * np.exp(np.minimum(exponents - top, 0.0))
        return weights, top + log(weights.sum())

    def chernoff(tilt: float) -> float:
        return (sum(part.times * tilted(part, tilt)[1] for part in parts) - log(delta)) / tilt

    tilts = [2.0 ** (power / 4) for power in range(-16, 53)]
    # Cumulants are convex: the bound falls, and once it rises, it rises for ever.
    least = bisect_left(range(68), 1, key=lambda at: chernoff(tilts[at]) <= chernoff(tilts[at + 1]))
    tilt = tilts[least]
    middle = chernoff(tilt)  # more than the answer
    top = ceil((middle - log(_CUT) / tilt) / step)  # beyond it lies at most _CUT * delta
    moments = [_moments(tilted(part, tilt)[0], part, step=step) for part in parts]
    mean, variance = (sum(values) for values in zip(*moments, strict=True))
    size = 1 << (ceil((top * step - mean + 10 * sqrt(variance)) / step) + 1).bit_length()
    # Floating point: the error of every mass, in units, and that of their sums, in parts.
    reaches = [step * max(abs(part.first), part.first + part.masses.size) for part in parts]
    blur = 8 * _UNIT * log(size) * sum(part.times + 1 for part in parts)
    rounding = _UNIT * size * (2 + tilt) + 8 * _UNIT * sum(
        part.times * (1 + tilt * reach) for part, reach in zip(parts, reaches, strict=True)
    )
    allowed = 1 - _CUT - rounding - sum(part.times * part.lost for part in parts) / delta
    if size > _MOST_POINTS or allowed <= 0:
        raise UnsuitedError("the losses reach too far for a grid this fine")
    transform = np.ones(size // 2 + 1, dtype=np.complex128)
    for part in parts:
        weights = tilted(part, tilt)[0]
        at = (part.first + np.arange(weights.size)) % size
        transform *= np.fft.rfft(np.bincount(at, weights / weights.sum(), size)) ** part.times
    places = np.arange(top - size + 1, top + 1)  # what lies beyond wraps around: upward or cut
    found = np.maximum(np.fft.irfft(transform, size)[places % size], 0.0) + blur
    levels = places * step - middle
    held = (levels > -_FARTHEST / (tilt + 1)) & (places > 0)
    levels, found = levels[held], found[held] * np.exp(-tilt * levels[held])
    # In units of delta: the sum over losses above epsilon of mass * (1 - exp(epsilon - loss)).
    upper = np.cumsum(found[::-1])[::-1]
    lower = np.cumsum((found * np.exp(-levels))[::-1])[::-1]
    fits = upper - np.exp(levels) * lower <= allowed
    first = int(np.argmax(fits))  # the last always does: nothing is left above it
    epsilon = middle + float(levels[first])
    if upper[first] > allowed:  # the bound is met between this point and the one before
        between = log((upper[first] - allowed) / lower[first])
        epsilon = middle + max(between, float(levels[first]) - step)
    return max(epsilon, 0.0) * (1 + _UP) + _UP


def _moments(weights: Floats, part: _Losses, *, step: float) -> tuple[float, float]:
    """Return mean and variance of ``part.times`` tilted losses."""
    losses = step * (part.first + np.arange(weights.size))
    mean = float(weights @ losses / weights.sum())
    variance = float(weights @ (losses - mean) ** 2 / weights.sum())
    return part.times * mean, part.times * variance


def floor_of(event: SampledGaussianEvent, delta: Fraction) -> float:
    """Return an epsilon that no valid claim for ``event`` at ``delta`` is below.

    What an observer learns who adds up all outputs of the one-dimensional mechanism and compares
    the sum with a threshold: any threshold gives a bound, and the best one of a list is nearly
    as strong as the whole transcript. Another computation than the one above, on purpose.
    """
    from scipy.special import gammaln, log_ndtr, ndtr

    q, sigma, steps = float(event.rate), float(event.noise_multiplier), int(event.steps)
    spread = 12 * sqrt(steps * q * (1 - q))
    least, most = max(0, floor(steps * q - spread)), min(steps, ceil(steps * q + spread))
    # Leaving some out, where there are many, bounds from below as well.
    often = np.unique(np.linspace(least, most, min(most - least + 1, 4096)).round())
    chances = gammaln(steps + 1) - gammaln(often + 1) - gammaln(steps - often + 1)
    chances += often * log(q) + (steps - often) * (np.log1p(-q) if q < 1 else 0.0)
    wide = sigma * sqrt(steps)
    thresholds = np.linspace(-6 * wide, steps * q + 12 * wide, 2048)
    hits = np.zeros(thresholds.size)
    for place, chance in zip(often.tolist(), np.exp(chances).tolist(), strict=True):
        hits += chance * ndtr((place - thresholds) / wide)
    hits = hits * (1 - min(0.5, 1e-9 + 1e-13 * steps)) - float(delta)
    shown = hits > 0
    bounds = np.log(hits[shown]) - log_ndtr(-thresholds[shown] / wide)
    return max(0.0, float(bounds.max(initial=0.0)))
