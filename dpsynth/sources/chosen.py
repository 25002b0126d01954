"""Which source counts: chosen by what the user passes, and by nothing that the rows hold."""

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpsynth.errors import UsageError

if TYPE_CHECKING:
    from dpsynth.schema import Schema
    from dpsynth.sources.frame import Prepared
    from dpsynth.sources.stored import EngineName

Preparing = Callable[..., "Prepared"]


def given(
    table: str, *, name: str | None = None, query: str | None = None, spark: str | None = None
) -> Any:
    """Return what the words of a command line stand for; opens a session of Spark, and no more.

    Args:
        table: a path, the address of a database, or the name of a table in Spark.
        name: of a table in the database.
        query: one SELECT to the database.
        spark: the master of a Spark session.

    Raises:
        UsageError: words that do not go together.
        UnfitEnvironmentError: Spark does not answer.
    """
    from dpsynth.sources.connection import is_address

    if spark is not None:
        if name is not None or query is not None or is_address(table):
            raise UsageError(
                "with --spark, TABLE names a Spark table; --table and --query are for databases"
            )
        from dpsynth.sources.spark import faults, open_session

        session = open_session(spark)
        with faults():
            return session.table(table)
    if is_address(table):
        from dpsynth.sources.database import DatabaseTable

        return DatabaseTable(address=table, table=name, query=query)
    if name is not None or query is not None:
        raise UsageError("--table and --query belong to a database, such as postgresql://host/name")
    return Path(table)


def preparing(
    table: Any, schema: "Schema", *, control: Fraction | int = 0, engine: "EngineName" = "auto"
) -> Preparing:
    """Check the structure of ``table``; return what codes, bounds and splits it, given a ``key``.

    Args:
        table: a path; a frame of pandas, polars or Arrow; a Spark DataFrame; a ``DatabaseTable``.
        schema: closed.
        control: share of the units to set aside, exact, in [0, 1).
        engine: of a file: "frame" holds it in memory, "duckdb" streams it from disk; by its size
            where not given.

    Raises:
        DataError: it has other columns than the declared ones.
        UsageError: none of these.
    """
    import pandas as pd

    from dpsynth.sources import frame
    from dpsynth.sources.structure import check_columns

    if isinstance(table, str | Path):
        from dpsynth.sources.stored import preparing_path

        return partial(preparing_path(Path(table), schema, engine=engine), control=control)
    if isinstance(table, pd.DataFrame):
        check_columns(table.columns, schema)
        return partial(frame.prepare, table, schema, control=control)
    module = type(table).__module__
    if module.startswith("pyspark.sql."):
        from dpsynth.sources.spark import open_spark

        return open_spark(table, schema, control=control)
    if module == "dpsynth.sources.database":
        from dpsynth.sources.database import open_database

        return open_database(table, schema, control=control)
    if hasattr(table, "__arrow_c_stream__"):
        return partial(frame.prepare, _from_arrow(table, schema), schema, control=control)
    raise UsageError(
        "the table must be a path, a frame of pandas, polars or Arrow, a Spark DataFrame, or a "
        "DatabaseTable"
    )


def _from_arrow(table: Any, schema: "Schema") -> "Any":
    import pandas as pd
    import pyarrow as pa

    from dpsynth.encoding.arrow import to_series
    from dpsynth.sources.structure import check_columns

    held = pa.table(table)
    check_columns(held.column_names, schema)
    columns = [to_series(column) for column in held.columns]
    index = pd.RangeIndex(held.num_rows)
    return pd.DataFrame(dict(zip(held.column_names, columns, strict=True)), index=index)
