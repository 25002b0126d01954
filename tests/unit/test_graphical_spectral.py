"""Noise taken off pair tables by singular values."""

import numpy as np
import pytest

from dpsynth.models.graphical.spectral import sharpened
from dpsynth.models.graphical.tables import NoisyTable

ROWS, SHAPE = 20_000, (20, 12)


def real_table(rank, seed=0, strength=0.5):
    """A product of two columns, and deviations along ``rank`` directions."""
    rng = np.random.default_rng(seed)
    shares = [rng.dirichlet(np.full(size, 5.0)) for size in SHAPE]
    table = np.outer(*shares)
    for _ in range(rank):
        first, second = (rng.uniform(-1, 1, size) for size in SHAPE)
        first -= (first * shares[0]).sum()
        second -= (second * shares[1]).sum()
        table = table + strength / rank * np.outer(shares[0] * first, shares[1] * second)
    return ROWS * table / table.sum()


def noisy(real, stddev, seed):
    values = real + np.random.default_rng(seed).normal(0, stddev, real.shape)
    return NoisyTable(clique=("a", "b"), values=values, variance=np.full(real.shape, stddev**2))


@pytest.mark.parametrize("rank", [0, 1, 2])
@pytest.mark.parametrize("stddev", [5.0, 20.0, 60.0])
def test_what_depends_along_few_directions_comes_closer(rank, stddev):
    """Less than 0.8 of the squared error is left in the mean of 20 tables, and never all of it."""
    left = []
    for seed in range(20):
        real = real_table(rank, seed)
        table = noisy(real, stddev, seed)
        left.append(
            ((sharpened(table).values - real) ** 2).sum() / ((table.values - real) ** 2).sum()
        )
    assert max(left) < 1
    assert np.mean(left) < 0.8


def test_a_strong_table_of_full_rank_is_hardly_moved():
    rng = np.random.default_rng(3)
    real = rng.uniform(0, 2 * ROWS / np.prod(SHAPE), SHAPE)
    table = noisy(real, 2.0, 3)
    moved = np.abs(sharpened(table).values - real).mean() / np.abs(table.values - real).mean()
    assert moved == pytest.approx(1, abs=0.05)


def test_the_variance_that_is_said_to_be_left_is_about_what_is_left():
    wrong, said = [], []
    for seed in range(40):
        real = real_table(1, seed)
        table = sharpened(noisy(real, 20.0, seed))
        wrong.append(((table.values - real) ** 2).mean())
        said.append(table.variance.mean())
    assert np.mean(said) == pytest.approx(np.mean(wrong), rel=0.25)


def test_sums_over_columns_stay():
    table = noisy(real_table(2), 20.0, 0)
    after = sharpened(table)
    for axis in (0, 1):
        assert after.values.sum(axis) == pytest.approx(table.values.sum(axis), abs=1e-6)
    assert after.clique == table.clique


@pytest.mark.parametrize("shape", [(2, 9), (9, 2), (1, 5)])
def test_two_codes_have_one_direction_and_stay(shape):
    table = NoisyTable(clique=("a", "b"), values=np.ones(shape), variance=np.ones(shape))
    assert sharpened(table) is table
