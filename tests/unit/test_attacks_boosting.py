"""Gradient boosting guesses what a release shows, and nothing else; the same every time."""

import numpy as np
import pytest

from attacks.attribute.boosting import Boosting, _features
from attacks.attribute.confidence import level
from attacks.attribute.inference import NearestVote
from attacks.base import Evidence, TooLittle
from attacks.engine.table import by_row

COLUMNS = ("a", "b", "c", "d", "secret")
KNOWN = COLUMNS[:-1]
SIZES = {"a": 40, "b": 300, "c": 2, "d": 2, "secret": 4}
ORDERED = {"a": True, "b": False, "c": False, "d": False, "secret": False}


def strangers(count, rng):
    """Make rows whose secret has nothing to do with the rest."""
    return np.column_stack([rng.integers(0, size, count) for size in SIZES.values()]).astype(
        np.int32
    )


def evidence(codes, **more):
    return Evidence(
        release=by_row(COLUMNS, codes),
        population=by_row(COLUMNS, codes[:0]),
        sizes=SIZES,
        ordered=ORDERED,
        **more,
    )


def told(attack, release, rows, **more):
    return attack.guess(evidence(release, **more), rows[:, :4], KNOWN, ("secret",))["secret"]


def test_a_pattern_of_two_columns_is_learnt_where_the_nearest_records_differ_in_one():
    rng = np.random.default_rng(0)
    columns = tuple(f"c{number}" for number in range(15))
    codes = rng.integers(0, 3, (2400, 15)).astype(np.int32)
    codes[:, 14] = (codes[:, 0] == codes[:, 1]).astype(np.int32)
    held = Evidence(
        release=by_row(columns, codes[:2000]),
        population=by_row(columns, codes[:0]),
        sizes=dict.fromkeys(columns, 3),
        ordered=dict.fromkeys(columns, False),
    )
    asked, truth = codes[2000:, :14], codes[2000:, 14]
    said = Boosting().guess(held, asked, columns[:14], ("c14",))["c14"]
    by_vote = NearestVote().guess(held, asked, columns[:14], ("c14",))["c14"]
    assert (said.values == truth).mean() > 0.97
    assert said.confident.mean() > 0.9
    assert (by_vote.values == truth).mean() < 0.9


def test_copies_are_learnt_by_heart_and_strangers_are_not_known():
    rng = np.random.default_rng(1)
    members, controls = strangers(1500, rng), strangers(1500, rng)
    inside, outside = told(Boosting(), members, members), told(Boosting(), members, controls)
    assert (inside.values == members[:, 4]).mean() > 0.85
    # A quarter is chance; six standard errors of 1500 guesses.
    assert abs((outside.values == controls[:, 4]).mean() - 0.25) < 6 * (0.1875 / 1500) ** 0.5


def test_the_same_guesses_every_time_and_whoever_else_is_asked():
    rng = np.random.default_rng(2)
    release, asked = strangers(600, rng), strangers(50, rng)
    first = told(Boosting(rows=400), release, asked, seed=3)
    again = told(Boosting(rows=400), release, asked, seed=3)
    assert first.values.tolist() == again.values.tolist()
    assert first.confident.tolist() == again.confident.tolist()
    few = told(Boosting(rows=400), release, asked[10:20], seed=3)
    assert few.values.tolist() == first.values[10:20].tolist()
    other = told(Boosting(rows=400), release, asked, seed=4)
    assert other.values.tolist() != first.values.tolist()


def test_unordered_codes_are_categories_and_many_of_them_numbers_as_well():
    rng = np.random.default_rng(3)
    release = strangers(4000, rng)
    features, asked, categorical = _features(
        evidence(release), KNOWN, release[:, :4], release[:9, :4]
    )
    assert categorical == [False, False, True, True, True]  # a; b as numbers; b; c; d
    assert features.shape[1] == asked.shape[1] == 5
    assert np.array_equal(features[:, 1], release[:, 1])
    assert features[:, 2].max() < 255  # what trees take


@pytest.mark.parametrize("share", [0.5, 0.7, 0.95])
def test_a_guess_that_only_leans_on_how_common_a_value_is_is_not_confident(share):
    rng = np.random.default_rng(4)
    release = strangers(1000, rng)
    release[:, :4] = 1
    release[:, 4] = np.arange(1000) >= 1000 * share
    said = told(Boosting(), release, release[:20])
    assert set(said.values) <= {0, 1}
    assert not said.confident.any()


def test_rare_codes_are_never_guessed_nor_taken_for_common_ones():
    rng = np.random.default_rng(4)
    release = strangers(1000, rng)
    release[:, 4] = np.where(release[:, 0] < 20, 0, 1)
    release[release[:, 0] == 39, 4] = 3
    said = told(Boosting(codes=2), release, release)
    assert set(said.values) <= {0, 1}
    rare = release[:, 4] == 3
    assert not said.confident[rare].any()
    assert said.confident[~rare].mean() > 0.9


def test_a_constant_secret_is_guessed_without_confidence():
    rng = np.random.default_rng(5)
    release = strangers(100, rng)
    release[:, 4] = 2
    said = told(Boosting(), release, release[:7])
    assert said.values.tolist() == [2] * 7
    assert not said.confident.any()


def test_constant_known_columns_and_one_person():
    rng = np.random.default_rng(6)
    release = strangers(100, rng)
    release[:, :4] = 1
    said = told(Boosting(), release, release[:1])
    assert said.values.shape == (1,)


def test_a_release_without_rows_is_too_little():
    rng = np.random.default_rng(0)
    with pytest.raises(TooLittle):
        told(Boosting(), strangers(0, rng), strangers(3, rng))


@pytest.mark.parametrize(("common", "expected"), [(0.5, 0.9), (0.8, 0.9), (0.96, 0.98), (1.0, 1.0)])
def test_the_level_rises_with_the_commonest_code(common, expected):
    ones = round(100 * (1 - common))
    assert level(np.array([100 - ones, ones])) == pytest.approx(expected)


def test_the_level_of_an_empty_release_is_never_reached():
    assert level(np.zeros(3, dtype=np.int64)) == 1.0
