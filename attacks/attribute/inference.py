"""A hidden column, guessed from the closest released records."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence, Guesses
from attacks.engine.nearest import Ballot, ballot
from attacks.engine.released import Counts, Released, column_counts
from attacks.engine.table import Codes, grouping_of
from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel

_VOTES = 1 << 22  # counters held at once


@dataclass(frozen=True, kw_only=True)
class NearestVote:
    """Guess what most of the released records say that agree best with what is known.

    Closest is in the number of known columns that differ; an ordered column with many codes counts
    twice, once exactly and once by its group, so that a near value is better than a far one. A
    guess is confident where some released record agrees in every known column and all such
    records say the same.
    """

    name: ClassVar[str] = "attribute/inference"
    threat_model: ClassVar[ThreatModel] = ThreatModel(
        goal=Goal.ATTRIBUTE,
        generator=GeneratorAccess.NO_BOX,
        data=DataKnowledge.NOTHING,
    )

    def guess(
        self, evidence: Evidence, targets: Codes, known: tuple[str, ...], secrets: tuple[str, ...]
    ) -> dict[str, Guesses]:
        """Return one guess a target and secret; see ``attacks.base.AttributeAttack``."""
        extra = _groups(evidence, known)
        different, back = np.unique(targets, axis=0, return_inverse=True)
        asked = _widened(different, extra)
        sizes = {secret: evidence.sizes[secret] for secret in secrets}
        found = ballot(asked, _records(evidence.release, known, secrets, extra), sizes)
        guesses = {}
        for secret in secrets:
            common = column_counts(evidence.release, secret, size=sizes[secret])
            values, confident = _majority(found, secret, common)
            guesses[secret] = Guesses(
                values=values[back.ravel()], confident=confident[back.ravel()]
            )
        return guesses


def _records(
    release: Released,
    known: tuple[str, ...],
    secrets: tuple[str, ...],
    extra: list[NDArray[np.int32] | None],
) -> Iterator[tuple[Codes, Mapping[str, Codes]]]:
    """Yield what is compared of the released rows, and what they say, in blocks."""
    for _, codes in release.blocks((*known, *secrets)):
        said = {name: codes[:, len(known) + place] for place, name in enumerate(secrets)}
        yield _widened(codes[:, : len(known)], extra), said


def _majority(
    found: Ballot, secret: str, common: Counts
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the value with the most votes of each target, and whether it had all of them."""
    size = common.size
    # Ties go to the value that is commoner in the release, then to the lower code.
    preference = np.empty(size, dtype=np.int64)
    preference[np.lexsort((-np.arange(size), common))] = np.arange(size)
    targets = found.distance.size
    values = np.empty(targets, dtype=np.int64)
    confident = np.empty(targets, dtype=bool)
    step = max(1, _VOTES // size)
    for start in range(0, targets, step):
        part = slice(start, min(targets, start + step))
        votes = found.votes(secret, start=part.start, stop=part.stop)
        values[part] = np.argmax(votes * size + preference, axis=1)
        unanimous = (votes > 0).sum(axis=1) == 1
        confident[part] = (found.distance[part] == 0) & unanimous
    return values, confident


def _groups(evidence: Evidence, known: tuple[str, ...]) -> list[NDArray[np.int32] | None]:
    """Return for each known column the groups that count beside its codes, if any."""
    extra: list[NDArray[np.int32] | None] = []
    for name in known:
        size = evidence.sizes[name]
        if not evidence.ordered[name]:
            extra.append(None)
            continue
        made = grouping_of(column_counts(evidence.release, name, size=size), ordered=True)
        extra.append(made.groups if made.size < size else None)
    return extra


def _widened(codes: Codes, extra: list[NDArray[np.int32] | None]) -> Codes:
    more = [groups[codes[:, place]] for place, groups in enumerate(extra) if groups is not None]
    return np.column_stack([codes, *more]) if more else codes
