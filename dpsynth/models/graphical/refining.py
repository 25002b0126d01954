"""Exchanging drawn rows for others until the sample's tables are as wanted, up to whole rows.

Drawing whole rows leaves an error in every table. Rows that lie in cells with too few of them
come in, rows that lie in cells with too many go out, some hundred at a time, and only if the
error of all tables together falls. Only rows that the model has drawn come in, so no combination
of codes appears that the model holds impossible. Post-processing of released numbers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpsynth.models.graphical.fusing import FusedTables
from dpsynth.models.graphical.tables import Array

_BLOCK = 12_000  # rows looked at in one pass, at least
_BLOCKS = 64  # at most
_SHARE = 20  # one row of so many is a candidate, in and out
_LOOKED_AT = 8  # one row of so many, to find out which score a candidate must have
_NOISE = 0.5  # in the choice of candidates, in standard deviations of the rows' scores
_EAGER = 4  # of the pairs that help, one in so many is exchanged: together they help less
_EXCHANGES = 10  # of rows, in one pass
_MOST_SWEEPS = 8  # over all rows
_LEAST_PROGRESS = 0.02  # of the error at the start, in a sweep that is worth another
_WORK = 3e8  # cells and places looked up, after which the last sweep begins


def refine(
    tables: FusedTables,
    wanted: Array,
    importance: Array,
    times: NDArray[np.int64],
    rng: np.random.Generator,
    *,
    enough: float = 0.0,
) -> NDArray[np.int64]:
    """Return how often each row is taken, so that the tables are closer to ``wanted``.

    The error is the sum over cells of ``importance`` times the squared difference from
    ``wanted``. It never grows, and the number of rows stays.

    Args:
        tables: of the rows to choose from.
        wanted: rows in every cell of every table.
        importance: of every cell, not negative.
        times: shape ``(rows,)``: how often each row is taken now.
        rng: post-processing randomness.
        enough: an error that is as good as none.
    """
    search = _Search(tables, wanted, importance, times.copy(), rng)
    length = max(_BLOCK, -(-tables.rows // _BLOCKS))
    blocks = [
        slice(start, min(start + length, tables.rows)) for start in range(0, tables.rows, length)
    ]
    work = len(blocks) * _EXCHANGES * tables.cells + len(tables.carriers) * tables.rows
    sweeps = int(np.clip(_WORK // work, 1, _MOST_SWEEPS))
    first = search.error
    for _ in range(sweeps):
        before = search.error
        for block in blocks:
            if search.error <= enough:
                return search.times
            search.improve(block)
        if before - search.error <= _LEAST_PROGRESS * first:
            break
    return search.times


class _Search:
    """How often each row is taken, and what that leaves to be wished for."""

    def __init__(
        self,
        tables: FusedTables,
        wanted: Array,
        importance: Array,
        times: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> None:
        self.times = times
        self._tables, self._importance, self._rng = tables, importance, rng
        self._left = wanted - tables.summed(times.astype(np.float64))
        self.error = float(importance @ self._left**2)
        # An exchange changes the error by this and by the slopes of the cells it touches.
        self._cost = tables.scores(importance, slice(0, tables.rows))

    def improve(self, block: slice) -> None:
        """Exchange rows of one block for others of it."""
        into, out = self._candidates(block)
        into_cells, out_cells = self._tables.cells_of(into), self._tables.cells_of(out)
        into_cost, out_cost = self._cost[into], self._cost[out]
        eager = _EAGER
        for _ in range(_EXCHANGES):
            slope = (2 * self._importance * self._left).astype(np.float32)
            gain_in = slope.take(into_cells, mode="clip").sum(0) - into_cost
            gain_out = -slope.take(out_cells, mode="clip").sum(0) - out_cost
            gain_out[self.times[out] <= 0] = -np.inf
            pairs = min(into.size, out.size)
            first_in, first_out = np.argsort(-gain_in)[:pairs], np.argsort(-gain_out)[:pairs]
            helpful = int((gain_in[first_in] + gain_out[first_out] > 0).sum())
            chosen = -(-helpful // eager)
            first_in, first_out = first_in[:chosen], first_out[:chosen]
            change = self._change(into_cells[:, first_in], out_cells[:, first_out])
            part = change.best_part(float(into_cost[first_in].sum() + out_cost[first_out].sum()))
            if part < 1:
                kept = self._rng.random(chosen) < part
                first_in, first_out = first_in[kept], first_out[kept]
                change = self._change(into_cells[:, first_in], out_cells[:, first_out])
            if change.together < 2 * change.slope:
                self._left -= change.rows
                self.error = float(self._importance @ self._left**2)
                self.times[into[first_in]] += 1
                self.times[out[first_out]] -= 1
            elif chosen > 1:
                eager *= _EAGER
            else:
                break

    def _candidates(self, block: slice) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return rows of the block that may come in and rows that may go out."""
        score = self._tables.scores(2 * self._importance * self._left, block)
        count = max(score.size // _SHARE, 1)
        # Noise lets rows of several kinds come up, where many alike would fill all places.
        noise = self._rng.standard_exponential((2, score.size), dtype=np.float32)
        noise *= _NOISE * score.std()
        cost = self._cost[block]
        leaving = np.where(self.times[block] > 0, noise[1] - score - cost, -np.inf)
        into = block.start + _largest(noise[0] + score - cost, count)
        out = block.start + _largest(leaving, count)
        return into, out[self.times[out] > 0]

    def _change(self, into: NDArray[np.int32], out: NDArray[np.int32]) -> "_Change":
        """Sum up rows that come in and rows that go out, given the cells of each."""
        size = self._left.size
        rows = np.bincount(into.ravel(), minlength=size).astype(np.float64)
        rows -= np.bincount(out.ravel(), minlength=size)
        weighted = self._importance * rows
        slope, together = float(weighted @ self._left), float(weighted @ rows)
        return _Change(rows=rows, slope=slope, together=together)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Change:
    """What exchanges of rows do to the tables.

    Attributes:
        rows: more or fewer in every cell.
        slope: by which the error falls for each row on the way, to first order, halved.
        together: error of the change itself. The error grows by ``together - 2 * slope``.
    """

    rows: Array
    slope: float
    together: float

    def best_part(self, alone: float) -> float:
        """Return which part of the exchanges, drawn at random, leaves the least error expected.

        A part ``x`` changes it by ``- 2 x slope + x**2 (together - alone) + x alone``: each
        exchange meets any other with probability ``x**2``, and itself with ``x``.
        """
        if self.together <= alone:
            return 1.0
        part = (self.slope - alone / 2) / (self.together - alone)
        return float(np.clip(part, 0.0, 1.0))


def _largest(values: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    """Return positions of about ``count`` of the largest values, the bar set by one in eight."""
    some = values[::_LOOKED_AT]
    at = max(some.size - 1 - count // _LOOKED_AT, 0)
    return np.flatnonzero(values >= np.partition(some, at)[at])[: 2 * count]
