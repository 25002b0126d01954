"""Three measures of association, of many tables at once: each column of an array is a table."""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.floating]


def correlations(
    values: NDArray[np.float64], there: NDArray[np.float64], weight: NDArray[np.floating]
) -> Matrix:
    """Return correlations of all columns, each over the rows where both are there.

    Args:
        values: shape ``(rows, columns)``, 0 where missing.
        there: 1 or 0, likewise.
        weight: of the first rows, which alone count.
    """
    held, known = values[: len(weight)], there[: len(weight)]
    weighted = held * weight[:, None]
    count = np.maximum((known * weight[:, None]).T @ known, 1e-12)
    mean = weighted.T @ known / count  # of the first, where the second is there
    square = (weighted * held).T @ known / count - mean**2
    product = weighted.T @ held / count - mean * mean.T
    spread = np.sqrt(np.maximum(square * square.T, 0.0))
    return np.where(spread > 1e-12, product / np.where(spread > 1e-12, spread, 1.0), 0.0)


def cramers_v(counts: Matrix) -> Matrix:
    """Return Cramer's V, corrected for bias, of tables of counts.

    Args:
        counts: shape ``(first, second, tables)``; a level that no row of a table has is left out
            of that table.

    Returns:
        Shape ``(tables,)``, in [0, 1]; 0 where one of the columns is constant.

    Source:
        Bergsma (2013), "A bias-correction for Cramer's V and Tschuprow's T", Journal of the Korean
        Statistical Society 42(3), 323-328.
    """
    rows = counts.sum(axis=1, dtype=np.float64)
    columns = counts.sum(axis=0, dtype=np.float64)
    total = rows.sum(axis=0)
    expected = rows[:, None] * columns[None] / total
    held = counts.astype(np.float64)
    terms = np.divide(held**2, expected, out=np.zeros_like(held), where=expected > 0)
    squared = np.maximum(terms.sum(axis=(0, 1)) / total - 1, 0.0)
    levels = [(each > 0).sum(axis=0) for each in (rows, columns)]
    free = np.maximum(total - 1, 1.0)
    squared = np.maximum(squared - (levels[0] - 1) * (levels[1] - 1) / free, 0.0)
    least = np.minimum(*(each - (each - 1) ** 2 / free for each in levels)) - 1
    found = np.sqrt(np.divide(squared, least, out=np.zeros_like(squared), where=least > 0))
    return np.asarray(np.minimum(found, 1.0))


def correlation_ratio(count: Matrix, total: Matrix, square: Matrix) -> Matrix:
    """Return the correlation ratio from sums.

    Args:
        count: shape ``(categories, tables)``: rows with a number, in each category.
        total: likewise, the sum of the numbers.
        square: shape ``(tables,)``, the sum of their squares.

    Returns:
        Shape ``(tables,)``, in [0, 1]; 0 where the numbers are all the same.
    """
    rows = np.maximum(count.sum(axis=0, dtype=np.float64), 1e-12)
    center = total.sum(axis=0, dtype=np.float64) ** 2 / rows
    between = (
        np.divide(
            np.square(total, dtype=np.float64), count, out=np.zeros(total.shape), where=count > 0
        ).sum(axis=0)
        - center
    )
    whole = np.asarray(square, dtype=np.float64) - center
    ratio = np.divide(between, whole, out=np.zeros(whole.shape), where=whole > 1e-9 * rows)
    return np.asarray(np.sqrt(np.clip(ratio, 0.0, 1.0)))
