"""Does the sampler follow the law it claims, on every route that a draw can take?

False alarms: at most 5e-7 a check, by the inequality of Dvoretzky, Kiefer and Wolfowitz with
Massart's constant, by exact binomial tests, or by chi-square tests with at least 50 draws expected
in every cell. The file makes fewer than 100 checks, so fewer than one run in twenty thousand goes
red by chance. Misses: a scale wrong by 5 %, either way, less than once in ten thousand. Seeds are
fixed, so red means that something changed.
"""

from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import count
from math import erfc, exp, floor, isqrt, log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dpsynth.privacy import samplers
from dpsynth.privacy._tables import Law, Weights, exp_lower, table
from dpsynth.privacy.randomness import SeededRandom
from dpsynth.privacy.samplers import discrete_gaussian

FALSE_ALARM = 5e-7
DRAWS = 200_000
LIMIT = sqrt(log(2 / FALSE_ALARM) / (2 * DRAWS))

TABLE = [Fraction(1, 4), Fraction(7, 10), Fraction(9), Fraction(2500), Fraction(2**16 - 1)]
SPREAD = [Fraction(2**16), Fraction(10**6, 7), Fraction(10**12), Fraction(10**18), Fraction(2**96)]
each_law = pytest.mark.parametrize("sigma_squared", TABLE + SPREAD, ids=lambda law: f"{law!s}")
each_error = pytest.mark.parametrize("error", [Fraction(95, 100), Fraction(105, 100)])


class Scripted:
    """Words from a list, and a failure when more are asked for than foreseen."""

    seeded = True

    def __init__(self, words):
        self.left = [int(word) for word in words]

    def words(self, count):
        taken, self.left = self.left[:count], self.left[count:]
        assert len(taken) == count, "the sampler asked for more words than the script holds"
        return np.array(taken, dtype=np.uint64)


def cdf(points, sigma_squared):
    """P(z <= point): summed for narrow laws, else the normal law at the middle between integers."""
    sigma = sqrt(sigma_squared)
    if sigma > 300:  # the correction is of order 1 / (24 * sigma**2), below 1e-6
        return np.array([0.5 * erfc(-(point + 0.5) / (sigma * sqrt(2))) for point in points])
    reach = int(12 * sigma) + 2
    support = np.arange(-reach, reach + 1)
    mass = np.cumsum(np.exp(-(support**2) / (2 * float(sigma_squared))))
    return mass[np.clip(points, -reach, reach) + reach] / mass[-1]


def gap(draws, claimed):
    """Largest difference between the distribution functions, drawn and claimed."""
    points, counts = np.unique(draws, return_counts=True)
    seen = np.cumsum(counts) / draws.size
    after = np.abs(seen - cdf(points, claimed)).max()
    before = np.abs(seen - counts / draws.size - cdf(points - 1, claimed)).max()
    return max(after, before)


def pmf(support, sigma_squared):
    weight = np.exp(-(support.astype(float) ** 2) / (2 * float(sigma_squared)))
    return weight / weight.sum()


def chi_square(draws, sigma_squared):
    """P-value of the counts of every integer that expects 50 draws, the others pooled."""
    reach = int(12 * sqrt(sigma_squared)) + 2
    support = np.arange(-reach, reach + 1)
    expected = pmf(support, sigma_squared) * draws.size
    seen = np.bincount(draws + reach, minlength=support.size)
    common = expected >= 50
    expected = np.append(expected[common], expected[~common].sum())
    seen = np.append(seen[common], seen[~common].sum())
    if expected[-1] < 50:  # pool the rest with the last common cell
        expected = np.append(expected[:-2], expected[-2:].sum())
        seen = np.append(seen[:-2], seen[-2:].sum())
    return stats.chisquare(seen, expected).pvalue


@each_law
def test_follows_its_law(sigma_squared):
    draws = discrete_gaussian(sigma_squared, size=DRAWS, rng=SeededRandom(7))
    assert draws.dtype == np.int64
    assert draws.shape == (DRAWS,)
    assert gap(draws, sigma_squared) <= LIMIT


