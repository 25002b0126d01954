"""Rows in Spark, coded, bounded and counted by its executors; noise is made in this process alone.

Everything is SQL over views of the caller's own session, classic or Connect. Which rows are kept
follows from keyed digests of what they hold, so that a task that runs again chooses them again.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from weakref import finalize

from sqlglot import exp

from dpsynth.errors import DataError, UnfitEnvironmentError
from dpsynth.schema.columns import DateColumn
from dpsynth.sources.bounded import PURPOSES, bounded_rows, keyed, prepared
from dpsynth.sources.engine import Form
from dpsynth.sources.sql.dialects import Spark
from dpsynth.sources.sql.engine import Expression, Kind, text
from dpsynth.sources.structure import check_columns

if TYPE_CHECKING:
    from dpsynth.schema import Schema
    from dpsynth.sources.frame import Prepared

_LOGGED = ("SQL", "DataFrame")  # what PySpark logs the context of
_CHARGED = "what the ledger was charged stays charged"


def open_session(master: str) -> Any:
    """Return a session of Spark: ``local[2]``, ``spark://...``, ``yarn`` or ``sc://...`` (Connect).

    Raises:
        UnfitEnvironmentError: the extra ``spark`` or Java is missing, or nobody answers.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise UnfitEnvironmentError(
            "reading from Spark needs the extra `spark`: pip install 'dpsynth[spark]'"
        ) from None
    with faults("Spark cannot be started, or the cluster does not answer"):
        builder = SparkSession.builder.appName("dpsynth")
        wanted = builder.remote(master) if master.startswith("sc://") else builder.master(master)
        session = wanted.getOrCreate()
        # On the terminal of this process: what a failing task says there quotes cells.
        here = getattr(session, "sparkContext", None)  # Connect has none
        if here is not None:
            here.setLogLevel("OFF")
        return session


class SparkEngine:
    """A session that counts; see ``dpsynth.sources.engine.Engine``."""

    form: Form = "array"

    def __init__(self, session: Any, words: "Spark") -> None:
        self._session = session
        self._words = words

    def rows(self, statement: str) -> list[Sequence[Any]]:
        """Run one statement and return all that it answers."""
        with faults():
            return [tuple(row) for row in self._session.sql(statement).collect()]

    def batches(self, statement: str, *, size: int) -> Iterator[list[Sequence[Any]]]:
        """Run one statement and yield what it answers, about ``size`` rows at a time."""
        held: list[Sequence[Any]] = []
        with faults():
            for row in self._session.sql(statement).toLocalIterator():
                held.append(tuple(row))
                if len(held) == size:
                    yield held
                    held = []
        if held:
            yield held

    def text(self, value: str) -> str:
        """Write a text as SQL."""
        return self._words.sql(text(value))


def prepare_spark(
    held: Any,
    schema: "Schema",
    *,
    key: Callable[[str], bytes],
    control: Fraction | int = 0,
) -> "Prepared":
    """Encode, bound and split a Spark DataFrame; see ``dpsynth.sources.frame.prepare``.

    Args:
        held: a DataFrame of Spark 4, from a classic session or from Connect.
        schema: closed.
        key: subkeys of the table's secret key by purpose.
        control: share of the units to set aside, exact, in [0, 1).

    Raises:
        DataError: its columns are not the declared ones.
        SchemaError: the schema is not closed.
        UnfitEnvironmentError: the session fails or has ended.
    """
    return open_spark(held, schema, control=control)(key=key)


