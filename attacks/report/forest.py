"""The forest plot: each line's success on members, on controls, and what is left over.

Both scales are stretched towards 0 (a square root), so that a rate of one in a thousand can be
seen beside one of one half; they are the same in every plot, so that plots can be compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import copysign, sqrt
from typing import TYPE_CHECKING

from attacks.report.canvas import ACCENT, BAD, HAIR, INK, MUTED, OPEN, TRACK, WARM, Canvas, letters
from attacks.report.lines import Line, Span, points
from attacks.report.wording import clean, plural, share, shorten

if TYPE_CHECKING:
    from markupsafe import Markup

WIDE = 820
NARROW = 340
STEP, HEAD = 25, 27  # heights of a line and of the name of an attack
_RATES = ((0.0, "0"), (0.01, "1"), (0.1, "10"), (0.25, "25"), (0.5, "50"), (1.0, "100 %"))
_LEAST = -0.25
_GAPS = ((-0.1, "−10"), (0.0, "0"), (0.1, "+10"), (0.5, "+50"), (1.0, "+100"))
_FEW_GAPS = ((0.0, "0"), (0.1, "+10"), (1.0, "+100"))
_TONES = {"bad": BAD, "open": OPEN}


@dataclass(frozen=True, kw_only=True)
class Panels:
    """Where the two scales lie on a sheet, in pixels.

    Args:
        labels: width of the labels beside them; 0 where they stand above.
        rates: ends of the scale of rates, 0 to 100 %.
        gaps: ends of the scale of differences, -25 to +100 points.
    """

    labels: float
    rates: tuple[float, float]
    gaps: tuple[float, float]

    def rate(self, value: float) -> float:
        """Return where a rate lies; square roots, so that rare events can be seen."""
        left, right = self.rates
        return left + sqrt(min(1.0, max(0.0, value))) * (right - left)

    def gap(self, value: float) -> float:
        """Return where a difference lies; what is beyond the scale lies on its end."""
        left, right = self.gaps
        least = sqrt(-_LEAST)
        held = min(1.0, max(_LEAST, value))
        place = copysign(sqrt(abs(held)), held)
        return left + (place + least) / (1 + least) * (right - left)


def forest(
    lines: Sequence[Line], *, width: int, ident: str, title: str, by_group: bool = False
) -> "Markup":
    """Draw the lines, put together by attack, in their order.

    Args:
        lines: at least one.
        width: in pixels; ``NARROW`` puts the names above the scales.
        ident: unique in the page.
        title: what the lines have in common.
        by_group: each line is the telling one of a subgroup, and names its attack below the group.
    """
    narrow = width <= NARROW
    panels = (
        Panels(labels=0, rates=(8, 188), gaps=(214, 334))
        if narrow
        else Panels(labels=244, rates=(252, 540), gaps=(580, 812))
    )
    step = STEP + (18 if narrow else 0) + (13 if by_group else 0)
    head = 0 if by_group else HEAD
    grouped = [("", list(lines))] if by_group else by_attack(lines)
    top = 22
    bottom = top + sum(head + step * len(of) for _, of in grouped) + 6
    sheet = Canvas(width, bottom + 24)
    _scales(sheet, panels, top=top, bottom=bottom, narrow=narrow)
    y: float = top
    for attack, of in grouped:
        if attack:
            sheet.text(0, y + 18, attack, size=12.5, bold=True, room=width - 4)
        y += head
        for line in of:
            place = y
            if by_group:
                room = (width if narrow else panels.labels) - 20
                sheet.text(18, y + 27, line.short, size=10.5, color=MUTED, room=room)
                place += 14 if narrow else 5
            _line(sheet, panels, line, y=place, label=y, narrow=narrow, by_group=by_group)
            y += step
    return sheet.svg(ident=ident, title=title, description=said(lines))


def by_attack(lines: Sequence[Line]) -> list[tuple[str, list[Line]]]:
    """Put lines of one attack together, in the order in which the attacks first come."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line.attack, []).append(line)
    return list(found.items())


