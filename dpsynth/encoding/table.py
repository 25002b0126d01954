"""Whole tables: rows to codes and canonical content, and codes back to a typed table."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.encoding.codec import codec, codecs
from dpsynth.encoding.identifiers import IdentifierCells
from dpsynth.encoding.output import Cells
from dpsynth.encoding.undeclared import Undeclared
from dpsynth.schema.columns import IdentifierColumn, ModeledColumn

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from dpsynth.schema.document import Schema


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedTable:
    """A table in codes.

    Attributes:
        codes: by modeled column, in table order; each of shape ``(rows,)``.
        undeclared: by open column, the values that could be learnt.
        content: shape ``(rows, words)``, uint64: the cells in canonical form, a word a column,
            and two an open column.
    """

    codes: Mapping[str, NDArray[np.unsignedinteger[Any]]]
    content: NDArray[np.uint64]
    undeclared: Mapping[str, Undeclared] = field(default_factory=dict)


def encode_table(frame: "pd.DataFrame", schema: "Schema") -> EncodedTable:
    """Encode the modeled columns of ``frame``; never raises on what a cell holds."""
    tools = codecs(schema)
    codes, undeclared = {}, {}
    words: list[NDArray[np.uint64]] = []
    for name, tool in tools.items():
        encoded = tool.encode(frame[name])
        codes[name] = encoded.codes
        words.append(encoded.content)
        if encoded.undeclared is not None:
            undeclared[name] = encoded.undeclared
        if encoded.rest is not None:
            words.append(encoded.rest)
    return EncodedTable(codes=codes, content=np.column_stack(words), undeclared=undeclared)


def decode_table(
    codes: Mapping[str, NDArray[Any]],
    schema: "Schema",
    rng: np.random.Generator,
    *,
    rows: int | None = None,
    values: Mapping[str, NDArray[np.float64]] | None = None,
) -> "pd.DataFrame":
    """Turn base codes into a table with the declared columns, dtypes and ranges.

    Args:
        codes: by modeled column, each of shape ``(rows,)``.
        schema: the declared columns; identifiers are generated, excluded columns are left out.
        rng: of the sampling, which is post-processing and costs no privacy.
        rows: how many; by default as many as there are codes.
        values: by numeric or date column, what cells are to be where that is settled; else NaN.
    """
    count = next(iter(codes.values())).size if rows is None else rows
    return Decoder(schema, total=count).block(codes, rng, values=values).frame()


class Decoder:
    """Turns the base codes of a table into cells, block by block.

    Args:
        schema: the declared columns; identifiers are generated, excluded columns are left out.
        total: rows of the whole table.
    """

    def __init__(self, schema: "Schema", *, total: int) -> None:
        self._schema = schema
        self._tools = codecs(schema)
        self._total = total
        self._done = 0

    def block(
        self,
        codes: Mapping[str, NDArray[Any]],
        rng: np.random.Generator,
        *,
        values: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> "DecodedBlock":
        """Return the cells of the next rows; see ``decode_table``."""
        rows = next(iter(codes.values())).size if codes else self._total - self._done
        held: dict[str, Cells] = {}
        for column in self._schema.columns:
            if isinstance(column, ModeledColumn):
                settled = None if values is None else values.get(column.name)
                tool = self._tools[column.name]
                held[column.name] = tool.decode(codes[column.name], rng, values=settled)
            elif isinstance(column, IdentifierColumn):
                held[column.name] = IdentifierCells(
                    column=column, start=self._done, rows=rows, total=self._total
                )
        self._done += rows
        return DecodedBlock(cells=held, rows=rows)


@dataclass(frozen=True, kw_only=True, eq=False)
class DecodedBlock:
    """Rows of a table, column by column, in its order."""

    cells: Mapping[str, Cells]
    rows: int

    def frame(self) -> "pd.DataFrame":
        """Return the rows as pandas holds them."""
        import pandas as pd

        series = {name: each.series() for name, each in self.cells.items()}
        return pd.DataFrame(series, index=pd.RangeIndex(self.rows), copy=False)

    def arrow(self) -> "pa.Table":
        """Return the rows as Arrow holds them, text by its codes."""
        import pyarrow as pa

        return pa.table({name: each.arrow() for name, each in self.cells.items()})


def seen(frame: "pd.DataFrame", schema: "Schema") -> "Schema":
    """Return ``schema`` with all that ``frame`` holds in open columns among the known values.

    For comparing tables with one that is public already: its values are not private.
    """
    return seen_in([frame], schema)


def seen_in(frames: "Iterable[pd.DataFrame]", schema: "Schema") -> "Schema":
    """Return the same of a table that comes in frames; see ``seen``."""
    opened = [column for column in schema.modeled if column.learns_values]
    found: dict[str, set[str]] = {column.name: set() for column in opened}
    for frame in frames if opened else ():
        for column in opened:
            held = codec(column).encode(frame[column.name]).undeclared
            found[column.name].update(() if held is None else held.texts)
    return schema.with_values({name: sorted(texts) for name, texts in found.items()})
