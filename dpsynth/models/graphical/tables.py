"""Noisy tables: what a graphical model is fitted to."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class NoisyTable:
    """Counts over a clique with independent noise in every cell.

    Args:
        clique: columns, one axis of ``values`` each, in this order.
        values: noisy rows per cell; may be negative.
        variance: of the noise in each cell, in rows squared, above 0; the shape of ``values``.
    """

    clique: tuple[str, ...]
    values: Array
    variance: Array

    def __post_init__(self) -> None:
        if self.values.ndim != len(self.clique) or self.values.shape != self.variance.shape:
            raise ValueError("values and variance must have one axis a column and one shape")
        if not (np.isfinite(self.values).all() and np.isfinite(self.variance).all()):
            raise ValueError("values and variance must be finite")
        if not (self.variance > 0).all():
            raise ValueError("variance must be above 0")

    def onto(self, column: str) -> "NoisyTable":
        """Return the table summed down to one of its columns."""
        axes = tuple(axis for axis, name in enumerate(self.clique) if name != column)
        return NoisyTable(
            clique=(column,), values=self.values.sum(axes), variance=self.variance.sum(axes)
        )


def regrouped(table: NoisyTable, groups: NDArray[np.int64]) -> NoisyTable:
    """Return a table over one column with its codes merged: ``groups[code]`` is the new code."""
    size = int(groups.max()) + 1
    return NoisyTable(
        clique=table.clique,
        values=_summed(table.values, groups, size),
        variance=_summed(table.variance, groups, size),
    )


def _summed(values: Array, groups: NDArray[np.int64], size: int) -> Array:
    return np.asarray(np.bincount(groups, weights=values, minlength=size), dtype=np.float64)


def estimate_total(tables: Sequence[NoisyTable]) -> float:
    """Return the number of rows, from noisy answers alone, weighted by precision.

    Every table sums to the same number of rows up to noise of known variance. The answer is at
    least 1, whatever the noise: a model of no rows could not be sampled.
    """
    if not tables:
        raise ValueError("tables must hold at least one table")
    weights = np.array([1 / table.variance.sum() for table in tables])
    sums = np.array([table.values.sum() for table in tables])
    return max(1.0, float(weights @ sums / weights.sum()))
