"""Lower bounds on the epsilon of one release, from that release alone.

Where a fair coin decided for each of ``persons`` whether they were in the table, an attacker who
names ``guesses`` of them and is right about ``correct`` says something of the mechanism that made
this very release: under a small epsilon nobody guesses many coins right. No second run is needed,
and the guarantee tested is that of adding or removing one person with all their rows.

How many guesses are made is fixed before any label is looked at: a few numbers for all audits,
each at its part of the error. The best number picked on the data would void the confidence. A
bound comes with its ceiling, which is what guesses that are all right would have shown: one run of
a hundred persons cannot show an epsilon of 5, however much it leaks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import erfc, exp, inf, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import special

from dpsynth import _validate

# Shares of the audit set that the attacker speaks about. Up to a half, the highest scores are said
# to be members, where a leak of few records shows. Above, as many lowest are said not to be; not
# quite everyone, since coins never fall evenly and even a perfect attack would err.
SHARES = (0.01, 0.05, 0.25, 0.8)
FEWEST_GUESSES = 5  # fewer right guesses than this show nothing at 95 %
LARGEST = 50.0
_STEP = 0.125
_HALVINGS = 12

COINS = "an independent fair coin decided for each person of the audit set who was in the table"
OUTSIDE = "the scores use nothing of these coins but the release"
GAUSSIAN = "the mechanism's trade-off curve is that of Gaussian noise"


@dataclass(frozen=True, kw_only=True)
class EpsilonBound:
    """A number that the epsilon of the release is not below.

    Attributes:
        value: at least 0; 0 says that nothing was shown, not that nothing leaks.
        confidence: chance, over the coins and the mechanism, that the statement is true; at least.
        delta: of the guarantee that the epsilon belongs to.
        method: how it was worked out.
        assumptions: what must hold for the confidence to hold.
        ceiling: the value, had every guess been right.
        persons: in the audit set.
        guesses: made at the number that showed most.
        correct: of these.
    """

    value: float
    confidence: float
    delta: float
    method: str
    assumptions: tuple[str, ...]
    ceiling: float
    persons: int
    guesses: int
    correct: int


def epsilon_bounds(
    scores: NDArray[np.float64],
    is_member: NDArray[np.bool_],
    *,
    delta: float,
    confidence: float = 0.95,
    looks: int = 1,
) -> tuple[EpsilonBound, ...]:
    """Return a lower bound on epsilon by each method; each holds at ``confidence`` by itself.

    Args:
        scores: shape ``(persons,)``, higher for "was in the table"; equal scores are taken in the
            order given, which must say nothing of the coins.
        is_member: shape ``(persons,)``, how each fair coin fell.
        delta: of the guarantee; in (0, 1), and as a rule far below one in the number of persons.
        confidence: in (0, 1).
        looks: scores of how many attacks the largest bound is taken over.

    Raises:
        ValueError: shapes do not agree, or a number is outside its range.
    """
    _validate.in_open_unit(delta=delta, confidence=confidence)
    _validate.positive(looks=looks)
    if scores.ndim != 1 or scores.shape != is_member.shape:
        raise ValueError("scores and is_member must have one entry a person")
    persons = int(scores.size)
    made = [_guessed(scores, is_member, share) for share in numbers_of_guesses(persons)]
    error = (1 - confidence) / (max(1, len(made)) * looks)
    bounds = []
    for method, (bound, assumptions) in METHODS.items():
        found = [
            (bound(correct, guesses, persons, delta, error), guesses, correct)
            for guesses, correct in made
        ]
        value, guesses, correct = max(found, key=lambda each: each[0], default=(0.0, 0, 0))
        ceilings = [bound(each, each, persons, delta, error) for each, _ in made]
        bounds.append(
            EpsilonBound(
                value=value,
                confidence=confidence,
                delta=delta,
                method=method,
                assumptions=assumptions,
                ceiling=max(ceilings, default=0.0),
                persons=persons,
                guesses=guesses,
                correct=correct,
            )
        )
    return tuple(bounds)


def numbers_of_guesses(persons: int) -> tuple[int, ...]:
    """Return how many guesses are made among ``persons``: a function of their number alone."""
    numbers = dict.fromkeys(int(share * persons) for share in SHARES)
    return tuple(number for number in numbers if number >= FEWEST_GUESSES)


@lru_cache(maxsize=1024)
def by_counting(correct: int, guesses: int, persons: int, delta: float, error: float) -> float:
    """Return the largest epsilon that so many right guesses rule out, for any mechanism.

    Source:
        Steinke, Nasr and Jagielski (2023), "Privacy Auditing with One (1) Training Run",
        arXiv:2305.08846, the theorem for (epsilon, delta).
    """
    # Refuting an epsilon refutes those below it only if they are refuted too.
    refuted = -1.0
    for number in range(int(LARGEST / _STEP)):
        if counting_p_value(correct, guesses, persons, number * _STEP, delta) > error:
            break
        refuted = number * _STEP
    if refuted < 0:
        return 0.0
    return _largest(
        lambda epsilon: counting_p_value(correct, guesses, persons, epsilon, delta) <= error,
        refuted,
        refuted + _STEP,
    )


def counting_p_value(
    correct: int, guesses: int, persons: int, epsilon: float, delta: float
) -> float:
    """Return the chance of so many right guesses or more, at most, under (epsilon, delta)."""
    _check_counts(correct, guesses, persons)
    right = float(special.expit(epsilon))
    at_least = _binomial_at_least(np.array([correct]), guesses, right)[0]
    if delta == 0 or not correct:
        return float(at_least)
    fewer = np.arange(1, correct + 1)
    between = _binomial_at_least(correct - fewer, guesses, right) - at_least
    return min(1.0, float(at_least + 2 * persons * delta * np.max(between / fewer)))


@lru_cache(maxsize=1024)
def by_curve(correct: int, guesses: int, persons: int, delta: float, error: float) -> float:
    """Return the largest epsilon that so many right guesses rule out, for any mechanism.

    The recursion of Mahloujifar et al. with the curve of (epsilon, delta) itself.
    """

    def refuted(epsilon: float) -> bool:
        grows = exp(epsilon)
        return _impossible(
            lambda y: max(0.0, (y - delta) / grows, 1 - delta - (1 - y) * grows),
            correct,
            guesses,
            persons,
            error,
        )

    return _largest(refuted, 0.0, LARGEST) if refuted(0.0) else 0.0


@lru_cache(maxsize=1024)
def by_gaussian_curve(
    correct: int, guesses: int, persons: int, delta: float, error: float
) -> float:
    """Return the largest epsilon that so many right guesses rule out, for Gaussian noise.

    Source:
        Mahloujifar, Melis and Chaudhuri (2024), "Auditing f-Differential Privacy in One Run",
        arXiv:2410.22235; the epsilon of a mean shift by Dong, Roth and Su (2019),
        "Gaussian Differential Privacy", arXiv:1905.02383.
    """

    def refuted(shift: float) -> bool:
        return _impossible(
            lambda y: _below(float(special.ndtri(y)) - shift), correct, guesses, persons, error
        )

    if not refuted(0.0):
        return 0.0
    return gaussian_epsilon(_largest(refuted, 0.0, 20.0), delta)


Bound = Callable[[int, int, int, float, float], float]
METHODS: dict[str, tuple[Bound, tuple[str, ...]]] = {
    "one run, counted": (by_counting, (COINS, OUTSIDE)),
    "one run, trade-off curve": (by_curve, (COINS, OUTSIDE)),
    "one run, Gaussian trade-off curve": (by_gaussian_curve, (COINS, OUTSIDE, GAUSSIAN)),
}


def gaussian_epsilon(shift: float, delta: float) -> float:
    """Return the epsilon at ``delta`` of two unit normals whose means lie ``shift`` apart."""
    if shift <= 0:
        return 0.0

    def missed(epsilon: float) -> float:
        far = special.log_ndtr(-epsilon / shift - shift / 2)
        return _below(-epsilon / shift + shift / 2) - exp(min(0.0, epsilon + float(far)))

    if missed(0.0) <= delta:
        return 0.0
    high = 1.0
    while missed(high) > delta:
        high *= 2
    return _largest(lambda epsilon: missed(epsilon) > delta, 0.0, high)


def _guessed(
    scores: NDArray[np.float64], is_member: NDArray[np.bool_], guesses: int
) -> tuple[int, int]:
    """Return how many guesses were made, and how many were right."""
    highest = np.argsort(-scores, kind="stable")
    upper = guesses if 2 * guesses <= scores.size else (guesses + 1) // 2
    lowest = highest[scores.size - (guesses - upper) :]
    right = is_member[highest[:upper]].sum() + (~is_member[lowest]).sum()
    return guesses, int(right)


def _impossible(
    inverse: Callable[[float], float], correct: int, guesses: int, persons: int, error: float
) -> bool:
    """Whether no mechanism of this curve is so often right, were the chance of it ``error``.

    With ``p_j`` the chance of exactly ``j`` right guesses, ``right`` is a lower bound of the sum of
    ``p_j * j / persons`` over ``j`` from ``place`` on, and ``wrong`` the same of ``p_j * (guesses -
    j) / persons``. Each step down adds the mass that the curve forces next to what is there; the
    two together cannot pass ``guesses / persons``.
    """
    _check_counts(correct, guesses, persons)
    right, wrong = error * correct / persons, error * (guesses - correct) / persons
    for place in range(correct - 1, -1, -1):
        forced = inverse(min(1.0, right))
        if forced <= wrong:
            # Nothing changes from here on: ``right`` stays as it is, and so does what it forces.
            break
        right += place / (guesses - place) * (forced - wrong)
        wrong = forced
    return right + wrong > guesses / persons


def _largest(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Return nearly the largest number for which ``holds``, from below: it does so at ``low``."""
    for _ in range(_HALVINGS + int(np.log2(max(1.0, (high - low) / _STEP)))):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _binomial_at_least(
    counts: NDArray[np.int64], trials: int, chance: float
) -> NDArray[np.float64]:
    some = np.maximum(counts, 1)
    tails = special.betainc(some, np.maximum(trials - some + 1, 1), chance)
    return np.where(counts <= 0, 1.0, np.where(counts > trials, 0.0, tails))


def _below(z: float) -> float:
    return erfc(-z / sqrt(2)) / 2 if z > -inf else 0.0


def _check_counts(correct: int, guesses: int, persons: int) -> None:
    if not 0 <= correct <= guesses <= persons:
        raise ValueError("right guesses are among the guesses, and these among the persons")
