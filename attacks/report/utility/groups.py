"""The subgroup panel: how large each group is in each table, and every score of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from attacks.report.canvas import ACCENT, HAIR, INK, MUTED, WARM, Canvas
from attacks.report.lines import is_number
from attacks.report.utility.curves import ticks
from attacks.report.wording import clean, mapping, measured, plural, sequence, share

if TYPE_CHECKING:
    from markupsafe import Markup

WIDE = 680
NARROW = 340
_TABLES = ("real", "synthetic", "holdout")


def panels(
    groups: Any, scores: Sequence[dict[str, Any]], *, metrics: Any = None, ident: str
) -> list[dict[str, Any]]:
    """Return a panel for each column that makes groups, with a table for each metric.

    Args:
        groups: records of ``column``, ``group`` (its name in the scores), ``label``, ``rows`` and
            ``shares`` by table, ``small``, and ``instead``: words by metric, of those not measured.
        scores: of all groups, as the document has them.
        metrics: records of ``title`` and ``names`` of scores; those that no metric names stand in
            the first table, with the rows.
        ident: unique in the page.
    """
    titled = {
        clean(record.get("title", "")): [clean(name) for name in sequence(record.get("names"))]
        for record in map(mapping, sequence(metrics))
    }
    by_column: dict[str, list[dict[str, Any]]] = {}
    for record in map(mapping, sequence(groups)):
        by_column.setdefault(clean(record.get("column", "")), []).append(record)
    of_group: dict[str, list[dict[str, Any]]] = {}
    for score in scores:
        of_group.setdefault(str(score.get("group", "")), []).append(score)
    return [
        _panel(column, held, of_group, titled, ident=f"{ident}-{place}")
        for place, (column, held) in enumerate(by_column.items())
    ]


def _panel(
    column: str,
    held: list[dict[str, Any]],
    of_group: dict[str, list[dict[str, Any]]],
    titled: dict[str, list[str]],
    *,
    ident: str,
) -> dict[str, Any]:
    rows = [_row(record, of_group.get(str(record.get("group", "")), [])) for record in held]
    names = list(dict.fromkeys(name for row in rows for name in row["scores"]))
    others = list(titled)[1:]
    elsewhere = {name for title in others for name in titled[title]}
    small = sum(row["small"] for row in rows)
    title = f"Groups of {column}: their shares in each table"
    return {
        "column": column,
        "count": plural(len(rows), "group"),
        "small": plural(small, "small group") if small else "",
        "both": {
            which: _shares_chart(rows, width=width, ident=f"{ident}-{which}", title=title)
            for which, width in (("wide", WIDE), ("narrow", NARROW))
        },
        "names": [name for name in names if name not in elsewhere],
        "rows": rows,
        "tables": [
            {"title": title, "names": kept}
            for title in others
            if (kept := [name for name in titled[title] if name in names])
            or any(title in row["instead"] for row in rows)
        ],
    }


def _row(record: dict[str, Any], scores: list[dict[str, Any]]) -> dict[str, Any]:
    counts, parts = mapping(record.get("rows")), mapping(record.get("shares"))
    return {
        "label": clean(record.get("label", "")),
        "small": record.get("small") is True,
        "shares": {name: float(parts[name]) for name in _TABLES if is_number(parts.get(name))},
        "rows": {
            name: f"{counts[name]:,}" if is_number(counts.get(name)) else "–" for name in _TABLES
        },
        "scores": {clean(score.get("name", "")): _score(score) for score in scores},
        "instead": {
            clean(title): clean(words)
            for title, words in mapping(record.get("instead")).items()
            if words
        },
        "notes": list(dict.fromkeys(clean(score["note"]) for score in scores if score.get("note"))),
    }


def _score(score: dict[str, Any]) -> dict[str, str]:
    low, high = score.get("low"), score.get("high")
    known = is_number(low) and is_number(high)
    return {
        "value": measured(score.get("value")),
        "interval": f"{measured(low)} to {measured(high)}" if known else "",
        "floor": measured(score.get("floor")),
        "ceiling": measured(score.get("ceiling")),
    }


def _shares_chart(
    rows: Sequence[dict[str, Any]], *, width: int, ident: str, title: str
) -> "Markup":
    """Draw each group's share in the three tables on one line."""
    narrow = width <= NARROW
    step = 38 if narrow else 24
    left, right, top = (8.0 if narrow else 210.0), width - 16.0, 8.0
    bottom = top + step * len(rows)
    sheet = Canvas(width, bottom + 24)
    most = max([value for row in rows for value in row["shares"].values()], default=0.0) or 1.0

    def x(value: float) -> float:
        return left + value / most * (right - left)

    for tick in ticks(0.0, most):
        sheet.line([(x(tick), top), (x(tick), bottom)], color=HAIR)
        words = f"{100 * tick:g} %"
        sheet.text(x(tick), bottom + 16, words, size=10.5, color=MUTED, anchor="center")
    for index, row in enumerate(rows):
        y = top + step * index + (28 if narrow else 13)
        tail = " (small)" if row["small"] else ""
        room = (width if narrow else left) - 12
        sheet.text(
            0,
            y - 12 if narrow else y + 4,
            f"{row['label'][:60]}{tail}",
            size=11.5,
            room=room,
            color=MUTED if row["small"] else INK,
        )
        held = row["shares"]
        ends = [x(value) for value in held.values()] or [left]
        sheet.line([(min(ends), y), (max(ends), y)], color=MUTED, width=1)
        if "real" in held:
            sheet.dot(x(held["real"]), y, color=INK, radius=5)
        if "holdout" in held:
            sheet.dot(x(held["holdout"]), y, color=WARM, radius=3)
        if "synthetic" in held:
            sheet.diamond(x(held["synthetic"]), y, color=ACCENT, radius=5)
    return sheet.svg(ident=ident, title=title, description=_said(rows))


def _said(rows: Sequence[dict[str, Any]]) -> str:
    drift = [
        (row["shares"]["synthetic"] - row["shares"]["real"], row)
        for row in rows
        if {"real", "synthetic"} <= set(row["shares"])
    ]
    if not drift:
        return f"{plural(len(rows), 'group')}."
    most, row = max(drift, key=lambda found: abs(found[0]))
    way = "more" if most >= 0 else "less"
    return (
        f"{plural(len(rows), 'group')}; the largest drift is {row['label']}: "
        f"{share(abs(most))} of all rows {way} in the synthetic table than in the real one."
    )
