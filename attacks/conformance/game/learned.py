"""A score that presumes no law: how often each answer was seen in the one world and in the other.

Learned from runs of its own. Where the noise is what was charged it is a poor copy of the
likelihood ratio; where the noise is of another kind, never below zero, on a grid, cut off, or none
at times, it sees what a score by the charged law is blind to.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Column = tuple[NDArray[Any], Floats]

_DOUBT = 8.0  # runs that every answer counts as seen in both worlds, before any is


def learned(out: Sequence[NDArray[Any]], within: Sequence[NDArray[Any]]) -> "list[list[Column]]":
    """Return what each answer speaks for: of every part and cell, values and their log ratios.

    Args:
        out: of every part, what runs without the person released, shape ``(runs, cells)``.
        within: with the person.
    """
    return [
        [_column(first[:, at], second[:, at]) for at in range(first.shape[1])]
        for first, second in zip(out, within, strict=True)
    ]


def _column(out: NDArray[Any], within: NDArray[Any]) -> Column:
    values, places = np.unique(np.concatenate([out, within]), return_inverse=True)
    seen = [
        np.bincount(each, minlength=values.size) + _DOUBT for each in np.split(places, [out.size])
    ]
    return values, np.log(seen[1] / seen[0])


def ratios(columns: "list[list[Column]]", released: Sequence[NDArray[Any]]) -> Floats:
    """Return the scores of runs; an answer that was never seen speaks for neither world."""
    total: Floats = np.zeros(len(released[0]) if released else 0)
    for part, found in zip(columns, released, strict=True):
        for at, (values, logs) in enumerate(part):
            cells = found[:, at]
            places = np.minimum(np.searchsorted(values, cells), values.size - 1)
            total += np.where(values[places] == cells, logs[places], 0.0)
    return total
