"""Merging of rare codes before pairs are counted, decided on noisy counts."""

from math import isqrt

import numpy as np

from dpsynth.domain import Domain
from dpsynth.encoding.coarsening import Coarsening
from dpsynth.models.graphical.denoise import smooth_histogram
from dpsynth.models.graphical.tables import NoisyTable
from dpsynth.zeros import Alike

MOST_CELLS = 20_000_000  # of all candidate pair tables together: 160 MB of references
_MOST_LEVELS = 1_000


def most_levels(domain: Domain) -> int:
    """Return the number of codes that every column can have without pairs outgrowing memory.

    From the number of columns alone, so that every pair stays a candidate and a spanning tree
    exists, whatever the noise.
    """
    columns = len(domain.columns)
    pairs = max(columns * (columns - 1) // 2, 1)
    return max(2, min(_MOST_LEVELS, isqrt(MOST_CELLS // pairs)))


def merge_rare(
    histogram: NoisyTable, *, threshold: float, levels: int, alike: Alike | None = None
) -> Coarsening:
    """Return the grouping that puts all rare codes of one column into one last group.

    Args:
        histogram: noisy rows per code.
        threshold: a code is rare where its noisy count is below this many standard deviations.
        levels: groups that may be left, at least 2; a few more where rules keep codes apart.
        alike: which codes the declared rules let be merged; all where not given.

    Returns:
        Frequent codes in their order, then the rare ones together, each weighted by its smoothed
        noisy count. Fewer than two rare codes are left alone.
    """
    counts = histogram.values
    stddev = float(np.sqrt(histogram.variance.max()))
    frequent = counts >= threshold * stddev
    if frequent.sum() >= counts.size - 1:
        frequent[:] = True
    if frequent.sum() > levels or (frequent.sum() == levels and not frequent.all()):
        keep = np.argsort(-counts, kind="stable")[: levels - 1]
        frequent = np.zeros(counts.size, dtype=bool)
        frequent[keep] = True
    if alike is not None:
        groups = alike.merge(~frequent)
    else:
        groups = np.where(frequent, np.cumsum(frequent) - 1, frequent.sum()).astype(np.int64)
    return Coarsening(groups=groups, weights=smooth_histogram(counts, stddev))
