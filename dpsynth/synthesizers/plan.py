"""A plan: the full bill of a fit, made from public facts before any row is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from dpsynth.domain import PrivacyUnit
from dpsynth.privacy.accounting import total_pure_epsilon, total_reserved_delta, total_rho, zcdp_rho
from dpsynth.privacy.events import event_to_dict
from dpsynth.synthesizers.base import Step

FORMAT = "dpsynth-plan/1"


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a fit will take, from the declared number of rows and the declared domain.

    Attributes:
        rows: the declared ``expected_rows``.
        minutes: of one core, for fit and sample.
        mebibytes: peak memory of the process.
    """

    rows: int
    minutes: float
    mebibytes: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Every charge that a fit will make, in order; they add up to ``rho`` exactly.

    Where ``delta`` is 0 every charge is pure, and their epsilons add up to ``epsilon`` exactly.

    Attributes:
        synthesizer: its name.
        settings: its public settings, JSON-able.
        epsilon: of the claim, exact.
        delta: of the claim, exact; may be 0.
        rho: what the ledger is charged in zCDP, exact: all that (epsilon, delta) allows, rounded
            down; where ``delta`` is 0, the cost of the steps.
        unit: whose data one guarantee covers.
        unit_column: the column that names a person, or None where the unit is a row.
        steps: the charges.
        estimate: minutes and memory, or None where the schema declares no ``expected_rows``.
    """

    synthesizer: str
    settings: Mapping[str, object]
    epsilon: Fraction
    delta: Fraction
    rho: Fraction
    unit: PrivacyUnit
    unit_column: str | None
    steps: tuple[Step, ...]
    estimate: Estimate | None

    def __post_init__(self) -> None:
        if total_rho(step.event for step in self.steps) != self.rho:
            raise ValueError("the steps of a plan must add up to its rho")
        if self.reserved_delta and self.reserved_delta >= self.delta:
            raise ValueError("the steps of a plan must leave some of its delta to its rho")
        pure = self.delta == 0
        if pure and total_pure_epsilon(step.event for step in self.steps) != self.epsilon:
            raise ValueError("the steps of a plan without a delta must add up to its epsilon")

    @property
    def reserved_delta(self) -> Fraction:
        """What partition selections spend of ``delta``, exact; rho goes with what is left."""
        return total_reserved_delta(step.event for step in self.steps)

    def to_dict(self) -> dict[str, object]:
        """Write the plan as JSON-able values; fractions as "p/q" text."""
        estimate = None
        if self.estimate is not None:
            estimate = {
                "rows": self.estimate.rows,
                "minutes": self.estimate.minutes,
                "mebibytes": self.estimate.mebibytes,
            }
        return {
            "format": FORMAT,
            "synthesizer": {"name": self.synthesizer, "settings": dict(self.settings)},
            "epsilon": str(self.epsilon),
            "delta": str(self.delta),
            "rho": str(self.rho),
            **({"reserved_delta": str(self.reserved_delta)} if self.reserved_delta else {}),
            "unit": {
                "name": self.unit.name,
                "column": self.unit_column,
                "max_rows": self.unit.max_rows,
                "neighboring": self.unit.neighboring.value,
            },
            "steps": [
                {
                    "phase": step.phase,
                    "label": step.label,
                    "event": event_to_dict(step.event),
                    "rho": str(zcdp_rho(step.event)),
                }
                for step in self.steps
            ],
            "estimate": estimate,
        }