@each_law
@each_error
def test_would_notice_a_wrong_scale(sigma_squared, error):
    wrong = min(sigma_squared * error**2, Fraction(2**96))
    claimed = wrong / error**2
    assert gap(discrete_gaussian(wrong, size=DRAWS, rng=SeededRandom(8)), claimed) > LIMIT


@pytest.mark.parametrize("sigma_squared", [Fraction(1, 2), Fraction(9), Fraction(400)])
def test_every_cell_has_its_share(sigma_squared):
    draws = discrete_gaussian(sigma_squared, size=2_000_000, rng=SeededRandom(9))
    assert chi_square(draws, sigma_squared) > FALSE_ALARM


@pytest.mark.parametrize("sigma_squared", [Fraction(9), Fraction(401, 3)])
@pytest.mark.parametrize("bits", [1, 2])
def test_every_cell_has_its_share_when_a_narrow_law_is_spread(monkeypatch, sigma_squared, bits):
    # A coarse grid of one to four standard deviations: rejections are frequent, losses pass 1,
    # and every tenth decision needs the exact coin.
    monkeypatch.setattr(samplers, "_GAUSSIAN_TABLE_BITS", bits)
    draws = discrete_gaussian(sigma_squared, size=100_000, rng=SeededRandom(10))
    assert chi_square(draws, sigma_squared) > FALSE_ALARM


def test_a_spread_law_is_even_below_the_coarse_grid():
    # Modulo 32 a law of 1000 times that width is uniform to far below 1e-9 (Poisson summation).
    draws = discrete_gaussian(Fraction(10**9), size=DRAWS, rng=SeededRandom(11))
    assert stats.chisquare(np.bincount(draws % 32, minlength=32)).pvalue > FALSE_ALARM


@pytest.mark.parametrize("sigma_squared", [Fraction(1, 16), Fraction(9), Fraction(70_000)])
def test_mass_at_zero_symmetry_and_tails(sigma_squared):
    draws = discrete_gaussian(sigma_squared, size=DRAWS, rng=SeededRandom(12))
    support = np.arange(-5000, 5001)
    law = pmf(support, sigma_squared)
    edge = max(1, floor(4 * sqrt(sigma_squared)))
    for event, chance in [
        (draws == 0, law[support == 0].sum()),
        (draws >= edge, law[support >= edge].sum()),
        (draws <= -edge, law[support <= -edge].sum()),
    ]:
        assert stats.binomtest(int(event.sum()), DRAWS, chance).pvalue > FALSE_ALARM
    positive, negative = int((draws > 0).sum()), int((draws < 0).sum())
    assert stats.binomtest(positive, positive + negative, 0.5).pvalue > FALSE_ALARM


def test_the_smallest_scales_give_zeros():
    # P(z != 0) < 1e-200000: a single other value is a bug.
    assert not discrete_gaussian(Fraction(1, 10**6), size=50_000, rng=SeededRandom(13)).any()


@pytest.mark.parametrize("sigma_squared", [Fraction(9), Fraction(10**7)])
def test_cells_and_calls_are_independent(sigma_squared):
    rng = SeededRandom(14)
    calls = np.array([discrete_gaussian(sigma_squared, size=50, rng=rng) for _ in range(4000)])
    cuts = sqrt(sigma_squared) * np.array([-1.0, -0.4, 0.4, 1.0])
    bins = np.searchsorted(cuts, calls)
    for left, right in [
        (bins[:, 0::2], bins[:, 1::2]),  # neighboring cells of one call
        (bins[0::2], bins[1::2]),  # the same cell of two calls
    ]:
        joint = np.bincount((left * 5 + right).ravel(), minlength=25).reshape(5, 5)
        assert stats.chi2_contingency(joint).pvalue > FALSE_ALARM


@pytest.mark.parametrize("sigma_squared", [Fraction(7, 10), Fraction(90_000)])
def test_agrees_with_the_published_sampler(sigma_squared):
    """Against Canonne, Kamath and Steinke's algorithm 3 in plain integers, by two samples."""
    rng = np.random.default_rng(15)
    reference = np.array([plain_sampler(sigma_squared, rng) for _ in range(3000)])
    draws = discrete_gaussian(sigma_squared, size=300_000, rng=SeededRandom(16))
    cuts = np.unique(np.quantile(reference, np.linspace(0.1, 0.9, 9)))
    table_ = [np.bincount(np.searchsorted(cuts, part)) for part in (reference, draws)]
    assert stats.chi2_contingency(table_).pvalue > FALSE_ALARM


