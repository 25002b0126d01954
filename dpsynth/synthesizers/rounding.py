"""Roots and shares by integers: the same on every machine."""

from fractions import Fraction
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from dpsynth.models.graphical.tables import Array

_ROOT_BITS = 40  # a root is rounded down to this many binary digits


def root_below(value: Fraction) -> Fraction:
    """Return a fraction of few digits at or a little below the square root of ``value``."""
    bits = _ROOT_BITS
    while not (root := isqrt(value.numerator * 4**bits // value.denominator)):
        bits *= 2
    return Fraction(root, 2**bits)


def whole_shares(values: Array, total: int) -> NDArray[np.int64]:
    """Return non-negative integers of sum ``total``, in proportion to ``values``.

    Args:
        values: non-negative, not all 0.
        total: positive.
    """
    exact = values * (total / values.sum())
    shares: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    largest = np.argsort(shares - exact, kind="stable")
    shares[largest[: total - int(shares.sum())]] += 1
    return shares
