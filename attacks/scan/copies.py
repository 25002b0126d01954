"""Copied records: whose record, held by nobody else attacked, stands in the release?"""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence, NotApplicable, TooLittle
from attacks.engine.counts import Words, mix
from attacks.engine.released import Occurrences
from attacks.engine.table import CodedTable, Codes
from attacks.observed import Observed, Stage
from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel

_LOOKS_UP = ThreatModel(
    goal=Goal.MEMBERSHIP,
    generator=GeneratorAccess.NO_BOX,
    data=DataKnowledge.NOTHING,
)


class Scan(Protocol):
    """Looks persons up in the release."""

    name: ClassVar[str]
    threat_model: ClassVar[ThreatModel]

    @property
    def point(self) -> str:
        """Name of the operating point."""
        ...

    def found(self, evidence: Evidence, targets: CodedTable) -> NDArray[np.bool_]:
        """Return for each person whether they were found."""
        ...


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Find persons of whom a record that no other person has stands in the release, to the digit.

    Deterministic. A control is found where two persons of the population happen to have one
    record: this is the base rate.
    """

    name: ClassVar[str] = "scan/copies"
    threat_model: ClassVar[ThreatModel] = _LOOKS_UP

    @property
    def point(self) -> str:
        """Name of the operating point."""
        return "exact record"

    def found(self, evidence: Evidence, targets: CodedTable) -> NDArray[np.bool_]:
        """Return for each person whether they were found."""
        sought = _Sought(targets, targets.words)
        for words in evidence.release.word_blocks():
            sought.look(words)
        return sought.hits


@dataclass(frozen=True, kw_only=True)
class NearCopies:
    """Find persons of whom a record stands in the release, in codes, but for one column at most.

    The columns that agree must tell the person from all other persons attacked. Codes stand for
    ranges where a column has many values, so records that were moved a little are found too.
    """

    name: ClassVar[str] = "scan/near-copies"
    threat_model: ClassVar[ThreatModel] = _LOOKS_UP

    @property
    def point(self) -> str:
        """Name of the operating point."""
        return "all but one column"

    def found(self, evidence: Evidence, targets: CodedTable) -> NDArray[np.bool_]:
        """Return for each person whether they were found.

        Raises:
            NotApplicable: there are fewer than three columns.
        """
        if len(targets.columns) < 3:
            raise NotApplicable("records of one or two columns have no near copies")
        places = range(len(targets.columns))
        mine = _sums(targets.codes)
        sought = [_Sought(targets, mine - _cells(targets.codes, place)) for place in places]
        for _, codes in evidence.release.blocks():
            theirs = _sums(codes)
            for place in places:
                sought[place].look(theirs - _cells(codes, place))
        return np.asarray(np.any([each.hits for each in sought], axis=0))


def scan(attack: Scan, evidence: Evidence, stage: Stage) -> list[Observed]:
    """Look every person attacked up in the release.

    Args:
        attack: looks persons up.
        evidence: the release.
        stage: who is attacked.

    Raises:
        TooLittle: the release has no rows.
    """
    if not len(evidence.release):
        raise TooLittle("the release has no rows to scan")
    return [
        Observed(
            name=f"{attack.name}@{attack.point}",
            threat_model=attack.threat_model.knowing(*evidence.release.columns),
            hits=attack.found(evidence, stage.targets),
            baseline_rate=0.0,
        )
    ]


def _alone(words: Words, targets: CodedTable) -> NDArray[np.int64]:
    """Return the rows whose word no other person has."""
    order = np.argsort(words, kind="stable")
    words, persons = words[order], targets.persons[order]
    begins = np.flatnonzero(np.diff(words, prepend=~words[:1]) != 0)
    if not begins.size:
        return np.empty(0, dtype=np.int64)
    least = np.minimum.reduceat(persons, begins)
    greatest = np.maximum.reduceat(persons, begins)
    runs = np.diff(begins, append=words.size)
    return np.asarray(order[np.repeat(least == greatest, runs)])


class _Sought:
    """Words of persons that no other person has, and who of them was found.

    Args:
        targets: the persons.
        words: one a row.
    """

    def __init__(self, targets: CodedTable, words: Words) -> None:
        rows = _alone(words, targets)
        self._persons, self._words = targets.persons[rows], Occurrences(words[rows])
        self._size = targets.size

    def look(self, among: Words) -> None:
        """Look for them among the words of some more released rows."""
        self._words.add(among)

    @property
    def hits(self) -> NDArray[np.bool_]:
        """Shape ``(persons,)``."""
        hits = np.zeros(self._size, dtype=bool)
        hits[self._persons[self._words.counts > 0]] = True
        return hits


def _cells(codes: Codes, place: int) -> Words:
    """Return one word a row for the code of one column."""
    words = np.zeros(codes.shape[0], dtype=np.uint64)
    mix(words, np.full(codes.shape[0], place, dtype=np.uint64))
    mix(words, codes[:, place].astype(np.uint64))
    return words


def _sums(codes: Codes) -> Words:
    """Return the sum of all columns' words by row: one can be taken away again."""
    total = np.zeros(codes.shape[0], dtype=np.uint64)
    for place in range(codes.shape[1]):
        total += _cells(codes, place)
    return total
