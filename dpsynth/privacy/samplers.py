"""Exact samplers: the law of what comes out is the stated one, for every rational parameter.

Tables and floating-point bounds decide the draws whose decision they prove, which is nearly all
of them; the rest take more random bits and integer arithmetic. No draw is ever decided by a
number that is merely accurate. The proofs are in docs/proofs, one note a sampler.
"""

from bisect import bisect_left
from collections import defaultdict
from fractions import Fraction
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from dpsynth import _validate
from dpsynth.privacy._tables import (
    WORD_BITS,
    Law,
    Weights,
    below_exp,
    exp_lower_of_integers,
    invert,
    table,
)
from dpsynth.privacy.randomness import RandomSource

MAX_SCALE = 2**48  # in rows; wider noise could leave int64
_GAUSSIAN_TABLE_BITS = 8  # one table serves standard deviations below 2**8
_LAPLACE_TABLE_BITS = 6  # and scales below 2**6; wider laws are spread over a coarser grid
_SLACK = 2.0**-40  # covers every rounding error in `_accepted`, several hundred times over
_BATCH = 1 << 16


def discrete_gaussian(
    sigma_squared: Fraction, *, size: int, rng: RandomSource
) -> NDArray[np.int64]:
    """Return independent integers with ``P(z)`` proportional to ``exp(-z**2 / (2 sigma_squared))``.

    Args:
        sigma_squared: exact, above 0, at most ``2**96``.
        size: how many draws.
        rng: source of random words.

    Returns:
        Shape ``(size,)``, int64.

    Source:
        Canonne, Kamath and Steinke (2020), arXiv:2004.00010, for the law;
        docs/proofs/discrete-gaussian.md for this sampler.
    """
    _validate.exact(sigma_squared=sigma_squared)
    _validate.positive(sigma_squared=sigma_squared)
    _validate.at_most(MAX_SCALE**2, sigma_squared=sigma_squared)
    excess = int(sigma_squared).bit_length() - 2 * _GAUSSIAN_TABLE_BITS
    shift = max(0, (excess + 1) // 2)
    quadratic = Fraction(4**shift) / (2 * sigma_squared)
    law = Law(linear=Fraction(0), quadratic=quadratic, signed=not shift)
    return _draw(law, shift=shift, size=size, rng=rng)


def discrete_laplace(scale: Fraction, *, size: int, rng: RandomSource) -> NDArray[np.int64]:
    """Return independent integers with ``P(z)`` proportional to ``exp(-abs(z) / scale)``.

    Args:
        scale: exact, above 0, at most ``2**48``.
        size: how many draws.
        rng: source of random words.

    Returns:
        Shape ``(size,)``, int64.

    Source:
        Ghosh, Roughgarden and Sundararajan (2009), arXiv:0811.2841, for the law;
        docs/proofs/discrete-laplace.md for this sampler.
    """
    _validate.exact(scale=scale)
    _validate.positive(scale=scale)
    _validate.at_most(MAX_SCALE, scale=scale)
    shift = max(0, int(scale).bit_length() - _LAPLACE_TABLE_BITS)
    law = Law(linear=Fraction(2**shift) / scale, quadratic=Fraction(0), signed=not shift)
    return _draw(law, shift=shift, size=size, rng=rng)


def _draw(law: Law, *, shift: int, size: int, rng: RandomSource) -> NDArray[np.int64]:
    """Draw from ``law`` with signs, where ``law`` is written for magnitudes in units of 2**shift.

    Writes ``z = sign * (2**shift * coarse + fine)``: the coarse part comes from a table, the fine
    part is uniform, and a rejection, seldom needed, makes the product exact.
    """
    if not shift:
        return table(law).draw(size, rng)
    values = np.empty(size, dtype=np.int64)
    filled = 0
    while filled < size:
        count = min(size - filled, _BATCH)
        coarse = np.abs(table(law).draw(count, rng))
        words = rng.words(count)
        fine = (words & np.uint64((1 << shift) - 1)).view(np.int64)
        negative = (words >> (WORD_BITS - 1)).astype(np.bool_)
        magnitude = (coarse << shift) + fine
        kept = _accepted(law, coarse, fine, shift=shift, rng=rng)
        kept &= ~negative | (magnitude > 0)  # or zero would be drawn twice as often
        chosen = np.where(negative, -magnitude, magnitude)[kept]
        values[filled : filled + chosen.size] = chosen
        filled += chosen.size
    return values


def _accepted(
    law: Law,
    coarse: NDArray[np.int64],
    fine: NDArray[np.int64],
    *,
    shift: int,
    rng: RandomSource,
) -> NDArray[np.bool_]:
    """Keep each proposal with probability ``weight(coarse + x) / weight(coarse)``, x its fraction.

    That is ``exp(-loss)`` with ``loss = x * (linear + quadratic * (2 * coarse + x))``, and
    ``1 - loss <= exp(-loss) <= 1 - loss + loss**2 / 2`` decides nearly always.
    """
    coins = rng.words(coarse.size)
    uniform = (coins >> 11) * 2.0**-53  # exact; the true number is less than 2**-53 above
    x = fine * 2.0**-shift  # exact: fine has fewer than 53 bits
    loss = x * (float(law.linear) + float(law.quadratic) * (2.0 * coarse + x))
    yes = uniform + loss < 1 - _SLACK
    no = uniform + loss - loss * loss / 2 > 1 + _SLACK
    for at in np.flatnonzero(~(yes | no)):
        part = Fraction(int(fine[at]), 1 << shift)
        exact_loss = part * (law.linear + law.quadratic * (2 * int(coarse[at]) + part))
        yes[at] = below_exp(int(coins[at]), exact_loss, rng)
    return yes


def exponential_choice(scores: NDArray[np.int64], *, rate: Fraction, rng: RandomSource) -> int:
    """Return index ``i`` with probability proportional to ``exp(rate * scores[i])``.

    Args:
        scores: shape ``(candidates,)``, int64, at least one; any gap between them is allowed.
        rate: exact, above 0.
        rng: source of random words.

    Source:
        McSherry and Talwar (2007) for the law; docs/proofs/exponential-selection.md.
    """
    _validate.counts(scores=scores)
    _validate.exact(rate=rate)
    _validate.positive(rate=rate, candidates=scores.size)
    # How far a candidate lies below the best, split as (level + rest / denominator).
    levels: dict[int, list[tuple[int, int]]] = defaultdict(list)
    best = int(scores.max())
    for index, score in enumerate(scores.tolist()):
        level, rest = divmod((best - score) * rate.numerator, rate.denominator)
        levels[level].append((index, rest))
    ladder = sorted(levels)

    def weigh(bits: int) -> Weights:
        unit_bits = 2 * bits
        powers = exp_lower_of_integers(unit_bits)
        heavy = ladder[: bisect_left(ladder, unit_bits)]
        masses = (len(levels[level]) * powers[level] for level in heavy)
        # Two units a candidate cover the rounding, and the levels left out: below one unit each.
        return Weights(list(accumulate(masses)), error=2 * scores.size, tail=0)

    while True:
        word = int(rng.words(1)[0])
        members = levels[ladder[invert(weigh, word=word, bits=WORD_BITS, rng=rng)]]
        index, rest = members[uniform_below(len(members), rng=rng)]
        if below_exp(int(rng.words(1)[0]), Fraction(rest, rate.denominator), rng):
            return index


def uniform_below(bound: int, *, rng: RandomSource) -> int:
    """Return an integer from 0 to ``bound - 1``, each exactly as likely.

    Args:
        bound: at least 1, of any size.
        rng: source of random words.
    """
    _validate.positive(bound=bound)
    bits = (bound - 1).bit_length()
    words = -(-bits // WORD_BITS)
    while True:
        drawn = int.from_bytes(rng.words(words).tobytes(), "little") >> (WORD_BITS * words - bits)
        if drawn < bound:
            return drawn
