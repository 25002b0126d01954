"""Tables on disk. Structure is checked here; what a cell holds never matters here."""

import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpsynth.errors import DataError
from dpsynth.sources.structure import check_columns

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

# pyarrow parses a CSV file in blocks, and a row must fit into one; it counts in 32 bits.
_BLOCK = 1 << 22
_LARGEST_BLOCK = (1 << 31) - 1
_INDEX = re.compile(r"__index_level_\d+__")


def read_table(path: Path | str, schema: "Schema | None" = None) -> "pd.DataFrame":
    """Read a CSV or Parquet file and check its structure against the schema.

    CSV cells are read as text, never inferred; an empty cell is a null. Nothing depends on what
    a cell holds.

    Args:
        path: a file that ends in .csv or .parquet.
        schema: the declared columns; None only where there is none yet.

    Raises:
        DataError: unreadable, truncated, ragged, not UTF-8, or not the declared columns.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"there is no table at {path.name!r}: give a .csv or .parquet file")
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return _read_csv(path, schema)
    if suffix == ".parquet":
        return _read_parquet(path, schema)
    raise DataError(f"{path.name!r} must end in .csv or .parquet")


def _read_csv(path: Path, schema: "Schema | None") -> "pd.DataFrame":
    import pyarrow as pa

    header, has_rows = _csv_beginning(path)
    _check(header, schema, path)
    if not has_rows:
        nothing = pa.table({name: pa.array([], pa.large_string()) for name in header})
        blank: pd.DataFrame = nothing.to_pandas()
        return blank
    _check_quotes(path)
    size = path.stat().st_size
    try:
        try:
            table = _parse_csv(path, header, _BLOCK)
        except pa.ArrowInvalid as problem:
            if "straddling" not in str(problem) or size > _LARGEST_BLOCK:
                raise
            table = _parse_csv(path, header, max(size, _BLOCK))
    except (pa.ArrowException, OSError, ValueError, MemoryError) as problem:
        # The parser's own words quote cells, so they are not passed on.
        raise _csv_fault(path, str(problem)) from None
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _parse_csv(path: Path, header: Sequence[str], block: int) -> Any:
    import pyarrow as pa
    from pyarrow import csv

    return csv.read_csv(
        path,
        read_options=csv.ReadOptions(block_size=block, use_threads=False),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.large_string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )


@contextmanager
def _records(path: Path) -> Iterator[Iterator[list[str]]]:
    """Read CSV records one by one, whatever the size of a cell."""
    import csv

    before = csv.field_size_limit(2**31 - 1)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield csv.reader(file, strict=True)
    except UnicodeDecodeError:
        raise _csv_fault(path, "invalid UTF8") from None
    except (OSError, csv.Error, MemoryError):
        raise _csv_fault(path, "") from None
    finally:
        csv.field_size_limit(before)


def _csv_beginning(path: Path) -> tuple[list[str], bool]:
    """Return the header, and whether anything follows it."""
    with _records(path) as records:
        header = next(records, None)
        if not header:
            raise DataError(f"{path.name!r} is empty: its first line must name the columns")
        return header, any(records)


def _check_quotes(path: Path) -> None:
    """Raise DataError if the file ends within quotes, which the fast parser lets pass."""
    with path.open("rb") as file:
        quotes = sum(block.count(b'"') for block in iter(lambda: file.read(_BLOCK), b""))
    if quotes % 2:  # rare: only then is the slow reader, which knows, worth its time
        with _records(path) as records:
            deque(records, maxlen=0)


def _csv_fault(path: Path, words: str) -> DataError:
    if "UTF8" in words:
        return DataError(f"{path.name!r} is not UTF-8 text: save it in that encoding")
    if "Expected" in words and "columns" in words:
        return DataError(
            f"{path.name!r} has lines with more or fewer cells than its header: "
            "the file is damaged or cut off, or text holding commas is not quoted"
        )
    return DataError(f"{path.name!r} cannot be read as a CSV table: it is damaged or cut off")


def _read_parquet(path: Path, schema: "Schema | None") -> "pd.DataFrame":
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet

    # Whole numbers with nulls must not become floats, which would merge long ids.
    integers = {
        pa.int8(): pd.Int8Dtype(),
        pa.int16(): pd.Int16Dtype(),
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.uint8(): pd.UInt8Dtype(),
        pa.uint16(): pd.UInt16Dtype(),
        pa.uint32(): pd.UInt32Dtype(),
        pa.uint64(): pd.UInt64Dtype(),
    }
    try:
        with parquet.ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if not _INDEX.fullmatch(name)]
            _check(names, schema, path)
            table = file.read(columns=names)
            frame: pd.DataFrame = table.to_pandas(ignore_metadata=True, types_mapper=integers.get)
    except DataError:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, MemoryError):
        raise DataError(
            f"{path.name!r} cannot be read as a Parquet table: it is damaged or cut off"
        ) from None
    return frame


def _check(names: Sequence[str], schema: "Schema | None", path: Path) -> None:
    if schema is not None:
        check_columns(names, schema, where=repr(path.name))
    elif len(set(names)) < len(names):
        raise DataError(f"{path.name!r} has two columns of one name: rename one")
