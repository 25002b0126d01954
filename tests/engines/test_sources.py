"""Every engine counts nasty tables as numpy does: domains, counts, values, identities, rows."""

import hashlib
import sqlite3
from dataclasses import replace
from fractions import Fraction
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from dpsynth.encoding.cells import text_of
from dpsynth.encoding.codec import base_domain
from dpsynth.errors import DataError
from dpsynth.schema import Schema
from dpsynth.sources.frame import prepare
from dpsynth.sources.sql.engine import UnsupportedCellError
from dpsynth.testing.nasty_tables import nasty_table
from dpsynth.testing.same_counts import differences

CONTROL = Fraction(1, 10)
OF_PANDAS = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas")
POSTGRES = {
    "string": "text",
    "int64": "int8",
    "double": "float8",
    "bool": "bool",
    "decimal128(20, 4)": "numeric",
    "date32[day]": "date",
    "timestamp[us]": "timestamp",
    "timestamp[us, tz=UTC]": "timestamptz",
}


def key(purpose):
    return hashlib.blake2b(purpose.encode(), digest_size=32).digest()


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def rows_of(table):
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


def into_postgres(cursor, table, name="nasty"):
    kinds = [POSTGRES[str(field.type)] for field in table.schema]
    columns = zip(table.column_names, kinds, strict=True)
    cursor.execute(f"DROP TABLE IF EXISTS {name}")
    cursor.execute(f"CREATE TABLE {name} ({', '.join(f'{quoted(n)} {k}' for n, k in columns)})")
    with cursor.copy(f"COPY {name} FROM STDIN") as copy:
        copy.set_types(kinds)
        for row in rows_of(table):
            copy.write_row(row)


def as_sqlite_holds(made):
    """SQLite has no truth, no days and no decimals: their text stands for them, or 1 and 0.

    A table of those is what SQLite and numpy are both given, so that they read the same cells.
    """
    import pyarrow as pa

    columns = {}
    for name, column in zip(made.table.column_names, made.table.columns, strict=True):
        kind, held = str(column.type), column
        if kind == "bool" and made.schema.column(name).kind in ("integer", "continuous"):
            held = column.cast(pa.int64())
        elif POSTGRES[kind] not in ("text", "int8", "float8"):
            texts = [None if each is None else text_of(each) for each in column.to_pylist()]
            held = pa.array(texts, type=pa.string())
        columns[name] = held
    return replace(made, table=pa.table(columns))


def into_sqlite(path, table):
    path.unlink(missing_ok=True)
    held = sqlite3.connect(path)
    held.execute("PRAGMA synchronous = OFF")
    held.execute(f"CREATE TABLE nasty ({', '.join(map(quoted, table.column_names))})")
    marks = ", ".join("?" * table.num_columns)
    held.executemany(f"INSERT INTO nasty VALUES ({marks})", rows_of(table))
    held.commit()
    held.close()


def told_apart(made, found, *, seed):
    """What a source and numpy do not agree on."""
    expected = prepare(made.frame(), made.schema, key=key, control=CONTROL)
    apart = differences(expected.source, found.source, made.schema, seed=seed)
    if expected.identity != found.identity:
        apart.append("the identities differ")
    for part in ("members", "controls"):
        if len(getattr(expected, part)) != len(getattr(found, part)):
            apart.append(f"the numbers of {part} differ")
    return apart


def compared(seeds, source, *, held=lambda made: made, least=Fraction(4, 5)):
    """Hold ``source`` of every table against numpy; a column that it refuses is no difference.

    ``least`` is the share of tables that may not be refused.
    """
    refused = 0
    for seed in seeds:
        made = held(nasty_table(seed))
        try:
            found = source(made)
        except UnsupportedCellError:
            refused += 1
            continue
        assert told_apart(made, found, seed=seed) == [], (seed, made.schema.to_dict())
    assert refused <= (1 - least) * len(seeds), f"{refused} tables were refused"


def small_tables(number):
    """The seeds of the first tables with at most 128 codes a column.

    Spark reads the statement of a column of thousands of cells for seconds, whatever the rows.
    """
    found, seed = [], 0
    while len(found) < number:
        if max(base_domain(nasty_table(seed).schema).sizes.values()) <= 128:
            found.append(seed)
        seed += 1
    return found


