"""One connection to a database: opened read-only, and whatever it says kept out of our messages.

What a server answers may quote cells, and an address may hold a password. So every error becomes
one of our sentences, by its SQLSTATE alone, and neither address nor SQL is ever repeated.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import finalize

from dpsynth.errors import DataError, DpsynthError, UnfitEnvironmentError, UsageError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

SCHEMES = ("postgresql", "postgres", "sqlite")
_CHARGED = "what the ledger was charged stays charged"
_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_POSTGRES = (
    "SET TIME ZONE 'UTC'",
    "SET DateStyle = 'ISO, YMD'",
    "SET client_encoding = 'UTF8'",
    "SET extra_float_digits = 1",
    "SET standard_conforming_strings = on",
    "SET idle_in_transaction_session_timeout = 0",
    # One session counts, so that no worker process has to find its temporary rows.
    "SET max_parallel_workers_per_gather = 0",
)


def is_address(text: str) -> bool:
    """Tell whether ``text`` is the address of a database, and no path of a file."""
    scheme, found, _ = text.partition("://")
    return bool(found) and scheme.partition("+")[0].isidentifier()


class Connection:
    """One session of PostgreSQL or SQLite, which sees one state of the table and changes nothing.

    Args:
        address: as SQLAlchemy writes it, such as ``postgresql://user@host/name``; give a password
            by PGPASSWORD or a password file rather than within it.

    Raises:
        UsageError: an address of another kind, or none at all.
        UnfitEnvironmentError: the extra ``sql`` is missing, or the database cannot be reached.
    """

    def __init__(self, address: str) -> None:
        url = _url(address)
        self.dialect = "sqlite" if url.get_backend_name() == "sqlite" else "postgres"
        self.__frozen = False
        import sqlalchemy
        from sqlalchemy.pool import NullPool

        with self._faults("the database cannot be reached, or refused the login"):
            engine = sqlalchemy.create_engine(
                url, poolclass=NullPool, isolation_level="AUTOCOMMIT", hide_parameters=True
            )
            self.__held = engine.connect().execution_options(no_parameters=True)
            for setting in _POSTGRES if self.dialect == "postgres" else ():
                self.__held.exec_driver_sql(setting)
        # Where nobody closes the session, it ends with this object, and its temporary rows with it.
        self.close = finalize(self, _ended, self.__held)
        if self.dialect == "postgres" and self.rows("SHOW server_encoding") != [("UTF8",)]:
            raise UnfitEnvironmentError("the database is not stored in UTF-8, so text may be lost")

    def run(self, statement: str) -> None:
        """Run one statement that answers nothing."""
        with self._faults():
            self.__held.exec_driver_sql(statement)

    def remember(self, name: str, value: str) -> None:
        """Keep a setting for this session, which no list of what runs will show."""
        with self._faults():
            self.__held.exec_driver_sql("SELECT set_config(%s, %s, false)", (name, value)).close()

    @property
    def may_not_keep(self) -> bool:
        """Whether the session has no right to temporary tables, or the server makes none."""
        ((right, standby),) = self.rows(
            "SELECT has_database_privilege(current_database(), 'TEMPORARY'), pg_is_in_recovery()"
        )
        return bool(standby or not right)

    def rows(self, statement: str) -> list[Sequence[Any]]:
        """Run one statement and return all that it answers."""
        with self._faults():
            return [tuple(row) for row in self.__held.exec_driver_sql(statement)]

    def batches(self, statement: str, *, size: int) -> Iterator[list[Sequence[Any]]]:
        """Run one statement and yield what it answers, at most ``size`` rows at a time."""
        with self._faults(), self._within_one():
            answer = self.__held.exec_driver_sql(
                statement, execution_options={"stream_results": True}
            )
            while rows := answer.fetchmany(size):
                yield [tuple(row) for row in rows]

    @contextlib.contextmanager
    def _within_one(self) -> Iterator[None]:
        """Open a transaction where none is open: a cursor of PostgreSQL lives within one."""
        alone = self.dialect == "postgres" and not self.__frozen
        if alone:
            self.__held.exec_driver_sql(_SNAPSHOT)
        yield
        if alone:
            self.__held.exec_driver_sql("COMMIT")

    def freeze(self) -> None:
        """See one state of the database from now on, and change nothing but what is temporary."""
        with self._faults():
            self.__held.exec_driver_sql(_SNAPSHOT if self.dialect == "postgres" else "BEGIN")
        self.__frozen = True

    def thaw(self) -> None:
        """End what ``freeze`` began; what is temporary stays."""
        with self._faults():
            self.__held.exec_driver_sql("COMMIT")
        self.__frozen = False

    def described(self, statement: str) -> list[tuple[str, Any]]:
        """Return name and type of every column that ``statement`` would answer; reads no row."""
        with self._faults():
            cursor: Any = self.__held.exec_driver_sql(statement).cursor
            found = [(str(each[0]), each[1]) for each in cursor.description]
            cursor.close()
            return found

    @property
    def raw(self) -> Any:
        """The driver's own connection, to register functions with."""
        return self.__held.connection.driver_connection

    @contextlib.contextmanager
    def _faults(self, unreachable: str | None = None) -> Iterator[None]:
        import sqlalchemy

        try:
            yield
        except sqlalchemy.exc.DBAPIError as problem:
            raise fault(problem, unreachable=unreachable) from None
        except sqlalchemy.exc.SQLAlchemyError:
            raise UnfitEnvironmentError(
                unreachable or f"the database session has ended; {_CHARGED}"
            ) from None

    def __repr__(self) -> str:
        return f"Connection({self.dialect})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("Connection reads private rows and cannot be pickled or copied")


