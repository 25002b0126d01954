"""Attackers that a health table should expect, and which of its columns each of them knows.

A preset says what such a person plausibly knows of one target, in words. Which columns hold that,
the officer says; where nobody did, the names, kinds and code systems of the schema do. Rows are
never looked at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dpsynth.errors import UsageError

if TYPE_CHECKING:
    from dpsynth.schema import ModeledColumn, Schema


@dataclass(frozen=True, kw_only=True)
class Part:
    """One thing that an attacker knows of a target.

    Args:
        name: what it is; the officer's key for the columns that hold it.
        words: a column whose name holds one of them is taken to hold it.
        kinds: kinds of column that can hold it; any if empty.
        coded: whether a column with a declared code system holds it, whatever its name.
        most: columns taken at most, in the schema's order.
    """

    name: str
    words: frozenset[str]
    kinds: frozenset[str] = frozenset()
    coded: bool = False
    most: int = 1

    def holds(self, column: "ModeledColumn") -> bool:
        """Whether ``column`` is taken to hold this, by what is declared of it."""
        from dpsynth.schema import CategoricalColumn
        from dpsynth.schema.wording import words_in

        if self.coded and isinstance(column, CategoricalColumn):
            icd = column.rollup is not None and column.rollup.rule.startswith("icd")
            if icd or column.codes is not None:
                return True
        fits = not self.kinds or column.kind in self.kinds
        return fits and not self.words.isdisjoint(words_in(column.name))


def _part(name: str, words: str, *, kinds: str = "", coded: bool = False, most: int = 1) -> Part:
    return Part(
        name=name,
        words=frozenset(words.split()),
        kinds=frozenset(kinds.split()),
        coded=coded,
        most=most,
    )


_AGE = _part("age", "age ages dob birth birthdate birthday birthyear yob")
_SEX = _part("sex", "sex gender female male")
_ZIP = _part("zip", "zip zipcode zip3 zip5 postal postcode")
_RACE = _part("race", "race ethnicity ethnic")
_MARITAL = _part("marital", "marital maritalstatus")
_ADMISSION = _part(
    "admission",
    "admission admissions admit admitted admittime discharge hospital ward department encounter",
    most=2,
)
_CODES = _part(
    "codes",
    "diagnosis diag dx icd icd9 icd10 procedure cpt drg atc ndc snomed",
    kinds="categorical ordinal boolean",
    coded=True,
    most=3,
)


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One kind of attacker.

    Args:
        name: as in a report and on a command line.
        sentence: who it is and what is known, for people.
        parts: what is known of a target; every column but the secret if empty.
    """

    name: str
    sentence: str
    parts: tuple[Part, ...] = ()

    def columns(
        self,
        schema: "Schema",
        *,
        given: Mapping[str, str | Sequence[str]] | None = None,
        secret: str = "",
    ) -> tuple[str, ...]:
        """Return the columns of a target that this attacker knows, in the schema's order.

        Args:
            schema: the declared columns.
            given: by name of a part, the column or columns that hold it, as the officer says;
                nothing else is then taken to hold that part. No column says: not known.
            secret: the column to be guessed, which nobody is taken to know.

        Raises:
            UsageError: ``given`` names no part of this preset or no column to learn, or no
                column at all is found.
        """
        modeled = [column.name for column in schema.modeled]
        found = self._found(schema, given or {})
        known = {name for names in found.values() for name in names} if self.parts else {*modeled}
        columns = tuple(name for name in modeled if name in known and name != secret)
        if not columns:
            wanted = ", ".join(part.name for part in self.parts) or "any column but the secret"
            raise UsageError(
                f"the schema has no column that the attacker {self.name!r} would know: "
                f"name one for at least one of: {wanted}"
            )
        return columns

    def missing(
        self, schema: "Schema", *, given: Mapping[str, str | Sequence[str]] | None = None
    ) -> tuple[str, ...]:
        """Return the names of the parts that no column holds, for a note to the officer."""
        found = self._found(schema, given or {})
        return tuple(name for name, columns in found.items() if not columns)

    def _found(
        self, schema: "Schema", given: Mapping[str, str | Sequence[str]]
    ) -> dict[str, tuple[str, ...]]:
        modeled = [column.name for column in schema.modeled]
        named = {key: (held,) if isinstance(held, str) else (*held,) for key, held in given.items()}
        parts = [part.name for part in self.parts]
        for key, columns in named.items():
            if key not in parts:
                known = ", ".join(parts) or "nothing in particular"
                raise UsageError(f"the attacker {self.name!r} knows no {key!r}, but: {known}")
            for column in columns:
                if column not in modeled:
                    raise UsageError(
                        f"{column!r}, given for the {key!r} of the attacker {self.name!r}, is not "
                        "a column to learn"
                    )
        return {
            part.name: named.get(
                part.name,
                tuple(c.name for c in schema.modeled if part.holds(c))[: part.most],
            )
            for part in self.parts
        }


NEIGHBOR = Preset(
    name="neighbor",
    sentence="a neighbor, who knows age, sex, three-digit zip and one admission",
    parts=(_AGE, _SEX, _ZIP, _ADMISSION),
)
INSURER = Preset(
    name="insurer",
    sentence="an insurer, who knows demographics and three codes",
    parts=(_AGE, _SEX, _ZIP, _RACE, _MARITAL, _CODES),
)
REGISTRY_HOLDER = Preset(
    name="registry holder",
    sentence="the holder of another registry, who knows all columns but one",
)
PRESETS: Mapping[str, Preset] = {
    preset.name: preset for preset in (NEIGHBOR, INSURER, REGISTRY_HOLDER)
}
