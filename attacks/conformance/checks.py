"""What a conformance check reports, and what no check here looks at."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

FALSE_ALARM = 1e-6  # of all checks of one plan together
CONFIDENCE = 1 - FALSE_ALARM

NOT_TESTED = (
    "end-to-end distinguishing game: no lower bound on epsilon was measured by attacking whole "
    "releases of neighboring tables",
    "randomness of the operating system: the checks draw from a seeded source, a release does not",
    "timing, memory and other side channels",
    "the machine and the installed packages: that the code that ran is the code that was published",
    "tables other than the made-up ones: a dependence on rows that only special rows bring out",
    "that the schema was written without looking at the rows",
    "the floating-point part of the model: it is computed from noisy answers alone",
)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check of the mechanism, on made-up rows.

    Args:
        name: ``family/what``; families are "noise", "selection" and "neighbors".
        status: "passed", "failed", "not applicable", "skipped" or "error".
        statistic: what was measured.
        p_value: of the statistic, where it has one.
        bound: what the statistic had to stay at or below.
        lower_bound: what it had to stay at or above, where too little is a fault as well.
        trials: draws or pairs of answers behind it.
        detectable: factor of a wrong scale that would have been seen with 95 % probability.
        confidence: chance that a correct mechanism passes all checks of the plan.
        detail: one sentence.
    """

    name: str
    status: str
    statistic: float | None = None
    p_value: float | None = None
    bound: float | None = None
    lower_bound: float | None = None
    trials: int | None = None
    detectable: float | None = None
    confidence: float | None = None
    detail: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Write as JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Check":
        """Read what ``to_dict`` wrote."""
        return cls(**document)


def events(plan: Mapping[str, Any], kind: str) -> list[Mapping[str, str]]:
    """Return the events of one kind in a plan, each different one once, in order."""
    found: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}
    for step in plan["steps"]:
        event = step["event"]
        if event["kind"] == kind:
            found.setdefault(tuple(sorted(event.items())), event)
    return list(found.values())
