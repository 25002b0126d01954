"""What a figure is to the template: a heading, drawings, and the numbers of them."""

from collections.abc import Sequence
from typing import Any

from attacks.report.utility import shapes

Figure = dict[str, Any]
ORDER = {"real": 0, "synthetic": 1, "difference": 2, "holdout": 3, "floor": 4}


def figure(heading: str, **given: Any) -> Figure:
    """Return a figure with nothing but what is given.

    Args:
        heading: what it shows.
        given: ``said``, a sentence; ``legend``, class and words of each mark; ``panels``, name and
            drawing of each; ``both``, a drawing at two widths; ``numbers``, tables.
    """
    empty: Figure = {
        "said": "",
        "legend": [],
        "change": [],
        "panels": [],
        "both": None,
        "numbers": [],
    }
    return {"heading": heading, **empty, **given}


def numbers(caption: str, columns: Sequence[str], rows: shapes.Rows) -> list[dict[str, Any]]:
    """Return a table of numbers as the template shows it; none where it has no row."""
    kept = rows[: shapes.MOST_ROWS]
    right = [
        place > 0 and all(_is_figure(row[place]) for row in kept) for place in range(len(columns))
    ]
    held = {"caption": caption, "columns": list(zip(columns, right, strict=True))}
    return [{**held, "rows": kept, "right": right, "rest": len(rows) - len(kept)}] if rows else []


def _is_figure(text: str) -> bool:
    return text[:1].isdigit() or text[:1] == "\N{MINUS SIGN}" or text in ("–", "not measured")
