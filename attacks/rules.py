"""The rule that turns counts into a verdict: a pure function, so that anyone can run it again.

Every result counts hits among members (persons in the training table) and among controls (persons
of the same population who were not). The rule, ``dpsynth-audit/1``:

- A result *failed* where the exact one-sided test that members are hit no more often than controls
  rejects, all results of the audit together at 1 % (Holm), and the difference is 0.02 or more: a
  smaller one is reported, but does not decide.
- A result is *inconclusive* where it did not fail and a difference above 0.25 could have gone
  unseen.
- Otherwise it *passed*.

The verdict is FAIL where a result failed; else INCONCLUSIVE where one ended in an error or was
skipped, or where every result of a required attack is inconclusive; else PASS. The name of a
result is ``attack`` or ``attack@operating point``: an attack needs one conclusive operating point.
Whether the split was random changes what the p-value means, hence whether it is printed, but not
the rule: an unexplained difference fails under either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from attacks.stats import binomial, difference
from attacks.stats.multiplicity import holm

RULE = "dpsynth-audit/1"
LEVEL = 0.01
SMALLEST_EFFECT = 0.02
LARGEST_BLIND_SPOT = 0.25
RAN = frozenset({"passed", "failed", "inconclusive"})
NOT_RUN = frozenset({"not applicable", "skipped", "error"})
REQUIRED = ("membership/",)


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What one attack did, in counts of persons.

    Args:
        name: ``attack`` or ``attack@operating point``.
        ran: whether there are counts to judge.
        outcome: where it did not run: "not applicable", "skipped" or "error".
        members_hits: members on whom the attack was right, of ``members_n``.
        members_n: members attacked.
        controls_hits: controls on whom the same attack was right, of ``controls_n``.
        controls_n: controls attacked.
    """

    name: str
    ran: bool
    outcome: str = ""
    members_hits: int = 0
    members_n: int = 0
    controls_hits: int = 0
    controls_n: int = 0

    @classmethod
    def from_dict(cls, document: Mapping[str, object]) -> "Tally":
        """Read the counts of a stored result; its own status is believed only where it did not run.

        Raises:
            ValueError: a field is missing, of a wrong type, or the counts contradict each other.
        """
        name, status = document.get("name"), document.get("status")
        if not isinstance(name, str) or status not in RAN | NOT_RUN:
            raise ValueError("a result needs a name and a known status")
        ran = status in RAN
        counts = {}
        for key in ("members_hits", "members_n", "controls_hits", "controls_n"):
            value = document.get(key)
            if isinstance(value, bool) or not isinstance(value, int):
                raise ValueError(f"result {name!r} needs a whole number {key!r}")
            counts[key] = value
        binomial.check_counts(hits=counts["members_hits"], trials=counts["members_n"])
        binomial.check_counts(hits=counts["controls_hits"], trials=counts["controls_n"])
        return cls(name=name, ran=ran, outcome="" if ran else str(status), **counts)


@dataclass(frozen=True, kw_only=True)
class Judgment:
    """What the rule says of one result.

    Attributes:
        name: the result's.
        status: "passed", "failed", "inconclusive", or why it did not run.
        p_value: of the exact test, None where it did not run.
        adjusted: the same, adjusted for all results of the audit.
        detectable: smallest difference sure to be seen at the level used; None where none was.
    """

    name: str
    status: str
    p_value: float | None = None
    adjusted: float | None = None
    detectable: float | None = None


def judge(tallies: Sequence[Tally]) -> tuple[Judgment, ...]:
    """Apply the rule to the results of one audit, all together."""
    ran = [tally for tally in tallies if tally.ran]
    p_values = [_p_value(tally) for tally in ran]
    adjusted = dict(zip(ran, zip(p_values, holm(p_values), strict=True), strict=True))
    judgments = []
    for tally in tallies:
        if not tally.ran:
            judgments.append(Judgment(name=tally.name, status=tally.outcome))
            continue
        p_value, together = adjusted[tally]
        seen = detectable(tally, tests=len(ran))
        if together <= LEVEL and _difference(tally) >= SMALLEST_EFFECT:
            status = "failed"
        elif _blind_spot(tally, seen) > LARGEST_BLIND_SPOT:
            status = "inconclusive"
        else:
            status = "passed"
        judgments.append(
            Judgment(
                name=tally.name,
                status=status,
                p_value=p_value,
                adjusted=together,
                detectable=seen,
            )
        )
    return tuple(judgments)


def detectable(tally: Tally, *, tests: int) -> float | None:
    """Return the smallest difference that ``tests`` tests together were sure to see.

    Taken at the controls' rate, one hit and one miss added, so that a rate of 0 of a few is not
    believed to be 0.
    """
    return difference.detectable(
        trials=tally.members_n,
        control_trials=tally.controls_n,
        control_rate=(tally.controls_hits + 1) / (tally.controls_n + 2),
        level=LEVEL / tests,
    )


def audit_verdict(results: Sequence[Mapping[str, object]]) -> str:
    """Return "PASS", "FAIL" or "INCONCLUSIVE" for stored results, from their counts alone.

    Raises:
        ValueError: a result is malformed.
    """
    return verdict(judge([Tally.from_dict(result) for result in results]))


def verdict(judgments: Sequence[Judgment]) -> str:
    """Return "PASS", "FAIL" or "INCONCLUSIVE" for the judged results of one audit."""
    statuses = {judgment.status for judgment in judgments}
    if "failed" in statuses:
        return "FAIL"
    by_attack: dict[str, set[str]] = {}
    for judgment in judgments:
        by_attack.setdefault(judgment.name.partition("@")[0], set()).add(judgment.status)
    unfinished = statuses & {"error", "skipped"}
    blind = any(held == {"inconclusive"} for held in by_attack.values())
    missing = any(
        not any(name.startswith(required) and "passed" in held for name, held in by_attack.items())
        for required in REQUIRED
    )
    return "INCONCLUSIVE" if unfinished or blind or missing else "PASS"


def _p_value(tally: Tally) -> float:
    return difference.p_value(
        hits=tally.members_hits,
        trials=tally.members_n,
        control_hits=tally.controls_hits,
        control_trials=tally.controls_n,
    )


def _difference(tally: Tally) -> float:
    if not tally.members_n or not tally.controls_n:
        return 0.0
    return tally.members_hits / tally.members_n - tally.controls_hits / tally.controls_n


def _blind_spot(tally: Tally, seen: float | None) -> float:
    """Return the largest difference that could be there and yet go unseen.

    Members cannot be hit more often than always: where controls are hit nearly always, little
    room is left for a difference, seen or not.
    """
    least, _ = binomial.interval(hits=tally.controls_hits, trials=tally.controls_n)
    room = 1 - least
    return room if seen is None else min(seen, room)
