"""Rows of a network that has drifted, held against noisy tables."""

import json
from itertools import combinations, pairwise

import numpy as np
import pytest

from dpsynth.domain import Domain
from dpsynth.models.graphical.raking import Correction
from dpsynth.models.graphical.tables import NoisyTable
from dpsynth.models.neural.correction import Targets

ROWS = 8_000
DOMAIN = Domain(
    sizes={"a": 4, "b": 2, "c": 7, "d": 12, "e": 3}, ordered=frozenset({"d"})
)  # a chain: each follows from the one before it
PAIRS = list(combinations(DOMAIN.columns, 2))


def world(seed):
    """The chances of each column's codes given those of the column before it."""
    rng = np.random.default_rng(seed)
    sizes = [1, *DOMAIN.sizes.values()]
    return [rng.dirichlet(np.full(size, 0.7), before) for before, size in pairwise(sizes)]


def drawn(chances, rows, rng):
    codes, before = {}, np.zeros(rows, dtype=np.int64)
    for name, table in zip(DOMAIN.columns, chances, strict=True):
        ends = np.cumsum(table, axis=1)
        before = (ends[before] < rng.random(rows)[:, None]).sum(1).clip(max=table.shape[1] - 1)
        codes[name] = before.astype(np.uint8)
    return codes


def drifted(chances, rng, by):
    """What noisy training makes of the chances: their logarithms are off by ``by``."""
    off = [table * np.exp(rng.normal(0, by, table.shape[1])) for table in chances]
    return [table / table.sum(1, keepdims=True) for table in off]


def table_of(codes, clique):
    shape = DOMAIN.shape(clique)
    places = np.ravel_multi_index([codes[name].astype(np.int64) for name in clique], shape)
    return np.bincount(places, minlength=DOMAIN.size(clique)).reshape(shape) / places.size


def error(codes, truth, cliques=PAIRS):
    apart = [np.abs(table_of(codes, each) - table_of(truth, each)).sum() / 2 for each in cliques]
    return float(np.mean(apart))


def noisy(truth, cliques, stddev, rng):
    found = []
    for clique in cliques:
        rows = table_of(truth, clique) * ROWS
        values = rows + rng.normal(0, stddev, rows.shape)
        variance = np.full(rows.shape, stddev**2)
        found.append(NoisyTable(clique=clique, values=values, variance=variance))
    return found


COLUMNS = [(name,) for name in DOMAIN.columns]


def corrected_errors(seed, *, by, stddev, cliques=(), pair_noise=20.0):
    """Return the error of pairs before and after."""
    rng = np.random.default_rng(seed)
    chances = world(seed)
    truth = drawn(chances, ROWS, rng)
    measured = noisy(truth, COLUMNS, stddev, rng) + noisy(truth, cliques, pair_noise, rng)
    targets = Targets.of(measured, DOMAIN, total=float(ROWS))
    candidates = drawn(drifted(chances, rng, by), targets.candidates_for(ROWS), rng)
    before = {name: codes[:ROWS] for name, codes in candidates.items()}
    taken = targets.taken(candidates, DOMAIN, rows=ROWS, rng=rng)
    after = {name: codes[taken] for name, codes in candidates.items()}
    return error(before, truth), error(after, truth)


def test_what_has_drifted_comes_back():
    found = np.array([corrected_errors(seed, by=0.3, stddev=20.0) for seed in range(8)])
    assert (found[:, 1] < 0.8 * found[:, 0]).all()
    assert found[:, 1].mean() < 0.5 * found[:, 0].mean()


