"""The charts of both reports; each is a pure function of public or internal numbers.

Charts that would be unreadable when shrunk are drawn at two widths, and the page shows one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attacks.report import odds
from attacks.report.canvas import (
    ACCENT,
    BEFORE,
    FAINT,
    HAIR,
    INK,
    MUTED,
    PALE,
    SOFT,
    TRACK,
    WARM,
    Canvas,
)
from attacks.report.wording import clean, percent, share

if TYPE_CHECKING:
    from markupsafe import Markup

WIDE = 680
NARROW = 340


@dataclass(frozen=True, kw_only=True)
class Part:
    """A labeled part of a whole.

    Args:
        label: what the part is, as it will be read.
        value: its share, in [0, 1].
        note: the same in the reader's words.
    """

    label: str
    value: float
    note: str = ""


def _said(parts: Sequence[Part]) -> str:
    return "; ".join(f"{clean(part.label)}: {part.note or share(part.value)}" for part in parts)


def gauge(before: Part, release: Part, left: Part, *, width: int, ident: str) -> "Markup":
    """Draw how much of the table's cap is gone, what this release took, and what is left."""
    sheet = Canvas(width, 74)
    top, high = 8, 26
    sheet.rect(0, top, width, high, fill=TRACK, line=FAINT)
    edge = width * min(1.0, max(0.0, before.value))
    mine = width * min(1.0, max(0.0, release.value))
    sheet.rect(0, top, edge, high, fill=BEFORE)
    # A release that is too small to see is still shown.
    sheet.rect(edge, top, min(max(mine, 2.0), width - edge), high, fill=ACCENT)
    for place in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = min(max(place * width, 0.5), width - 0.5)
        sheet.line([(x, top + high), (x, top + high + 5)], color=MUTED)
        anchor = "left" if place == 0 else "right" if place == 1 else "center"
        words = "0" if place == 0 else "the cap" if place == 1 else f"{place:.0%}"
        sheet.text(x, top + high + 19, words, size=11.5, color=MUTED, anchor=anchor)
    return sheet.svg(
        ident=ident,
        title="Privacy budget of this table",
        description=_said([before, release, left]),
    )


def bill(parts: Sequence[Part], *, width: int, ident: str) -> "Markup":
    """Draw what each phase of the plan takes of this release's budget, one bar a phase."""
    step = 30
    sheet = Canvas(width, step * max(len(parts), 1) + 6)
    names = 150 if width > NARROW else 104
    room = width - names - 66
    largest = max([part.value for part in parts], default=1.0) or 1.0
    for index, part in enumerate(parts):
        y = step * index + 4
        sheet.text(0, y + 15, part.label, size=12.5, room=names - 8)
        sheet.rect(names, y, room, 20, fill=TRACK)
        sheet.rect(names, y, max(room * part.value / largest, 1), 20, fill=ACCENT)
        sheet.text(width, y + 15, share(part.value), size=12.5, anchor="right", color=MUTED)
    return sheet.svg(
        ident=ident, title="Where this release's budget goes", description=_said(parts)
    )


