"""Real rows in the words of a schema: the same values and dtypes as the synthetic ones have."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpsynth.encoding.codec import Codec, GridCodec, codecs
from dpsynth.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema
    from dpsynth.schema.selection import Selection

Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class RealRows:
    """Rows as the declared rules read them, which is how a model of the same schema learnt.

    Attributes:
        table: the modeled columns in the order of the schema, in the declared dtypes. Numbers and
            days are kept as they are, moved into the declared range; a value that is not declared
            becomes what the schema says of such values. Identifiers and excluded columns are left
            out.
        codes: by column, the base codes; each of shape ``(rows,)``.
        values: by number and date column, numbers or days; 0 where missing.
    """

    table: "pd.DataFrame"
    codes: Mapping[str, NDArray[np.int64]]
    values: Mapping[str, NDArray[np.float64]]

    @classmethod
    def of(cls, frame: "pd.DataFrame", schema: "Schema") -> "RealRows":
        """Read ``frame``; columns that are not modeled are left aside.

        Raises:
            DataError: ``frame`` lacks a modeled column.
        """
        import pandas as pd

        tools = codecs(schema)
        absent = [name for name in tools if name not in frame.columns]
        if absent:
            raise DataError(
                f"the real table has no column {absent[0]!r}, which the model's schema declares"
            )
        codes, values, held = {}, {}, {}
        for name, tool in tools.items():
            encoded = tool.encode(frame[name])
            codes[name] = encoded.codes.astype(np.int64)
            settled = None
            if isinstance(tool, GridCodec):
                settled = _within(tool, tool.numbers(frame[name]))
                values[name] = np.nan_to_num(settled)
            # Every value is settled, save of cells that hold none where none may be missing.
            rng = np.random.default_rng(0)
            held[name] = tool.decode(encoded.codes, rng, values=settled).series()
        table = pd.DataFrame(held, index=pd.RangeIndex(len(frame)), copy=False)
        return cls(table=table, codes=codes, values=values)

    def within(self, schema: "Schema", chosen: Mapping[str, "Selection"]) -> Mask:
        """Tell which rows hold all that is chosen; shape ``(rows,)``."""
        tools = codecs(schema)
        found = np.ones(len(self.table), dtype=np.bool_)
        for name, selection in chosen.items():
            missing = self._missing(name, tools[name])
            if name in self.values:
                each = np.zeros_like(found)
                for low, high in selection.intervals:
                    each |= (self.values[name] >= low) & (self.values[name] <= high)
            else:
                each = np.isin(self.codes[name], sorted(selection.levels))
            found &= np.where(missing, selection.missing, each)
        return found

    def _missing(self, name: str, tool: Codec) -> Mask:
        return np.asarray(tool.has_missing & (self.codes[name] == tool.size - 1))


def _within(tool: GridCodec, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return parsed values moved into the declared range; NaN stays where there is none."""
    inside = np.clip(values, tool.grid.starts[0], tool.grid.last)
    return np.rint(inside) if tool.grid.whole else inside
