"""DuckDB, shut in: it reads the files it was opened for, within its memory, and nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpsynth.errors import DataError, UnfitEnvironmentError
from dpsynth.sources.folder import DISK_FULL

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

_LEAST_MEBIBYTES = 64
_FULL = ("No space left on device", "Disk quota exceeded", "File too large")
_LITTLE = "Out of Memory Error"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a file's reading may use; public settings.

    Attributes:
        mebibytes: of DuckDB's own memory.
        threads: of DuckDB.
    """

    mebibytes: int = 512
    threads: int = 2

    def __post_init__(self) -> None:
        if self.mebibytes < _LEAST_MEBIBYTES or self.threads < 1:
            raise ValueError("DuckDB needs at least 64 MiB and one thread")


def locked(paths: Sequence[Path], *, folder: Path, limits: Limits) -> "DuckDBPyConnection":
    """Open an engine in memory that can read ``paths`` and write to ``folder`` alone.

    Nothing is installed, loaded or attached afterwards, and no setting can be changed.
    """
    import duckdb

    connection = duckdb.connect(
        config={
            "memory_limit": f"{limits.mebibytes}MiB",
            "threads": str(limits.threads),
            "temp_directory": str(folder),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "allow_unsigned_extensions": "false",
            "preserve_insertion_order": "true",
        }
    )
    allowed = ", ".join(_quoted(str(path)) for path in paths)
    connection.execute("SET enable_progress_bar = false")
    connection.execute(f"SET allowed_paths = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def parquet_batches(
    connection: "DuckDBPyConnection", paths: Sequence[Path], names: Sequence[str], *, rows: int
) -> Iterator["pa.RecordBatch"]:
    """Yield the rows of Parquet files, in the order of the files and of their rows."""
    files = ", ".join(_quoted(str(path)) for path in paths)
    reader = (
        f"read_parquet([{files}], hive_partitioning = false, filename = false, "
        "binary_as_string = false)"
    )
    return _batches(connection, reader, names, rows)


def json_batches(
    connection: "DuckDBPyConnection", paths: Sequence[Path], names: Sequence[str], *, rows: int
) -> Iterator["pa.RecordBatch"]:
    """Yield the rows of files with a JSON object a line, every cell as text or null."""
    files = ", ".join(_quoted(str(path)) for path in paths)
    kinds: Mapping[str, str] = {_quoted(name): "'VARCHAR'" for name in names}
    columns = ", ".join(f"{name}: {kind}" for name, kind in kinds.items())
    reader = (
        f"read_json([{files}], format = 'newline_delimited', columns = {{{columns}}}, "
        "ignore_errors = false)"
    )
    return _batches(connection, reader, names, rows)


def _batches(
    connection: "DuckDBPyConnection", reader: str, names: Sequence[str], rows: int
) -> Iterator["pa.RecordBatch"]:
    import duckdb
    import pyarrow as pa

    chosen = ", ".join(_named(name) for name in names)
    query = f"SELECT {chosen} FROM {reader}"  # all names in it are quoted
    try:
        found: Any = connection.sql(query).to_arrow_reader(rows)
        yield from found
    except (duckdb.Error, pa.ArrowException, OSError, MemoryError) as problem:
        # Its own words quote cells and paths: they are looked at, and not repeated.
        said = str(problem)
        if any(words in said for words in _FULL):
            raise UnfitEnvironmentError(DISK_FULL) from None
        if isinstance(problem, duckdb.OutOfMemoryException | MemoryError) or _LITTLE in said:
            raise UnfitEnvironmentError(
                "reading the table takes more memory than DuckDB may use, and more room for what "
                "does not fit than its folder has: name a larger one by TMPDIR"
            ) from None
        raise DataError("the table cannot be read: a file of it is damaged or cut off") from None


def _named(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