def attacker(*, epsilon: float, delta: float, width: int, ident: str) -> "Markup":
    """Draw the most that any attacker can reach: members found against false alarms."""
    height = 300
    sheet = Canvas(width, height)
    left, top, right, bottom = 46, 12, width - 18, height - 44

    def at(false_alarms: float, found: float) -> tuple[float, float]:
        return left + false_alarms * (right - left), bottom - found * (bottom - top)

    for mark in (0.0, 0.25, 0.5, 0.75, 1.0):
        sheet.line([at(0, mark), at(1, mark)], color=HAIR)
        x, y = at(0, mark)
        sheet.text(x - 8, y + 4, f"{mark:.0%}", size=11.5, color=MUTED, anchor="right")
        x, y = at(mark, 0)
        sheet.text(x, y + 17, f"{mark:.0%}", size=11.5, color=MUTED, anchor="center")
    turn = odds.corner(epsilon=epsilon, delta=delta)
    stops = sorted({0.0, turn, 1.0})
    curve = [
        (stop, odds.true_positive_rate(epsilon=epsilon, delta=delta, false_alarms=stop))
        for stop in stops
    ]
    if curve[-1][1] < 1.0:
        curve.append((1.0, 1.0))
    edge = [at(*point) for point in curve]
    sheet.polygon([at(0, 0), *edge], fill=SOFT)
    sheet.line([at(0, 0), at(1, 1)], color=MUTED, dashed=True)
    sheet.line(edge, color=ACCENT, width=2)
    shown = odds.true_positive_rate(epsilon=epsilon, delta=delta, false_alarms=0.01)
    sheet.dot(*at(0.01, shown), color=WARM, radius=5)
    middle = (left + right) / 2
    sheet.text(middle, height - 8, "false alarms", size=12, color=MUTED, anchor="center")
    return sheet.svg(
        ident=ident,
        title="Members found against false alarms: the upper limit",
        description=(
            f"At 1 % false alarms an attacker finds at most {percent(shown)} of the members. "
            "The shaded area is all that the claim leaves possible; the dashed line is guessing."
        ),
    )


def histogram(
    labels: Sequence[str],
    values: Sequence[float],
    *,
    ident: str,
    title: str,
    missing_last: bool = False,
) -> "Markup":
    """Draw an ordered column: one bar a bin, the ends labeled, the missing level set apart."""
    width, height, floor = 240, 110, 84
    sheet = Canvas(width, height)
    largest = max(values, default=0.0) or 1.0
    inside = len(values) - missing_last
    room = width - 62 if missing_last else width
    step = room / max(inside, 1)
    gap = 1.0 if step > 3 else 0.0
    tall = [74 * value / largest for value in values]
    sheet.bars(
        [
            (index * step, floor - high, max(step - gap, 0.5), high)
            for index, high in enumerate(tall[:inside])
            if high > 0
        ]
    )
    sheet.line([(0, floor), (room, floor)], color=FAINT)
    if missing_last:
        sheet.bars([(width - 28, floor - tall[-1], 16, tall[-1])], fill=BEFORE)
        sheet.line([(width - 46, floor), (width, floor)], color=FAINT)
        sheet.text(width, floor + 16, "missing", size=11, color=MUTED, anchor="right")
    if inside:
        half = room / 2 - 8
        sheet.text(0, floor + 16, labels[0], size=11, color=MUTED, room=half)
        sheet.text(
            room, floor + 16, labels[inside - 1], size=11, color=MUTED, anchor="right", room=half
        )
    return sheet.svg(ident=ident, title=title, description=_peak(labels, values))


def bars(labels: Sequence[str], values: Sequence[float], *, ident: str, title: str) -> "Markup":
    """Draw an unordered column: a labeled bar a value."""
    step, width, names = 17, 240, 108
    sheet = Canvas(width, step * max(len(values), 1) + 4)
    room = width - names - 44
    largest = max(values, default=0.0) or 1.0
    sheet.bars(
        [
            (names, step * index + 3, max(room * value / largest, 0.5), 11)
            for index, value in enumerate(values)
        ]
    )
    for index, (label, value) in enumerate(zip(labels, values, strict=True)):
        y = step * index + 12.5
        sheet.text(names - 6, y, label, size=11, anchor="right", room=names - 8)
        end = names + room * value / largest + 5
        sheet.text(end, y, share(value), size=10.5, color=MUTED)
    return sheet.svg(ident=ident, title=title, description=_peak(labels, values))


def _peak(labels: Sequence[str], values: Sequence[float]) -> str:
    if not values:
        return "No values."
    top = max(range(len(values)), key=lambda index: values[index])
    return (
        f"{len(values)} values; the most frequent is {clean(labels[top])} at {share(values[top])}."
    )


