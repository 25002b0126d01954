"""What an attack found: counts, and everything that follows from them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from attacks import rules
from attacks.observed import Figure
from attacks.stats import binomial, difference

_DIGITS = 6  # derived figures are for reading; the rule works on the counts
Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class AttackResult:
    """One line of an audit: how often an attack was right, on members and on controls.

    Args:
        name: ``attack@operating point``, or ``attack`` where it did not run.
        goal: name of the attacker's goal, as in ``Goal``.
        threat_model: what the attacker wanted and was given, as text.
        status: "passed", "failed", "inconclusive", "uncalibrated", "not applicable", "skipped" or
            "error".
        members_hits: members on whom the attack was right, of ``members_n``.
        members_n: members attacked; persons, not rows.
        controls_hits: controls on whom the same attack was right, of ``controls_n``.
        controls_n: controls attacked.
        baseline_rate: how often a guess that ignores the target's record would have been right;
            None where nobody was attacked.
        p_value: that other draws of the labels would have favored members as much, this line
            alone; None where no coin told members from controls.
        adjusted_p_value: the same for any line of the audit (max-T).
        detectable_effect: smallest difference of rates that this many persons were sure to show
            (95 % power at the level used); None where none was.
        subgroup: such as "sex = F"; empty for everybody.
        figures: for people; they decide nothing.
        notes: sentences for people, from declared names only.
    """

    name: str
    goal: str
    threat_model: Mapping[str, str]
    status: str
    members_hits: int = 0
    members_n: int = 0
    controls_hits: int = 0
    controls_n: int = 0
    baseline_rate: float | None = None
    p_value: float | None = None
    adjusted_p_value: float | None = None
    detectable_effect: float | None = None
    subgroup: str = ""
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.status not in rules.STATUSES:
            raise ValueError(f"no result has the status {self.status!r}")
        binomial.check_counts(hits=self.members_hits, trials=self.members_n)
        binomial.check_counts(hits=self.controls_hits, trials=self.controls_n)

    @property
    def rate_members(self) -> float | None:
        """How often the attack was right on members."""
        return binomial.rate(hits=self.members_hits, trials=self.members_n)

    @property
    def rate_members_interval(self) -> Interval:
        """Exact 95 % interval of ``rate_members``."""
        return binomial.interval(hits=self.members_hits, trials=self.members_n)

    @property
    def rate_controls(self) -> float | None:
        """How often the same attack was right on controls."""
        return binomial.rate(hits=self.controls_hits, trials=self.controls_n)

    @property
    def rate_controls_interval(self) -> Interval:
        """Exact 95 % interval of ``rate_controls``."""
        return binomial.interval(hits=self.controls_hits, trials=self.controls_n)

    @property
    def difference(self) -> float | None:
        """Rate on members less rate on controls: what membership adds to the attack."""
        members, controls = self.rate_members, self.rate_controls
        return None if members is None or controls is None else members - controls

    @property
    def difference_interval(self) -> Interval:
        """95 % interval of ``difference`` that holds at every sample size."""
        return difference.interval(
            hits=self.members_hits,
            trials=self.members_n,
            control_hits=self.controls_hits,
            control_trials=self.controls_n,
        )

    def to_dict(self) -> dict[str, Any]:
        """Write the stored fields, and the derived figures rounded for reading."""
        stored = {field.name: getattr(self, field.name) for field in fields(self)}
        stored["threat_model"] = dict(self.threat_model)
        stored["notes"] = list(self.notes)
        stored["figures"] = [asdict(figure) for figure in self.figures]
        return {
            **stored,
            "rate_members": _rounded(self.rate_members),
            "rate_members_interval": _rounded_interval(self.rate_members_interval),
            "rate_controls": _rounded(self.rate_controls),
            "rate_controls_interval": _rounded_interval(self.rate_controls_interval),
            "difference": _rounded(self.difference),
            "difference_interval": _rounded_interval(self.difference_interval),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "AttackResult":
        """Read what ``to_dict`` wrote; derived figures are worked out again, not believed."""
        stored = {field.name: document[field.name] for field in fields(cls)}
        stored["notes"] = tuple(stored["notes"])
        stored["threat_model"] = dict(stored["threat_model"])
        stored["figures"] = tuple(Figure(**figure) for figure in stored["figures"])
        return cls(**stored)


@dataclass(frozen=True, kw_only=True)
class Plant:
    """Copies of some members, put into the release to see whether the audit finds them.

    Args:
        share: of the members who were copied.
        planted: persons copied.
        line: the line of the audit that saw them best, with its counts.
    """

    share: float
    planted: int
    line: AttackResult

    def found(self, limits: rules.Limits) -> bool:
        """Whether a calibrated audit would have failed on this line."""
        return rules.found(rules.Tally.from_dict(self.line.to_dict()), limits)


@dataclass(frozen=True, kw_only=True)
class Witness:
    """Something in the release that needs no statistics.

    Args:
        kind: "identifier" or "outside the domain".
        column: of the release, where it stands.
        cells: how many cells hold it.
        decides: whether it fails the audit.
        sentence: for people; never a value.
    """

    kind: str
    column: str
    cells: int
    decides: bool
    sentence: str


@dataclass(frozen=True, kw_only=True)
class LowerBound:
    """What epsilon this very release must have had at least, with a stated confidence.

    Args:
        method: how it was computed.
        epsilon: the bound; 0 where nothing follows.
        ceiling: the largest bound that this many persons could have given.
        delta: at which delta.
        confidence: chance that the bound holds.
        persons: in the audit set, each a fair coin.
        guesses: made among them, at the number that showed most.
        correct: of these.
        assumptions: what it rests on, one sentence each.
    """

    method: str
    epsilon: float
    ceiling: float
    delta: float
    confidence: float
    persons: int
    guesses: int
    correct: int
    assumptions: tuple[str, ...] = ()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def _rounded_interval(value: Interval) -> list[float]:
    return [round(value[0], _DIGITS), round(value[1], _DIGITS)]
