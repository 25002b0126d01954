"""Smoothing of one histogram, with and without an order of its codes."""

import numpy as np

from dpsynth.models.graphical.tables import Array

_STEPS = 100
_FEWEST_CELLS = 6  # below, the cells say too little about what cells look like
_FEWEST_ORDERED = 4
_WINDOW = 9  # codes among which a spike must stand out
_SPIKE = 4.0  # standard deviations that it must stand out by
_SHIFTS = range(8)  # of the halving; their mean has no steps
_RESOLUTION = 4  # points of the prior's support in one standard deviation


def smooth_histogram(values: Array, stddev: float) -> Array:
    """Return the posterior mean of every cell under the likeliest prior for all of them.

    Empirical Bayes after Kiefer and Wolfowitz (1956): the noise-free counts are taken as draws
    from one unknown distribution on the non-negative numbers, which is estimated by maximum
    likelihood (100 steps of expectation-maximisation on a fixed support). Many cells near zero
    then pull each other to a common small value, while a cell far from all others stays.

    Args:
        values: noisy rows per code.
        stddev: of the noise in each cell, in rows.

    Returns:
        The shape of ``values``, non-negative.
    """
    if values.size < _FEWEST_CELLS:
        return np.maximum(values, 0.0)
    step = stddev / _RESOLUTION
    near_zero = np.arange(_RESOLUTION**2 + 1) * step
    support = np.unique(np.concatenate([near_zero, np.maximum(np.round(values / step), 0) * step]))
    exponent = -0.5 * ((values[:, None] - support) / stddev) ** 2
    likelihood = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    prior = np.full(support.size, 1 / support.size)
    for _ in range(_STEPS):
        prior = prior * ((1 / (likelihood @ prior)) @ likelihood) / values.size
    posterior = likelihood * prior
    return np.asarray(posterior @ support / posterior.sum(axis=1))


def smooth_ordered(values: Array, stddev: float) -> Array:
    """Return a histogram over ordered codes, smooth where the noise hides the detail.

    Codes are halved again and again, and at every level the differences between halves are shrunk
    by as much as their known noise asks for (James and Stein, by level). Codes that stand far out
    of their surroundings are set apart first and stay as they are.

    Args:
        values: noisy rows per code.
        stddev: of the noise in each cell, in rows.

    Returns:
        The shape of ``values``; may be negative, and sums to about the same.
    """
    if values.size < _FEWEST_ORDERED:
        return values.copy()
    around = _moving_median(values)
    apart = (values > _SPIKE * stddev) & (values - around > _SPIKE * stddev)
    level = np.where(apart, around, values)
    shifts = [_shrunk(np.pad(level, (by, 0), mode="symmetric"), stddev**2)[by:] for by in _SHIFTS]
    return np.where(apart, values, np.mean(shifts, axis=0))


def smoothing_factor(values: Array, smooth: Array) -> float:
    """Return how much of the variation between codes was kept: a guess of the variance left."""
    around = np.median(values)
    kept = float(((smooth - around) ** 2).sum())
    return float(np.clip(kept / max(float(((values - around) ** 2).sum()), 1e-9), 0.15, 1.0))


def _moving_median(values: Array) -> Array:
    padded = np.pad(values, _WINDOW // 2, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)
    return np.asarray(np.nanmedian(windows, axis=1))


def _shrunk(values: Array, variance: float) -> Array:
    """Shrink the differences between neighbors, between pairs of neighbors, and so on."""
    if values.size == 1:
        return values
    return _merge_level(values, np.ones(values.size), variance)


def _merge_level(sums: Array, widths: Array, variance: float) -> Array:
    if sums.size == 1:
        return sums
    even = sums.size // 2 * 2
    left, right = sums[:even:2], sums[1:even:2]
    wide, other = widths[:even:2], widths[1:even:2]
    difference = left / wide - right / other
    noise = variance * (1 / wide + 1 / other)
    signal = max(float((difference**2 - noise).mean()), 0.0)
    difference = difference * (signal / (signal + noise))
    merged = np.concatenate([left + right, sums[even:]])
    above = _merge_level(merged, np.concatenate([wide + other, widths[even:]]), variance)
    mean = above[: even // 2] / (wide + other)
    low = (mean + difference * other / (wide + other)) * wide
    found = np.empty(sums.size)
    found[:even:2], found[1:even:2] = low, above[: even // 2] - low
    found[even:] = above[even // 2 :]
    return found
