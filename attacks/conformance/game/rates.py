"""How often a likelihood ratio above 0 errs where all noise is too small by a factor.

For statements of power only. The score is the log-likelihood ratio under the noise that was
charged; the noise is ``factor`` times narrower. Other thresholds have no more power to speak of:
both error rates count alike.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import exp

import numpy as np
from numpy.typing import NDArray
from scipy import special

from attacks.stats.trade_off import gaussian_shift

Floats = NDArray[np.float64]

_GRID = 4096  # places that the largest possible score of pure mechanisms is divided into
_LAPLACE = "discrete_laplace/v1"


def noised(
    events: Sequence[Mapping[str, str]], *, factor: float, reach: float
) -> tuple[float, float]:
    """Return the false positive and the false negative rate.

    Args:
        events: as a ledger writes them. Where any adds Gaussian noise, that noise alone is looked
            at, which makes the power smaller; selections are never looked at.
        factor: by which every scale is too small, at least 1.
        reach: the part of its declared sensitivity by which an answer moves, in [0, 1].
    """
    shift = gaussian_shift(events) * reach * factor
    if shift:
        rate = float(special.ndtr(-shift / 2))
        return rate, rate
    pure = [event for event in events if event["kind"] == _LAPLACE]
    return _pure(pure, factor=factor, reach=reach) if pure else (0.5, 0.5)


def _pure(
    events: Sequence[Mapping[str, str]], *, factor: float, reach: float
) -> tuple[float, float]:
    laws = [
        (float(Fraction(event["scale"])), max(1, round(reach * float(Fraction(moved)))))
        for event in events
        for moved in (event["l1_sensitivity"],)
    ]
    step = sum(moved / scale for scale, moved in laws) / _GRID
    masses: Floats = np.ones(1)
    for scale, moved in laws:
        law = _losses(scale, moved, factor=factor, step=step)
        masses = np.asarray(np.convolve(masses, law), dtype=np.float64)
    middle = masses.size // 2
    # The other world's scores are these with the other sign.
    return float(masses[middle + 1 :].sum()), float(masses[middle:].sum())


def _losses(scale: float, moved: int, *, factor: float, step: float) -> Floats:
    """Return masses of one answer's score in the world without the person, on a grid.

    The score ``(abs(y) - abs(y - moved)) / scale``, where y is the noise alone.
    """
    reach = round(moved / scale / step)
    ratio = exp(-factor / scale)
    values = np.arange(moved + 1)
    chances = ratio**values * (1 - ratio) / (1 + ratio)
    chances[0] = 1 / (1 + ratio)  # and all that is below: the score is the same
    chances[-1] = ratio**moved / (1 + ratio)
    scores = (2 * values - moved) / scale
    places = np.rint(scores / step).astype(np.int64) + reach
    found = np.bincount(places, weights=chances, minlength=2 * reach + 1)
    return np.asarray(found, dtype=np.float64)
