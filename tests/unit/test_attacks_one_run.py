"""One-run bounds against the closed forms where there are any, and against each other."""

from math import log

import numpy as np
import pytest
from scipy import stats

from attacks.stats.one_run import (
    METHODS,
    by_counting,
    by_curve,
    by_gaussian_curve,
    counting_p_value,
    epsilon_bounds,
    gaussian_epsilon,
    numbers_of_guesses,
)

each_bound = pytest.mark.parametrize("bound", [by_counting, by_curve, by_gaussian_curve])


@pytest.mark.parametrize(("persons", "known"), [(100, 3.5), (1000, 5.8)])
@pytest.mark.parametrize("bound", [by_counting, by_curve])
def test_ceiling_of_perfect_guesses(bound, persons, known):
    chance = 0.05 ** (1 / persons)  # all right with probability 5 % at this chance each
    ceiling = bound(persons, persons, persons, 1e-12, 0.05)
    assert ceiling == pytest.approx(log(chance / (1 - chance)), abs=2e-3)
    assert ceiling == pytest.approx(known, abs=0.05)


def test_p_value_without_delta_is_the_binomial_tail():
    right = 1 / (1 + np.exp(-1.5))
    assert counting_p_value(80, 90, 500, 1.5, 0.0) == pytest.approx(
        stats.binom.sf(79, 90, right), rel=1e-9
    )
    assert counting_p_value(0, 90, 500, 1.5, 1e-3) == 1.0


def test_p_value_with_delta_is_the_theorems_sum():
    epsilon, delta, persons, guesses, correct = 0.7, 1e-4, 400, 60, 50
    right = 1 / (1 + np.exp(-epsilon))
    tail = stats.binom(guesses, right)
    known = tail.sf(correct - 1) + 2 * persons * delta * max(
        (tail.sf(correct - i - 1) - tail.sf(correct - 1)) / i for i in range(1, correct + 1)
    )
    assert counting_p_value(correct, guesses, persons, epsilon, delta) == pytest.approx(known)


def test_curve_of_pure_epsilon_agrees_with_counting():
    """Without delta both are the law of randomized response; the recursion gives away a little."""
    for correct in (60, 75, 100):
        counted = by_counting(correct, 100, 100, 1e-12, 0.05)
        assert by_curve(correct, 100, 100, 1e-12, 0.05) == pytest.approx(counted, abs=0.03)


# What a signal as strong as Gaussian noise allows showed in a comparison of methods, by epsilon:
# one-run bounds of jax-privacy at 500, 2,000 and 10,000 persons, delta 1e-5, 95 %, one draw each.
PUBLISHED = {
    4: ((1.11, 1.24, 2.02), (1.73, 1.81, 2.62)),
    8: ((1.73, 2.62, 3.44), (2.95, 4.06, 4.90)),
}


@pytest.mark.parametrize("epsilon", PUBLISHED)
def test_bounds_are_near_the_published_ones(epsilon):
    """They differ by how guesses are chosen and by the draw, which moves a bound by 0.3 or so."""
    shift = next(mu for mu in np.arange(0.8, 3, 0.01) if gaussian_epsilon(mu, 1e-5) >= epsilon)
    counted, gaussian = PUBLISHED[epsilon]
    for persons, of_counting, of_curve in zip((500, 2000, 10_000), counted, gaussian, strict=True):
        found = []
        for seed in range(3):
            rng = np.random.default_rng(seed)
            is_member = rng.random(persons) < 0.5
            scores = rng.normal(size=persons) + shift * is_member
            found.append([b.value for b in epsilon_bounds(scores, is_member, delta=1e-5)])
        by_method = np.mean(found, axis=0)
        assert by_method[0] == pytest.approx(of_counting, abs=0.6)
        assert by_method[2] == pytest.approx(of_curve, abs=0.8)
        assert by_method[0] <= by_method[1] + 0.05 <= by_method[2] + 0.1 <= epsilon


