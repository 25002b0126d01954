"""How close what was learned of made-up rows comes to them."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.synthesizers.base import Learned


def pair_distance(
    learned: Learned, domain: Domain, codes: Mapping[str, NDArray[np.int64]], *, seed: int = 0
) -> float:
    """Return the mean total variation distance of all pair tables of a sample, of as many rows.

    Args:
        learned: of the rows.
        domain: of the rows.
        codes: the rows, by column.
        seed: of the sample.
    """
    rng = np.random.default_rng(seed)
    rows = next(iter(codes.values())).size
    drawn = learned.model.sample(rows, rng)
    for name, coarsening in learned.coarsenings.items():
        drawn[name] = coarsening.expand(drawn[name], rng)
    found = []
    for pair in combinations(domain.columns, 2):
        shape, cells = domain.shape(pair), domain.size(pair)
        real, made = (
            np.bincount(np.ravel_multi_index([each[name] for name in pair], shape), minlength=cells)
            for each in (codes, drawn)
        )
        found.append(np.abs(real - made).sum() / (2 * rows))
    return float(np.mean(found))
