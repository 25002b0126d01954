"""A training over made-up units, each with a number of its own: coins, noise and key by themselves.

Every unit adds one clip norm to its own number, so that the exact sums of a step say who was in the
batch, and what is left of the released ones is the noise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.privacy.randomness import RandomSource, SeededRandom
from dpsynth.privacy.source import UnitRows

KEY_BITS = 256

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Steps:
    """Steps of a training.

    Attributes:
        inside: shape ``(steps, units)``, bool: who was in which batch.
        noise: shape ``(steps, units)``, float64: what was added to their sums, in clip norms.
        released: the same shape: what was released, in clip norms.
    """

    inside: NDArray[np.bool_]
    noise: Numbers
    released: Numbers


class Flipped:
    """Words of a seed, with one bit turned over."""

    seeded = True

    def __init__(self, seed: int, bit: int | None) -> None:
        self._source = SeededRandom(seed)
        self._bit = bit
        self._given = 0

    def words(self, count: int) -> NDArray[np.uint64]:
        """Return the next words."""
        found = self._source.words(count).copy()
        if self._bit is not None and self._given <= self._bit // 64 < self._given + count:
            found[self._bit // 64 - self._given] ^= np.uint64(1 << (self._bit % 64))
        self._given += count
        return found


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class _Told(UnitRows):
    """Rows that keep the exact sums of their batches."""

    sums: list[Numbers]

    def exact(self, sums: dict[str, Any], *, clip: float) -> dict[str, Any]:
        self.sums.append(sums["weight"].double().numpy().ravel() / clip)
        return sums


def steps_of(
    event: Mapping[str, str], *, units: int, steps: int, seed: int, bit: int | None = None
) -> Steps:
    """Train over ``units`` made-up units, and return what happened in each step.

    Args:
        event: of the training, as a document.
        units: that there are, and numbers that are released.
        steps: of the training.
        seed: of coins and noise.
        bit: of the words that the key is made of, turned over; none where None.

    Raises:
        ImportError: torch is not installed.
    """
    import torch

    sums: list[Numbers] = []
    codes = np.arange(units, dtype=np.int64)[:, None]
    rows = _Told(codes=codes, units=np.arange(units), sums=sums)
    private = _private(rows, event, steps=steps, rng=Flipped(seed, bit))
    model = torch.nn.Linear(units, 1, bias=False)

    def loss(held: torch.nn.Module, given: torch.Tensor) -> torch.Tensor:
        return 2 * held(torch.nn.functional.one_hot(given[:, 0], units).float())[:, 0]

    found = [private.release(model, loss)["weight"] for _ in range(steps)]
    released = np.array([each.double().numpy().ravel() for each in found]) * private.rule.divisor
    exact = np.array(sums)
    return Steps(inside=exact > 0.5, noise=released - exact, released=released)


def _private(rows: UnitRows, event: Mapping[str, str], *, steps: int, rng: RandomSource) -> Any:
    from dpsynth.privacy.dpsgd.engines import engine_of
    from dpsynth.privacy.dpsgd.rule import StepRule
    from dpsynth.privacy.dpsgd.step import PrivateGradients
    from dpsynth.privacy.dpsgd.stream import KeyedStream

    return PrivateGradients(
        rows,
        max_rows=1,
        rule=StepRule(
            rate=Fraction(event["rate"]),
            noise_multiplier=Fraction(event["noise_multiplier"]),
            clip=1.0,
            steps=steps,
            expected_units=max(rows.units.size, 1),
        ),
        engine=engine_of("book_keeping"),
        stream=KeyedStream.fresh(rng),
    )
