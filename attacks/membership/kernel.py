"""How likely one record is to have been made from another, column by column."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence
from attacks.engine.released import Counts, column_counts
from attacks.engine.table import Codes

Values = NDArray[np.float64]

# Shares of the kernel in one column, fixed on seeds and tables that no figure is reported on (see
# docs/explanation/membership-attacks.md): the cell is a new draw of the column, a near value, the
# same value. They add up to 1; a column without order has no near values.
FRESH, NEAR, SAME = 0.4, 0.3, 0.3
WIDTH = 0.1  # how near: a tenth of the column's released rows, on either side, in the exponent
_BLOCK = 1 << 18  # pairs of rows held at once


@dataclass(frozen=True, kw_only=True)
class _Column:
    """One column: by code, how common it is in the release, and its place among the others."""

    ordered: bool
    share: Values
    place: Values
    missing: int


class Kernel:
    """Weights of pairs of records, relative to what independent columns would give.

    ``weight(x, y)`` is the product over columns of ``FRESH + SAME * [x = y] / share(x) + NEAR *
    g(x, y)``: a record made from ``y`` by leaving a cell alone, moving it a little, or drawing it
    anew from the column, is ``x`` so many times as often as a record drawn column by column. To
    agree in a rare value weighs more than to agree in a common one. ``g`` is a Laplace kernel in
    the cumulated shares of the column, so that near means few records in between; a missing value
    is near nothing.

    Args:
        evidence: whose release gives the shares, half a row added to each code, so that the
            population's own rows shape no weight.

    Source:
        The product kernel for mixed data, of Aitchison and Aitken (1976) for categories and of
        Laplace shape for ordered codes; divided by the column's shares, so that weights of
        different columns are on one scale.
    """

    def __init__(self, evidence: Evidence) -> None:
        release = evidence.release
        self._columns = [
            _column(
                column_counts(release, name, size=evidence.sizes[name]),
                ordered=evidence.ordered[name],
                missing=evidence.missing.get(name, -1),
            )
            for name in release.columns
        ]

    def log_weights(self, rows: Codes, among: Codes, index: NDArray[np.int64]) -> Values:
        """Return the logarithm of the weight of every row and each of its neighbors.

        Args:
            rows: shape ``(n, columns)``.
            among: shape ``(m, columns)``.
            index: shape ``(n, k)``, neighbors by number in ``among``; -1 for none.

        Returns:
            Shape ``(n, k)``; minus infinity where there is no neighbor.
        """
        result = np.full(index.shape, -np.inf)
        if not among.shape[0]:
            return result
        for part in blocks(index.shape[0], width=index.shape[1]):
            held = index[part]
            total = np.zeros(held.shape)
            for place, column in enumerate(self._columns):
                mine = rows[part, place][:, None]
                total += np.log(_weights(column, mine, among[:, place][held]))
            result[part] = np.where(held >= 0, total, -np.inf)
        return result


def blocks(rows: int, *, width: int) -> Iterator[slice]:
    """Yield slices of ``rows`` rows such that ``width`` numbers a row stay few."""
    step = max(1, _BLOCK // max(1, width))
    for start in range(0, rows, step):
        yield slice(start, min(rows, start + step))


def log_mean(log_weights: Values, *, rows: NDArray[Any] | int) -> Values:
    """Return the logarithm of the mean weight over ``rows`` rows, and of one draw at random.

    The neighbors stand for all rows: the others' weights are taken as nothing. The one draw is a
    record made column by column, weight 1: where neither table has anyone close, the ratio is 1.
    """
    count = np.maximum(np.asarray(rows, dtype=np.float64), 1.0)
    result: Values = np.logaddexp(log_sum(log_weights) - np.log(count), 0.0)
    return result


def log_sum(log_weights: Values) -> Values:
    """Return the logarithm of the sum of each row's weights; minus infinity for none."""
    largest = log_weights.max(axis=-1, initial=-np.inf)
    safe = np.where(np.isinf(largest), 0.0, largest)
    with np.errstate(divide="ignore"):
        result: Values = safe + np.log(np.exp(log_weights - safe[..., None]).sum(axis=-1))
    return result


def _column(released: Counts, *, ordered: bool, missing: int) -> _Column:
    counts = released + 0.5
    share = counts / counts.sum()
    return _Column(
        ordered=ordered, share=share, place=np.cumsum(share) - share / 2, missing=missing
    )


def _weights(column: _Column, mine: NDArray[np.int32], theirs: NDArray[np.int32]) -> Values:
    same = mine == theirs
    if not column.ordered:
        result: Values = FRESH + same * ((SAME + NEAR) / column.share[mine])
        return result
    apart = np.abs(column.place[mine] - column.place[theirs])
    near = np.exp(apart * (-1 / WIDTH)) * (NEAR / (2 * WIDTH))
    if column.missing >= 0:
        near[(mine == column.missing) | (theirs == column.missing)] = 0.0
    near += FRESH
    near += same * (SAME / column.share[mine])
    return near
