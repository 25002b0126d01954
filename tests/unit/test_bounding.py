"""Digests, bounding and the control coin on tables small enough to follow by eye."""

from fractions import Fraction
from hashlib import sha256
from time import perf_counter

import numpy as np
import pytest
from scipy import stats

from dpsynth.privacy.bounding import bound_rows, content_digests, control_coin, person_digests

KEY = bytes(range(32))
OTHER = bytes(32)


def hexadecimal(text):
    """Return what any engine with SHA-256 of text can compute."""
    return sha256(text.encode("ascii")).hexdigest()


def words(rows):
    return np.array(rows, dtype=np.uint64)


def test_the_digests_are_fixed_for_ever():
    """A control must stay one in later releases, so these values never change."""
    content = words([[1, 2], [3, 4], [1, 2]])
    key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
    first = hexadecimal(f"{key}row:{1:016x}{2:016x}")
    copy = hexadecimal(f"{key}copy:{first[:32]}{1:016x}")
    digests = content_digests(content, key=KEY)
    assert [f"{digest:016x}" for digest in digests[[0, 2]].tolist()] == [first[:16], copy[:16]]
    assert digests.tolist() == [4410278940415309076, 2340208663350478253, 7025994381504401344]
    person = hexadecimal(f"{key}person:p1")
    assert person_digests([b"p1", b"p2"], key=KEY).tolist() == [
        int(person[:16], 16),
        3774843349035640160,
    ]
    coin = hexadecimal(f"{key}coin:{5:016x}")
    coins = control_coin(np.arange(6, dtype=np.uint64), share=Fraction(1, 2), key=KEY)
    assert coins.tolist() == [True, False, True, False, False, False]
    assert bool(coins[5]) == (int(coin[:16], 16) < 2**63)


def test_copies_are_told_apart_and_the_key_matters():
    content = words([[7, 7]] * 50)
    assert np.unique(content_digests(content, key=KEY)).size == 50
    assert not set(content_digests(content, key=KEY)) & set(content_digests(content, key=OTHER))


def test_layout_in_memory_does_not_matter():
    content = words([[1, 2, 3], [4, 5, 6]])
    expected = content_digests(content, key=KEY).tolist()
    assert content_digests(np.asfortranarray(content), key=KEY).tolist() == expected
    assert content_digests(np.repeat(content, 2, axis=1)[:, ::2], key=KEY).tolist() == expected


def test_empty_tables_and_tables_without_columns():
    assert content_digests(np.empty((0, 3), dtype=np.uint64), key=KEY).shape == (0,)
    assert np.unique(content_digests(np.empty((5, 0), dtype=np.uint64), key=KEY)).size == 5
    assert person_digests([], key=KEY).shape == (0,)
    none = np.empty(0, dtype=np.int64)
    assert bound_rows(none.view(np.uint64), none, max_rows=3).shape == (0,)
    assert control_coin(none.view(np.uint64), share=Fraction(1, 2), key=KEY).shape == (0,)


@pytest.mark.parametrize("content", [np.zeros((2, 2)), np.zeros(2, dtype=np.uint64)])
def test_content_is_a_table_of_words(content):
    with pytest.raises(TypeError, match="two-dimensional uint64"):
        content_digests(content, key=KEY)


def test_a_key_is_required():
    with pytest.raises(ValueError, match="key must not be empty"):
        person_digests([b"p"], key=b"")


def test_the_uses_of_one_key_do_not_meet():
    """Neither a digest of an id nor its coin can be computed from the other kinds."""
    number = words([[1]])
    as_content = content_digests(number, key=KEY)[0]
    as_person = person_digests([number.tobytes()], key=KEY)[0]
    assert as_content != as_person
    text = f"{1:016x}".encode("ascii")
    assert person_digests([text], key=KEY)[0] not in (as_content, as_person)


