"""Every column as a normal score, by the real table's distribution: what a Gaussian copula sees."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpsynth.utility.tables import NAMES

if TYPE_CHECKING:
    from dpsynth.utility.tables import Codes, Tables

Scores = NDArray[np.float64]


def normal_scores(tables: "Tables") -> dict[str, Scores]:
    """Return each table as normal scores, shape ``(rows, columns)``.

    A cell's score is the normal quantile of its group's mid-rank among the real rows, divided by
    the standard deviation that these scores have in the real table. Ordered groups stand in their
    declared order, missing cells after them; others from the most frequent one to the rarest. A
    column that is constant in the real table has none.
    """
    return scored(tables.codes, tables.sizes, tables.ordered)


def scored(
    codes: "Mapping[str, Mapping[str, Codes]]", sizes: Mapping[str, int], ordered: frozenset[str]
) -> dict[str, Scores]:
    """Return normal scores by table; see ``normal_scores``."""
    made: dict[str, list[Scores]] = {name: [] for name in NAMES}
    for column, size in sizes.items():
        counts = np.bincount(codes["real"][column], minlength=size)
        of_group = group_scores(counts, ordered=column in ordered)
        spread = float(np.std(of_group[codes["real"][column]]))
        if spread > 0:
            for name, held in made.items():
                held.append(of_group[codes[name][column]] / spread)
    return {
        name: np.column_stack(held) if held else np.empty((len(codes[name][next(iter(sizes))]), 0))
        for name, held in made.items()
    }


def group_scores(counts: "Codes", *, ordered: bool) -> Scores:
    """Return the normal score of each group: the quantile of the middle of its ranks.

    Args:
        counts: real rows in each group.
        ordered: whether groups stand in their order; else by falling count.
    """
    from scipy.stats import norm

    order = np.arange(len(counts)) if ordered else np.argsort(-counts, kind="stable")
    total = max(int(counts.sum()), 1)
    upper = np.cumsum(counts[order])
    middle = (upper - counts[order] / 2) / total
    # A group that no real row is in stands beside all others, not at infinity.
    quantiles = norm.ppf(np.clip(middle, 0.5 / total, 1 - 0.5 / total))
    found = np.empty(len(counts))
    found[order] = quantiles
    return found
