"""The forest of coefficients: what an analysis finds in real rows, and in synthetic ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attacks.report.canvas import ACCENT, BEFORE, HAIR, INK, MUTED, Canvas
from attacks.report.utility.curves import ticks
from attacks.report.wording import clean, measured, plural

if TYPE_CHECKING:
    from markupsafe import Markup

WIDE = 820
NARROW = 340


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A coefficient with its 95 % interval; the ends are None where it has none."""

    value: float
    low: float | None
    high: float | None

    @property
    def said(self) -> str:
        """The number and its interval."""
        if self.low is None or self.high is None:
            return measured(self.value)
        return f"{measured(self.value)} ({measured(self.low)} to {measured(self.high)})"


@dataclass(frozen=True, kw_only=True)
class Coefficient:
    """One coefficient in each table; None where a table cannot give it.

    Args:
        name: of the coefficient.
        real: in the rows that the release was learnt from.
        synthetic: in the synthetic table.
        holdout: in other real rows.
    """

    name: str
    real: Estimate | None
    synthetic: Estimate | None
    holdout: Estimate | None

    @property
    def known(self) -> list[Estimate]:
        """The estimates that there are."""
        return [one for one in (self.real, self.synthetic, self.holdout) if one is not None]


def forest(found: Sequence[Coefficient], *, width: int, ident: str, title: str) -> "Markup":
    """Draw each coefficient with its intervals, one line a table, on one scale."""
    narrow = width <= NARROW
    others = any(one.holdout is not None for one in found)
    rows = 3 if others else 2
    head = 17 if narrow else 0
    step = head + 8 * rows + 12
    left = 6.0 if narrow else 262.0
    right, top = width - 10.0, 8.0
    bottom = top + step * len(found)
    sheet = Canvas(width, bottom + 24)
    low, high = reach(found)

    def x(value: float) -> float:
        return left + min(1.0, max(0.0, (value - low) / (high - low))) * (right - left)

    for tick in ticks(low, high):
        sheet.line([(x(tick), top), (x(tick), bottom)], color=INK if tick == 0 else HAIR)
        words = f"{tick:g}".replace("-", "\N{MINUS SIGN}")
        sheet.text(x(tick), bottom + 16, words, size=11, color=MUTED, anchor="center")
    for index, one in enumerate(found):
        y = top + step * index + 6
        room = (width if narrow else left) - 10
        sheet.text(0, y + (10 if narrow else 4 * rows + 2), one.name, size=12, room=room)
        y += head + 4
        drawn = ((one.real, INK), (one.synthetic, ACCENT), (one.holdout, BEFORE))
        for place, (held, color) in enumerate(drawn[:rows]):
            at = y + 8 * place
            if held is None:
                continue
            if held.low is not None and held.high is not None:
                sheet.line([(x(held.low), at), (x(held.high), at)], color=color, width=2)
            mark = sheet.diamond if color == ACCENT else sheet.dot
            mark(x(held.value), at, color=color, radius=4.2)
    return sheet.svg(ident=ident, title=title, description=said(found))


def reach(found: Sequence[Coefficient]) -> tuple[float, float]:
    """Return the ends of the scale: all estimates and 0, and intervals up to three times that."""
    values = [0.0, *(held.value for one in found for held in one.known)]
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    ends = [
        end
        for one in found
        for held in one.known
        for end in (held.low, held.high)
        if end is not None
    ]
    low = max(min([low, *ends]), low - span)
    high = min(max([high, *ends]), high + span)
    rim = 0.04 * ((high - low) or 1.0)
    return low - rim, high + rim


def said(found: Sequence[Coefficient]) -> str:
    """Say where real and synthetic lie farthest apart."""
    apart = [
        (abs(one.real.value - one.synthetic.value), one)
        for one in found
        if one.real and one.synthetic
    ]
    if not apart:
        return f"{plural(len(found), 'coefficient')}; none is known in both tables."
    distance, one = max(apart, key=lambda held: held[0])
    return (
        f"{plural(len(found), 'coefficient')}; farthest apart: {clean(one.name)}, by "
        f"{measured(distance)}."
    )
