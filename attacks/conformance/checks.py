"""What an audit reports: checks whose status follows from the numbers that stand beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

FALSE_ALARM = 1e-6  # of all checks of one plan together, the game's apart
CONFIDENCE = 1 - FALSE_ALARM
FAMILYWISE = 0.01  # of all checks of the kind "game" together, by Holm's procedure

PASSED, FAILED, NOT_APPLICABLE = "passed", "failed", "not applicable"
SKIPPED, ERROR = "skipped", "error"
WITNESS, TEST, GAME = "witness", "test", "game"
KINDS = (WITNESS, TEST, GAME)

NOT_TESTED = (
    "training by the distinguishing game: no two tables are known to be its worst ones",
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

    Its status follows from its numbers alone; see ``status_of``.

    Args:
        name: ``family/what``.
        status: "passed", "failed", "not applicable", "skipped" or "error".
        component: what is broken where it fails; see ``attacks.conformance.trial.Alarm``.
        kind: "witness": it cannot fail by chance; "test": by chance at ``level``; "game": all of
            this kind together at the familywise level.
        audit: which audit it belongs to, a key of ``attacks.conformance.audits.AUDITS``.
        violations: of what must hold without exception, among ``trials``.
        statistic: what was measured.
        p_value: of the statistic, where it has one.
        level: chance of a false alarm of this check, at most.
        bound: what the statistic had to stay at or below.
        lower_bound: what it had to stay at or above, where too little is a fault as well.
        trials: draws, runs, answers or comparisons behind it.
        detectable: factor by which noise could be too small, and would have been seen with 95 %
            probability; of a selection, factor on its rate.
        given: raw counts and the law that it tests, and by which rule the numbers above follow
            from them; see ``attacks.conformance.follows``.
        detail: one sentence.
    """

    name: str
    status: str
    component: str = ""
    kind: str = WITNESS
    audit: str = ""
    violations: int | None = None
    statistic: float | None = None
    p_value: float | None = None
    level: float | None = None
    bound: float | None = None
    lower_bound: float | None = None
    trials: int | None = None
    detectable: float | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    detail: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no check is of the kind {self.kind!r}")

    def to_dict(self) -> dict[str, Any]:
        """Write as JSON-ready values; numbers that it does not have are left out."""
        return {
            name: value for name, value in asdict(self).items() if value not in (None, "", {})
        } | {"name": self.name, "status": self.status}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Check":
        """Read what ``to_dict`` wrote."""
        return cls(**document)


def witness(
    name: str, component: str, detail: str, *, violations: bool | int, trials: int = 1
) -> Check:
    """Return a check of what must hold without exception.

    Args:
        name: ``family/what``.
        component: what is broken where it does not hold.
        detail: one sentence: where it fails what is wrong, else what was looked at.
        violations: how often it did not hold.
        trials: how often it was looked at; 0 says that there was nothing to look at.
    """
    return judged(
        Check(
            name=name,
            status="",
            component=component,
            violations=int(violations),
            trials=trials,
            detail=detail,
        )
    )


def judged(check: Check) -> Check:
    """Return ``check`` with the status that its numbers give it, as if it stood alone."""
    return replace(check, status=statuses_of([check.to_dict()])[0])


def statuses_of(checks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the status that follows for each check; those without numbers keep theirs.

    A pure function of stored numbers. Of the kind "game" all p-values together are judged by
    Holm's procedure.
    """
    games = [_number(check, "p_value") for check in checks if check.get("kind") == GAME]
    p_values = [each for each in games if each is not None]
    level = holm_level(p_values, familywise=FAMILYWISE)
    return [_status(check, level) for check in checks]


def _status(check: Mapping[str, Any], holm: float) -> str:
    violations, p_value = _number(check, "violations"), _number(check, "p_value")
    statistic = _number(check, "statistic")
    most, least = _number(check, "bound"), _number(check, "lower_bound")
    level = holm if check.get("kind") == GAME else _number(check, "level")
    faults = []
    if violations is not None:
        faults.append(violations > 0)
    if p_value is not None and level is not None:
        faults.append(p_value <= level)
    if statistic is not None and most is not None:
        faults.append(statistic > most)
    if statistic is not None and least is not None:
        faults.append(statistic < least)
    if any(faults):
        return FAILED
    if faults:
        return PASSED if check.get("trials") else NOT_APPLICABLE
    # Nothing was measured, so nothing can have passed.
    return ERROR if check.get("status") in (PASSED, FAILED, "") else str(check.get("status"))


def holm_level(p_values: Sequence[float], *, familywise: float) -> float:
    """Return the level at or below which a p-value is rejected; below 0 where none is.

    Source:
        Holm (1979), "A Simple Sequentially Rejective Multiple Test Procedure".
    """
    rejected = -1.0
    for rank, each in enumerate(sorted(p_values)):
        if each > familywise / (len(p_values) - rank):
            break
        rejected = each
    return rejected


def _number(check: Mapping[str, Any], key: str) -> float | None:
    found = check.get(key)
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def events(plan: Mapping[str, Any], kind: str) -> list[Mapping[str, str]]:
    """Return the events of one kind in a plan, each different one once, in order."""
    found: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}
    for step in plan["steps"]:
        event = step["event"]
        if event["kind"] == kind:
            found.setdefault(tuple(sorted(event.items())), event)
    return list(found.values())
