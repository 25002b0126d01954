"""A synthetic table that is too large to be held: some of its rows, and counts of all of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpsynth.encoding.codec import codecs
from dpsynth.encoding.table import seen_in

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema
    from dpsynth.sources.reading import Rows


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """Rows of a table drawn at random, every row with the same chance, and counts of all rows.

    Attributes:
        frame: the drawn rows, in the order of the table.
        rows: of the whole table.
        counts: by column, how many rows of the whole table hold each declared code.
        schema: in which open columns know all values of the table.
    """

    frame: "pd.DataFrame" = field(repr=False)
    rows: int
    counts: Mapping[str, NDArray[np.int64]] = field(repr=False)
    schema: "Schema" = field(repr=False)

    @property
    def sentence(self) -> str:
        """What was compared of the table, for a report."""
        return (
            f"Single columns were counted in all {self.rows:,} rows of the synthetic table; all "
            f"else was computed from {len(self.frame):,} of them, drawn at random."
        )


def part_of(table: "Rows", schema: "Schema", *, most: int, seed: int) -> Part:
    """Read a table block by block, and keep some rows.

    Args:
        table: the rows on disk.
        schema: declares its columns.
        most: rows kept; all where there are no more.
        seed: of the draw.

    Raises:
        DataError: a file changed, or cannot be read.
    """
    import pandas as pd

    schema = seen_in(table.frames(), schema)
    tools = codecs(schema)
    counts = {name: np.zeros(tool.size, dtype=np.int64) for name, tool in tools.items()}
    rows = 0
    for frame in table.frames():
        for name, tool in tools.items():
            counts[name] += np.bincount(tool.encode(frame[name]).codes, minlength=tool.size)
        rows += len(frame)
    rng = np.random.default_rng([seed, 2])
    chosen = np.sort(rng.choice(rows, min(most, rows), replace=False))
    kept: list[pd.DataFrame] = []
    start = 0
    for frame in table.frames():
        first, last = np.searchsorted(chosen, (start, start + len(frame)))
        kept.append(frame.iloc[chosen[first:last] - start])
        start += len(frame)
    return Part(frame=pd.concat(kept, ignore_index=True), rows=rows, counts=counts, schema=schema)


def held_or_part(
    table: "pd.DataFrame | Rows | Path | str", schema: "Schema", *, most: int, seed: int
) -> "pd.DataFrame | Part":
    """Return a table as it is, or a part of one on disk that is too large to be held.

    Args:
        table: a frame, or a table on disk or where it stands.
        schema: declares its columns.
        most: rows kept of a large table.
        seed: of the draw.

    Raises:
        DataError: there is no such table, or its columns are not the declared ones.
    """
    from dpsynth.sources.reading import Rows, open_rows

    if isinstance(table, Path | str):
        table = open_rows(table, schema, persons=False)
    if not isinstance(table, Rows):
        return table
    return part_of(table, schema, most=most, seed=seed) if table.large else table.frame()
