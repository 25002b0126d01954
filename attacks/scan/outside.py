"""Cells of the release that no declared value explains."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.encoding import cells, codec
from dpsynth.schema.codes import Rollup
from dpsynth.schema.columns import (
    CategoricalColumn,
    DateColumn,
    IntegerColumn,
    ModeledColumn,
    NumericColumn,
)
from dpsynth.schema.values import key

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """Different cells of one column, and how many rows hold each.

    Args:
        cells: Python objects; no nulls.
        rows: shape ``(cells,)``.
        nulls: rows without a value.
    """

    cells: list[Any]
    rows: NDArray[np.int64]
    nulls: int

    @classmethod
    def of(cls, series: "pd.Series[Any]") -> "Cells":
        """Gather the cells of a column."""
        found = cells.distinct(series)
        held = found.index[found.index >= 0]
        return cls(
            cells=found.cells,
            rows=np.bincount(held, minlength=len(found.cells)).astype(np.int64),
            nulls=int(found.index.size - held.size),
        )


def outside(held: Cells, column: ModeledColumn) -> NDArray[np.bool_]:
    """Return for each cell whether it is neither declared nor a declared sign of a missing value.

    In an open column every value counts that is not among the known ones.
    """
    import pandas as pd

    series = pd.Series(held.cells, dtype=object)
    texts = [cells.text_of(cell) for cell in held.cells]
    missing = {key(code) for code in column.missing_codes}
    named = np.array([text is None or text in missing for text in texts], dtype=bool)
    if isinstance(column, NumericColumn | DateColumn):
        strange = _out_of_range(series, column)
    elif isinstance(column, CategoricalColumn) and (column.open or column.rule is not None):
        levels = {key(level) for level in column.levels}
        strange = np.array([not _known(text, column.rule, levels) for text in texts], dtype=bool)
    else:
        # With a missing level, what is not declared falls there.
        tool = codec(column.model_copy(update={"nullable": True, "fallback": None}))
        strange = np.asarray(tool.encode(series).codes == tool.size - 1)
    return np.asarray(strange & ~named, dtype=bool)


def _known(text: str | None, rule: Rollup | None, levels: set[str]) -> bool:
    if text is None or text in levels:
        return True
    return rule is not None and text != cells.UNREADABLE and rule.apply(text) in levels


def _out_of_range(
    series: "pd.Series[Any]", column: NumericColumn | DateColumn
) -> NDArray[np.bool_]:
    codes = column.missing_codes
    if isinstance(column, DateColumn):
        values, states = cells.days(series, layout=column.format, codes=codes)
        ends = [float(day.toordinal()) for day in column.limits or ()]
    else:
        values, states = cells.numbers(series, codes=codes)
        ends = [float(end) for end in column.limits or ()]
    strange: NDArray[np.bool_] = states == cells.UNPARSABLE
    number = states == cells.NUMBER
    if ends:
        strange |= number & ((values < ends[0]) | (values > ends[1]))
    if isinstance(column, IntegerColumn):
        strange |= number & (values != np.rint(values))
    return strange
