"""At most 255 values a column: boosting then cuts every table into the same bins."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpsynth.utility.downstream.features import MOST_CATEGORIES, Features, Rows

MOST_VALUES = 255  # bins that boosting has for a column


@dataclass(frozen=True, kw_only=True, eq=False)
class Grids:
    """The values that cells of coded rows are moved to, by column.

    Attributes:
        values: sorted, at least one each.
    """

    values: tuple[NDArray[np.float64], ...]

    @classmethod
    def of(cls, features: Features, rows: Rows) -> "Grids":
        """Take every code of a column with levels, and quantiles of ``rows`` of any other."""
        found = []
        for name, column in zip(features.columns, rows.T, strict=True):
            size = features.sizes.get(name, 0)
            if 0 < size <= min(MOST_VALUES, MOST_CATEGORIES):
                found.append(np.arange(size, dtype=np.float64))
                continue
            values = np.unique(column[~np.isnan(column)])
            if values.size > MOST_VALUES:
                shares = np.linspace(0, 1, MOST_VALUES)
                values = np.unique(np.quantile(values, shares, method="nearest"))
            found.append(values if values.size else np.zeros(1))
        return cls(values=tuple(found))

    def moved(self, rows: Rows) -> Rows:
        """Return ``rows`` with every cell moved to the nearest grid value; NaN stays."""
        made = np.empty_like(rows)
        for place, values in enumerate(self.values):
            middles = (values[:-1] + values[1:]) / 2
            nearest = values[np.searchsorted(middles, rows[:, place])]
            made[:, place] = np.where(np.isnan(rows[:, place]), np.nan, nearest)
        return made

    def anchors(self) -> Rows:
        """Return rows that hold every grid value, shape ``(most values of a column, columns)``."""
        most = max((values.size for values in self.values), default=0)
        return np.column_stack([np.resize(values, most) for values in self.values])