def _scales(sheet: Canvas, panels: Panels, *, top: float, bottom: float, narrow: bool) -> None:
    for place, words in _RATES:
        x = panels.rate(place)
        sheet.line([(x, top), (x, bottom)], color=HAIR)
        if not (narrow and words in ("1", "25")):
            anchor = "right" if place == 1 else "center"
            sheet.text(x, bottom + 15, words, size=11, color=MUTED, anchor=anchor)
    sheet.text(panels.rates[0], 12, "right on", size=11, color=MUTED)
    for place, words in _FEW_GAPS if narrow else _GAPS:
        x = panels.gap(place)
        zero = place == 0
        sheet.line([(x, top), (x, bottom)], color=INK if zero else HAIR, width=1)
        anchor = "right" if place == 1 else "center"
        sheet.text(x, bottom + 15, words, size=11, color=MUTED, anchor=anchor)
    words = "difference" if narrow else "members less controls, in points"
    sheet.text(panels.gaps[0], 12, words, size=11, color=MUTED)


def _line(
    sheet: Canvas,
    panels: Panels,
    line: Line,
    *,
    y: float,
    label: float,
    narrow: bool,
    by_group: bool,
) -> None:
    color = _TONES.get(line.status["tone"], MUTED)
    name = line.subgroup if by_group else line.label
    worth_saying = line.status["tone"] != "good"
    room = (sheet.width if narrow else panels.labels) - 20
    tail = f": {line.status['word']}" if worth_saying else ""
    words = shorten(clean(name), max(1, letters(room, size=12) - len(tail))) + tail
    sheet.text(2, label + 13, line.status["mark"], size=11, color=color, bold=True)
    sheet.text(18, label + 13, words, size=12, color=color if worth_saying else INK)
    middle = y + (28 if narrow else 9)
    if line.members is None and line.controls is None:
        return
    sheet.rect(panels.rates[0], middle - 8, panels.rates[1] - panels.rates[0], 16, fill=TRACK)
    for place, _ in _RATES:
        sheet.line([(panels.rate(place), middle - 8), (panels.rate(place), middle + 8)], color=HAIR)
    if line.baseline is not None:
        x = panels.rate(line.baseline)
        sheet.line([(x, middle - 9), (x, middle + 9)], color=INK, width=1.5, dashed=True)
    if line.members is not None:
        _reach(sheet, panels, line.members, y=middle - 4, color=WARM)
        sheet.dot(panels.rate(line.members.value), middle - 4, color=WARM, radius=3.7)
    if line.controls is not None:
        _reach(sheet, panels, line.controls, y=middle + 4, color=ACCENT)
        sheet.diamond(panels.rate(line.controls.value), middle + 4, color=ACCENT)
    _difference(sheet, panels, line, y=middle)


def _reach(sheet: Canvas, panels: Panels, found: Span, *, y: float, color: str) -> None:
    sheet.line([(panels.rate(found.low), y), (panels.rate(found.high), y)], color=color, width=2.5)


def _difference(sheet: Canvas, panels: Panels, line: Line, *, y: float) -> None:
    if line.detectable is not None:
        x = panels.gap(line.detectable)
        sheet.line([(x + 3, y - 7), (x, y - 7), (x, y + 7), (x + 3, y + 7)], color=MUTED)
    if line.difference is None:
        return
    color = BAD if line.status["tone"] == "bad" else INK
    ends = [(panels.gap(line.difference.low), y), (panels.gap(line.difference.high), y)]
    sheet.line(ends, color=color, width=2)
    sheet.dot(panels.gap(line.difference.value), y, color=color, radius=4.5)


def said(lines: Sequence[Line]) -> str:
    """Say what a reader takes from a forest plot of ``lines``, in a sentence or two."""
    measured = [line for line in lines if line.difference is not None]
    failed = sum(line.status["word"] == "failed" for line in lines)
    head = f"{plural(len(lines), 'line')}, {failed or 'none'} failed."
    if not measured:
        return f"{head} No attack gave a rate."
    most = max(measured, key=lambda line: line.apart)
    where = f", {clean(most.subgroup)}" if most.subgroup else ""
    rates = ", ".join(
        f"{whom} {share(found.value)}"
        for whom, found in (("members", most.members), ("controls", most.controls))
        if found
    )
    apart = points(most.apart)
    return f"{head} The largest difference is {apart}: {most.title}{where}, {rates}."
