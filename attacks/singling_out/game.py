"""The singling-out game: does a condition made from the release fit one person, and whom?"""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence
from attacks.engine.predicates import Predicates, isolated
from attacks.engine.released import Released, gathered
from attacks.engine.table import CodedTable
from attacks.observed import Figure, Observed, Stage
from attacks.singling_out.base import (
    SinglingOutAttack,
    distinct_records,
    last_codes,
    stated,
)

# Conditions that are counted one by one, beside the persons: enough for a rate.
_COUNTED = 2_000
_AT_ONCE = 10_000  # random conditions held at once


def singling_out(attack: SinglingOutAttack, evidence: Evidence, stage: Stage) -> list[Observed]:
    """Play the singling-out game.

    A person is singled out where they, and no other person attacked, meet one of the conditions.
    A control can be singled out only by chance; the baseline is how many persons as many random
    conditions of the same columns single out.

    Args:
        attack: states conditions.
        evidence: the release.
        stage: who is attacked.

    Raises:
        TooLittle: the release has no rows.
    """
    made = attack.predicates(evidence)
    hits = singled_out(made, stage.targets)
    rng = evidence.rng(f"baseline of {attack.name}")
    baseline = np.zeros(stage.size, dtype=bool)
    counted = made
    for start in range(0, len(made), _AT_ONCE):
        part = made.take(np.arange(start, min(start + _AT_ONCE, len(made))))
        drawn = random_predicates(part, evidence, rng=rng)
        baseline |= singled_out(drawn, stage.targets)
        counted = drawn if not start else counted
    return [
        Observed(
            name=f"{attack.name}@{attack.point}",
            threat_model=attack.threat_model.knowing(*evidence.release.columns),
            hits=hits,
            baseline_rate=float(baseline.mean()) if baseline.size else None,
            describe=partial(success_rates, made, counted, stage.targets),
        )
    ]


def success_rates(
    predicates: Predicates,
    random: Predicates,
    targets: CodedTable,
    is_member: NDArray[np.bool_],
    *,
    most: int = _COUNTED,
) -> tuple[Figure, ...]:
    """Return how many of the conditions exactly one member meets, and exactly one control.

    Counted by condition, not by person, as anonymeter does: among members alone, among as many
    controls, and for random conditions among members.

    Args:
        predicates: the attack's.
        random: of the baseline.
        targets: the persons attacked, numbered at random.
        is_member: shape ``(persons,)``.
        most: conditions that are counted; the first ones, which stand in random order.
    """
    groups = {"members": np.flatnonzero(is_member), "controls": np.flatnonzero(~is_member)}
    many = min(persons.size for persons in groups.values())
    figures = [
        Figure(name="conditions that one released record meets", value=float(len(predicates)))
    ]
    if not many or not len(predicates):
        return tuple(figures)
    first = np.arange(min(most, len(predicates)))
    for group, persons in groups.items():
        table = targets.take(persons[:many])
        for name, asked in (("conditions", predicates), ("random conditions", random)):
            met = isolated(asked.take(first), table) >= 0
            figures.append(
                Figure(
                    name=f"share of {name} that one of {many} meets",
                    value=float(met.mean()),
                    group=group,
                )
            )
    return tuple(figures)


def singled_out(predicates: Predicates, table: CodedTable) -> NDArray[np.bool_]:
    """Return for each person whether some predicate fits them and no other person."""
    found = isolated(predicates, table)
    hits = np.zeros(table.size, dtype=bool)
    hits[found[found >= 0]] = True
    return hits


def random_predicates(
    like: Predicates, evidence: Evidence, *, rng: np.random.Generator
) -> Predicates:
    """Return conditions on the same columns, each on a value of the release drawn at random.

    In an ordered column equal, at least and at most have the same chance.
    """
    records = distinct_records(evidence)
    rows = rng.integers(0, len(records), like.columns.shape)
    ordered = np.array([evidence.ordered[name] for name in records.columns])[like.columns]
    way = rng.integers(0, 3, like.columns.shape)
    return stated(
        like.columns,
        _cells(records, rows, like.columns),
        upward=ordered & (way == 1),
        downward=ordered & (way == 2),
        last=last_codes(evidence),
    )


def _cells(
    records: Released, rows: NDArray[np.int64], places: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Return the code of each row in its column; arrays of one shape."""
    few, numbers = gathered(records, rows)
    return few[numbers, places]