def open_spark(
    held: Any, schema: "Schema", *, control: Fraction | int = 0
) -> "Callable[..., Prepared]":
    """Check the structure; return what then reads the rows, called with ``key``.

    Raises: as ``prepare_spark``, before a row is read.
    """
    schema.require_closed()
    with faults():
        session, fields = held.sparkSession, held.schema.fields
    check_columns([field.name for field in fields], schema)
    words, name = Spark(), f"dpsynth_{uuid4().hex}"
    views = [f"{name}_table", f"{name}_keys", f"{name}_rows"]
    kinds, source = _typed(fields, schema, words, views[0])
    bounded = bounded_rows(source, schema, kinds=kinds, engine=words, control=Fraction(control))

    def prepare(*, key: Callable[[str], bytes]) -> "Prepared":
        # In a view of one row: a literal would stand in the plans that Spark shows and logs.
        query = keyed(bounded.query, {purpose: _asked(purpose, views[1]) for purpose in PURPOSES})
        with faults():
            held.createOrReplaceTempView(views[0])
            keys = tuple(key(purpose).hex() for purpose in PURPOSES)
            session.createDataFrame([keys], list(PURPOSES)).createOrReplaceTempView(views[1])
            rows = session.sql(words.sql(query)).persist()
            rows.createOrReplaceTempView(views[2])
        engine = SparkEngine(session, words)
        found = prepared(engine, bounded, schema, relation=views[2], words=words, key=key)
        finalize(found.source, _forget, session, rows, views)
        return found

    return prepare


def _forget(session: Any, rows: Any, views: Sequence[str]) -> None:
    with contextlib.suppress(Exception):  # the session may be gone already
        rows.unpersist()
        for view in views:
            session.catalog.dropTempView(view)


def _asked(purpose: str, view: str) -> "Expression":
    return exp.select(exp.column(purpose, quoted=True)).from_(exp.to_table(view)).subquery()


def _typed(
    fields: Sequence[Any], schema: "Schema", words: "Spark", view: str
) -> tuple[dict[str, "Kind"], "Expression"]:
    """Return what each column holds and a query that says so."""
    known: Mapping[str, Kind] = {
        "string": Kind.TEXT,
        "boolean": Kind.BOOLEAN,
        **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), Kind.INTEGER),
        **dict.fromkeys(("float", "double"), Kind.FLOAT),
        "decimal": Kind.DECIMAL,
        "date": Kind.DATE,
        "timestamp": Kind.TIMESTAMP,
        "timestamp_ntz": Kind.TIMESTAMP,
    }
    casts = {
        Kind.TEXT: exp.DataType.Type.TEXT,
        Kind.INTEGER: exp.DataType.Type.BIGINT,
        Kind.FLOAT: exp.DataType.Type.DOUBLE,
    }
    dated = {column.name for column in schema.modeled if isinstance(column, DateColumn)}
    needed = {column.name for column in schema.modeled} | {schema.unit.column}
    kinds, chosen = {}, []
    for name, spelled in ((field.name, field.dataType.simpleString()) for field in fields):
        if name not in needed:
            continue
        kind = known.get(spelled.partition("(")[0], Kind.OTHER)
        kind = Kind.TEXT if spelled.startswith(("varchar", "char")) else kind
        column: Expression = exp.column(name, quoted=True)
        if kind in casts:
            column = exp.cast(column, casts[kind])
        if spelled == "timestamp" and name in dated:
            column, kind = words.day_in_utc(column), Kind.DATE
        kinds[name] = kind
        chosen.append(exp.alias_(column, name, quoted=True))
    return kinds, exp.select(*chosen).from_(exp.to_table(view)).subquery("source", copy=False)


@contextlib.contextmanager
def faults(unreachable: str | None = None) -> Iterator[None]:
    """Turn what Spark raises, whose words quote plans and cells, into one of our sentences."""
    from py4j.protocol import Py4JError
    from pyspark.errors import AnalysisException, ParseException, PySparkException

    try:
        with _unlogged():
            yield
    except (AnalysisException, ParseException):
        raise DataError("Spark has no such table, or cannot run the query") from None
    except (PySparkException, Py4JError, OSError, EOFError, RuntimeError, AttributeError):
        # A context that was stopped is None, and whatever asks it for something fails.
        raise UnfitEnvironmentError(
            unreachable or f"the Spark session failed or has ended; {_CHARGED}"
        ) from None


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    """PySpark writes the cell that a statement failed on to the terminal, by loggers of its own."""
    from pyspark.logger import PySparkLogger

    loggers = [PySparkLogger.getLogger(f"{which}QueryContextLogger") for which in _LOGGED]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, was in zip(loggers, before, strict=True):
            logger.disabled = was
