"""Draws of the mechanisms at frozen inputs, from a known seed: for tests of their laws.

Each goes through the mechanism that a release uses, so that a factor that is wrong there shows.
What a seed made protects nobody; the operating system's source is not what these draws test.
"""

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dpsynth.privacy.mechanisms import (
    DiscreteGaussian,
    DiscreteLaplace,
    ExponentialSelection,
    PartitionSelection,
)
from dpsynth.privacy.randomness import SeededRandom


def gaussian(sigma_squared: Fraction, *, size: int, seed: int) -> NDArray[np.int64]:
    """Return what ``DiscreteGaussian`` adds to ``size`` counts of 0."""
    zeros = np.zeros(size, dtype=np.int64)
    return DiscreteGaussian(sigma_squared=sigma_squared).release(zeros, rng=SeededRandom(seed))


def laplace(scale: Fraction, *, size: int, seed: int) -> NDArray[np.int64]:
    """Return what ``DiscreteLaplace`` adds to ``size`` counts of 0."""
    zeros = np.zeros(size, dtype=np.int64)
    return DiscreteLaplace(scale=scale).release(zeros, rng=SeededRandom(seed))


def selections(
    epsilon: Fraction,
    scores: NDArray[np.int64],
    *,
    sensitivity: Fraction,
    draws: int,
    seed: int,
) -> NDArray[np.int64]:
    """Return how often ``ExponentialSelection`` chooses each of ``scores``."""
    mechanism, rng = ExponentialSelection(epsilon=epsilon), SeededRandom(seed)
    chosen = [mechanism.select(scores, sensitivity=sensitivity, rng=rng) for _ in range(draws)]
    return np.bincount(np.array(chosen, dtype=np.int64), minlength=scores.size)


def released_values(
    event: Mapping[str, str], *, units: int, size: int, seed: int
) -> NDArray[np.int64]:
    """Return the noisy counts that ``PartitionSelection`` releases of ``size`` values.

    Args:
        event: the planned selection, as a document.
        units: how many units hold each value.
        size: how many values there are.
        seed: of the noise.
    """
    mechanism = PartitionSelection(
        sigma_squared=Fraction(event["sigma_squared"]),
        threshold=int(Fraction(event["threshold"])),
        delta=Fraction(event["delta"]),
    )
    counts = np.full(size, units, dtype=np.int64)
    return mechanism.release(counts, rng=SeededRandom(seed))[1]
