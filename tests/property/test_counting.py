"""Many tables at once are the tables one by one, whatever the columns, rows and order."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpsynth.domain import Domain
from dpsynth.sources import batches
from dpsynth.sources.frame import FrameSource


@st.composite
def asked(draw):
    sizes = draw(st.lists(st.integers(1, 7), min_size=1, max_size=7))
    domain = Domain(sizes={f"c{at}": size for at, size in enumerate(sizes)})
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = draw(st.sampled_from([0, 1, 7, 60, 700]))
    codes = {name: rng.integers(0, size, rows) for name, size in domain.sizes.items()}
    clique = st.lists(st.sampled_from(domain.columns), min_size=1, max_size=4, unique=True)
    return domain, codes, draw(st.lists(clique.map(tuple), max_size=25))


def plain_counts(domain, codes, clique):
    counts = np.zeros(domain.shape(clique), dtype=np.int64)
    np.add.at(counts, tuple(codes[name] for name in clique), 1)
    return counts.ravel().tolist()


@given(asked())
def test_tables_counted_together_are_those_counted_alone(question):
    domain, codes, cliques = question
    expected = [plain_counts(domain, codes, clique) for clique in cliques]
    source = FrameSource(codes, domain)
    for _ in range(2):  # the second time from the cache
        found = list(source.count_many(cliques))
        assert [counts.tolist() for counts in found] == expected
        assert all(counts.dtype == np.int64 for counts in found)
        for counts in found:
            counts += 1  # a caller may not change what the cache holds
    alone = FrameSource(codes, domain)
    assert [alone.count(clique).tolist() for clique in cliques] == expected


@pytest.mark.parametrize(("axes", "most_passes"), [(2, 60), (3, 500)])
def test_passes_are_shared(monkeypatch, axes, most_passes):
    """20 columns of 5 values: 190 pairs, 1,140 triples. Passes are counted, time is not."""
    domain = Domain(sizes={f"c{at}": 5 for at in range(20)})
    rng = np.random.default_rng(0)
    codes = {name: rng.integers(0, 5, 20_000) for name in domain.columns}
    passes = []
    count_rows = batches.count_rows

    def counting(*arguments):
        passes.append(arguments)
        return count_rows(*arguments)

    monkeypatch.setattr(batches, "count_rows", counting)
    cliques = list(combinations(domain.columns, axes))
    found = list(FrameSource(codes, domain).count_many(cliques))
    assert len(passes) <= most_passes
    for clique, counts in zip(cliques[::17], found[::17], strict=True):
        assert counts.tolist() == plain_counts(domain, codes, clique)


def test_counts_too_large_for_the_cache_are_counted_all_the_same(monkeypatch):
    monkeypatch.setattr("dpsynth.sources.frame._CACHED_CELLS", 30)
    domain = Domain(sizes={"a": 5, "b": 5, "c": 5})
    codes = {name: np.arange(100) % (at + 3) for at, name in enumerate(domain.columns)}
    source = FrameSource(codes, domain)
    pairs = list(combinations(domain.columns, 2))
    for _ in range(2):
        for pair, counts in zip(pairs, source.count_many(pairs), strict=True):
            assert counts.tolist() == plain_counts(domain, codes, pair)
