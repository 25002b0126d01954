"""A sample in blocks: the table that ``sample`` draws, its law, and all of it on disk or nothing.

The chi-square test raises a false alarm once in 10**6 runs if its seed were fresh; it is fixed.
"""

import sqlite3
import tracemalloc
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy.stats import chisquare

from dpsynth.domain import Domain
from dpsynth.encoding import base_domain
from dpsynth.encoding.coarsening import Coarsening
from dpsynth.errors import UnfitEnvironmentError, UsageError
from dpsynth.models import protocol
from dpsynth.models.graphical import blocks
from dpsynth.models.graphical import model as graphical
from dpsynth.models.graphical.blocks import drawn_in_blocks
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.models.graphical.raking import Correction
from dpsynth.models.graphical.tree import junction_tree
from dpsynth.release import streaming
from dpsynth.release.bundle import write_parquet
from dpsynth.schema import Schema
from dpsynth.synthesizers.fitted import FittedModel

ALARM = 1e-6
SCHEMA = Schema.from_dict(
    {
        "columns": [
            {"name": "id", "kind": "identifier", "pattern": "P####"},
            {"name": "number", "kind": "identifier", "dtype": "int64"},
            {
                "name": "age",
                "kind": "integer",
                "bounds": [0, 90],
                "bins": [0, 30, 60, 90],
                "nullable": True,
            },
            {
                "name": "weight",
                "kind": "continuous",
                "bounds": [0, 9],
                "bins": [0, 4, 9],
                "nullable": True,
            },
            {"name": "far", "kind": "integer", "bounds": [0, 10**7], "bins": [0, 5, 10**7]},
            {"name": "day", "kind": "date", "bounds": ["2020-01-01", "2021-12-31"], "bins": 2},
            {"name": "site", "kind": "categorical", "values": ["=a", "b"], "nullable": True},
            {"name": "grade", "kind": "ordinal", "values": [1, 2, 3], "nullable": True},
            {"name": "ill", "kind": "boolean", "nullable": True},
            {"name": "dead", "kind": "boolean"},
        ]
    }
)


def fitted(correct=False):
    domain = base_domain(SCHEMA)
    rng = np.random.default_rng(5)
    names = domain.columns
    coarse = {name: Coarsening.identity(size) for name, size in domain.sizes.items()}
    coarse["age"] = Coarsening(groups=np.array([0, 0, 1, 2]), weights=np.array([1.0, 3, 1, 1]))
    sizes = {name: each.size for name, each in coarse.items()}
    root = rng.dirichlet(np.ones(sizes[names[0]] * sizes[names[1]]))
    tables = {names[:2]: root.reshape(sizes[names[0]], sizes[names[1]])}
    margin = tables[names[:2]].sum(0)
    for a, b in pairwise(names[1:]):
        tables[a, b] = margin[:, None] * rng.dirichlet(np.ones(sizes[b]), sizes[a])
        margin = tables[a, b].sum(0)
    corrections = ()
    if correct:
        wanted = rng.dirichlet(np.ones(sizes["age"] * sizes["ill"]))
        shares = wanted.reshape(sizes["age"], sizes["ill"])
        corrections = (Correction(clique=("age", "ill"), shares=shares, stddev=0.01),)
    model = GraphicalModel(
        domain=Domain(sizes=sizes), total=1e3, probabilities=tables, corrections=corrections
    )
    return FittedModel(schema=SCHEMA, model=model, coarsenings=coarse, synthesizer={})


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 64)
    monkeypatch.setattr(graphical, "CORRECTED_ROWS", 150)
    monkeypatch.setattr(streaming, "GROUP_ROWS", 100)


@pytest.mark.parametrize(
    ("batch_rows", "correct"),
    [(1, False), (7, True), (64, False), (100, False), (10_000, False), (10_000, True)],
)
def test_batches_are_the_sample_cut_in_parts(batch_rows, correct):
    model = fitted(correct)
    whole = model.sample(300, seed=4)
    parts = list(model.sample_batches(300, batch_rows=batch_rows, seed=4))
    assert {len(part) for part in parts[:-1]} <= {batch_rows}
    assert len(parts[-1]) <= batch_rows
    assert all(part.index.equals(pd.RangeIndex(len(part))) for part in parts)
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), whole)
    assert whole["id"].is_unique
    assert whole["number"].is_unique


def test_no_rows_are_one_empty_batch():
    (empty,) = fitted().sample_batches(0, seed=1)
    pd.testing.assert_frame_equal(empty, fitted().sample(0, seed=1))
    assert list(empty.dtypes) == list(fitted().sample(5, seed=1).dtypes)


