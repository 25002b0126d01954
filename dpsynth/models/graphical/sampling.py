"""Drawing codes: systematic rounding within groups of rows, in a fresh random order."""

import numpy as np
from numpy.typing import NDArray

from dpsynth.models.graphical.tables import Array

_SLACK = 1e-12


def smallest_dtype(size: int) -> np.dtype[np.unsignedinteger]:
    """Return the narrowest unsigned type that holds the codes below ``size``."""
    return np.dtype(np.min_scalar_type(max(size - 1, 0)))


def draw_in_groups(
    weights: Array, groups: NDArray[np.integer], rng: np.random.Generator
) -> NDArray[np.unsignedinteger]:
    """Draw one code a row, with counts per group as close to their expectation as rows allow.

    Within a group of ``m`` rows a code of probability ``p`` is drawn ``floor(m p)`` or one more
    times, ``m p`` on average. Which rows of the group get which code is a uniformly random order,
    fresh in every call: two columns drawn from the same parent are independent given it.

    Args:
        weights: shape ``(groups, codes)``, non-negative; a row of zeros counts as even weights.
        groups: shape ``(rows,)``, which row of ``weights`` to draw from.
        rng: post-processing randomness.

    Returns:
        Shape ``(rows,)``, codes.
    """
    count, codes = weights.shape
    dtype = smallest_dtype(codes)
    rows = groups.size
    if not rows or codes == 1:
        return np.zeros(rows, dtype)
    sizes = np.bincount(groups, minlength=count)
    occupied = np.flatnonzero(sizes)
    sizes = sizes[occupied, None]
    weights = np.where(weights[occupied].any(1, keepdims=True), weights[occupied], 1.0)
    share = np.cumsum(weights, axis=1)
    share /= share[:, -1:]
    # Where the sum is complete up to rounding, no later code (of weight 0) may catch the rest.
    share[share > 1 - _SLACK] = 1.0
    bounds = np.floor(share * sizes + rng.random((occupied.size, 1))).astype(np.int64)
    bounds[share == 1.0] = np.broadcast_to(sizes, share.shape)[share == 1.0]
    repeats = np.diff(bounds, axis=1, prepend=0)
    drawn = np.repeat(np.tile(np.arange(codes, dtype=dtype), occupied.size), repeats.ravel())
    # A stable sort of randomly ordered rows by group: narrow codes make numpy sort by radix.
    shuffled = rng.permutation(rows)
    narrow = groups.astype(smallest_dtype(count), copy=False)
    order = shuffled[np.argsort(narrow[shuffled], kind="stable")]
    result = np.empty(rows, dtype)
    result[order] = drawn
    return result


def draw_each_alone(
    weights: Array, groups: NDArray[np.integer], rng: np.random.Generator
) -> NDArray[np.unsignedinteger]:
    """Draw one code a row, every row on its own: counts per group are multinomial.

    Args:
        weights: shape ``(groups, codes)``, non-negative; a row of zeros counts as even weights.
        groups: shape ``(rows,)``, which row of ``weights`` to draw from.
        rng: post-processing randomness.

    Returns:
        Shape ``(rows,)``, codes.
    """
    count, codes = weights.shape
    even = np.where(weights.any(1, keepdims=True), weights, 1.0)
    share = np.cumsum(even, axis=1)
    share /= share[:, -1:]
    # Group g owns the unit from g to g + 1; where its sum is complete, no later code (of weight 0)
    # may catch the rest.
    share[share > 1 - _SLACK] = 1.0
    ends = (share + np.arange(count)[:, None]).ravel()
    points = np.minimum(groups + rng.random(groups.size), np.nextafter(groups + 1.0, 0))
    places = np.searchsorted(ends, points, side="right")
    return np.asarray(places - groups.astype(np.int64) * codes, dtype=smallest_dtype(codes))
