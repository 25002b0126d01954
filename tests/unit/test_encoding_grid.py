import numpy as np
import pytest

from dpsynth.encoding import grid


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("low", "high"), [(0, 99_999), (-100_000, 1_000_000), (1000, 2_000_000), (-70_000, -10)]
)
def test_cells_cover_the_range_without_gaps(low, high, whole):
    cut = grid.fine(low, high, whole=whole)
    assert cut.starts[0] == low
    assert cut.last == high
    assert 100 < cut.size <= 530
    following = cut.ends[:-1] + 1 if whole else np.nextafter(cut.ends[:-1], np.inf)
    assert np.array_equal(following, cut.starts[1:])
    inside = np.random.default_rng(0).uniform(low, high, 1000)
    cells = cut.locate(inside)
    values = np.rint(inside) if whole else inside
    assert np.all((cut.starts[cells] <= values) & (values <= cut.ends[cells]))


def test_both_ends_and_zero_have_cells_of_their_own():
    for whole in (True, False):
        cut = grid.fine(-1000, 10_000, whole=whole)
        alone = cut.starts[cut.starts == cut.ends]
        assert {-1000, 0, 10_000} <= set(alone.tolist())


def test_small_amounts_are_resolved_as_well_as_large_ones():
    cut = grid.fine(0, 100_000, whole=False)
    widths = (cut.ends - cut.starts)[2:]
    starts = cut.starts[2:]
    assert widths.max() <= 100_000 / 256 * 1.001
    thick = starts > 100_000 / 2**15
    assert np.all(widths[thick] <= np.maximum(starts[thick] / 8, 0) * 1.001)


def test_whole_numbers_are_never_split():
    for low, high in [(0, 400), (0, 5000), (-300, 300)]:
        cut = grid.fine(low, high, whole=True)
        assert np.all(cut.starts == np.rint(cut.starts))
        assert np.all(cut.ends >= cut.starts)
    assert grid.fine(0, 511, whole=True).size == 512


@pytest.mark.parametrize("whole", [True, False])
def test_powers_of_two_where_nothing_is_declared(whole):
    cut = grid.powers(whole=whole)
    assert cut.starts[0] == -(2**40)
    assert cut.last == 2**40
    assert cut.size < 1300
    zero = cut.locate(np.array([0.0]))[0]
    assert cut.starts[zero] == cut.ends[zero] == 0
    # Year numbers must not fall into one cell.
    assert len(set(cut.locate(np.array([1700.0, 1850.0, 1950.0, 2020.0])).tolist())) >= 3


def test_values_drawn_fill_their_cell():
    cut = grid.from_edges(np.array([0.0, 10.0, 30.0]), whole=True)
    drawn = cut.draw(np.repeat([0, 1], 2000), np.random.default_rng(0))
    assert set(drawn[:2000]) == set(range(10))
    assert set(drawn[2000:]) == set(range(10, 31))


def test_extreme_bounds_stay_finite():
    for low, high in [(-8e307, 8e307), (5e-324, 1e-320), (1.0, np.nextafter(1.0, 2))]:
        cut = grid.fine(low, high, whole=False)
        drawn = cut.draw(np.arange(cut.size), np.random.default_rng(0))
        assert np.all(np.isfinite(drawn))
        assert np.all((drawn >= low) & (drawn <= high))


@pytest.mark.parametrize("low", [0, -7, 1950])
def test_as_many_bins_as_whole_numbers_give_every_number_a_bin(low):
    lost = [n for n in range(1, 400) if grid.equal(low, low + n - 1, n, whole=True).size != n]
    assert not lost


@pytest.mark.parametrize(("low", "high", "count"), [(0, 99, 10), (0, 9, 4), (-5, 2**53, 7)])
def test_bins_of_whole_numbers_are_as_even_as_they_can_be(low, high, count):
    cut = grid.equal(low, high, count, whole=True)
    assert cut.size == count
    widths = [int(end) - int(start) + 1 for start, end in zip(cut.starts, cut.ends, strict=True)]
    assert max(widths) - min(widths) <= (1 if high < 2**52 else 2)  # above 2**53 not all are floats


@pytest.mark.parametrize(
    "cut",
    [
        grid.fine(0, 1e-9, whole=False),
        grid.fine(-1, 7.3, whole=False),
        grid.fine(-3e13, 1e14, whole=False),
        grid.fine(0, 10**6, whole=True),
        grid.each(-3, 3),
        grid.equal(0, 2.0**62, 7, whole=True),
        grid.from_edges(np.array([0, 0.1, 0.1000000001, 5.3]), whole=False),
        grid.from_edges(np.array([0, 5.3, 9]), whole=False).split(np.array([1e-7, 5.3 + 1e-9])),
        grid.powers(whole=False),
        grid.powers(whole=True),
    ],
    ids=lambda cut: f"{cut.size} cells from {cut.starts[0]:.3g} to {cut.last:.3g}",
)
def test_equal_words_are_of_one_cell(cut):
    """Else one more row could hand another row's control coin from one code to another."""
    near = [cut.starts, cut.ends, -cut.starts, [0, 0.5, -0.5, 2e12, 2.0**60, 2.0**63, np.inf]]
    values = np.concatenate([np.asarray(each, dtype=np.float64) for each in near])
    steps = (0, 4e-7, -4e-7, 5e-7, -5e-7, 0.5, -0.5)
    values = np.concatenate([values + step for step in steps])
    values = np.concatenate([values, np.nextafter(values, np.inf), np.nextafter(values, -np.inf)])
    cells = cut.locate(values)
    words = cut.words(values, cells)
    assert words.max() < 2**63 - 2
    held = {}
    for word, cell in zip(words.tolist(), cells.tolist(), strict=True):
        assert held.setdefault(word, cell) == cell
    assert len(held) >= cut.size
