"""When a guess that has a probability counts as confident: fixed before any target is seen."""

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.9


def level(released: NDArray[np.int64]) -> float:
    """Return the probability above which a guess of this column is confident.

    0.9; where one code fills more of the release than 0.8 of it, half way from that share to
    certainty, since a guess that leans on how common a code is tells nothing about the target.

    Args:
        released: shape ``(codes,)``, released rows that hold each code of the column.
    """
    rows = int(released.sum())
    if not rows:
        return 1.0
    common = float(released.max()) / rows
    return max(LEVEL, (1 + common) / 2)
