"""Where the kernel's random bits come from; no other module of it makes a generator.

A source hands out words and nothing else, so that every sampler states for itself what it does
with the bits. Tests pass a source of a different type, never a seed to the real one: which of
the two made a number is part of the record that the ledger keeps.
"""

import os
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dpsynth import _validate
from dpsynth.errors import UnfitEnvironmentError


class RandomSource(Protocol):
    """What a sampler needs: independent, uniform 64-bit words."""

    @property
    def seeded(self) -> bool:
        """Whether someone could know the words; such an entry protects nobody."""

    def words(self, count: int) -> NDArray[np.uint64]:
        """Return ``count`` fresh words, shape ``(count,)``, each uniform and independent."""


class PrivacyRandom:
    """The operating system's random source, read anew at every call.

    Nothing is buffered, so a forked child has no bits in common with its parent and no bit of a
    past release stays in memory for longer than the call that used it.

    Raises:
        UnfitEnvironmentError: two reads gave the same bytes (chance: once in 2**256 machines).
    """

    seeded: bool = False

    def __init__(self) -> None:
        if os.urandom(32) == os.urandom(32):
            raise UnfitEnvironmentError(
                "the operating system's random source repeats itself, so no noise was drawn; "
                "run where os.urandom is sound"
            )

    def words(self, count: int) -> NDArray[np.uint64]:
        """Return ``count`` fresh words from the operating system, read-only."""
        return np.frombuffer(os.urandom(8 * count), dtype=np.uint64)


class SeededRandom:
    """Reproducible words for tests; whatever they made cannot be certified.

    Args:
        seed: at least 0; the same seed gives the same words on every platform.
    """

    seeded: bool = True

    def __init__(self, seed: int) -> None:
        _validate.exact(seed=seed)
        self._bits = np.random.Philox(seed)

    def words(self, count: int) -> NDArray[np.uint64]:
        """Return the next ``count`` words of the stream."""
        return self._bits.random_raw(count)
