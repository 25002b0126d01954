"""How many released rows agree with a record on each of many sets of columns."""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from attacks.engine.table import Codes

COLUMNS = 62  # that fit into one word; of wider tables so many are drawn

Masks = NDArray[np.int64]


def subsets(columns: int, *, count: int, rng: np.random.Generator) -> Masks:
    """Return sets of columns as words with a bit each: single columns, pairs, then larger sets.

    Args:
        columns: of the table, at most ``COLUMNS``.
        count: of sets; each single column is one of them whatever the count. Pairs are up to half
            of the others, drawn where there are more.
        rng: draws pairs, and of every larger set the size, evenly, and then the columns.
    """
    single = [1 << place for place in range(columns)]
    pairs = [first | second for first, second in combinations(single, 2)]
    few = min(len(pairs), max(0, count - columns) // 2)
    chosen = [*single, *(pairs[place] for place in np.sort(rng.permutation(len(pairs))[:few]))]
    while columns > 2 and len(chosen) < count:
        size = int(rng.integers(3, columns + 1))
        chosen.append(sum(1 << int(place) for place in rng.choice(columns, size, replace=False)))
    return np.array(chosen, dtype=np.int64)


def agreeing(release: Codes, records: Codes, masks: Masks) -> NDArray[np.float64]:
    """Return shape ``(records, masks)``: released rows that agree on all columns of each set."""
    found = np.empty((len(records), masks.size))
    bits = np.int64(1) << np.arange(release.shape[1], dtype=np.int64)
    for place, record in enumerate(records):
        patterns, rows = np.unique((release == record) @ bits, return_counts=True)
        found[place] = ((patterns[:, None] & masks) == masks).T @ rows
    return found
