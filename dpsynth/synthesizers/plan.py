"""A plan: the full bill of a fit, made from public facts before any row is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from dpsynth.domain import PrivacyUnit
from dpsynth.privacy.accounting import (
    cost_at,
    least_epsilon,
    split_trained,
    total_pure_epsilon,
    total_reserved_delta,
    total_rho,
    zcdp_rho,
)
from dpsynth.privacy.events import Event, SampledGaussianEvent, event_to_dict
from dpsynth.privacy.ledger import Account, Cap, Ledger, least_cap
from dpsynth.synthesizers.base import Step
from dpsynth.synthesizers.costs import EngineEstimate

FORMAT = "dpsynth-plan/1"


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a fit will take, from the declared number of rows and the declared domain.

    Attributes:
        rows: the declared ``expected_rows``.
        minutes: of one core, for fit and sample, with the rows in memory.
        mebibytes: peak memory of the process, likewise.
        engines: the same by engine that may hold the rows, with what it is asked; empty where
            what the method asks hangs on noisy answers. Not part of the document.
    """

    rows: int
    minutes: float
    mebibytes: float
    engines: tuple[EngineEstimate, ...] = ()


def cost_of(events: Sequence[Event], *, epsilon: Fraction, delta: Fraction) -> Fraction:
    """Return the ``rho`` of a plan of (epsilon, delta) whose charges are ``events``, exact.

    The sum of their zCDP costs; sampled training, which has none, counts as a ledger would count
    it whose cap were the plan's own claim.

    Args:
        events: of the plan, in order.
        epsilon: of its claim, exact.
        delta: of its claim, exact; above 0 where one of them trains.
    """
    if not split_trained(events)[0]:
        return total_rho(events)
    return _as_cap(events, epsilon=epsilon, delta=delta).cost(*events)


def _as_cap(events: Sequence[Event], *, epsilon: Fraction, delta: Fraction) -> Cap:
    return Cap(epsilon=epsilon, delta=delta, reserved=total_reserved_delta(events))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Every charge that a fit will make, in order; they add up to ``rho`` exactly.

    Where ``delta`` is 0 every charge is pure, and their epsilons add up to ``epsilon`` exactly.
    Where a charge trains, every scale is fixed here, and ``least_epsilon`` of all charges is at
    most ``epsilon``; ``rho`` then says how the cost is shared, and not what a ledger will count.

    Attributes:
        synthesizer: its name.
        settings: its public settings, JSON-able.
        epsilon: of the claim, exact.
        delta: of the claim, exact; may be 0.
        rho: what the ledger is charged in zCDP, exact: all that (epsilon, delta) allows, rounded
            down; where ``delta`` is 0, the cost of the steps; where one trains, ``cost_of`` them.
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
        if cost_of(self.events, epsilon=self.epsilon, delta=self.delta) != self.rho:
            raise ValueError("the steps of a plan must add up to its rho")
        if self.reserved_delta and self.reserved_delta >= self.delta:
            raise ValueError("the steps of a plan must leave some of its delta to its rho")
        pure = self.delta == 0
        if pure and total_pure_epsilon(step.event for step in self.steps) != self.epsilon:
            raise ValueError("the steps of a plan without a delta must add up to its epsilon")
        if self.trained and least_epsilon(self.events, self.delta) > self.epsilon:
            raise ValueError("the steps of a plan that trains must keep to its epsilon")

    @property
    def events(self) -> tuple[Event, ...]:
        """What every step will be charged for, in order."""
        return tuple(step.event for step in self.steps)

    @property
    def trained(self) -> tuple[SampledGaussianEvent, ...]:
        """The sampled training among the steps; most plans have none."""
        return split_trained(self.events)[0]

    @property
    def order(self) -> Fraction | None:
        """The Renyi order at which the costs of a plan that trains are stated; None for others."""
        if not self.trained:
            return None
        return _as_cap(self.events, epsilon=self.epsilon, delta=self.delta).order

    @property
    def costs(self) -> tuple[Fraction, ...]:
        """What each step costs, in order; they add up to ``rho``."""
        order = self.order
        return tuple(
            zcdp_rho(event) if order is None else cost_at(event, order) for event in self.events
        )

    @cached_property
    def needs_cap(self) -> Cap | None:
        """About the least cap, at this delta, of a ledger that can pay for this plan alone.

        None where nothing trains: the plan's own (epsilon, delta) is then cap enough. Training
        costs more of a cap than it claims: the claim holds because all scales are fixed here, and
        a cap must hold for whatever is asked later.
        """
        return least_cap(self.events, self.delta) if self.trained else None

    def open(self, ledger: Ledger, *, seeded: bool = False) -> Account:
        """Begin the release that this plan is the bill of; charges nothing yet.

        Raises:
            BudgetExceededError: the ledger cannot pay; no row was read.
            UsageError: earlier releases of the ledger protect another unit; no row was read.
        """
        trained, others = split_trained(self.events)
        named = "" if self.unit_column is None else f", named in the column {self.unit_column!r}"
        return ledger.open_release(
            rho=total_rho(others),
            reserved=self.reserved_delta,
            trained=trained,
            seeded=seeded,
            unit=f"one {self.unit.name}{named}",
        )

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
            **({"order": str(self.order)} if self.trained else {}),
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
                    "rho": str(cost),
                }
                for step, cost in zip(self.steps, self.costs, strict=True)
            ],
            "estimate": estimate,
        }
