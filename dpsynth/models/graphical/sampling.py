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
    sizes = np.bincount(groups, minlength=len(weights))
    return arranged(apportioned(weights, sizes, rng), groups, rng)


def apportioned(
    weights: Array, sizes: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return how often each code is to be drawn in each group; see ``draw_in_groups``.

    Args:
        weights: shape ``(groups, codes)``, non-negative; a row of zeros counts as even weights.
        sizes: shape ``(groups,)``, rows of each group.
        rng: post-processing randomness.

    Returns:
        Shape ``(groups, codes)``; every line sums to its group's size.
    """
    counts = np.zeros(weights.shape, dtype=np.int64)
    occupied = np.flatnonzero(sizes)
    if weights.shape[1] == 1 or not occupied.size:
        counts[:, 0] = sizes
        return counts
    held = sizes[occupied, None]
    weights = np.where(weights[occupied].any(1, keepdims=True), weights[occupied], 1.0)
    share = np.cumsum(weights, axis=1)
    share /= share[:, -1:]
    # Where the sum is complete up to rounding, no later code (of weight 0) may catch the rest.
    share[share > 1 - _SLACK] = 1.0
    bounds = np.floor(share * held + rng.random((occupied.size, 1))).astype(np.int64)
    bounds[share == 1.0] = np.broadcast_to(held, share.shape)[share == 1.0]
    counts[occupied] = np.diff(bounds, axis=1, prepend=0)
    return counts


def arranged(
    counts: NDArray[np.int64], groups: NDArray[np.integer], rng: np.random.Generator
) -> NDArray[np.unsignedinteger]:
    """Put codes, so many of each in every group, into rows in a uniformly random order.

    Args:
        counts: shape ``(groups, codes)``; every line sums to the rows of its group.
        groups: shape ``(rows,)``.
        rng: post-processing randomness.
    """
    count, codes = counts.shape
    dtype = smallest_dtype(codes)
    rows = groups.size
    if not rows or codes == 1:
        return np.zeros(rows, dtype)
    drawn = np.repeat(np.tile(np.arange(codes, dtype=dtype), count), counts.ravel())
    # A stable sort of randomly ordered rows by group: narrow codes make numpy sort by radix.
    order = rng.permutation(rows)
    if count > 1:
        narrow = groups.astype(smallest_dtype(count), copy=False)
        order = order[np.argsort(narrow[order], kind="stable")]
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


class Urn:
    """The codes of one node for a whole sample, taken out block by block without replacement.

    How often each code comes is settled once, for all blocks together. A block takes what a
    uniformly random order of the whole would put there, so that blocks laid end to end follow
    the law of ``draw_in_groups`` for all rows at once.

    Args:
        counts: shape ``(groups, codes)``: what the whole sample holds; below 10**9 in sum.
    """

    def __init__(self, counts: NDArray[np.int64]) -> None:
        self._left = counts.copy()

    def draw(
        self, groups: NDArray[np.integer], rng: np.random.Generator
    ) -> NDArray[np.unsignedinteger]:
        """Return a code for every row of a block.

        Args:
            groups: shape ``(rows,)``; no group more often than the urn still has rows of it.
            rng: post-processing randomness.
        """
        taken = self._taken(np.bincount(groups, minlength=len(self._left)), rng)
        self._left -= taken
        return arranged(taken, groups, rng)

    def _taken(self, sizes: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw how often each code comes in a block: multivariate hypergeometric, by group."""
        behind = self._left.sum(1)
        if np.array_equal(sizes, behind):
            return self._left.copy()
        taken = np.zeros_like(self._left)
        if self._left.shape[0] <= self._left.shape[1]:
            for group in np.flatnonzero(sizes).tolist():
                taken[group] = rng.multivariate_hypergeometric(self._left[group], sizes[group])
            return taken
        wanted = sizes.copy()
        for code in range(self._left.shape[1]):
            here = self._left[:, code]
            behind = behind - here
            taken[:, code] = rng.hypergeometric(here, behind, wanted)
            wanted -= taken[:, code]
        return taken