def test_epsilon_of_a_gaussian_shift():
    for shift, epsilon in ((0.5, 1.0), (1.0, 3.0)):
        delta = stats.norm.cdf(shift / 2 - epsilon / shift) - np.exp(epsilon) * stats.norm.cdf(
            -shift / 2 - epsilon / shift
        )
        assert gaussian_epsilon(shift, delta) == pytest.approx(epsilon, abs=2e-3)
    assert gaussian_epsilon(0.0, 1e-5) == 0.0
    assert gaussian_epsilon(1e-4, 0.4) == 0.0


@each_bound
def test_more_right_guesses_show_more(bound):
    found = [bound(correct, 200, 1000, 1e-5, 0.05) for correct in range(90, 201, 10)]
    assert found[0] == 0.0
    assert found == sorted(found)
    assert found[-1] > 2


@each_bound
def test_more_confidence_and_more_delta_show_less(bound):
    usual = bound(180, 200, 1000, 1e-5, 0.05)
    assert bound(180, 200, 1000, 1e-5, 0.001) < usual
    assert bound(180, 200, 1000, 1e-3, 0.05) < usual
    assert bound(100, 200, 1000, 1e-5, 0.05) == 0.0


def test_ceiling_is_reached_by_a_verbatim_copy_and_never_passed():
    is_member = np.random.default_rng(0).random(2000) < 0.5
    perfect = epsilon_bounds(is_member.astype(float), is_member, delta=1e-6)
    random = epsilon_bounds(np.random.default_rng(1).random(2000), is_member, delta=1e-6)
    assert [bound.method for bound in perfect] == list(METHODS)
    for sure, unsure in zip(perfect, random, strict=True):
        assert sure.ceiling == unsure.ceiling
        assert unsure.value < 0.5
        assert sure.value == sure.ceiling
        assert sure.correct <= sure.guesses <= sure.persons == 2000
        assert any("fair coin" in said for said in sure.assumptions)


def test_lower_scores_are_called_others_where_most_are_spoken_of():
    """Scores that are right about the lower half alone are half right, and no more."""
    is_member = np.arange(1000) % 2 == 0
    scores = np.where(np.arange(1000) < 500, 1.0, is_member - 1.0)
    bound = epsilon_bounds(scores, is_member, delta=1e-6)[0]
    assert (bound.guesses, bound.correct) == (800, 200 + 400 - 150)


def test_number_of_guesses_is_fixed_by_the_number_of_persons():
    assert numbers_of_guesses(10_000) == (100, 500, 2500, 8000)
    assert numbers_of_guesses(100) == (5, 25, 80)
    assert numbers_of_guesses(4) == ()


def test_too_few_persons_show_nothing():
    for bound in epsilon_bounds(np.arange(3.0), np.arange(3) > 1, delta=1e-5):
        assert (bound.value, bound.ceiling, bound.guesses) == (0.0, 0.0, 0)


def test_the_best_of_several_attacks_costs_confidence():
    rng = np.random.default_rng(2)
    is_member = rng.random(1000) < 0.5
    scores = is_member + 0.4 * rng.normal(size=1000)
    once = epsilon_bounds(scores, is_member, delta=1e-5)
    among_ten = epsilon_bounds(scores, is_member, delta=1e-5, looks=10)
    assert all(b.value < a.value for a, b in zip(once, among_ten, strict=True))


def test_what_cannot_be_bounded_is_refused():
    with pytest.raises(ValueError, match="one entry a person"):
        epsilon_bounds(np.zeros(3), np.zeros(4, dtype=bool), delta=1e-5)
    with pytest.raises(ValueError, match="delta"):
        epsilon_bounds(np.zeros(3), np.zeros(3, dtype=bool), delta=0.0)
    with pytest.raises(ValueError, match="right guesses"):
        counting_p_value(5, 4, 10, 1.0, 0.0)
