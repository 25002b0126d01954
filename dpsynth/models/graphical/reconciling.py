"""One view of every column: histogram and pair tables brought to the same rows per code.

Least squares: the rows of a code are the precision-weighted mean of what all tables say of it,
and every table is moved evenly to agree. Pairs of columns share no more than a column, so nothing
else is left to reconcile.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dpsynth.models.graphical.estimation import pooled
from dpsynth.models.graphical.tables import NoisyTable, regrouped


def reconciled(
    histograms: Mapping[str, NoisyTable],
    groups: Mapping[str, NDArray[np.int64]],
    pairs: Sequence[NoisyTable],
) -> tuple[dict[str, NoisyTable], list[NoisyTable]]:
    """Return histograms and pair tables that agree on every column.

    Args:
        histograms: by column, over all codes.
        groups: by column, of its codes.
        pairs: tables over groups of codes, each pair of columns at most once.
    """
    found = {name: _histogram(table, groups[name], pairs) for name, table in histograms.items()}
    margins = {name: regrouped(table, groups[name]) for name, table in found.items()}
    return found, [_pair(table, margins) for table in pairs]


def _histogram(
    histogram: NoisyTable, groups: NDArray[np.int64], pairs: Sequence[NoisyTable]
) -> NoisyTable:
    """Move a histogram to what the pair tables say, and lower its variance accordingly."""
    (name,) = histogram.clique
    views = [table.onto(name) for table in pairs if name in table.clique]
    if not views:
        return histogram
    before = regrouped(histogram, groups)
    after = pooled([before, *views])
    size = np.bincount(groups)
    moved = (after.values - before.values) / size
    # What groups of several codes do not tell is how their rows are split within them.
    variance = histogram.variance - ((before.variance - after.variance) / size**2)[groups]
    return NoisyTable(
        clique=histogram.clique, values=histogram.values + moved[groups], variance=variance
    )


def _pair(table: NoisyTable, columns: Mapping[str, NoisyTable]) -> NoisyTable:
    """Move a pair table evenly to the rows that its columns have."""
    first, second = (columns[name].values for name in table.clique)
    values = table.values
    values = values + (first - values.sum(1))[:, None] / second.size
    values = values + (second - values.sum(0)) / first.size
    return NoisyTable(clique=table.clique, values=values, variance=table.variance)
