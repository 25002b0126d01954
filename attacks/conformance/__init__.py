"""The mechanism on trial, on made-up rows alone: evidence that a certificate may publish."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attacks.conformance.checks import NOT_TESTED, Check
from attacks.conformance.tiers import Tier, left_out

if TYPE_CHECKING:
    from attacks.conformance.anyone import put_on_trial
    from dpsynth.schema import Schema

__all__ = ["NOT_TESTED", "Check", "Tier", "laws", "not_tested", "put_on_trial", "run"]


def not_tested(tier: Tier) -> tuple[str, ...]:
    """Return what a trial of ``tier`` says nothing of, in words for the person who signs."""
    missing = left_out(tier)
    said = (f"in the {tier.value} tier: {', '.join(missing)}",) if missing else ()
    return (*NOT_TESTED, *said)


def run(
    plan: Mapping[str, Any], schema: "Schema", seed: int = 0, *, tier: Tier = Tier.smoke
) -> list[Check]:
    """Hold the synthesizer of ``plan`` against what it claims, by all audits.

    Args:
        plan: a plan as a document; see ``Plan.to_dict``.
        schema: the schema it was made from.
        seed: of all rows and draws but those that try the operating system's randomness.
        tier: how much is tried.

    Returns:
        The checks of all audits of ``attacks.conformance.audits``, and one of the plan itself.
        All but those of the kind "game" together raise a false alarm with probability at most one
        in a million.

    Raises:
        UnfitEnvironmentError: the plan trains, and torch is not installed.
    """
    from attacks.conformance import evidence

    found = evidence.gather(plan, schema, tier=tier, seed=seed)
    return [Check.from_dict(check) for check in found["checks"]]


def laws(plan: Mapping[str, Any], *, seed: int = 0) -> list[Check]:
    """Ask the mechanisms of ``plan`` directly, at frozen inputs, whether they follow their laws.

    Noise that is wider than planned fails here too. To an audit that is no fault of privacy.
    """
    from attacks.conformance import noise, selection

    return [*noise.check(plan, seed=seed), *selection.check(plan, seed=seed)]


def __getattr__(name: str) -> Any:
    """Import the trial of any mechanism when it is first asked for: it needs pandas."""
    if name == "put_on_trial":
        from attacks.conformance.anyone import put_on_trial

        return put_on_trial
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
