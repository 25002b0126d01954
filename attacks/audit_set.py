"""Who is attacked: members and controls in one shuffled table, and the labels kept apart.

Every draw is a coin of a chance that follows from the number of persons on both sides together,
never from who is on which side. Where members and controls were themselves told apart by coins,
the labels in the audit set are then independent coins as well, which one-run bounds rest on.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from attacks.engine.table import CodedTable, joined
from attacks.observed import Stage, View
from dpsynth.errors import DataError

Mask = NDArray[np.bool_]
_UNLIKELY = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class AuditSet:
    """The persons of an audit.

    Args:
        stage: what games and attacks may see of the attacked.
        is_member: shape ``(persons,)``, the labels, for the harness alone.
        fair: shape ``(persons,)``, whose label was a fair coin; nobody's where the share of
            controls was not declared.
        reference: controls who are not attacked: what an attacker may hold of the population.
    """

    stage: Stage
    is_member: Mask
    fair: Mask
    reference: CodedTable


def assemble(
    members: CodedTable,
    controls: CodedTable,
    *,
    views: tuple[View, ...],
    most: int | None,
    control_share: float | None,
    rng: np.random.Generator,
) -> AuditSet:
    """Draw who is attacked, and shuffle.

    Args:
        members: all persons who were in the training table.
        controls: all persons who were set aside.
        views: what attackers of columns know.
        most: persons attacked on each side, about; all if None.
        control_share: chance with which a coin made each person a control; None where there was
            no coin, or its chance is not known.
        rng: draws.
    """
    persons = members.size + controls.size
    share = controls.size / max(1, persons) if control_share is None else control_share
    tested = rng.random(controls.size) < 0.5
    kept_controls = tested & (rng.random(controls.size) < _keep(most, persons * share / 2))
    keep_member = _keep(most, persons * (1 - share))
    kept_members = rng.random(members.size) < keep_member
    inside = members.take(np.flatnonzero(kept_members))
    outside = controls.take(np.flatnonzero(kept_controls))
    together = joined(inside, outside)
    is_member = np.arange(together.size) < inside.size
    fair = np.zeros(together.size, dtype=bool)
    if control_share is not None and 0 < control_share < 1:
        ratio = share / 2 * _keep(most, persons * share / 2) / ((1 - share) * keep_member)
        chance = np.where(is_member, min(1.0, ratio), min(1.0, 1 / ratio))
        fair = rng.random(together.size) < chance
    order = rng.permutation(together.size)
    targets = together.take(order).in_person_order()
    return AuditSet(
        stage=Stage(targets=targets, one_row=targets.one_row_each(rng), views=views),
        is_member=is_member[order],
        fair=fair[order],
        reference=controls.take(np.flatnonzero(~tested)),
    )


def check_share(members: CodedTable, controls: CodedTable, *, control_share: float) -> None:
    """Refuse a chance that the numbers of persons belie: bounds on epsilon would rest on it.

    A true one is refused less than once in a million audits.

    Raises:
        DataError: no coin of that chance gives so many controls.
    """
    persons = members.size + controls.size
    fewer = float(special.bdtr(controls.size, persons, control_share))
    more = float(special.bdtrc(controls.size - 1, persons, control_share))
    if persons and min(fewer, more if controls.size else 1.0) < _UNLIKELY / 2:
        raise DataError(
            "the control share does not fit the tables: give the chance with which a coin made "
            "each person a control, and all persons of both sides"
        )


def _keep(most: int | None, expected: float) -> float:
    return 1.0 if most is None else min(1.0, most / max(1.0, expected))
