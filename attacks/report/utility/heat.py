"""Heat maps: a number for each pair of columns, as a square of colored cells."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attacks.report.canvas import HAIR, HEAT, LESS, MORE, MUTED, TRACK, Canvas, letters
from attacks.report.wording import clean, measured, shorten

if TYPE_CHECKING:
    from markupsafe import Markup

SIZE = 262
NAMED = 16  # with more columns the axis shows their numbers
_NUMBERS = 22  # pixels of the axis of numbers
_NAMES = 84

Matrix = Sequence[Sequence[float | None]]
Pair = tuple[int, int, float]


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Where one color ends and the next begins.

    Args:
        cuts: rising; a cell's color is the number of cuts at or below its value.
        signed: values below 0 have colors of their own, by their distance from 0.
    """

    cuts: tuple[float, ...]
    signed: bool

    def color(self, value: float) -> str:
        """Return the color of a value."""
        place = bisect_right(self.cuts, abs(value))
        if not self.signed:
            return HEAT[min(place, len(HEAT) - 1)]
        return TRACK if place == 0 else (MORE if value > 0 else LESS)[min(place, len(MORE)) - 1]

    def legend(self) -> list[tuple[str, str]]:
        """Return class and words of each color, from the least to the greatest."""
        if not self.signed:
            edges = [0.0, *self.cuts]
            words = [f"from {_short(low)}" for low in edges]
            return [(f"key-heat-{place}", word) for place, word in enumerate(words)]
        below = [
            (f"key-less-{place}", f"−{_short(cut)} and less")
            for place, cut in reversed(list(enumerate(self.cuts)))
        ]
        above = [
            (f"key-more-{place}", f"+{_short(cut)} and more") for place, cut in enumerate(self.cuts)
        ]
        return [*below, ("key-even", "near 0"), *above]


UNIT = Scale(cuts=(0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8), signed=False)
SIGNED_UNIT = Scale(cuts=(0.1, 0.25, 0.5, 0.75), signed=True)
CHANGE = Scale(cuts=(0.02, 0.05, 0.1, 0.2), signed=True)


def up_to(most: float) -> Scale:
    """Return a scale of even steps from 0 to about ``most``."""
    step = (most or 1.0) / 8
    return Scale(cuts=tuple(step * place for place in range(1, 8)), signed=False)


def pairs(matrix: Matrix) -> list[Pair]:
    """Return every pair of different columns that has a number, each once."""
    return [
        (row, column, float(value))
        for row, values in enumerate(matrix)
        for column, value in enumerate(values[:row])
        if value is not None
    ]


def can_name(names: Sequence[str]) -> bool:
    """Return whether the axis shows names: few enough, and told apart when they are cut."""
    cut = {shorten(clean(name), letters(_NAMES - 6, size=10)) for name in names}
    return len(names) <= NAMED and len(cut) == len(names)


def heat_map(
    names: Sequence[str], matrix: Matrix, *, scale: Scale, ident: str, title: str
) -> "Markup":
    """Draw the matrix with its first column on the left and on top; the diagonal stays empty.

    Args:
        names: of the columns.
        matrix: square; None where there is no number.
        scale: which color a value has.
        ident: unique in the page.
        title: what the numbers are.
    """
    count = max(len(names), 1)
    named = can_name(names)
    left = _NAMES if named else _NUMBERS
    top = 16.0
    cell = (SIZE - left - 1) / count
    sheet = Canvas(SIZE, top + cell * count + 2)
    boxes: dict[str, list[tuple[float, float, float, float]]] = {}
    for row, values in enumerate(matrix):
        for first, last, color in _runs(values, row, scale):
            box = (left + cell * first, top + cell * row, cell * (last - first), cell)
            boxes.setdefault(color, []).append(box)
    sheet.rect(left, top, cell * count, cell * count, fill="#ffffff", line=HAIR)
    for color, held in boxes.items():
        sheet.bars(held, fill=color)
    every = 1 if count <= NAMED else 5 if count <= 60 else 10
    for place, name in enumerate(names):
        middle = cell * (place + 0.5)
        if named:
            size = min(10.5, max(8.0, cell * 0.8))
            sheet.text(left - 5, top + middle + 3.5, name, size=size, anchor="right", room=left - 6)
        number = place + 1
        if number == 1 or number % every == 0:
            sheet.text(left + middle, top - 5, number, size=9, color=MUTED, anchor="center")
            if not named:
                sheet.text(left - 5, top + middle + 3, number, size=9, color=MUTED, anchor="right")
    return sheet.svg(ident=ident, title=title, description=said(names, matrix))


def _runs(values: Sequence[float | None], row: int, scale: Scale) -> list[tuple[int, int, str]]:
    """Return neighbors of one color as first place, place behind the last, and the color."""
    found: list[tuple[int, int, str]] = []
    for place, value in enumerate(values):
        if value is None or place == row:
            continue
        color = scale.color(float(value))
        if found and found[-1][1] == place and found[-1][2] == color:
            found[-1] = (found[-1][0], place + 1, color)
        else:
            found.append((place, place + 1, color))
    return found


def said(names: Sequence[str], matrix: Matrix) -> str:
    """Name the pair that stands out most."""
    held = pairs(matrix)
    if not held:
        return "No pair of columns has a number."
    row, column, value = max(held, key=lambda pair: abs(pair[2]))
    both = f"{clean(names[column])} and {clean(names[row])}"
    return f"{len(held)} pairs of columns; farthest from 0: {both}, {measured(value)}."


def _short(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