def _ended(held: Any) -> None:
    with contextlib.suppress(Exception):  # it may be gone already
        held.close()
        held.engine.dispose()


def _url(address: str) -> "URL":
    try:
        import sqlalchemy
    except ImportError:
        raise UnfitEnvironmentError(
            "reading a database needs the extra `sql`: pip install 'dpsynth[sql]'"
        ) from None
    try:
        url = sqlalchemy.engine.make_url(address)
    except sqlalchemy.exc.ArgumentError:
        raise UsageError(
            "the address of the database cannot be read: write postgresql://user@host/name "
            "or sqlite:///path"
        ) from None
    kind = url.get_backend_name()
    if kind not in SCHEMES:
        raise UsageError(
            "rows are counted in PostgreSQL and SQLite; export the table of another database to "
            "Parquet, or use Spark"
        )
    if kind == "sqlite":
        path = Path(url.database or "")
        if not path.is_file():
            raise DataError(f"there is no SQLite file at {path.name!r}")
        return url.set(
            drivername="sqlite", database=f"file:{path}", query={"mode": "ro", "uri": "true"}
        )
    return url.set(drivername="postgresql+psycopg")


# By SQLSTATE or its class, the longest first: https://www.postgresql.org/docs/15/errcodes-appendix.html
_STATES: dict[str, tuple[type[DpsynthError], str]] = {
    "57014": (
        UnfitEnvironmentError,
        f"the database cancelled a statement, by a time limit or by hand; {_CHARGED}",
    ),
    "57": (UnfitEnvironmentError, f"the connection to the database was lost; {_CHARGED}"),
    "08": (UnfitEnvironmentError, f"the connection to the database was lost; {_CHARGED}"),
    "25P03": (UnfitEnvironmentError, f"the connection to the database was lost; {_CHARGED}"),
    "53100": (UnfitEnvironmentError, f"the database's disk is full; {_CHARGED}"),
    "53": (
        UnfitEnvironmentError,
        f"the database ran out of disk, memory or connections; {_CHARGED}",
    ),
    "54": (UnfitEnvironmentError, "a statement was too large for the database"),
    "42P01": (DataError, "the database has no such table: check --table, with its schema"),
    "3F000": (DataError, "the database has no such table: check --table, with its schema"),
    "42703": (DataError, "the query names a column that its tables do not have"),
    "42501": (DataError, "the database user may not read the table: it must be granted that"),
    "42": (DataError, "the database cannot run the query: try it there by itself"),
    "22": (DataError, "the query fails on some cell of the table: write it so that it cannot"),
    "40": (UnfitEnvironmentError, f"the database gave up a statement; {_CHARGED}"),
    "28": (UnfitEnvironmentError, "the database cannot be reached, or refused the login"),
}


def fault(problem: Any, *, unreachable: str | None = None) -> DpsynthError:
    """Return the error of ours for one of SQLAlchemy's, whose words may quote cells."""
    origin = problem.orig
    state = getattr(origin, "sqlstate", None) or ""
    for length in (5, 2):
        if length <= len(state) and state[:length] in _STATES:
            kind, words = _STATES[state[:length]]
            return kind(words)
    if unreachable is not None:
        return UnfitEnvironmentError(unreachable)
    if state:
        return UnfitEnvironmentError(f"the database failed while it ran a statement; {_CHARGED}")
    code = getattr(origin, "sqlite_errorname", "") or ""
    if code.startswith("SQLITE_FULL"):
        return UnfitEnvironmentError(f"the disk is full; {_CHARGED}")
    if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return DataError("the SQLite file is damaged, or no SQLite file")
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return UnfitEnvironmentError("the SQLite file is locked by another program")
    if code == "SQLITE_ERROR":
        return DataError("the database has no such table, or cannot run the query")
    return UnfitEnvironmentError(f"the connection to the database was lost; {_CHARGED}")
