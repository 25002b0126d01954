"""When a guess that has a probability counts as confident: fixed before any target is seen."""

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.9


def level(released: NDArray[np.integer]) -> float:
    """Return the probability above which a guess of this column is confident.

    0.9; where one code fills more of the release than 0.8 of it, half way from that share to
    certainty, since a guess that leans on how common a code is tells nothing about the target.

    Args:
        released: shape ``(rows,)``, the codes of the column in the release.
    """
    if not released.size:
        return 1.0
    common = float(np.bincount(released).max()) / released.size
    return max(LEVEL, (1 + common) / 2)