@pytest.mark.parametrize("by", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("stddev", [5.0, 100.0, 2_000.0])
def test_pairs_are_not_made_worse(by, stddev):
    """Whether the network is right or off, and the noise small or far above what it could show.

    Were columns met without regard to their noise, the error at 2,000 rows of it would be seven
    times what it was.
    """
    found = np.array([corrected_errors(seed, by=by, stddev=stddev) for seed in range(6)])
    assert (found[:, 1] < 1.1 * found[:, 0]).all()
    assert found[:, 1].mean() < found[:, 0].mean()


def test_measured_pairs_are_followed():
    """Following the columns alone leaves the pair as unrelated as the rows were drawn."""
    rng = np.random.default_rng(3)
    truth = drawn(world(3), ROWS, rng)
    loose = {name: rng.permutation(codes) for name, codes in drawn(world(3), 16_000, rng).items()}
    columns, pair = noisy(truth, COLUMNS, 5.0, rng), noisy(truth, [("a", "b")], 5.0, rng)
    errors = []
    for measured in (columns, [*columns, *pair]):
        targets = Targets.of(measured, DOMAIN, total=float(ROWS))
        taken = targets.taken(loose, DOMAIN, rows=ROWS, rng=rng)
        after = {name: codes[taken] for name, codes in loose.items()}
        errors.append(error(after, truth, [("a", "b")]))
    assert errors[1] < 0.01 < 0.05 < errors[0]


@pytest.mark.parametrize("rows", [1, 37, 20_000])
def test_only_drawn_rows_are_taken_and_as_many_as_wanted(rows):
    rng = np.random.default_rng(0)
    candidates = drawn(world(0), 2_000, rng)
    measured = noisy(drawn(world(1), ROWS, rng), COLUMNS, 10.0, rng)
    taken = Targets.of(measured, DOMAIN, total=float(ROWS)).taken(
        candidates, DOMAIN, rows=rows, rng=rng
    )
    assert taken.shape == (rows,)
    assert 0 <= taken.min() <= taken.max() < 2_000


def test_a_column_that_was_not_measured_stays_as_the_network_has_it():
    rng = np.random.default_rng(5)
    truth = drawn(world(5), ROWS, rng)
    candidates = drawn(world(5), 16_000, rng)
    targets = Targets.of(noisy(truth, [("a",)], 5.0, rng), DOMAIN, total=float(ROWS))
    taken = targets.taken(candidates, DOMAIN, rows=ROWS, rng=rng)
    after = {name: codes[taken] for name, codes in candidates.items()}
    assert error(after, candidates, [("d",), ("e",)]) < 0.003


def test_a_pair_of_columns_of_one_code_is_no_trouble():
    """Where noise hides everything, every column may be merged to one code."""
    domain = Domain(sizes={"a": 1, "b": 1})
    tables = [Correction(clique=("a",), shares=np.ones(1), stddev=0.1)]
    tables += [Correction(clique=("a", "b"), shares=np.ones((1, 1)), stddev=0.1)]
    codes = {name: np.zeros(8_000, np.uint8) for name in domain.columns}
    taken = Targets(total=1.0, tables=tables).taken(
        codes, domain, rows=5, rng=np.random.default_rng(0)
    )
    assert taken.shape == (5,)


def test_the_same_generator_gives_the_same_rows():
    rng = np.random.default_rng(0)
    candidates = drawn(world(0), 9_000, rng)
    targets = Targets.of(noisy(candidates, COLUMNS, 10.0, rng), DOMAIN, total=float(ROWS))
    first, second = (
        targets.taken(candidates, DOMAIN, rows=3_000, rng=np.random.default_rng(1))
        for _ in range(2)
    )
    assert (first == second).all()


def test_columns_are_smoothed_along_their_order_or_not():
    """Noise of 100 rows in 12 codes that are alike: smoothing leaves less than half of it."""
    rng = np.random.default_rng(1)
    shares = np.full(12, 1 / 12)
    values = ROWS * shares + rng.normal(0, 100, 12)
    table = NoisyTable(clique=("d",), values=values, variance=np.full(12, 1e4))
    targets = Targets.of([table], DOMAIN, total=float(ROWS))
    assert np.abs(targets.columns["d"] - shares).sum() < 0.5 * np.abs(values / ROWS - shares).sum()


def test_a_table_measured_twice_is_known_better():
    tables = [
        NoisyTable(clique=("b",), values=np.array([low, 8_000 - low]), variance=np.full(2, 100.0))
        for low in (3_000.0, 3_100.0)
    ]
    (found,) = Targets.of(tables, DOMAIN, total=8_000.0).tables
    assert found.shares == pytest.approx([3_050 / 8_000, 4_950 / 8_000])
    assert found.stddev <= 50**0.5 / 8_000 * (1 + 1e-9)


def test_targets_survive_being_written():
    rng = np.random.default_rng(2)
    truth = drawn(world(2), ROWS, rng)
    measured = noisy(truth, [*COLUMNS, ("a", "c")], 10.0, rng)
    targets = Targets.of(measured, DOMAIN, total=float(ROWS))
    header, arrays = json.loads(json.dumps(targets.header())), targets.arrays()
    assert Targets.shapes(header, DOMAIN.sizes) == {n: each.shape for n, each in arrays.items()}
    again = Targets.from_arrays(header, arrays)
    again.require_fits(DOMAIN)
    for one, other in zip(targets.tables, again.tables, strict=True):
        assert one.clique == other.clique
        assert one.stddev == other.stddev
        assert (one.shares == other.shares).all()  # so both draw the same rows
    assert again.total == targets.total


def test_what_does_not_fit_is_refused():
    two = np.ones(2)
    half = Correction(clique=("b",), shares=two / 2, stddev=0.1)
    with pytest.raises(ValueError, match="each clique once"):
        Targets(total=1.0, tables=[half, half])
    with pytest.raises(ValueError, match="above 0"):
        Targets(total=float("nan"), tables=[half])
    with pytest.raises(ValueError, match="does not fit the domain"):
        Targets(total=1.0, tables=[half]).require_fits(Domain(sizes={"b": 3}))
    with pytest.raises(ValueError, match="does not have"):
        Targets(total=1.0, tables=[half]).require_fits(Domain(sizes={"x": 2}))
    with pytest.raises(ValueError, match="does not fit"):
        Targets.of([NoisyTable(clique=("a",), values=two, variance=two)], DOMAIN, total=1.0)
    pair = NoisyTable(clique=("a", "b"), values=np.ones((4, 2)), variance=np.ones((4, 2)))
    with pytest.raises(ValueError, match="each with a histogram"):
        Targets.of([pair], DOMAIN, total=1.0)


def test_how_many_candidates():
    rng = np.random.default_rng(0)
    truth = drawn(world(0), 100, rng)
    few, many = (
        Targets.of(noisy(truth, [*COLUMNS, *pairs], 5.0, rng), DOMAIN, total=float(ROWS))
        for pairs in (PAIRS[:5], PAIRS)
    )
    assert few.candidates_for(10) == few.candidates_for(0) == 8_000
    assert few.candidates_for(20_000) == 40_000
    assert many.candidates_for(20_000) == 80_000
    assert many.candidates_for(100_000) == 150_000
    assert few.candidates_for(10**6) == 10**6
