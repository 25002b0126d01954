"""The rule that turns counts into a verdict: a pure function, so that anyone can run it again.

Every line of an audit counts hits among members (persons in the training table) and among controls
(persons of the same population who were not). The rule, ``dpsynth-audit/2``, with its usual limits:

- Where coins told members from controls, and the two look alike without the release, the audit is
  *calibrated*: a line *failed* where members were hit more often, at a p-value of 1 % or less that
  is adjusted for all lines together (max-T), and by more than is tolerated: members were hit, or
  controls spared, 1.5 times as often as the others and 0.005 on top. A mechanism of epsilon 0.4
  may show such a factor; whoever attacks enough persons sees a slight difference in any release
  that is of use. It is reported, and does not decide. A line is *inconclusive* where it did not
  fail and a difference above 0.25 could have gone unseen; else it *passed*.
- Elsewhere there are no p-values, and a line is *uncalibrated*. It *failed* only where the
  difference is above 0.10 beyond chance: members and controls that were told apart somehow differ a
  little in any case. Where they are known to differ, only copied records count.

The verdict is FAIL where a line failed or a witness stands: a real identifier in the release. Else
it is INCONCLUSIVE where the audit is not calibrated, where the audit would not have found copies of
1 % of the members, where an attack ended in an error, was skipped or is inconclusive in all of its
lines, or where no membership attack passed. Else it is PASS.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from math import inf

from attacks.stats import binomial, difference

RULE = "dpsynth-audit/2"
RAN = frozenset({"passed", "failed", "inconclusive", "uncalibrated"})
NOT_RUN = frozenset({"not applicable", "skipped", "error"})
STATUSES = RAN | NOT_RUN
REQUIRED = ("membership/",)
COPIES = "scan/copies"
DECIDING_PLANT = 0.01
SHIFT_LEVEL = 1e-3  # at this p-value and below, controls are said to differ from members


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a verdict is measured by.

    Args:
        name: of the policy.
        level: chance of a false FAIL of the whole audit, at most.
        tolerated_ratio: how much more often members may be hit, or controls spared; above 1.
        smallest_effect: difference of rates on top of it that decides, from here on.
        uncalibrated_effect: the same where no coin told members from controls.
        largest_blind_spot: difference that may go unseen, at most.
    """

    name: str = "default"
    level: float = 0.01
    tolerated_ratio: float = 1.5
    smallest_effect: float = 0.005
    uncalibrated_effect: float = 0.10
    largest_blind_spot: float = 0.25

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "name":
                if not isinstance(value, str) or not value:
                    raise ValueError("an audit policy needs a name")
            elif field.name == "tolerated_ratio":
                if not _is_number(value) or not 1 <= value < inf:
                    raise ValueError("tolerated_ratio must be a number of at least 1")
            elif not _is_number(value) or not 0 < value < 1:
                raise ValueError(f"{field.name} must be a number between 0 and 1")

    def to_dict(self) -> dict[str, object]:
        """Write as JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What one line counted.

    Args:
        name: ``attack@operating point``, or ``attack`` where it did not run.
        ran: whether there are counts to judge.
        outcome: where it did not run: "not applicable", "skipped", "error" or "inconclusive".
        members_hits: members on whom the attack was right, of ``members_n``.
        members_n: members attacked.
        controls_hits: controls on whom the same attack was right, of ``controls_n``.
        controls_n: controls attacked.
        adjusted_p_value: of the test of all lines together; None without one.
    """

    name: str
    ran: bool
    outcome: str = ""
    members_hits: int = 0
    members_n: int = 0
    controls_hits: int = 0
    controls_n: int = 0
    adjusted_p_value: float | None = None

    @classmethod
    def from_dict(cls, document: Mapping[str, object]) -> "Tally":
        """Read the counts of a stored line; its own status is believed only where it did not run.

        Raises:
            ValueError: a field is missing, of a wrong type, or the counts contradict each other.
        """
        name, status = document.get("name"), document.get("status")
        if not isinstance(name, str) or status not in STATUSES:
            raise ValueError("a result needs a name and a known status")
        counts = {}
        for key in ("members_hits", "members_n", "controls_hits", "controls_n"):
            value = document.get(key)
            if isinstance(value, bool) or not isinstance(value, int):
                raise ValueError(f"result {name!r} needs a whole number {key!r}")
            counts[key] = value
        binomial.check_counts(hits=counts["members_hits"], trials=counts["members_n"])
        binomial.check_counts(hits=counts["controls_hits"], trials=counts["controls_n"])
        p_value = document.get("adjusted_p_value")
        if p_value is not None and (not isinstance(p_value, float | int) or not 0 <= p_value <= 1):
            raise ValueError(f"result {name!r} needs an adjusted p-value between 0 and 1")
        # An attack that could not be made on so little has no operating point, and no counts.
        ran = status in RAN and "@" in name
        if not ran and ("@" in name or any(counts.values())):
            raise ValueError(f"result {name!r} did not run, and yet has counts")
        return cls(
            name=name,
            ran=ran,
            outcome="" if ran else str(status),
            adjusted_p_value=None if p_value is None else float(p_value),
            **counts,
        )

    @property
    def difference(self) -> float:
        """Rate on members less rate on controls; 0 where either side is empty."""
        if not self.members_n or not self.controls_n:
            return 0.0
        return self.members_hits / self.members_n - self.controls_hits / self.controls_n

    @property
    def attack(self) -> str:
        """Name of the attack, without its operating point."""
        return self.name.partition("@")[0]


