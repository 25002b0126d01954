"""Files that are read from first to last, some rows at a time: Parquet, CSV, JSON lines.

Whatever reads them, a cell becomes what ``dpsynth.sources.files`` makes of it in memory.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpsynth.encoding.arrow import to_series
from dpsynth.errors import DataError
from dpsynth.sources.duckdb import Limits, json_batches, locked, parquet_batches
from dpsynth.sources.files import csv_batches, csv_header, parquet_names
from dpsynth.sources.structure import check_columns

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from dpsynth.schema import Schema

# A file above this size, or any folder and any JSON lines, is streamed from disk.
LARGE_BYTES = 256 * 2**20
_CELLS_AT_ONCE = 1 << 22
_JSON = (".ndjson", ".jsonl")

Frames = Iterator["pd.DataFrame"]
Batches = Iterator["pa.RecordBatch"]


@dataclass(frozen=True, kw_only=True)
class FileTable:
    """A table in files whose structure was checked, and how they stood then.

    Attributes:
        paths: the files, in the order in which they are read.
        names: the columns that are read.
        every: all columns that there are.
        name: what to call the table in a message.
        stood: size, time of change and number of every file.
        plain: whether every engine reads these types alike.
    """

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    every: tuple[str, ...]
    name: str
    stood: tuple[tuple[int, ...], ...] = field(repr=False)
    plain: bool = True

    @property
    def rows_at_once(self) -> int:
        """Rows that are read and coded together."""
        return max(_CELLS_AT_ONCE // max(len(self.names), 1), 1 << 12)

    def check_unchanged(self) -> None:
        """Raise DataError if a file is not as it was."""
        if _standing(self.paths) != self.stood:
            raise DataError(
                f"{self.name} changed while it was read: release it when nothing writes to it"
            )

    def frames(self, folder: Path, limits: Limits) -> Frames:
        """Yield the rows as frames of the columns that are read, from the first to the last.

        Raises:
            DataError: a file changed, or cannot be read.
        """
        return map(frame_of, self.batches(folder, limits))

    def batches(self, folder: Path, limits: Limits) -> Batches:
        """Yield the rows as they stand in the files, for ``frame_of``; see ``frames``."""
        self.check_unchanged()
        suffix = self.paths[0].suffix.lower()
        read = _csv if suffix == ".csv" else _ndjson if suffix in _JSON else _parquet
        yield from read(self, folder, limits)
        self.check_unchanged()


def is_large(path: Path) -> bool:
    """Tell whether a table is streamed rather than held, by what stands on disk alone."""
    if path.is_dir() or path.suffix.lower() in _JSON:
        return True
    return path.is_file() and path.stat().st_size > LARGE_BYTES


def open_table(path: Path | str, schema: "Schema", *, persons: bool = True) -> FileTable:
    """Check the structure of a file, or of a folder of Parquet files, against the schema.

    Args:
        path: the file or folder.
        schema: the declared columns.
        persons: whether rows belong to persons; those of a synthetic table do not.

    Raises:
        DataError: nothing is there, or the columns are not the declared ones.
    """
    path = Path(path)
    paths = tuple(sorted(path.glob("*.parquet"))) if path.is_dir() else (path,)
    if not paths or not all(each.is_file() for each in paths):
        raise DataError(
            f"there is no table at {path.name!r}: give a .csv, .parquet or .ndjson file, or a "
            "folder of .parquet files"
        )
    stood = _standing(paths)
    suffix = paths[0].suffix.lower()
    plain = True
    if suffix == ".parquet":
        kinds = [parquet_names(each) for each in paths]
        if any(each != kinds[0] for each in kinds):
            raise DataError(f"the files of {path.name!r} do not all have the same columns")
        names = [name for name, _ in kinds[0]]
        plain = all(_is_plain(kind) for _, kind in kinds[0]) and _are_plain(names, paths)
    elif suffix == ".csv":
        names = csv_header(path)
    elif suffix in _JSON:
        names = _json_names(path)
        if not _are_plain(names, paths):
            raise DataError(
                f"{path.name!r} has names that differ by case alone, or a wild card in its path: "
                "rename them"
            )
    else:
        raise DataError(f"{path.name!r} must end in .csv, .parquet or .ndjson")
    check_columns(names, schema, where=repr(path.name), persons=persons)
    wanted = {column.name for column in schema.modeled} | {schema.unit.column}
    return FileTable(
        paths=paths,
        names=tuple(name for name in names if name in wanted),
        every=tuple(names),
        name=repr(path.name),
        stood=stood,
        plain=plain,
    )


def _standing(paths: Sequence[Path]) -> tuple[tuple[int, ...], ...]:
    try:
        held = [path.stat() for path in paths]
    except OSError:
        return ()
    return tuple((each.st_size, each.st_mtime_ns, each.st_ino) for each in held)


def _are_plain(names: Sequence[str], paths: Sequence[Path]) -> bool:
    """Tell whether names and paths mean to DuckDB what they mean here."""
    folded = {name.casefold() for name in names}
    return len(folded) == len(names) and not any(set("*?[") & set(str(path)) for path in paths)


def _is_plain(kind: Any) -> bool:
    """Tell whether DuckDB hands on cells of a type just as they stand in the file."""
    import pyarrow as pa

    types = pa.types
    return bool(
        types.is_integer(kind)
        or types.is_float32(kind)
        or types.is_float64(kind)
        or types.is_boolean(kind)
        or types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_date32(kind)
    )


def frame_of(batch: "pa.RecordBatch") -> "pd.DataFrame":
    """Return rows as ``dpsynth.sources.files`` would have read them."""
    import pandas as pd
    import pyarrow as pa

    held = {
        name: to_series(pa.chunked_array([column]))
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }
    return pd.DataFrame(held, index=pd.RangeIndex(batch.num_rows), copy=False)


def _parquet(table: FileTable, folder: Path, limits: Limits) -> Batches:
    if not table.plain:
        yield from _parquet_by_arrow(table, 0)
        return
    done = 0
    try:
        with locked(table.paths, folder=folder, limits=limits) as connection:
            for batch in parquet_batches(
                connection, table.paths, table.names, rows=table.rows_at_once
            ):
                done += batch.num_rows
                yield batch
    except DataError:
        # Text that is not UTF-8 stops DuckDB. Arrow reads the rest, and every cell the same way.
        yield from _parquet_by_arrow(table, done)


def _parquet_by_arrow(table: FileTable, done: int) -> Batches:
    """Yield the rows after the first ``done``."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        for path in table.paths:
            with parquet.ParquetFile(path) as file:
                for batch in file.iter_batches(table.rows_at_once, columns=list(table.names)):
                    left = batch.slice(min(done, batch.num_rows))
                    done -= batch.num_rows - left.num_rows
                    if left.num_rows:
                        yield left
    except (pa.ArrowException, OSError, ValueError, TypeError, MemoryError):
        raise DataError(
            f"{table.name} cannot be read as a Parquet table: it is damaged or cut off"
        ) from None


def _csv(table: FileTable, folder: Path, limits: Limits) -> Batches:
    del folder, limits  # the parser of the tables in memory reads these, a block at a time
    for batch in csv_batches(table.paths[0]):
        yield batch.select(list(table.names))


def _ndjson(table: FileTable, folder: Path, limits: Limits) -> Batches:
    with locked(table.paths, folder=folder, limits=limits) as connection:
        yield from json_batches(connection, table.paths, table.names, rows=table.rows_at_once)


def _json_names(path: Path) -> list[str]:
    """Return the names in the first line: an object that names every column."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            first = json.loads(file.readline())
    except (OSError, ValueError):
        first = None
    if not isinstance(first, dict):
        raise DataError(f"{path.name!r} must have a JSON object with every column a line")
    return list(first)
