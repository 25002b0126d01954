"""Is a person's part of what is counted their own?

Before anything is counted, rows are coded, bounded and split. Whoever is taken out of a table must
take one unit with them, of no more rows than are declared, and move nobody else; what order rows
stand in must not matter at all. And nothing of that may be remembered where tables are drawn: these
follow from the model and a seed.
"""

from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from attacks.conformance.trial import Alarm, Trial

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.testing.crowds import Coded

SENSITIVITY, FLOW, PAST, SIDE = (
    "sensitivity",
    "control flow",
    "post-processing",
    "side channels",
)
_SHARES = (Fraction(0), Fraction(1, 2))  # of controls
_LEARNT, _SAMPLED = 600, 200  # rows
_STEP = 3  # rows from one size of a table to the next


def audit(trial: Trial) -> list[Alarm]:
    """Return what one person's rows do beside being counted."""
    from dpsynth.testing import crowds

    alarms = [
        alarm
        for kind in range(len(crowds.KINDS))
        for share in _SHARES
        for alarm in _one_by_one(trial, kind=kind, share=share)
    ]
    return list(dict.fromkeys([*alarms, *_remembered(trial)]))


def _one_by_one(trial: Trial, *, kind: int, share: Fraction) -> list[Alarm]:
    from dpsynth.testing import crowds
    from dpsynth.testing.outcome import outcome_of

    schema, unit = trial.schema, trial.schema.privacy_unit
    table, whose = crowds.crowd(schema, kind=kind, seed=trial.seed)
    shuffled = table.sample(frac=1, random_state=trial.seed).reset_index(drop=True)
    worlds = [table, shuffled, *crowds.without_each(table, whose)]
    # Whether a table is taken, and what is said of it, may not follow its size either.
    sizes = [table.iloc[:rows] for rows in range(0, len(table), _STEP)]
    seen = [
        outcome_of(lambda world=world: (crowds.coded(world, schema, control=share), ()))
        for world in (*worlds, *sizes)
    ]
    alarms = []
    if any(str(each.fault) != str(seen[0].fault) for each in seen):
        alarms.append(_alarm(FLOW, "whether a table is taken depends on one person's cells"))
    if any(each.said != seen[0].said for each in seen):
        alarms.append(_alarm(SIDE, "what is said of a table depends on one person's cells"))
    held = [each.model for each in seen[: len(worlds)] if each.model is not None]
    if len(held) < len(worlds):
        return alarms
    if held[0] != held[1]:
        alarms.append(_alarm(SENSITIVITY, "the order of rows changes what they are counted as"))
    faults = [fault for less in held[2:] for fault in _faults(held[0], less, unit.max_rows)]
    return alarms + [_alarm(SENSITIVITY, each) for each in dict.fromkeys(faults)]


def _alarm(component: str, sentence: str) -> Alarm:
    return Alarm(component=component, sentence=sentence)


def _faults(more: "Coded", less: "Coded", max_rows: int) -> list[str]:
    """Return what the person who is in ``more`` alone did to others."""
    faults = []
    own, lost = more.units - less.units, less.units - more.units
    if lost or own.total() > 1:
        faults.append("one person's rows change what those of others are counted as")
    elif any(len(rows) > max_rows for rows in own):
        faults.append("a person is counted with more rows than are declared")
    if less.aside - more.aside:
        faults.append("one person's rows decide who else is set aside")
    for name, held in more.values.items():
        moved = _moved(held, less.values[name])
        if len(moved) > max_rows or any(abs(each) > 1 for each in moved):
            faults.append(f"a person moves a count of values of {name} by more than one")
    return faults


def _moved(first: Counter[str], second: Counter[str]) -> list[int]:
    changes = [first[text] - second[text] for text in first.keys() | second.keys()]
    return [each for each in changes if each]


def _remembered(trial: Trial) -> list[Alarm]:
    """Draw from one model with one seed, after this table and that was prepared."""
    from dpsynth.testing import crowds
    from dpsynth.testing.outcome import outcome_of
    from dpsynth.testing.recording import named_rows, odd_rows, random_rows
    from dpsynth.testing.rerun import refit

    schema = trial.schema
    # Even, so that every code of every column is drawn.
    drawn = random_rows(schema, np.random.default_rng(trial.seed), rows=_LEARNT)
    table = named_rows(drawn, schema, every=True)
    model = refit(trial.synthesizer, schema, table, plan=trial.plan, seed=trial.seed)
    first = model.sample(_SAMPLED, seed=trial.seed)
    some = table.iloc[:6].reset_index(drop=True)
    plain = some.assign(**{name: some[name].iloc[0] for name in some.columns})
    person = schema.unit.column
    if person is not None:
        plain = plain.assign(**{person: [f"{9 * 10**9 + row}" for row in range(len(plain))]})
    others = [
        table.iloc[:0],
        plain,
        odd_rows(schema, plain, missing=True),
        odd_rows(schema, plain, missing=False),
        _rounded(plain),
        crowds.crowd(schema, seed=trial.seed)[0],
    ]
    for other in others:
        outcome_of(lambda other=other: (crowds.coded(other, schema, control=Fraction(0)), ()))
        again = model.sample(_SAMPLED, seed=trial.seed)
        if list(again.dtypes) != list(first.dtypes) or not again.equals(first):
            return [_alarm(PAST, "rows that were read last change what is drawn from a model")]
    return []


def _rounded(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return the table with whole numbers alone."""
    held: dict[str, Any] = {
        name: np.rint(cells) if cells.dtype.kind == "f" else cells for name, cells in table.items()
    }
    return table.assign(**held)
