"""An interval for the mean of numbers in [0, 1] holds whatever their law.

Coverage: 400 samples a law at 95 % confidence; under a true interval fewer than 360 cover with
probability below one in ten thousand.
"""

import numpy as np
import pytest

from attacks.stats import binomial, bounded

LAWS = {
    "coins": lambda rng, n: (rng.random(n) < 0.03).astype(float),
    "uniform": lambda rng, n: rng.random(n),
    "mostly nothing": lambda rng, n: rng.random(n) * (rng.random(n) < 0.1),
    "one over a class": lambda rng, n: 1 / rng.integers(1, 9, n),
}
MEANS = {
    "coins": 0.03,
    "uniform": 0.5,
    "mostly nothing": 0.05,
    "one over a class": np.mean(1 / np.arange(1, 9)),
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("trials", [5, 80])
def test_it_covers_the_mean(law, trials):
    rng = np.random.default_rng([trials, list(LAWS).index(law)])
    covered = 0
    for _ in range(400):
        low, high = bounded.interval(LAWS[law](rng, trials).mean(), trials=trials)
        covered += low <= MEANS[law] <= high
    assert covered >= 360


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (3, 50), (500, 1000), (10, 10)])
def test_it_is_not_much_wider_than_the_exact_one_of_coins_and_never_narrower(hits, trials):
    low, high = bounded.interval(hits / trials, trials=trials)
    exact_low, exact_high = binomial.interval(hits=hits, trials=trials)
    assert low <= exact_low <= exact_high <= high
    assert high - low < 1.6 * (exact_high - exact_low) + 1e-9


def test_without_trials_anything_is_possible():
    assert bounded.interval(0.0, trials=0) == (0.0, 1.0)


def test_the_ends_mirror_each_other():
    low, high = bounded.interval(0.2, trials=40)
    other_low, other_high = bounded.interval(0.8, trials=40)
    assert (low, high) == (pytest.approx(1 - other_high), pytest.approx(1 - other_low))


def test_a_mean_outside_the_unit_interval_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        bounded.interval(1.5, trials=3)
