"""Continuous Gaussian noise from the words of a training.

Floating point: a draw is one of 2**53 values, |z| < 8.3, so that its law is within 2**-52 of the
normal one in total variation, and the sum that it is added to is rounded. What that means for the
promise is written in docs/explanation/promise.md.
"""

from math import sqrt

import torch
from torch import Tensor

from dpsynth.privacy.dpsgd.stream import NOISE, KeyedStream

_BITS = 53  # of a word: all that a float64 between -1 and 1 can hold


def standard_normals(count: int, stream: KeyedStream, *, step: int) -> Tensor:
    """Return ``count`` independent standard normal draws, shape ``(count,)``, float64.

    By inversion: one word a draw, none rejected, so that the time taken says nothing of the draw.
    """
    words = torch.from_numpy(stream.words(count, purpose=NOISE, step=step).view("int64"))
    # Odd multiples of 2**-53, exact, as likely on either side of 0; never -1 or 1.
    uniform = (words >> (64 - _BITS)).double().add_(0.5).mul_(2.0 ** (1 - _BITS))
    return uniform.erfinv_().mul_(sqrt(2.0))
