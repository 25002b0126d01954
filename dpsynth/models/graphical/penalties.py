"""How strongly a noisy table is shrunk toward what its columns alone expect."""

from collections.abc import Mapping
from functools import reduce

import numpy as np

from dpsynth.models.graphical.tables import Array, NoisyTable

_LEAST_SIGNAL = 0.05  # in standard deviations of what noise alone makes of the squared distance


def shrinkage(
    table: NoisyTable, base: Mapping[str, Array], *, total: float, penalty: float, adapt: bool
) -> Array:
    """Return the penalty on the squared log-factor of every cell.

    Args:
        table: noisy rows.
        base: by column, rows expected of each code.
        total: number of rows.
        penalty: in units of the stddev of a cell.
        adapt: shrink a table of one column the less, the smaller its noise is beside what chance
            alone leaves of as many rows: by the ratio of the two stddevs, where that is below 1.
            Of a table of more columns, take the geometric mean of ``penalty`` times the stddev
            with what the table itself asks for. If deviations from the base are normal with
            variance ``c**2`` times what is expected, that is ``sigma**2 / c**2``, and the noisy
            table tells ``c**2`` (by moments).

    Returns:
        The shape of the table, above 0.
    """
    flat = penalty * np.sqrt(table.variance)
    if not adapt:
        return flat
    if len(table.clique) < 2:
        return flat * min(1.0, float(np.sqrt(table.variance.sum() / total)))
    rows = [np.maximum(base[name], 0.0) for name in table.clique]
    expected = reduce(np.multiply.outer, rows) / total ** (len(rows) - 1)
    noise = float(table.variance.sum())
    seen = float(((table.values - expected) ** 2).sum())
    signal = max(seen - noise, _LEAST_SIGNAL * noise / np.sqrt(expected.size))
    return np.asarray(np.sqrt(flat * table.variance * (float(expected.sum()) / signal)))
