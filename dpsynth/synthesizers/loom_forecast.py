"""What each pair table would be worth at each resolution of its columns, and which one to take.

A table over blocks of neighboring codes has fewer cells for the same noise a cell, and misses
what varies within a block. How much that is, is predicted from the noisy distance of the pair.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

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
_COLUMN_WEIGHT = 0.3  # of a column's error, in that of a pair
_AT_ONCE = 256  # pairs: what they take stays in a processor's cache


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
        return np.asarray(self.gains_of([at], chosen, noise=noise)[0])

    def gains_of(
        self, numbers: Sequence[int], chosen: Mapping[str, int], *, noise: float = 1.0
    ) -> Array:
        """Return ``gains`` of many pairs, shape ``(numbers, levels)``."""
        place = {name: self.same_as(name, number) for name, number in chosen.items()}
        pairs = self.pairs
        keys = [(at, place[pairs[at][0]], place[pairs[at][1]], noise) for at in numbers]
        missing = [key for key in dict.fromkeys(keys) if key not in self._known]
        for first in range(0, len(missing), _AT_ONCE):
            some = missing[first : first + _AT_ONCE]
            self._known.update(zip(some, self._computed(some, noise), strict=True))
        return np.array([self._known[key] for key in keys])

    def table(self, chosen: Mapping[str, int]) -> Array:
        """Return the gains of all pairs, shape ``(pairs, levels)``, the first level being none."""
        gains = self.gains_of(range(len(self.pairs)), chosen)
        return np.concatenate([np.zeros((len(gains), 1)), gains], axis=1)

    def same_as(self, name: str, number: int) -> int:
        """Return the first profile of a column that is the same as this one."""
        return self._first[name][number]

    @cached_property
    def _first(self) -> dict[str, list[int]]:
        return {
            name: [next(at for at, other in enumerate(held) if other is each) for each in held]
            for name, held in self.profiles.items()
        }

    @cached_property
    def _columns(self) -> dict[tuple[str, int], tuple[Array, Array, float]]:
        """Rows and codes of all classes by column and profile, filled up with classes of none."""
        found = {}
        for name, held in self.profiles.items():
            for number, each in enumerate(held):
                fill = (0, _CLASSES - each.rows.size)
                found[name, number] = (np.pad(each.rows, fill), np.pad(each.codes, fill), each.lost)
        return found

    def _computed(self, keys: Sequence[tuple[int, int, int, float]], noise: float) -> Array:
        names = [self.pairs[at] for at, *_ in keys]
        chosen = [(a, b) for _, a, b, _ in keys]
        finest = self._cells(names, [(0, 0)] * len(keys))
        rows, cells, lost = self._cells(names, chosen)
        distance = self.distances[[at for at, *_ in keys]]
        by_chance, coarse = _by_chance(finest[0], finest[1]), _by_chance(rows, cells)
        signal = np.maximum(distance**2 - by_chance**2, 0.0)
        missed = lost * signal + np.maximum(by_chance**2 - coarse**2, 0.0)
        found = np.sqrt(np.maximum(distance**2 - missed, 0.0))
        sizes = spread_over(found, rows, cells)
        left = left_over(sizes, cells, self.variances * noise**2)
        whole, missed = np.hypot(found, np.sqrt(missed))[:, None], missed[:, None]
        weights = self.weights[[at for at, *_ in keys]]
        return np.asarray(weights[:, None] * (whole - np.sqrt(left**2 + missed)))

    def _cells(
        self, names: Sequence[tuple[str, str]], numbers: Sequence[tuple[int, int]]
    ) -> tuple[Array, Array, Array]:
        """Return rows and numbers of cells, ``(pairs, classes)``, and the share of signal lost."""
        held = [
            [self._columns[pair[side], number[side]] for side in (0, 1)]
            for pair, number in zip(names, numbers, strict=True)
        ]
        rows, codes, lost = (np.array([[a[part], b[part]] for a, b in held]) for part in range(3))
        shape = (len(held), _CLASSES**2)
        both = (rows[:, 0, :, None] * rows[:, 1, None] / self.total).reshape(shape)
        cells = (codes[:, 0, :, None] * codes[:, 1, None]).reshape(shape)
        return both, cells, (lost**2).sum(axis=1)


def _by_chance(rows: Array, cells: Array) -> Array:
    """Return the distances that the sampling of rows alone brings about."""
    return np.asarray((cells * np.minimum(_MEAN_ABSOLUTE * np.sqrt(rows), 2 * rows)).sum(axis=1))


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
    sizes = np.maximum(sizes, _LEAST_ROWS)[None]
    (left,) = left_over(sizes, np.ones(sizes.shape), noise)
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

    def different(name: str) -> list[int]:
        return sorted({forecast.same_as(name, number) for number in range(len(BLOCKS) + 1)})

    best, price, most = dict.fromkeys(names, 0), 0.0, -np.inf
    promising: list[int] = []
    for number in sorted({number for name in names for number in different(name)}):
        chosen = {name: forecast.same_as(name, number) for name in names}
        table = forecast.table(chosen)
        asked = price_of(table, levels, units=units)
        gained = float((table - asked * levels).max(axis=1).sum()) + asked * units
        if gained > most * (1 + 1e-9):
            best, price, most = chosen, asked, gained
            # There are no units for more pairs than this.
            promising = np.argsort(-table.max(axis=1), kind="stable")[:units].tolist()
    beside: dict[str, list[int]] = {name: [] for name in names}
    for at in promising:
        for name in forecast.pairs[at]:
            beside[name].append(at)
    for _ in range(_SWEEPS):
        for name in names:
            numbers = different(name)
            if len(numbers) < 2 or not beside[name]:
                continue
            scores = []
            for number in numbers:
                gains = forecast.gains_of(beside[name], {**best, name: number})
                surplus = (gains - price * levels[1:]).max(axis=1)
                scores.append(float(np.maximum(surplus, 0.0).sum()))
            best[name] = numbers[int(np.argmax(scores))]
    return best
