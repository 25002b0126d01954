"""What a trial found, and the verdict, a pure function of what is stored."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from attacks.conformance.anyone.duel import FACTOR, LEVEL, WANTED, Duel
from attacks.policy import FAIL, INCONCLUSIVE, PASS

DOUBT = 0.05
NOT_TESTED = (
    "timing, memory and other side channels",
    "tables other than the made-up ones: a dependence on rows that only special rows bring out",
    "what a mechanism does with a bill that is longer than its answers",
)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was found wrong.

    Attributes:
        audit: "bill", "conduct", "randomness", "raw", "transcript" or "game".
        component: what is broken, in the words of ``attacks.conformance.trial.Alarm``.
        sentence: what was seen.
        p_value: None where it was seen with certainty.
    """

    audit: str
    component: str
    sentence: str
    p_value: float | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Everything that a verdict rests on.

    Attributes:
        name: of the mechanism, for people.
        epsilon: as claimed.
        delta: as claimed.
        claim: how the curve on trial was made.
        neighboring: "add_or_remove" or "replace".
        tier: how much was run.
        seed: of all of it.
        fits: how many fits it took.
        witnesses: what was seen with certainty.
        p_values: of every statistical test, by name; a correct mechanism has one at or below x
            with probability at most x.
        findings_of: for each of these tests, what a rejection says.
        duels: the games.
        errors: audits that could not be run, each with why.
        notes: what was left out, or has to be known.
    """

    name: str
    epsilon: float
    delta: float
    claim: str
    neighboring: str
    tier: str
    seed: int
    fits: int
    witnesses: tuple[Finding, ...]
    p_values: Mapping[str, float]
    findings_of: Mapping[str, Finding]
    duels: tuple[Duel, ...]
    errors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def rejected(self) -> tuple[str, ...]:
        """The tests that reject at the familywise level, by Holm's procedure."""
        found = []
        for place, (name, p_value) in enumerate(
            sorted(self.p_values.items(), key=lambda each: each[1])
        ):
            if p_value * (len(self.p_values) - place) > LEVEL:
                break
            found.append(name)
        return tuple(found)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that is wrong: what was seen with certainty, then what the tests reject."""
        return (*self.witnesses, *(self.findings_of[name] for name in self.rejected))

    @property
    def power(self) -> float:
        """Estimated chance that the best game rejects, were the noise half of what it is."""
        return max((each.power for each in self.duels), default=0.0)

    @property
    def doubtful(self) -> tuple[str, ...]:
        """The tests that reject at 5 % by themselves, but not at the familywise level.

        Noise too small by a factor that is only just missed leaves such traces; a correct
        mechanism does seldom.
        """
        return tuple(
            name
            for name, p_value in self.p_values.items()
            if p_value <= DOUBT and name not in self.rejected
        )

    @property
    def verdict(self) -> str:
        """PASS, FAIL or INCONCLUSIVE."""
        if self.findings:
            return FAIL
        sure = not self.errors and not self.doubtful and self.power >= WANTED
        return PASS if sure else INCONCLUSIVE

    @property
    def reasons(self) -> tuple[str, ...]:
        """A sentence for each thing that keeps the verdict from PASS."""
        found = [f"{each.component}: {each.sentence}" for each in self.findings]
        found += [f"could not be run: {each}" for each in self.errors]
        if self.doubtful and not self.findings:
            found.append(f"in doubt, more fits are needed: {'; '.join(self.doubtful)}")
        if self.power < WANTED and not self.findings:
            found.append(
                f"noise too small by a factor of {FACTOR:g} would have been seen with probability "
                f"{self.power:.2f}, and {WANTED:g} is asked for: more fits, or a transcript"
            )
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Write as JSON-ready values; ``from_dict`` reads it, and gives the same verdict."""
        return {
            **asdict(self),
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "rejected": list(self.rejected),
            "not_tested": list(NOT_TESTED),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Outcome":
        """Read what ``to_dict`` wrote; what follows from the rest is worked out again."""
        names = set(cls.__dataclass_fields__)
        held = {name: value for name, value in document.items() if name in names}
        held["witnesses"] = tuple(Finding(**each) for each in held["witnesses"])
        held["findings_of"] = {name: Finding(**each) for name, each in held["findings_of"].items()}
        held["duels"] = tuple(Duel(**each) for each in held["duels"])
        held["errors"], held["notes"] = tuple(held["errors"]), tuple(held["notes"])
        return cls(**held)

    def to_text(self) -> str:
        """Return a table for people."""
        lines = [
            f"{self.verdict}: {self.name}, epsilon {self.epsilon:g}, delta {self.delta:g} "
            f"({self.neighboring}), {self.fits} fits",
            *(f"  {each}" for each in self.reasons),
            "",
            f"{'game':44} {'rule':32} {'errors out':>12} {'errors in':>12} {'p':>9} "
            f"{'epsilon >=':>10} {'power':>6}",
        ]
        for each in self.duels:
            out = f"{each.false_positives}/{each.runs_out}"
            within = f"{each.false_negatives}/{each.runs_in}"
            lines.append(
                f"{each.pair[:44]:44} {each.rule[:32]:32} {out:>12} {within:>12} "
                f"{each.p_value:9.2g} {each.epsilon_lower_bound:10.2f} {each.power:6.2f}"
            )
        lines += [f"note: {each}" for each in self.notes]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.to_text()
