"""The mechanism on trial, on made-up rows alone: evidence that a certificate may publish."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attacks.conformance.checks import NOT_TESTED, Check

if TYPE_CHECKING:
    from dpsynth.schema import Schema

__all__ = ["NOT_TESTED", "Check", "run"]


def run(plan: Mapping[str, Any], schema: "Schema | None" = None, seed: int = 0) -> list[Check]:
    """Hold the mechanisms of ``plan`` against what they claim.

    Args:
        plan: a plan as a document; see ``Plan.to_dict``.
        schema: the schema it was made from; without it the replay on neighbors is skipped.
        seed: of all draws; the same call gives the same checks.

    Returns:
        One check a mechanism, scale and pair of neighboring tables. All of them together raise a
        false alarm with probability at most one in a million.
    """
    from attacks.conformance import neighbors, noise, selection, training

    return [
        *noise.check(plan, seed=seed),
        *selection.check(plan, seed=seed),
        *training.check(plan, seed=seed),
        *neighbors.check(plan, schema, seed=seed),
    ]
