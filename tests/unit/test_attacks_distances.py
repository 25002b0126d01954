"""Closest rows by mixed columns, against plain loops; ties, missing codes, blocks."""

from fractions import Fraction

import numpy as np
import pytest

from attacks.engine import pairs as engine
from attacks.engine.distances import closest, closest_without_each, space


def plain(targets, release, within, *, skip=None):
    """Distances of all pairs, as exact fractions."""
    result = []
    for mine in targets.tolist():
        row = []
        for theirs in release.tolist():
            total = Fraction(0)
            for place, (a, b) in enumerate(zip(mine, theirs, strict=True)):
                if place == skip or a == b:
                    continue
                alike = within.ordered[place] and within.missing[place] not in (a, b)
                steps = max(1, within.ordinary[place] - 1)
                total += Fraction(abs(a - b), steps) if alike else 1
            row.append(total)
        result.append(row)
    return result


def ranked(all_pairs, k):
    """Of each target the ``k`` smallest with their rows, lower rows first."""
    return [sorted((value, row) for row, value in enumerate(line))[:k] for line in all_pairs]


def same(found, expected):
    for target, pairs in enumerate(expected):
        for rank, (value, row) in enumerate(pairs):
            assert found.index[target, rank] == row
            assert found.distance[target, rank] == pytest.approx(float(value), rel=1e-6)


def mixed(rng, rows, *, sizes=(3, 9, 5, 300, 2, 12), high=None):
    return np.column_stack([rng.integers(0, high or size, rows) for size in sizes]).astype(np.int32)


NAMES = tuple("abcdef")
SIZES = dict(zip(NAMES, (3, 9, 5, 300, 2, 12), strict=True))
ORDERED = dict(zip(NAMES, (False, True, False, True, False, True), strict=True))
MISSING = {"b": 8, "c": 4, "f": 11}
SPACE = space(SIZES, ORDERED, NAMES, missing=MISSING)


def test_a_space_knows_the_missing_code():
    assert SPACE.missing == (-1, 8, 4, -1, -1, 11)
    assert SPACE.ordinary == (3, 8, 4, 300, 2, 11)


@pytest.mark.parametrize("k", [1, 3, 50])
@pytest.mark.parametrize("high", [None, 2])  # with 2, many rows are equal and many are tied
def test_equals_plain_comparison(k, high):
    rng = np.random.default_rng(3)
    targets, release = mixed(rng, 25, high=high), mixed(rng, 60, high=high)
    found = closest(targets, release, SPACE, k=k)
    same(found, ranked(plain(targets, release, SPACE), k))


def test_blocks_and_groups_change_nothing(monkeypatch):
    rng = np.random.default_rng(4)
    targets, release = mixed(rng, 30), mixed(rng, 400)
    expected = ranked(plain(targets, release, SPACE), 4)
    monkeypatch.setattr(engine, "_PAIRS", 1000)
    monkeypatch.setattr(engine, "_TOGETHER", 4)
    monkeypatch.setattr(engine, "_GROUPS", 16)
    same(closest(targets, release, SPACE, k=4), expected)


@pytest.mark.parametrize("high", [None, 2])
def test_own_rows_are_left_out(high):
    rows = mixed(np.random.default_rng(5), 40, high=high)
    pairs = plain(rows, rows, SPACE)
    for row, line in enumerate(pairs):
        line[row] = Fraction(99)
    same(closest(rows, rows, SPACE, k=3, exclude_own=True), ranked(pairs, 3))


@pytest.mark.parametrize("high", [None, 2])
def test_without_each_column_in_turn(high):
    rng = np.random.default_rng(6)
    targets, release = mixed(rng, 20, high=high), mixed(rng, 70, high=high)
    found = closest_without_each(targets, release, SPACE)
    for place in range(len(NAMES)):
        expected = ranked(plain(targets, release, SPACE, skip=place), 1)
        assert found.index[place].tolist() == [line[0][1] for line in expected]
        assert found.distance[place] == pytest.approx([float(line[0][0]) for line in expected])


def test_the_missing_code_is_near_to_nothing_but_itself():
    one = space({"x": 11}, {"x": True}, ("x",), missing={"x": 10})
    release = np.array([[9], [10], [0]], dtype=np.int32)
    found = closest(np.array([[10], [8]], dtype=np.int32), release, one, k=3)
    assert found.index.tolist() == [[1, 0, 2], [0, 2, 1]]
    assert found.distance[0].tolist() == [0, 1, 1]
    assert found.distance[1].tolist() == pytest.approx([1 / 9, 8 / 9, 1])


def test_fewer_rows_than_asked_for():
    release = mixed(np.random.default_rng(7), 2)
    found = closest(release, release, SPACE, k=3)
    assert found.index[:, 2].tolist() == [-1, -1]
    assert np.isinf(found.distance[:, 2]).all()
    alone = closest(release[:1], release[:1], SPACE, k=1, exclude_own=True)
    assert alone.index.tolist() == [[-1]]


def test_an_empty_release_and_no_targets():
    rows = mixed(np.random.default_rng(8), 3)
    assert (closest(rows, rows[:0], SPACE, k=1).index == -1).all()
    assert closest(rows[:0], rows, SPACE, k=2).index.shape == (0, 2)
    assert (closest_without_each(rows, rows[:0], SPACE).index == -1).all()
    assert closest_without_each(rows[:0], rows, SPACE).index.shape == (6, 0)


def test_no_column_at_all():
    found = closest(np.empty((2, 0), np.int32), np.empty((3, 0), np.int32), space({}, {}, ()), k=2)
    assert found.index.tolist() == [[0, 1], [0, 1]]


def test_differences_that_sixteen_bits_do_not_show():
    """300 differences of 4/1000 sum to more than one of 1000/1000, though each rounds to none."""
    names = [f"c{place}" for place in range(300)]
    wide = space(dict.fromkeys(names, 1001), dict.fromkeys(names, True), names)
    release = np.full((2, 300), 4, dtype=np.int32)
    release[1] = 0
    release[1, 0] = 1000
    target = np.zeros((1, 300), dtype=np.int32)
    found = closest(target, release, wide, k=1)
    assert found.index.tolist() == [[1]]
    assert found.distance.tolist() == [[1]]
    assert closest_without_each(target, release, wide).index[1:].tolist() == [[1]] * 299


def test_more_unordered_columns_than_a_byte_counts():
    names = [f"c{place}" for place in range(600)]
    wide = space(dict.fromkeys(names, 2), dict.fromkeys(names, False), names)
    release = np.zeros((2, 600), dtype=np.int32)
    release[1, :599] = 1
    found = closest(np.ones((1, 600), dtype=np.int32), release, wide, k=2)
    assert found.index.tolist() == [[1, 0]]
    assert found.distance.tolist() == [[1, 600]]
