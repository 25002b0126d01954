"""Are correct mechanisms left alone, too little noise rejected, and lower bounds lower?

Three marginals, one cell of each moved by one, with noise from the sampler that releases use. The
score is the likelihood ratio of the three answers. The threshold is chosen on 2,000 runs a world,
and the test made on as many others. At a level of 5 %, 200 games of a correct mechanism reject 10
on average at most; more than 25 happen less than once in a hundred thousand suites of games.
Seeds are fixed.
"""

from fractions import Fraction

import numpy as np
import pytest

from attacks.stats.paired import Errors, below_curve, epsilon_lower_bounds
from attacks.stats.trade_off import claimed_curve
from dpsynth.testing import noise

GAMES, RUNS, MARGINALS = 200, 2_000, 3
SIGMA_SQUARED = Fraction(9)
LEVEL = 0.05
EVENT = {
    "kind": "discrete_gaussian/v1",
    "sigma_squared": str(SIGMA_SQUARED),
    "l2_sensitivity_squared": "1",
}
CLAIM = claimed_curve([EVENT] * MARGINALS)


def played(factor, seed):
    """Return what the best threshold of training runs gets wrong on test runs, for each game."""
    size = 4 * GAMES * RUNS * MARGINALS
    drawn = noise.gaussian(SIGMA_SQUARED * Fraction(factor) ** 2, size=size, seed=seed)
    scores = drawn.reshape(GAMES, 4, RUNS, MARGINALS).sum(axis=3)
    return [
        _errors(without, present + MARGINALS, _threshold(tried, held + MARGINALS))
        for tried, held, without, present in scores
    ]


def _threshold(without, present):
    levels = np.arange(-12, 16)
    wrong = [(without >= each).mean() + (present < each).mean() for each in levels]
    return levels[int(np.argmin(wrong))]


def _errors(without, present, threshold):
    return Errors(
        false_positives=int((without >= threshold).sum()),
        runs_out=RUNS,
        false_negatives=int((present < threshold).sum()),
        runs_in=RUNS,
    )


@pytest.mark.parametrize(("factor", "seed"), [("1", 1), ("3/2", 2)])
def test_correct_mechanisms_are_left_alone(factor, seed):
    assert sum(below_curve(found, CLAIM, level=LEVEL) for found in played(factor, seed)) <= 25


# At 2,000 runs noise of half the size is rejected with a power above 99.99 %.
@pytest.mark.parametrize(("factor", "least"), [("1/2", 199), ("7/10", 150)])
def test_too_little_noise_is_rejected(factor, least):
    assert sum(below_curve(found, CLAIM, level=LEVEL) for found in played(factor, 3)) >= least


@pytest.mark.parametrize("delta", [1e-5, 1e-2])
def test_lower_bounds_are_lower(delta):
    # The true epsilon of three such answers, by the exact sum of their losses.
    values = np.arange(-120, 121)
    masses = np.exp(-(values**2) / (2 * float(SIGMA_SQUARED)))
    masses /= masses.sum()
    total = np.convolve(np.convolve(masses, masses), masses)
    shift = np.arange(-360, 361)
    losses = (2 * shift + MARGINALS) / (2 * float(SIGMA_SQUARED))
    grid = np.linspace(0, 6, 6001)
    left = [(total * np.maximum(-np.expm1(each - losses), 0)).sum() for each in grid]
    epsilon = grid[int(np.argmax(np.array(left) <= delta))]
    found = [epsilon_lower_bounds(each, delta=delta) for each in played("1", 4)]
    for bounds in zip(*found, strict=True):
        assert sum(bound.value > epsilon for bound in bounds) <= 25
        assert max(bound.value for bound in bounds) > 0.1
