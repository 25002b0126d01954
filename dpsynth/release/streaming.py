"""A sample of any length to a file or a database: whole or not at all, in bounded memory.

Blocks are drawn one at a time and let go when they are written. Parquet takes text columns by
their codes and never sees a value twice.
"""

import base64
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dpsynth.errors import UsageError
from dpsynth.release import atomic, bundle, spreadsheet

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

SUFFIXES = (".csv", ".parquet")
GROUP_ROWS = 1 << 20  # of a Parquet row group
Progress = Callable[[int, int], object]


class Block(Protocol):
    """Rows of a table, held by column."""

    @property
    def rows(self) -> int:
        """How many."""
        ...

    def frame(self) -> "pd.DataFrame":
        """Return them as pandas holds them."""
        ...

    def arrow(self) -> "pa.Table":
        """Return them as Arrow holds them, text by its codes."""
        ...


class Stream(Protocol):
    """A table on its way out: at least one block, all of the same columns."""

    @property
    def rows(self) -> int:
        """Of all blocks together."""
        ...

    @property
    def repeating(self) -> list[str]:
        """Columns that hold few different cells."""
        ...

    def empty(self) -> Block:
        """Return a block of no rows."""
        ...

    def __iter__(self) -> Iterator[Block]:
        """Yield the blocks, once."""
        ...


def write_stream(
    stream: Stream, out: Path | str, *, table: str | None = None, progress: Progress | None = None
) -> int:
    """Write all rows of ``stream`` to ``out``.

    Args:
        stream: the rows; walked through once.
        out: a new file that ends in ``.parquet`` or ``.csv``, or the address of a database.
        table: a new table of the database.
        progress: told the rows written, and of how many, after each block.

    Returns:
        How many rows were written.

    Raises:
        UsageError: ``out`` names no such format, or stands already.
        UnfitEnvironmentError: the disk or database refuses, or a package is missing.
    """
    require_target(out, table)
    blocks = _told(stream, progress)
    if is_database(out):
        from dpsynth.release.database import write_table

        assert table is not None, "require_target has asked for it"
        write_table(blocks, stream.empty(), str(out), table)
        return stream.rows
    path = Path(out)
    with atomic.file(path) as partial:
        if path.suffix == ".csv":
            _write_csv(blocks, partial)
        else:
            _write_parquet(blocks, stream, partial)
    return stream.rows


def is_database(out: Path | str) -> bool:
    """Tell whether ``out`` is the address of a database."""
    return isinstance(out, str) and "://" in out


def require_target(out: Path | str, table: str | None) -> None:
    """Raise UsageError where ``out`` and ``table`` do not name one place."""
    if is_database(out):
        if not table:
            raise UsageError("a database needs the name of a new table")
        return
    if table is not None:
        raise UsageError("only a database takes the name of a table; give its address as output")
    if Path(out).suffix not in SUFFIXES:
        raise UsageError(f"{out} must end in .csv or .parquet, or be the address of a database")


def _told(stream: Stream, progress: Progress | None) -> Iterator[Block]:
    done = 0
    for block in stream:
        yield block
        done += block.rows
        if progress is not None:
            progress(done, stream.rows)


def _write_csv(blocks: Iterator[Block], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        for number, block in enumerate(blocks):
            safe = spreadsheet.guarded(block.frame())
            safe.to_csv(file, index=False, header=not number, lineterminator="\n")


def _write_parquet(blocks: Iterator[Block], stream: Stream, path: Path) -> None:
    import pyarrow.parquet as pq

    empty = stream.empty()
    schema = empty.arrow().schema
    with pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        use_dictionary=stream.repeating,
        column_encoding=_other_encodings(schema, stream.repeating),
        write_statistics=False,  # rows come in random order: no reader could skip a group by them
        store_schema=False,  # it would say that text is by codes, and readers would keep it so
    ) as writer:
        writer.add_key_value_metadata(_notes(empty.frame(), schema))
        for group in _groups(blocks):
            writer.write_table(group, row_group_size=GROUP_ROWS)


def _notes(empty: "pd.DataFrame", schema: "pa.Schema") -> dict[bytes, bytes]:
    """Return what readers need to give every column its declared type."""
    import pyarrow as pa

    notes = bundle.dtype_notes(pa.Table.from_pandas(empty, preserve_index=False).schema)
    kinds = [(field.name, field.type) for field in schema]
    spelled = [(n, pa.string() if pa.types.is_dictionary(kind) else kind) for n, kind in kinds]
    plain = pa.schema(spelled, metadata=notes).serialize().to_pybytes()
    return {**notes, b"ARROW:schema": base64.b64encode(plain)}


def _other_encodings(schema: "pa.Schema", repeating: Sequence[str]) -> dict[str, str]:
    """Return how Parquet is to write the columns that it does not number."""
    import pyarrow as pa

    others = [field for field in schema if field.name not in repeating]
    return {
        field.name: "DELTA_BINARY_PACKED" if pa.types.is_integer(field.type) else "PLAIN"
        for field in others
    }


def _groups(blocks: Iterator[Block]) -> "Iterator[pa.Table]":
    """Put blocks together to row groups of one size, the last one smaller."""
    import pyarrow as pa

    waiting: list[pa.Table] = []
    have = 0
    for block in blocks:
        waiting.append(block.arrow())
        have += block.rows
        if have >= GROUP_ROWS:
            held = pa.concat_tables(waiting)
            full = have - have % GROUP_ROWS
            yield held.slice(0, full)
            waiting, have = ([held.slice(full)] if have % GROUP_ROWS else []), have % GROUP_ROWS
    if waiting:
        yield pa.concat_tables(waiting)
