"""A sample into a new table of a database: in one transaction, so whole or not at all."""

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dpsynth.errors import UnfitEnvironmentError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy

    from dpsynth.release.streaming import Block

_ROWS = 10_000  # in one statement's parameters


def write_table(blocks: "Iterator[Block]", empty: "Block", address: str, table: str) -> None:
    """Make ``table`` and put all rows into it.

    Args:
        blocks: the rows.
        empty: a block of no rows, for the columns and their types.
        address: of the database, as SQLAlchemy writes it; never repeated, as it may hold a
            password.
        table: name of a new table, perhaps with its schema before a dot.

    Raises:
        UsageError: the address cannot be read, or there is such a table already.
        UnfitEnvironmentError: the database refuses, or SQLAlchemy or a driver is missing.
    """
    try:
        import sqlalchemy as sa
    except ImportError as error:
        raise UnfitEnvironmentError(
            "writing to a database needs SQLAlchemy: pip install 'dpsynth[sql]'"
        ) from error
    schema, _, name = table.rpartition(".")
    try:
        engine = _engine(address)
    except sa.exc.ArgumentError:
        raise UsageError("the address of the database is not one that SQLAlchemy reads") from None
    except ImportError:
        raise UnfitEnvironmentError("the driver of this database is not installed") from None
    target = sa.Table(name, sa.MetaData(), *_columns(empty.arrow().schema), schema=schema or None)
    try:
        if sa.inspect(engine).has_table(name, schema=schema or None):
            raise UsageError(f"the database has a table {table!r} already; nothing was written")
        with engine.begin() as connection:
            target.create(connection)
            for block in blocks:
                for rows in _rows(block):
                    connection.execute(target.insert(), rows)
    except sa.exc.SQLAlchemyError as error:
        raise UnfitEnvironmentError(
            f"the database did not take the table {table!r} ({type(error).__name__})"
        ) from None
    finally:
        engine.dispose()


def _engine(address: str) -> "sqlalchemy.Engine":
    import sqlalchemy as sa

    engine = sa.create_engine(address)
    if engine.dialect.name == "sqlite":  # its driver would make the table outside the transaction

        @sa.event.listens_for(engine, "connect")
        def _plain(connection: Any, record: object) -> None:
            del record
            connection.isolation_level = None

        @sa.event.listens_for(engine, "begin")
        def _begin(connection: "sqlalchemy.Connection") -> None:
            connection.exec_driver_sql("BEGIN")

    return engine


def _columns(schema: "pa.Schema") -> "list[sqlalchemy.Column[Any]]":
    import sqlalchemy as sa

    return [sa.Column(field.name, _kind(field.type), nullable=True) for field in schema]


def _kind(kind: "pa.DataType") -> "sqlalchemy.types.TypeEngine[Any]":
    import pyarrow as pa
    import sqlalchemy as sa

    types = pa.types
    if types.is_boolean(kind):
        return sa.Boolean()
    if types.is_uint64(kind):
        return sa.Numeric(20, 0)
    if types.is_integer(kind):
        return sa.BigInteger()
    if types.is_floating(kind):
        return sa.Double()
    if types.is_timestamp(kind):
        return sa.Date()  # columns of dates hold days
    return sa.Text()


def _rows(block: "Block") -> Iterator[list[dict[str, Any]]]:
    held = block.arrow()
    for start in range(0, block.rows, _ROWS):
        part = held.slice(start, _ROWS)
        columns = [[_cell(cell) for cell in column.to_pylist()] for column in part.columns]
        yield [dict(zip(part.column_names, row, strict=True)) for row in zip(*columns, strict=True)]


def _cell(cell: Any) -> Any:
    return cell.date() if isinstance(cell, dt.datetime) else cell
