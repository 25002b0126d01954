"""Re-weighting sampled rows to tables that no clique of the junction tree holds.

Rows drawn from the tree get weights that are a product of one factor a table, fitted by the same
penalized likelihood as the tree itself, one table after another; then rows are drawn from the
weighted ones, systematically, so that little is lost. Post-processing of released numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.models.graphical.fusing import Codes, FusedTables, summed
from dpsynth.models.graphical.refining import refine
from dpsynth.models.graphical.tables import Array

_PENALTY = 2.0
_ROUNDS = 10
_LEAST_MOVE = 0.003  # of what the first round moved, in squares, in a round that is worth another
_DRAWING = 0.01  # of what drawing rows moves by chance, likewise
_FIRST_ROWS = 100_000  # that the factors of more than twice as many are first fitted to
_FIRST_ROUNDS = 5
_LAST_ROUNDS = 3  # over all of them
_COLUMN_ROUNDS = 2
_NEWTON_STEPS = 5
_NEWTON_PRECISION = 1e-4  # of a step: the next one would be of its square
_LONGEST_STEP = 2.0  # of one factor in one round, on the log scale
_KEY_BITS = 63
_LEAST_CANDIDATES = 10_000
_TIMES = 4  # as many candidates as rows, where that is not too many
_MOST_CANDIDATES = 200_000
_OTHERS = 1  # pairs to hold where weighting leaves them, for every correction, at most
_PART_OF_NOISE = 0.07  # that the error of drawing whole rows may be, in squares
_HELD_NOISE = 4.0  # of a table that the model holds, beside the variance it is followed with
_LOOKED_AT = 50  # pairs of columns, to find out what noise weights add
_TOGETHER = 15  # of them: what each row's cells take in memory is let go again
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
    held: int = 0,
) -> NDArray[np.intp]:
    """Return which rows to take, some more than once, in random order.

    Weighting moves the tables that are asked for, and adds noise to all others: the fewer rows
    carry the weight, the more. Where it does not pay, only the tables that the model itself holds
    are followed.

    Args:
        codes: rows drawn from a model.
        domain: the columns.
        corrections: tables to follow, as far as their noise lets them be believed; over any
            number of columns.
        columns: share of every code, by column, to be met up to a row or two.
        total: number of rows that the noise refers to.
        rows: how many to take, at least 1.
        rng: post-processing randomness.
        held: how many of the corrections, the first ones, some clique of the model holds.
    """
    tables, weights = _weighted(codes, domain, corrections, columns, total=total)
    found = tables.summed(weights)
    if held < len(corrections) and not pays(
        tables, weights, found, corrections, codes, domain, rng
    ):
        corrections = corrections[:held]
        tables, weights = _weighted(codes, domain, corrections, columns, total=total)
        found = tables.summed(weights)
    times = rounded(codes, weights, rows, domain, rng)
    wanted = found * (rows / total)
    importance = 1 / np.sqrt(np.maximum(wanted, 1.0))
    for part, shares in zip(tables.slices[-len(columns) :], columns.values(), strict=True):
        wanted[part] = rows * shares
        importance[part] = _COLUMN_IMPORTANCE
    noise = 0.0
    for number, (part, each) in enumerate(zip(tables.slices, corrections, strict=False)):
        variance = (rows * each.stddev) ** 2 * (_HELD_NOISE if number < held else 1.0)
        noise += float(importance[part] @ np.minimum(wanted[part], variance))
    times = refine(tables, wanted, importance, times, rng, enough=_PART_OF_NOISE * noise)
    taken: NDArray[np.intp] = rng.permutation(np.repeat(np.arange(times.size), times))
    return taken


def pays(
    tables: FusedTables,
    weights: Array,
    after: Array,
    corrections: Sequence[Correction],
    codes: Codes,
    domain: Domain,
    rng: np.random.Generator,
) -> bool:
    """Tell whether weights move the corrected tables by more than the noise they add to pairs.

    What is moved is the distance of these tables from what they were, in all. The noise of a pair
    of columns is seen where two halves of the rows disagree, once weighted and once not; some
    pairs stand for all, and the first rows for more: it falls with the root of their number.

    Args:
        tables: of the rows; the first ones are those of the corrections.
        weights: of the rows.
        after: the weight in every cell of every table.
        corrections: tables that were followed.
        codes: the rows.
        domain: the columns.
        rng: post-processing randomness.
    """
    even = np.full(weights.size, weights.sum() / weights.size)
    before = tables.summed(even)
    cells = [part for part, _ in zip(tables.slices, corrections, strict=False)]
    moved = sum(float(np.abs(after[part] - before[part]).sum()) for part in cells)
    pairs = list(combinations([name for name in domain.columns if domain.sizes[name] > 1], 2))
    if not pairs:
        return True
    some = rng.choice(len(pairs), size=min(_LOOKED_AT, len(pairs)), replace=False).tolist()
    noise = _added_noise(weights, [pairs[at] for at in some], codes, domain)
    return moved > noise / len(some) * len(pairs)


def _added_noise(
    weights: Array, pairs: Sequence[tuple[str, str]], codes: Codes, domain: Domain
) -> float:
    """Return by how much the weights add to the noise of these pairs, in rows, over all of them."""
    looked = min(weights.size, _MOST_CANDIDATES)
    head = {name: column[:looked] for name, column in codes.items()}
    weighted, even = weights[:looked], np.ones(looked)
    noise = 0.0
    for first in range(0, len(pairs), _TOGETHER):
        seen = FusedTables(pairs[first : first + _TOGETHER], head, domain)
        noise += _disagreement(seen, weighted) - _disagreement(seen, even)
    return noise * float(weights.sum()) * sqrt(looked / weights.size)


def _disagreement(tables: FusedTables, weights: Array) -> float:
    """Return how far two halves of the rows are apart, halved: about the noise of them all.

    As a share of all weight, for all tables together.
    """
    signed = weights.copy()
    for half, sign in ((slice(0, None, 2), 1.0), (slice(1, None, 2), -1.0)):
        signed[half] *= sign / max(float(weights[half].sum()), 1e-300)
    return float(np.abs(tables.summed(signed)).sum()) / 2


def _weighted(
    codes: Codes,
    domain: Domain,
    corrections: Sequence[Correction],
    columns: Mapping[str, Array],
    *,
    total: float,
) -> tuple[FusedTables, Array]:
    cliques = [each.clique for each in corrections]
    cliques += _other_pairs(cliques, domain)
    cliques += [(name,) for name in columns]
    tables = FusedTables(cliques, codes, domain)
    return tables, rake(tables, corrections, columns, total=total)


def _other_pairs(cliques: Sequence[tuple[str, ...]], domain: Domain) -> list[tuple[str, ...]]:
    """Return the pairs of columns that no clique holds, where they are not many."""
    held = {frozenset(pair) for clique in cliques for pair in combinations(clique, 2)}
    varied = [name for name in domain.columns if domain.sizes[name] > 1]
    others: list[tuple[str, ...]] = [
        pair for pair in combinations(varied, 2) if frozenset(pair) not in held
    ]
    return others if len(others) <= _OTHERS * len(cliques) else []


def rake(
    tables: FusedTables,
    corrections: Sequence[Correction],
    columns: Mapping[str, Array],
    *,
    total: float,
) -> Array:
    """Return a weight a row, of sum ``total``, under which the rows follow the corrections.

    Args:
        tables: of rows drawn from a model; the first ones are those of the corrections,
            the last ones those of the columns.
        corrections: tables to follow, as far as their noise lets them be believed.
        columns: share of every code, by column, to be met exactly in the end.
        total: number of rows that the noise refers to.
    """
    factors = [np.zeros(each.shares.size) for each in corrections]
    weights = np.full(tables.rows, total / tables.rows)
    rounds = _ROUNDS
    if tables.rows > 2 * _FIRST_ROWS:
        # The rows stand in random order: some of them tell most of what there is to tell.
        some = np.full(_FIRST_ROWS, total / _FIRST_ROWS)
        _scale(tables, corrections, factors, some, total=total, rounds=_FIRST_ROUNDS)
        logs = np.zeros(tables.cells)
        for part, factor in zip(tables.slices, factors, strict=False):
            logs[part] = factor
        weights *= np.exp(tables.scores(logs, slice(0, tables.rows)))
        rounds = _LAST_ROUNDS
    _scale(tables, corrections, factors, weights, total=total, rounds=rounds)
    for _ in range(_COLUMN_ROUNDS):
        _meet(tables, list(columns.values()), weights, total=total)
    return np.asarray(weights * (total / weights.sum()))


def _meet(tables: FusedTables, columns: Sequence[Array], weights: Array, *, total: float) -> None:
    """Scale the weights to the shares of one column after another, in place.

    The last tables are those of the columns.
    """
    first = len(tables.slices) - len(columns)
    growth = np.empty(weights.size)
    for carrier in tables.carriers:
        if max(carrier.members) < first:
            continue
        found = summed(carrier.places, weights, carrier.size)
        grown = np.ones(carrier.size)
        for number, cells in zip(carrier.members, carrier.cells, strict=True):
            if number < first:
                continue
            shares = columns[number - first]
            places = cells - cells[0]
            here = summed(places, found, shares.size)
            ratio = np.divide(total * shares, here, out=np.ones(shares.size), where=here > 0)
            up = ratio.take(places, mode="clip")
            found *= up
            grown *= up
        grown.take(carrier.places, out=growth, mode="clip")
        weights *= growth


def _scale(
    tables: FusedTables,
    corrections: Sequence[Correction],
    factors: Sequence[Array],
    weights: Array,
    *,
    total: float,
    rounds: int,
) -> None:
    """Fit the factors of the tables, one after another, and scale the weights by them, in place.

    ``weights`` are those of the first rows, as many as there are.
    """
    wanted = [total * each.shares.ravel() for each in corrections]
    growth = np.empty(weights.size)
    # Squared steps come to this much where tables are as far off as rows drawn at random are.
    chance = total / weights.size * sum(each.size for each in wanted)
    first = 0.0
    for _ in range(rounds):
        moved = 0.0
        for carrier in tables.carriers:
            row_places = carrier.places[: weights.size]
            found = summed(row_places, weights, carrier.size)
            grown = np.ones(carrier.size)
            for number, cells in zip(carrier.members, carrier.cells, strict=True):
                if number >= len(corrections):
                    continue
                places = cells - cells[0]
                strength = _PENALTY * total * corrections[number].stddev
                here = summed(places, found, wanted[number].size)
                step = _step(here, wanted[number], factors[number], strength)
                factors[number] += step
                moved += float(here @ step**2)
                up = np.exp(step).take(places, mode="clip")
                found *= up
                grown *= up
            grown.take(row_places, out=growth, mode="clip")
            weights *= growth
        first = first or moved
        if moved <= max(_LEAST_MOVE * first, _DRAWING * chance):
            break


def _step(found: Array, wanted: Array, factor: Array, strength: float) -> Array:
    """Solve ``found * exp(step) - wanted + strength * (factor + step) = 0`` in every cell."""
    step = np.zeros(found.size)
    for _ in range(_NEWTON_STEPS):
        before = step
        grown = found * np.exp(step)
        step = step - (grown - wanted + strength * (factor + step)) / (grown + strength)
        np.minimum(step, _LONGEST_STEP, out=step)
        np.maximum(step, -_LONGEST_STEP, out=step)
        if float(np.abs(step - before).max()) <= _NEWTON_PRECISION:
            break
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
