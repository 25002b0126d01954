"""A hidden column, guessed from the closest released records."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence, Guesses
from attacks.engine.nearest import Nearest, nearest
from attacks.engine.table import Codes, grouping
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
        released = evidence.release.only(known).codes
        extra = _groups(evidence, known, released)
        different, back = np.unique(targets, axis=0, return_inverse=True)
        found = nearest(_widened(different, extra), _widened(released, extra))
        guesses = {}
        for secret in secrets:
            place = evidence.release.columns.index(secret)
            values, confident = _majority(
                found, evidence.release.codes[:, place], size=evidence.sizes[secret]
            )
            guesses[secret] = Guesses(
                values=values[back.ravel()], confident=confident[back.ravel()]
            )
        return guesses


def _majority(
    found: Nearest, released: NDArray[np.int32], *, size: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the value with the most votes of each target, and whether it had all of them."""
    common = np.bincount(released, minlength=size)
    # Ties go to the value that is commoner in the release, then to the lower code.
    preference = np.empty(size, dtype=np.int64)
    preference[np.lexsort((-np.arange(size), common))] = np.arange(size)
    targets = found.distance.size
    values = np.empty(targets, dtype=np.int64)
    confident = np.empty(targets, dtype=bool)
    step = max(1, _VOTES // size)
    for start in range(0, targets, step):
        part = slice(start, min(targets, start + step))
        votes = found.votes(released, size=size, start=part.start, stop=part.stop)
        values[part] = np.argmax(votes * size + preference, axis=1)
        unanimous = (votes > 0).sum(axis=1) == 1
        confident[part] = (found.distance[part] == 0) & unanimous
    return values, confident


def _groups(
    evidence: Evidence, known: tuple[str, ...], released: Codes
) -> list[NDArray[np.int32] | None]:
    """Return for each known column the groups that count beside its codes, if any."""
    extra: list[NDArray[np.int32] | None] = []
    for place, name in enumerate(known):
        size = evidence.sizes[name]
        if not evidence.ordered[name]:
            extra.append(None)
            continue
        made = grouping(released[:, place], size=size, ordered=True)
        extra.append(made.groups if made.size < size else None)
    return extra


def _widened(codes: Codes, extra: list[NDArray[np.int32] | None]) -> Codes:
    more = [groups[codes[:, place]] for place, groups in enumerate(extra) if groups is not None]
    return np.column_stack([codes, *more]) if more else codes
