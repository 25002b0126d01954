"""Correct attribution: what the released records with a person's keys say of a hidden column.

The family of R's synthpop and of SDMetrics. ``q`` are the keys of a person, ``t`` the hidden value;
``s`` counts released records, ``d`` persons; a missing value is a level like any other:

- iS: share of persons with released records at their keys, ``s[q] > 0``;
- DiS: those whose records there all say the same;
- DiSCO: those of whom it is also right;
- TCAP: right among those whose records all say the same, ``DiSCO / DiS``;
- DCAP: mean share of the records at a person's keys that say what is right, ``s[t, q] / s[q]``, 0
  where there is none; SDMetrics calls it zero CAP. CAP is the same over those who have records;
- UiO: persons who are alone with their keys, ``d[q] = 1``; repU: those who have one record, too,
  ``d[q] = 1`` and ``s[q] = 1``;
- Dorig: persons whose keys settle the value among the persons themselves; DiSDiO: DiSCO of those;
- baseCAP: mean of ``d[t]`` over all persons: what the keys add nothing to; CAPd: DCAP, were the
  persons' own table released.

Source:
    Raab, Nowok and Dibben (2024), Practical privacy metrics for synthetic data, appendix; the
    functions ``disclosure`` of synthpop 1.9 (percentages there, shares here; its ``DCAPd`` is DCAP
    and its ``TCAP`` is TCAP) and ``cap`` of SDMetrics. Taub et al. (2018) for CAP.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from attacks import games
from attacks.base import Evidence, TooLittle
from attacks.engine.counts import mix, record_words
from attacks.engine.released import Occurrences
from attacks.engine.table import Codes
from attacks.observed import Figure, Mask, Observed, Stage, View
from attacks.stats import binomial, bounded
from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel

MEMBERS, CONTROLS = "members", "controls"


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """Believe a released record that has the keys of the target.

    One line counts the persons of whom all such records say what is right (DiSCO), another sums
    the share of such records that are right (DCAP); its hits are the persons of whom more than
    half are. Ordered columns of many codes are keys by groups of neighboring codes.
    """

    name: ClassVar[str] = "attribute/attribution"
    threat_model: ClassVar[ThreatModel] = ThreatModel(
        goal=Goal.ATTRIBUTE,
        generator=GeneratorAccess.NO_BOX,
        data=DataKnowledge.NOTHING,
    )


@dataclass(frozen=True, kw_only=True)
class Keyed:
    """What records say of persons, by their keys.

    Args:
        records: shape ``(persons,)``, records with the keys of each person.
        right: those that hold the person's own value as well.
        settled: shape ``(persons,)``, whether there are records and all hold one value.
    """

    records: NDArray[np.int64]
    right: NDArray[np.int64]
    settled: Mask

    @property
    def attributed(self) -> Mask:
        """Whether all records say the same, and it is right."""
        return np.asarray(self.settled & (self.right == self.records))

    @property
    def share(self) -> NDArray[np.float64]:
        """Share of the records that are right; 0 where there is none."""
        return np.asarray(self.right / np.maximum(self.records, 1))

    def only(self, persons: Mask | NDArray[np.int64]) -> "Keyed":
        """Return what is said of some of the persons."""
        return Keyed(
            records=self.records[persons], right=self.right[persons], settled=self.settled[persons]
        )


@dataclass(frozen=True, kw_only=True)
class Held:
    """Rows by their keys and the hidden column, as words and codes.

    Args:
        words: shape ``(rows,)``, one word for the keys of a row.
        values: shape ``(rows,)``, the hidden column.
    """

    words: NDArray[np.uint64]
    values: Codes

    def __len__(self) -> int:
        return int(self.values.size)

    def only(self, rows: Mask | NDArray[np.int64]) -> "Held":
        """Return some of the rows."""
        return Held(words=self.words[rows], values=self.values[rows])


def keyed(persons: Held, records: Iterable[Held]) -> Keyed:
    """Look up every person among the records, which come in blocks, by the keys."""
    keys, both = Occurrences(persons.words), Occurrences(_with_value(persons))
    least = np.full(keys.distinct.size, np.iinfo(np.int64).max)
    greatest = np.full(keys.distinct.size, -1)
    for block in records:
        keys.add(block.words)
        both.add(_with_value(block))
        rows, places = keys.places(block.words)
        np.minimum.at(least, places, block.values[rows])
        np.maximum.at(greatest, places, block.values[rows])
    # Records with some keys all say the same where the least of it is the greatest.
    return Keyed(records=keys.counts, right=both.counts, settled=keys.by_word(least == greatest))


def play(attack: Attribution, evidence: Evidence, stage: Stage) -> list[Observed]:
    """Play the attribute game of correct attribution for every view and secret.

    Raises:
        TooLittle: the release has no rows.
    """
    if not len(evidence.release):
        raise TooLittle("the release has no rows to look anybody up in")
    lines: list[Observed] = []
    for view in stage.views:
        for secret in view.secrets if view.known else ():
            lines += _lines(attack, evidence, stage, view, secret)
    return lines


def _lines(
    attack: Attribution, evidence: Evidence, stage: Stage, view: View, secret: str
) -> list[Observed]:
    persons = held(evidence, stage.one_row.codes, view.known, secret)
    groups = games.groups_of(evidence, [*view.known, secret])
    records = evidence.release.regrouped(groups).blocks([*view.known, secret])
    found = keyed(
        persons,
        (Held(words=record_words(codes[:, :-1]), values=codes[:, -1]) for _, codes in records),
    )
    naive = persons.values == games.commonest(evidence, secret, groups[secret])
    model = attack.threat_model.knowing(*view.known, secret=secret)
    name = games.secret_name(attack.name, secret, view=view)
    return [
        Observed(
            name=f"{name}@disclosive and correct",
            threat_model=model,
            hits=found.attributed,
            baseline_rate=_mean(naive & found.settled),
            describe=partial(tables, persons, found),
        ),
        Observed(
            name=f"{name}@most records correct",
            threat_model=model,
            hits=found.share > 0.5,
            values=found.share,
            baseline_rate=_mean(naive & (found.records > 0)),
        ),
    ]


def held(evidence: Evidence, codes: Codes, known: tuple[str, ...], secret: str) -> Held:
    """Return rows by their keys and the hidden column, ordered columns of many codes in groups."""
    return Held(
        words=record_words(games.grouped_codes(evidence, codes, known)),
        values=games.grouped_codes(evidence, codes, [secret])[:, 0],
    )


def tables(persons: Held, found: Keyed, is_member: Mask) -> tuple[Figure, ...]:
    """Return the figures of the family, for members and for as many controls.

    Who is alone with some keys depends on how many persons there are, so the larger group is cut
    to the size of the smaller; targets are in random order, and the first are kept.

    Args:
        persons: the targets.
        found: what the release says of them.
        is_member: shape ``(persons,)``.
    """
    least = int(min(is_member.sum(), (~is_member).sum()))
    figures: list[Figure] = []
    for group, side in ((MEMBERS, is_member), (CONTROLS, ~is_member)):
        chosen = np.flatnonzero(side)[:least]
        mine = persons.only(chosen)
        figures += _of_group(mine, found.only(chosen), keyed(mine, [mine]), group=group)
    return tuple(figures)


def _of_group(persons: Held, found: Keyed, own: Keyed, *, group: str) -> list[Figure]:
    """Return the figures of one group.

    Shares of persons who are looked up in the release one by one have exact intervals; a figure
    that compares the persons with each other describes this table of them, and has none.
    """
    count = len(persons)
    if not count:
        return []
    alone = own.records == 1
    shares = np.bincount(persons.values) / count
    present = found.records > 0
    return [
        _share("iS: keys in the release", present, group),
        _share("DiS: all records there say the same", found.settled, group),
        _share("DiSCO: and they are right", found.attributed, group),
        _share("TCAP: right where they say the same", found.attributed[found.settled], group),
        _average("DCAP: share of records that are right", found.share, group),
        _average("CAP: the same where there are records", found.share[present], group),
        _plain("UiO: alone with their keys", alone, group),
        _plain("repU: alone, with one record in the release", alone & (found.records == 1), group),
        _plain("Dorig: keys settle the value among them", own.settled, group),
        _plain("DiSDiO: DiSCO of those", found.attributed & own.settled, group),
        _plain("baseCAP: a value by how common it is", shares[persons.values], group),
        _plain("CAPd: DCAP of their own table", own.share, group),
    ]


def _share(name: str, hits: Mask, group: str) -> Figure:
    low, high = binomial.interval(hits=int(hits.sum()), trials=hits.size)
    return Figure(name=name, value=_mean(hits), low=low, high=high, group=group)


def _average(name: str, values: NDArray[np.float64], group: str) -> Figure:
    mean = _mean(values)
    low, high = bounded.interval(mean, trials=values.size)
    return Figure(name=name, value=mean, low=low, high=high, group=group)


def _plain(name: str, values: NDArray[np.float64] | Mask, group: str) -> Figure:
    return Figure(name=name, value=_mean(values), group=group)


def _mean(values: NDArray[np.float64] | Mask) -> float:
    return float(values.mean()) if values.size else 0.0


def _with_value(rows: Held) -> NDArray[np.uint64]:
    words = rows.words.copy()
    mix(words, rows.values.astype(np.uint64))
    return words
