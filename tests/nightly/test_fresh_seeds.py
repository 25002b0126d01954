"""The laws of the noise with the operating system's own random source, ten million draws each.

False alarms: at most 1e-9 a case (the inequality of Dvoretzky, Kiefer and Wolfowitz with Massart's
constant), fewer than 20 cases. Misses: a scale wrong by 0.5 %, either way, practically never.
"""

from fractions import Fraction
from math import log, sqrt

import numpy as np
import pytest

from dpsynth.privacy.randomness import PrivacyRandom
from dpsynth.privacy.samplers import discrete_gaussian, discrete_laplace, exponential_choice

pytestmark = pytest.mark.nightly
FALSE_ALARM = 1e-9
DRAWS = 10_000_000
LIMIT = sqrt(log(2 / FALSE_ALARM) / (2 * DRAWS))

gaussians = pytest.mark.parametrize(
    "sigma_squared", [Fraction(1, 3), Fraction(9), Fraction(2500), Fraction(70_000)]
)


def gap(draws, weight, reach):
    """Largest distance between the distribution functions, drawn and claimed."""
    support = np.arange(-reach, reach + 1)
    claimed = weight(support.astype(np.float64))
    found = np.bincount(np.clip(draws, -reach, reach) + reach, minlength=support.size)
    return np.abs(np.cumsum(found) / draws.size - np.cumsum(claimed) / claimed.sum()).max()


def gaussian_gap(*, drawn_from, claimed):
    draws = discrete_gaussian(drawn_from, size=DRAWS, rng=PrivacyRandom())
    return gap(draws, lambda z: np.exp(-(z**2) / (2 * float(claimed))), 12 * int(sqrt(claimed) + 1))


@gaussians
def test_the_gaussian_follows_its_law(sigma_squared):
    assert gaussian_gap(drawn_from=sigma_squared, claimed=sigma_squared) <= LIMIT


@pytest.mark.parametrize("error", [Fraction(995, 1000), Fraction(1005, 1000)])
def test_a_scale_half_a_percent_off_is_noticed(error):
    claimed = Fraction(2500)
    assert gaussian_gap(drawn_from=claimed * error**2, claimed=claimed) > LIMIT


@pytest.mark.parametrize("scale", [Fraction(1, 2), Fraction(40), Fraction(900)])
def test_the_laplace_follows_its_law(scale):
    draws = discrete_laplace(scale, size=DRAWS, rng=PrivacyRandom())
    reach = 60 * int(scale + 1)
    assert gap(draws, lambda z: np.exp(-np.abs(z) / float(scale)), reach) <= LIMIT


def test_selection_follows_its_law():
    scores, rate, rounds = np.array([0, 1, 2, 5, 9], dtype=np.int64), Fraction(1, 4), 400_000
    rng = PrivacyRandom()
    found = np.bincount(
        [exponential_choice(scores, rate=rate, rng=rng) for _ in range(rounds)], minlength=5
    )
    weights = np.exp(float(rate) * scores)
    limit = sqrt(log(2 / FALSE_ALARM) / (2 * rounds))
    apart = np.cumsum(found) / rounds - np.cumsum(weights) / weights.sum()
    assert np.abs(apart).max() <= limit
