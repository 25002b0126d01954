"""A release from a database: whole, or one sentence; the ledger never under-counts."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import dpsynth
from dpsynth.cli.app import main
from dpsynth.errors import UnfitEnvironmentError
from dpsynth.sources import connection
from dpsynth.testing.people import people_toml

SECRET = "s3cret"
SCHEMA = people_toml(expected_rows=400)


@pytest.fixture
def people(cluster, tmp_path, monkeypatch):
    """A table of 400 rows in the database, its schema and its ledger."""
    import psycopg

    monkeypatch.setenv("DPSYNTH_HOME", str(tmp_path / "home"))
    rng = np.random.default_rng(1)
    with psycopg.connect(cluster.url, autocommit=True) as held:
        held.execute("DROP TABLE IF EXISTS people CASCADE")
        held.execute("CREATE TABLE people (age int, sex text)")
        with held.cursor().copy("COPY people FROM STDIN") as copy:
            for age in rng.integers(0, 100, 400):
                copy.write_row((int(age), str(rng.choice(["f", "m"]))))
    (tmp_path / "people.toml").write_text(SCHEMA)
    dpsynth.Ledger.create(tmp_path / "people.ledger", cap_epsilon="10", cap_delta="1e-6").close()
    return cluster.url


def fitting(address, folder, *more, out="release"):
    return [
        "release", address, *(more or ("--table", "people")), "--schema", f"{folder}/people.toml",
        "--epsilon", "1", "--delta", "1e-9", "--synthesizer", "independent",
        "--ledger", f"{folder}/people.ledger", "--out", f"{folder}/{out}",
    ]  # fmt: skip


def spent(folder):
    with dpsynth.Ledger.open(folder / "people.ledger") as book:
        return book.spent


def nothing_is_left(folder):
    assert not (folder / "release").exists()
    assert [each.name for each in folder.iterdir() if "release" in each.name] == []


def test_a_release_from_a_table_of_a_database(people, tmp_path, capsys):
    assert main([*fitting(people, tmp_path), "--json"]) in (0, 7)
    shown = capsys.readouterr()
    assert json.loads(shown.out)["directory"] == f"{tmp_path}/release"
    assert (tmp_path / "release/public/certificate.json").is_file()
    address = str(people).split("host=")[1]
    written = b"".join(p.read_bytes() for p in tmp_path.rglob("release/**/*") if p.is_file())
    written += (tmp_path / "people.ledger").read_bytes()
    assert address.encode() not in written
    assert address not in shown.out + shown.err


@pytest.mark.parametrize(
    ("address", "more", "code", "words"),
    [
        ("{url}", ("--table", "strangers"), 4, "no such table"),
        ("{url}", ("--query", "SELECT age FROM people"), 4, "lacks the column"),
        ("{url}", ("--query", "SELECT 1/0 AS age, 'f' AS sex"), 4, "fails on some cell"),
        ("{url}", ("--query", "DELETE FROM people"), 2, "one SELECT"),
        ("{url}", ("--table", "people", "--query", "SELECT 1"), 2, "either --table or --query"),
        ("{url}", ("--control", "0"), 2, "either --table or --query"),
        ("people.csv", ("--table", "people"), 2, "belong to a database"),
        (f"postgresql://me:{SECRET}@127.0.0.1:1/db", (), 6, "cannot be reached"),
        (f"oracle://me:{SECRET}@127.0.0.1/db", (), 2, "PostgreSQL and SQLite"),
        ("{url}", ("--spark", "local[1]"), 2, "TABLE names a Spark table"),
    ],
)
def test_what_is_refused_costs_nothing(people, tmp_path, capsys, address, more, code, words):
    before = spent(tmp_path)
    assert main(fitting(address.format(url=people), tmp_path, *more)) == code
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert words in said
    assert SECRET not in said
    assert spent(tmp_path) == before
    nothing_is_left(tmp_path)


def test_a_connection_lost_in_the_middle_stays_charged(people, tmp_path, monkeypatch, capsys):
    """The server ends the session when the first counts are asked for: after the charge."""
    import psycopg

    rows = connection.Connection.rows

    def killed(self, statement):
        if "GROUPING SETS" in statement or "AS cell" in statement:
            (mine,) = rows(self, "SELECT pg_backend_pid()")
            with psycopg.connect(people, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", mine)
        return rows(self, statement)

    before = spent(tmp_path)
    monkeypatch.setattr(connection.Connection, "rows", killed)
    assert main(fitting(people, tmp_path)) == UnfitEnvironmentError.exit_code
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "the connection to the database was lost" in said
    assert "stays charged" in said
    assert spent(tmp_path) > before
    nothing_is_left(tmp_path)


def test_a_process_that_is_killed_leaves_no_rows_behind(people, cluster, tmp_path):
    """Temporary rows go with the session, and the session with the process."""
    import psycopg

    program = (
        "import sys, time\n"
        "from dpsynth.sources.database import DatabaseTable, prepare_database\n"
        "from dpsynth.schema import Schema\n"
        "held = prepare_database(DatabaseTable(address=sys.argv[1], table='people'),\n"
        "                        Schema.read(sys.argv[2]), key=lambda p: p.encode() * 4)\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, people, f"{tmp_path}/people.toml"],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    with child, psycopg.connect(cluster.url, autocommit=True) as other:

        def kept():
            asked = "SELECT count(*) FROM pg_class WHERE relname = 'dpsynth_rows'"
            return other.execute(asked).fetchone()[0]

        assert child.stdout.readline() == "ready\n"
        assert kept() >= 1
        child.send_signal(signal.SIGKILL)
        child.wait()
        for _ in range(200):
            if not kept():
                break
            time.sleep(0.05)
        assert kept() == 0
    assert sorted(each.name for each in tmp_path.iterdir()) == ["people.ledger", "people.toml"]
