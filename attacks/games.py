"""The games: what the attacker is told, and how often the attacker is right, person by person.

Nothing here knows who was a member. The harness (``attacks.audit_set``) puts members and controls
into one shuffled table and keeps the labels; a game hands the attack what its threat model allows
and writes down, for each person, whether it was right. A trial is a person, never a row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from attacks.base import AttributeAttack, Evidence, Guesses, MembershipAttack, Scores
from attacks.engine.released import Counts, column_counts
from attacks.engine.table import Codes, grouping_of
from attacks.membership.vulnerable import among_the_most_isolated
from attacks.observed import Observed, Stage, View
from attacks.stats.ranking import ranks
from attacks.threat_model import ThreatModel

# Share of persons who are not members that the attacker may suspect wrongly: hardly any and few,
# where a leak of whole records shows.
FALSE_ALARMS = (0.001, 0.01)


def membership(attack: MembershipAttack, evidence: Evidence, stage: Stage) -> list[Observed]:
    """Play the membership game.

    The attacker suspects a target whose score is above that of all but a share of the population
    sample: the threshold is set on persons who are neither attacked nor members, so both rates
    are honest. Where a leak moves every member's score a little, the ranking as a whole shows it:
    its line shows who scores above the population's median, and its test sums ranks. Beside it
    stands, for people, what the attack finds among the most isolated tenth of the targets.

    Args:
        attack: scores persons.
        evidence: the release, and a population sample that holds none of the targets.
        stage: who is attacked.
    """
    said = attack.score(evidence, stage.targets)
    model = attack.threat_model.knowing(*evidence.release.columns)
    lines = [
        Observed(
            name=f"{attack.name}@{share:.1%} false alarms",
            threat_model=model,
            hits=said.targets > _threshold(said.population, share=share),
            asked=said.scored,
            baseline_rate=_passing(evidence.population.size, share=share),
        )
        for share in FALSE_ALARMS
    ]
    return [
        *lines,
        Observed(
            name=f"{attack.name}@ranking",
            threat_model=model,
            hits=said.targets > _threshold(said.population, share=0.5),
            asked=said.scored,
            values=_ranked(said),
            scores=said.targets,
            baseline_rate=0.5,
            describe=partial(
                among_the_most_isolated,
                evidence,
                stage.targets,
                said.targets,
                _threshold(said.population, share=0.01),
            ),
        ),
    ]


class AnyAttack(Protocol):
    """What a line says of the attack that it comes from."""

    @property
    def name(self) -> str:
        """The attack's name."""
        ...

    @property
    def threat_model(self) -> ThreatModel:
        """What it wanted and was given."""
        ...


def _ranked(said: Scores) -> NDArray[np.float64]:
    """Return the rank of each target; of those who were scored alone, from their mean rank."""
    if said.scored is None:
        return ranks(said.targets)
    values = np.zeros(said.targets.size)
    among = ranks(said.targets[said.scored])
    values[said.scored] = among - (among.size + 1) / 2
    return values


def attribute(attack: AttributeAttack, evidence: Evidence, stage: Stage) -> list[Observed]:
    """Play the attribute game for every view of the targets.

    One row of each person is attacked, so that a trial is a person. A guess of an ordered column
    with many codes is right where it falls into the same group of neighboring codes.
    """
    lines: list[Observed] = []
    for view in stage.views:
        if not view.known or not view.secrets:
            continue
        secrets = view.secrets
        grouped, groups = evidence.once(
            ("grouped", secrets), partial(_with_grouped, evidence, secrets)
        )
        handed = stage.one_row.only(view.known).codes
        said = attack.guess(grouped, handed, view.known, view.secrets)
        for secret in view.secrets:
            lines += judged(
                attack,
                view,
                secret,
                said[secret],
                truth=groups[secret][stage.one_row.only([secret]).codes[:, 0]],
                common=commonest(evidence, secret, groups[secret]),
            )
    return lines


def secret_name(attack: str, secret: str, *, view: View) -> str:
    """Return what a guess of ``secret`` is called, without its operating point."""
    return f"{attack}({secret})" if not view.name else f"{attack}({secret} by {view.name})"


