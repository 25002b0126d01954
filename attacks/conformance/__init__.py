"""The mechanism on trial, on made-up rows alone: evidence that a certificate may publish."""

from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from attacks.conformance.checks import NOT_TESTED, Check, events, witness
from dpsynth.errors import UnfitEnvironmentError

if TYPE_CHECKING:
    from attacks.conformance.anyone import put_on_trial
    from dpsynth.schema import Schema

__all__ = ["NOT_TESTED", "Check", "laws", "put_on_trial", "run"]


def run(
    plan: Mapping[str, Any],
    schema: "Schema",
    seed: int = 0,
    *,
    fits: int = 40,
    pairs: int = 12,
) -> list[Check]:
    """Hold the synthesizer of ``plan`` against what it claims, by all audits.

    Args:
        plan: a plan as a document; see ``Plan.to_dict``.
        schema: the schema it was made from.
        seed: of all rows and draws but those that try the operating system's randomness.
        fits: how often the same table is fitted.
        pairs: pairs of small neighboring tables that are drawn at random.

    Returns:
        The checks of all audits of ``attacks.conformance.audits``, and one of the plan itself.
        All but those of the kind "game" together raise a false alarm with probability at most one
        in a million.

    Raises:
        UnfitEnvironmentError: the plan trains, and torch is not installed.
    """
    from attacks.conformance import audits
    from attacks.conformance.trial import Trial
    from attacks.engine.generators import planned_synthesizer

    if events(plan, "sampled_gaussian/v1") and find_spec("torch") is None:
        raise UnfitEnvironmentError(
            "this plan trains a network, which cannot be put on trial without torch: "
            "pip install 'dpsynth[deep]'"
        )
    trial = Trial(
        synthesizer=planned_synthesizer(plan),
        schema=schema,
        epsilon=plan["epsilon"],
        delta=plan["delta"],
        seed=seed,
        fits=fits,
        pairs=pairs,
    )
    return [_of_plan(plan, trial.document), *audits.checks_of(audits.run(trial))]


def laws(plan: Mapping[str, Any], *, seed: int = 0) -> list[Check]:
    """Ask the mechanisms of ``plan`` directly, at frozen inputs, whether they follow their laws.

    Noise that is wider than planned fails here too. To an audit that is no fault of privacy.
    """
    from attacks.conformance import noise, selection

    return [*noise.check(plan, seed=seed), *selection.check(plan, seed=seed)]


def _of_plan(given: Mapping[str, Any], planned: Mapping[str, Any]) -> Check:
    """Whether the events that will be charged are those that the synthesizer plans by itself."""
    events_of = [[step["event"] for step in plan["steps"]] for plan in (given, planned)]
    check = witness(
        "bill/plan",
        "charges",
        "the plan is the one that its synthesizer makes for this schema and budget",
        violations=events_of[0] != events_of[1],
        trials=len(events_of[0]),
    )
    return replace(check, audit="bill")


def __getattr__(name: str) -> Any:
    """Import the trial of any mechanism when it is first asked for: it needs pandas."""
    if name == "put_on_trial":
        from attacks.conformance.anyone import put_on_trial

        return put_on_trial
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
