"""What a noisy table would be worth, predicted from a noisy distance; and who gets the budget.

The distance of a pair from independence is spread over its cells in proportion to the square root
of what is expected of them. Measured with noise of stddev sigma, a deviation of size s shrinks to
an error of about ``s * sigma / sqrt(sigma**2 + s**2)``; the rest is the gain.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpsynth.models.graphical.tables import Array

_CLASSES = 24  # of deviations, for speed
_LEAST_ROWS = 0.05  # that are taken to be expected in a cell
_MEAN_ABSOLUTE = 0.8  # E|z| of a standard normal z
_BISECTIONS = 60


@dataclass(frozen=True, kw_only=True, eq=False)
class Deviations:
    """How far the cells of a table are expected to be from what is known.

    Attributes:
        sizes: typical deviations, in rows.
        cells: how many cells deviate by each.
    """

    sizes: Array
    cells: Array

    @classmethod
    def spread(cls, distance: float, expected: Array) -> "Deviations":
        """Spread an L1 ``distance`` over the cells of a table with ``expected`` rows."""
        roots = np.sort(np.sqrt(np.maximum(expected.ravel(), _LEAST_ROWS)))
        sizes = distance * roots / (_MEAN_ABSOLUTE * roots.sum())
        count = min(_CLASSES, sizes.size)
        starts = np.linspace(0, sizes.size, count + 1).astype(np.int64)
        cells = np.diff(starts).astype(np.float64)
        return cls(sizes=np.add.reduceat(sizes, starts[:-1]) / cells, cells=cells)

    def gain(self, variance: Array) -> Array:
        """Return the L1 error that a measurement takes away, for each variance of its noise."""
        sigma = np.sqrt(variance)[:, None]
        left = 1 - sigma / np.hypot(sigma, self.sizes)
        return np.asarray(_MEAN_ABSOLUTE * (self.cells * self.sizes * left).sum(1))


def spread_over(distances: Array, rows: Array, cells: Array) -> Array:
    """Spread L1 ``distances`` over classes of ``cells`` that each expect ``rows``.

    Args:
        distances: shape ``(tables,)``.
        rows: shape ``(tables, classes)``.
        cells: the same.
    """
    roots = np.sqrt(np.maximum(rows, _LEAST_ROWS))
    return np.asarray((distances / (_MEAN_ABSOLUTE * (cells * roots).sum(axis=1)))[:, None] * roots)


def left_over(sizes: Array, cells: Array, variance: Array) -> Array:
    """Return the L1 errors that measuring leaves of deviations, for each variance of its noise.

    Args:
        sizes: of deviations, shape ``(tables, classes)``.
        cells: that deviate by each; the same shape.
        variance: shape ``(levels,)``.

    Returns:
        Shape ``(tables, levels)``.
    """
    left = np.empty((len(sizes), variance.size))
    weight = _MEAN_ABSOLUTE * cells * sizes
    squares = sizes**2
    for level, each in enumerate(variance):
        # sigma * size / sqrt(sigma**2 + size**2)
        left[:, level] = (weight / np.sqrt(1 + squares / each)).sum(axis=1)
    return left


def unit_levels(units: int) -> NDArray[np.int64]:
    """Return numbers of units to choose from: 0, 1 and on in growing steps, up to all."""
    found = [0, 1]
    while found[-1] < units:
        found.append(min(units, max(found[-1] + 1, round(found[-1] * 1.25))))
    return np.array(found, dtype=np.int64)


def price_of(table: Array, levels: NDArray[np.int64], *, units: int) -> float:
    """Return the least price of a unit at which no more than ``units`` are asked for.

    Args:
        table: shape ``(candidates, levels)``: gain of each with each number of units.
        levels: ascending numbers of units, the first 0 and the second 1.
        units: that there are.
    """
    worth = levels.astype(np.float64)
    low, high = 0.0, float(table.max()) + 1.0
    for _ in range(_BISECTIONS):
        price = (low + high) / 2
        wanted = levels[np.argmax(table - price * worth, axis=1)]
        low, high = (price, high) if wanted.sum() > units else (low, price)
    return high


def share_units(
    gains: Sequence[Array] | NDArray[np.float64], levels: NDArray[np.int64], *, units: int
) -> NDArray[np.int64]:
    """Hand out equal units of budget so that the gain of all candidates together is large.

    A price a unit is raised until what is worth it can be paid; what is left over goes, one level
    at a time, to whoever gains most a unit.

    Args:
        gains: shape ``(candidates, levels)``: gain of each with each number of units.
        levels: ascending numbers of units, the first 0 and the second 1.
        units: to hand out, all of them; at least 1.

    Returns:
        Shape ``(candidates,)``, units of each, of sum ``units``.
    """
    table = np.asarray(gains)
    price = price_of(table, levels, units=units)
    chosen = np.argmax(table - price * levels, axis=1)
    left = units - int(levels[chosen].sum())
    while left > 0:
        following = np.minimum(chosen + 1, levels.size - 1)
        cost = levels[following] - levels[chosen]
        rows = np.arange(len(table))
        better = table[rows, following] - table[rows, chosen]
        rate = np.where((cost > 0) & (cost <= left), better / np.maximum(cost, 1), -1.0)
        best = int(np.argmax(rate))
        if rate[best] <= 0:
            break
        chosen[best], left = following[best], left - int(cost[best])
    given: NDArray[np.int64] = levels[chosen]
    # Hardly worth anything to anybody: more of the same to those who have some already.
    holders = np.flatnonzero(given)
    if not holders.size:
        holders = np.array([int(np.argmax(table[:, -1]))])
    share = given[holders] if given.any() else np.ones(1, dtype=np.int64)
    extra = np.floor(left * np.cumsum(share) / share.sum()).astype(np.int64)
    given[holders] += np.diff(extra, prepend=0)
    return given
