"""The singling-out game: does a condition made from the release fit one person, and whom?"""

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence
from attacks.engine.predicates import Predicates, isolated
from attacks.engine.table import CodedTable
from attacks.observed import Figure, Observed, Stage
from attacks.singling_out.base import (
    SinglingOutAttack,
    distinct_records,
    last_codes,
    stated,
)


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
    found = isolated(made, stage.targets)
    random = random_predicates(made, evidence, rng=evidence.rng(f"baseline of {attack.name}"))
    baseline = singled_out(random, stage.targets)
    return [
        Observed(
            name=f"{attack.name}@{attack.point}",
            threat_model=attack.threat_model.knowing(*evidence.release.columns),
            hits=_persons(found, stage.targets),
            baseline_rate=float(baseline.mean()) if baseline.size else None,
            figures=(
                Figure(name="conditions that one released record meets", value=len(made)),
                Figure(name="of these, met by one person attacked", value=int((found >= 0).sum())),
            ),
        )
    ]


def singled_out(predicates: Predicates, table: CodedTable) -> NDArray[np.bool_]:
    """Return for each person whether some predicate fits them and no other person."""
    return _persons(isolated(predicates, table), table)


def _persons(found: NDArray[np.int64], table: CodedTable) -> NDArray[np.bool_]:
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
        records.codes[rows, like.columns],
        upward=ordered & (way == 1),
        downward=ordered & (way == 2),
        last=last_codes(evidence),
    )
