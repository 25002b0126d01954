"""Does the exponential mechanism choose with the probabilities it claims?

False alarms: at most 5e-7 a check by chi-square with 50 choices or more expected a cell, fewer
than 30 checks. Misses: a rate wrong by 5 %, either way, less than once in ten thousand. Seeds are
fixed, so red means that something changed.
"""

from decimal import Decimal, localcontext
from fractions import Fraction
from time import process_time

import numpy as np
import pytest
from scipy import stats

from dpsynth.privacy.randomness import SeededRandom
from dpsynth.privacy.samplers import exponential_choice

FALSE_ALARM = 5e-7
CHOICES = 40_000
LARGEST = np.iinfo(np.int64).max

CASES = [
    ([0, 1], Fraction(1, 3)),
    ([5, 5, 5, 5], Fraction(7)),
    ([-3, 0, 2, 2, -1, 1], Fraction(2, 3)),
    ([1000, 1040, 960, 1100, -(10**12)], Fraction(1, 55)),
    ([LARGEST, -LARGEST - 1, LARGEST - 2, LARGEST - 1], Fraction(9, 10)),
    (list(range(40)), Fraction(1, 9)),
]
each_case = pytest.mark.parametrize(("scores", "rate"), CASES)


def p_value(scores, *, drawn_at, claimed, choices=CHOICES, seed=51):
    rng = SeededRandom(seed)
    array = np.array(scores, dtype=np.int64)
    seen = np.bincount(
        [exponential_choice(array, rate=drawn_at, rng=rng) for _ in range(choices)],
        minlength=array.size,
    )
    losses = [float((max(scores) - score) * claimed) for score in scores]
    expected = np.exp(-np.array(losses))
    expected *= choices / expected.sum()
    assert not seen[expected < 1e-6].any(), "a candidate with a chance below 1e-10 was chosen"
    rare = expected < 50
    expected = np.append(expected[~rare], expected[rare].sum())
    seen = np.append(seen[~rare], seen[rare].sum())
    if expected[-1] < 50:
        expected = np.append(expected[:-2], expected[-2:].sum())
        seen = np.append(seen[:-2], seen[-2:].sum())
    return stats.chisquare(seen, expected).pvalue


@each_case
def test_follows_its_law(scores, rate):
    assert p_value(scores, drawn_at=rate, claimed=rate) > FALSE_ALARM


@pytest.mark.parametrize("error", [Fraction(95, 100), Fraction(105, 100)])
def test_would_notice_a_wrong_rate(error):
    scores, rate = list(range(40)), Fraction(1, 9)
    result = p_value(scores, drawn_at=rate * error, claimed=rate, choices=60_000)
    assert result < FALSE_ALARM


def test_would_notice_permute_and_flip():
    """The neighbor in the literature that costs more: it prefers the best candidate."""
    rng = np.random.default_rng(52)
    scores, rate = np.array([0, 1, 2]), 0.5
    seen = np.zeros(3)
    for _ in range(CHOICES):
        order = rng.permutation(3)
        while rng.random() >= np.exp(rate * (scores[order[0]] - 2)):
            order = order[1:]
        seen[order[0]] += 1
    weights = np.exp(rate * scores)
    assert stats.chisquare(seen, CHOICES * weights / weights.sum()).pvalue < FALSE_ALARM
    assert p_value([0, 1, 2], drawn_at=Fraction(1, 2), claimed=Fraction(1, 2)) > FALSE_ALARM


def test_agrees_with_plain_rejection():
    """Propose evenly, keep with an exact coin of probability exp(-rate * gap): the same law."""
    rng = np.random.default_rng(53)
    scores, rate = np.array([0, 3, 7, 8]), Fraction(1, 4)

    def plain():
        while True:
            index = int(rng.integers(scores.size))
            steps = int(scores.max() - scores[index])
            if all(plain_coin(rate, rng) for _ in range(steps)):
                return index

    fast = SeededRandom(54)
    joint = [
        np.bincount([plain() for _ in range(5000)], minlength=4),
        np.bincount(
            [exponential_choice(scores, rate=rate, rng=fast) for _ in range(CHOICES)], minlength=4
        ),
    ]
    assert stats.chi2_contingency(joint).pvalue > FALSE_ALARM


def plain_coin(exponent, rng):
    order = 1
    while rng.integers(exponent.denominator * order) < exponent.numerator:
        order += 1
    return order % 2 == 1


