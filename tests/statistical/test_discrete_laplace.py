"""Does the sampler follow the law it claims, on every route that a draw can take?

False alarms: at most 5e-7 a check (Dvoretzky, Kiefer, Wolfowitz and Massart; exact binomial; or
chi-square with at least 50 draws expected a cell), fewer than 60 checks. Misses: a scale wrong by
5 %, either way, less than once in ten thousand. Seeds are fixed, so red means that something
changed.
"""

from fractions import Fraction
from itertools import count
from math import exp, log, sqrt

import numpy as np
import pytest
from scipy import stats

from dpsynth.privacy import samplers
from dpsynth.privacy.randomness import SeededRandom
from dpsynth.privacy.samplers import discrete_laplace

FALSE_ALARM = 5e-7
DRAWS = 200_000
LIMIT = sqrt(log(2 / FALSE_ALARM) / (2 * DRAWS))

TABLE = [Fraction(1, 2), Fraction(9, 10), Fraction(3), Fraction(639, 10)]
SPREAD = [Fraction(64), Fraction(1000, 7), Fraction(10**5), Fraction(10**9), Fraction(2**48)]
each_law = pytest.mark.parametrize("scale", TABLE + SPREAD, ids=lambda law: f"{law!s}")
each_error = pytest.mark.parametrize("error", [Fraction(95, 100), Fraction(105, 100)])


def cdf(points, scale):
    """P(z <= point), in closed form."""
    points = np.asarray(points, dtype=np.float64)
    zero = np.exp(-1 / float(scale))
    below = np.exp(np.minimum(points, 0) / float(scale)) / (1 + zero)
    above = 1 - np.exp(-(np.maximum(points, 0) + 1) / float(scale)) / (1 + zero)
    return np.where(points < 0, below, above)


def gap(draws, claimed):
    """Largest difference between the distribution functions, drawn and claimed."""
    points, counts = np.unique(draws, return_counts=True)
    seen = np.cumsum(counts) / draws.size
    after = np.abs(seen - cdf(points, claimed)).max()
    before = np.abs(seen - counts / draws.size - cdf(points - 1, claimed)).max()
    return max(after, before)


def chi_square(draws, scale):
    """P-value of the counts of every integer that expects 50 draws, each tail pooled."""
    reach = int(scale * log(draws.size / (100 * scale + 100)))
    inner = np.arange(-reach, reach + 1)
    edges = np.concatenate([cdf(inner, scale), [1.0]])
    expected = np.diff(np.concatenate([[0.0, cdf([-reach - 1], scale)[0]], edges])) * draws.size
    seen = np.bincount(np.clip(draws, -reach - 1, reach + 1) + reach + 1, minlength=expected.size)
    assert expected.min() > 40
    return stats.chisquare(seen, expected).pvalue


@each_law
def test_follows_its_law(scale):
    draws = discrete_laplace(scale, size=DRAWS, rng=SeededRandom(27))
    assert draws.dtype == np.int64
    assert draws.shape == (DRAWS,)
    assert gap(draws, scale) <= LIMIT


@each_law
@each_error
def test_would_notice_a_wrong_scale(scale, error):
    wrong = min(scale * error, Fraction(2**48))
    assert gap(discrete_laplace(wrong, size=DRAWS, rng=SeededRandom(28)), wrong / error) > LIMIT


@pytest.mark.parametrize("scale", [Fraction(2), Fraction(20), Fraction(100)])
def test_every_cell_has_its_share(scale):
    draws = discrete_laplace(scale, size=1_000_000, rng=SeededRandom(29))
    assert chi_square(draws, scale) > FALSE_ALARM


@pytest.mark.parametrize("bits", [1, 2])
def test_every_cell_has_its_share_when_a_narrow_law_is_spread(monkeypatch, bits):
    monkeypatch.setattr(samplers, "_LAPLACE_TABLE_BITS", bits)
    draws = discrete_laplace(Fraction(22, 3), size=100_000, rng=SeededRandom(30))
    assert chi_square(draws, Fraction(22, 3)) > FALSE_ALARM


