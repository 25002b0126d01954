"""What an attacker wants, and what the attacker is given."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum


class Goal(Enum):
    """What the attacker wants to learn."""

    MEMBERSHIP = "tell whether a person's record was in the private table"
    ATTRIBUTE = "guess a column of a person's record from the others"
    SINGLING_OUT = "name a condition that exactly one person meets"
    LINKAGE = "match two partial records of one person"
    IDENTITY = "put a name to a released record, and learn something new from it"


class GeneratorAccess(Enum):
    """What the attacker can do with the synthesizer.

    Each level includes those before it. A calibrated attacker has the file alone too, and a sample
    of other people's records to say what is usual; which records those are says ``DataKnowledge``.
    """

    NO_BOX = "sees the released table only"
    CALIBRATED = "sees the released table, beside a sample to compare it with"
    BLACK_BOX = "can also run the synthesizer, settings included, on tables of their own"
    WHITE_BOX = "can also read the fitted model"


class DataKnowledge(Enum):
    """What the attacker knows of other people's records."""

    NOTHING = "holds no record but the target's"
    POPULATION_SAMPLE = "holds other people's records from the same population"
    ALL_BUT_TARGET = "holds every private record but the target's"


@dataclass(frozen=True, kw_only=True)
class ThreatModel:
    """The answers that every attack must give before it may run.

    Args:
        goal: what the attacker wants.
        generator: what the attacker can do with the synthesizer. ``NO_BOX`` with records of other
            people, as older dossiers say, is read as ``CALIBRATED``.
        data: what the attacker knows of other people's records.
        auxiliary: columns of the target's own record that the attacker knows; empty until a
            schema names them.
        secret: the column to be guessed; empty for a goal that guesses none.
    """

    goal: Goal
    generator: GeneratorAccess
    data: DataKnowledge
    auxiliary: tuple[str, ...] = ()
    secret: str = ""

    def __post_init__(self) -> None:
        alone = self.data is DataKnowledge.NOTHING
        if self.generator is GeneratorAccess.CALIBRATED and alone:
            raise ValueError("a calibrated attacker holds records of other people: say which")
        if self.generator is GeneratorAccess.NO_BOX and not alone:
            object.__setattr__(self, "generator", GeneratorAccess.CALIBRATED)

    def knowing(self, *columns: str, secret: str = "") -> "ThreatModel":
        """Return the same attacker with the columns of one schema filled in."""
        return replace(self, auxiliary=columns, secret=secret)

    def to_dict(self) -> dict[str, str]:
        """Write as text: names that ``from_dict`` reads, and one sentence for people."""
        return {
            "goal": self.goal.name,
            "generator": self.generator.name,
            "data": self.data.name,
            "auxiliary": ", ".join(self.auxiliary),
            "secret": self.secret,
            "sentence": str(self),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, str]) -> "ThreatModel":
        """Read what ``to_dict`` wrote; column names that hold ", " do not come back apart."""
        known = document.get("auxiliary", "")
        return cls(
            goal=Goal[document["goal"]],
            generator=GeneratorAccess[document["generator"]],
            data=DataKnowledge[document["data"]],
            auxiliary=tuple(known.split(", ")) if known else (),
            secret=document.get("secret", ""),
        )

    def __str__(self) -> str:
        knows = f"; knows of the target: {', '.join(self.auxiliary)}" if self.auxiliary else ""
        guesses = f"; guesses: {self.secret}" if self.secret else ""
        wants = f"wants to {self.goal.value}; {self.generator.value}; {self.data.value}"
        return f"{wants}{knows}{guesses}"
