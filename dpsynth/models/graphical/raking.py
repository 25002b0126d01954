"""Re-weighting sampled rows to tables that no clique of the junction tree holds.

Rows drawn from the tree get weights that are a product of one factor a table, fitted by the same
penalized likelihood as the tree itself, one table after another; then rows are drawn from the
weighted ones, systematically, so that little is lost. Post-processing of released numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.models.graphical.fusing import Codes, FusedTables, summed
from dpsynth.models.graphical.refining import refine
from dpsynth.models.graphical.tables import Array

_PENALTY = 2.0
_ROUNDS = 8
_COLUMN_ROUNDS = 2
_NEWTON_STEPS = 5
_LONGEST_STEP = 2.0  # of one factor in one round, on the log scale
_KEY_BITS = 63
_LEAST_CANDIDATES = 10_000
_TIMES = 4  # as many candidates as rows, where that is not too many
_MOST_CANDIDATES = 200_000
_COLUMN_IMPORTANCE = 0.1  # of a code of a single column; that of a cell of n rows is 1 / sqrt(n)


@dataclass(frozen=True, kw_only=True, eq=False)
class Correction:
    """What a table over some columns should come to, and how surely.

    Args:
        clique: the columns.
        shares: of all rows, one axis a column; may be negative where noise was larger.
        stddev: of the noise in a cell, as a share of all rows, above 0.
    """

    clique: tuple[str, ...]
    shares: Array
    stddev: float

    def __post_init__(self) -> None:
        if self.shares.ndim != len(self.clique) or not np.isfinite(self.shares).all():
            raise ValueError("a correction must have one axis a column and finite shares")
        if not (np.isfinite(self.stddev) and self.stddev > 0):
            raise ValueError("the stddev of a correction must be above 0")


def candidates_for(rows: int) -> int:
    """Return how many rows to draw from a model in order to leave ``rows`` of them.

    The more, the closer the result can come to all tables; the fewer, the faster.
    """
    return max(rows, _LEAST_CANDIDATES, min(_TIMES * rows, _MOST_CANDIDATES))


def corrected(
    codes: Codes,
    domain: Domain,
    corrections: Sequence[Correction],
    columns: Mapping[str, Array],
    *,
    total: float,
    rows: int,
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    """Return which rows to take, some more than once, in random order.

    Args:
        codes: rows drawn from a model.
        domain: the columns.
        corrections: tables to follow, as far as their noise lets them be believed.
        columns: share of every code, by column, to be met up to whole rows.
        total: number of rows that the noise refers to.
        rows: how many to take, at least 1.
        rng: post-processing randomness.
    """
    cliques = [each.clique for each in corrections] + [(name,) for name in columns]
    tables = FusedTables(cliques, codes, domain)
    weights = rake(tables, corrections, codes, columns, total=total)
    times = rounded(codes, weights, rows, domain, rng)
    wanted = tables.summed(weights) * (rows / total)
    importance = 1 / np.sqrt(np.maximum(wanted, 1.0))
    for part, shares in zip(tables.slices[len(corrections) :], columns.values(), strict=True):
        wanted[part] = rows * shares
        importance[part] = _COLUMN_IMPORTANCE
    times = refine(tables, wanted, importance, times, rng)
    taken: NDArray[np.intp] = rng.permutation(np.repeat(np.arange(times.size), times))
    return taken


def rake(
    tables: FusedTables,
    corrections: Sequence[Correction],
    codes: Codes,
    columns: Mapping[str, Array],
    *,
    total: float,
) -> Array:
    """Return a weight a row, of sum ``total``, under which the rows follow the corrections.

    Args:
        tables: of rows drawn from a model; the first ones are those of the corrections.
        corrections: tables to follow, as far as their noise lets them be believed.
        codes: the rows.
        columns: share of every code, by column, to be met exactly in the end.
        total: number of rows that the noise refers to.
    """
    weights = np.full(tables.rows, total / tables.rows)
    factor = np.empty(tables.rows)
    wanted = [total * each.shares.ravel() for each in corrections]
    factors = [np.zeros(each.size) for each in wanted]
    for _ in range(_ROUNDS):
        for carrier in tables.carriers:
            found = summed(carrier.places, weights, carrier.size)
            grown = np.ones(carrier.size)
            for number, cells in zip(carrier.members, carrier.cells, strict=True):
                if number >= len(corrections):
                    continue
                places = cells - cells[0]
                strength = _PENALTY * total * corrections[number].stddev
                here = summed(places, found, wanted[number].size)
                step = _step(here, wanted[number], factors[number], strength)
                factors[number] += step
                growth = np.exp(step).take(places, mode="clip")
                found *= growth
                grown *= growth
            grown.take(carrier.places, out=factor, mode="clip")
            weights *= factor
    for _ in range(_COLUMN_ROUNDS):
        for name, shares in columns.items():
            found = summed(codes[name], weights, shares.size)
            ratio = np.divide(total * shares, found, out=np.ones(shares.size), where=found > 0)
            ratio.take(codes[name], out=factor, mode="clip")
            weights *= factor
    return np.asarray(weights * (total / weights.sum()))


def _step(found: Array, wanted: Array, factor: Array, strength: float) -> Array:
    """Solve ``found * exp(step) - wanted + strength * (factor + step) = 0`` in every cell."""
    step = np.zeros(found.size)
    for _ in range(_NEWTON_STEPS):
        grown = found * np.exp(step)
        step -= (grown - wanted + strength * (factor + step)) / (grown + strength)
        np.clip(step, -_LONGEST_STEP, _LONGEST_STEP, out=step)
    step[found == 0] = 0.0
    return step


def rounded(
    codes: Codes, weights: Array, rows: int, domain: Domain, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return how often to take each row, ``rows`` in all: its weight, rounded up or down.

    Similar rows stand together when they are drawn, so that rounding evens out among them.
    """
    order = np.argsort(_sorting_key(codes, domain))
    ends = np.cumsum(weights[order]) * (rows / weights.sum())
    ends[-1] = rows
    ends = np.floor(ends + rng.random())
    ends[-1] = rows
    times = np.empty(order.size, np.int64)
    times[order] = np.diff(np.minimum(ends, rows), prepend=0)
    return times


def _sorting_key(codes: Codes, domain: Domain) -> NDArray[np.uint64]:
    """Number rows so that equal ones are equal and similar ones near; the largest column leads."""
    key = np.zeros(next(iter(codes.values())).size, np.uint64)
    bits = 0
    for name in sorted(codes, key=lambda each: -domain.sizes[each]):
        bits += smallest_bits(domain.sizes[name])
        if bits > _KEY_BITS:
            break
        key = key * np.uint64(domain.sizes[name]) + codes[name]
    return key


def smallest_bits(size: int) -> int:
    """Return how many binary digits the codes below ``size`` take."""
    return max(size - 1, 1).bit_length()
