"""Rows from a network, column by column, under rules and conditions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.models.neural.network import Array, Network

_MOST_CELLS = 2_000_000  # of a table of what leaves no way on
_AT_ONCE = 4_000_000  # numbers in the state of the rows that are drawn together, about


@dataclass(frozen=True, kw_only=True, eq=False)
class Factor:
    """A table over some places; it bears on the last of them, given the codes at the others.

    Attributes:
        places: rising.
        table: one axis a place, from 0 to 1.
    """

    places: tuple[int, ...]
    table: NDArray[Any]

    @classmethod
    def over(cls, places: Sequence[int], table: NDArray[Any]) -> "Factor":
        """Return the factor of a table whose axes stand in any order."""
        axes = np.argsort(places)
        return cls(places=tuple(sorted(places)), table=table.transpose(axes))

    def seen(self, codes: NDArray[np.int64]) -> NDArray[Any]:
        """Return the line of the table for every row, shape ``(rows or 1, codes of the place)``."""
        if len(self.places) == 1:
            return self.table[None]
        return np.asarray(self.table[tuple(codes[:, place] for place in self.places[:-1])])


@dataclass(frozen=True, kw_only=True, eq=False)
class Rules:
    """What cannot occur, place by place, so that no row runs into a dead end.

    Attributes:
        factors: by place, boolean tables that bear on it.
    """

    factors: Mapping[int, Sequence[Factor]]

    @classmethod
    def of(cls, factors: Iterable[Factor], sizes: Sequence[int]) -> "Rules":
        """Return the rules, with those that follow from them for the columns before.

        From the last place to the first: where the codes of earlier places leave no code of this
        one, they cannot occur together either. A table of more than two million cells is left
        out; rows that run into what it would have told are drawn again.
        """
        waiting = [factor for factor in factors if not factor.table.all()]
        found: dict[int, list[Factor]] = {}
        for place in reversed(range(len(sizes))):
            here = [factor for factor in waiting if factor.places[-1] == place]
            waiting = [factor for factor in waiting if factor.places[-1] != place]
            if not here:
                continue
            found[place] = here
            before = sorted({each for factor in here for each in factor.places[:-1]})
            shape = [sizes[each] for each in (*before, place)]
            if not before or prod(shape) > _MOST_CELLS:
                continue
            joint = np.ones(shape, dtype=np.bool_)
            for factor in here:
                axes = [sizes[p] if p in factor.places else 1 for p in (*before, place)]
                joint &= factor.table.reshape(axes)
            implied = Factor(places=tuple(before), table=np.asarray(joint.any(axis=-1)))
            waiting += [] if implied.table.all() else [implied]
        return cls(factors=found)

    def masked(self, shares: Array, codes: NDArray[np.int64], place: int) -> tuple[Array, Array]:
        """Return shares of what can occur, and their sum before they were scaled up to 1 again."""
        if place not in self.factors:
            return shares, np.ones(len(shares))
        for factor in self.factors[place]:
            shares = shares * factor.seen(codes)
        left = shares.sum(1)
        return np.divide(shares, left[:, None], where=left[:, None] > 0, out=shares), left


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """Rows of a network.

    Attributes:
        codes: shape ``(rows, places)``, int64.
        weights: shape ``(rows,)``: the chance that the condition gave each row on its way; 0 where
            it could not go on.
    """

    codes: NDArray[np.int64]
    weights: Array


def draw(
    network: Network,
    rows: int,
    rng: np.random.Generator,
    *,
    rules: Rules,
    condition: Sequence[Factor] = (),
) -> Drawn:
    """Draw rows column by column, each code as the network, the rules and the condition have it.

    The product of a row's chance here and its weight is its chance without the condition, times
    that of being kept.
    """
    codes = np.zeros((rows, len(network.sizes)), dtype=np.int64)
    weights = np.ones(rows)
    at_once = max(1, _AT_ONCE // network.numbers_a_row)
    for start in range(0, rows, at_once):
        part = slice(start, start + at_once)
        _draw(network, codes[part], weights[part], rng, rules, condition)
    return Drawn(codes=codes, weights=weights)


def _draw(
    network: Network,
    codes: NDArray[np.int64],
    weights: Array,
    rng: np.random.Generator,
    rules: Rules,
    condition: Sequence[Factor],
) -> None:
    state = network.begin(len(codes), rng)
    for place in range(len(network.sizes)):
        shares, left = rules.masked(_shares(network.logits(state, place)), codes, place)
        weights[left <= 0] = 0.0
        here = [factor for factor in condition if factor.places[-1] == place]
        for factor in here:
            shares = shares * factor.seen(codes)
        if here:
            weights *= shares.sum(1)
        codes[:, place] = _inverted(shares, rng.random(len(codes)))
        network.extend(state, place, codes[:, place])


def log_likelihood(network: Network, codes: NDArray[np.int64], *, rules: Rules) -> Array:
    """Return the logarithm of every row's probability, shape ``(rows,)``.

    Raises:
        ValueError: the network draws more than codes, so that it cannot tell.
    """
    if not network.exact:
        raise ValueError("the network does not tell how likely a row is")
    found = np.zeros(len(codes))
    rng = np.random.default_rng(0)  # nothing is drawn
    at_once = max(1, _AT_ONCE // network.numbers_a_row)
    for start in range(0, len(codes), at_once):
        part = codes[start : start + at_once]
        state = network.begin(len(part), rng)
        lines = np.arange(len(part))
        for place in range(len(network.sizes)):
            shares, _ = rules.masked(_shares(network.logits(state, place)), part, place)
            with np.errstate(divide="ignore"):
                found[start : start + at_once] += np.log(shares[lines, part[:, place]])
            network.extend(state, place, part[:, place])
    return found


def _shares(logits: Array) -> Array:
    grown = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True))


def _inverted(shares: Array, uniform: Array) -> NDArray[np.int64]:
    """Return, for each row, the code at which the sum of shares reaches a uniform part of it.

    Never one of share 0, except in a row that has no other.
    """
    ends = np.cumsum(shares, axis=1)
    return np.asarray((ends < (1 - uniform)[:, None] * ends[:, -1:]).sum(1), dtype=np.int64)
