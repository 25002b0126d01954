"""So many persons of tables on disk, drawn by a keyed hash, for those who attack or compare.

One threshold serves all tables, so that whether a person is drawn hangs on that person alone: not
on the table, nor on who else stands there. Coins that put persons into one table or another stay
coins among the drawn ones.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpsynth import _validate
from dpsynth.encoding.codec import Codec, codecs
from dpsynth.privacy.bounding import content_groups, person_digests
from dpsynth.sources.persons import person_numbers
from dpsynth.sources.reading import Rows

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

Digests = NDArray[np.uint64]
Frames = Callable[[], Iterator["pd.DataFrame"]]


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """The rows of the drawn persons.

    Attributes:
        frames: of each table, in the order of the tables.
        persons: drawn persons of each table; different rows where rows are the unit.
        thinned: whether there were others.
    """

    frames: tuple["pd.DataFrame", ...] = field(repr=False)
    persons: tuple[int, ...]
    thinned: bool


def draw_persons(
    tables: Sequence["Rows | pd.DataFrame"], schema: "Schema", *, persons: int, seed: int = 0
) -> Drawn:
    """Draw persons of all tables together, and return their rows.

    The tables are read twice: for the digests of the persons, of which the lowest are kept, and
    for the rows of these. Rows without a person id are nobody's, and left out. Where rows are the
    unit, rows of the same content are drawn together.

    Args:
        tables: on disk or in memory.
        schema: declares the columns and the unit.
        persons: to be drawn, of all tables together; all of them where there are no more.
        seed: of the draw; the same tables and seed give the same persons.

    Raises:
        DataError: a file changed, or cannot be read.
        ValueError: ``persons`` is below 1.
    """
    import pandas as pd

    _validate.positive(persons=persons)
    digest = _Digest(schema, key=sha256(f"dpsynth persons drawn by seed {seed}".encode()).digest())
    readers = [_reader(table) for table in tables]
    lowest = np.empty(0, dtype=np.uint64)
    thinned = False
    for frames in readers:
        for frame in frames():
            found, there = digest(frame)
            lowest = np.union1d(lowest, found[there])
            thinned |= lowest.size > persons
            lowest = lowest[:persons]
    drawn, numbers = [], []
    for frames in readers:
        kept: list[pd.DataFrame] = []
        seen = np.empty(0, dtype=np.uint64)
        for frame in frames():
            found, there = digest(frame)
            mine = there & np.isin(found, lowest)
            kept.append(frame[mine])
            seen = np.union1d(seen, found[mine])
        drawn.append(pd.concat(kept, ignore_index=True))
        numbers.append(int(seen.size))
    return Drawn(frames=tuple(drawn), persons=tuple(numbers), thinned=thinned)


class _Digest:
    """The digest of the person, or else of the content, of every row.

    Args:
        schema: declares the columns and the unit.
        key: of the draw.
    """

    def __init__(self, schema: "Schema", *, key: bytes) -> None:
        self._tools: dict[str, Codec] = dict(codecs(schema))
        self._whose = schema.unit.column
        self._key = key

    def __call__(self, frame: "pd.DataFrame") -> tuple[Digests, NDArray[np.bool_]]:
        """Return a digest a row, and which rows belong to somebody."""
        if self._whose is not None:
            numbers, ids = person_numbers(frame[self._whose])
            words = np.append(person_digests(ids, key=self._key), np.uint64(0))
            return words[numbers], numbers >= 0
        content = []
        for name, tool in self._tools.items():
            encoded = tool.encode(frame[name])
            content += [encoded.content, *([] if encoded.rest is None else [encoded.rest])]
        words = content_groups(np.column_stack(content), key=self._key)[:, 0]
        return words, np.ones(words.shape, dtype=np.bool_)


def _reader(table: "Rows | pd.DataFrame") -> Frames:
    return table.frames if isinstance(table, Rows) else lambda: iter((table,))
