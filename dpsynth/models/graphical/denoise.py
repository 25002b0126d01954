"""Smoothing of one histogram without assuming an order of its codes."""

import numpy as np

from dpsynth.models.graphical.tables import Array

_STEPS = 100
_FEWEST_CELLS = 6  # below, the cells say too little about what cells look like
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
