"""What an audit found: counts, and everything that follows from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from attacks import rules
from attacks.stats import binomial, difference

FORMAT = "dpsynth-audit/1"
_DIGITS = 6  # derived figures are for reading; the rule works on the counts
Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class AttackResult:
    """One attack at one operating point: how often it was right, on members and on controls.

    Args:
        name: ``attack`` or ``attack@operating point``.
        goal: name of the attacker's goal, as in ``Goal``.
        threat_model: what the attacker wanted and was given, as text.
        status: "passed", "failed", "inconclusive", "not applicable", "skipped" or "error".
        members_hits: members on whom the attack was right, of ``members_n``.
        members_n: members attacked; persons, not rows.
        controls_hits: controls on whom the same attack was right, of ``controls_n``.
        controls_n: controls attacked.
        baseline_rate: how often a guess that ignores the target's record would have been right;
            None where nobody was attacked.
        p_value: of the exact test that members are hit no more often; given only where persons
            were split at random, since it has no meaning otherwise.
        adjusted_p_value: the same, adjusted for all results of the audit (Holm).
        detectable_effect: smallest difference of rates that this many persons were sure to show
            (95 % power at the level used); None where none was.
        auc: chance that a member scores above a control, for attacks that score.
        auc_interval: 95 % interval of it, person-level, valid at every sample size.
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
    auc: float | None = None
    auc_interval: Interval | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.status not in rules.RAN | rules.NOT_RUN:
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
        stored["auc_interval"] = None if self.auc_interval is None else list(self.auc_interval)
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
        if stored["auc_interval"] is not None:
            low, high = stored["auc_interval"]
            stored["auc_interval"] = (low, high)
        return cls(**stored)


@dataclass(frozen=True, kw_only=True)
class AuditReport:
    """All attacks of one audit, and the verdict that their counts give.

    Args:
        split: "random" where every person was put among members or controls by an independent
            coin, else "unknown".
        tier: "smoke", "standard" or "full": how many persons were attacked.
        seed: of the audit's own choices (which persons, which halves); no privacy noise.
        unit: "row" or "person": what one trial is.
        results: one an attack and operating point.
    """

    split: str
    tier: str
    seed: int
    unit: str
    results: tuple[AttackResult, ...]

    @property
    def verdict(self) -> str:
        """Return "PASS", "FAIL" or "INCONCLUSIVE", from the stored counts alone."""
        return rules.audit_verdict([result.to_dict() for result in self.results])

    @property
    def sentence(self) -> str:
        """The verdict for a person, in one sentence."""
        if self.verdict == "FAIL":
            names = ", ".join(_attacks(self.results, "failed"))
            return f"FAIL: the release says more about its members than about others ({names})."
        if self.verdict == "INCONCLUSIVE":
            return "INCONCLUSIVE: no leak was found, but too few persons to rule out a large one."
        return "PASS: no attack did better on members than on persons who were not in the table."

    def to_dict(self) -> dict[str, Any]:
        """Write as one JSON-ready document."""
        return {
            "format": FORMAT,
            "rule": rules.RULE,
            "verdict": self.verdict,
            "split": self.split,
            "tier": self.tier,
            "seed": self.seed,
            "unit": self.unit,
            "results": [result.to_dict() for result in self.results],
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "AuditReport":
        """Read what ``to_dict`` wrote; the verdict is worked out again, not believed.

        Raises:
            ValueError: the document is of another format.
        """
        if document.get("format") != FORMAT:
            raise ValueError(f"an audit report has the format {FORMAT!r}")
        return cls(
            split=document["split"],
            tier=document["tier"],
            seed=document["seed"],
            unit=document["unit"],
            results=tuple(AttackResult.from_dict(result) for result in document["results"]),
        )


def _attacks(results: Sequence[AttackResult], status: str) -> list[str]:
    names = [result.name.partition("@")[0] for result in results if result.status == status]
    return list(dict.fromkeys(names))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def _rounded_interval(value: Interval) -> list[float]:
    return [round(value[0], _DIGITS), round(value[1], _DIGITS)]
