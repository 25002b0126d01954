"""Identity disclosure, as regulators count it: a convention, never a test.

For each person in the private table: the attacker knows the quasi-identifiers, looks for them in
the release, believes the match, and has one chance in ``f`` of meaning the right one, where ``f``
persons of the table share them. It counts where something new is learnt: the matching records say
of a sensitive column what is true of the person and would not have been guessed anyway.

    risk(person) = 1 / f  x  matched  x  learns something new  x  verified

The mean over the persons is held against 0.09, the threshold in use for public releases by Health
Canada and the European Medicines Agency (Policy 0070): about one in eleven. The same is counted of
controls as if they had been in the table. A risk that controls have as well is no fault of the
release, however high; a low one is no proof: what is decided on is the difference, in the tests.

Source:
    El Emam, Mosquera and Bass (2020), Evaluating identity disclosure risk in fully synthetic health
    data: the product of match, group size, verification and learning something new, and the
    threshold. Here ``verified`` is 1 unless said otherwise (no match is forgiven), group sizes are
    those of the table given, not of a population, and "new" has the plain meaning below.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from attacks import games
from attacks.attribute.attribution import CONTROLS, MEMBERS
from attacks.base import Evidence
from attacks.engine.counts import Words, occurrences, record_words
from attacks.engine.released import Counts, Occurrences
from attacks.engine.table import CodedTable, Codes
from attacks.observed import Figure, View
from attacks.stats import bounded

THRESHOLD = 0.09
RISK = "identity risk, something new learnt"
MATCHED = "identity risk of a match, whatever is learnt"


def conventions(
    evidence: Evidence,
    members: CodedTable,
    controls: CodedTable,
    *,
    views: Sequence[View],
    verified: float = 1.0,
) -> tuple[Figure, ...]:
    """Return the mean identity risk of members and of controls, with intervals.

    Whether a risk may be above the threshold, ``may_exceed`` tells by the upper end of its exact
    95 % interval: few persons show little.

    Args:
        evidence: the release.
        members: all persons of the private table.
        controls: persons who were not in it.
        views: what the attacker knows and is after; one whose columns were named is counted apart.
        verified: chance that a right match is confirmed, in [0, 1].

    Returns:
        No figure where the schema names no quasi-identifier or no sensitive column, or where
        nobody is there.
    """
    if not 0 <= verified <= 1:
        raise ValueError("verified must lie between 0 and 1")
    by_name: dict[str, list[View]] = {}
    for view in views:
        if view.known and view.secrets:
            by_name.setdefault(view.name, []).append(view)
    inside = members.one_row_each(evidence.rng("identity/members"))
    outside = controls.one_row_each(evidence.rng("identity/controls"))
    figures: list[Figure] = []
    for name, asked in by_name.items():
        suffix = f", by {name}" if name else ""
        for group, persons in ((MEMBERS, inside), (CONTROLS, outside)):
            if not persons.size:
                continue
            matched, risks = risk(evidence, persons, inside, asked, own=group == MEMBERS)
            figures += [
                _mean(RISK + suffix, risks * verified, group),
                _mean(MATCHED + suffix, matched * verified, group),
            ]
    return tuple(figures)


def may_exceed(figure: Figure) -> bool:
    """Return whether the upper end of a risk is above 0.09 (convention)."""
    return figure.high is None or figure.high > THRESHOLD


def risk(
    evidence: Evidence,
    persons: CodedTable,
    table: CodedTable,
    views: Sequence[View],
    *,
    own: bool,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the risk of each person that a match is right, and that something new is learnt too.

    Args:
        evidence: the release.
        persons: one row each.
        table: the private table, one row a person.
        views: quasi-identifiers and sensitive columns; where a sensitive column is itself a
            quasi-identifier, it is left out of what is known for it.
        own: whether the persons are in the table; else they are counted as if they were.

    Returns:
        Two arrays of shape ``(persons,)``: of the widest view, and with something new learnt about
        any of the sensitive columns.
    """
    learnt = np.zeros(persons.size)
    plain = np.zeros(persons.size)
    for view in sorted(views, key=lambda one: len(one.known)):
        keys = _keys(evidence, persons.codes, view)
        alike = occurrences(keys, among=_keys(evidence, table.codes, view)) + (not own)
        truths = {
            secret: games.grouped_codes(evidence, persons.codes, [secret])[:, 0]
            for secret in view.secrets
        }
        records, right = _in_release(evidence, view, keys, truths)
        plain = (records > 0) / alike
        for secret, truth in truths.items():
            # Most matching records say what is true, though it is not the commonest value.
            groups = games.groups_of(evidence, [secret])[secret]
            usual = games.commonest(evidence, secret, groups)
            new = (2 * right[secret] > records) & (truth != usual)
            learnt = np.maximum(learnt, np.where(new, plain, 0.0))
    return plain, learnt


def _in_release(
    evidence: Evidence, view: View, keys: Words, truths: Mapping[str, Codes]
) -> tuple[Counts, dict[str, Counts]]:
    """Return how many released records have the keys of each person, and the true value too."""
    columns = [*view.known, *truths]
    found = Occurrences(keys)
    right = {secret: Occurrences(_with_value(keys, truth)) for secret, truth in truths.items()}
    grouped = evidence.release.regrouped(games.groups_of(evidence, columns))
    for _, codes in grouped.blocks(columns):
        released = record_words(codes[:, : len(view.known)])
        found.add(released)
        for place, seen in enumerate(right.values(), start=len(view.known)):
            seen.add(_with_value(released, codes[:, place]))
    return found.counts, {secret: seen.counts for secret, seen in right.items()}


def _with_value(keys: Words, values: Codes) -> Words:
    return record_words(np.column_stack([keys.view(np.int64), values]))


def _keys(evidence: Evidence, codes: Codes, view: View) -> NDArray[np.uint64]:
    return record_words(games.grouped_codes(evidence, codes, view.known))


def _mean(name: str, values: NDArray[np.float64], group: str) -> Figure:
    mean = float(values.mean())
    low, high = bounded.interval(mean, trials=values.size)
    return Figure(name=name, value=mean, low=low, high=high, group=group)
