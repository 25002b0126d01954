"""Continuous Gaussian noise from the kernel's random words.

Floating point: a draw is one of 2**53 values, |z| < 8.3, so that its law is within 2**-52 of the
normal one in total variation, and the sum that it is added to is rounded. What that means for the
promise is written in docs/explanation/promise.md.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from dpsynth.privacy.randomness import RandomSource

_BITS = 53  # of a word: all that a float64 between 0 and 1 can hold


def standard_normals(count: int, rng: RandomSource) -> NDArray[np.float64]:
    """Return ``count`` independent standard normal draws, shape ``(count,)``.

    By inversion: one word a draw, none rejected, so that the time taken says nothing of the draw.
    """
    shifted = rng.words(count) >> np.uint64(64 - _BITS)
    return np.asarray(ndtri((shifted.astype(np.float64) + 0.5) * 2.0**-_BITS))
