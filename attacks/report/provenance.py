"""Every public fact with where it came from, the most doubtful first."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from attacks.report.wording import clean, humanize, mapping

_ORDER = ("guessed", "confirmed", "learnt", "declared")
_NOTES = (("note", ""), ("reason", ""), ("source", "public source: "), ("entry", "charge: "))


def facts_by_source(given: Any) -> dict[str, Any]:
    """Return the lines of a schema's provenance, a tally, and the lines that are not declared.

    Args:
        given: fields of the unit under ``unit``, and of each column under ``columns``; each with
            a ``status``, and what is known of it.
    """
    summary = mapping(given)
    lines = [
        _line(where, field, origin)
        for where, fields in _places(summary)
        for field, origin in mapping(fields).items()
    ]
    lines.sort(key=lambda line: _rank(line["source"]))
    tally = Counter(line["source"] for line in lines)
    return {
        "tally": sorted(tally.items(), key=lambda item: _rank(item[0])),
        "rows": lines,
        "open": [line for line in lines if line["source"] != "declared"],
    }


def _places(summary: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "the privacy unit", summary.get("unit")
    yield from mapping(summary.get("columns")).items()


def _rank(source: str) -> int:
    return _ORDER.index(source) if source in _ORDER else 0


def _line(where: object, field: object, origin: Any) -> dict[str, str]:
    said = mapping(origin)
    status = said.get("status", "unknown") if said else origin
    notes = [f"{lead}{said[key]}" for key, lead in _NOTES if said.get(key)]
    if status == "confirmed" and not said.get("source"):
        notes.append("no public source named")
    return {
        "column": clean(where),
        "field": humanize(field),
        "source": clean(status),
        "note": clean("; ".join(notes)),
    }
