"""Identifiers on output: numbered, unique, never learnt."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dpsynth.encoding import output
from dpsynth.schema.columns import IdentifierColumn
from dpsynth.schema.dtypes import INTEGER_DTYPES, integer_range

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# Generated numbers start here where the dtype allows, far from the ids that tables use.
FIRST = 9_000_000_000_001
_DEFAULT_PATTERN = "S########"


@dataclass(frozen=True, kw_only=True, eq=False)
class IdentifierCells:
    """Different identifiers of the declared form: a part of a numbered run.

    Attributes:
        column: its declaration.
        start: how many stand before these.
        rows: how many these are.
        total: how many there will be in all.
    """

    column: IdentifierColumn
    start: int
    rows: int
    total: int

    def series(self) -> "pd.Series[Any]":
        """Return them as pandas holds them."""
        dtype = self.column.output_dtype
        if dtype in INTEGER_DTYPES:
            greatest = integer_range(dtype)[1]
            if self.total > greatest:
                raise self.column.wrong("dtype", "cannot number so many rows: declare a wider one")
            first = FIRST if FIRST + self.total <= greatest else 1
            running = np.arange(self.start, self.start + self.rows, dtype=np.int64)
            missing = np.zeros(self.rows, dtype=np.bool_)
            return output.integers(first + running, missing, dtype)
        pattern = self.column.pattern or _DEFAULT_PATTERN
        before, digits, after = re.split("(#+)", pattern, maxsplit=1)
        # A number too long for its run of '#' takes more room: unique comes before tidy.
        numbers = range(self.start + 1, self.start + self.rows + 1)
        return output.texts([f"{before}{number:0{len(digits)}d}{after}" for number in numbers])

    def arrow(self) -> "pa.Array":
        """Return them as Arrow holds them."""
        return output.arrow(self.series())


def generate(column: IdentifierColumn, rows: int) -> "pd.Series[Any]":
    """Return ``rows`` different identifiers of the declared form."""
    return IdentifierCells(column=column, start=0, rows=rows, total=rows).series()
