"""Which person a row belongs to: ids compared as text, whatever type holds them."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.encoding.cells import UNREADABLE, as_whole_text, distinct, text_of

if TYPE_CHECKING:
    import pandas as pd


def person_numbers(series: "pd.Series[Any]") -> tuple[NDArray[np.int64], list[bytes]]:
    """Number the persons of a column.

    The same id is the same person from CSV, Parquet or a frame: ``7``, ``7.0`` and ``"7"`` are
    one. An empty id, or one with no text form, is nobody's.

    Returns:
        The person of every row, -1 for none; and the canonical id of every person.
    """
    found = distinct(series)
    numbered: dict[bytes, int] = {}
    each = np.empty(len(found.cells), dtype=np.int64)
    for place, cell in enumerate(found.cells):
        text = text_of(cell)
        if text is None or text == UNREADABLE:
            each[place] = -1
            continue
        canonical = (as_whole_text(text) or text).encode("utf-8", "surrogatepass")
        each[place] = numbered.setdefault(canonical, len(numbered))
    return found.spread(each, -1), list(numbered)