def test_every_row_is_kept_where_rows_are_units():
    assert bound_rows(words([3, 1, 2]), None, max_rows=1).all()
    with pytest.raises(ValueError, match="max_rows must be 1"):
        bound_rows(words([3, 1, 2]), None, max_rows=2)


def test_the_smallest_digests_of_each_person_are_kept():
    digests = words([5, 1, 9, 2**64 - 1, 0, 7])
    persons = np.array([4, 4, 4, 8, 8, 2])
    assert bound_rows(digests, persons, max_rows=1).tolist() == [
        False, True, False, False, True, True,
    ]  # fmt: skip
    assert bound_rows(digests, persons, max_rows=2).tolist() == [
        True, True, False, True, True, True,
    ]  # fmt: skip
    assert bound_rows(digests, persons, max_rows=3).all()


def test_rows_without_a_person_are_dropped():
    """They would be one shared nobody, who no single person could be added to or removed from."""
    persons = np.array([-1, 0, -1, 1, -1])
    kept = bound_rows(words([0, 1, 2, 3, 4]), persons, max_rows=4)
    assert kept.tolist() == [False, True, False, True, False]


@pytest.mark.parametrize("max_rows", [0, -1])
def test_a_bound_is_at_least_one(max_rows):
    with pytest.raises(ValueError, match="max_rows"):
        bound_rows(words([1]), None, max_rows=max_rows)


def test_digests_and_persons_go_together():
    with pytest.raises(ValueError, match="same length"):
        bound_rows(words([1, 2]), np.array([0]), max_rows=1)


def test_the_coin_has_its_share():
    """False alarms: 5e-7 a share, by exact binomial tests."""
    units = np.arange(200_000, dtype=np.uint64)
    for share in (Fraction(1, 100), Fraction(1, 10), Fraction(1, 2), Fraction(2, 3)):
        heads = int(control_coin(units, share=share, key=KEY).sum())
        assert stats.binomtest(heads, units.size, float(share)).pvalue > 5e-7


def test_the_coin_is_stable_and_keyed():
    units = person_digests([f"p{i}".encode() for i in range(2000)], key=KEY)
    coin = control_coin(units, share=Fraction(1, 2), key=KEY)
    assert np.array_equal(control_coin(units[::-1], share=Fraction(1, 2), key=KEY)[::-1], coin)
    other = control_coin(units, share=Fraction(1, 2), key=OTHER)
    # Unrelated coins agree on half the units; 6 standard errors: 2e-9.
    assert abs(int((coin == other).sum()) - 1000) < 6 * np.sqrt(2000) / 2
    # A larger share adds controls and removes none.
    assert not (coin & ~control_coin(units, share=Fraction(3, 5), key=KEY)).any()


def test_the_coin_does_not_see_which_rows_are_kept():
    """Bounding keeps small digests; were the coin the digest itself, it would follow them."""
    digests = np.arange(1000, dtype=np.uint64)
    heads = int(control_coin(digests, share=Fraction(1, 2), key=KEY).sum())
    assert 400 < heads < 600


def test_the_ends_of_the_share_are_exact():
    units = words([0, 1, 2**64 - 1])
    assert not control_coin(units, share=Fraction(0), key=KEY).any()
    assert control_coin(units, share=Fraction(1), key=KEY).all()
    assert not control_coin(units, share=Fraction(1, 2**65), key=KEY).any()


@pytest.mark.parametrize(
    ("share", "error"),
    [(Fraction(-1, 2), ValueError), (Fraction(3, 2), ValueError), (0.1, TypeError)],
)
def test_a_share_is_an_exact_proportion(share, error):
    with pytest.raises(error, match="share"):
        control_coin(words([1]), share=share, key=KEY)


def test_a_hundred_thousand_rows_take_a_moment():
    content = np.random.default_rng(1).integers(0, 9, (100_000, 50)).astype(np.uint64)
    started = perf_counter()
    content_digests(content, key=KEY)
    assert perf_counter() - started < 3.0  # 0.2 s where the machine is quiet
