"""Rows in a database, coded, bounded and counted where they are: PostgreSQL and SQLite.

The table is read once, by one statement within one snapshot, into temporary rows of the session:
codes, keyed digests and whose row each is. The server drops them when the session ends, however
it ends. All counts come from there, one statement a round.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import sqlglot
from sqlglot import exp

from dpsynth.errors import DataError, UnfitEnvironmentError, UsageError
from dpsynth.sources.bounded import PURPOSES, bounded_rows, keyed, prepared
from dpsynth.sources.connection import Connection
from dpsynth.sources.engine import Form
from dpsynth.sources.sql.dialects import Postgres, Sqlite, functions
from dpsynth.sources.sql.engine import Engine, Expression, Kind, text
from dpsynth.sources.structure import check_columns

if TYPE_CHECKING:
    from dpsynth.schema import Schema
    from dpsynth.sources.frame import Prepared

ROWS = "dpsynth_rows"
_TABLE = "of_the_table"


@dataclass(frozen=True, kw_only=True, repr=False)
class DatabaseTable:
    """What to read of a database; the address is never repeated, for it may hold a password.

    Args:
        address: as SQLAlchemy writes it; see ``Connection``.
        table: the name of a table or view, with its schema before a dot if need be.
        query: one SELECT; either this or ``table``.

    Raises:
        UsageError: neither or both are given.
    """

    address: str
    table: str | None = None
    query: str | None = None

    def __post_init__(self) -> None:
        if (self.table is None) == (self.query is None):
            raise UsageError("a database needs either --table or --query, and not both")

    def __repr__(self) -> str:
        return f"DatabaseTable({'a query' if self.table is None else self.table})"


class DatabaseEngine:
    """A session that counts; see ``dpsynth.sources.engine.Engine``."""

    def __init__(self, connection: Connection, words: "Engine") -> None:
        self.form: Form = "sets" if connection.dialect == "postgres" else "each"
        self.rows = connection.rows
        self.batches: Callable[..., Iterator[Sequence[Sequence[Any]]]] = connection.batches
        self._words = words

    def text(self, value: str) -> str:
        """Write a text as SQL."""
        return self._words.sql(text(value))


def prepare_database(
    held: DatabaseTable,
    schema: "Schema",
    *,
    key: Callable[[str], bytes],
    control: Fraction | int = 0,
) -> "Prepared":
    """Encode, bound and split a table of a database; see ``dpsynth.sources.frame.prepare``.

    Raises:
        UsageError: the address or the query is none that can be run.
        DataError: there is no such table, or its columns are not the declared ones.
        SchemaError: the schema is not closed.
        UnfitEnvironmentError: the database cannot be reached, or keeps no temporary rows.
    """
    return open_database(held, schema, control=control)(key=key)


def open_database(
    held: DatabaseTable, schema: "Schema", *, control: Fraction | int = 0
) -> "Callable[..., Prepared]":
    """Connect and check the structure; return what then reads the rows, called with ``key``.

    Raises: as ``prepare_database``, before a row is read.
    """
    schema.require_closed()
    connection = Connection(held.address)
    words: Engine = Postgres() if connection.dialect == "postgres" else Sqlite()
    table = _read(held, words)
    kinds, source = _typed(connection, table, schema, words)
    bounded = bounded_rows(source, schema, kinds=kinds, engine=words, control=Fraction(control))

    def prepare(*, key: Callable[[str], bytes]) -> "Prepared":
        places: dict[str, Expression] = {}
        for purpose in PURPOSES:
            places[purpose] = text(key(purpose).hex())
            if connection.dialect == "postgres":
                connection.remember(f"dpsynth.{purpose}", key(purpose).hex())
                places[purpose] = _remembered(purpose)
        rest = words.sql(keyed(bounded.query, places))
        rest = f", {rest.removeprefix('WITH ')}" if rest.startswith("WITH ") else f" {rest}"
        _keep(connection, f"WITH {_TABLE} AS ({table}\n){rest}")
        engine = DatabaseEngine(connection, words)
        return prepared(engine, bounded, schema, relation=ROWS, words=words, key=key)

    return prepare


def _remembered(purpose: str) -> "Expression":
    setting = exp.Literal.string(f"dpsynth.{purpose}")
    return exp.Anonymous(this="CURRENT_SETTING", expressions=[setting])


def _read(held: DatabaseTable, words: "Engine") -> str:
    if held.table is not None:
        named = exp.to_table(held.table, dialect=words.dialect)
        return words.sql(exp.select("*").from_(named))
    query = (held.query or "").strip().rstrip(";")
    try:
        found = sqlglot.parse(query, read=words.dialect)
    except sqlglot.errors.SqlglotError:
        found = []
    if len(found) != 1 or not isinstance(found[0], exp.Query):
        raise UsageError("--query must be one SELECT: make a view of anything else")
    return query


def _typed(
    connection: Connection, table: str, schema: "Schema", words: "Engine"
) -> tuple[dict[str, "Kind"], "Expression"]:
    """Check the columns, and return what each holds and a query that says so."""
    described = connection.described(f"WITH {_TABLE} AS ({table}\n) SELECT * FROM {_TABLE} LIMIT 0")
    check_columns([name for name, _ in described], schema, where="the table")
    needed = {column.name for column in schema.modeled} | {schema.unit.column}
    kinds, chosen = {}, []
    for name, number in described:
        if name not in needed:
            continue
        column: Expression = exp.column(name, quoted=True)
        if isinstance(words, Sqlite):
            kinds[name], column = Kind.TEXT, words.spelled(column)
        else:
            kinds[name] = _kind(connection, number)
            column = _plain(column, kinds[name])
        chosen.append(exp.alias_(column, name, quoted=True))
    return kinds, exp.select(*chosen).from_(exp.to_table(_TABLE)).subquery("source", copy=False)


def _kind(connection: Connection, number: int) -> "Kind":
    """Return what a column of PostgreSQL holds, by the number of its type."""
    known: Mapping[int, Kind] = {
        16: Kind.BOOLEAN,
        **dict.fromkeys((20, 21, 23), Kind.INTEGER),
        **dict.fromkeys((700, 701), Kind.FLOAT),
        1700: Kind.DECIMAL,
        **dict.fromkeys((19, 25, 1042, 1043, 2950), Kind.TEXT),  # name, text, char, varchar, uuid
        1082: Kind.DATE,
        **dict.fromkeys((1114, 1184), Kind.TIMESTAMP),
    }
    if number in known:
        return known[number]
    found = connection.rows(f"SELECT typtype FROM pg_type WHERE oid = {int(number)}")
    return Kind.TEXT if found and found[0][0] in ("e", b"e") else Kind.OTHER


def _plain(column: "Expression", kind: "Kind") -> "Expression":
    if kind is Kind.TEXT:
        as_text = exp.cast(column, exp.DataType.Type.TEXT)
        return exp.Collate(this=as_text, expression=exp.to_identifier("C", quoted=True))
    if kind is Kind.FLOAT:
        return exp.cast(column, exp.DataType.Type.DOUBLE)
    if kind is Kind.INTEGER:
        return exp.cast(column, exp.DataType.Type.BIGINT)
    if kind is Kind.DECIMAL:
        return exp.Nullif(this=column, expression=text("NaN"))
    return column


def _keep(connection: Connection, statement: str) -> None:
    """Read the table once, into rows of this session alone."""
    if connection.dialect == "sqlite":
        for name, (count, function) in functions().items():
            connection.raw.create_function(name, count, function, deterministic=True)
        connection.run(f"CREATE TEMP TABLE {ROWS} AS {statement}")
        return
    try:
        connection.run(f"CREATE TEMP TABLE {ROWS} AS {statement} WITH NO DATA")
    except DataError as problem:
        if connection.may_not_keep:
            raise UnfitEnvironmentError(
                "the database user may not keep temporary rows: grant TEMPORARY on the database, "
                "and do not use a standby"
            ) from None
        raise problem from None
    connection.freeze()
    connection.run(f"INSERT INTO {ROWS} {statement}")
    connection.thaw()
