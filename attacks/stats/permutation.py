"""One permutation test for a whole family of attacks (Westfall and Young's max-T).

Every attack ends in one number a person. Where a coin decided who was a member, and no number
depends on the labels, the true labels are one more random draw: drawing them again, the same draw
for all tests at once, shows how large the largest of all statistics gets when nothing leaks. The
more the tests agree with each other, the less a further one costs, and however many attacks run,
the family as a whole raises a false alarm no more often than its level says.

**What makes tests comparable.** The largest of many statistics is only fair where all have the
same law. Divided by its standard deviation alone, a test with a handful of hits has a heavier tail
than one with thousands, and would hide the others behind its luck. Permutation p-values in place
of statistics would be fair, but 100 tests of 1,999 draws have one of the smallest rank in 5 draws
of 100: nothing could ever be adjusted below 5 %. So a statistic is the negative logarithm of its
own tail probability, worked out from the exact permutation moments: hypergeometric where a test
counts hits, Pearson's type III by mean, deviation and skewness elsewhere. An inexact tail costs
power, never validity: the draws decide.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from dpsynth import _validate

Values = NDArray[np.float64]

# At a family-wise level of 1 %, 20 of 2,000 draws reach the limit by chance: whether a p-value
# of 0.005 or of 0.02 is called significant no longer hangs on the luck of the draws.
PERMUTATIONS = 1999
LEVEL = 0.01
_LABELS_AT_ONCE = 1 << 22  # 32 MiB as floats
_SMALLEST = 1e-300
_ALIKE = 1e-9  # relative: sums of fractions in another order are the same sum


@dataclass(frozen=True, kw_only=True)
class Permuted:
    """What the permutations say of one test.

    Attributes:
        p_value: of this test alone, in (0, 1].
        adjusted: for the whole family; at least ``p_value``.
        statistic: deviations of the members' sum from what labels at random give on average.
        needed: how improbable a sum must be, by its own tail, to be significant among all tests:
            the level at which this test, alone, does what it does in this family. Not below
            ``level / tests`` but for the luck of the draws; far above it where tests agree.
    """

    p_value: float
    adjusted: float
    statistic: float
    needed: float


def max_t(
    weights: Values,
    is_member: NDArray[np.bool_],
    *,
    permutations: int = PERMUTATIONS,
    rng: np.random.Generator,
    two_sided: bool = False,
    level: float = LEVEL,
) -> tuple[Permuted, ...]:
    """Test for every row whether its sum over members is larger than labels at random make it.

    Exact in this sense: where labels were put on persons at random and no weight depends on them,
    any adjusted value at all is at most ``level`` with probability at most ``level``; where some
    tests do depend on them, the same holds for the others. The sizes of the two groups are kept.

    Args:
        weights: shape ``(tests, persons)``, one number a person and test; a row that says the same
            of everyone gets p = 1.
        is_member: shape ``(persons,)``. A person is one entry, whatever the number of their rows.
        permutations: labels drawn; no p-value is below ``1 / (permutations + 1)``.
        rng: draws the labels; the same for all tests.
        two_sided: whether a smaller sum counts as well; else members are suspected of more.
        level: of the family, for ``needed``; no p-value depends on it.

    Returns:
        One result a row. With one group empty, p = 1 throughout.

    Raises:
        ValueError: shapes do not agree, a weight is not finite, or no labels are to be drawn.

    Source:
        Westfall and Young (1993), "Resampling-Based Multiple Testing", step-down; Phipson and Smyth
        (2010), "Permutation P-values Should Never Be Zero".
    """
    weights, is_member = np.asarray(weights, dtype=np.float64), np.asarray(is_member, dtype=bool)
    _validate.positive(permutations=permutations)
    _validate.in_open_unit(level=level)
    if weights.ndim != 2 or weights.shape[1:] != is_member.shape:
        raise ValueError("weights must have one row a test and one column a person of is_member")
    if not np.isfinite(weights).all():
        raise ValueError("weights must be finite")
    members = int(is_member.sum())
    if not len(weights):
        return ()
    if members in (0, is_member.size):
        return (Permuted(p_value=1.0, adjusted=1.0, statistic=0.0, needed=0.0),) * len(weights)
    sums = np.empty((len(weights), 1 + permutations))
    sums[:, 0] = weights @ is_member.astype(np.float64)
    done = 1
    for labels in _labels(is_member, permutations, rng):
        sums[:, done : done + len(labels)] = weights @ labels.T
        done += len(labels)
    laws = [_law(row, members) for row in weights]
    surprise = np.stack(
        [law.surprise(row, two_sided=two_sided) for law, row in zip(laws, sums, strict=True)]
    )
    alone = _share_as_large(surprise)
    needed = _needed(surprise[:, 1:].max(axis=0), level)
    return tuple(
        Permuted(
            p_value=1.0 if law.deviation == 0 else float(p_value),
            adjusted=1.0 if law.deviation == 0 else float(adjusted),
            statistic=float(law.standardized(row[:1])[0]),
            needed=needed,
        )
        for law, row, p_value, adjusted in zip(laws, sums, alone, _step_down(surprise), strict=True)
    )


@dataclass(frozen=True, kw_only=True)
class _Law:
    """How the sum over members is distributed when labels are drawn at random.

    Attributes:
        mean: exact.
        deviation: exact; 0 for a row that says the same of everyone.
        skewness: exact.
        hits: where the row has two values: (lower value, difference, members, hits, persons).
    """

    mean: float
    deviation: float
    skewness: float
    hits: tuple[float, float, int, int, int] | None

    def standardized(self, sums: Values) -> Values:
        """Return deviations from the mean; 0 where the sum cannot vary."""
        if self.deviation == 0:
            return np.zeros_like(sums)
        result: Values = (sums - self.mean) / self.deviation
        return result

    def surprise(self, sums: Values, *, two_sided: bool) -> Values:
        """Return how improbable a sum as large is (or as far off, if ``two_sided``), in nats."""
        if self.deviation == 0:
            return np.zeros_like(sums)
        if self.hits is None:
            z = self.standardized(sums)
            up, down = _upper(z, self.skewness), _upper(-z, -self.skewness)
        else:
            lower, step, members, hits, persons = self.hits
            seen = np.rint((sums - members * lower) / step).astype(np.int64)
            up = _more_hits(members, hits, persons)[seen]
            down = _more_hits(members, persons - hits, persons)[members - seen]
        return np.maximum(up, down) if two_sided else up


def _law(row: Values, members: int) -> _Law:
    """Return the exact moments of a sum of ``members`` entries, drawn without replacement."""
    persons, center = row.size, float(row.mean())
    low, high = float(row.min()), float(row.max())
    flat = high - low <= _ALIKE * max(abs(low), abs(high))
    apart = row - center
    squares, cubes = float(apart @ apart), float((apart * apart) @ apart)
    variance = members * (persons - members) / (persons * (persons - 1)) * squares
    skewness = 0.0
    if persons > 2 and not flat:
        third = variance * (persons - 2 * members) / (persons - 2) * cubes / squares
        skewness = third / variance**1.5
    is_high = row == high
    two_valued = not flat and bool((is_high | (row == low)).all())
    return _Law(
        mean=members * center,
        deviation=0.0 if flat else variance**0.5,
        skewness=skewness,
        hits=(low, high - low, members, int(is_high.sum()), persons) if two_valued else None,
    )


def _upper(z: Values, skewness: float) -> Values:
    """Return minus the logarithm of the upper tail of a law with this skewness, at ``z``.

    A law that is skewed down has a lighter tail than the normal one taken here; the type III law
    would end where the true one need not.
    """
    if skewness < 1e-3:
        return np.asarray(-special.log_ndtr(-z), dtype=np.float64)
    shape = 4 / skewness**2
    tail = special.gammaincc(shape, np.maximum(0.0, shape + z * shape**0.5))
    return np.asarray(-np.log(np.maximum(tail, _SMALLEST)), dtype=np.float64)


def _more_hits(members: int, hits: int, persons: int) -> Values:
    """Return minus the logarithm of P(so many hits among members, or more), by number of hits."""
    least, most = max(0, members + hits - persons), min(members, hits)
    seen = np.arange(least, most + 1)
    log_chance = -(
        special.gammaln(seen + 1)
        + special.gammaln(hits - seen + 1)
        + special.gammaln(members - seen + 1)
        + special.gammaln(persons - members - hits + seen + 1)
    )
    tails = np.logaddexp.accumulate(log_chance[::-1])[::-1]
    table = np.zeros(members + 1)
    table[least : most + 1] = tails[0] - tails
    return table


def _labels(
    is_member: NDArray[np.bool_], permutations: int, rng: np.random.Generator
) -> Iterator[Values]:
    """Yield labels in a new order, a permutation a row, in blocks that fit in memory."""
    at_once = max(1, _LABELS_AT_ONCE // is_member.size)
    for done in range(0, permutations, at_once):
        labels = np.empty((min(at_once, permutations - done), is_member.size))
        labels[:] = is_member
        yield rng.permuted(labels, axis=1, out=labels)


def _share_as_large(surprise: Values) -> Values:
    """Return by row the share of entries, the first included, that are as large as the first."""
    limit = surprise[:, :1] - _ALIKE * (1 + np.abs(surprise[:, :1]))
    share: Values = (surprise >= limit).mean(axis=1)
    return share


def _step_down(surprise: Values) -> Values:
    """Return adjusted p-values: each test is held against those not ahead of it."""
    order = np.argsort(surprise[:, 0], kind="stable")
    largest = np.maximum.accumulate(surprise[order, 1:], axis=0)
    share = _share_as_large(np.column_stack([surprise[order, 0], largest]))
    adjusted = np.empty(len(order))
    # From the most surprising down, no test may be more significant than one ahead of it.
    adjusted[order] = np.maximum.accumulate(share[::-1])[::-1]
    return adjusted


def _needed(largest: Values, level: float) -> float:
    """Return the tail probability below which an adjusted p-value is at most ``level``.

    That takes a surprise that fewer than ``level`` of all draws, the true labels among them, reach.
    """
    allowed = int(level * (1 + largest.size))
    if not allowed:
        return 0.0
    limit = np.sort(largest)[-min(allowed, largest.size)]
    return float(np.exp(-limit * (1 + _ALIKE) - _ALIKE))
