"""What HIPAA Safe Harbor would ask about, from names, kinds and bounds alone. Warnings, no block.

Safe Harbor (45 CFR 164.514(b)(2)) lists eighteen classes of identifiers. A column that is generated
or excluded is not released, so only columns to learn are looked at.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dpsynth.schema.columns import DateColumn, LevelsColumn, ModeledColumn, NumericColumn
from dpsynth.schema.document import Schema
from dpsynth.schema.values import is_number, key
from dpsynth.schema.wording import words_in

OLDEST = 89
_NUMBERS = "identifying numbers"

# Class, and the words in a column's name that point to it. The first class that fits is named.
_WORDS: tuple[tuple[str, str], ...] = (
    ("email addresses", "email mail emailaddress"),
    ("fax numbers", "fax"),
    ("telephone numbers", "phone telephone mobile cell tel phonenumber"),
    ("IP addresses", "ip ipaddress"),
    ("web addresses", "url uri website homepage"),
    ("social security numbers", "ssn socialsecurity"),
    ("medical record numbers", "mrn medrec chartno"),
    ("health plan numbers", "beneficiary memberid policyno subscriber medicare medicaid"),
    ("account numbers", "account acct iban"),
    ("certificate and license numbers", "license licence certificate passport"),
    ("vehicle identifiers", "vin plate vehicle"),
    ("device identifiers", "serial device udi imei"),
    ("biometric identifiers", "fingerprint biometric retina voiceprint iris"),
    ("photographs", "photo photograph picture"),
    ("zip codes", "zip zipcode zip3 zip5 postal postcode"),
    ("places smaller than a state", "address street city county town latitude longitude lat lon"),
    ("names", "name firstname lastname surname forename fullname initials"),
    ("dates finer than a year", "date dob birthday birthdate day month dadth modth"),
    (_NUMBERS, "id uid uuid guid nbr identifier idnumber patientid personid"),
)
_BY_WORD = {word: named for named, words in _WORDS for word in words.split()}
_TEXT = "comment comments description freetext history narrative note notes reason remark remarks"
_TEXT_WORDS = frozenset([*_TEXT.split(), "text", "title"])
_AGE_WORDS = frozenset({"age", "ages", "alter"})


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One reason why Safe Harbor may not hold.

    Attributes:
        column: the declared column.
        identifier: the class of identifiers in question.
        why: what points to it, and what can be done.
    """

    column: str
    identifier: str
    why: str

    def __str__(self) -> str:
        return f"column {self.column!r}: {self.identifier}: {self.why}"


def findings(schema: Schema) -> tuple[Finding, ...]:
    """Return every finding, in column order."""
    return tuple(finding for column in schema.modeled for finding in _of_column(column))


def _of_column(column: ModeledColumn) -> Iterator[Finding]:
    words = words_in(column.name)
    if isinstance(column, DateColumn):
        yield Finding(
            column=column.name,
            identifier="dates finer than a year",
            why="its kind is date; learn the year as an integer, or a duration, instead",
        )
        return
    if _AGE_WORDS & {*words} and _passes(column):
        yield Finding(
            column=column.name,
            identifier=f"ages over {OLDEST}",
            why=f"its declared range goes on; end it at {OLDEST + 1}, read as '{OLDEST + 1} or "
            "more', to group them",
        )
    if column.learns_values and _TEXT_WORDS & {*words}:
        yield Finding(
            column=column.name,
            identifier="any other identifying text",
            why="its name says free text, and an open column publishes word for word what enough "
            "persons share; if true, declare it as 'excluded'",
        )
        return
    for word in words:
        named = _BY_WORD.get(word)
        if named == _NUMBERS and _lists_values(column):
            continue  # codes of wards or types tell no person apart
        if named is not None:
            yield Finding(
                column=column.name,
                identifier=named,
                why="its name says so; if true, declare it as 'identifier' or 'excluded', "
                "or coarsen it",
            )
            return


def _lists_values(column: ModeledColumn) -> bool:
    """Whether a list of values is declared; one read off the rows may list persons."""
    if column.learns_values:
        return False
    listed = isinstance(column, LevelsColumn) and column.values is not None
    return listed and column.origin("values").status != "guessed"


def _passes(column: ModeledColumn) -> bool:
    """Whether ages above the oldest can be told apart: 90 itself may stand for all of them."""
    if isinstance(column, NumericColumn):
        return column.limits is None or column.limits[1] > OLDEST + 1
    if not isinstance(column, LevelsColumn) or not column.is_ready():
        return False
    beyond = 0
    for level in column.levels:
        first = re.match(r"\D*(\d+)", key(level))
        if is_number(level) or first is not None:
            beyond += first is not None and int(first[1][:9]) > OLDEST
    return beyond > 1
