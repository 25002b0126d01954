"""Proven integer bounds on exponential weights, and vectorized inversion on top of them.

Everything is integer arithmetic. A bound that decides a draw is a theorem about that draw; what
the bounds at hand leave open is settled with more random bits against tighter bounds. See
docs/proofs/discrete-gaussian.md for the error terms.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dpsynth.privacy.randomness import RandomSource

WORD_BITS = 64
_MAGNITUDE_BITS = 63  # of a word; the top bit is the sign
_MAGNITUDE_MASK = 2**_MAGNITUDE_BITS - 1
_GUIDE_BITS = 16  # leading bits of a word, sign included, that the guide looks at
_GUIDE_FROM = 8192  # draws in one call from which building the guide pays
_UNDECIDED = np.iinfo(np.int16).min
_CHUNK = 1 << 16  # words at a time: the temporary arrays stay in the processor's cache


def exp_lower(exponent: Fraction, bits: int) -> int:
    """Return ``n`` with ``n <= 2**bits * exp(-exponent) < n + 2``, for ``exponent >= 0``."""
    if exponent >= bits:
        return 0  # exp(-bits) < 2**-bits
    # Halve the exponent below 1/16, sum the alternating series, square back.
    halvings = int(exponent).bit_length() + 4
    guard = (bits + halvings).bit_length() + 3
    work = bits + halvings + guard
    reduced = (exponent.numerator << work) // (exponent.denominator << halvings)
    total = term = 1 << work
    sign, order = -1, 1
    while term := (term * reduced >> work) // order:
        total += sign * term
        sign, order = -sign, order + 1
    for _ in range(halvings):
        total = total * total >> work
    # |total - 2**work * exp(-exponent)| <= 2**(work - bits - 1), hence one half unit off at most.
    return max(0, (total - (1 << (work - bits - 1))) >> (work - bits))


@lru_cache(maxsize=8)
def exp_lower_of_integers(bits: int) -> tuple[int, ...]:
    """Return ``exp_lower(k, bits)`` for ``k = 0, ..., bits - 1``; it is 0 from there on."""
    return tuple(exp_lower(Fraction(k), bits) for k in range(bits))


def below_exp(word: int, exponent: Fraction, rng: RandomSource) -> bool:
    """Decide exactly whether a uniform number lies below ``exp(-exponent)``.

    Args:
        word: the first 64 binary digits of the number; further ones are drawn as needed.
        exponent: at least 0, exact.
        rng: source of the further digits.
    """
    bits = WORD_BITS
    while True:
        lower = exp_lower(exponent, bits)
        if word < lower:
            return True
        if word >= lower + 2:
            return False
        word, bits = _extended(word, rng), bits + WORD_BITS


def _extended(word: int, rng: RandomSource) -> int:
    return word << WORD_BITS | int(rng.words(1)[0])


class Weights(NamedTuple):
    """Bounds on the partial sums of a sequence of weights, in one common unit.

    Attributes:
        cumulative: lower bounds, one a weight, non-decreasing.
        error: the true partial sums exceed their lower bounds by at most this.
        tail: upper bound on the sum of all weights that ``cumulative`` leaves out.
    """

    cumulative: list[int]
    error: int
    tail: int

    def locate(self, word: int, bits: int) -> int | None:
        """Return the index that inversion gives for every uniform number that begins so.

        Args:
            word: the first ``bits`` binary digits of the uniform number.
            bits: how many those are.

        Returns:
            The index, or None where these bounds prove none.
        """
        low_total = self.cumulative[-1]
        high_total = low_total + self.error + self.tail
        index = bisect_right(self.cumulative, word * low_total >> bits)  # of the last at most
        before = self.cumulative[index - 1] + self.error if index else 0
        starts_after = word * low_total >= before << bits
        ends_before = (word + 1) * high_total <= self.cumulative[index] << bits
        return index if starts_after and ends_before else None


def invert(weigh: Callable[[int], Weights], *, word: int, bits: int, rng: RandomSource) -> int:
    """Return the index that a uniform number selects, by as many of its digits as it takes.

    Args:
        weigh: bounds on the weights, tighter for a larger argument.
        word: the first ``bits`` digits of the number.
        bits: how many those are.
        rng: source of the further digits.
    """
    while (index := weigh(bits).locate(word, bits)) is None:
        word, bits = _extended(word, rng), bits + WORD_BITS
    return index


@dataclass(frozen=True, kw_only=True)
class Law:
    """Weights ``exp(-(linear * k + quadratic * k**2))`` of the magnitudes ``k = 0, 1, 2, ...``.

    Args:
        linear: at least 0, exact.
        quadratic: at least 0, exact; the two are not both 0.
        signed: each ``k > 0`` counts twice, for ``k`` and for ``-k``.
    """

    linear: Fraction
    quadratic: Fraction
    signed: bool

    def weigh(self, bits: int) -> Weights:
        """Bound the weights down to ``2**-bits`` in units of ``2**(-2 * bits)``."""
        unit_bits = 2 * bits
        ratio = exp_lower(self.linear + self.quadratic, unit_bits)
        # 1 exactly for the geometric law, whose ratio is constant.
        bend = exp_lower(2 * self.quadratic, unit_bits) if self.quadratic else 1 << unit_bits
        weight, total = 1 << unit_bits, 0
        cumulative: list[int] = []
        while weight >> bits:
            total += weight << 1 if self.signed and cumulative else weight
            cumulative.append(total)
            weight = weight * ratio >> unit_bits
            ratio = ratio * bend >> unit_bits
        # Rounding: at most (k + 1)**3 units on the k-th weight, ratio and (doubled) partial sum.
        error = (len(cumulative) + 1) ** 3
        # The ratios decrease, so a geometric series covers what was left out.
        tail = -(-((weight + error) << (unit_bits + 1)) // ((1 << unit_bits) - ratio - error))
        return Weights(cumulative, error, tail)


class Table:
    """Draws magnitudes of a law with an independent fair sign, by inversion of 63-bit numbers.

    Args:
        law: what to draw from. Should span a few thousand magnitudes at most.
    """

    def __init__(self, law: Law) -> None:
        self._law = law
        cumulative, error, tail = law.weigh(_MAGNITUDE_BITS)
        low_total = cumulative[-1]
        high_total = low_total + error + tail
        # A number below low[k] surely gives at most k, one from high[k] on surely more than k.
        # The final zero leaves every number behind the last threshold undecided.
        low = [(mass << _MAGNITUDE_BITS) // high_total for mass in cumulative]
        high = [-(-((mass + error) << _MAGNITUDE_BITS) // low_total) for mass in cumulative]
        self._low = np.array([*low, 0], dtype=np.uint64)
        self._high = np.array(high, dtype=np.uint64)

    @cached_property
    def _guide(self) -> NDArray[np.int16]:
        """The draw that the leading bits of a word decide alone, or ``_UNDECIDED``."""
        width = 1 << (WORD_BITS - _GUIDE_BITS)
        start = np.arange(1 << (_GUIDE_BITS - 1), dtype=np.uint64) * np.uint64(width)
        index = np.searchsorted(self._high, start, side="right")
        decided = start + np.uint64(width) <= self._low[index]
        both = np.concatenate([index, -index])
        return np.where(np.tile(decided, 2), both, _UNDECIDED).astype(np.int16)

    def draw(self, size: int, rng: RandomSource) -> NDArray[np.int64]:
        """Return ``size`` independent draws, shape ``(size,)``; the sign of a 0 is lost."""
        if size < _GUIDE_FROM:
            return self._search(rng.words(size), rng)
        values = np.empty(size, dtype=np.int64)
        for begin in range(0, size, _CHUNK):
            part = values[begin : begin + _CHUNK]
            words = rng.words(part.size)
            leading = (words >> (WORD_BITS - _GUIDE_BITS)).view(np.int64)
            part[:] = self._guide[leading]
            undecided = np.flatnonzero(part == _UNDECIDED)
            part[undecided] = self._search(words[undecided], rng)
        return values

    def _search(self, words: NDArray[np.uint64], rng: RandomSource) -> NDArray[np.int64]:
        number = words & np.uint64(_MAGNITUDE_MASK)
        index = np.searchsorted(self._high, number, side="right").astype(np.int64)
        for at in np.flatnonzero(number >= self._low[index]):
            index[at] = invert(self._law.weigh, word=int(number[at]), bits=_MAGNITUDE_BITS, rng=rng)
        return np.where(words >> _MAGNITUDE_BITS, -index, index)


@lru_cache(maxsize=64)
def table(law: Law) -> Table:
    """Return the table of ``law``, kept for later calls: a law holds public settings only."""
    return Table(law)
