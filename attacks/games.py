"""The games: who is attacked, what the attacker is told, and how often the attacker was right.

A game alone knows who was a member. It puts members and controls into one shuffled table, hands
that to the attack without labels, and sorts the answers afterwards. A trial is a person, never a
row: a person's rows are either all on one side or all on the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from attacks.base import AttributeAttack, Evidence, Guesses, MembershipAttack
from attacks.engine.table import CodedTable, Codes, by_row, grouping, joined

# Share of persons who are not members that the attacker may suspect wrongly: few, where a leak of
# whole records shows, and half, where one that moves every member a little does.
FALSE_ALARMS = (0.05, 0.5)


@dataclass(frozen=True, kw_only=True)
class Count:
    """How often an attack was right, at one operating point.

    Args:
        point: name of the operating point.
        members_hits: of ``members_n``.
        members_n: members attacked.
        controls_hits: of ``controls_n``.
        controls_n: controls attacked.
        baseline_rate: how often a guess that ignores the target would have been right.
    """

    point: str
    members_hits: int
    members_n: int
    controls_hits: int
    controls_n: int
    baseline_rate: float | None


@dataclass(frozen=True, kw_only=True)
class MembershipOutcome:
    """What a membership game saw.

    Args:
        counts: one an operating point.
        members: score of each member.
        controls: score of each control.
    """

    counts: tuple[Count, ...]
    members: NDArray[np.float64]
    controls: NDArray[np.float64]


def halves(
    table: CodedTable, *, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return a random half of the person numbers, and the others."""
    shuffled = rng.permutation(table.size)
    return np.sort(shuffled[: table.size // 2]), np.sort(shuffled[table.size // 2 :])


def membership(
    attack: MembershipAttack,
    *,
    evidence: Evidence,
    members: CodedTable,
    controls: CodedTable,
    rng: np.random.Generator,
) -> MembershipOutcome:
    """Play the membership game.

    The attacker suspects a target whose score is above that of all but a share of the population
    sample: the threshold is set on persons who are neither attacked nor members, so both rates
    are honest.

    Args:
        attack: scores persons.
        evidence: the release, and a population sample that holds none of the targets.
        members: persons who were in the training table.
        controls: persons who were not, and are not in the population sample.
        rng: draws the order of targets.
    """
    targets, order = _shuffled(members, controls, rng=rng)
    said = attack.score(evidence, targets)
    scores = np.empty(order.size)
    scores[order] = said.targets
    mine, others = scores[: members.size], scores[members.size :]
    counts = []
    for share in FALSE_ALARMS:
        threshold = _threshold(said.population, share=share)
        counts.append(
            Count(
                point=f"{share:.0%} false alarms",
                members_hits=int((mine > threshold).sum()),
                members_n=members.size,
                controls_hits=int((others > threshold).sum()),
                controls_n=controls.size,
                baseline_rate=share,
            )
        )
    return MembershipOutcome(counts=tuple(counts), members=mine, controls=others)


def attribute(
    attack: AttributeAttack,
    *,
    evidence: Evidence,
    members: CodedTable,
    controls: CodedTable,
    known: Sequence[str],
    secrets: Sequence[str],
    rng: np.random.Generator,
) -> dict[str, tuple[Count, ...]]:
    """Play the attribute game for columns that are guessed from the same known ones.

    One row of each person is drawn, so that a trial is a person. A guess of an ordered column with
    many codes is right where it falls into the same group of neighboring codes.

    Returns:
        By secret: over all targets, and over the confident guesses.
    """
    evidence, targets_of = _with_grouped(evidence, secrets)
    one_each = (members.one_row_each(rng), controls.one_row_each(rng))
    targets, order = _shuffled(*one_each, rng=rng)
    handed = targets.only(known).codes
    said = attack.guess(evidence, handed, tuple(known), tuple(secrets))
    is_member = order < members.size
    return {
        secret: _judged(
            said[secret],
            truth=targets_of[secret][targets.only([secret]).codes[:, 0]],
            released=evidence.release.only([secret]).codes[:, 0],
            is_member=is_member,
        )
        for secret in secrets
    }


def _judged(
    guesses: Guesses,
    *,
    truth: Codes,
    released: Codes,
    is_member: NDArray[np.bool_],
) -> tuple[Count, ...]:
    right = guesses.values == truth
    # Most common in the release, for everyone: what is known without looking at the target.
    naive = truth == (np.argmax(np.bincount(released)) if released.size else 0)
    everyone = np.ones(truth.size, dtype=bool)
    counts = []
    for point, asked in (("all targets", everyone), ("confident guesses", guesses.confident)):
        mine, others = asked & is_member, asked & ~is_member
        counts.append(
            Count(
                point=point,
                members_hits=int((right & mine).sum()),
                members_n=int(mine.sum()),
                controls_hits=int((right & others).sum()),
                controls_n=int(others.sum()),
                baseline_rate=float(naive[asked].mean()) if asked.any() else None,
            )
        )
    return tuple(counts)


def _with_grouped(
    evidence: Evidence, secrets: Sequence[str]
) -> tuple[Evidence, Mapping[str, Codes]]:
    """Return the evidence with ordered secrets in groups, and the group of every code."""
    release = evidence.release
    codes = release.codes.copy()
    sizes, groups = dict(evidence.sizes), {}
    for secret in secrets:
        place = release.columns.index(secret)
        groups[secret] = np.arange(sizes[secret], dtype=np.int32)
        if evidence.ordered[secret]:
            made = grouping(codes[:, place], size=sizes[secret], ordered=True)
            groups[secret], sizes[secret] = made.groups, made.size
        codes[:, place] = groups[secret][codes[:, place]]
    return replace(evidence, release=by_row(release.columns, codes), sizes=sizes), groups


def _shuffled(
    members: CodedTable, controls: CodedTable, *, rng: np.random.Generator
) -> tuple[CodedTable, NDArray[np.int64]]:
    """Return all targets in random order of persons, and the number of each in the true order.

    Rows are put in the order of the new numbers too: neither says who was a member.
    """
    together = joined(members, controls)
    order = rng.permutation(together.size)
    return together.take(order).in_person_order(), order


def _threshold(population: NDArray[np.float64], *, share: float) -> float:
    """Return the score that all but ``share`` of the population sample stay at or below."""
    if not population.size:
        return float("inf")
    allowed = int(share * population.size)
    return float(np.sort(population)[population.size - 1 - allowed])