def judged(
    attack: AnyAttack,
    view: View,
    secret: str,
    guesses: Guesses,
    *,
    truth: Codes,
    common: int,
) -> list[Observed]:
    """Return the lines of the guesses of one secret: over everybody, and over the confident ones.

    Args:
        attack: made the guesses.
        view: what it knew.
        secret: what it guessed.
        guesses: one a person.
        truth: shape ``(persons,)``, the group of each person's own code.
        common: the group that most released rows hold.
    """
    right = guesses.values == truth
    # Most common in the release, for everyone: what is known without looking at the target.
    naive = truth == common
    name = secret_name(attack.name, secret, view=view)
    model = attack.threat_model.knowing(*view.known, secret=secret)
    confident = guesses.confident.astype(bool)
    return [
        Observed(
            name=f"{name}@all targets",
            threat_model=model,
            hits=right,
            baseline_rate=_rate(naive),
        ),
        Observed(
            name=f"{name}@confident guesses",
            threat_model=model,
            hits=right,
            asked=confident,
            baseline_rate=_rate(naive[confident]),
        ),
    ]


def _rate(hits: NDArray[np.bool_]) -> float | None:
    return float(hits.mean()) if hits.size else None


def code_groups(evidence: Evidence, column: str) -> Codes:
    """Return the group of every code of ``column``; within it a guess is right.

    Codes of an ordered column with many of them are grouped with their neighbors; others stand for
    themselves. A missing value is like no other.
    """
    size = evidence.sizes[column]
    if not evidence.ordered[column]:
        return np.arange(size, dtype=np.int32)
    missing = evidence.missing.get(column, size)
    made = grouping_of(released_counts(evidence, column)[:missing], ordered=True)
    alone = np.full(size - made.groups.size, made.size, dtype=np.int32)
    return np.concatenate([made.groups, alone])


def released_counts(evidence: Evidence, column: str) -> Counts:
    """Return how many released rows hold each code of ``column``."""
    return evidence.once(
        ("counts", column),
        lambda: column_counts(evidence.release, column, size=evidence.sizes[column]),
    )


def commonest(evidence: Evidence, column: str, groups: Codes) -> int:
    """Return the group of codes that most released rows hold; the first where there are none."""
    return int(np.argmax(np.bincount(groups, weights=released_counts(evidence, column))))


def groups_of(evidence: Evidence, columns: Sequence[str]) -> dict[str, Codes]:
    """Return the group of every code of some columns."""
    return {
        name: evidence.once(("code groups", name), partial(code_groups, evidence, name))
        for name in columns
    }


def grouped_codes(evidence: Evidence, codes: Codes, columns: Sequence[str]) -> Codes:
    """Return some columns of ``codes``, which hold those of the release, by their groups."""
    groups = groups_of(evidence, columns).values()
    places = [evidence.release.columns.index(name) for name in columns]
    return np.column_stack(
        [group[codes[:, place]] for group, place in zip(groups, places, strict=True)]
    )


def _with_grouped(
    evidence: Evidence, secrets: Sequence[str]
) -> tuple[Evidence, Mapping[str, Codes]]:
    """Return the evidence with ordered secrets in groups, and the group of every code."""
    sizes, missing, groups = dict(evidence.sizes), dict(evidence.missing), {}
    for secret in secrets:
        groups[secret] = code_groups(evidence, secret)
        sizes[secret] = int(groups[secret].max()) + 1
        if secret in missing:
            missing[secret] = sizes[secret] - 1
    grouped = evidence.release.regrouped(groups)
    return replace(evidence, release=grouped, sizes=sizes, missing=missing), groups


def _passing(population: int, *, share: float) -> float:
    """Return how often somebody like the population sample stands above its threshold."""
    return (int(share * population) + 1) / (population + 1) if population else 0.0


def _threshold(population: NDArray[np.float64], *, share: float) -> float:
    """Return the score that all but ``share`` of the population sample stay at or below."""
    if not population.size:
        return float("inf")
    allowed = int(share * population.size)
    return float(np.sort(population)[population.size - 1 - allowed])
