"""Tables on disk for those who compare tables, read in frames: nothing of this feeds a release."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dpsynth.sources.duckdb import Limits
from dpsynth.sources.files import read_table
from dpsynth.sources.folder import PrivateFolder
from dpsynth.sources.streams import FileTable, is_large, open_table

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

LARGE_CELLS = 1 << 25  # of a Parquet file: more are not held, however few bytes they take


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows of a table on disk, read from first to last, as often as is asked.

    Attributes:
        table: the file or files, all columns of them.
        large: whether it is one that should not be held in memory, by its size.
    """

    table: FileTable
    large: bool
    _path: Path = field(repr=False)

    def frames(self) -> Iterator["pd.DataFrame"]:
        """Yield the rows in frames, in their order; one of no rows where there are none.

        Raises:
            DataError: a file changed, or cannot be read.
        """
        import pandas as pd

        folder = PrivateFolder()
        try:
            empty = True
            for frame in self.table.frames(folder.path, Limits()):
                empty = False
                yield frame
            if empty:
                yield pd.DataFrame(columns=list(self.table.names))
        finally:
            folder.remove()

    def frame(self) -> "pd.DataFrame":
        """Return all rows at once."""
        import pandas as pd

        if self._path.suffix.lower() in (".csv", ".parquet") and self._path.is_file():
            return read_table(self._path)  # its columns were held against the schema
        return pd.concat(list(self.frames()), ignore_index=True)


def open_rows(path: Path | str, schema: "Schema", *, persons: bool = True) -> Rows:
    """Check the structure of a table on disk, and return what reads it.

    Args:
        path: a .csv, .parquet or .ndjson file, or a folder of .parquet files.
        schema: the declared columns; all that stand in the file are read.
        persons: whether rows belong to persons; those of a synthetic table do not.

    Raises:
        DataError: nothing is there, or the columns are not the declared ones.
    """
    path = Path(path)
    table = open_table(path, schema, persons=persons)
    large = is_large(path) or _cells(table) > LARGE_CELLS
    return Rows(table=replace(table, names=table.every), large=large, _path=path)


def _cells(table: FileTable) -> int:
    """Return how many cells there are where the files say so: a small file can hold very many."""
    from pyarrow import parquet

    if table.paths[0].suffix.lower() != ".parquet":
        return 0
    rows = sum(int(parquet.read_metadata(path).num_rows) for path in table.paths)
    return rows * len(table.every)