def test_a_spread_law_is_even_below_the_coarse_grid():
    # Modulo 32 a law of 10**6 times that width is uniform to 1e-12.
    draws = discrete_laplace(Fraction(32 * 10**6), size=DRAWS, rng=SeededRandom(31))
    assert stats.chisquare(np.bincount(draws % 32, minlength=32)).pvalue > FALSE_ALARM


@pytest.mark.parametrize("scale", [Fraction(1, 5), Fraction(3), Fraction(200)])
def test_mass_at_zero_symmetry_and_tails(scale):
    draws = discrete_laplace(scale, size=DRAWS, rng=SeededRandom(32))
    edge = int(5 * scale) + 1
    tail = float(cdf([-edge], scale)[0])
    ratio = exp(-1 / scale)
    for event, chance in [
        (draws == 0, (1 - ratio) / (1 + ratio)),
        (draws >= edge, tail),
        (draws <= -edge, tail),
    ]:
        assert stats.binomtest(int(event.sum()), DRAWS, chance).pvalue > FALSE_ALARM
    positive, negative = int((draws > 0).sum()), int((draws < 0).sum())
    assert stats.binomtest(positive, positive + negative, 0.5).pvalue > FALSE_ALARM


def test_the_smallest_scales_give_zeros():
    # P(z != 0) = 2 * exp(-1000) or so: a single other value is a bug.
    assert not discrete_laplace(Fraction(1, 1000), size=50_000, rng=SeededRandom(33)).any()


@pytest.mark.parametrize("scale", [Fraction(2), Fraction(5000)])
def test_cells_and_calls_are_independent(scale):
    rng = SeededRandom(34)
    calls = np.array([discrete_laplace(scale, size=50, rng=rng) for _ in range(4000)])
    cuts = float(scale) * np.array([-1.0, -0.3, 0.3, 1.0])
    bins = np.searchsorted(cuts, calls)
    for left, right in [(bins[:, 0::2], bins[:, 1::2]), (bins[0::2], bins[1::2])]:
        joint = np.bincount((left * 5 + right).ravel(), minlength=25).reshape(5, 5)
        assert stats.chi2_contingency(joint).pvalue > FALSE_ALARM


@pytest.mark.parametrize("scale", [Fraction(1, 2), Fraction(300)])
def test_agrees_with_a_difference_of_geometric_draws(scale):
    """The law is that of the difference of two geometric counts, drawn here by their definition."""
    rng = np.random.default_rng(35)
    stop = 1 - exp(-1 / scale)
    reference = rng.geometric(stop, size=DRAWS) - rng.geometric(stop, size=DRAWS)
    draws = discrete_laplace(scale, size=DRAWS, rng=SeededRandom(36))
    cuts = np.unique(np.quantile(reference, np.linspace(0.05, 0.95, 19)))
    joint = [np.bincount(np.searchsorted(cuts, part)) for part in (reference, draws)]
    assert stats.chi2_contingency(joint).pvalue > FALSE_ALARM


def test_agrees_with_a_plain_exact_sampler():
    """Against coin tosses in exact integers: count the sub-units until the first refusal."""
    rng = np.random.default_rng(37)
    scale = Fraction(3, 2)
    reference = np.array([plain_sampler(scale, rng) for _ in range(3000)])
    draws = discrete_laplace(scale, size=300_000, rng=SeededRandom(38))
    joint = [np.bincount(np.clip(part, -4, 4) + 4) for part in (reference, draws)]
    assert stats.chi2_contingency(joint).pvalue > FALSE_ALARM


def plain_sampler(scale, rng):
    while True:
        value = next(k for k in count() if not plain_coin(1 / scale, rng))
        negative = bool(rng.integers(2))
        if value or not negative:
            return -value if negative else value


def plain_coin(exponent, rng):
    """True with probability exp(-exponent), exponent at most 1, by alternating trials."""
    for order in count(1):
        ratio = exponent / order
        if rng.integers(ratio.denominator) >= ratio.numerator:
            return order % 2 == 1
    return None


@pytest.mark.parametrize(
    ("scale", "error"),
    [(2.0, TypeError), (Fraction(0), ValueError), (Fraction(2**48 + 1), ValueError)],
)
def test_refuses_what_has_no_exact_law(scale, error):
    with pytest.raises(error, match="scale"):
        discrete_laplace(scale, size=1, rng=SeededRandom(0))
