"""Whole units, each in a batch by a coin of its own."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dpsynth import _validate
from dpsynth.privacy.dpsgd.stream import BATCH, KeyedStream

_AT_ONCE = 1 << 22  # coins that are held at a time; even


class PoissonBatches:
    """Draws batches of units; every unit joins every batch independently with one probability.

    That is the law that the accountant assumes. There is no epoch, no shuffling and no batch
    size: a batch may be empty, and sizes follow a binomial law.

    Args:
        units: shape ``(rows,)``, integers: the unit that each row belongs to, numbered from 0
            without a gap.
        max_rows: the most rows that a unit has; a unit with more is refused.
        rate: probability of a unit in a batch, exact, in (0, 1].
        stream: of the coins; unit i of a step has the i-th word.
    """

    def __init__(
        self, units: NDArray[np.int64], *, max_rows: int, rate: Fraction, stream: KeyedStream
    ) -> None:
        _validate.exact(rate=rate)
        if not 0 < rate <= 1:
            raise ValueError("rate must lie above 0 and be at most 1")
        sizes = np.bincount(units) if units.size else np.zeros(0, dtype=np.int64)
        if sizes.size and not 0 < sizes.min() <= sizes.max() <= max_rows:
            raise ValueError("units must be numbered without a gap and have at most max_rows rows")
        self._units = sizes.size
        self._rate = rate
        self._stream = stream
        # Every unit has max_rows slots, whatever it holds: shapes then tell nothing of sizes.
        order = np.argsort(units, kind="stable")
        starts = np.cumsum(sizes) - sizes
        kind = np.int32 if units.size < 2**31 else np.int64
        self._slots = np.full((sizes.size, max_rows), -1, dtype=kind)
        self._slots[units[order], np.arange(units.size) - np.repeat(starts, sizes)] = order

    def draw(self, step: int) -> NDArray[np.int64]:
        """Return the batch of a step.

        Returns:
            Shape ``(units in the batch, max_rows)``, int64: the rows of each unit, -1 where it has
            fewer.
        """
        # A word below rate * 2**64, rounded down: at most the stated probability.
        below = int(self._rate * 2**64)
        inside = np.ones(self._units, dtype=np.bool_)
        for start in range(0, self._units if below < 2**64 else 0, _AT_ONCE):
            some = inside[start : start + _AT_ONCE]
            some[:] = self._stream.words(some.size, purpose=BATCH, step=step, start=start) < below
        return self._slots[inside].astype(np.int64)
