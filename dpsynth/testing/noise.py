"""Draws of the mechanisms at frozen inputs, from a known seed: for tests of their laws.

Each goes through the mechanism that a release uses, so that a factor that is wrong there shows.
What a seed made protects nobody; the operating system's source is not what these draws test.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.privacy.dpsgd.rule import StepRule
from dpsynth.privacy.mechanisms import (
    DiscreteGaussian,
    DiscreteLaplace,
    ExponentialSelection,
    PartitionSelection,
)
from dpsynth.privacy.randomness import SeededRandom
from dpsynth.testing.recording import Reading, RecordingSource
from dpsynth.testing.worlds import GeneratedSource, curator_over


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


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingTrial:
    """Steps of a training on made-up units, each of which adds 1 to one number of a sum.

    Attributes:
        noise: shape ``(steps, numbers)``: what was added to each number, in units of the clip.
        batches: shape ``(steps,)``, int64: units in each batch.
    """

    noise: NDArray[np.float64]
    batches: NDArray[np.int64]


def training(
    event: Mapping[str, str], *, units: int, numbers: int, steps: int, seed: int
) -> TrainingTrial:
    """Train at the rate and the noise of a planned event, by way of a curator. Needs torch.

    Args:
        event: the planned training, as a document.
        units: made-up units, of one row each.
        numbers: parameters of the made-up model.
        steps: how many sums are released.
        seed: of batches and noise.
    """
    import torch

    rule = StepRule(
        rate=Fraction(event["rate"]),
        noise_multiplier=Fraction(event["noise_multiplier"]),
        clip=1.0,
        steps=steps,
        expected_units=units,
    )
    tape: list[Reading] = []
    curator = curator_over(
        {"all": np.zeros(units, dtype=np.int64)},
        Domain(sizes={"all": 1}),
        Fraction(1, 100),
        source=lambda codes, domain: RecordingSource(
            GeneratedSource(codes, domain), paid=lambda: 0, tape=tape
        ),
        trained=[rule.event(PrivacyUnit())],
        seed=seed,
    )
    private = curator.train(rule, label="trial")
    model = torch.nn.Linear(1, numbers, bias=False)
    released = [
        private.release(model, lambda held, rows: held(torch.ones(len(rows), 1))[:, 0])
        for _ in range(steps)
    ]
    sums = np.stack([each["weight"].double().numpy().ravel() for each in released]) * rule.divisor
    exact = np.stack([reading.sums for reading in tape if reading.sums is not None])
    return TrainingTrial(noise=sums - exact, batches=np.rint(exact[:, 0]).astype(np.int64))