@pytest.fixture(scope="module")
def postgres(cluster):
    import psycopg

    from dpsynth.sources.database import DatabaseTable, prepare_database

    with psycopg.connect(cluster.url, autocommit=True) as held:

        def source(made, **given):
            into_postgres(held.cursor(), made.table)
            where = DatabaseTable(address=cluster.url, **(given or {"table": "nasty"}))
            return prepare_database(where, made.schema, key=key, control=CONTROL)

        yield source


@pytest.fixture
def sqlite(tmp_path):
    pytest.importorskip("sqlalchemy")
    from dpsynth.sources.database import DatabaseTable, prepare_database

    def source(made):
        into_sqlite(tmp_path / "nasty.db", made.table)
        where = DatabaseTable(address=f"sqlite:///{tmp_path}/nasty.db", table="nasty")
        return prepare_database(where, made.schema, key=key, control=CONTROL)

    return source


@pytest.fixture
def in_spark(spark):
    from dpsynth.sources.spark import prepare_spark

    def source(made):
        held = spark.createDataFrame(made.table)
        return prepare_spark(held, made.schema, key=key, control=CONTROL)

    return source


@pytest.mark.parametrize("first", range(0, 200, 25))
def test_postgresql_counts_as_numpy_does(postgres, first):
    compared(range(first, first + 25), postgres)


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_sqlite_counts_as_numpy_does(sqlite, first):
    compared(range(first, first + 50), sqlite, held=as_sqlite_holds)


# Spark refuses more columns than others: times, decimals and fractions that must be text.
BY_SPARK = Fraction(3, 5)


@OF_PANDAS
@pytest.mark.xdist_group("spark")
@pytest.mark.parametrize("first", range(0, 200, 50))
def test_spark_counts_as_numpy_does(in_spark, first):
    """More than a second a table: most of it for reading statements, whatever the rows."""
    compared(small_tables(first + 50)[first:], in_spark, least=BY_SPARK)


@OF_PANDAS
@pytest.mark.xdist_group("spark")
@pytest.mark.usefixtures("compiled")
def test_spark_counts_as_numpy_does_where_it_compiles(in_spark):
    compared((9, 18), in_spark)


@pytest.mark.nightly
@pytest.mark.parametrize("first", range(200, 5_200, 250))
def test_postgresql_on_thousands_of_tables(postgres, first):
    compared(range(first, first + 250), postgres)


@pytest.mark.nightly
@pytest.mark.parametrize("first", range(200, 5_200, 250))
def test_sqlite_on_thousands_of_tables(sqlite, first):
    compared(range(first, first + 250), sqlite, held=as_sqlite_holds)


@pytest.mark.nightly
@OF_PANDAS
@pytest.mark.xdist_group("spark")
@pytest.mark.parametrize("first", range(200, 5_200, 250))
def test_spark_on_thousands_of_tables(in_spark, first):
    compared(range(first, first + 250), in_spark, least=BY_SPARK)


@pytest.mark.nightly
@OF_PANDAS
@pytest.mark.xdist_group("spark")
@pytest.mark.usefixtures("compiled")
def test_spark_on_tables_of_every_kind_where_it_compiles(in_spark):
    compared(range(20), in_spark, least=BY_SPARK)


def large(minimum=25):
    """A table with rows, persons and no column that is refused."""
    return next(
        made
        for made in map(nasty_table, range(300))
        if made.table.num_rows >= minimum
        and made.schema.unit.column is not None
        and all(c.kind in ("integer", "boolean", "continuous") for c in made.schema.modeled)
    )


def test_it_would_notice_another_key(postgres):
    """Rows chosen by another key are other rows: a planted bug."""
    made = large()
    found = postgres(made)
    other = prepare(made.frame(), made.schema, key=lambda p: key("other" + p), control=CONTROL)
    assert other.identity != found.identity


def test_a_query_is_a_table(postgres):
    made = large()
    for query in (
        "SELECT * FROM nasty",
        "SELECT * FROM nasty; ",
        "WITH a AS (SELECT * FROM nasty) SELECT * FROM a -- all of them",
        "SELECT * FROM nasty WHERE false UNION ALL SELECT * FROM nasty",
    ):
        assert told_apart(made, postgres(made, query=query), seed=0) == []


