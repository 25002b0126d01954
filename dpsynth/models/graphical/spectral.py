"""Noise taken off a pair table by its singular values.

Columns of real tables depend on each other along few directions: a table less its product of
columns has a few large singular values, where noise of one scale in all cells spreads evenly.
"""

from dataclasses import replace

import numpy as np

from dpsynth.models.graphical.tables import Array, NoisyTable

_TRUST = 0.5  # in the few directions, against the table as it is; chosen as the penalties of `auto`
_LEAST_KEPT = 0.05  # of the noise's variance, in the few directions
_FEWEST_CODES = 3  # of each column: fewer have one direction at most


def sharpened(table: NoisyTable) -> NoisyTable:
    """Return the mean of a pair table and of what its large singular values say of it.

    Costs nothing: it works on released counts. The sums over rows and columns stay as they are.

    Args:
        table: over two columns, with noise of about one variance in all cells; its sum above 0.

    Returns:
        The same table with less noise, and the variance that is left.

    Source:
        Gavish and Donoho (2017), arXiv:1405.7511: singular values of pure noise with stddev sigma
        stay below ``sigma (sqrt(m) + sqrt(n))``; those above are shrunk as is best for squared
        error.
    """
    if min(table.values.shape) < _FEWEST_CODES:
        return table
    values = table.values
    product = np.outer(values.sum(axis=1), values.sum(axis=0)) / values.sum()
    few, kept = _in_few_directions(values - product, float(np.sqrt(table.variance.mean())))
    left = (1 - _TRUST) ** 2
    return replace(
        table,
        values=_TRUST * (product + few) + (1 - _TRUST) * values,
        variance=table.variance * (left + (1 - left) * max(kept, _LEAST_KEPT)),
    )


def _in_few_directions(deviations: Array, stddev: float) -> tuple[Array, float]:
    """Return deviations from a product in the directions that stand out, and the noise there.

    Args:
        deviations: whose sums over rows and over columns are 0.
        stddev: of the noise in a cell, above 0.

    Returns:
        Shape of ``deviations``, and the share of all directions that was kept.
    """
    rows, columns = (size - 1 for size in deviations.shape)
    left, found, right = np.linalg.svd(deviations, full_matrices=False)
    unit = stddev * np.sqrt(max(rows, columns))
    ratio = min(rows, columns) / max(rows, columns)
    size = found / unit
    inside = np.maximum((size**2 - ratio - 1) ** 2 - 4 * ratio, 0.0)
    shrunk = np.where(size > 1 + np.sqrt(ratio), np.sqrt(inside) / np.maximum(size, 1e-9), 0.0)
    rank = int((shrunk > 0).sum())
    return (left * (shrunk * unit)) @ right, rank * (rows + columns - rank) / (rows * columns)
