"""What a game ended in: counts, and all that follows from them.

A result holds counts of runs and the claim they are held against, nothing that was computed from
them. Whoever has it works out the p-value, the bounds and the status again, by the same functions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from attacks.conformance.game.rates import noised
from attacks.stats.paired import (
    Errors,
    PairedBound,
    best_power,
    epsilon_lower_bounds,
    least_factor,
    p_value,
)
from attacks.stats.trade_off import TradeOffCurve, claimed_curve

LEVEL = 0.01  # of all games of one trial together, for FAIL
LEAST_POWER = 0.95  # against noise that is too small by a factor of two
CONFIDENCE = 0.95  # of a lower bound on epsilon, each by itself
_TWO = 2.0


@dataclass(frozen=True, kw_only=True)
class GameResult:
    """A rule played on runs of its own in two worlds.

    Attributes:
        name: ``game/`` and what was scored: "transcript", "frozen path" or "end to end".
        score: the rule in words; it was fixed before these runs were looked at.
        world: what the two tables differ in.
        runs_out: runs without the person.
        false_positives: of these, called "in".
        runs_in: runs with the person.
        false_negatives: of these, called "out".
        events: what the ledger was charged for what was scored, as documents; at least one.
        delta: of the lower bounds on epsilon, exact text.
        level: at which this game is judged by itself: its share of the familywise level.
        reach: the part of the claimed distance between the worlds that the score can see where
            the noise is as charged, in [0, 1]; from the exact answers or from other runs.
    """

    name: str
    score: str
    world: str
    runs_out: int
    false_positives: int
    runs_in: int
    false_negatives: int
    events: tuple[Mapping[str, str], ...]
    delta: str
    level: float
    reach: float = 1.0

    def __post_init__(self) -> None:
        _ = self.errors  # refuses counts that cannot be
        if not self.events:
            raise ValueError("a game needs the events of its claim")
        if not (0 < self.level < 1 and 0 <= self.reach <= 1):
            raise ValueError("level must be in (0, 1), and reach in [0, 1]")

    @property
    def errors(self) -> Errors:
        """The counts alone."""
        return Errors(
            false_positives=self.false_positives,
            runs_out=self.runs_out,
            false_negatives=self.false_negatives,
            runs_in=self.runs_in,
        )

    @cached_property
    def claim(self) -> TradeOffCurve:
        """The curve that the events claim."""
        return claimed_curve(self.events)

    @cached_property
    def p_value(self) -> float:
        """Chance that a mechanism that keeps the claim errs so little, at most."""
        return p_value(self.errors, self.claim)

    @property
    def rejected(self) -> bool:
        """Whether the claim is rejected at this game's own level."""
        return self.p_value <= self.level

    @cached_property
    def bounds(self) -> tuple[PairedBound, PairedBound]:
        """Lower bounds on epsilon at 95 %: of any mechanism, and of one with a Gaussian curve."""
        return epsilon_lower_bounds(
            self.errors, delta=float(Fraction(self.delta)), confidence=CONFIDENCE
        )

    @property
    def runs(self) -> int:
        """Runs in the world that has fewer."""
        return min(self.runs_out, self.runs_in)

    @cached_property
    def power(self) -> float:
        """Chance that noise half as wide as charged would have been rejected."""
        if not self.runs or not self.reach:
            return 0.0
        return best_power(self.claim, self._rates(_TWO), runs=self.runs, level=self.level)

    @cached_property
    def detectable(self) -> float | None:
        """The smallest factor of too little noise that is rejected with 95 % power, or None."""
        if not self.runs or not self.reach:
            return None
        return least_factor(
            self.claim, self._rates, runs=self.runs, level=self.level, wanted=LEAST_POWER
        )

    @property
    def status(self) -> str:
        """One of "failed", "passed", and "inconclusive": half the noise might have been missed."""
        if self.rejected:
            return "failed"
        return "passed" if self.power >= LEAST_POWER else "inconclusive"

    def _rates(self, factor: float) -> list[tuple[float, float]]:
        return [noised(self.events, factor=factor, reach=self.reach)]

    def to_dict(self) -> dict[str, Any]:
        """Write as JSON-ready values: the counts and the claim."""
        return {**asdict(self), "events": [dict(event) for event in self.events]}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "GameResult":
        """Read what ``to_dict`` wrote.

        Raises:
            ValueError: the counts cannot be.
        """
        events = tuple(dict(event) for event in document["events"])
        return cls(**{**document, "events": events})

    def summary(self) -> dict[str, Any]:
        """Return what follows from the counts, JSON-ready; a pure function of ``to_dict``."""
        exact, gaussian = self.bounds
        return {
            "name": self.name,
            "status": self.status,
            "p_value": self.p_value,
            "epsilon_lower_bound": _bound(exact),
            "epsilon_lower_bound_gaussian": _bound(gaussian),
            "power_at_half_the_noise": self.power,
            "detectable_factor": self.detectable,
        }


def _bound(found: PairedBound) -> dict[str, Any]:
    return {**asdict(found), "assumptions": list(found.assumptions)}


def judged(results: Sequence[GameResult], *, level: float = LEVEL) -> tuple[bool, ...]:
    """Return of each game whether its claim is rejected, all of them at ``level`` together.

    Source:
        Holm (1979), "A Simple Sequentially Rejective Multiple Test Procedure".
    """
    order = sorted(range(len(results)), key=lambda at: results[at].p_value)
    rejected = [False] * len(results)
    for rank, at in enumerate(order):
        if results[at].p_value > level / (len(results) - rank):
            break
        rejected[at] = True
    return tuple(rejected)


def status_of(results: Sequence[GameResult], *, level: float = LEVEL) -> str:
    """Return the status of all games of one trial.

    "failed" where any claim is rejected at the familywise level; else "passed" where at least one
    game would have seen half the noise, and "inconclusive" where none would, or none was played.
    """
    if any(judged(results, level=level)):
        return "failed"
    return "passed" if any(each.power >= LEAST_POWER for each in results) else "inconclusive"
