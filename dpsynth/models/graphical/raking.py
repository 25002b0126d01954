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
from dpsynth.models.graphical.tables import Array

Codes = Mapping[str, NDArray[np.unsignedinteger]]

_PENALTY = 2.0
_ROUNDS = 8
_COLUMN_ROUNDS = 2
_NEWTON_STEPS = 5
_LONGEST_STEP = 2.0  # of one factor in one round, on the log scale
_KEY_BITS = 63


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


def rake(
    codes: Codes,
    domain: Domain,
    corrections: Sequence[Correction],
    columns: Mapping[str, Array],
    *,
    total: float,
) -> Array:
    """Return a weight a row, of sum ``total``, under which the rows follow the corrections.

    Args:
        codes: rows drawn from a model.
        domain: the columns.
        corrections: tables to follow, as far as their noise lets them be believed.
        columns: share of every code, by column, to be met exactly in the end.
        total: number of rows that the noise refers to.
    """
    rows = next(iter(codes.values())).size
    weights = np.full(rows, total / rows)
    places = [_places(codes, domain, each.clique) for each in corrections]
    wanted = [total * each.shares.ravel() for each in corrections]
    factors = [np.zeros(each.size) for each in wanted]
    for _ in range(_ROUNDS):
        for number, place in enumerate(places):
            size = wanted[number].size
            found = _weighted(place, weights, size)
            strength = _PENALTY * total * corrections[number].stddev
            step = _step(found, wanted[number], factors[number], strength)
            factors[number] += step
            weights *= np.exp(step)[place]
    for _ in range(_COLUMN_ROUNDS):
        for name, shares in columns.items():
            found = _weighted(codes[name], weights, shares.size)
            ratio = np.divide(total * shares, found, out=np.ones(shares.size), where=found > 0)
            weights *= ratio[codes[name]]
    return np.asarray(weights * (total / weights.sum()))


def _weighted(places: NDArray[np.integer], weights: Array, size: int) -> Array:
    found = np.bincount(places, weights=weights, minlength=size)
    return np.asarray(found, dtype=np.float64)


def _step(found: Array, wanted: Array, factor: Array, strength: float) -> Array:
    """Solve ``found * exp(step) - wanted + strength * (factor + step) = 0`` in every cell."""
    step = np.zeros(found.size)
    for _ in range(_NEWTON_STEPS):
        grown = found * np.exp(step)
        step -= (grown - wanted + strength * (factor + step)) / (grown + strength)
        np.clip(step, -_LONGEST_STEP, _LONGEST_STEP, out=step)
    step[found == 0] = 0.0
    return step


def resample(
    codes: Codes, weights: Array, rows: int, domain: Domain, rng: np.random.Generator
) -> dict[str, NDArray[np.unsignedinteger]]:
    """Draw ``rows`` of the weighted rows: each as often as its weight says, rounded up or down.

    Similar rows stand together when they are drawn, so that rounding evens out among them.
    """
    order = np.argsort(_sorting_key(codes, domain))
    ends = np.cumsum(weights[order]) * (rows / weights.sum())
    ends[-1] = rows
    ends = np.floor(ends + rng.random())
    ends[-1] = rows
    times = np.diff(np.minimum(ends, rows), prepend=0).astype(np.int64)
    drawn = rng.permutation(np.repeat(order, times))
    return {name: column[drawn] for name, column in codes.items()}


def _places(codes: Codes, domain: Domain, clique: tuple[str, ...]) -> NDArray[np.integer]:
    dtype = np.dtype(np.int32 if domain.size(clique) < 2**31 else np.int64)
    place: NDArray[np.integer] = np.zeros(next(iter(codes.values())).size, dtype)
    for name in clique:
        place = place * domain.sizes[name] + codes[name].astype(dtype, copy=False)
    return place


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
