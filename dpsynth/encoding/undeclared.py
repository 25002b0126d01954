"""What an open column holds beside its declared levels, until a selection has released some of it.

Private like the rows: made by a codec, held by a source, counted by the kernel alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from dpsynth.encoding.cells import Distinct


@dataclass(frozen=True, kw_only=True, eq=False)
class Undeclared:
    """Values of an open column that could be learnt, and the rows that hold them.

    Attributes:
        texts: the different values, sorted; some may stand in no row.
        index: shape ``(rows,)``, int64: place in ``texts``; -1 where the cell has a declared level.
        first: the code that the first released value gets.
    """

    texts: tuple[str, ...] = field(repr=False)
    index: NDArray[np.int64] = field(repr=False)
    first: int

    @classmethod
    def of(cls, cells: Sequence[str | None], found: Distinct, *, first: int) -> "Undeclared":
        """Gather the canonical texts of distinct cells; None for a cell that cannot be learnt."""
        texts = sorted({text for text in cells if text is not None})
        places: dict[str | None, int] = {text: place for place, text in enumerate(texts)}
        each = np.array([places.get(text, -1) for text in cells], dtype=np.int64)
        return cls(texts=tuple(texts), index=found.spread(each, -1), first=first)

    def take(self, rows: NDArray[np.bool_]) -> "Undeclared":
        """Return what some of the rows hold."""
        return Undeclared(texts=self.texts, index=self.index[rows], first=self.first)

    def holders(self, units: NDArray[np.int64]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        """Return every value that a row holds, and how many different units hold it.

        Args:
            units: shape ``(rows,)``, numbers of the rows' units, at least 0.
        """
        held = self.index >= 0
        count = max(len(self.texts), 1)
        pairs = np.unique(units[held] * count + self.index[held])
        counts = np.bincount(pairs % count, minlength=count).astype(np.int64)
        present = np.flatnonzero(counts)
        return tuple(self.texts[place] for place in present.tolist()), counts[present]

    def recoded(self, codes: NDArray[Any], values: Sequence[str]) -> NDArray[np.int64]:
        """Return codes in which each of ``values`` has one of its own, from ``first`` on."""
        ranks = {value: rank for rank, value in enumerate(values)}
        if len(ranks) < len(values):
            raise ValueError("each released value must be named once")
        own = np.array([ranks.get(text, -1) for text in self.texts] + [-1], dtype=np.int64)
        rank = own[self.index]
        wide = codes.astype(np.int64)
        moved = np.where(wide < self.first, wide, wide + len(values))
        return np.where(rank >= 0, self.first + rank, moved)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("Undeclared holds private values and cannot be pickled or copied")


def content_words(texts: Sequence[str | None], codes: NDArray[Any]) -> NDArray[np.uint64]:
    """Return two words a cell that tell texts apart, also where they share a code.

    Two, because no key enters here: one word of a known hash can be made to collide, and rows of
    one content would then hold different values.

    Args:
        texts: canonical; None for a cell that is known by its code.
        codes: of the same cells.

    Returns:
        Shape ``(cells, 2)``.
    """
    words = [
        bytes.fromhex(code_words(code) if text is None else text_words(text))
        for text, code in zip(texts, codes.tolist(), strict=True)
    ]
    return np.frombuffer(b"".join(words), dtype=">u8").astype(np.uint64).reshape(-1, 2)


def text_words(text: str) -> str:
    """Return the two words of a text in hexadecimal: the first 128 bits of its SHA-256."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def code_words(code: int) -> str:
    """Return the two words, in hexadecimal, of a cell that is known by its code."""
    return f"{code:016x}{0:016x}"