def plain_sampler(sigma_squared, rng):
    scale = isqrt(floor(sigma_squared)) + 1
    while True:
        candidate = plain_laplace(scale, rng)
        excess = abs(candidate) - sigma_squared / scale
        if plain_coin(excess**2 / (2 * sigma_squared), rng):
            return candidate


def plain_laplace(scale, rng):
    while True:
        fine = int(rng.integers(scale))
        if not plain_coin(Fraction(fine, scale), rng):
            continue
        coarse = next(k for k in count() if not plain_coin(Fraction(1), rng))
        value, negative = fine + scale * coarse, bool(rng.integers(2))
        if value or not negative:
            return -value if negative else value


def plain_coin(exponent, rng):
    """True with probability exp(-exponent), by von Neumann's alternating trials."""
    while exponent > 1:
        if not plain_coin(Fraction(1), rng):
            return False
        exponent -= 1
    for order in count(1):
        ratio = exponent / order
        if rng.integers(ratio.denominator) >= ratio.numerator:
            return order % 2 == 1
    return None


# What the tables decide is a theorem; here the theorem is held against decimals of 120 digits.

LAWS = [
    Law(linear=Fraction(0), quadratic=Fraction(1, 18), signed=True),
    Law(linear=Fraction(0), quadratic=Fraction(10**9, 3), signed=True),
    Law(linear=Fraction(0), quadratic=Fraction(3, 10**4), signed=False),
    Law(linear=Fraction(2, 31), quadratic=Fraction(0), signed=True),
    Law(linear=Fraction(50), quadratic=Fraction(0), signed=False),
]


def thresholds(law, count):
    """The first distribution function values of ``law``, to 110 digits or so."""
    with localcontext() as context:
        context.prec = 120
        weights = []
        for k in range(10_000):
            exponent = law.linear * k + law.quadratic * k * k
            weights.append((-Decimal(exponent.numerator) / Decimal(exponent.denominator)).exp())
            if weights[-1] < Decimal("1e-115"):
                break
        if law.signed:
            weights[1:] = [2 * weight for weight in weights[1:]]
        total, partial, values = sum(weights), Decimal(0), []
        for weight in weights[:count]:
            partial += weight
            values.append(partial / total)
        return values


@pytest.mark.parametrize(
    "exponent", [Fraction(0), Fraction(1, 10**9), Fraction(7, 3), Fraction(61)]
)
@pytest.mark.parametrize("bits", [2, 64, 126])
def test_exponential_bounds_hold(exponent, bits):
    with localcontext() as context:
        context.prec = 120
        truth = (-Decimal(exponent.numerator) / Decimal(exponent.denominator)).exp() * 2**bits
        lower = exp_lower(exponent, bits)
        assert lower <= truth < lower + 2


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("bits", [18, 32, 63])
def test_partial_sums_hold_at_every_precision(law, bits):
    """With few bits every truncation shows, and so does a forgotten error term."""
    cumulative, error, tail = law.weigh(bits)
    with localcontext() as context:
        context.prec = 120
        partial, unit = Decimal(0), 2 ** (2 * bits)
        rounded = False
        for k in range(len(cumulative) + 3000):
            exponent = law.linear * k + law.quadratic * k * k
            weight = (-Decimal(exponent.numerator) / Decimal(exponent.denominator)).exp() * unit
            partial += 2 * weight if law.signed and k else weight
            if k < len(cumulative):
                assert cumulative[k] <= partial <= cumulative[k] + error
                rounded |= partial >= cumulative[k] + 1
        assert partial <= cumulative[-1] + error + tail
        assert partial >= cumulative[-1] + tail / 1000 - error  # and the tail is not absurd
    assert rounded == (len(cumulative) > 1)


