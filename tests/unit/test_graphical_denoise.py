"""Smoothing helps where it should, and leaves alone what it must."""

import numpy as np
import pytest

from dpsynth.models.graphical.denoise import smooth_histogram


def errors(truth, stddev, *, seeds=20):
    """Mean L1 error of noisy counts cut at 0, and of smoothed ones."""
    raw, smooth = [], []
    for seed in range(seeds):
        noisy = truth + np.random.default_rng(seed).normal(0, stddev, truth.size)
        raw.append(np.abs(np.maximum(noisy, 0) - truth).sum())
        smooth.append(np.abs(smooth_histogram(noisy, stddev) - truth).sum())
    return np.mean(raw), np.mean(smooth)


def test_many_empty_cells_and_a_few_large_ones():
    truth = np.zeros(100)
    truth[[3, 50]] = 4_000.0, 900.0
    raw, smooth = errors(truth, 40.0)
    assert smooth < 0.35 * raw


def test_cells_of_one_size():
    raw, smooth = errors(np.full(60, 300.0), 50.0)
    assert smooth < 0.4 * raw


def test_cells_far_apart_are_not_harmed():
    raw, smooth = errors(np.arange(1, 31) ** 2 * 100.0, 20.0)
    assert smooth < 1.1 * raw


def test_the_order_of_codes_plays_no_part():
    rng = np.random.default_rng(2)
    noisy, order = rng.normal(50, 60, 40), rng.permutation(40)
    assert smooth_histogram(noisy[order], 30.0) == pytest.approx(
        smooth_histogram(noisy, 30.0)[order]
    )


@pytest.mark.parametrize(
    "values", [[-1e7] * 8, [0.0] * 8, [1e12, *[-5.0] * 7], [-4.0], [3.0, -2.0]]
)
@pytest.mark.parametrize("stddev", [1e-3, 1.0, 1e5])
def test_extremes_stay_finite_and_non_negative(values, stddev):
    found = smooth_histogram(np.array(values), stddev)
    assert np.isfinite(found).all()
    assert (found >= 0).all()
