"""CSV that a spreadsheet cannot be made to run.

A cell that starts with ``=``, ``+``, ``-``, ``@``, a tab, a carriage return or NUL is a formula to
some spreadsheet programs, and quoting does not help (OWASP ASVS 5, 1.2.10). Such text gets an
apostrophe in front. Numbers are left alone, whether the column is numeric or holds text that as a
whole is a plain number. Parquet is never touched and is the copy to compute with.
"""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

GUARD = "'"
RULE = (
    "in synthetic.csv, text that starts with = + - @, a tab, a carriage return or NUL, and is not "
    "a plain number, has an apostrophe in front; synthetic.parquet holds the values as they are"
)

_STARTS = ("=", "+", "-", "@", "\t", "\r", "\0")
_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?", re.ASCII)


def guard_text(text: str) -> str:
    """Return ``text``, with an apostrophe in front where a spreadsheet might run it."""
    if text.startswith(_STARTS) and not _PLAIN_NUMBER.fullmatch(text):
        return GUARD + text
    return text


def guarded(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return a copy of ``table`` that is safe to write as CSV; text columns alone change."""
    import pandas as pd

    columns = {}
    for name in table.columns:
        column = table[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            # A guarded value may equal another category, so the type does not survive.
            column = column.astype(column.cat.categories.dtype)
        if pd.api.types.is_object_dtype(column.dtype) or pd.api.types.is_string_dtype(column.dtype):
            distinct = {cell for cell in column.dropna().unique() if isinstance(cell, str)}
            changed = {cell: guard_text(cell) for cell in distinct if guard_text(cell) != cell}
            if changed:
                column = column.replace(changed)
        columns[guard_text(str(name))] = column
    return pd.DataFrame(columns)


def to_csv(table: "pd.DataFrame") -> bytes:
    """Return ``table`` as guarded CSV: UTF-8, line feeds, missing cells empty."""
    text: str = guarded(table).to_csv(index=False, lineterminator="\n")
    return text.encode("utf-8")
