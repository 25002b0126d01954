"""What an attack saw, a number a person, before anyone says who was a member.

Whatever an attack is, it ends in one number a person of the audit set. Only then are the labels
looked at: a line of the audit is the sum of these numbers over members, held against the sums that
other draws of the labels would have given.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from attacks.engine.table import CodedTable
from attacks.threat_model import ThreatModel

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number for people, with its 95 % interval where it has one; it decides nothing.

    Args:
        name: what it is.
        value: in the unit that ``name`` says.
        low: lower end of the interval.
        high: upper end of it.
        group: "members", "controls" or "" for both together.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    group: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Observed:
    """One line of an audit, person by person; no field knows who was a member.

    Args:
        name: ``family/attack@operating point``.
        threat_model: what the attacker wanted and was given.
        hits: shape ``(persons,)``, where the attack was right, or suspected a member.
        asked: shape ``(persons,)``, whom the attack spoke about; everybody if not given.
        values: shape ``(persons,)``, what is summed over members in the test; ``hits`` if not
            given, less the rate of hits where not everybody was asked.
        scores: shape ``(persons,)``, where the attack scores: of the curve and its area.
        baseline_rate: how often a guess that ignores the target's record would be right.
        subgroup: such as "sex = F"; empty for everybody.
        figures: for people.
        describe: more figures for people, once labels are known: the harness alone calls it.
        notes: sentences for people, from declared names only.
    """

    name: str
    threat_model: ThreatModel
    hits: Mask
    asked: Mask | None = None
    values: Values | None = None
    scores: Values | None = None
    baseline_rate: float | None = None
    subgroup: str = ""
    figures: tuple[Figure, ...] = ()
    describe: Callable[[Mask], tuple[Figure, ...]] | None = None
    notes: tuple[str, ...] = ()

    @property
    def weights(self) -> Values:
        """Shape ``(persons,)``: what is summed over members in the test."""
        if self.values is not None:
            return self.values
        if self.asked is None:
            return self.hits.astype(np.float64)
        right = self.hits & self.asked
        rate = right.sum() / max(1, int(self.asked.sum()))
        weights: Values = np.where(self.asked, right - rate, 0.0)
        return weights

    def among(self, persons: Mask, *, name: str, subgroup: str = "") -> "Observed":
        """Return the same line for some persons only."""
        asked = persons if self.asked is None else persons & self.asked
        return replace(
            self,
            name=name,
            asked=asked,
            values=None,
            subgroup=subgroup,
            figures=(),
            describe=None,
        )


@dataclass(frozen=True, kw_only=True)
class View:
    """What an attacker of one kind knows of a target, and what is hidden.

    Args:
        name: of the threat-model preset, or empty for the declared quasi-identifiers.
        known: columns of the target that the attacker holds.
        secrets: columns to be guessed, none of them known.
    """

    name: str
    known: tuple[str, ...]
    secrets: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """What the games are played on: targets in an order that tells nothing.

    Args:
        targets: rows of the audit set, in person order; persons are numbered at random.
        one_row: one row of each person, drawn at random, in the same person order.
        views: what attackers of columns know, and what they are after.
    """

    targets: CodedTable
    one_row: CodedTable
    views: tuple[View, ...]

    @property
    def size(self) -> int:
        """Persons in the audit set."""
        return self.targets.size
