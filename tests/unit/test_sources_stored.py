"""Tables of files on disk: the same counts, the same choices, nothing left behind."""

import hashlib
import os
import pickle
import signal
import subprocess
import sys
from fractions import Fraction

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from dpsynth.errors import DataError
from dpsynth.schema import Schema
from dpsynth.sources import store, stored, streams
from dpsynth.sources.duckdb import Limits, locked
from dpsynth.sources.files import read_table
from dpsynth.sources.folder import PrivateFolder
from dpsynth.sources.frame import prepare
from dpsynth.sources.stored import prepare_files
from dpsynth.sources.streams import is_large, open_table
from dpsynth.testing.nasty_tables import CROWD, CROWDED, nasty_table
from dpsynth.testing.same_counts import differences


def key(purpose):
    return hashlib.blake2b(purpose.encode(), digest_size=32).digest()


@pytest.fixture
def folder(tmp_path):
    return PrivateFolder(tmp_path)


@pytest.fixture
def small_parts(monkeypatch):
    """Many parts of few rows, so that what is whole in memory is never whole here."""
    monkeypatch.setattr(streams, "_CELLS_AT_ONCE", 1)
    monkeypatch.setattr(store, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(store, "_SORTED_ROWS", 20)
    monkeypatch.setattr(store, "_PASS_CELLS", 1000)
    monkeypatch.setattr(streams.FileTable, "rows_at_once", 11)


def same(frame, path, schema, folder, control=Fraction(1, 4)):
    one = prepare(frame, schema, key=key, control=control)
    other = prepare_files(open_table(path, schema), schema, key=key, control=control, folder=folder)
    assert differences(one.source, other.source, schema, seed=1) == []
    assert other.identity == one.identity
    assert len(other.members) == len(one.members)
    assert len(other.controls) == len(one.controls)


@pytest.mark.parametrize("first", range(0, 200, 25))
def test_parquet_counts_as_it_does_in_memory(first, tmp_path, folder, small_parts):
    path = tmp_path / "t.parquet"
    for seed in range(first, first + 25):
        if seed % CROWDED != CROWDED - 1:
            table = nasty_table(seed)
            parquet.write_table(table.table, path, row_group_size=13)
            same(table.frame(), path, table.schema, folder)


@pytest.mark.parametrize("seed", [CROWDED - 1, 2 * CROWDED - 1])
def test_a_person_of_ten_thousand_rows_is_counted_as_in_memory(seed, tmp_path, folder, monkeypatch):
    monkeypatch.setattr(store, "ROWS_AT_ONCE", 700)
    monkeypatch.setattr(streams.FileTable, "rows_at_once", 1_100)
    table = nasty_table(seed)
    assert table.table.num_rows >= CROWD
    parquet.write_table(table.table, tmp_path / "t.parquet", row_group_size=1_300)
    same(table.frame(), tmp_path / "t.parquet", table.schema, folder)


@pytest.mark.nightly
@pytest.mark.parametrize("first", range(200, 5_200, 250))
def test_parquet_on_thousands_of_tables(first, tmp_path, folder):
    path = tmp_path / "t.parquet"
    for seed in range(first, first + 250):
        table = nasty_table(seed)
        parquet.write_table(table.table, path, row_group_size=13)
        same(table.frame(), path, table.schema, folder)


@pytest.mark.parametrize("seed", range(1, 60, 6))
def test_csv_counts_as_it_does_in_memory(seed, tmp_path, folder, small_parts):
    table = nasty_table(seed)
    path = tmp_path / "t.csv"
    table.frame().to_csv(path, index=False)
    try:
        frame = read_table(path, table.schema)
    except DataError:
        with pytest.raises(DataError):
            list(open_table(path, table.schema).frames(folder.path, Limits()))
        return
    same(frame, path, table.schema, folder)


def table_of(rows, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "pid": rng.integers(0, max(rows // 3, 1), rows),
            "age": rng.integers(0, 99, rows),
            "place": rng.choice(["Bern", "Basel", "Chur"], rows),
        }
    )


SCHEMA = Schema.from_dict(
    {
        "unit": {"kind": "person", "column": "pid", "max_rows": 2},
        "columns": [
            {"name": "pid", "kind": "identifier"},
            {"name": "age", "kind": "integer", "bounds": [0, 99]},
            {"name": "place", "kind": "categorical", "values": ["Basel", "Bern", "Chur"]},
        ],
    }
)


def test_a_folder_of_files_is_one_table(tmp_path, folder):
    frame = table_of(500)
    (tmp_path / "t").mkdir()
    frame[:200].to_parquet(tmp_path / "t" / "0.parquet", index=False)
    frame[200:].to_parquet(tmp_path / "t" / "1.parquet", index=False)
    same(frame, tmp_path / "t", SCHEMA, folder)
    frame.assign(more=1)[:9].to_parquet(tmp_path / "t" / "2.parquet", index=False)
    with pytest.raises(DataError, match="same columns"):
        open_table(tmp_path / "t", SCHEMA)


def test_lines_of_json_are_read_as_text(tmp_path, folder):
    frame = table_of(300)
    frame.to_json(tmp_path / "t.ndjson", orient="records", lines=True)
    same(frame.astype(str), tmp_path / "t.ndjson", SCHEMA, folder)
    (tmp_path / "bad.ndjson").write_text("[1, 2]\n", encoding="utf-8")
    with pytest.raises(DataError, match="JSON object"):
        open_table(tmp_path / "bad.ndjson", SCHEMA)


def test_text_that_is_not_utf8_changes_no_other_cell(tmp_path, folder):
    frame = table_of(300)
    places = [place.encode() for place in frame["place"]]
    places[150] = b"\xff\xfe"
    column = pa.array(places, pa.binary()).view(pa.string())
    table = pa.table({"pid": frame["pid"], "age": frame["age"], "place": column})
    parquet.write_table(table, tmp_path / "t.parquet", row_group_size=50)
    same(read_table(tmp_path / "t.parquet", SCHEMA), tmp_path / "t.parquet", SCHEMA, folder)


def test_a_file_that_changes_is_noticed(tmp_path, folder):
    path = tmp_path / "t.parquet"
    table_of(300).to_parquet(path, index=False)
    opened = open_table(path, SCHEMA)
    table_of(300, seed=1).to_parquet(path, index=False)
    with pytest.raises(DataError, match="changed while it was read"):
        prepare_files(opened, SCHEMA, key=key, folder=folder)
    path.unlink()
    with pytest.raises(DataError, match="changed while it was read"):
        prepare_files(opened, SCHEMA, key=key, folder=folder)


def test_a_file_cut_off_is_one_sentence_without_values(tmp_path, folder):
    path = tmp_path / "t.csv"
    table_of(300).to_csv(path, index=False)
    path.write_text(path.read_text(encoding="utf-8") + '7,8,"Secretville', encoding="utf-8")
    with pytest.raises(DataError) as error:
        prepare_files(open_table(path, SCHEMA), SCHEMA, key=key, folder=folder)
    assert "Secretville" not in str(error.value)
    with pytest.raises(DataError, match="there is no table"):
        open_table(tmp_path / "none.parquet", SCHEMA)


def test_the_engine_reads_its_files_and_nothing_else(tmp_path, folder):
    mine, other = tmp_path / "t.parquet", tmp_path / "other.parquet"
    for path in (mine, other):
        table_of(10).to_parquet(path, index=False)
    with locked([mine], folder=folder.path, limits=Limits(mebibytes=64, threads=1)) as connection:
        assert connection.execute(f"SELECT count(*) FROM '{mine}'").fetchone() == (10,)
        for statement in (
            f"SELECT * FROM '{other}'",
            f"COPY (SELECT 1) TO '{tmp_path / 'out.csv'}'",
            f"ATTACH '{tmp_path / 'db'}'",
            "INSTALL httpfs",
            "LOAD httpfs",
            "SET memory_limit = '9GB'",
            "SET enable_external_access = true",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(statement)


def test_the_audit_attacks_a_sample_of_persons_and_says_so(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(stored, "AUDITED_ROWS", 100)
    frame = table_of(2000)
    path = tmp_path / "t.parquet"
    frame.to_parquet(path, index=False)
    share = Fraction(1, 2)
    found = prepare_files(open_table(path, SCHEMA), SCHEMA, key=key, control=share, folder=folder)
    whole = prepare(frame, SCHEMA, key=key, control=share)
    assert "sample of the persons" in found.note
    assert 0 < len(found.members) < len(whole.members) / 2
    held = whole.members.value_counts()
    assert (found.members.value_counts() <= held.reindex(found.members.value_counts().index)).all()
    for pid, rows in found.members.groupby("pid"):  # whole persons
        assert len(rows) == (whole.members["pid"] == pid).sum()
    assert found.source.count(("age",)).sum() == len(whole.members)


def test_nothing_is_left_behind(tmp_path):
    path = tmp_path / "t.parquet"
    table_of(300).to_parquet(path, index=False)
    made = PrivateFolder(tmp_path)
    assert made.path.stat().st_mode & 0o777 == 0o700
    found = prepare_files(open_table(path, SCHEMA), SCHEMA, key=key, folder=made)
    assert list(made.path.iterdir()) == []  # the codes stand in files without a name
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(found.source)
    assert repr(found.source) == "StoreSource(age, place)"
    where = made.path
    del made, found
    assert not where.exists()


def test_a_killed_process_leaves_no_rows(tmp_path):
    script = (
        "import sys, time\nfrom pathlib import Path\nimport numpy as np\n"
        "from dpsynth.sources.folder import PrivateFolder\n"
        "from dpsynth.sources.store import Column\n"
        f"held = PrivateFolder(Path({str(tmp_path)!r}))\n"
        "column = Column(held.path, np.uint8)\ncolumn.append(np.arange(200))\n"
        "print(held.path, flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        left = run.stdout.readline().strip()
        os.kill(run.pid, signal.SIGKILL)
    assert os.listdir(left) == []  # noqa: PTH208  # a text, from the other process
    PrivateFolder(tmp_path)
    assert not os.path.exists(left)  # noqa: PTH110


def test_size_alone_decides_who_counts(tmp_path, monkeypatch):
    path = tmp_path / "t.parquet"
    table_of(10).to_parquet(path, index=False)
    assert not is_large(path)
    assert is_large(tmp_path)
    assert is_large(tmp_path / "t.ndjson")
    monkeypatch.setattr(streams, "LARGE_BYTES", 10)
    assert is_large(path)


def test_a_file_that_grows_while_the_persons_of_the_audit_are_read_is_refused(
    tmp_path, folder, monkeypatch
):
    path = tmp_path / "t.csv"
    table_of(60).to_csv(path, index=False)
    read, begun = streams.csv_batches, []

    def growing(given):
        begun.append(given)
        if len(begun) == 2:
            with path.open("a") as file:
                file.write("1,50,Bern\n" * 30)
        yield from read(given)

    monkeypatch.setattr(streams, "csv_batches", growing)
    with pytest.raises(DataError, match="changed while it was read"):
        prepare_files(open_table(path, SCHEMA), SCHEMA, key=key, folder=folder)
    assert len(begun) == 2
