"""A release on disk is attacked as one in memory is, to the last bit, and leaves nothing behind."""

import tempfile

import numpy as np
import pandas as pd
import pytest

import attacks
from attacks.engine import disk, stored
from attacks.engine.counts import record_words
from attacks.engine.distances import (
    closest,
    closest_in,
    closest_without_each,
    closest_without_each_in,
    space,
)
from attacks.engine.nearest import ballot, nearest
from attacks.engine.predicates import Predicates, isolated, isolated_in
from attacks.engine.released import cell_counts, gathered, pieces
from attacks.engine.stored import Writer, dealt, pairs_alike
from attacks.engine.table import CodedTable, by_row
from dpsynth.errors import UsageError
from dpsynth.schema import Schema
from dpsynth.sources import streams

SIZES = {"a": 3, "b": 300, "c": 5}
COLUMNS = tuple(SIZES)
ORDERED = {"a": False, "b": True, "c": False}


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of few rows, so that no answer stands in one of them."""
    monkeypatch.setattr(disk, "ROWS_AT_ONCE", 37)
    monkeypatch.setattr(stored, "_SORTED", 50)
    monkeypatch.setattr(streams.FileTable, "rows_at_once", 41)


def codes_of(rows, *, seed, sizes=SIZES):
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.integers(0, size, rows) for size in sizes.values()]).astype(
        np.int32
    )


def both(rows, *, seed, sizes=SIZES):
    codes = codes_of(rows, seed=seed, sizes=sizes)
    held = by_row(tuple(sizes), codes)
    writer = Writer(sizes)
    for part in disk.parts(rows):
        writer.append(held.codes[part], held.words[part])
    return held, writer.table()


def every(table):
    blocks = [codes for _, codes in table.blocks()]
    return np.concatenate(blocks), np.concatenate(list(table.word_blocks()))


def assert_alike(held, on_disk):
    assert len(held) == len(on_disk)
    for mine, theirs in zip(every(held), every(on_disk), strict=True):
        assert np.array_equal(mine, theirs)
    starts = [start for start, _ in on_disk.blocks()]
    sizes = [len(codes) for _, codes in on_disk.blocks()]
    assert starts == [0, *np.cumsum(sizes)[:-1].tolist()]


def test_a_stored_table_holds_the_same_rows_in_the_same_order(small_blocks):
    held, on_disk = both(500, seed=1)
    copies = by_row(COLUMNS, codes_of(20, seed=2))
    groups = {"b": (np.arange(300) // 7).astype(np.int32)}
    assert (held.held, on_disk.held) == (True, False)
    assert_alike(held, on_disk)
    assert_alike(held.regrouped(groups), on_disk.regrouped(groups))
    assert_alike(held.with_copies(copies), on_disk.with_copies(copies))
    mine, theirs = (each.with_copies(copies).regrouped(groups) for each in (held, on_disk))
    assert_alike(mine, theirs)
    rows = np.random.default_rng(3).integers(0, 520, 900)
    for columns in (None, ("c", "b")):
        mine, theirs = (each.with_copies(copies).at(rows, columns) for each in (held, on_disk))
        assert np.array_equal(mine, theirs)


def test_every_record_once_where_it_first_occurs(small_blocks):
    few = {"a": 3, "b": 9, "c": 5}
    held, on_disk = both(700, seed=4, sizes=few)
    assert len(held.distinct()) < 140
    assert_alike(held.distinct(), on_disk.distinct())
    assert_alike(held.distinct(), on_disk.distinct().distinct())


def test_a_column_of_many_codes_is_stored_whole(small_blocks):
    held, on_disk = both(90, seed=5, sizes={"a": 1, "b": 70_000})
    assert_alike(held, on_disk)
    assert_alike(held.distinct(), on_disk.distinct())


def test_words_are_dealt_with_all_their_rows(small_blocks):
    words = record_words(codes_of(600, seed=6, sizes={"a": 40}))
    blocks = np.array_split(words, 11)
    seen = []
    for some, rows in dealt(iter(blocks), rows=600):
        assert np.array_equal(words[rows], some)
        assert (np.diff(rows) > 0).all()
        assert np.isin(words, some).sum() == some.size
        seen.append(rows)
    assert len(seen) > 1
    assert sorted(np.concatenate(seen).tolist()) == list(range(600))
    _, counts = np.unique(words, return_counts=True)
    assert pairs_alike(iter(blocks), rows=600) == (counts * (counts - 1) // 2).sum()


@pytest.mark.parametrize("seed", range(4))
def test_the_closest_rows_are_those_of_the_whole_table(small_blocks, seed):
    sizes = {"a": 3, "b": 40, "c": 5}  # many rows are as close as others
    held, on_disk = both(400, seed=seed, sizes=sizes)
    targets = codes_of(60, seed=100 + seed, sizes=sizes)
    within = space(sizes, ORDERED, COLUMNS, missing={"b": 39})
    for k in (1, 5, 450):
        whole = closest(targets, held.codes, within, k=k)
        for table in (held, on_disk):
            found = closest_in(targets, table, within, k=k)
            assert np.array_equal(found.index, whole.index)
            assert np.array_equal(found.distance, whole.distance)
    whole = closest_without_each(targets, held.codes, within)
    found = closest_without_each_in(targets, on_disk, within)
    assert np.array_equal(found.index, whole.index)
    assert np.array_equal(found.distance, whole.distance)


@pytest.mark.parametrize("columns", [2, 9])
def test_the_closest_of_all_blocks_vote(columns):
    rng = np.random.default_rng(columns)
    release = rng.integers(0, 4, (300, columns)).astype(np.int32)
    targets = rng.integers(0, 5, (50, columns)).astype(np.int32)
    said = {"x": rng.integers(0, 6, 300).astype(np.int32)}
    blocks = ((release[p : p + 23], {"x": said["x"][p : p + 23]}) for p in range(0, 300, 23))
    found = ballot(targets, blocks, {"x": 6})
    whole = nearest(targets, release)
    assert np.array_equal(found.distance, whole.distance)
    expected = whole.votes(said["x"], size=6, start=0, stop=50)
    assert np.array_equal(found.votes("x", start=0, stop=50), expected)


def test_a_condition_that_two_blocks_meet_singles_nobody_out(small_blocks):
    held, on_disk = both(300, seed=8)
    columns = np.tile(np.array([[1, 2]], dtype=np.int32), (300, 1))
    codes = np.take_along_axis(held.codes, columns, axis=1)
    made = Predicates(columns=columns, low=codes, high=codes)
    expected = isolated(made, held)
    assert {-2, 5} & set(expected.tolist())
    assert np.array_equal(isolated_in(made, on_disk), expected)


def test_counts_are_those_of_all_blocks(small_blocks):
    held, on_disk = both(500, seed=9)
    cells = held.codes[:, 2] * 300 + held.codes[:, 1]
    found = cell_counts(on_disk, ("c", "b"), sizes=(5, 300))
    assert np.array_equal(found, np.bincount(cells, minlength=1500))


def test_pieces_are_cut_alike_wherever_the_rows_stand(small_blocks):
    """Else sums of fractions would differ in their last digits."""
    mine, theirs = (list(pieces(table, ("b", "a"))) for table in both(500, seed=13))
    assert len(mine) == len(theirs) > 10
    assert all(map(np.array_equal, mine, theirs))


def test_rows_that_are_named_are_gathered_once_and_nobody_stays_nobody(small_blocks):
    held, on_disk = both(200, seed=10)
    index = np.array([[5, -1], [199, 5]])
    few, places = gathered(on_disk, index)
    assert len(few) == 2
    assert places[0, 1] == -1
    assert np.array_equal(few[places[index >= 0]], held.codes[index[index >= 0]])


DECLARED = {
    "columns": [
        {"name": "age", "kind": "integer", "bounds": [0, 99]},
        {"name": "sex", "kind": "categorical", "values": ["m", "f"]},
        {"name": "ward", "kind": "categorical", "values": list("abcde"), "nullable": True},
        {"name": "code", "kind": "categorical", "open": True},
        {"name": "sick", "kind": "boolean"},
        {"name": "score", "kind": "continuous", "bounds": [0, 10], "bins": 20},
        {"name": "pid", "kind": "identifier"},
    ],
    "quasi_identifiers": ["age", "sex", "ward"],
    "sensitive": ["sick", "score"],
}
ROWS = Schema.from_dict(DECLARED)
PERSONS = Schema.from_dict({**DECLARED, "unit": {"kind": "person", "column": "pid", "max_rows": 2}})


def people(count, *, seed, first=0):
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 100, count)
    return pd.DataFrame(
        {
            "age": age,
            "sex": rng.choice(["m", "f"], count),
            "ward": rng.choice([*"abcde", None], count),
            "code": rng.choice(["u1", "u2", "u3"], count),
            "sick": rng.random(count) < age / 100,
            "score": np.round(rng.random(count) * 10, 4),
            "pid": [f"p{first + number // 2}" for number in range(count)],
        }
    )


MEMBERS = people(700, seed=1)
CONTROLS = people(700, seed=2, first=10_000)
# Copies of members, with their names, strangers, and a value that the schema does not declare.
RELEASE = pd.concat(
    [MEMBERS[:150], people(500, seed=4, first=20_000).assign(age=130), people(400, seed=5)],
    ignore_index=True,
)


@pytest.mark.parametrize(("schema", "tier"), [(ROWS, "standard"), (PERSONS, "smoke")])
def test_an_audit_from_disk_is_the_audit_in_memory(small_blocks, tmp_path, schema, tier):
    RELEASE.to_parquet(tmp_path / "release.parquet")
    options = {"split": "random", "tier": tier, "control_share": 0.5}
    tables = MEMBERS, CONTROLS, schema
    held = attacks.audit(RELEASE, *tables, **options).to_dict()
    path = tmp_path / "release.parquet"
    found = attacks.audit(path, *tables, engine="duckdb", **options).to_dict()
    assert "tables" not in held
    (said,) = found.pop("tables")
    assert said.startswith("all 1,050 rows of the synthetic table were read")
    assert {line["status"] for line in found["results"]} >= {"passed", "failed"}
    assert found["plants"]
    assert {witness["kind"] for witness in found["witnesses"]} == {
        "identifier",
        "outside the domain",
    }
    assert found == held


def test_a_small_file_is_held_and_a_large_one_is_not(tmp_path, monkeypatch):
    RELEASE.to_parquet(tmp_path / "release.parquet")
    tables = tmp_path / "release.parquet", MEMBERS, CONTROLS, ROWS
    assert attacks.audit(*tables, tier="smoke").tables == ()
    monkeypatch.setattr("dpsynth.sources.reading.LARGE_CELLS", 7 * 1050 - 1)
    assert len(attacks.audit(*tables, tier="smoke").tables) == 1
    assert attacks.audit(*tables, tier="smoke", engine="frame").tables == ()


def test_an_unknown_engine_is_refused():
    with pytest.raises(UsageError, match="the engine must be one of: auto, frame, duckdb"):
        attacks.audit(RELEASE, MEMBERS, CONTROLS, ROWS, engine="spark")


def test_nothing_is_left_on_disk_when_an_audit_breaks(small_blocks, tmp_path, monkeypatch):
    RELEASE.to_parquet(tmp_path / "release.parquet")
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))

    def broken(*args, **kwargs):
        assert any(own.iterdir()), "the codes stand elsewhere"
        raise RuntimeError

    monkeypatch.setattr(Writer, "append", broken)
    with pytest.raises(RuntimeError):
        attacks.audit(
            tmp_path / "release.parquet", MEMBERS, CONTROLS, ROWS, tier="smoke", engine="duckdb"
        )
    assert not list(own.iterdir())


def test_copies_are_added_once_and_to_the_table_as_it_was_released():
    _, on_disk = both(10, seed=11)
    copies = by_row(COLUMNS, codes_of(2, seed=12))
    assert isinstance(copies, CodedTable)
    with pytest.raises(ValueError, match="once"):
        on_disk.with_copies(copies).with_copies(copies)
