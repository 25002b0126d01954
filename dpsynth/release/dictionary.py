"""The data dictionary: what stands in a synthetic table, and how far its numbers can be trusted.

Written from declared facts and from what simulated worlds showed: public, no row is read.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dpsynth.release import atomic

if TYPE_CHECKING:
    from dpsynth.schema import Schema

FILE = "data-dictionary.md"
_MOST_VALUES = 30  # that are listed
CAUTION = (
    "Every row of this table is made up. A confidence interval or p-value computed from it as if "
    "the rows were persons leaves the privacy noise out: the interval is too narrow, and effects "
    "are called significant that are none. Draw several copies from the released model and combine "
    "them: `dpsynth replicate`."
)


def write(folder: Path, schema: "Schema", warnings: Sequence[str] = ()) -> None:
    """Write the dictionary into the existing folder ``folder``."""
    text = data_dictionary(schema, warnings)
    atomic.write_bytes(folder / FILE, text.encode("utf-8"))


def data_dictionary(schema: "Schema", warnings: Sequence[str] = ()) -> str:
    """Return the dictionary as Markdown.

    Args:
        schema: the declared columns, with what was learnt of open ones.
        warnings: plain sentences about coefficients, such as ``coverage.in_words`` returns.
    """
    lines = [
        "# Data dictionary",
        "",
        CAUTION,
        "",
        *(f"- Warning: {_cell(each)}" for each in warnings),
        *([""] if warnings else []),
        "| column | kind | values | missing | description |",
        "| --- | --- | --- | --- | --- |",
    ]
    for column in schema.columns:
        missing = "yes" if getattr(column, "has_missing", False) else "no"
        cells = [column.name, column.kind, _values(column), missing, column.description or ""]
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    return "\n".join(lines) + "\n"


def _values(column: object) -> str:
    levels = getattr(column, "values", None)
    if levels is not None:
        meanings = getattr(column, "labels", {})
        texts = [
            f"{level} ({meanings[str(level)]})" if str(level) in meanings else str(level)
            for level in levels[:_MOST_VALUES]
        ]
        more = len(levels) - len(texts)
        return ", ".join(texts) + (f" and {more} more" if more else "")
    bounds = getattr(column, "bounds", None)
    unit = getattr(column, "unit_of_measure", None)
    text = f"{bounds[0]} to {bounds[1]}" if bounds is not None else ""
    return f"{text} {unit}".strip() if unit else text


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
