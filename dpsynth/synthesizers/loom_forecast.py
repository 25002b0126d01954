"""What each pair table would be worth at each resolution of its columns, and which one to take.

A table over blocks of neighboring codes has fewer cells for the same noise a cell, and misses
what varies within a block. How much that is, is predicted from the noisy distance of the pair.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dpsynth.models.graphical.tables import Array, NoisyTable
from dpsynth.synthesizers.gain import left_over, price_of, spread_over
from dpsynth.synthesizers.loom_columns import Known

BLOCKS = (4, 6, 8, 12, 16, 24, 32)
_WITHIN_BLOCKS = 5.0  # of a signal, in one of m blocks, times m (chosen with the fit in mind)
_CLASSES = 8  # of a column's codes, by their rows
_MEAN_ABSOLUTE = 0.8  # E|z| of a standard normal z
_SWEEPS = 2
_LEAST_ROWS = 0.05  # that are taken to be expected of a code
_COLUMN_WEIGHT = 0.4  # of a column's error, in that of a pair


@dataclass(frozen=True, kw_only=True, eq=False)
class Profile:
    """One column at one resolution: classes of codes of about equal weight.

    Attributes:
        rows: of a code, by class.
        codes: in each class.
        lost: share of a signal along this column that varies within blocks.
    """

    rows: Array
    codes: Array
    lost: float

    @classmethod
    def of(cls, rows: Array, *, lost: float) -> "Profile":
        """Sort codes by their rows and take neighbors together."""
        ascending = np.sort(np.maximum(rows, 0.0))
        count = min(_CLASSES, ascending.size)
        starts = np.linspace(0, ascending.size, count + 1).astype(np.int64)
        codes = np.diff(starts).astype(np.float64)
        return cls(rows=np.add.reduceat(ascending, starts[:-1]) / codes, codes=codes, lost=lost)


@dataclass(frozen=True, kw_only=True, eq=False)
class Forecast:
    """Predicted gains of all pairs.

    Attributes:
        pairs: of columns.
        distances: noisy L1 distance of each from independence, in rows.
        weights: by which gains count.
        variances: of the noise in a cell, for each number of units from the first on.
        total: number of rows.
        profiles: by column, at the full resolution and at coarser ones.
    """

    pairs: Sequence[tuple[str, str]]
    distances: Array
    weights: Array
    variances: Array
    total: float
    profiles: Mapping[str, Sequence[Profile]]
    _known: dict[tuple[int, int, int, float], Array] = field(default_factory=dict, repr=False)

    def gains(self, at: int, chosen: Mapping[str, int], *, noise: float = 1.0) -> Array:
        """Return the L1 error that a table takes away, by number of units.

        Args:
            at: the pair's number.
            chosen: by column, the number of its profile.
            noise: by which the stddev of the noise is multiplied.
        """
        first, second = self.pairs[at]
        key = (at, chosen[first], chosen[second], noise)
        if key not in self._known:
            self._known[key] = self._gains(at, chosen[first], chosen[second], noise)
        return self._known[key]

    def table(self, chosen: Mapping[str, int]) -> Array:
        """Return the gains of all pairs, shape ``(pairs, levels)``, the first level being none."""
        gains = np.array([self.gains(at, chosen) for at in range(len(self.pairs))])
        return np.concatenate([np.zeros((len(gains), 1)), gains], axis=1)

    def _gains(self, at: int, first: int, second: int, noise: float) -> Array:
        names = self.pairs[at]
        profiles = [self.profiles[name][n] for name, n in zip(names, (first, second), strict=True)]
        finest = [self.profiles[name][0] for name in names]
        distance = float(self.distances[at])
        by_chance, coarse = (self._by_chance(*each) for each in (finest, profiles))
        signal = max(distance**2 - by_chance**2, 0.0)
        missed = sum(each.lost**2 for each in profiles) * signal
        missed += max(by_chance**2 - coarse**2, 0.0)
        found = np.sqrt(max(distance**2 - missed, 0.0))
        rows, cells = self._cells(*profiles)
        sizes = spread_over(found, rows, cells)
        left = left_over(sizes, cells, self.variances * noise**2)
        whole = np.hypot(found, np.sqrt(missed))
        return np.asarray(self.weights[at] * (whole - np.hypot(left, np.sqrt(missed))))

    def _cells(self, first: Profile, second: Profile) -> tuple[Array, Array]:
        rows = np.outer(first.rows, second.rows).ravel() / self.total
        return rows, np.outer(first.codes, second.codes).ravel()

    def _by_chance(self, first: Profile, second: Profile) -> float:
        """Return the distance that the sampling of rows alone brings about."""
        rows, cells = self._cells(first, second)
        return float(cells @ np.minimum(_MEAN_ABSOLUTE * np.sqrt(rows), 2 * rows))


def column_gains(known: Known, histogram: NoisyTable, *, weight: float, variances: Array) -> Array:
    """Return what knowing one column better takes away of the errors of the tables it is in.

    Args:
        known: the column.
        histogram: what is known of it, before denoising.
        weight: of the tables it is in.
        variances: of the noise of a new histogram, for each number of units from the first on.
    """
    rows = np.bincount(known.coarsening.groups, minlength=known.rows.size)
    sizes = np.repeat(known.rows / rows, rows)
    now = histogram.variance.max()
    after = 1 / (1 / now + 1 / variances)
    noise = known.kept * np.append(now, after)
    left = left_over(np.maximum(sizes, _LEAST_ROWS), np.ones(sizes.size), noise)
    return np.asarray(weight * _COLUMN_WEIGHT * (left[0] - left[1:]))


def resolutions(known: Known) -> list[tuple[NDArray[np.int64], Profile]]:
    """Return groupings of a column's codes and what they look like, the finest first.

    Every column has as many: groupings into at most so many blocks, some of them alike.
    """
    every = np.arange(known.rows.size, dtype=np.int64)
    found = [(every, Profile.of(known.rows, lost=0.0))]
    for most in reversed(BLOCKS):
        groups = known.in_blocks(most)
        if groups.max() + 1 == found[-1][0].max() + 1:
            found.append(found[-1])
            continue
        rows = np.bincount(groups, weights=known.rows).astype(np.float64)
        found.append((groups, Profile.of(rows, lost=_WITHIN_BLOCKS / most)))
    return found


def best_resolutions(
    forecast: Forecast, levels: NDArray[np.int64], *, units: int
) -> dict[str, int]:
    """Return the number of the profile to take of each column: where the gain is greatest.

    First one for all columns, then column by column at the price that a unit then has.
    """
    names = list(forecast.profiles)
    count = len(BLOCKS) + 1
    worth = levels.astype(np.float64)

    def surplus(table: Array, price: float) -> Array:
        return np.asarray((table - price * worth).max(axis=1))

    best, price, most = dict.fromkeys(names, 0), 0.0, -np.inf
    for number in range(count):
        chosen = dict.fromkeys(names, number)
        table = forecast.table(chosen)
        asked = price_of(table, levels, units=units)
        gained = float(surplus(table, asked).sum()) + asked * units
        if gained > most * (1 + 1e-9):
            best, price, most = chosen, asked, gained
    beside = {
        name: [at for at, pair in enumerate(forecast.pairs) if name in pair] for name in names
    }
    for _ in range(_SWEEPS):
        for name in names:
            scores = []
            for number in range(count):
                trial = {**best, name: number}
                gains = np.array([[0.0, *forecast.gains(at, trial)] for at in beside[name]])
                scores.append(float(surplus(gains, price).sum()) if len(gains) else 0.0)
            best[name] = int(np.argmax(scores))
    return best
