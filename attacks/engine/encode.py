"""From data frames to codes, by the schema's own codecs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from attacks.engine.counts import Words, mix
from attacks.engine.stored import StoredTable, Writer
from attacks.engine.table import CodedTable, Codes
from dpsynth.encoding import codecs
from dpsynth.encoding.codec import Codec
from dpsynth.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

# Codes of these kinds have no order that makes neighbors alike.
UNORDERED = frozenset({"categorical", "boolean"})


def encode(frame: "pd.DataFrame", schema: "Schema", *, name: str, persons: bool) -> CodedTable:
    """Return ``frame`` as codes; any cell maps to a code by the schema's rule.

    Args:
        frame: rows with the modeled columns of ``schema``; more columns are ignored.
        schema: declares the columns and the unit.
        name: what the table is called in an error.
        persons: whether rows belong to persons; a release's do not.

    Raises:
        DataError: a modeled column, or the person column, is missing.
    """
    held = codecs(schema)
    check_columns(frame, list(held), name=name)
    codes, words = _coded(frame, held)
    if persons and schema.unit.kind == "person":
        whose = str(schema.unit.column)
        check_columns(frame, [whose], name=name)
        return _by_person(tuple(held), codes, words, _numbers(frame[whose]))
    rows = np.arange(len(frame), dtype=np.int64)
    return CodedTable(columns=tuple(held), codes=codes, words=words, persons=rows, size=len(frame))


def store(frames: "Iterable[pd.DataFrame]", schema: "Schema", *, name: str) -> StoredTable:
    """Return a release that comes in frames as codes on disk; see ``encode``."""
    held = codecs(schema)
    writer = Writer({column: codec.size for column, codec in held.items()})
    for frame in frames:
        check_columns(frame, list(held), name=name)
        writer.append(*_coded(frame, held))
    return writer.table()


def _coded(frame: "pd.DataFrame", held: Mapping[str, Codec]) -> tuple[Codes, Words]:
    codes = np.empty((len(frame), len(held)), dtype=np.int32, order="F")
    words = np.zeros(len(frame), dtype=np.uint64)
    for place, (column, codec) in enumerate(held.items()):
        encoded = codec.encode(frame[column])
        codes[:, place] = encoded.codes
        mix(words, encoded.content)
    return codes, words


def sizes(schema: "Schema") -> dict[str, int]:
    """Return the number of declared codes by column."""
    return {name: codec.size for name, codec in codecs(schema).items()}


def ordered(schema: "Schema") -> dict[str, bool]:
    """Return by column whether neighboring codes are alike."""
    return {column.name: column.kind not in UNORDERED for column in schema.modeled}


def missing(schema: "Schema") -> dict[str, int]:
    """Return the code of the missing level, by column that has one."""
    return {name: codec.size - 1 for name, codec in codecs(schema).items() if codec.has_missing}


def check_columns(frame: "pd.DataFrame", columns: Sequence[str], *, name: str) -> None:
    """Raise DataError unless ``frame`` holds each of ``columns`` exactly once."""
    present = [str(column) for column in frame.columns]
    missing = [column for column in columns if column not in present]
    if missing:
        raise DataError(
            f"the {name} table lacks the column {missing[0]!r} that the schema declares; "
            "give the audit tables with the columns of one schema"
        )
    repeated = [column for column in columns if present.count(column) > 1]
    if repeated:
        raise DataError(f"the {name} table holds the column {repeated[0]!r} more than once")


def _numbers(ids: "pd.Series") -> NDArray[np.int64]:
    import pandas as pd

    numbers, _ = pd.factorize(ids.astype("string"))
    return np.asarray(numbers, dtype=np.int64)


def _by_person(
    columns: tuple[str, ...],
    codes: NDArray[np.int32],
    words: NDArray[np.uint64],
    numbers: NDArray[np.int64],
) -> CodedTable:
    """Leave out rows without a person id, as the curator does."""
    kept = numbers >= 0
    size = int(numbers.max(initial=-1)) + 1
    return CodedTable(
        columns=columns, codes=codes[kept], words=words[kept], persons=numbers[kept], size=size
    )
