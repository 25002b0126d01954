"""Draws of the mechanisms at frozen inputs, from a known seed: for tests of their laws.

Each goes through the mechanism that a release uses, so that a factor that is wrong there shows.
What a seed made protects nobody; the operating system's source is not what these draws test.
"""

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dpsynth.privacy.dpsgd.rule import StepRule
from dpsynth.privacy.mechanisms import (
    DiscreteGaussian,
    DiscreteLaplace,
    ExponentialSelection,
    PartitionSelection,
)
from dpsynth.privacy.randomness import SeededRandom
from dpsynth.privacy.source import UnitRows


def gaussian(sigma_squared: Fraction, *, size: int, seed: int) -> NDArray[np.int64]:
    """Return what ``DiscreteGaussian`` adds to ``size`` counts of 0."""
    zeros = np.zeros(size, dtype=np.int64)
    return DiscreteGaussian(sigma_squared=sigma_squared).release(zeros, rng=SeededRandom(seed))


def training(noise_multiplier: Fraction, *, size: int, seed: int) -> NDArray[np.int64]:
    """Return what a training step without any row releases for ``size`` weights.

    Args:
        noise_multiplier: stddev in units of the clip.
        size: how many weights there are.
        seed: of the noise.

    Returns:
        Whole multiples of ``training_grid``, in units of the clip.

    Raises:
        ImportError: torch is not installed.
    """
    from torch import nn

    from dpsynth.privacy.dpsgd.engines import engine_of
    from dpsynth.privacy.dpsgd.step import PrivateGradients
    from dpsynth.privacy.dpsgd.stream import KeyedStream

    rule = _one_step(noise_multiplier)
    nobody = UnitRows(codes=np.zeros((0, 1), dtype=np.int64), units=np.zeros(0, dtype=np.int64))
    released = PrivateGradients(
        nobody,
        max_rows=1,
        rule=rule,
        engine=engine_of("book_keeping"),
        stream=KeyedStream.fresh(SeededRandom(seed)),
    ).release(nn.Embedding(1, size), lambda model, rows: model(rows).sum(2).sum(1))
    drawn = released["weight"].double().numpy().ravel() / rule.grid
    return np.round(drawn).astype(np.int64)


def training_grid(noise_multiplier: Fraction) -> float:
    """Return what released sums are whole multiples of, in units of the clip."""
    return _one_step(noise_multiplier).grid


def _one_step(noise_multiplier: Fraction) -> StepRule:
    return StepRule(
        rate=Fraction(1),
        noise_multiplier=noise_multiplier,
        clip=1.0,
        steps=1,
        expected_units=1,
    )


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
