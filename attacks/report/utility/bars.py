"""The chart of every utility score: a bar for the floor, the table itself and the ceiling."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attacks.report.canvas import ACCENT, BEFORE, FAINT, INK, MUTED, PALE, Canvas, letters
from attacks.report.wording import clean, measured, plural, shorten

if TYPE_CHECKING:
    from markupsafe import Markup

WIDE = 820
NARROW = 340
_BAR, _STEP = 9, 12  # heights of a bar, and of a bar with the space below it
_WORDS = 58  # width of "this table" beside its bar


@dataclass(frozen=True, kw_only=True)
class Bars:
    """One score with what it stands between.

    Args:
        name: what is measured.
        value: of the synthetic table.
        low: lower end of its interval; None where it has none.
        high: upper end.
        floor: of independent columns; None where there is no such number.
        ceiling: of other real rows.
        better: "lower" or "higher".
    """

    name: str
    value: float
    low: float | None
    high: float | None
    floor: float | None
    ceiling: float | None
    better: str

    @property
    def numbers(self) -> list[float]:
        """Every number that must fit on the scale."""
        held = (self.value, self.low, self.high, self.floor, self.ceiling)
        return [number for number in held if number is not None]

    @property
    def said(self) -> str:
        """The score in words."""
        interval = ""
        if self.low is not None and self.high is not None:
            interval = f" ({measured(self.low)} to {measured(self.high)})"
        ends = f"floor {measured(self.floor)}, ceiling {measured(self.ceiling)}"
        return f"{clean(self.name)}: {measured(self.value)}{interval}, {ends}"


def three_bars(found: Sequence[Bars], *, width: int, ident: str, title: str) -> "Markup":
    """Draw the scores below one another, each on a scale of its own.

    Args:
        found: at least one.
        width: in pixels; ``NARROW`` puts the names above the bars.
        ident: unique in the page.
        title: what the scores have in common.
    """
    narrow = width <= NARROW
    head = 46 if narrow else 0
    block = head + 3 * _STEP + 19
    sheet = Canvas(width, block * len(found) + 4)
    left = _WORDS + 6 if narrow else 312 + _WORDS
    right = width - 62
    for index, one in enumerate(found):
        top = block * index + 6
        low, high = min([0.0, *one.numbers]), max([0.0, *one.numbers])
        scale = (right - left) / ((high - low) or 1.0)

        def x(value: float, low: float = low, scale: float = scale) -> float:
            return left + (value - low) * scale

        size = 12.5
        room = letters(width if narrow else 296, size=size)
        wrapped = textwrap.wrap(clean(one.name), room)
        named = wrapped[:1]
        if wrapped[1:]:
            named.append(shorten(" ".join(wrapped[1:]), room))
        for place, line in enumerate(named):
            sheet.text(0, top + 12 + 15 * place, line, size=size)
        under = top + 12 + 15 * len(named) - 1
        sheet.text(0, under, f"{one.better} is better", size=11, color=MUTED)
        lines = (
            ("floor", one.floor, BEFORE),
            ("this table", one.value, ACCENT),
            ("ceiling", one.ceiling, PALE),
        )
        for place, (words, value, color) in enumerate(lines):
            y = top + head + _STEP * place
            strong = words == "this table"
            ink = INK if strong else MUTED
            sheet.text(left - 6, y + _BAR - 0.5, words, size=10.5, color=ink, anchor="right")
            sheet.line([(x(0), y), (x(0), y + _BAR)], color=FAINT)
            end = max(
                [held for held in (value, one.high if strong else None) if held is not None],
                default=0.0,
            )
            sheet.text(
                x(max(end, 0.0)) + 6,
                y + _BAR - 0.5,
                measured(value),
                size=10.5,
                color=ink,
                bold=strong,
            )
            if value is None:
                continue
            start, stop = sorted((x(0), x(value)))
            sheet.rect(start, y, max(stop - start, 1.0), _BAR, fill=color)
            if strong and one.low is not None and one.high is not None:
                middle = y + _BAR / 2
                sheet.line([(x(one.low), middle), (x(one.high), middle)], color=INK, width=1.5)
                for at in (one.low, one.high):
                    sheet.line([(x(at), middle - 3), (x(at), middle + 3)], color=INK, width=1.5)
    said = "; ".join(one.said for one in found[:12])
    more = f"; and {plural(len(found) - 12, 'more score')}" if len(found) > 12 else ""
    return sheet.svg(ident=ident, title=title, description=f"{said}{more}.")
