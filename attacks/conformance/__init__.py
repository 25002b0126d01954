"""The mechanism on trial, on made-up rows alone: evidence that a certificate may publish."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from attacks.conformance.checks import NOT_TESTED, Check, events
from dpsynth.errors import UnfitEnvironmentError

if TYPE_CHECKING:
    from attacks.conformance.anyone import put_on_trial
    from dpsynth.schema import Schema

__all__ = ["NOT_TESTED", "Check", "put_on_trial", "run"]


def run(plan: Mapping[str, Any], schema: "Schema | None" = None, seed: int = 0) -> list[Check]:
    """Hold the mechanisms of ``plan`` against what they claim.

    Args:
        plan: a plan as a document; see ``Plan.to_dict``.
        schema: the schema it was made from; without it the replay on neighbors is skipped.
        seed: of all draws; the same call gives the same checks.

    Returns:
        One check a mechanism, scale and pair of neighboring tables. All of them together raise a
        false alarm with probability at most one in a million.

    Raises:
        UnfitEnvironmentError: the plan trains, and torch is not installed.
    """
    from attacks.conformance import neighbors, noise, selection

    if events(plan, "sampled_gaussian/v1") and find_spec("torch") is None:
        raise UnfitEnvironmentError(
            "this plan trains a network, which cannot be put on trial without torch: "
            "pip install 'dpsynth[deep]'"
        )
    return [
        *noise.check(plan, seed=seed),
        *selection.check(plan, seed=seed),
        *neighbors.check(plan, schema, seed=seed),
    ]


def __getattr__(name: str) -> Any:
    """Import the trial of any mechanism when it is first asked for: it needs pandas."""
    if name == "put_on_trial":
        from attacks.conformance.anyone import put_on_trial

        return put_on_trial
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