@dataclass(frozen=True, kw_only=True)
class Judgment:
    """What the rule says of one line.

    Attributes:
        name: the line's.
        status: "passed", "failed", "inconclusive", "uncalibrated", or why it did not run.
        detectable: smallest difference sure to be seen; None where none was.
    """

    name: str
    status: str
    detectable: float | None = None


def noticed(tally: Tally, limits: Limits) -> bool:
    """Return whether a calibrated audit says that members were hit more often at all."""
    p_value = tally.adjusted_p_value
    return p_value is not None and p_value <= limits.level and tally.difference > 0


def found(tally: Tally, limits: Limits) -> bool:
    """Return whether a calibrated audit says that this line is a leak."""
    if not noticed(tally, limits):
        return False
    members = tally.members_hits / tally.members_n
    controls = tally.controls_hits / tally.controls_n
    ratio, more = limits.tolerated_ratio, limits.smallest_effect
    return members >= ratio * controls + more or 1 - controls >= ratio * (1 - members) + more


def judge(
    tallies: Sequence[Tally], *, calibrated: bool, comparable: bool, limits: Limits
) -> tuple[Judgment, ...]:
    """Apply the rule to the lines of one audit, all together.

    Args:
        tallies: the lines.
        calibrated: whether coins told members from controls.
        comparable: whether the two look alike without the release.
        limits: of the policy.
    """
    tests = max(1, sum(tally.ran for tally in tallies))
    judgments = []
    for tally in tallies:
        if not tally.ran:
            judgments.append(Judgment(name=tally.name, status=tally.outcome))
            continue
        seen = detectable(tally, level=limits.level / tests)
        if calibrated and comparable:
            tested = tally.adjusted_p_value is not None
            blind = not tested or _blind_spot(tally, seen) > limits.largest_blind_spot
            status = "inconclusive" if blind else "passed"
            status = "failed" if found(tally, limits) else status
        else:
            beyond = _least_difference(tally, error=limits.level / tests)
            counts = comparable or tally.attack == COPIES
            failed = counts and beyond >= limits.uncalibrated_effect
            status = "failed" if failed else "uncalibrated"
        judgments.append(Judgment(name=tally.name, status=status, detectable=seen))
    return tuple(judgments)


def verdict(judgments: Sequence[Judgment], *, plant_found: bool, witnessed: bool) -> str:
    """Return "PASS", "FAIL" or "INCONCLUSIVE" for the judged lines of one audit.

    Args:
        judgments: of all lines.
        plant_found: whether copies of 1 % of the members would have been found.
        witnessed: whether a real identifier stands in the release.
    """
    statuses = {judgment.status for judgment in judgments}
    if "failed" in statuses or witnessed:
        return "FAIL"
    return "INCONCLUSIVE" if doubts(judgments, plant_found=plant_found) else "PASS"


def doubts(judgments: Sequence[Judgment], *, plant_found: bool) -> tuple[str, ...]:
    """Return a sentence for each thing that keeps an audit without a failure from PASS."""
    by_attack: dict[str, set[str]] = {}
    for judgment in judgments:
        by_attack.setdefault(judgment.name.partition("@")[0], set()).add(judgment.status)

    def held(*statuses: str) -> str:
        return ", ".join(name for name, seen in by_attack.items() if seen <= set(statuses))

    said = []
    if any("uncalibrated" in seen for seen in by_attack.values()):
        said.append("no coin told members from controls, or the two differ without the release")
    elif not plant_found:
        said.append("copies of 1 % of the members in the release would not have been found")
    if broken := held("error"):
        said.append(f"ended in an error: {broken}")
    if skipped := held("skipped"):
        said.append(f"skipped: {skipped}")
    if blind := held("inconclusive"):
        said.append(f"too few persons to see a large leak: {blind}")
    for required in REQUIRED:
        known = {"passed", "failed", "uncalibrated"}
        if not any(name.startswith(required) and seen & known for name, seen in by_attack.items()):
            said.append(f"no attack of {required.rstrip('/')} came to a result")
    return tuple(said)


def detectable(tally: Tally, *, level: float) -> float | None:
    """Return the smallest difference that a test at ``level`` was sure to see.

    Taken at the controls' rate, one hit and one miss added, so that a rate of 0 of a few is not
    believed to be 0, and as if the level were shared out evenly among the lines.
    """
    return difference.detectable(
        trials=tally.members_n,
        control_trials=tally.controls_n,
        control_rate=(tally.controls_hits + 1) / (tally.controls_n + 2),
        level=level,
    )


def _is_number(value: object) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool)


def _least_difference(tally: Tally, *, error: float) -> float:
    if not tally.members_n or not tally.controls_n:
        return -1.0
    low, _ = difference.interval(
        hits=tally.members_hits,
        trials=tally.members_n,
        control_hits=tally.controls_hits,
        control_trials=tally.controls_n,
        confidence=1 - error,
    )
    return low


def _blind_spot(tally: Tally, seen: float | None) -> float:
    """Return the largest difference that could be there and yet go unseen.

    Members cannot be hit more often than always: where controls are hit nearly always, little
    room is left for a difference, seen or not.
    """
    least, _ = binomial.interval(hits=tally.controls_hits, trials=tally.controls_n)
    room = 1 - least
    return room if seen is None else min(seen, room)
