"""The fast distances are the slow ones, and the prediction task tells signal from noise."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from dpsynth.bench import metrics
from dpsynth.bench.coded import CodedTable
from dpsynth.utility.marginals import MOST_TRIPLES

SIZES = {"a": 3, "b": 2, "c": 5, "d": 2, "e": 4}


def table(seed, rows):
    rng = np.random.default_rng(seed)
    return {
        name: (rng.integers(0, size, rows) * rng.integers(0, 2, rows)).astype(np.uint8)
        for name, size in SIZES.items()
    }


def plain_distance(real, synthetic, clique):
    """Count tuples in dictionaries, and add the differences up one by one."""
    counted = []
    for codes in (real, synthetic):
        rows = list(zip(*(codes[name].tolist() for name in clique), strict=True))
        counted.append({cell: count / len(rows) for cell, count in Counter(rows).items()})
    cells = set(counted[0]) | set(counted[1])
    return sum(abs(counted[0].get(cell, 0) - counted[1].get(cell, 0)) for cell in cells) / 2


@pytest.mark.parametrize("rows", [(40, 40), (300, 17), (1, 200)])
@pytest.mark.parametrize("batch", [1, 500, 1 << 18])
@pytest.mark.parametrize("dense", [1, 1 << 22])
def test_distances_are_those_of_plain_counting(rows, batch, dense, monkeypatch):
    monkeypatch.setattr(metrics, "_BATCH", batch)
    if batch == 1:  # only a table that stands alone is compared on its occupied cells
        monkeypatch.setattr(metrics, "_DENSE_CELLS", dense)
    real, synthetic = table(1, rows[0]), table(2, rows[1])
    found = metrics.distances(real, synthetic, SIZES)
    for width in (1, 2, 3):
        cliques = list(combinations(SIZES, width))
        plain = sum(plain_distance(real, synthetic, clique) for clique in cliques) / len(cliques)
        assert found[f"tvd{width}"] == pytest.approx(plain, abs=1e-12)


def test_equal_tables_have_no_distance_and_disjoint_ones_have_1():
    real = {"a": np.zeros(9, np.uint8), "b": np.zeros(9, np.uint8)}
    other = {"a": np.ones(4, np.uint8), "b": np.ones(4, np.uint8)}
    sizes = {"a": 2, "b": 2}
    assert metrics.distances(real, real, sizes) == {"tvd1": 0, "tvd2": 0}
    assert metrics.distances(real, other, sizes) == {"tvd1": 1, "tvd2": 1}


def test_of_many_triples_a_thousand_are_drawn_the_same_every_time():
    columns = [f"c{place}" for place in range(40)]
    drawn = metrics.cliques(columns, 3)
    assert drawn == metrics.cliques(columns, 3)
    assert len(set(drawn)) == len(drawn) == MOST_TRIPLES
    assert all(sorted(each, key=columns.index) == list(each) for each in drawn)
    assert len({name for each in drawn for name in each}) == 40
    assert len(metrics.cliques(columns[:19], 3)) == 19 * 18 * 17 // 6
    assert len(metrics.cliques(columns, 2)) == 780


def predicted(*, signal):
    rng = np.random.default_rng(3)
    cause, other = rng.integers(0, 4, 600), rng.integers(0, 300, 600)
    label = ((cause > 1) ^ (rng.random(600) < 0.1)) if signal else rng.random(600) < 0.5
    return {"cause": cause, "other": other, "ill": label.astype(np.int64)}


def test_auc_tells_signal_from_noise():
    real = CodedTable(
        codes=predicted(signal=True),
        sizes={"cause": 4, "other": 300, "ill": 2},
        target="ill",
        positive=1,
    )
    assert metrics.target_auc(predicted(signal=True), real) > 0.85
    assert metrics.target_auc(predicted(signal=False), real) < 0.75
    one_class = {**real.codes, "ill": np.zeros(600, np.int64)}
    assert metrics.target_auc(one_class, real) == 0.5


def test_auc_needs_a_target():
    with pytest.raises(ValueError, match="no target"):
        metrics.target_auc({}, CodedTable(codes={}, sizes={}))
