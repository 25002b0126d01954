"""Templates, and the parts that both reports have in common."""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attacks.report import charts
from attacks.report.marginals import BARS, Marginal, head
from attacks.report.wording import clean, humanize, mapping, number, sequence, share

if TYPE_CHECKING:
    from jinja2 import Environment

_FRACTION = re.compile(r"[0-9]+/[0-9]+")
_TONES = {"PASS": "good", "FAIL": "bad", "INCONCLUSIVE": "open"}
_MARKS = {
    "passed": ("good", "✓"),
    "failed": ("bad", "✕"),
    "error": ("bad", "!"),
    "inconclusive": ("open", "?"),
    "uncalibrated": ("rest", "≈"),
    "skipped": ("open", "–"),
    "not applicable": ("rest", "–"),
}


@cache
def environment() -> "Environment":
    """Return the templates: everything escaped, nothing undefined, nothing from elsewhere."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("attacks.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["clean"] = clean
    found.filters["share"] = share
    return found


def write(directory: Path, *, template: str, view: dict[str, Any], summary: str) -> None:
    """Render ``template`` to report.html and put ``summary`` beside it, with fixed line ends."""
    page = environment().get_template(template).render(view)
    for name, text in (("report.html", page), ("summary.md", summary)):
        with (directory / name).open("w", encoding="utf-8", newline="\n") as file:
            file.write(text if text.endswith("\n") else text + "\n")


def verdict_of(given: Any) -> dict[str, Any]:
    """Return the verdict as word, tone and reasons, whether given as text or as a record."""
    record = mapping(given)
    word = str(record.get("verdict") or record.get("outcome") or given)
    word = word if word in _TONES else "INCONCLUSIVE"  # what is not known never counts as a pass
    reasons = [clean(reason) for reason in sequence(record.get("reasons"))]
    return {"word": word, "tone": _TONES[word], "reasons": reasons}


def status_of(given: Any) -> dict[str, str]:
    """Return the outcome of a check with its mark; a word beside it carries the meaning."""
    word = clean(given).replace("_", " ")
    tone, mark = _MARKS.get(word, ("open", "?"))
    return {"word": word, "tone": tone, "mark": mark}


def severity(status: dict[str, str]) -> int:
    """Return the place of an outcome from worst to best."""
    return ("bad", "open", "good", "rest").index(status["tone"])


def tiles(columns: Sequence[Marginal]) -> list[dict[str, Any]]:
    """Return a small chart and its numbers for each column."""
    shown = []
    for index, column in enumerate(columns):
        title = f"Shares of {column.name} in the release"
        ident = f"column-{index}"
        if column.ordered and len(column.labels) > BARS:
            chart = charts.histogram(
                column.labels,
                column.shares,
                ident=ident,
                title=title,
                missing_last=column.missing_last,
            )
        else:
            labels, shares = head(column)  # a few ordered values keep their order and their names
            chart = charts.bars(labels, shares, ident=ident, title=title)
        shown.append(
            {
                "name": column.name,
                "kind": column.kind,
                "chart": chart,
                "rows": list(zip(column.labels, column.shares, strict=True)),
            }
        )
    return shown


def facts(given: Any, *, prefix: str = "") -> list[tuple[str, str]]:
    """Return a nested record as lines of name and text, in the order that it was written."""
    lines: list[tuple[str, str]] = []
    for key, value in mapping(given).items():
        name = f"{prefix}{humanize(key)}"
        if isinstance(value, dict):
            lines += facts(value, prefix=f"{name}: ")
        elif isinstance(value, list | tuple):
            lines.append((name, ", ".join(clean(item) for item in value) or "none"))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            lines.append((name, f"{value:,}" if isinstance(value, int) else f"{value:.6g}"))
        elif isinstance(value, str) and _FRACTION.fullmatch(value):
            lines.append((name, number(value)))
        elif isinstance(value, bool):
            lines.append((name, "yes" if value else "no"))
        else:
            lines.append((name, "not stated" if value is None else clean(value)))
    return lines
