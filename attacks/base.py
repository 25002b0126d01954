"""What an attack is: it scores or guesses from what its threat model allows, and no more.

The harness (``attacks.games``) decides who is attacked, in which order, keeps to itself who is a
member and what the secret is, and measures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from attacks.engine.table import CodedTable, Codes
from attacks.threat_model import ThreatModel


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What an attacker holds.

    Args:
        release: the synthetic table.
        population: records of other persons; empty where the threat model gives none.
        sizes: number of declared codes by column.
        ordered: by column, whether neighboring codes are alike.
    """

    release: CodedTable
    population: CodedTable
    sizes: Mapping[str, int]
    ordered: Mapping[str, bool]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What a membership attack says.

    Args:
        targets: shape ``(persons,)``, one score a target, higher for "was a member".
        population: shape ``(persons,)``, the score of each person of the population sample, their
            own rows left out of it: how a person who is not a member scores.
    """

    targets: NDArray[np.float64]
    population: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Guesses:
    """What an attribute attack says.

    Args:
        values: shape ``(targets,)``, the guessed code of each.
        confident: shape ``(targets,)``, whether the attacker would stake something on it.
    """

    values: NDArray[np.int64]
    confident: NDArray[np.bool_]


class MembershipAttack(Protocol):
    """Scores persons; never told which of them were members."""

    name: ClassVar[str]
    threat_model: ClassVar[ThreatModel]

    def score(self, evidence: Evidence, targets: CodedTable) -> Scores:
        """Return one score a person of ``targets``, and one a person of the population."""
        ...


class AttributeAttack(Protocol):
    """Guesses a hidden column; told neither the column nor who was a member."""

    name: ClassVar[str]
    threat_model: ClassVar[ThreatModel]

    def guess(
        self, evidence: Evidence, targets: Codes, known: tuple[str, ...], secrets: tuple[str, ...]
    ) -> Mapping[str, Guesses]:
        """Return one guess of each of ``secrets`` a row of ``targets``.

        Args:
            evidence: what the attacker holds.
            targets: shape ``(targets, known columns)``, codes of the known columns alone.
            known: names of these columns.
            secrets: names of the columns to be guessed.
        """
        ...
