"""An evaluation document as the templates show it: sections of scores, figures and numbers."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from attacks.report.lines import is_number
from attacks.report.utility import figures, groups, multiples
from attacks.report.utility.bars import NARROW, WIDE, Bars, three_bars
from attacks.report.wording import clean, humanize, mapping, measured, plural, sequence

MOST_BARS = 30  # scores that are drawn; all are in the table
MOST_ROWS = 200  # of a table of scores of columns or pairs
OPEN_ROWS = 12  # that are shown without being asked for
_STUDY = "dpsynth-augmentation-study/1"
_HEADINGS = {
    False: "What the synthetic table is good for",
    True: "Do synthetic rows help where real ones are few?",
}
_TABLES = (("real", "real"), ("synthetic", "synthetic"), ("holdout", "real holdout"))


def view_of(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that the utility templates show; never trusts the shape of the document."""
    rows = mapping(evaluation.get("rows"))
    sections = [
        _section(mapping(found), ident=f"utility-{place}")
        for place, found in enumerate(sequence(evaluation.get("sections")))
    ]
    study = evaluation.get("format") == _STUDY
    return {
        "heading": _HEADINGS[study],
        "study": study,
        "rows": [
            (words, f"{rows[name]:,}") for name, words in _TABLES if is_number(rows.get(name))
        ],
        "notes": [clean(note) for note in sequence(evaluation.get("notes"))],
        "seed": clean(evaluation.get("seed", "not stated")),
        "sections": [section for section in sections if section["shown"]],
    }


def of_fidelity(fidelity: Mapping[str, Any]) -> dict[str, Any]:
    """Return a fidelity document, which every release has, in the same view."""
    scores = [
        {**mapping(found), "better": "lower" if found.get("lower_is_better", True) else "higher"}
        for found in map(mapping, sequence(fidelity.get("measures")))
    ]
    section = {
        "key": "fidelity",
        "title": "How close the release is to the real table",
        "scores": scores,
        "tables": {"columns": sequence(fidelity.get("columns"))},
        "notes": [
            "Each figure stands between a floor (columns drawn independently of one another) and a "
            "ceiling (one random half of the real rows against the other).",
            *sequence(fidelity.get("notes")),
            "Single columns and pairs are all that a release compares by itself. dpsynth release "
            "--evaluate measures the rest against the persons who were set aside, and dpsynth "
            "evaluate does so later: associations, ROC and calibration curves of classifiers, "
            "subgroups. Learning curves are drawn by dpsynth augment-study.",
        ]
        if scores
        else [],
    }
    return view_of({"sections": [section]})


def _section(found: dict[str, Any], *, ident: str) -> dict[str, Any]:
    title = clean(found.get("title") or humanize(found.get("key", "utility")))
    scores = [mapping(score) for score in sequence(found.get("scores"))]
    tables = mapping(found.get("tables"))
    whole = [score for score in scores if not score.get("group")]
    parts = [score for score in scores if score.get("group")]
    tiles = [
        tile
        for place, column in enumerate(sequence(tables.get("columns")))
        if (tile := multiples.tile(mapping(column), ident=f"{ident}-column-{place}")) is not None
    ]
    panels = groups.panels(
        tables.get("groups"), parts, metrics=tables.get("metrics"), ident=f"{ident}-group"
    )
    drawn = figures.figures(tables, ident=f"{ident}-figure")
    notes = [clean(note) for note in sequence(found.get("notes"))]
    return {
        "anchor": f"utility-{re.sub('[^a-z]', '', str(found.get('key', '')).lower())}-{ident[8:]}",
        "title": title,
        "notes": notes,
        "bars": _bars(whole, title=title, ident=f"{ident}-scores"),
        "scores": [_row(score) for score in whole],
        "parts": [] if panels else [_row(score) for score in parts[:MOST_ROWS]],
        "parts_rest": 0 if panels else max(0, len(parts) - MOST_ROWS),
        "open": len(parts) <= OPEN_ROWS,
        "parts_of": "methods"
        if found.get("key") == "augmentation"
        else "columns, pairs and groups",
        "tiles": tiles,
        "holdout": any("holdout" in tile["tables"] for tile in tiles),
        "panels": panels,
        "figures": drawn,
        "count": plural(len(whole), "score"),
        "shown": bool(scores or tiles or panels or drawn or notes),
    }


def _bars(scores: Sequence[dict[str, Any]], *, title: str, ident: str) -> dict[str, Any] | None:
    held = [
        Bars(
            name=clean(score.get("name", "score")),
            value=float(score["value"]),
            better=clean(score.get("better") or "lower"),
            **{key: _number(score.get(key)) for key in ("low", "high", "floor", "ceiling")},
        )
        for score in scores
        if is_number(score.get("value"))
    ][:MOST_BARS]
    if not held:
        return None
    words = f"{title}: floor, this table, ceiling"
    return {
        which: three_bars(held, width=width, ident=f"{ident}-{which}", title=words)
        for which, width in (("wide", WIDE), ("narrow", NARROW))
    }


def _row(score: dict[str, Any]) -> dict[str, str]:
    low, high = score.get("low"), score.get("high")
    known = is_number(low) and is_number(high)
    return {
        "name": clean(score.get("name", "score")),
        "group": clean(score.get("group") or ""),
        "note": clean(score.get("note") or ""),
        "better": clean(score.get("better") or "lower"),
        "floor": measured(score.get("floor")),
        "value": measured(score.get("value")),
        "interval": f"{measured(low)} to {measured(high)}" if known else "none",
        "ceiling": measured(score.get("ceiling")),
    }


def _number(value: Any) -> float | None:
    return float(value) if is_number(value) else None
