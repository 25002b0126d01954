"""A database that fails: one sentence of ours with the right exit code, and nothing of the rows."""

import pickle
import sqlite3
import threading

import pytest

from dpsynth.errors import DataError, UnfitEnvironmentError, UsageError
from dpsynth.sources.connection import Connection, is_address

SECRET = "s3cret-cell"  # in the rows, and in addresses as a password


@pytest.fixture
def open_(cluster):
    held = []

    def opened(address=None):
        held.append(Connection(address or cluster.url))
        return held[-1]

    yield opened
    for each in held:
        each.close()


def says_nothing(caught, *, words):
    text = str(caught.value)
    assert words in text
    assert SECRET not in text
    assert "SELECT" not in text
    assert "\n" not in text
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://me@host/db", True),
        ("postgresql+psycopg://host/db", True),
        ("sqlite:///people.db", True),
        ("people.csv", False),
        ("C:/people.csv", False),
        ("folder//people.csv", False),
    ],
)
def test_addresses_are_told_from_paths(text, expected):
    assert is_address(text) is expected


def test_a_session_sees_utc_and_answers(open_):
    found = open_()
    assert found.dialect == "postgres"
    assert found.rows("SELECT 1 AS a, current_setting('TimeZone') AS b") == [(1, "UTC")]
    assert found.rows("SELECT '100%' || ':x' || '%s'") == [("100%:x%s",)]
    assert [name for name, _ in found.described("SELECT 1 AS a, 'b' AS \"B c\"")] == ["a", "B c"]
    assert [len(each) for each in found.batches("SELECT generate_series(1, 25)", size=10)] == [
        10, 10, 5,
    ]  # fmt: skip
    assert repr(found) == "Connection(postgres)"
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(found)


@pytest.mark.parametrize(
    ("statement", "error", "words"),
    [
        ("SELECT * FROM no_such_table", DataError, "no such table"),
        ("SELECT * FROM no_such_schema.t", DataError, "no such table"),
        ("SELECT no_such_column FROM pg_class", DataError, "names a column"),
        (f"SELECT CAST('{SECRET}' AS integer)", DataError, "fails on some cell"),
        ("SELECT 1 / 0", DataError, "fails on some cell"),
        ("SELEC", DataError, "cannot run the query"),
        ("SELECT * FROM pg_authid", DataError, "may not read"),
        ("SELECT raised('53100')", UnfitEnvironmentError, "disk is full"),
        ("SELECT raised('53200')", UnfitEnvironmentError, "ran out of"),
        ("SELECT raised('40001')", UnfitEnvironmentError, "gave up"),
        ("SELECT raised('57P01')", UnfitEnvironmentError, "was lost"),
        ("SELECT raised('XX000')", UnfitEnvironmentError, "failed while it ran"),
    ],
)
def test_what_the_database_says_is_not_repeated(open_, cluster, statement, error, words):
    owner = open_()
    owner.run(
        "CREATE OR REPLACE FUNCTION raised(state text) RETURNS int LANGUAGE plpgsql AS "
        f"$$BEGIN RAISE EXCEPTION '{SECRET}' USING ERRCODE = state; END$$"
    )
    if not owner.rows("SELECT 1 FROM pg_roles WHERE rolname = 'reader'"):
        owner.run("CREATE ROLE reader LOGIN")
    found = open_(cluster.url.replace("dpsynth@", "reader@"))
    for run in (found.run, found.rows, found.described, lambda s: list(found.batches(s, size=2))):
        with pytest.raises(error) as caught:
            run(statement)
        says_nothing(caught, words=words)


def test_a_statement_that_somebody_cancels(open_):
    found, other = open_(), open_()
    (mine,) = found.rows("SELECT pg_backend_pid()")

    thread = threading.Timer(0.2, lambda: other.rows(f"SELECT pg_cancel_backend({mine[0]})"))
    thread.start()
    with pytest.raises(UnfitEnvironmentError) as caught:
        found.rows("SELECT pg_sleep(20)")
    thread.join()
    says_nothing(caught, words="cancelled a statement")
    found.run("SET statement_timeout = 50")
    with pytest.raises(UnfitEnvironmentError, match="by a time limit or by hand"):
        found.rows("SELECT pg_sleep(20)")


def test_a_session_that_is_ended(open_):
    found, other = open_(), open_()
    (mine,) = found.rows("SELECT pg_backend_pid()")
    other.rows(f"SELECT pg_terminate_backend({mine[0]})")
    for _ in range(3):
        with pytest.raises(UnfitEnvironmentError) as caught:
            found.rows("SELECT 1")
        assert caught.value.exit_code == 6
        assert "lost" in str(caught.value) or "ended" in str(caught.value)
    found.close()


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://me:{SECRET}@127.0.0.1:1/db",
        f"postgres://me@127.0.0.1:1/db?password={SECRET}",
        f"postgresql://nobody:{SECRET}@/db?host=/no/such/folder",
    ],
)
def test_no_database_is_there(address):
    pytest.importorskip("psycopg")
    with pytest.raises(UnfitEnvironmentError) as caught:
        Connection(address)
    says_nothing(caught, words="cannot be reached")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (f"mysql://me:{SECRET}@host/db", "PostgreSQL and SQLite"),
        (f"snowflake://me:{SECRET}@host/db", "PostgreSQL and SQLite"),
        (f"://{SECRET}", "cannot be read"),
    ],
)
def test_other_addresses_are_refused(address, words):
    pytest.importorskip("sqlalchemy")
    with pytest.raises(UsageError) as caught:
        Connection(address)
    says_nothing(caught, words=words)


@pytest.fixture
def people(tmp_path):
    path = tmp_path / "people.db"
    held = sqlite3.connect(path)
    held.execute("CREATE TABLE people (a, b)")
    held.executemany("INSERT INTO people VALUES (?, ?)", [(1, SECRET), (2, None)])
    held.commit()
    held.close()
    return path


def test_a_file_of_sqlite_is_read_and_not_written(open_, people):
    found = open_(f"sqlite:///{people}")
    assert found.dialect == "sqlite"
    assert found.rows("SELECT a FROM people") == [(1,), (2,)]
    assert found.raw.execute("SELECT 2").fetchone() == (2,)
    before = people.read_bytes()
    with pytest.raises((DataError, UnfitEnvironmentError)):
        found.run("INSERT INTO people VALUES (3, 'c')")
    assert people.read_bytes() == before
    with pytest.raises(DataError, match="no such table"):
        found.rows("SELECT * FROM strangers")


def test_files_that_are_no_database(open_, tmp_path):
    with pytest.raises(DataError, match=r"no SQLite file at 'none\.db'"):
        Connection(f"sqlite:///{tmp_path}/none.db")
    (tmp_path / "text.db").write_text(SECRET * 300)
    with pytest.raises(DataError) as caught:
        open_(f"sqlite:///{tmp_path}/text.db").rows("SELECT * FROM a")
    says_nothing(caught, words="no SQLite file")


def test_a_full_disk_under_sqlite(open_, people):
    found = open_(f"sqlite:///{people}")
    found.run("PRAGMA temp.max_page_count = 2")
    found.run("CREATE TEMP TABLE much (a)")
    with pytest.raises(UnfitEnvironmentError) as caught:
        found.run("INSERT INTO temp.much SELECT zeroblob(100000)")
    says_nothing(caught, words="disk is full")
