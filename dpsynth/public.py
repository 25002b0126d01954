"""Small public functions over the kernel: what a verifier and a command need, as documents."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dpsynth.errors import UnknownNameError, UsageError
from dpsynth.privacy import accounting, events, ledger

if TYPE_CHECKING:
    from dpsynth.synthesizers.facade import Synthesizer
    from dpsynth.synthesizers.fitted import FittedModel


def synthesizer(name: str, **settings: object) -> "Synthesizer":
    """Return the built-in synthesizer called ``name`` with ``settings`` as its fields.

    Args:
        name: as registered, such as "mst".
        settings: fields of the synthesizer; an exact number may be given as "p/q" text, the form
            that a plan writes it in.

    Raises:
        UnknownNameError: nothing is registered under ``name``, or it has no such setting.
        UsageError: a setting has a value that it cannot have.
    """
    from dpsynth.synthesizers import registry

    made = registry.get(name)
    types = {field.name: field.type for field in fields(made)}
    unknown = sorted(set(settings) - set(types))
    if unknown:
        raise UnknownNameError(f"{name} has no setting {unknown[0]!r}; it has: {', '.join(types)}")
    exact = {
        key: _exact(name, key, value) if types[key] in _EXACT else value
        for key, value in settings.items()
    }
    try:
        return cast("Synthesizer", made(**exact))
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} cannot have these settings: {error}") from error


_EXACT = (Fraction, Fraction | None)


def _exact(name: str, key: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return Fraction(value)
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(
            f"the setting {key!r} of {name} must be an exact number, such as 1/10"
        ) from error


def load_model(folder: Path | str) -> "FittedModel":
    """Read a model from its folder; see ``FittedModel.load``."""
    from dpsynth.synthesizers.fitted import FittedModel

    return FittedModel.load(folder)


def total_rho(documents: Sequence[Mapping[str, str]]) -> Fraction:
    """Return the zCDP cost of events given as documents, exact.

    Raises:
        UnsupportedEventError: an event is unknown or malformed.
    """
    return accounting.total_rho(events.event_from_dict(document) for document in documents)


def total_cost(documents: Sequence[Mapping[str, str]], order: str | Fraction) -> Fraction:
    """Return what events given as documents cost at one Renyi order, over that order.

    The zCDP cost of each, and of sampled training, which has none, as much at ``order``; exact,
    or rounded up.

    Raises:
        UnsupportedEventError: an event is unknown or malformed, or the order is out of range.
        ValueError: the order is not above 1.
    """
    return accounting.total_cost(map(events.event_from_dict, documents), Fraction(order))


def epsilon_at(rho: str | Fraction, order: str | Fraction, delta: str | Fraction) -> Fraction:
    """Return the epsilon of costs that add up to ``rho`` at one Renyi order, rounded up.

    Raises:
        ValueError: ``delta`` is not in (0, 1), ``rho`` below 0 or the order not above 1.
    """
    return accounting.epsilon_at(Fraction(rho), Fraction(order), Fraction(delta))


def total_reserved_delta(documents: Sequence[Mapping[str, str]]) -> Fraction:
    """Return the delta that events given as documents spend beside their rho, exact.

    Raises:
        UnsupportedEventError: an event is unknown or malformed, or reserves less than it needs.
    """
    return accounting.total_reserved_delta(map(events.event_from_dict, documents))


def claimed_epsilon(documents: Sequence[Mapping[str, str]], delta: str | Fraction) -> Fraction:
    """Return the epsilon that events given as documents amount to at ``delta``, rounded up.

    Raises:
        UnsupportedEventError: an event is unknown or malformed.
        ValueError: ``delta`` is not in [0, 1), or is 0 and an event needs one.
    """
    charged = [events.event_from_dict(document) for document in documents]
    return accounting.least_epsilon(charged, Fraction(delta))


def rho_of(epsilon: str | Fraction, delta: str | Fraction) -> Fraction:
    """Return the largest zCDP cost that a claim of (epsilon, delta) allows, rounded down.

    Raises:
        ValueError: ``delta`` is not in (0, 1), or ``epsilon`` is out of range.
    """
    return accounting.rho_from_epsilon(Fraction(epsilon), Fraction(delta))


def check_chain(entries: Sequence[Mapping[str, object]]) -> None:
    """Hold ledger entries, given as documents, against their digests and each other.

    Raises:
        IntegrityError: an entry was changed, removed from between two, or reordered.
    """
    ledger.check_chain([ledger.entry_from_dict(entry) for entry in entries])
