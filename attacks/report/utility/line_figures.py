"""Figures with axes: ROC and calibration curves, learning curves, survival curves."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attacks.report.lines import is_number
from attacks.report.utility import curves, shapes
from attacks.report.utility.parts import ORDER, Figure, figure, numbers
from attacks.report.utility.series import Look, legend, looks
from attacks.report.wording import clean, mapping, measured, sequence, share

if TYPE_CHECKING:
    from markupsafe import Markup

_AT = (0.01, 0.05, 0.1, 0.2, 0.5)  # false alarms at which a ROC curve is read


def _lined(found: dict[str, Any]) -> tuple[dict[str, Look], list[curves.Line]]:
    known = looks(sorted(found, key=lambda name: ORDER.get(name, len(ORDER))))
    lines = [
        curves.Line(look=look, points=[(float(x), float(y)) for x, y in found[name]])
        for name, look in known.items()
    ]
    return known, lines


@dataclass(frozen=True, kw_only=True)
class _Panels:
    """A panel a model, in the unit square.

    Attributes:
        drawn: name and chart of each.
        marks: the legend of all.
        lines: every line, with its model.
    """

    drawn: list[tuple[str, "Markup"]]
    marks: list[tuple[str, str]]
    lines: list[tuple[str, curves.Line]]


def _panels(
    held: Any, ident: str, *, title: str, x: str, y: str, said: Callable[[list[curves.Line]], str]
) -> _Panels:
    told = [(name, found) for name, found in shapes.panels(held) if _all_points(found)]
    axes = curves.Axes(x=x, y=y, percent=True, diagonal=True)
    panels = _Panels(drawn=[], marks=[], lines=[])
    marks: dict[str, str] = {}
    for place, (name, found) in enumerate(told):
        known, lines = _lined(found)
        marks.update(legend(list(known.values())))
        chart = curves.chart(
            lines,
            axes=axes,
            width=curves.SMALL,
            ident=f"{ident}-{place}",
            title=f"{title}: {name}" if name else title,
            description=said(lines),
        )
        panels.drawn.append((name or title, chart))
        panels.lines.extend((name or "model", line) for line in lines)
    panels.marks.extend(marks.items())
    return panels


def roc(held: Any, ident: str) -> Iterator[Figure]:
    """Draw a panel a model, and say how many are found at some shares of false alarms."""

    def said(lines: list[curves.Line]) -> str:
        areas = (f"{line.look.name} {measured(_area(line.points))}" for line in lines)
        return f"Area under the curve: {', '.join(areas)}."

    x, y = "false alarms", "found of those who have it"
    panels = _panels(held, ident, title="ROC curve", x=x, y=y, said=said)
    rows = [
        [
            model,
            line.look.name,
            measured(_area(line.points)),
            *(share(_height(line.points, at)) for at in _AT),
        ]
        for model, line in panels.lines
    ]
    if panels.drawn:
        columns = ["model", "source", "area", *(f"found at {share(at)}" for at in _AT)]
        yield figure(
            "ROC curves",
            legend=panels.marks,
            panels=panels.drawn,
            numbers=numbers("ROC curves, read at shares of false alarms", columns, rows),
        )


def calibration(held: Any, ident: str) -> Iterator[Figure]:
    """Draw a panel a model: predicted against seen shares."""

    def said(lines: list[curves.Line]) -> str:
        gaps = (f"{line.look.name} {measured(_gap(line.points))}" for line in lines)
        return f"Mean distance from the diagonal: {', '.join(gaps)}."

    panels = _panels(held, ident, title="Calibration", x="predicted", y="seen", said=said)
    rows = [
        [model, line.look.name, share(x), share(y)]
        for model, line in panels.lines
        for x, y in line.points
    ]
    if panels.drawn:
        columns = ["model", "source", "predicted", "seen"]
        yield figure(
            "Calibration",
            legend=panels.marks,
            panels=panels.drawn,
            numbers=numbers("Calibration, bin by bin", columns, rows),
        )


def learning(held: Any, ident: str) -> Iterator[Figure]:
    """Draw the score against the number of real rows, a line a method."""
    for place, (name, found) in enumerate(shapes.panels(held)):
        known = looks(list(found))
        lines = [
            line for method, look in known.items() if (line := _learnt(look, found[method])).points
        ]
        if not lines:
            continue
        title = f"Learning curves: {name}" if name else "Learning curves"
        xs = [x for line in lines for x, _ in line.points]
        ys = [y for line in lines for y in (*(y for _, y in line.points), *sum(line.spans, ()))]
        low, high = min(ys), max(ys)
        rim = 0.06 * ((high - low) or 0.1)
        axes = curves.Axes(
            x="real rows",
            y="mean score",
            x_range=(min(xs), max(max(xs), min(xs) * 1.01)),
            y_range=(low - rim, high + rim),
            x_log=min(xs) > 0,
        )
        both = {
            which: curves.chart(
                lines,
                axes=axes,
                width=width,
                ident=f"{ident}-{place}-{which}",
                title=title,
                description=f"{curves.ends_of(lines)}.",
            )
            for which, width in (("wide", curves.WIDE), ("narrow", curves.NARROW))
        }
        sizes = sorted(set(xs))
        rows = [[f"{size:,.0f}", *(_at(line, size) for line in lines)] for size in sizes]
        yield figure(
            title,
            legend=legend([line.look for line in lines]),
            both=both,
            numbers=numbers(
                f"{title}: mean and 95 % interval",
                ["real rows", *(line.look.name for line in lines)],
                rows,
            ),
        )


def _learnt(look: Look, records: Any) -> curves.Line:
    held = [
        record
        for record in map(mapping, sequence(records))
        if is_number(record.get("n")) and is_number(record.get("mean"))
    ]
    held.sort(key=lambda record: float(record["n"]))
    spans = [(_end(record, "low"), _end(record, "high")) for record in held]
    points = [(float(record["n"]), float(record["mean"])) for record in held]
    return curves.Line(look=look, points=points, spans=spans)


def _end(record: dict[str, Any], key: str) -> float:
    """Return an end of an interval, or the mean where it has none."""
    found = record.get(key)
    return float(found) if is_number(found) else float(record["mean"])


def _at(line: curves.Line, size: float) -> str:
    for (x, y), (low, high) in zip(line.points, line.spans, strict=True):
        if x == size:
            return f"{measured(y)} ({measured(low)} to {measured(high)})"
    return "–"


def shares(held: Any, ident: str) -> Iterator[Figure]:
    """Draw what share each source has where a share of the real rows lies; best is the diagonal."""
    record = mapping(held)
    across = next((name for name in ("alpha", "beta") if name in record), None)
    if across is None or not shapes.is_listing(record):
        return
    found = {
        name: [[x, y] for x, y in zip(record[across], ys, strict=True) if is_number(y)]
        for name, ys in record.items()
        if name != across
    }
    if not _all_points(found):
        return
    known, lines = _lined(found)
    words = ("share of the real rows, from their center", "share of the source's rows there")
    if across == "beta":
        words = ("size of the neighborhood", "share of the real rows that the source reaches")
    title = "Alpha-precision" if across == "alpha" else "Beta-recall"
    axes = curves.Axes(x=words[0], y=words[1], percent=True, diagonal=True)
    gaps = ", ".join(f"{line.look.name} {measured(_gap(line.points))}" for line in lines)
    drawing = curves.chart(
        lines,
        axes=axes,
        width=curves.SMALL,
        ident=ident,
        title=title,
        description=f"Mean distance from the diagonal: {gaps}.",
    )
    columns, rows = shapes.as_table(record)
    yield figure(
        title,
        legend=legend(list(known.values())),
        panels=[(words[1], drawing)],
        numbers=numbers(title, columns, rows),
    )


def falling(held: Any, ident: str) -> Iterator[Figure]:
    """Draw lines that fall in steps, such as survival."""
    record = mapping(held)
    found = mapping(record.get("lines"))
    if not found or not _all_points(found):
        return
    known, lines = _lined(found)
    lines = [curves.Line(look=line.look, points=line.points, step=True) for line in lines]
    last = max(x for line in lines for x, _ in line.points)
    lowest = min(y for line in lines for _, y in line.points)
    x, y = clean(record.get("x") or "time"), clean(record.get("y") or "share")
    axes = curves.Axes(x=x, y=y, x_range=(0.0, last), y_range=(0.0 if lowest < 0.5 else 0.5, 1.0))
    title = f"{y[:1].upper()}{y[1:]}, by {x}"
    both = {
        which: curves.chart(
            lines,
            axes=axes,
            width=width,
            ident=f"{ident}-{which}",
            title=title,
            description=f"{curves.ends_of(lines)}.",
        )
        for which, width in (("wide", curves.WIDE), ("narrow", curves.NARROW))
    }
    rows = [
        [f"{time:,.4g}", *(measured(_before(line.points, time)) for line in lines)]
        for time in curves.ticks(0.0, last, most=11)
    ]
    yield figure(
        title,
        legend=legend(list(known.values())),
        both=both,
        numbers=numbers(title, [x, *(line.look.name for line in lines)], rows),
    )


def _all_points(found: dict[str, Any]) -> bool:
    return bool(found) and all(shapes.is_points(line) for line in found.values())


def _area(points: Sequence[curves.Point]) -> float:
    held = sorted(points)
    return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in itertools.pairwise(held))


def _height(points: Sequence[curves.Point], at: float) -> float:
    """Return the height of a joined line at ``at``."""
    held = sorted(points)
    for before, after in itertools.pairwise(held):
        if before[0] <= at < after[0]:
            part = (at - before[0]) / (after[0] - before[0])
            return before[1] + part * (after[1] - before[1])
    return held[-1][1] if at >= held[-1][0] else held[0][1]


def _before(points: Sequence[curves.Point], at: float) -> float:
    """Return the height of a line of steps at ``at``; it begins at 1."""
    return ([1.0] + [y for x, y in sorted(points) if x <= at])[-1]


def _gap(points: Sequence[curves.Point]) -> float:
    return sum(abs(x - y) for x, y in points) / len(points)
