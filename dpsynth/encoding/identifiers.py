"""Identifiers on output: numbered, unique, never learnt."""

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from dpsynth.encoding import output
from dpsynth.schema.columns import IdentifierColumn
from dpsynth.schema.dtypes import INTEGER_DTYPES, integer_range

if TYPE_CHECKING:
    import pandas as pd

# Generated numbers start here where the dtype allows, far from the ids that tables use.
FIRST = 9_000_000_000_001
_DEFAULT_PATTERN = "S########"


def generate(column: IdentifierColumn, rows: int) -> "pd.Series[Any]":
    """Return ``rows`` different identifiers of the declared form."""
    dtype = column.output_dtype
    running = np.arange(rows, dtype=np.int64)
    if dtype in INTEGER_DTYPES:
        greatest = integer_range(dtype)[1]
        if rows > greatest:
            raise column.wrong("dtype", "cannot number so many rows: declare a wider one")
        first = FIRST if FIRST + rows <= greatest else 1
        missing = np.zeros(rows, dtype=np.bool_)
        return output.integers(first + running, missing, dtype)
    pattern = column.pattern or _DEFAULT_PATTERN
    before, digits, after = re.split("(#+)", pattern, maxsplit=1)
    # A number too long for its run of '#' takes more room: unique comes before tidy.
    texts = [f"{before}{number:0{len(digits)}d}{after}" for number in range(1, rows + 1)]
    return output.texts(texts)
