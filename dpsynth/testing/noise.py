"""Draws of the mechanisms at frozen inputs, from a known seed: for tests of their laws.

Each goes through the mechanism that a release uses, so that a factor that is wrong there shows.
What a seed made protects nobody; the operating system's source is not what these draws test.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpsynth.privacy.mechanisms import (
    DiscreteGaussian,
    DiscreteLaplace,
    ExponentialSelection,
    PartitionSelection,
)
from dpsynth.privacy.randomness import PrivacyRandom, SeededRandom

if TYPE_CHECKING:
    from dpsynth.privacy.dpsgd.step import PrivateGradients


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


def fresh_words(count: int) -> NDArray[np.uint64]:
    """Return words of a release's own source of randomness: another such object every time."""
    return PrivacyRandom().words(count)


def trained(event: Mapping[str, str], *, size: int, seed: int) -> NDArray[np.float64]:
    """Return what one step of a training releases of ``size`` sums over nobody, in clip norms.

    Raises:
        ImportError: torch is not installed.
    """
    import torch

    private = _training(event, units=0, steps=1, seed=seed)
    model = torch.nn.Linear(size, 1, bias=False)
    found = private.release(model, lambda held, rows: held(rows.float())[:, 0])["weight"]
    return np.asarray(found.double().numpy().ravel() * private.rule.divisor)


def trained_totals(
    event: Mapping[str, str], *, units: int, steps: int, seed: int
) -> NDArray[np.float64]:
    """Return the sums that steps of a training release where each unit in a batch adds a clip norm.

    That is the size of each batch, with the noise of one number. ``units`` are made up.

    Raises:
        ImportError: torch is not installed.
    """
    import torch

    private = _training(event, units=units, steps=steps, seed=seed)
    model = torch.nn.Linear(1, 1, bias=False)
    found = [
        float(private.release(model, lambda held, rows: 2 * held(rows + 1.0)[:, 0])["weight"])
        for _ in range(steps)
    ]
    return np.array(found) * private.rule.divisor


def trained_groups(
    event: Mapping[str, str], *, groups: int, units: int, steps: int, seed: int
) -> NDArray[np.float64]:
    """Return how many units of each group were in each batch, shape ``(steps, groups)``, noisy.

    Every unit adds a clip norm to the number of its group; ``units`` of each group are made up.

    Raises:
        ImportError: torch is not installed.
    """
    import torch

    whose = np.arange(groups * units, dtype=np.int64) % groups
    private = _training(event, units=whose.size, steps=steps, seed=seed, codes=whose)
    model = torch.nn.Linear(groups, 1, bias=False)

    def loss(held: torch.nn.Module, rows: torch.Tensor) -> torch.Tensor:
        return 2 * held(torch.nn.functional.one_hot(rows[:, 0], groups).float())[:, 0]

    found = [private.release(model, loss)["weight"] for _ in range(steps)]
    return np.array([each.double().numpy().ravel() for each in found]) * private.rule.divisor


def _training(
    event: Mapping[str, str],
    *,
    units: int,
    steps: int,
    seed: int,
    codes: NDArray[np.int64] | None = None,
) -> "PrivateGradients":
    from dpsynth.privacy.dpsgd.engines import engine_of
    from dpsynth.privacy.dpsgd.rule import StepRule
    from dpsynth.privacy.dpsgd.step import PrivateGradients
    from dpsynth.privacy.dpsgd.stream import KeyedStream
    from dpsynth.privacy.source import UnitRows

    rule = StepRule(
        rate=Fraction(event["rate"]),
        noise_multiplier=Fraction(event["noise_multiplier"]),
        clip=1.0,
        steps=steps,
        expected_units=max(units, 1),
    )
    held = np.zeros(units, dtype=np.int64) if codes is None else codes
    return PrivateGradients(
        UnitRows(codes=held[:, None], units=np.arange(units)),
        max_rows=1,
        rule=rule,
        engine=engine_of("book_keeping"),
        stream=KeyedStream.fresh(SeededRandom(seed)),
    )
