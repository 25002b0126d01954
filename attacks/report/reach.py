"""Charts of what an audit could see: areas, planted copies, and the bound beside its ceiling."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attacks.report.canvas import (
    ACCENT,
    BAD,
    BEFORE,
    FAINT,
    GOOD,
    HAIR,
    INK,
    MUTED,
    OPEN,
    TRACK,
    Canvas,
)
from attacks.report.lines import Span
from attacks.report.wording import clean, plural

if TYPE_CHECKING:
    from markupsafe import Markup

WIDE = 820
NARROW = 340


@dataclass(frozen=True, kw_only=True)
class Area:
    """An attack's area under the curve: over everybody, and over the most isolated tenth."""

    name: str
    area: Span
    isolated: Span | None
    failed: bool


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A lower bound of epsilon, and the largest that the method could have given."""

    name: str
    epsilon: float
    ceiling: float | None


def areas(found: Sequence[Area], *, width: int, ident: str) -> "Markup":
    """Draw the area under the curve of each membership attack, with its interval."""
    narrow = width <= NARROW
    step, top = (44 if narrow else 27), 6
    left = 10 if narrow else 252
    right = width - 24
    lowest = [one.low for area in found for one in (area.area, area.isolated) if one]
    least = min(0.4, 0.1 * int(10 * min(lowest, default=0.4)))
    bottom = top + step * len(found) + 4
    sheet = Canvas(width, bottom + 22)

    def x(value: float) -> float:
        return left + (min(1.0, max(least, value)) - least) / (1 - least) * (right - left)

    for tenth in range(round(10 * least), 11):
        place = tenth / 10
        half = tenth == 5
        sheet.line([(x(place), top), (x(place), bottom)], color=INK if half else HAIR)
        if tenth % 2 or not narrow:
            words = "0.5, guessing" if half else f"{place:.1f}"
            sheet.text(x(place), bottom + 16, words, size=11, color=MUTED, anchor="center")
    for index, area in enumerate(found):
        y: float = top + step * index
        color = BAD if area.failed else ACCENT
        sheet.text(0, y + 15, area.name, size=12, room=(width if narrow else left) - 8)
        y += 27 if narrow else 9
        if area.isolated:
            ends = [(x(area.isolated.low), y + 8), (x(area.isolated.high), y + 8)]
            sheet.line(ends, color=BEFORE, width=1.5)
            sheet.diamond(x(area.isolated.value), y + 8, color=BEFORE, radius=4)
        sheet.line([(x(area.area.low), y), (x(area.area.high), y)], color=color, width=2.5)
        sheet.dot(x(area.area.value), y, color=color)
    most = max(found, key=lambda area: area.area.value, default=None)
    best = f"; the largest is {most.area.value:.3f}, {clean(most.name)}" if most else ""
    return sheet.svg(
        ident=ident,
        title="Area under the curve of each membership attack, with 95 % intervals",
        description=f"{plural(len(found), 'attack')}; 0.5 is guessing, 1 is always right{best}.",
    )


def plants(found: Sequence[tuple[str, bool, bool]], *, ident: str) -> "Markup":
    """Draw which planted shares were found.

    Args:
        found: the share in words, whether it was found, whether it decides.
        ident: unique in the page.
    """
    width, gap = 330, 330 / max(len(found), 1)
    sheet = Canvas(width, 78)
    centers = [gap * (index + 0.5) for index in range(len(found))]
    sheet.line([(centers[0], 22), (centers[-1], 22)], color=FAINT, width=3)
    for center, (share, seen, decides) in zip(centers, found, strict=True):
        color = GOOD if seen else BAD if decides else OPEN
        sheet.dot(center, 22, color=color, radius=13)
        mark = "✓" if seen else "✕"
        sheet.text(center, 27, mark, size=14, color="#ffffff", anchor="center", bold=True)
        sheet.text(center, 54, share, size=12.5, anchor="center", bold=decides)
        words = "found" if seen else "not found"
        sheet.text(center, 71, words, size=11.5, color=color, anchor="center")
    said = "; ".join(
        f"{share} of the members: {'found' if seen else 'not found'}" for share, seen, _ in found
    )
    return sheet.svg(ident=ident, title="Planted copies", description=f"{said}.")


def bounds(found: Sequence[Bound], *, claimed: float | None, width: int, ident: str) -> "Markup":
    """Draw each lower bound of epsilon below its ceiling, and the claim where there is one."""
    narrow = width <= NARROW
    step, top = 46, 20
    left, right = 2, width - 24
    bottom = top + step * len(found)
    sheet = Canvas(width, bottom + 22)
    shown = [claimed or 0.0, *(bound.epsilon for bound in found)]
    shown += [bound.ceiling for bound in found if bound.ceiling is not None]
    most = max([1.0, *shown]) * 1.06

    def x(value: float) -> float:
        return left + max(0.0, value) / most * (right - left)

    for place in range(0, int(most) + 1, max(1, int(most) // (5 if narrow else 10) or 1)):
        sheet.line([(x(place), top), (x(place), bottom)], color=HAIR)
        sheet.text(x(place), bottom + 16, f"{place}", size=11, color=MUTED, anchor="center")
    for index, bound in enumerate(found):
        y = top + step * index + 4
        over = claimed is not None and bound.epsilon > claimed
        sheet.text(left, y + 12, bound.name, size=12, room=width - 8)
        end = bound.epsilon if bound.ceiling is None else bound.ceiling
        sheet.rect(left, y + 19, x(end) - left, 12, fill=TRACK)
        filled = max(x(bound.epsilon) - left, 1.5)
        sheet.rect(left, y + 19, filled, 12, fill=BAD if over else ACCENT)
        if bound.ceiling is not None:
            edge = x(bound.ceiling)
            sheet.line([(edge, y + 17), (edge, y + 33)], color=MUTED, width=1.5, dashed=True)
    if claimed is not None:
        sheet.line([(x(claimed), top - 6), (x(claimed), bottom)], color=INK, width=2)
        anchor = "right" if x(claimed) > width / 2 else "left"
        sheet.text(x(claimed), 10, "claimed", size=11.5, anchor=anchor)
    said = "; ".join(
        f"{clean(bound.name)}: epsilon at least {bound.epsilon:.2f}"
        + ("" if bound.ceiling is None else f", could have shown at most {bound.ceiling:.2f}")
        for bound in found
    )
    tail = "" if claimed is None else f" The claim is epsilon {claimed:.4g}."
    return sheet.svg(
        ident=ident,
        title="Lower bounds of epsilon, their ceilings and the claim",
        description=f"{said}.{tail}",
    )