def test_choices_are_independent():
    rng = SeededRandom(55)
    scores = np.array([0, 1, 3], dtype=np.int64)
    seen = np.array(
        [exponential_choice(scores, rate=Fraction(1, 2), rng=rng) for _ in range(CHOICES)]
    )
    joint = np.bincount(seen[0::2] * 3 + seen[1::2], minlength=9).reshape(3, 3)
    assert stats.chi2_contingency(joint).pvalue > FALSE_ALARM


class Scripted:
    """Words from a list, and a failure when more are asked for than foreseen."""

    seeded = True

    def __init__(self, words):
        self.left = list(words)

    def words(self, count):
        taken, self.left = self.left[:count], self.left[count:]
        assert len(taken) == count, "the sampler asked for more words than the script holds"
        return np.array(taken, dtype=np.uint64)


def test_an_ambiguous_word_is_decided_by_further_words():
    """Two candidates one level apart: the threshold is 1 / (1 + exp(-1))."""
    scores = np.array([4, 5], dtype=np.int64)
    with localcontext() as context:
        context.prec = 80
        threshold = 2**64 / (1 + Decimal(-1).exp())
        first = int(threshold)
        second = int((threshold - first) * 2**64)
    for more, expected in [(second - 1, 1), (second + 1, 0)]:
        source = Scripted([first, more, 0])  # the last word is the coin of exp(0)
        assert exponential_choice(scores, rate=Fraction(1), rng=source) == expected
        assert not source.left


def test_a_negligible_candidate_keeps_its_chance():
    """exp(-200) is below the first precision, and is still reached by the right numbers."""
    scores = np.array([0, 200], dtype=np.int64)
    ones = 2**64 - 1
    # The last exp(-200), about 2**-288.5, of the unit interval belongs to candidate 0: after five
    # words of ones that is proven with the next word. The final word is the coin of exp(0).
    assert exponential_choice(scores, rate=Fraction(1), rng=Scripted([ones] * 5 + [0, 0])) == 0
    almost = [ones] * 4 + [0, 0]
    assert exponential_choice(scores, rate=Fraction(1), rng=Scripted(almost)) == 1


def test_a_refused_coin_starts_over():
    scores = np.array([0, 1], dtype=np.int64)  # half a level apart: both on level 0
    refused = [0, 0, 2**64 - 1]  # level 0, member 0, a coin above exp(-1/2)
    taken = [0, 1 << 63, 2**64 - 2]  # level 0, member 1, any coin below exp(0)
    source = Scripted(refused + taken)
    assert exponential_choice(scores, rate=Fraction(1, 2), rng=source) == 1
    assert not source.left


@pytest.mark.parametrize("spread", [10, 10**6, 2**62])
def test_thousands_of_candidates_take_no_time(spread):
    rng = SeededRandom(56)
    scores = np.random.default_rng(57).integers(-spread, spread, 5000)
    started = process_time()
    for _ in range(10):
        exponential_choice(scores, rate=Fraction(1, 7), rng=rng)
    assert process_time() - started < 2.0  # 0.05 s where the machine is quiet


def test_the_best_of_a_hopeless_crowd_is_found():
    scores = np.full(5000, -(2**62), dtype=np.int64)
    scores[321] = 2**62
    assert exponential_choice(scores, rate=Fraction(1, 10**9), rng=SeededRandom(58)) == 321


def test_even_weights_reach_every_candidate():
    scores = np.zeros(100, dtype=np.int64)
    rng = SeededRandom(59)
    seen = np.bincount(
        [exponential_choice(scores, rate=Fraction(1), rng=rng) for _ in range(10_000)],
        minlength=100,
    )
    assert stats.chisquare(seen).pvalue > FALSE_ALARM


@pytest.mark.parametrize(
    ("scores", "rate", "error"),
    [
        (np.array([1.0]), Fraction(1), TypeError),
        (np.array([[1]], dtype=np.int64), Fraction(1), ValueError),
        (np.array([], dtype=np.int64), Fraction(1), ValueError),
        (np.array([1], dtype=np.int64), 0.5, TypeError),
        (np.array([1], dtype=np.int64), Fraction(0), ValueError),
    ],
)
def test_refuses_what_has_no_exact_law(scores, rate, error):
    with pytest.raises(error):
        exponential_choice(scores, rate=rate, rng=SeededRandom(0))
