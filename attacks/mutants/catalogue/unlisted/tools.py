"""What the bugs of an adversary are written with."""

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np

from attacks.mutants.base import Maker

MECHANISMS = "dpsynth.privacy.mechanisms"
CURATOR = "dpsynth.privacy.curator:Curator"
# From counts, noise and mechanism to other noise.
Change = Callable[[Any, Any, Any], Any]


def spread_of(mechanism: Any) -> float:
    """Return about the standard deviation of a mechanism's noise."""
    if hasattr(mechanism, "sigma_squared"):
        return sqrt(mechanism.sigma_squared)
    return float(mechanism.scale) * 2**0.5


def noise_changed(change: Change) -> tuple[tuple[str, Maker], ...]:
    """Change the noise of both kinds in ``release``."""

    def make(original: Any) -> Any:
        def release(self: Any, counts: Any, *, rng: Any) -> Any:
            noise = original(self, np.zeros_like(counts), rng=rng)
            return counts + np.asarray(change(counts, noise, self), dtype=np.int64)

        return release

    return tuple(
        (f"{MECHANISMS}:{kind}.release", make) for kind in ("DiscreteGaussian", "DiscreteLaplace")
    )


_HELD: dict[int, tuple[Any, Any]] = {}  # by identity of an answer: the answer, what is exact


def _kept(original: Any) -> Any:
    def release(self: Any, counts: Any, *, rng: Any) -> Any:
        answer = original(self, counts, rng=rng)
        _HELD[id(answer)] = answer, counts.copy()
        return answer

    return release


def _tables(original: Any) -> Any:
    def as_table(measurement: Any) -> Any:
        table = original(measurement)
        exact = exact_of(measurement.values).astype(float).reshape(table.values.shape)
        object.__setattr__(table, "exact", exact)
        return table

    return as_table


def exact_of(answer: Any) -> Any:
    """Return what was kept beside an answer."""
    return _HELD[id(answer)][1]


# A careless developer keeps the exact counts beside each answer, "for debugging".
KEPT: tuple[tuple[str, Maker], ...] = (
    (f"{MECHANISMS}:DiscreteGaussian.release", _kept),
    (f"{MECHANISMS}:DiscreteLaplace.release", _kept),
    *(
        (f"dpsynth.synthesizers.{place}:as_table", _tables)
        for place in ("one_way", "direct", "mst", "aim", "auto", "privbayes")
    ),
)
