"""Intervals: how far a figure moves when other rows had been drawn, of both tables.

Every row gets a Poisson(1) weight in each of 200 replicates (the Poisson bootstrap); a figure that
is a function of counts, sums or products is computed from the weighted ones, exactly, all
replicates at once. Distances grow by resampling alone, so the replicates' percentiles would lie
above the figure: the interval is the figure plus and minus 1.96 standard deviations of them.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

REPLICATES = 200
MOST_ROWS = 50_000  # that are resampled; with more the interval is wider than it need be
_NORMAL = 1.959963984540054

Weights = NDArray[np.float32]


def weights(rows: int, *, seed: int) -> Weights:
    """Return the weight of each row in each replicate, shape ``(rows, REPLICATES)``.

    Args:
        rows: of a table; beyond 50,000 only so many get weights.
        seed: of the draw; give every table one of its own.
    """
    kept = min(rows, MOST_ROWS)
    drawn = _drawn(seed, min(max(1 << (kept - 1).bit_length(), _LEAST_DRAWN), MOST_ROWS))
    found = drawn[:kept].astype(np.float32)
    if kept < _FEW:  # now and then none of them is drawn, and nothing has a share of nothing
        found[:, ~found.any(axis=0)] = 1
    return found


@lru_cache(maxsize=8)
def _drawn(seed: int, rows: int) -> NDArray[np.uint8]:
    """Return what is drawn, which takes long; the first rows are the same for any number of them.

    Every section asks for the same seeds, and every subgroup does so again.
    """
    found = np.random.default_rng(seed).poisson(1.0, size=(rows, REPLICATES)).astype(np.uint8)
    found.flags.writeable = False
    return found


_LEAST_DRAWN = 1_024
_FEW = 100


def counts(codes: NDArray[np.integer], cells: int, weight: Weights) -> NDArray[np.float32]:
    """Return the weighted count of every cell in every replicate, shape ``(cells, REPLICATES)``.

    Args:
        codes: the cell of each row; as many rows as have weights are counted.
        cells: how many there are.
        weight: of each row in each replicate.
    """
    return sums(codes, cells, weight, np.ones(len(weight), dtype=np.float32))


def sums(
    codes: NDArray[np.integer], cells: int, weight: Weights, values: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Return the weighted sum of ``values`` in every cell, shape ``(cells, REPLICATES)``."""
    from scipy import sparse

    rows = len(weight)
    places = sparse.csr_array(
        (
            values[:rows].astype(np.float32),
            codes[:rows].astype(np.int32),
            np.arange(rows + 1, dtype=np.int32),
        ),
        shape=(rows, cells),
    )
    return np.asarray(places.T @ weight, dtype=np.float32)


def interval(
    value: float,
    replicates: NDArray[np.floating],
    *,
    least: float = 0.0,
    most: float = 1.0,
) -> tuple[float, float]:
    """Return the 95 % interval of ``value``, cut at what the figure can be."""
    around = _NORMAL * float(np.std(replicates, ddof=1))
    return max(value - around, least), min(value + around, most)
