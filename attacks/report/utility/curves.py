"""Line charts: ROC and calibration curves, survival curves, and learning curves."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import TYPE_CHECKING

from attacks.report.canvas import HAIR, MUTED, Canvas
from attacks.report.utility.series import Look
from attacks.report.wording import clean, measured

if TYPE_CHECKING:
    from markupsafe import Markup

Point = tuple[float, float]
SMALL, WIDE, NARROW = 262, 680, 340
MOST = 160  # points of a line that are drawn


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a chart.

    Args:
        look: its name, color and dash.
        points: in order of x.
        spans: low and high at each point, or none.
        step: the line keeps its height until the next point.
    """

    look: Look
    points: Sequence[Point]
    spans: Sequence[Point] = ()
    step: bool = False

    @property
    def path(self) -> list[Point]:
        """The points to join: at most 160 of them, and the corners of steps."""
        kept = thinned(self.points)
        if not self.step:
            return kept
        path = kept[:1]
        for before, after in itertools.pairwise(kept):
            path += [(after[0], before[1]), after]
        return path


@dataclass(frozen=True, kw_only=True)
class Axes:
    """What the two directions mean.

    Args:
        x: words for the first direction.
        y: words for the second.
        x_range: its ends.
        y_range: likewise.
        x_log: distances are ratios.
        percent: ticks are shares of 1.
        diagonal: a dashed line from corner to corner is what chance would give.
    """

    x: str
    y: str
    x_range: Point = (0.0, 1.0)
    y_range: Point = (0.0, 1.0)
    x_log: bool = False
    percent: bool = False
    diagonal: bool = False


def thinned(points: Sequence[Point], most: int = MOST) -> list[Point]:
    """Return at most ``most`` of the points, evenly spread in x, both ends among them."""
    held = sorted(points, key=lambda point: point[0])
    if len(held) <= most:
        return held
    least, span = held[0][0], (held[-1][0] - held[0][0]) or 1.0
    kept: dict[int, Point] = {}
    for point in held:
        kept[int((point[0] - least) / span * (most - 2))] = point
    return [held[0], *kept.values(), held[-1]]


def chart(
    lines: Sequence[Line], *, axes: Axes, width: int, ident: str, title: str, description: str
) -> "Markup":
    """Draw lines over the same axes."""
    height = width + 26 if width < NARROW else 300
    sheet = Canvas(width, height)
    left, top, right, bottom = 46.0, 10.0, width - 14.0, height - 42.0
    low, high = axes.x_range
    lowest, highest = axes.y_range
    if axes.x_log:
        low, high = log10(low), log10(high)

    def at(point: Point) -> Point:
        across = (log10(point[0]) if axes.x_log else point[0]) - low
        across = min(1.0, max(0.0, across / ((high - low) or 1.0)))
        up = min(1.0, max(0.0, (point[1] - lowest) / ((highest - lowest) or 1.0)))
        return left + across * (right - left), bottom - up * (bottom - top)

    for value in ticks(lowest, highest):
        x, y = at((axes.x_range[0], value))
        sheet.line([(left, y), (right, y)], color=HAIR)
        words = f"{100 * value:.0f} %" if axes.percent else _tick(value, highest - lowest)
        sheet.text(x - 7, y + 4, words, size=10.5, color=MUTED, anchor="right")
    marks = _powers(axes.x_range) if axes.x_log else ticks(*axes.x_range)
    for place, value in enumerate(marks):
        x, _ = at((value, lowest))
        sheet.line([(x, top), (x, bottom)], color=HAIR)
        words = f"{100 * value:.0f} %" if axes.percent else _tick(value, axes.x_range[1])
        last = place == len(marks) - 1 and x > right - 16
        sheet.text(
            x + (10 if last else 0),
            bottom + 16,
            words,
            size=10.5,
            color=MUTED,
            anchor="right" if last else "center",
        )
    if axes.diagonal:
        ends = [at((axes.x_range[0], lowest)), at((axes.x_range[1], highest))]
        sheet.line(ends, color=MUTED, dashed=True)
    for place, line in enumerate(lines):
        aside = 4 * (place - (len(lines) - 1) / 2) if line.spans else 0.0
        path = [at(point) for point in line.path]
        if len(path) > 1:
            sheet.line(path, color=line.look.color, width=2, dashed=line.look.dashed)
        _spans(sheet, line, at, aside=aside)
        if len(line.points) <= 12:
            for x, y in (at(point) for point in line.points):
                sheet.dot(x + aside, y, color=line.look.color, radius=3.2)
    sheet.text((left + right) / 2, height - 8, axes.x, size=11.5, color=MUTED, anchor="center")
    return sheet.svg(ident=ident, title=title, description=f"{description} Upwards: {axes.y}.")


def _spans(sheet: Canvas, line: Line, at: Callable[[Point], Point], *, aside: float) -> None:
    """Draw the intervals, a little aside of one another, so that none hides another."""
    for (x, _), (low, high) in zip(line.points, line.spans, strict=False):
        ends = [(across + aside, up) for across, up in (at((x, low)), at((x, high)))]
        sheet.line(ends, color=line.look.color, width=1.5)


def ends_of(lines: Sequence[Line]) -> str:
    """Say where each line ends."""
    return "; ".join(
        f"{clean(line.look.name)} ends at {measured(line.points[-1][1])}"
        for line in lines
        if line.points
    )


def ticks(low: float, high: float, *, most: int = 6) -> list[float]:
    """Return round numbers from ``low`` to ``high``, at most about six."""
    span = high - low
    if span <= 0:
        return [low]
    raw = span / (most - 1)
    power = 10.0 ** floor(log10(raw))
    step = next(unit * power for unit in (1, 2, 2.5, 5, 10) if unit * power >= raw * 0.999)
    first = -(-low // step)
    count = int(high / step - first + 1e-9) + 1
    return [round((first + place) * step, 12) for place in range(count)]


def _powers(ends: Point) -> list[float]:
    """Return 1, 3, 10, 30, ... within the ends."""
    low, high = ends
    found = [
        unit * 10.0**power
        for power in range(floor(log10(low)), floor(log10(high)) + 1)
        for unit in (1, 3)
    ]
    return [value for value in found if low * 0.999 <= value <= high * 1.001] or [low, high]


def _tick(value: float, span: float) -> str:
    if span >= 10:
        return f"{value:,.0f}"
    digits = 1 if span >= 1 else 2 if span >= 0.1 else 3
    return f"{value:.{digits}f}"
