"""What an attack is: it scores or guesses from what its threat model allows, and no more.

The harness (``attacks.games``) decides who is attacked, in which order, keeps to itself who is a
member and what the secret is, and measures.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, ClassVar, Protocol, TypeVar, cast
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from attacks.engine.released import Released
from attacks.engine.table import CodedTable, Codes
from attacks.threat_model import ThreatModel

T = TypeVar("T")


class NotApplicable(Exception):  # noqa: N818  # it says that there is nothing to attack
    """This evidence gives the attack nothing to work on; the message says what is missing."""


class TooLittle(Exception):  # noqa: N818  # likewise: not a fault
    """The attack could be made, but not on so little data; the message says what is too small."""


class Generator(Protocol):
    """The synthesizer as a black box: what an attacker can run on tables of their own."""

    def __call__(self, table: Codes, *, rows: int, seed: int) -> Codes:
        """Return ``rows`` synthetic rows, fitted on ``table``; both in the audit's columns."""
        ...


def _nobody(sentence: str) -> None:
    del sentence


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What an attacker holds.

    Args:
        release: the synthetic table.
        population: records of other persons; empty where the threat model gives none.
        sizes: number of declared codes by column.
        ordered: by column, whether neighboring codes are alike.
        missing: by column that has one, the code of the missing level, which is like no other.
        seed: of all random choices of the attacks.
        synthesizer: the kind of synthesizer, such as "mst", where it is known.
        generator: runs the synthesizer, where the attacker can.
        deadline: on the monotonic clock, when an attack should have ended; None for never.
        say: told in a sentence how far a long attack has come.
    """

    release: Released
    population: CodedTable
    sizes: Mapping[str, int]
    ordered: Mapping[str, bool]
    missing: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0
    synthesizer: str | None = None
    generator: Generator | None = None
    deadline: float | None = None
    say: Callable[[str], object] = _nobody
    _made: dict[Hashable, Any] = field(init=False, default_factory=dict, repr=False)

    def rng(self, name: str) -> np.random.Generator:
        """Return the random source of the attack ``name``: the same whichever others run."""
        return np.random.default_rng([self.seed, crc32(name.encode())])

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what ``make`` gives, made the first time only: attacks share what they count.

        Args:
            key: names what is made, and everything that it depends on beside this evidence, such as
                the table of targets itself.
            make: makes it.
        """
        if key not in self._made:
            self._made[key] = make()
        return cast("T", self._made[key])

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline, not below 0; infinite without one."""
        return float("inf") if self.deadline is None else max(0.0, self.deadline - monotonic())


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What a membership attack says.

    Args:
        targets: shape ``(persons,)``, one score a target, higher for "was a member".
        population: shape ``(persons,)``, the score of each person of the population sample, their
            own rows left out of it: how a person who is not a member scores. An attack that runs
            the synthesizer may give such scores of other persons, as many as it has.
        scored: shape ``(persons,)``, for which targets there is a score; all of them if not given.
    """

    targets: NDArray[np.float64]
    population: NDArray[np.float64]
    scored: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        # A score that is no number is above no threshold: it would pass for "not suspected".
        if np.isnan(self.targets).any() or np.isnan(self.population).any():
            raise ValueError("a score must be a number")


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
