import numpy as np
import pytest

from dpsynth.encoding.coarsening import Coarsening

TWO = Coarsening(groups=np.array([0, 0, 1, 1, 1]), weights=np.array([3.0, 1.0, 0.0, 2.0, 2.0]))


def test_weights_are_shares_within_a_group():
    assert TWO.weights.tolist() == [0.75, 0.25, 0.0, 0.5, 0.5]
    empty = Coarsening(groups=np.array([0, 1, 1]), weights=np.zeros(3))
    assert empty.weights.tolist() == [1.0, 0.5, 0.5]


def test_expanding_keeps_shares_systematically():
    codes = np.repeat(np.array([1, 0], dtype=np.uint8), [10, 8])
    fine = TWO.expand(codes, np.random.default_rng(0))
    assert fine.dtype == np.uint8
    assert np.array_equal(TWO.groups[fine], codes)
    assert np.bincount(fine, minlength=5).tolist() == [6, 2, 0, 5, 5]


def test_which_row_gets_which_code_is_random():
    codes = np.zeros(1000, dtype=np.uint8)
    fine = TWO.expand(codes, np.random.default_rng(0))
    # 750 and 250 in random order: the first half holds 375 +- 9.7 zeros; 6 standard deviations
    # either way fail once in 10**9, and an ordered result (500 or 250) is far outside.
    assert 317 < np.count_nonzero(fine[:500] == 0) < 433


def test_identity_and_no_rows():
    same = Coarsening.identity(3)
    codes = np.array([2, 0, 1, 1], dtype=np.uint16)
    assert same.expand(codes, np.random.default_rng(0)).tolist() == [2, 0, 1, 1]
    assert same.expand(np.array([], dtype=np.uint8), np.random.default_rng(0)).size == 0


def test_then_composes():
    merged = TWO.then(Coarsening(groups=np.array([0, 0]), weights=np.array([1.0, 3.0])))
    assert merged.groups.tolist() == [0] * 5
    assert np.allclose(merged.weights, [0.1875, 0.0625, 0, 0.375, 0.375])
    with pytest.raises(ValueError, match="must start from 2 codes"):
        TWO.then(Coarsening.identity(5))


def test_many_groups_expand_within_themselves():
    rng = np.random.default_rng(3)
    groups = np.sort(rng.integers(0, 400, 1200))
    groups = np.unique(groups, return_inverse=True)[1]
    tool = Coarsening(groups=rng.permutation(groups), weights=rng.random(1200))
    codes = rng.integers(0, tool.size, 20_000)
    assert np.array_equal(tool.groups[tool.expand(codes, rng)], codes)


@pytest.mark.parametrize(
    ("groups", "weights"),
    [([0, 2], [1, 1]), ([0], [-1]), ([0], [np.nan]), ([0, 0], [1]), ([], []), ([-1, 0], [1, 1])],
)
def test_what_is_no_regrouping_is_refused(groups, weights):
    with pytest.raises(ValueError, match="must"):
        Coarsening(groups=np.array(groups, dtype=int), weights=np.array(weights, dtype=float))
