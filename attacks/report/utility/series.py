"""How a table or method is drawn wherever it appears: a color, a dash and a word."""

from collections.abc import Sequence
from dataclasses import dataclass

from attacks.report.canvas import ACCENT, BAD, BEFORE, GOOD, INK, MUTED, OPEN, WARM
from attacks.report.wording import clean

_KNOWN = {
    "real": (INK, False, "ink"),
    "real holdout": (BEFORE, True, "before"),
    "holdout": (BEFORE, True, "before"),
    "synthetic": (ACCENT, False, "accent"),
    "mixed": (WARM, True, "warm"),
    "floor": (MUTED, True, "muted"),
}
_OTHERS = (
    (WARM, False, "warm"),
    (GOOD, True, "good"),
    (OPEN, False, "open"),
    (BAD, True, "bad"),
    (BEFORE, False, "before"),
    (ACCENT, True, "accent"),
    (INK, True, "ink"),
    (MUTED, False, "muted"),
)


@dataclass(frozen=True, kw_only=True)
class Look:
    """The look of one series.

    Args:
        name: as the reader sees it.
        color: of its line.
        dashed: whether its line is.
        key: class of its mark in a legend.
    """

    name: str
    color: str
    dashed: bool
    key: str


def looks(names: Sequence[str]) -> dict[str, Look]:
    """Return a look for each name; tables that every page shows look the same on all of them."""
    found: dict[str, Look] = {}
    spare = list(_OTHERS)
    for name in names:
        held = _KNOWN.get(name.lower().replace("_", " "))
        if held is None:
            taken = {(look.color, look.dashed) for look in found.values()}
            free = [one for one in spare if (one[0], one[1]) not in taken]
            held = (free or list(_OTHERS))[0]
            if held in spare:
                spare.remove(held)
        color, dashed, word = held
        key = f"key-line key-of-{word}{' key-dashed' if dashed else ''}"
        found[name] = Look(name=clean(name).replace("_", " "), color=color, dashed=dashed, key=key)
    return found


def legend(found: Sequence[Look]) -> list[tuple[str, str]]:
    """Return class and words of each mark."""
    return [(look.key, look.name) for look in found]
