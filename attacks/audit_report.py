"""What an audit found: its lines, what stands beside them, and the verdict that they give."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from attacks import rules
from attacks.observed import Figure
from attacks.results import AttackResult, LowerBound, Plant, Witness

FORMAT = "dpsynth-audit/2"


@dataclass(frozen=True, kw_only=True)
class AuditReport:
    """All attacks of one audit, and the verdict that their counts give.

    Args:
        split: "random" where every person was put among members or controls by an independent
            coin, else "unknown".
        tier: "smoke", "standard" or "full": which attacks ran, on how many persons.
        seed: of the audit's own choices (which persons, which halves); no privacy noise.
        unit: "row" or "person": what one trial is.
        results: one a line.
        limits: what the verdict is measured by.
        plan: what was to be done, fixed before it was done.
        plants: calibration on copies of members.
        shift_p_value: that members and controls look alike without the release; None where it was
            not tested.
        lower_bounds: on epsilon, for this very release.
        witnesses: what needs no statistics.
        conventions: figures that regulators hold against a convention; they decide nothing.
        smoke_test: nearest-record distances; they decide nothing.
        tables: sentences on what was read of the tables, where that is not all of them, or not
            into memory.
    """

    split: str
    tier: str
    seed: int
    unit: str
    results: tuple[AttackResult, ...]
    limits: rules.Limits = field(default_factory=rules.Limits)
    plan: Mapping[str, Any] = field(default_factory=dict)
    plants: tuple[Plant, ...] = ()
    shift_p_value: float | None = None
    lower_bounds: tuple[LowerBound, ...] = ()
    witnesses: tuple[Witness, ...] = ()
    conventions: tuple[Figure, ...] = ()
    smoke_test: tuple[Figure, ...] = ()
    tables: tuple[str, ...] = ()

    @property
    def comparable(self) -> bool:
        """Whether members and controls were not seen to differ without the release."""
        return self.shift_p_value is None or self.shift_p_value > rules.SHIFT_LEVEL

    @property
    def plant_found(self) -> bool:
        """Whether copies of 1 % of the members would have been found."""
        return any(
            plant.share == rules.DECIDING_PLANT and plant.found(self.limits)
            for plant in self.plants
        )

    @cached_property
    def judgments(self) -> tuple[rules.Judgment, ...]:
        """What the rule says of each line, worked out from the stored counts."""
        return rules.judge(
            [rules.Tally.from_dict(result.to_dict()) for result in self.results],
            calibrated=self.split == "random",
            comparable=self.comparable,
            limits=self.limits,
        )

    @property
    def slight(self) -> tuple[str, ...]:
        """Names of attacks that did better on members, by less than decides."""
        tallies = [rules.Tally.from_dict(result.to_dict()) for result in self.results]
        seen = [
            tally.attack
            for tally, judgment in zip(tallies, self.judgments, strict=True)
            if judgment.status == "passed" and rules.noticed(tally, self.limits)
        ]
        return tuple(dict.fromkeys(seen))

    @cached_property
    def verdict(self) -> str:
        """Return "PASS", "FAIL" or "INCONCLUSIVE", from the stored counts alone."""
        return rules.verdict(
            self.judgments,
            plant_found=self.plant_found,
            witnessed=any(witness.decides for witness in self.witnesses),
        )

    @property
    def reasons(self) -> tuple[str, ...]:
        """A sentence for each thing that kept the audit from PASS, or that its PASS hangs on."""
        failed = [f"{name} did better on members" for name in self._failed()]
        seen = [witness.sentence for witness in self.witnesses if witness.decides]
        doubts = rules.doubts(self.judgments, plant_found=self.plant_found)
        return (*failed, *seen, *doubts, *self._other_limits())

    @property
    def sentence(self) -> str:
        """The verdict for a person, in one sentence; in two where its limits are not the usual."""
        if self.verdict == "INCONCLUSIVE":
            why = "; ".join(self.reasons)
            return f"INCONCLUSIVE: no leak was found, and that shows little: {why}."
        said = self._said
        for limits in self._other_limits():
            said += f" {limits.capitalize()}."
        return said

    @property
    def _said(self) -> str:
        if self.verdict == "FAIL":
            names = ", ".join([*self._failed(), *(w.kind for w in self.witnesses if w.decides)])
            return f"FAIL: the release says more about its members than about others ({names})."
        if self.slight:
            return (
                "PASS: no attack did better on members than on others by more than is tolerated; "
                f"slightly better: {', '.join(self.slight)}."
            )
        return "PASS: no attack did better on members than on persons who were not in the table."

    def _failed(self) -> list[str]:
        names = [one.name.partition("@")[0] for one in self.judgments if one.status == "failed"]
        return list(dict.fromkeys(names))

    def _other_limits(self) -> tuple[str, ...]:
        """Say so where the limits are not the usual ones, whatever they are called."""
        if replace(self.limits, name=rules.Limits().name) == rules.Limits():
            return ()
        return ("the limits of the verdict are not the usual ones",)

    def to_dict(self) -> dict[str, Any]:
        """Write as one JSON-ready document."""
        return {
            "format": FORMAT,
            "rule": rules.RULE,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "slight": list(self.slight),
            "split": self.split,
            "comparable": self.comparable,
            "tier": self.tier,
            "seed": self.seed,
            "unit": self.unit,
            "limits": self.limits.to_dict(),
            "plan": dict(self.plan),
            "results": [result.to_dict() for result in self.results],
            "plants": [
                {
                    "share": plant.share,
                    "planted": plant.planted,
                    "found": plant.found(self.limits),
                    "line": plant.line.to_dict(),
                }
                for plant in self.plants
            ],
            "shift_p_value": self.shift_p_value,
            "lower_bounds": [
                {**asdict(bound), "assumptions": list(bound.assumptions)}
                for bound in self.lower_bounds
            ],
            "witnesses": [asdict(witness) for witness in self.witnesses],
            "conventions": [asdict(figure) for figure in self.conventions],
            "smoke_test": [asdict(figure) for figure in self.smoke_test],
            **({"tables": list(self.tables)} if self.tables else {}),
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
            limits=rules.Limits(**document["limits"]),
            plan=document["plan"],
            plants=tuple(
                Plant(
                    share=plant["share"],
                    planted=plant["planted"],
                    line=AttackResult.from_dict(plant["line"]),
                )
                for plant in document["plants"]
            ),
            shift_p_value=document["shift_p_value"],
            lower_bounds=tuple(
                LowerBound(**{**bound, "assumptions": tuple(bound["assumptions"])})
                for bound in document["lower_bounds"]
            ),
            witnesses=tuple(Witness(**witness) for witness in document["witnesses"]),
            conventions=tuple(Figure(**figure) for figure in document["conventions"]),
            smoke_test=tuple(Figure(**figure) for figure in document["smoke_test"]),
            tables=tuple(document.get("tables", ())),
        )
