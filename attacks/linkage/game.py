"""The linkage game: do the two halves of one person's record lead to the same released row?"""

from collections.abc import Sequence
from math import comb

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence, NotApplicable, TooLittle
from attacks.linkage.base import Halves, LinkageAttack
from attacks.observed import Observed, Stage, View

# Released rows that each half may name.
REACHES = (1, 5, 10)


def linkage(attack: LinkageAttack, evidence: Evidence, stage: Stage) -> list[Observed]:
    """Play the linkage game on one row of each person.

    Each half of a record is looked up in the release without the other. The halves are linked
    within ``k`` where one of them has among its ``k`` closest rows a row that is as close to the
    other as that one's ``k``-th closest. Where no two rows are equally close this says that their
    ``k`` closest rows share one; where several are, all of them count on one of the two sides.
    The baseline is the chance that two random choices of ``k`` released rows share one.

    Args:
        attack: looks half records up.
        evidence: the release.
        stage: who is attacked, and the declared quasi-identifiers.

    Raises:
        NotApplicable: the table has one column only.
        TooLittle: the release has no rows.
    """
    columns = evidence.release.columns
    released = len(evidence.release)
    if len(columns) < 2:
        raise NotApplicable("a record of one column has no two halves to be linked")
    if not released:
        raise TooLittle("the release has no rows to link through")
    halves = halves_of(columns, first=attack.first, views=stage.views)
    linked = links(attack, evidence, stage, halves)
    model = attack.threat_model.knowing(*halves.first)
    told = f"two sources, one with {_listed(halves.first)}, the other with the remaining columns"
    return [
        Observed(
            name=f"{attack.name}@{reach} closest",
            threat_model=model,
            hits=linked[:, place],
            baseline_rate=chance(released, reach),
            notes=(told,),
        )
        for place, reach in enumerate(REACHES)
    ]


def halves_of(columns: Sequence[str], *, first: Sequence[str], views: Sequence[View]) -> Halves:
    """Return the two halves: as given, else declared quasi-identifiers and the rest.

    Where neither tells two halves apart, every second column makes one.
    """
    declared = {name for view in views if not view.name for name in view.known}
    chosen = tuple(name for name in columns if name in (first or declared))
    if not 0 < len(chosen) < len(columns):
        chosen = tuple(columns[::2])
    return Halves(first=chosen, second=tuple(name for name in columns if name not in chosen))


def links(
    attack: LinkageAttack,
    evidence: Evidence,
    stage: Stage,
    halves: Halves,
    *,
    reaches: Sequence[int] = REACHES,
) -> NDArray[np.bool_]:
    """Return whether each person's halves are linked, shape ``(persons, reaches)``."""
    sides = []
    for known in (halves.first, halves.second):
        half = stage.one_row.only(known).codes
        found = attack.candidates(evidence, half, known, most=max(reaches))
        sides.append((known, half, found))
    linked = np.zeros((stage.one_row.size, len(reaches)), dtype=bool)
    for mine, other in (sides, sides[::-1]):
        known, half, reached = other
        rows = mine[2].rows
        misfit = attack.misfit(evidence, half, known, rows)
        for place, reach in enumerate(reaches):
            within = _limit(reached.misfit, reach)
            suits = (misfit[:, :reach] <= within[:, None]) & (rows[:, :reach] >= 0)
            linked[:, place] |= suits.any(axis=1)
    return linked


def chance(released: int, reach: int) -> float:
    """Return how often two random choices of ``reach`` rows of ``released`` share one."""
    if 2 * reach > released:
        return 1.0
    return 1 - comb(released - reach, reach) / comb(released, reach)


def _limit(misfit: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """Return how far the ``reach``-th closest row is; the last there is in a small release."""
    near = misfit[:, :reach]
    reached = np.where(np.isfinite(near), near, np.float32(-np.inf))
    return np.asarray(reached.max(axis=1), dtype=np.float32)


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(columns)
