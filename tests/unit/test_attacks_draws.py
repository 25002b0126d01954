"""Tests of single properties of noise: bounds that hold, and that see what they are for.

False alarms: seeds are fixed here, so red means that something changed.
"""

from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import binom, norm

from attacks.stats import draws
from attacks.stats.laws import GaussianLaw, LaplaceLaw
from dpsynth.testing import noise

GAUSSIAN = GaussianLaw(sigma_squared=Fraction(100))
LAPLACE = LaplaceLaw(scale=Fraction(10))
LAWS = [GAUSSIAN, LAPLACE]
SIZE = 20_000


def drawn(law, seed=0):
    if law is GAUSSIAN:
        return noise.gaussian(law.sigma_squared, size=SIZE, seed=seed)
    return noise.laplace(law.scale, size=SIZE, seed=seed)


@pytest.mark.parametrize("chance", [1e-6, 0.02, 0.5, 0.97])
@pytest.mark.parametrize("trials", [7, 300])
def test_a_bound_of_a_tail_is_above_the_tail(chance, trials):
    for hits in range(trials + 1):
        above = draws.tail_bound(hits, trials, chance, above=True)
        below = draws.tail_bound(hits, trials, chance, above=False)
        assert above >= binom.sf(hits - 1, trials, chance) * (1 - 1e-9)
        assert below >= binom.cdf(hits, trials, chance) * (1 - 1e-9)
    assert draws.tail_bound(3, 7, 0.0, above=True) == 0
    assert draws.tail_bound(0, 7, 0.0, above=True) == 1
    assert draws.tail_bound(6, 7, 1.0, above=False) == 0


@pytest.mark.parametrize("law", LAWS, ids=["gaussian", "laplace"])
def test_the_chances_of_values_add_up(law):
    total = sum(draws.chance_of(law, value) for value in range(-300, 301))
    assert abs(total - 1) < 1e-9


@pytest.mark.parametrize("law", LAWS, ids=["gaussian", "laplace"])
def test_noise_as_it_should_be_is_likely(law):
    for seed in range(20):
        found = drawn(law, seed)
        assert draws.commonest_value(law, found) > 1e-3
        assert draws.rarest_tail(law, found) > 1e-3
        assert draws.echo(found) > 1e-3
        assert draws.agreement(found[::2], found[1::2]) > 1e-3
        assert draws.spacing(found) == 1


@pytest.mark.parametrize("law", LAWS, ids=["gaussian", "laplace"])
def test_wider_noise_of_the_family_is_likely_where_it_is_allowed(law):
    for factor in (1.01, 1.3, 4, 100):
        wider = law.scaled(factor)
        found = (
            noise.gaussian(wider.sigma_squared, size=SIZE, seed=3)
            if law is GAUSSIAN
            else noise.laplace(wider.scale, size=SIZE, seed=3)
        )
        assert draws.commonest_value(law, found, wider=True) > 1e-3
        assert draws.rarest_tail(law, found) > 1e-3


@pytest.mark.parametrize("law", LAWS, ids=["gaussian", "laplace"])
def test_what_is_wrong_is_unlikely(law):
    right = drawn(law)
    zeros = np.where(np.arange(SIZE) % 25 == 0, 0, right)
    assert draws.commonest_value(law, zeros) < 1e-9
    assert draws.commonest_value(law, zeros, wider=True) < 1e-9
    assert draws.rarest_tail(law, np.clip(right, -25, 25)) < 1e-9
    assert draws.spacing(7 * right + 3) == 7
    assert draws.spacing(np.full(9, 4)) == 0


@pytest.mark.parametrize(
    "again",
    [
        lambda right: np.tile(right[:1000], 20),
        lambda right: np.concatenate([right[:10_000], right[:10_000][::-1]]),
        lambda right: np.concatenate([right[:10_000], -right[:10_000]]),
        lambda right: np.repeat(right[:10_000], 2),
        lambda right: np.abs(np.tile(right[:1000], 20)) * np.sign(right[::-1]),
        lambda right: np.sort(right),
    ],
    ids=["tiled", "mirrored", "negated", "doubled", "sizes alone", "sorted"],
)
def test_noise_that_hangs_together_is_unlikely(again):
    assert draws.echo(again(drawn(GAUSSIAN))) < 1e-9


def test_vectors_that_come_twice_are_counted_where_chance_would_not_do_it():
    long, short = drawn(GAUSSIAN)[:40], np.array([0, 1])
    assert draws.repeated([long, long.copy(), short, short], law=GAUSSIAN) == 1
    tiny = GaussianLaw(sigma_squared=Fraction(1, 1000))
    assert draws.repeated([np.zeros(40, dtype=np.int64)] * 2, law=tiny) == 0


@pytest.mark.parametrize("law", [*LAWS, GaussianLaw(sigma_squared=Fraction(9, 4))])
@pytest.mark.parametrize("cells", [1, 2, 9])
def test_the_chance_of_large_sums_is_that_of_the_convolved_law_or_a_hair_less(law, cells):
    reach = 400
    single = np.array([draws.chance_of(law, value) for value in range(-reach, reach + 1)])
    whole = np.ones(1)
    for _ in range(cells):
        whole = np.convolve(whole, single)
    distance = np.abs(np.arange(whole.size) - whole.size // 2)
    most = np.array([0, 3, 17, 40, 90])
    found = draws.sums_beyond(law, cells=cells, most=most)
    exact = np.array([whole[distance > each].sum() for each in most])
    nearly = np.array([whole[distance > each + 1].sum() for each in most])
    assert (found <= exact + 1e-12).all()
    assert (found >= nearly - 1e-12).all()


@pytest.mark.parametrize("scale", [150, 40_000])
def test_the_chance_of_large_sums_of_wide_noise_is_that_of_the_normal_law(scale):
    law = GaussianLaw(sigma_squared=Fraction(scale**2))
    most = (np.array([0.5, 1.0, 2.0, 2.5]) * scale * 2).astype(np.int64)
    found = draws.sums_beyond(law, cells=4, most=most)
    exact = 2 * norm.sf(most / (2 * scale))
    assert (found <= exact).all()
    np.testing.assert_allclose(found, exact, rtol=0.08)


@pytest.mark.parametrize("law", LAWS, ids=["gaussian", "laplace"])
def test_sums_of_independent_noise_pass_and_sums_that_are_kept_small_do_not(law):
    for seed in range(20):
        assert draws.narrowest_sums(law, list(drawn(law, seed).reshape(-1, 5))) > 1e-3
    vectors = drawn(law).reshape(-1, 5)
    width = (np.abs(vectors.sum(axis=1)).astype(float) ** 2).mean() ** 0.5
    kept = vectors[np.abs(vectors.sum(axis=1)) < 2 * width]
    assert draws.narrowest_sums(law, list(kept)) < 1e-20
    turned = vectors.copy()
    turned[:, 3:] = -vectors[:, :2]
    assert draws.narrowest_sums(law, list(turned)) < 1e-20
    assert draws.narrowest_sums(law, list(3 * vectors)) == 1
    assert draws.narrowest_sums(law, []) == 1
