"""Fixed cells over a numeric range: a function of declared facts alone."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# A grid has at most about 2 * EQUAL cells: EQUAL of equal width for plain ranges, and for either
# sign OCTAVES * PARTS that shrink toward zero for money, counts and concentrations.
EQUAL = 256
OCTAVES = 16
PARTS = 8
# Where nothing is declared: magnitudes from 2**LEAST to 2**GREATEST, and zero.
LEAST, GREATEST = -20, 40
# Content words: where zero stands, where codes of cells begin, and the last two.
ZERO, CELLS = 2**61, 2**62
MISSING_WORD, UNPARSABLE_WORD = 2**63 - 1, 2**63 - 2
# Numbers are told apart by units of their kind, up to these magnitudes. Any unit goes.
_SCALE, _MOST = 1e6, 2e12
_MOST_WHOLE = 2.0**60


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """Cells in order, each from its start up to the next start.

    Args:
        starts: shape ``(cells,)``, float64, rising: the least value of every cell.
        last: the greatest value of the last cell, which includes it.
        whole: values are whole numbers.
    """

    starts: NDArray[np.float64]
    last: float
    whole: bool

    @property
    def size(self) -> int:
        """Number of cells."""
        return int(self.starts.size)

    @property
    def ends(self) -> NDArray[np.float64]:
        """The greatest value of every cell."""
        following = self.starts[1:]
        before = following - 1 if self.whole else np.nextafter(following, -np.inf)
        return np.append(before, self.last)

    def locate(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the cell of every value; values outside go to the first or last cell."""
        inside = np.clip(values, self.starts[0], self.last)
        if self.whole:
            inside = np.rint(inside)
        return np.searchsorted(self.starts, inside, side="right") - 1

    @property
    def told_by(self) -> tuple[float, float, bool]:
        """Units by which ``words`` counts, up to which magnitude, and if words always suffice."""
        if not self.whole:
            return _SCALE, _MOST, False
        return 1.0, _MOST_WHOLE, bool(max(-self.starts[0], self.last) < _MOST_WHOLE)

    def words(self, values: NDArray[np.float64], cells: NDArray[Any]) -> NDArray[np.uint64]:
        """Return a word for every value, below 2**63, such that equal words are of one cell.

        The word says which whole number or millionth the value is nearest to, whatever the cells
        are. Only where that would be in another cell than the value, it says the cell.

        Args:
            values: finite or infinite.
            cells: what ``locate`` returns for them.
        """
        scale, most, enough = self.told_by
        inside = np.clip(values, -most, most)
        units = np.rint(inside) if self.whole else np.floor(inside * scale + 0.5)
        words = units.astype(np.int64) + ZERO
        if not enough:
            moved = np.flatnonzero(self.locate(units / scale) != cells)
            words[moved] = CELLS + cells[moved].astype(np.int64)
        return words.astype(np.uint64)

    def draw(self, cells: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw a value evenly from every cell given."""
        places = cells.astype(np.intp, copy=False)
        drawn = rng.random(cells.size)
        if self.whole:
            drawn *= (self.ends - self.starts + 1).take(places)
            np.floor(drawn, out=drawn)
        else:
            drawn *= (self.ends - self.starts).take(places)
        drawn += self.starts.take(places)
        inside: NDArray[np.float64] = np.minimum(drawn, self.ends.take(places), out=drawn)
        return inside

    def split(self, at: NDArray[np.float64]) -> "Grid":
        """Return the grid with a cell starting at each of these values, where it reaches them."""
        inside = at[(at > self.starts[0]) & (at <= self.last)]
        return _build(np.concatenate([self.starts, inside]), self.last, self.whole)

    def labels(self) -> list[str]:
        """Say every cell in words short enough for a plot."""
        texts = []
        for index, (low, high) in enumerate(zip(self.starts, self.ends, strict=True)):
            if self.whole:
                texts.append(f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}")
            elif high <= np.nextafter(low, np.inf):
                texts.append(f"{low:.6g}")
            elif index + 1 == self.size:
                texts.append(f"[{low:.6g}, {high:.6g}]")
            else:
                texts.append(f"[{low:.6g}, {self.starts[index + 1]:.6g})")
        return texts


def _build(starts: NDArray[np.float64], last: float, whole: bool) -> Grid:
    kept = np.unique(starts + 0.0)
    return Grid(starts=kept[kept <= last], last=float(last), whole=whole)


def each(low: int, high: int) -> Grid:
    """Every whole number a cell."""
    return _build(np.arange(low, high + 1, dtype=np.float64), high, True)


def from_edges(edges: NDArray[np.float64], *, whole: bool) -> Grid:
    """Cells between declared edges; the last includes its upper edge."""
    return _build(edges[:-1], float(edges[-1]), whole)


def equal(low: float, high: float, count: int, *, whole: bool) -> Grid:
    """``count`` cells of equal width, fewer where whole numbers run out."""
    if whole:
        # In whole numbers: a start that rounding lifts by the least bit would lose its number.
        first, width = int(low), int(high) + 1 - int(low)
        starts = np.array([first + -(-width * k // count) for k in range(count)], dtype=np.float64)
    else:
        starts = low + (high - low) * (np.arange(count) / count)
    return _build(np.append(starts, low), high, whole)


def fine(low: float, high: float, *, whole: bool, skewed: bool = True) -> Grid:
    """A grid fine enough to learn bins on.

    Args:
        low: least value.
        high: greatest value.
        whole: values are whole numbers; no cell is then narrower than 1.
        skewed: add cells that shrink toward zero.
    """
    if whole and high - low + 1 <= 2 * EQUAL:
        return each(int(low), int(high))
    count = EQUAL if skewed else 2 * EQUAL
    points = [low + (high - low) * (np.arange(count) / count)]
    if skewed:
        shrinking = (1 - np.arange(PARTS) / (2 * PARTS))[None, :] * np.ldexp(
            1.0, -np.arange(OCTAVES)
        )[:, None]
        points += [bound * shrinking.ravel() for bound in (low, high)]
    inside = np.concatenate(points)
    inside = inside[(inside >= low) & (inside <= high)]
    if whole:
        inside = np.ceil(inside)
    # The bounds and zero are where clamped, censored and absent quantities pile up.
    alone = np.array([value for value in (low, 0.0, high) if low <= value <= high])
    after = alone + 1 if whole else np.nextafter(alone, np.inf)
    return _build(np.concatenate([inside, alone, after]), high, whole)


def powers(*, whole: bool) -> Grid:
    """Signed powers of two, each cut in equal parts: the range when nothing is declared."""
    parts = 2 * PARTS if whole else PARTS
    exponents = np.arange(0 if whole else LEAST, GREATEST)
    cut = 1 + np.arange(parts) / parts
    magnitudes = np.ldexp(cut[None, :], exponents[:, None]).ravel()
    if whole:
        magnitudes = np.ceil(magnitudes)
    greatest = float(2**GREATEST)
    after_zero = 1.0 if whole else float(np.nextafter(0.0, 1.0))
    starts = np.concatenate([-magnitudes, [-greatest, 0.0, after_zero], magnitudes, [greatest]])
    return _build(starts, greatest, whole)