def test_batches_refuse_what_is_no_size():
    with pytest.raises(UsageError, match="batch_rows must be at least 1"):
        fitted().sample_batches(5, batch_rows=0)


@pytest.mark.parametrize("rows", [0, 63, 777])
def test_parquet_reads_back_as_the_sample(tmp_path, rows):
    model = fitted()
    told = []
    done = model.write_sample(
        tmp_path / "t.parquet", rows, seed=4, progress=lambda done, rows: told.append((done, rows))
    )
    assert done == rows
    assert told[-1] == (rows, rows)
    write_parquet(tmp_path / "whole.parquet", model.sample(rows, seed=4))
    found, wanted = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("t", "whole"))
    pd.testing.assert_frame_equal(found, wanted)
    groups = pq.ParquetFile(tmp_path / "t.parquet").metadata
    assert [groups.row_group(at).num_rows for at in range(groups.num_row_groups)][:-1] == [
        100
    ] * max(-(-rows // 100) - 1, 0)


def test_equal_seeds_give_equal_bytes(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        fitted().write_sample(tmp_path / f"{name}.parquet", 500, seed=seed)
    held = [(tmp_path / f"{name}.parquet").read_bytes() for name in "abc"]
    assert held[0] == held[1] != held[2]


def test_csv_is_that_of_the_whole_sample(tmp_path):
    from dpsynth.release.spreadsheet import to_csv

    fitted().write_sample(tmp_path / "t.csv", 300, seed=4)
    assert (tmp_path / "t.csv").read_bytes() == to_csv(fitted().sample(300, seed=4))


def test_whole_rows_meet_the_tables_over_all_blocks():
    """Not block by block: there the rounding of each would add up to rows, in rare cells most."""
    model = fitted().model
    rows = 64 * 50
    drawn = model.sample(rows, np.random.default_rng(0))
    shares = {name: model.marginal((name,)) / model.total for name in model.domain.columns}
    for node in model._nodes[:1]:
        counts = np.zeros(model.domain.shape(node.clique))
        np.add.at(counts, tuple(drawn[name] for name in node.clique), 1)
        assert np.abs(counts - rows * model.probabilities[node.clique]).max() < 1 + 1e-6
    for node in model._nodes[1:]:
        above, new = node.separator[0], node.new[0]
        counts = np.zeros(model.domain.shape((above, new)))
        np.add.at(counts, (drawn[above], drawn[new]), 1)
        share = model.probabilities[above, new] / shares[above][:, None]
        wanted = counts.sum(1, keepdims=True) * share
        assert np.abs(counts - wanted).max() < 1 + 1e-6


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_every_order_of_the_rows_is_equally_likely(monkeypatch, order):
    """Six rows in blocks of two, three of each code: 20 arrangements, as one block would have."""
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 2)
    names = [("g", "c")[at] for at in order]
    domain = Domain(sizes={"g": 1, "c": 2})
    tables = {"g": np.ones(1), "c": np.array([0.5, 0.5]), "gc": np.array([[0.5, 0.5]])}
    nodes = junction_tree([("g",), ("g", "c")] if order == (0, 1) else [tuple(names)])
    table = tables["gc"] if order == (0, 1) else tables["gc"].T
    held = [tables["g"], table] if order == (0, 1) else [table]
    places = {each: at for at, each in enumerate(combinations(range(6), 3))}
    found = np.zeros(len(places), dtype=np.int64)
    rng = np.random.default_rng(3)
    for _ in range(2_000):
        parts = list(drawn_in_blocks(nodes, held, domain, 6, rng))
        assert [part["c"].size for part in parts] == [2, 2, 2]
        found[places[tuple(np.flatnonzero(np.concatenate([p["c"] for p in parts])))]] += 1
    assert chisquare(found).pvalue > ALARM


@pytest.mark.parametrize(("groups", "codes"), [(2, 5), (5, 2)])
def test_both_ways_to_take_from_an_urn_follow_one_law(groups, codes):
    """The variance of a cell after half of the rows is that of a hypergeometric count."""
    from dpsynth.models.graphical.sampling import Urn

    counts = np.full((groups, codes), 8)
    line = np.repeat(np.arange(groups), 4 * codes)  # half of every group
    rng = np.random.default_rng(1)
    drawn = np.stack([np.bincount(Urn(counts).draw(line, rng)) for _ in range(4_000)])
    every, here = 8 * codes, 4 * codes
    variance = groups * here * (1 / codes) * (1 - 1 / codes) * (every - here) / (every - 1)
    assert drawn.sum(1).tolist() == [4 * codes * groups] * 4_000
    # Five standard errors of 4,000 sample variances, for `codes` cells: once in 10**5.
    assert np.abs(drawn.var(0) / variance - 1).max() < 5 * np.sqrt(2 / 4_000)
    assert np.abs(drawn.mean(0) - 4 * groups).max() < 5 * np.sqrt(variance / 4_000)


def test_sections_are_rounded_by_themselves(monkeypatch):
    monkeypatch.setattr(blocks, "SECTION_ROWS", 100)
    drawn = fitted().model.sample(250, np.random.default_rng(0))
    assert drawn["age"].size == 250


def test_memory_does_not_grow_with_the_rows(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 4096)
    model, peaks = fitted(), []
    for times in (2, 2, 20):  # the first of them fills caches
        stream = model.stream(4096 * times, seed=1)
        tracemalloc.start()
        for block in stream:
            assert {each.arrow().nbytes > 0 for name, each in block.cells.items() if name != "id"}
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.2 * peaks[1]


def test_nothing_is_left_of_a_file_that_was_not_finished(tmp_path, monkeypatch):
    def fails(done, rows):
        if done > 200:
            raise KeyboardInterrupt

    for name in ("t.csv", "t.parquet"):
        with pytest.raises(KeyboardInterrupt):
            fitted().write_sample(tmp_path / name, 500, seed=1, progress=fails)

    def full(done, rows):
        raise OSError(28, "No space left on device")

    with pytest.raises(UnfitEnvironmentError, match=r"cannot write t\.csv: No space left"):
        fitted().write_sample(tmp_path / "t.csv", 500, seed=1, progress=full)
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "t.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="exists already"):
        fitted().write_sample(tmp_path / "t.csv", 5)
    assert (tmp_path / "t.csv").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("out", "table", "said"),
    [
        ("t.json", None, r"must end in \.csv or \.parquet"),
        ("t.csv", "people", "only a database takes"),
        ("sqlite:///t.db", None, "needs the name of a new table"),
    ],
)
def test_a_target_is_one_place(tmp_path, out, table, said):
    with pytest.raises(UsageError, match=said):
        fitted().write_sample(out, 5, table=table)


class TestDatabase:
    @pytest.fixture(autouse=True)
    def sqlalchemy(self):
        pytest.importorskip("sqlalchemy")

    def test_a_table_holds_the_sample(self, tmp_path):
        path = tmp_path / "t.db"
        assert fitted().write_sample(f"sqlite:///{path}", 300, seed=4, table="people") == 300
        with sqlite3.connect(path) as connection:
            found = pd.read_sql("select * from people", connection)
        connection.close()
        wanted = fitted().sample(300, seed=4)
        assert list(found.columns) == list(wanted.columns)
        assert found["far"].tolist() == wanted["far"].tolist()
        assert found["id"].tolist() == wanted["id"].tolist()
        assert found["day"].tolist() == wanted["day"].dt.strftime("%Y-%m-%d").tolist()
        for name in wanted.columns:
            assert found[name].isna().tolist() == wanted[name].isna().tolist()
        kept = wanted["weight"].notna()
        assert found["weight"][kept].tolist() == wanted["weight"][kept].tolist()

    def test_an_interrupted_table_is_not_there(self, tmp_path):
        def fails(done, rows):
            if done > 200:
                raise KeyboardInterrupt

        address = f"sqlite:///{tmp_path / 't.db'}"
        with pytest.raises(KeyboardInterrupt):
            fitted().write_sample(address, 500, seed=1, table="people", progress=fails)
        assert fitted().write_sample(address, 5, seed=1, table="people") == 5

    def test_a_table_that_stands_is_left_alone(self, tmp_path):
        address = f"sqlite:///{tmp_path / 't.db'}"
        fitted().write_sample(address, 5, seed=1, table="people")
        with pytest.raises(UsageError, match="has a table 'people' already"):
            fitted().write_sample(address, 5, seed=1, table="people")

    def test_a_database_that_refuses_is_named_without_its_address(self, tmp_path):
        address = f"sqlite:///{tmp_path / 'none' / 'secret.db'}"
        with pytest.raises(UnfitEnvironmentError, match="did not take") as raised:
            fitted().write_sample(address, 5, seed=1, table="people")
        assert "secret" not in str(raised.value)


def test_the_protocol_names_the_rows_corrected_together():
    assert protocol.CORRECTED_ROWS == 1 << 20