@pytest.mark.parametrize(
    "query", ["DELETE FROM nasty", "SELECT 1; SELECT 2", "not a query", "", "DROP TABLE nasty"]
)
def test_anything_but_one_query_is_refused(postgres, query):
    from dpsynth.errors import UsageError

    with pytest.raises(UsageError, match="one SELECT"):
        postgres(large(), query=query)


def test_keys_are_in_no_list_of_the_server(postgres, cluster):
    import psycopg

    made = large()
    held = postgres(made)
    with psycopg.connect(cluster.url) as other:
        seen = other.execute("SELECT query FROM pg_stat_activity").fetchall()
        kept = other.execute("SELECT relname FROM pg_class WHERE relpersistence = 't'").fetchall()
    shown = repr(seen) + cluster.log
    assert "dpsynth_rows" in repr(kept)
    for purpose in ("rows", "persons", "controls", "identity"):
        assert key(purpose).hex() not in shown
    del held


def test_nothing_stays_when_the_session_ends(postgres, cluster):
    import gc
    import time

    import psycopg

    held = postgres(large())
    del held
    gc.collect()
    with psycopg.connect(cluster.url, autocommit=True) as other:
        for _ in range(100):
            kept = other.execute(
                "SELECT count(*) FROM pg_class WHERE relpersistence = 't'"
            ).fetchone()
            if kept == (0,):
                break
            time.sleep(0.05)
    assert kept == (0,)


def test_a_user_who_may_only_read(cluster):
    import psycopg

    from dpsynth.errors import UnfitEnvironmentError
    from dpsynth.sources.database import DatabaseTable, prepare_database

    made = large()
    with psycopg.connect(cluster.url, autocommit=True) as held:
        into_postgres(held.cursor(), made.table, "theirs")
        held.execute("DROP ROLE IF EXISTS only_reads")
        held.execute("CREATE ROLE only_reads LOGIN")
        where = DatabaseTable(
            address=cluster.url.replace("dpsynth@", "only_reads@"), table="public.theirs"
        )
        with pytest.raises(DataError, match="may not read"):
            prepare_database(where, made.schema, key=key)
        held.execute("GRANT SELECT ON theirs TO only_reads")
        found = prepare_database(where, made.schema, key=key, control=CONTROL)
        assert told_apart(made, found, seed=0) == []
        held.execute("REVOKE TEMPORARY ON DATABASE postgres FROM public")
        try:
            with pytest.raises(UnfitEnvironmentError, match="may not keep temporary rows"):
                prepare_database(where, made.schema, key=key)
        finally:
            held.execute("GRANT TEMPORARY ON DATABASE postgres TO public")


def test_one_state_of_the_table_is_counted(postgres, cluster):
    """Rows that come and go between two rounds are not seen."""
    import psycopg

    made = large()
    found = postgres(made)
    name = found.source.domain.columns[0]
    before = found.source.count((name,)).tolist()
    with psycopg.connect(cluster.url, autocommit=True) as other:
        other.execute("DELETE FROM nasty")
    assert found.source.count((name,)).tolist() == before


@OF_PANDAS
@pytest.mark.xdist_group("spark")
def test_spark_counts_more_tables_at_once_than_it_takes_grouping_sets(spark):
    """Of thirteen columns there are 78 pairs, and Spark takes 64 grouping sets."""
    from dpsynth.sources.spark import prepare_spark

    names = [f"c{at}" for at in range(13)]
    schema = Schema.from_dict(
        {"columns": [{"name": name, "kind": "integer", "bounds": [0, 2]} for name in names]}
    )
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: rng.integers(0, 3, 200) for name in names})
    pairs = [*((name,) for name in names), *combinations(names, 2)]
    expected = prepare(frame, schema, key=key).source
    found = prepare_spark(spark.createDataFrame(frame), schema, key=key).source
    for mine, theirs in zip(found.count_many(pairs), expected.count_many(pairs), strict=True):
        assert mine.tolist() == theirs.tolist()
