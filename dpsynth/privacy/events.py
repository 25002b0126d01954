"""Events: what a mechanism did, in the words that an accountant needs and no more.

An event never says what it costs: cost is an accountant's opinion, and a better accountant next
year must be able to read last year's ledger. No field ever changes its meaning; a mechanism that
behaves differently gets a new ``kind``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import ClassVar

from dpsynth import _validate
from dpsynth.errors import UnsupportedEventError


@dataclass(frozen=True, kw_only=True)
class DiscreteGaussianEvent:
    """Discrete Gaussian noise on an integer vector; both fields exact, in its unit squared."""

    kind: ClassVar[str] = "discrete_gaussian/v1"
    sigma_squared: Fraction
    l2_sensitivity_squared: Fraction

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, kw_only=True)
class DiscreteLaplaceEvent:
    """Discrete Laplace noise on an integer vector; both fields exact, in rows."""

    kind: ClassVar[str] = "discrete_laplace/v1"
    scale: Fraction
    l1_sensitivity: Fraction

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, kw_only=True)
class ExponentialSelectionEvent:
    """One exponential selection: candidate i with probability ∝ exp(epsilon s_i / (2 Δ))."""

    kind: ClassVar[str] = "exponential_selection/v1"
    epsilon: Fraction

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, kw_only=True)
class SampledGaussianEvent:
    """Releases of sums over Poisson samples of units, each with Gaussian noise.

    Every unit is in a sample with probability ``rate``, independently; the noise has
    ``noise_multiplier`` times the L2 sensitivity as its stddev; ``steps`` such sums, adaptive.
    """

    kind: ClassVar[str] = "sampled_gaussian/v1"
    rate: Fraction
    noise_multiplier: Fraction
    steps: int | Fraction

    def __post_init__(self) -> None:
        _check(self)
        _validate.at_most(1, rate=self.rate)
        _validate.integral(steps=self.steps)


@dataclass(frozen=True, kw_only=True)
class PartitionSelectionEvent:
    """Values that persons brought, each released if enough persons hold it; all fields exact.

    Every value that anybody holds gets one count, to which a person adds at most 1; discrete
    Gaussian noise is added to each, and a value is released where that reaches the threshold.

    Attributes:
        sigma_squared: of the noise, in persons squared.
        threshold: least noisy count that is released, a whole number, at least 2.
        l2_sensitivity_squared: of the counts of values that others hold as well.
        max_new: values that one person can bring and nobody else holds, a whole number.
        delta: what was set aside for the release of any such value, in (0, 1).
    """

    kind: ClassVar[str] = "partition_selection/v1"
    sigma_squared: Fraction
    threshold: Fraction
    l2_sensitivity_squared: Fraction
    max_new: Fraction
    delta: Fraction

    def __post_init__(self) -> None:
        _check(self)
        _validate.integral(threshold=self.threshold, max_new=self.max_new)
        _validate.in_open_unit(delta=self.delta)
        if self.threshold < 2:
            raise ValueError("threshold must be at least 2, or one person alone is released")


type_of_kind = {
    event.kind: event
    for event in (
        DiscreteGaussianEvent,
        DiscreteLaplaceEvent,
        ExponentialSelectionEvent,
        PartitionSelectionEvent,
        SampledGaussianEvent,
    )
}
Event = (
    DiscreteGaussianEvent
    | DiscreteLaplaceEvent
    | ExponentialSelectionEvent
    | PartitionSelectionEvent
    | SampledGaussianEvent
)


def _check(event: Event) -> None:
    values = {field.name: getattr(event, field.name) for field in fields(event)}
    _validate.exact(**values)
    _validate.positive(**values)


def event_to_dict(event: Event) -> dict[str, str]:
    """Write ``event`` as text: its kind and its fields, fractions as "p/q" so none is rounded."""
    values = {field.name: str(getattr(event, field.name)) for field in fields(event)}
    return {"kind": event.kind, **values}


def event_from_dict(document: Mapping[str, str]) -> Event:
    """Read what ``event_to_dict`` wrote.

    Raises:
        UnsupportedEventError: the kind is unknown, or its fields are not exactly the known ones.
    """
    kind = document.get("kind")
    if kind not in type_of_kind:
        raise UnsupportedEventError(f"no event is called {kind!r} in this version of dpsynth")
    made = type_of_kind[kind]
    names = [field.name for field in fields(made)]
    if set(document) != {"kind", *names}:
        raise UnsupportedEventError(f"an event {kind!r} has exactly the fields {', '.join(names)}")
    try:
        return made(**{name: Fraction(document[name]) for name in names})
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise UnsupportedEventError(f"an event {kind!r} holds a field that is no number") from error
