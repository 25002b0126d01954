"""Tables on disk. Structure is checked here; what a cell holds never matters here."""

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from dpsynth.encoding.arrow import to_series
from dpsynth.errors import DataError
from dpsynth.sources.structure import check_columns

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

# pyarrow parses a CSV file in blocks, and a row must fit into one; it counts in 32 bits.
_BLOCK = 1 << 22
_LARGEST_BLOCK = (1 << 31) - 1
_END = "end"  # fills a line that is put after the file, to see whether the file is whole
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

    header = csv_header(path)
    _check(header, schema, path)
    size = path.stat().st_size
    try:
        try:
            table = _parse_csv(path, header, _BLOCK)
        except pa.ArrowInvalid as problem:
            if "straddling" not in str(problem):
                raise
            # However large the file, one person's long cell may not decide how a release ends.
            table = _parse_csv(path, header, min(size + _BLOCK, _LARGEST_BLOCK))
        # Within open quotes at the end of the file, the added line is no line of its own.
        ended = table.slice(max(table.num_rows - 1, 0)).to_pylist() == [dict.fromkeys(header, _END)]
        frame: pd.DataFrame = table.slice(0, max(table.num_rows - 1, 0)).to_pandas()
    except (pa.ArrowException, OSError, ValueError, MemoryError) as problem:
        # The parser's own words quote cells, so they are not passed on.
        raise csv_fault(path, str(problem)) from None
    if not ended:
        raise csv_fault(path, "")
    return frame


def _parse_csv(path: Path, header: Sequence[str], block: int) -> Any:
    from pyarrow import csv

    with path.open("rb") as file:
        return csv.read_csv(_followed(file, header), **_csv_options(header, block))


def _followed(file: BinaryIO, header: Sequence[str]) -> Any:
    import pyarrow as pa

    end = "\n" + ",".join([_END] * len(header)) + "\n"
    return pa.PythonFile(_Followed(file, end.encode("ascii")), mode="r")


def _csv_options(header: Sequence[str], block: int) -> dict[str, Any]:
    import pyarrow as pa
    from pyarrow import csv

    return {
        "read_options": csv.ReadOptions(block_size=block, use_threads=False),
        "parse_options": csv.ParseOptions(newlines_in_values=True),
        "convert_options": csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.large_string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    }


def csv_batches(path: Path) -> Iterator[Any]:
    """Yield a CSV file's rows as Arrow batches of text, as ``read_table`` reads them.

    Raises:
        DataError: ragged, cut off, or not UTF-8.
    """
    import pyarrow as pa

    header, given = csv_header(path), 0
    blocks = (_BLOCK, min(path.stat().st_size + _BLOCK, _LARGEST_BLOCK))
    for block in blocks:
        seen = 0
        try:
            for batch in _whole_batches(path, header, block):
                fresh = batch.slice(min(max(given - seen, 0), batch.num_rows))
                seen += batch.num_rows
                given += fresh.num_rows
                if fresh.num_rows:
                    yield fresh
        except (pa.ArrowException, OSError, ValueError, MemoryError) as problem:
            # However large the file, one person's long cell may not decide how a release ends.
            if "straddling" not in str(problem) or block == blocks[-1]:
                raise csv_fault(path, str(problem)) from None
        else:
            return


def _whole_batches(path: Path, header: Sequence[str], block: int) -> Iterator[Any]:
    """Yield batches without the line that was put after the file, which must be the last."""
    from pyarrow import csv

    held = None
    with path.open("rb") as file:
        for batch in csv.open_csv(_followed(file, header), **_csv_options(header, block)):
            if batch.num_rows:
                if held is not None:
                    yield held
                held = batch
    last = None if held is None else held.slice(held.num_rows - 1).to_pylist()
    if held is None or last != [dict.fromkeys(header, _END)]:
        raise ValueError("the file does not end where a line ends")
    yield held.slice(0, held.num_rows - 1)


class _Followed(io.RawIOBase):
    """A file, and some bytes after its end."""

    def __init__(self, file: BinaryIO, end: bytes) -> None:
        self._parts = [file, io.BytesIO(end)]

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        found = self._parts[0].read(size)
        if 0 <= size <= len(found) or len(self._parts) == 1:
            return found
        del self._parts[0]
        return found + self.read(size - len(found) if size >= 0 else -1)


def csv_header(path: Path) -> list[str]:
    """Read the first record strictly, and it alone: rows are all read by one parser, one way."""
    import csv

    before = csv.field_size_limit(2**31 - 1)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file, strict=True), None)
    except UnicodeDecodeError:
        raise csv_fault(path, "invalid UTF8") from None
    except (OSError, csv.Error, MemoryError):
        raise csv_fault(path, "") from None
    finally:
        csv.field_size_limit(before)
    if not header:
        raise DataError(f"{path.name!r} is empty: its first line must name the columns")
    return header


def csv_fault(path: Path, words: str) -> DataError:
    """Return what to raise for a parser's words, which are not passed on: they quote cells."""
    if "UTF8" in words:
        return DataError(f"{path.name!r} is not UTF-8 text: save it in that encoding")
    if "Expected" in words and "columns" in words:
        return DataError(
            f"{path.name!r} has lines with more or fewer cells than its header: "
            "the file is damaged or cut off, or text holding commas is not quoted"
        )
    return DataError(f"{path.name!r} cannot be read as a CSV table: it is damaged or cut off")


def parquet_names(path: Path) -> list[tuple[str, Any]]:
    """Return the columns of a Parquet file with their types, from its footer.

    Raises:
        DataError: it has no footer that can be read.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        held = parquet.read_schema(path)
    except (pa.ArrowException, OSError, ValueError, TypeError, MemoryError):
        raise _parquet_fault(path) from None
    return [(each.name, each.type) for each in held if not _INDEX.fullmatch(each.name)]


def _parquet_fault(path: Path) -> DataError:
    return DataError(f"{path.name!r} cannot be read as a Parquet table: it is damaged or cut off")


def _read_parquet(path: Path, schema: "Schema | None") -> "pd.DataFrame":
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if not _INDEX.fullmatch(name)]
            _check(names, schema, path)
            table = file.read(columns=names)
            columns = [to_series(column) for column in table.columns]
    except DataError:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, MemoryError):
        raise _parquet_fault(path) from None
    index = pd.RangeIndex(table.num_rows)
    return pd.DataFrame(dict(zip(names, columns, strict=True)), index=index)


def _check(names: Sequence[str], schema: "Schema | None", path: Path) -> None:
    if schema is not None:
        check_columns(names, schema, where=repr(path.name))
    elif len(set(names)) < len(names):
        raise DataError(f"{path.name!r} has two columns of one name: rename one")
