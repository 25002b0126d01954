"""Subgroups of held-out rows: declared values, or four bands of what has an order."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dpsynth.utility.tables import Tables

MOST_GROUPS = 10  # of a column without an order; the rarer ones are one group more
BANDS = 4  # of a column with one that has more values
LEAST_ROWS = 100  # held-out rows of a group that is told of


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """Some held-out rows.

    Attributes:
        name: such as "sex = Female".
        rows: which of them.
    """

    name: str
    rows: NDArray[np.bool_] = field(repr=False)


def groups(tables: Tables, *, without: str) -> Iterator[Group]:
    """Yield the groups of 100 and more held-out rows, column by column.

    Args:
        tables: with the columns that part the rows.
        without: the target, which parts no rows.
    """
    for column in tables.subgroups:
        if column == without:
            continue
        codes = tables.codes["holdout"][column]
        places, labels = _merged(tables, column)
        for place, label in enumerate(labels):
            rows = places[codes] == place
            if rows.sum() >= LEAST_ROWS:
                yield Group(name=f"{column} = {label}", rows=rows)


def _merged(tables: Tables, column: str) -> tuple[NDArray[np.int64], list[str]]:
    """Return the group of each code, and what the groups are called."""
    labels, size = tables.labels[column], tables.sizes[column]
    if size <= MOST_GROUPS:
        return np.arange(size), labels
    counts = np.bincount(tables.codes["real"][column], minlength=size)
    if column not in tables.ordered:
        kept = np.sort(np.argsort(-counts, kind="stable")[: MOST_GROUPS - 1])
        places = np.full(size, len(kept), dtype=np.int64)
        places[kept] = np.arange(len(kept))
        return places, [*(labels[code] for code in kept), "all others"]
    before = np.cumsum(counts) - counts
    raw = np.minimum(before * BANDS // max(int(counts.sum()), 1), BANDS - 1)
    _, places = np.unique(raw, return_inverse=True)
    said = []
    for place in range(int(places.max()) + 1):
        held = np.flatnonzero(places == place)
        first, last = labels[held[0]], labels[held[-1]]
        said.append(first if first == last else f"{first} to {last}")
    return places, said
