"""Exchanging drawn rows for others until the sample's tables are as wanted, up to whole rows.

Drawing whole rows leaves an error in every table. Rows that lie in cells with too few of them
come in, rows that lie in cells with too many go out, some hundred at a time, and only if the
error of all tables together falls. Only rows that the model has drawn come in, so no combination
of codes appears that the model holds impossible. Post-processing of released numbers.
"""

import numpy as np
from numpy.typing import NDArray

from dpsynth.models.graphical.fusing import FusedTables
from dpsynth.models.graphical.tables import Array

_BLOCK = 12_000  # rows looked at in one pass
_SHARE = 10  # one row of so many is a candidate, in and out
_NOISE = 0.5  # in the choice of candidates, in standard deviations of the rows' scores
_EXCHANGES = 10  # of rows, in one pass
_EAGER = 4  # of the pairs that help, one in so many is exchanged: they help less together
_MOST_SWEEPS = 8  # over all rows
_LEAST_PROGRESS = 0.01  # of the error at the start, in a sweep that is worth another
_WORK = 3e8  # cells and places looked up, after which the last sweep begins


def refine(
    tables: FusedTables,
    wanted: Array,
    importance: Array,
    times: NDArray[np.int64],
    rng: np.random.Generator,
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
    """
    times = times.copy()
    left = wanted - tables.summed(times.astype(np.float64))
    # Exchanging a row changes the error by this and by the differences of the cells it lies in.
    cost = tables.scores(importance, slice(0, tables.rows))
    blocks = [
        slice(start, min(start + _BLOCK, tables.rows)) for start in range(0, tables.rows, _BLOCK)
    ]
    work = len(blocks) * _EXCHANGES * tables.cells + len(tables.carriers) * tables.rows
    sweeps = int(np.clip(_WORK // work, 1, _MOST_SWEEPS))
    first = error = float(importance @ left**2)
    for _ in range(sweeps):
        before = error
        for block in blocks:
            left = _pass(tables, left, importance, times, cost, block, rng)
        error = float(importance @ left**2)
        if before - error <= _LEAST_PROGRESS * first:
            break
    return times


def _pass(
    tables: FusedTables,
    left: Array,
    importance: Array,
    times: NDArray[np.int64],
    cost: NDArray[np.float32],
    block: slice,
    rng: np.random.Generator,
) -> Array:
    """Exchange rows of one block; write ``times`` and return what is left in every cell."""
    score = tables.scores(2 * importance * left, block)
    count = max(score.size // _SHARE, 1)
    # Noise lets rows of several kinds come up, where many alike would fill all places.
    spread = _NOISE * score.std()
    noise = spread * rng.standard_exponential((2, score.size), dtype=np.float32)
    leaving = np.where(times[block] > 0, noise[1] - score - cost[block], -np.inf)
    into = block.start + _largest(noise[0] + score - cost[block], count)
    out = block.start + _largest(leaving, count)
    out = out[times[out] > 0]
    into_cells, out_cells = tables.cells_of(into), tables.cells_of(out)
    eager = _EAGER
    for _ in range(_EXCHANGES):
        slope = (2 * importance * left).astype(np.float32)
        gain_in = slope.take(into_cells, mode="clip").sum(0) - cost[into]
        gain_out = -slope.take(out_cells, mode="clip").sum(0) - cost[out]
        gain_out[times[out] <= 0] = -np.inf
        pairs = min(into.size, out.size)
        best_in, best_out = np.argsort(-gain_in)[:pairs], np.argsort(-gain_out)[:pairs]
        helpful = int((gain_in[best_in] + gain_out[best_out] > 0).sum())
        chosen = -(-helpful // eager)
        best_in, best_out = best_in[:chosen], best_out[:chosen]
        change = _change(into_cells[:, best_in], out_cells[:, best_out], left.size)
        part = _best_part(
            change, left, importance, float(cost[into[best_in]].sum() + cost[out[best_out]].sum())
        )
        if part < 1:
            kept = rng.random(chosen) < part
            best_in, best_out = best_in[kept], best_out[kept]
            change = _change(into_cells[:, best_in], out_cells[:, best_out], left.size)
        after = left - change
        if not importance @ after**2 < importance @ left**2:
            if chosen <= 1:
                break
            eager *= _EAGER
            continue
        left = after
        times[into[best_in]] += 1
        times[out[best_out]] -= 1
    return left


def _largest(values: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    return np.argpartition(values, values.size - count)[values.size - count :]


def _change(into: NDArray[np.int32], out: NDArray[np.int32], size: int) -> Array:
    added = np.bincount(into.ravel(), minlength=size)
    return np.asarray(added - np.bincount(out.ravel(), minlength=size), dtype=np.float64)


def _best_part(change: Array, left: Array, importance: Array, alone: float) -> float:
    """Return which part of many exchanges, drawn at random, makes the expected error smallest.

    Of a part ``x``, the error expected is ``- 2 x slope + x**2 (together - alone) + x alone`` from
    where it is, as each exchange meets the others with probability ``x**2`` and itself with ``x``.
    """
    weighted = importance * change
    slope, together = float(weighted @ left), float(weighted @ change)
    if together <= alone:
        return 1.0
    return float(np.clip((slope - alone / 2) / (together - alone), 0.0, 1.0))