@settings(deadline=None)
@given(
    weights=st.lists(st.integers(0, 40), min_size=1, max_size=5),
    missing=st.lists(st.integers(0, 9), min_size=5, max_size=5),
    tail=st.integers(0, 30),
    bits=st.integers(1, 7),
    data=st.data(),
)
def test_what_is_located_is_proven(weights, missing, tail, bits, data):
    """Whatever true weights the bounds allow, the index is right for every number so begun."""
    truth = np.cumsum([*weights[:-1], weights[-1] + 10])
    lower = np.maximum.accumulate(np.maximum(truth - missing[: truth.size], 0))
    bounds = Weights(lower.tolist(), error=9, tail=tail)
    total = int(truth[-1]) + data.draw(st.integers(0, tail))
    for word in range(2**bits):
        index = bounds.locate(word, bits)
        if index is not None:
            before = int(truth[index - 1]) if index else 0
            assert word * total >= before * 2**bits
            assert (word + 1) * total <= int(truth[index]) * 2**bits


def test_sharp_bounds_leave_nothing_open():
    bounds = Weights([1, 3, 4], error=0, tail=0)
    assert [bounds.locate(word, 2) for word in range(4)] == [0, 1, 1, 2]
    assert [bounds.locate(word, 1) for word in range(2)] == [None, None]


@pytest.mark.parametrize("law", LAWS)
def test_table_bounds_hold_and_are_tight(law):
    made = table(law)
    size = len(made._high)
    for low, high, value in zip(
        made._low.tolist()[:size], made._high.tolist(), thresholds(law, size), strict=False
    ):
        assert low <= value * 2**63 <= high
        assert high - low <= 4


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("negative", [False, True])
def test_an_ambiguous_word_is_decided_by_further_words(law, negative):
    """A number that begins like a threshold is told from it by the words that follow."""
    made = table(law)
    for index, value in list(enumerate(thresholds(law, 6)))[:6]:
        number = int(value * 2**63)
        if number == 2**63 or not made._low[index] <= number < made._high[index]:
            continue
        first = number | negative << 63
        with localcontext() as context:
            context.prec = 120
            second = int((value * 2**63 - number) * 2**64)
            third = int(((value * 2**63 - number) * 2**64 - second) * 2**64)
        for more, expected in [
            ([second - 1], index),
            ([second + 1], index + 1),
            ([second, third - 1], index),
            ([second, third + 1], index + 1),
        ]:
            if min(more) < 0 or max(more) >= 2**64:
                continue
            source = Scripted([first, *more])
            assert made.draw(1, source).tolist() == [-expected if negative else expected]
            assert not source.left, "a word was not needed: the decision was not ambiguous"


def test_the_unbounded_tail_is_reached():
    """Behind the last threshold the table knows nothing, and further words decide rightly."""
    law = LAWS[0]
    with localcontext() as context:
        context.prec = 120
        value = 1 - Decimal(2) ** -120
        expected = next(k for k, bound in enumerate(thresholds(law, 200)) if value < bound)
    source = Scripted([2**63 - 1, 2**64 - 2**7])  # 120 ones
    assert table(law).draw(1, source).tolist() == [expected]
    assert expected > len(table(law)._high)


def test_an_ambiguous_word_inside_a_long_call_is_decided_likewise():
    law = LAWS[0]
    number = int(thresholds(law, 5)[4] * 2**63)
    words = SeededRandom(17).words(10_000).tolist()
    plain = table(law).draw(10_000, Scripted(words))
    words[1234] = number
    for more, expected in [([0], 4), ([2**64 - 1], 5)]:
        drawn = table(law).draw(10_000, Scripted([*words, *more]))
        assert drawn[1234] == expected
        assert np.array_equal(np.delete(drawn, 1234), np.delete(plain, 1234))


def test_short_and_long_calls_agree():
    words = SeededRandom(18).words(60_000)
    law = Law(linear=Fraction(0), quadratic=Fraction(1, 5000), signed=True)
    long = table(law).draw(60_000, Scripted(words))
    short = [table(law).draw(6_000, Scripted(part)) for part in np.split(words, 10)]
    assert np.array_equal(long, np.concatenate(short))


