"""A public regrouping of codes, and the way back."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Coarsening:
    """Which coarse code every fine code belongs to, and its share within it.

    Args:
        groups: shape ``(fine,)``, int64; the coarse codes are 0 to the greatest, each in use.
        weights: shape ``(fine,)``, float64, not negative. Within a coarse code, fine codes are
            drawn in proportion; where all are zero, evenly.
    """

    groups: NDArray[np.int64]
    weights: NDArray[np.float64]

    def __post_init__(self) -> None:
        groups = np.array(self.groups, dtype=np.int64)
        weights = np.array(self.weights, dtype=np.float64)
        if groups.ndim != 1 or groups.shape != weights.shape or not groups.size:
            raise ValueError("groups and weights must be vectors of one length, at least 1")
        if not np.array_equal(np.unique(groups), np.arange(groups.max() + 1)):
            raise ValueError("groups must use every number from 0 to the greatest")
        if not np.all(np.isfinite(weights)) or np.any(weights < 0):
            raise ValueError("weights must be finite and not negative")
        totals = np.bincount(groups, weights=weights)
        sizes = np.bincount(groups)
        even = totals[groups] <= 0
        shares = np.where(even, 1 / sizes[groups], weights / np.where(even, 1, totals[groups]))
        for array in (groups, shares):
            array.setflags(write=False)
        object.__setattr__(self, "groups", groups)
        object.__setattr__(self, "weights", shares)

    @classmethod
    def identity(cls, size: int) -> "Coarsening":
        """Leave ``size`` codes as they are."""
        return cls(groups=np.arange(size, dtype=np.int64), weights=np.ones(size))

    @property
    def size(self) -> int:
        """Number of coarse codes."""
        return int(self.groups.max()) + 1

    def then(self, other: "Coarsening") -> "Coarsening":
        """Return this regrouping followed by ``other``, which regroups the coarse codes."""
        if other.groups.size != self.size:
            raise ValueError(f"the second regrouping must start from {self.size} codes")
        return Coarsening(
            groups=other.groups[self.groups],
            weights=self.weights * other.weights[self.groups],
        )

    def expand(self, codes: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        """Draw a fine code for every coarse one, systematically.

        Within a coarse code, the fine codes come out in their shares, each rounded up or down;
        which row gets which is random. Drawing each row alone would add noise for nothing.

        Args:
            codes: shape ``(rows,)``, coarse codes.
            rng: of the sampling, which is post-processing and costs no privacy.
        """
        from dpsynth.encoding.codec import smallest_unsigned

        # Most coarse codes stand for one fine code, and their rows need no draw.
        several = np.bincount(self.groups, minlength=self.size) > 1
        alone = np.zeros(self.size, dtype=smallest_unsigned(self.groups.size))
        alone[self.groups] = np.arange(self.groups.size, dtype=alone.dtype)
        drawn: NDArray[Any] = alone[codes]
        if not several.any():
            return drawn
        order = rng.permutation(np.flatnonzero(several[codes]))
        order = order[np.argsort(codes[order], kind="stable")]
        grouped = codes[order].astype(np.int64)
        counts = np.bincount(grouped, minlength=self.size)
        firsts = np.cumsum(counts) - counts
        offsets = rng.random(self.size)
        ranks = np.arange(order.size) - firsts[grouped]
        points = (ranks + offsets[grouped]) / counts[grouped]
        # Every coarse code owns one unit of a line, cut among its fine codes by their shares.
        fine = np.lexsort((np.arange(self.groups.size), self.groups))
        owner = self.groups[fine]
        within = np.clip(np.cumsum(self.weights[fine]) - owner, 0, 1)
        ends = owner.astype(np.float64) + within
        last = np.append(owner[1:] != owner[:-1], True)
        ends[last] = owner[last] + 1
        # Rounding must not let a point stray over the end of its coarse code.
        places = np.minimum(grouped + points, np.nextafter(grouped + 1.0, 0))
        drawn[order] = fine[np.searchsorted(ends, places, side="right")]
        return drawn
