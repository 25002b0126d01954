"""What mechanisms are asked to draw, by whoever asks: the scale and the input of every draw.

A mechanism that is handed around may be exchanged on the way for another of the same kind, with
less noise than was paid for. What is noted here stands at the mechanisms themselves.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.privacy.mechanisms import (
    DiscreteGaussian,
    DiscreteLaplace,
    ExponentialSelection,
    PartitionSelection,
)

# By kind of event: the class, its method that draws, and the number that says how much it hides.
_MECHANISMS: dict[str, tuple[type[Any], str, str]] = {
    "discrete_gaussian/v1": (DiscreteGaussian, "release", "sigma_squared"),
    "discrete_laplace/v1": (DiscreteLaplace, "release", "scale"),
    "exponential_selection/v1": (ExponentialSelection, "select", "epsilon"),
    "partition_selection/v1": (PartitionSelection, "release", "sigma_squared"),
}
_WIDER = frozenset({"sigma_squared", "scale"})  # the larger, the more is hidden


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """One draw of a mechanism.

    Attributes:
        kind: of the event that should be charged for it.
        size: the number that says how much it hides, by the name that the event gives it.
        given: the counts or scores that it was given, int64.
        sensitivity: of the scores, where a candidate was chosen.
    """

    kind: str
    size: Fraction
    given: NDArray[np.int64]
    sensitivity: Fraction | None = None

    def hides_less(self, event: dict[str, str]) -> bool:
        """Whether it hides less than ``event`` says, or is of another kind."""
        if event["kind"] != self.kind:
            return True
        name = _MECHANISMS[self.kind][2]
        charged = Fraction(event[name])
        return self.size < charged if name in _WIDER else self.size > charged


@contextmanager
def drawing() -> Iterator[list[Drawn]]:
    """Note every draw that is made meanwhile, in order."""
    seen: list[Drawn] = []
    held = [(place, name, getattr(place, name)) for place, name, _ in _MECHANISMS.values()]
    for (kind, (place, name, number)), (*_, original) in zip(
        _MECHANISMS.items(), held, strict=True
    ):
        setattr(place, name, _noted(original, kind, number, seen))
    try:
        yield seen
    finally:
        for place, name, original in held:
            setattr(place, name, original)


def _noted(
    original: Callable[..., Any], kind: str, number: str, seen: list[Drawn]
) -> Callable[..., Any]:
    @wraps(original)
    def draw(self: Any, given: NDArray[np.int64], **options: Any) -> Any:
        seen.append(
            Drawn(
                kind=kind,
                size=Fraction(getattr(self, number)),
                given=np.array(given),
                sensitivity=options.get("sensitivity"),
            )
        )
        return original(self, given, **options)

    return draw