def test_a_coin_of_the_spread_route_is_decided_exactly():
    """One proposal whose coin agrees with exp(-loss) in its first 64 digits."""
    sigma_squared = Fraction(2**18)  # shift 2: coarse * 4 + fine, in units of 128 per deviation
    coarse_law = Law(linear=Fraction(0), quadratic=Fraction(1, 2**15), signed=False)
    coarse = 500
    inside = int(table(coarse_law)._high[coarse - 1])  # the smallest number that surely gives it
    fine = 3
    loss = Fraction(fine, 4) * (2 * coarse + Fraction(fine, 4)) / 2**15
    with localcontext() as context:
        context.prec = 120
        truth = (-Decimal(loss.numerator) / Decimal(loss.denominator)).exp() * 2**64
    coin = int(truth)
    second = int((truth - coin) * 2**64)
    accepted = Scripted([inside, fine, coin, second - 2])
    drawn = discrete_gaussian(sigma_squared, size=1, rng=accepted)
    assert drawn.tolist() == [4 * coarse + fine]
    # The same coin a hair above is refused, so the next proposal (plus 4 * 0 + 1) is taken.
    refused = Scripted([inside, fine, coin, second + 2, 0, 1, 0])
    assert discrete_gaussian(sigma_squared, size=1, rng=refused).tolist() == [1]
    assert not accepted.left
    assert not refused.left


def test_zero_is_not_drawn_twice_as_often_by_the_spread_route():
    negative_zero, plus_one = [0, 1 << 63, 0], [0, 1, 0]
    source = Scripted([*negative_zero, *plus_one])
    assert discrete_gaussian(Fraction(2**18), size=1, rng=source).tolist() == [1]


def test_decisions_by_floating_point_are_proven_ones():
    """Each accept or refuse of the vectorized bound agrees with the exact bound."""
    law = Law(linear=Fraction(0), quadratic=Fraction(1, 2**15), signed=False)
    rng = SeededRandom(19)
    coarse = np.abs(table(law).draw(3000, rng))
    fine = (rng.words(3000) & np.uint64(3)).view(np.int64)
    losses = [
        Fraction(f, 4) * (2 * k + Fraction(f, 4)) / 2**15
        for k, f in zip(coarse.tolist(), fine.tolist(), strict=True)
    ]
    near = np.array([exp_lower(loss, 64) for loss in losses], dtype=np.float64)
    coins = (near * (1 - 1e-9 * np.arange(-1500, 1500) / 100)).clip(0, 2.0**64 - 2048)
    kept = samplers._accepted(
        law, coarse, fine, shift=2, rng=Scripted([*coins.astype(np.uint64), *[2**63] * 3000])
    )
    for coin, loss, answer in zip(coins.astype(np.uint64).tolist(), losses, kept, strict=True):
        lower = exp_lower(loss, 64)
        if coin < lower:
            assert answer
        if coin >= lower + 2:
            assert not answer
    assert 500 < kept.sum() < 2500


@pytest.mark.parametrize(
    ("sigma_squared", "error"),
    [
        (2.0, TypeError),
        (True, TypeError),
        (Fraction(0), ValueError),
        (Fraction(-1), ValueError),
        (Fraction(2**96 + 1), ValueError),
    ],
)
def test_refuses_what_has_no_exact_law(sigma_squared, error):
    with pytest.raises(error, match="sigma_squared"):
        discrete_gaussian(sigma_squared, size=1, rng=SeededRandom(0))


@pytest.mark.parametrize("sigma_squared", [Fraction(9), Fraction(10**9)])
def test_no_draws_are_no_draws(sigma_squared):
    assert discrete_gaussian(sigma_squared, size=0, rng=Scripted([])).shape == (0,)


def test_the_mean_square_is_below_the_parameter():
    # Corollary 9 of the paper: the variance is at most sigma_squared, and near it from 1 on.
    draws = discrete_gaussian(Fraction(1), size=1_000_000, rng=SeededRandom(20))
    support = np.arange(-20, 21)
    truth = float((pmf(support, 1) * support**2).sum())
    assert truth <= 1
    fourth = float((pmf(support, 1) * support**4).sum())
    spread = 6 * sqrt((fourth - truth**2) / draws.size)  # 6 standard errors: 2e-9
    assert abs((draws**2).mean() - truth) < spread + exp(-50)
