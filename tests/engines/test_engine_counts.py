"""Statements over coded rows, in the engines that we have: the same counts as numpy's."""

import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpsynth.domain import Domain
from dpsynth.encoding.undeclared import Undeclared
from dpsynth.sources import engine as engines
from dpsynth.sources.engine import CodedColumn, EngineSource, counting, stepped
from dpsynth.sources.frame import FrameSource
from dpsynth.testing.same_counts import _counted

OPEN = ("it's", 'b"', "\\", "\\'", "🙂", "é", "e\u0301", "%s", ":x", "--")


class Sqlite:
    """The least engine: coded rows in memory, one statement after the other."""

    form = "each"

    def __init__(self, rows, columns):
        self.held = sqlite3.connect(":memory:")
        self.held.execute(f"CREATE TABLE coded ({', '.join(columns)})")
        marks = ", ".join("?" * len(columns))
        self.held.executemany(f"INSERT INTO coded VALUES ({marks})", rows)
        self.asked = []

    def rows(self, statement):
        self.asked.append(statement)
        return self.held.execute(statement).fetchall()

    def batches(self, statement, *, size):
        yield self.rows(statement)

    def text(self, value):
        return "'" + value.replace("'", "''") + "'"


def both(sizes, rows, seed, *, texts=False):
    rng = np.random.default_rng(seed)
    domain = Domain(sizes={f"col {at}": size for at, size in enumerate(sizes)})
    codes = {name: rng.integers(0, size, rows) for name, size in domain.sizes.items()}
    units = rng.integers(0, max(rows // 2, 1), rows)
    name, other = domain.columns[0], domain.sizes[domain.columns[0]] - 1
    index = np.where(codes[name] == other, rng.integers(0, len(OPEN), rows), -1)
    ordered = tuple(sorted(OPEN))
    undeclared = {name: Undeclared(texts=ordered, index=index, first=other)} if texts else None
    frame = FrameSource(codes, domain, undeclared=undeclared, units=units)
    held = [None if at < 0 else ordered[at] for at in index.tolist()]
    table = zip(*(column.tolist() for column in codes.values()), units.tolist(), held, strict=True)
    names = [f"c{at}" for at in range(len(sizes))]
    engine = Sqlite(table, [*names, "unit", "t0"])
    columns = {
        each: CodedColumn(code=f"c{at}", now=np.arange(size))
        for at, (each, size) in enumerate(domain.sizes.items())
    }
    if texts:
        columns[name] = CodedColumn(code="c0", now=np.arange(other + 1), text="t0", first=other)
    return frame, EngineSource(
        engine, relation="coded", columns=columns, unit="unit", domain=domain
    ), engine  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(0, 2**32), st.data())
def test_counts_and_groups_of_groups_are_those_of_numpy(sizes, seed, data):
    one, other, _ = both(sizes, data.draw(st.sampled_from([0, 1, 40])), seed)
    rng = np.random.default_rng(seed)
    for _ in range(3):
        assert list(_counted(one, other, rng, "")) == []
        groups = {
            name: np.unique(rng.integers(0, 3, size), return_inverse=True)[1]
            for name, size in one.domain.sizes.items()
        }
        one, other = one.coarsened(groups), other.coarsened(groups)


@pytest.mark.parametrize("seed", range(20))
def test_released_values_get_their_codes_and_keep_them_in_groups(seed):
    one, other, _ = both([5, 3], 60, seed, texts=True)
    texts, counts = one.values("col 0")
    found, units = other.values("col 0")
    assert list(found) == list(texts)
    assert units.tolist() == counts.tolist()
    assert units.dtype == np.int64
    released = {"col 0": [*texts[:7], "nobody's"]}
    domain = one.domain.replace({"col 0": 5 + len(released["col 0"])})
    one, other = one.closed(released, domain), other.closed(released, domain)
    rng = np.random.default_rng(seed)
    assert list(_counted(one, other, rng, "")) == []
    groups = {"col 0": np.arange(domain.sizes["col 0"]) % 4}
    one, other = one.coarsened(groups), other.coarsened(groups)
    assert list(_counted(one, other, rng, "")) == []
    rows, ours = one.unit_rows(), other.unit_rows()
    assert sorted(map(tuple, rows.codes.tolist())) == sorted(map(tuple, ours.codes.tolist()))
    assert np.unique(ours.units).tolist() == list(range(len(np.unique(rows.units))))


def test_one_statement_a_round(monkeypatch):
    frame, source, engine = both([3, 4, 5, 6], 30, 0)
    cliques = [(a, b) for a in frame.domain.columns for b in frame.domain.columns if a < b]
    list(source.count_many(cliques))
    assert len(engine.asked) == 1
    monkeypatch.setattr(engines, "_STATEMENT_CELLS", 25)
    monkeypatch.setattr(engines, "_STATEMENT_SETS", 2)
    again = list(source.count_many(cliques))
    assert len(engine.asked) > 3
    for counts, expected in zip(again, frame.count_many(cliques), strict=True):
        assert counts.tolist() == expected.tolist()


def test_the_words_of_a_round():
    assert counting(["a + 0", "b + 3"], "coded", form="sets") == (
        "SELECT COALESCE(q0, q1) AS cell, COUNT(*) AS held FROM (SELECT a + 0 AS q0, b + 3 AS q1 "
        "FROM coded) AS placed GROUP BY GROUPING SETS ((q0), (q1))"
    )
    assert " UNION ALL " in counting(["a", "b"], "coded", form="each")
    assert counting(["a + 0", "b + 3"], "coded", form="array") == (
        "SELECT cell, COUNT(*) AS held FROM (SELECT EXPLODE(ARRAY(a + 0, b + 3)) AS cell "
        "FROM coded) AS placed GROUP BY cell"
    )


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40))
def test_steps_find_every_value(values):
    written = stepped("code", np.array(values))
    held = sqlite3.connect(":memory:")
    found = [
        held.execute(f"SELECT {written} FROM (SELECT ? AS code)", (code,)).fetchone()[0]
        for code in range(len(values))
    ]
    held.close()
    assert found == values


@pytest.mark.parametrize("rows", [0, 3, 4])
def test_spark_hands_over_no_empty_batch(rows):
    """Where the rows fill the last batch, or there are none: an empty one has no columns."""
    pytest.importorskip("pyspark")
    from dpsynth.sources.spark import SparkEngine
    from dpsynth.sources.sql.dialects import Spark

    class Session:
        def sql(self, statement):
            return self

        def toLocalIterator(self):
            return iter([(0, 1)] * rows)

    found = list(SparkEngine(Session(), Spark()).batches("SELECT", size=2))
    assert [len(batch) for batch in found] == {0: [], 3: [2, 1], 4: [2, 2]}[rows]


def test_rows_do_not_leak_by_pickle_or_repr():
    import pickle

    _, source, _ = both([2, 2], 3, 0)
    assert repr(source) == "EngineSource(col 0, col 1)"
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(source)
    with pytest.raises(ValueError, match="at least one"):
        source.count(())