def paired(
    labels: Sequence[str],
    real: Sequence[float],
    synthetic: Sequence[float],
    *,
    holdout: Sequence[float] | None = None,
    ident: str,
    title: str,
) -> "Markup":
    """Draw one ordered column: synthetic as bars, real as ticks, a holdout as dots (internal)."""
    width, height, floor = 240, 110, 84
    sheet = Canvas(width, height)
    largest = max([*real, *synthetic, *(holdout or ())], default=0.0) or 1.0
    step = width / max(len(real), 1)
    tall = [74 * value / largest for value in synthetic]
    sheet.bars(
        [
            (index * step, floor - high, max(step - (1.0 if step > 3 else 0.0), 0.5), high)
            for index, high in enumerate(tall)
        ],
        fill=PALE,
    )
    sheet.bars(
        [
            (index * step, floor - 74 * value / largest - 1, max(step - 0.5, 1.0), 2)
            for index, value in enumerate(real)
        ],
        fill=INK,
    )
    side = min(2.6, max(step * 0.6, 1.6))
    sheet.bars(
        [
            (step * (index + 0.5) - side / 2, floor - 74 * value / largest - side / 2, side, side)
            for index, value in enumerate(holdout or ())
        ],
        fill=WARM,
    )
    sheet.line([(0, floor), (width, floor)], color=FAINT)
    if labels:
        half = width / 2 - 8
        sheet.text(0, floor + 16, labels[0], size=11, color=MUTED, room=half)
        sheet.text(width, floor + 16, labels[-1], size=11, color=MUTED, anchor="right", room=half)
    return sheet.svg(ident=ident, title=title, description=_apart(real, synthetic))


def paired_bars(
    labels: Sequence[str],
    real: Sequence[float],
    synthetic: Sequence[float],
    *,
    holdout: Sequence[float] | None = None,
    ident: str,
    title: str,
) -> "Markup":
    """Draw the first values of an unordered column: as ``paired`` does (internal)."""
    shown = min(len(labels), 9)
    step, width, names = 17, 240, 108
    sheet = Canvas(width, step * shown + 4)
    room = width - names - 6
    largest = max([*real, *synthetic, *(holdout or ())], default=0.0) or 1.0
    for index in range(shown):
        sheet.text(
            names - 6, step * index + 12.5, labels[index], size=11, anchor="right", room=names - 8
        )
    sheet.bars(
        [(names, step * i + 3, max(room * synthetic[i] / largest, 0.5), 11) for i in range(shown)],
        fill=PALE,
    )
    sheet.bars(
        [(names + room * real[i] / largest - 1, step * i + 1, 2, 15) for i in range(shown)],
        fill=INK,
    )
    if holdout is not None:
        places = [(names + room * holdout[i] / largest, step * i + 8.5) for i in range(shown)]
        sheet.bars([(x - 1.3, y - 1.3, 2.6, 2.6) for x, y in places], fill=WARM)
    return sheet.svg(ident=ident, title=title, description=_apart(real, synthetic))


def _apart(real: Sequence[float], synthetic: Sequence[float]) -> str:
    apart = sum(abs(a - b) for a, b in zip(real, synthetic, strict=True)) / 2
    return f"{len(real)} values; real and synthetic differ by {share(apart)} of the rows."


def between(value: float, floor: float, ceiling: float, *, ident: str, title: str) -> "Markup":
    """Draw where a measure lies between the independent baseline and a fresh real sample."""
    width = 240
    sheet = Canvas(width, 26)
    span = ceiling - floor
    place = 0.5 if span == 0 else min(1.0, max(0.0, (value - floor) / span))
    sheet.line([(6, 13), (width - 6, 13)], color=FAINT, width=3)
    sheet.line([(6, 5), (6, 21)], color=MUTED, width=1.5)
    sheet.line([(width - 6, 5), (width - 6, 21)], color=MUTED, width=1.5)
    sheet.dot(6 + place * (width - 12), 13, radius=6)
    return sheet.svg(
        ident=ident,
        title=title,
        description=f"{place:.0%} of the way from the floor to the ceiling.",
    )
