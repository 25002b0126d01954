"""Is a person's part of what is counted their own?

Before anything is counted, rows are coded, bounded and split. Whoever is taken out of a table must
take one unit with them, of no more rows than are declared, and move nobody else; what order rows
stand in must not matter at all. And nothing of that may be remembered where tables are drawn: these
follow from the model and a seed.
"""

from collections import Counter
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from attacks.conformance.checks import Check, witness
from attacks.conformance.trial import Trial

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema
    from dpsynth.testing.crowds import Coded

SENSITIVITY, FLOW, PAST, SIDE = (
    "sensitivity",
    "control flow",
    "post-processing",
    "side channels",
)
_SHARES = (Fraction(0), Fraction(1, 2))  # of controls
_LEARNT, _MISSING, _SAMPLED = 600, 120, 100  # rows
_STEP = 3  # rows from one size of a table to the next


def audit(trial: Trial) -> list[Check]:
    """Return whether a person's rows do anything beside being counted."""
    from dpsynth.testing import crowds

    found: dict[str, list[str]] = {}
    trials = 0
    for kind in range(len(crowds.KINDS)):
        # Where time is short, one share after the other.
        for share in _SHARES if trial.odd else _SHARES[kind % len(_SHARES) :][:1]:
            trials += _one_by_one(trial, found, kind=kind, share=share)
    trials += _far_apart(trial, found)
    drawn = _remembered(trial)
    looked = {
        "rows/units": (SENSITIVITY, "whoever is taken out takes one unit along, and moves nobody"),
        "rows/taken": (FLOW, "every table is taken, whatever its cells and its size"),
        "rows/said": (SIDE, "the same is said of every table"),
    }
    return [
        *(
            witness(
                name,
                component,
                "; ".join(dict.fromkeys(found.get(name, []))) or sound,
                violations=len(found.get(name, [])),
                trials=trials,
            )
            for name, (component, sound) in looked.items()
        ),
        witness(
            "rows/drawn",
            PAST,
            "rows that were read last change what is drawn from a model"
            if drawn
            else "what is drawn of a model follows from it and a seed, whatever was read since",
            violations=drawn,
        ),
    ]


def _one_by_one(trial: Trial, found: dict[str, list[str]], *, kind: int, share: Fraction) -> int:
    """Note in ``found`` what is wrong; return how many tables were prepared."""
    from dpsynth.testing import crowds

    table, whose = crowds.crowd(trial.schema, kind=kind, seed=trial.seed)
    # Whether a table is taken, and what is said of it, may not follow its size either.
    sizes = [table.iloc[:rows] for rows in range(0, len(table), _STEP)]
    without = list(crowds.without_each(table, whose))
    return _compared(trial, found, table, without=without, others=sizes, share=share)


def _far_apart(trial: Trial, found: dict[str, list[str]]) -> int:
    """Look at a table longer than what code may look at in one go, as ``_one_by_one`` does."""
    from dpsynth.testing import crowds

    table, whose = crowds.long_crowd(trial.schema, seed=trial.seed)
    without = list(crowds.without_each(table, whose, persons=[0]))
    return _compared(trial, found, table, without=without, others=[], share=Fraction(0))


def _compared(
    trial: Trial,
    found: dict[str, list[str]],
    table: "pd.DataFrame",
    *,
    without: "list[pd.DataFrame]",
    others: "list[pd.DataFrame]",
    share: Fraction,
) -> int:
    """Hold ``table`` against itself shuffled, and ``without`` one person.

    Of ``others`` only whether they are taken, and what is said, must be the same.
    """
    from dpsynth.testing.outcome import outcome_of

    unit = trial.schema.privacy_unit
    shuffled = table.sample(frac=1, random_state=trial.seed).reset_index(drop=True)
    worlds = [table, shuffled, *without]
    seen = [outcome_of(partial(_coded, world, trial, share)) for world in (*worlds, *others)]
    if any(str(each.fault) != str(seen[0].fault) for each in seen):
        sentence = "whether a table is taken depends on one person's cells"
        found.setdefault("rows/taken", []).append(sentence)
    if any(each.said != seen[0].said for each in seen):
        sentence = "what is said of a table depends on one person's cells"
        found.setdefault("rows/said", []).append(sentence)
    held = [each.model for each in seen[: len(worlds)]]
    if all(each.fault is None for each in seen):
        units = found.setdefault("rows/units", [])
        if held[0] != held[1]:
            units.append("the order of rows changes what they are counted as")
        units += [fault for less in held[2:] for fault in _faults(held[0], less, unit.max_rows)]
    elif not found:
        raise ValueError("no table of made-up rows could be prepared")
    return len(seen)


def _coded(table: "pd.DataFrame", trial: Trial, share: Fraction) -> "tuple[Coded, tuple[()]]":
    from dpsynth.testing import crowds

    return crowds.coded(table, trial.schema, control=share), ()


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


def _remembered(trial: Trial) -> bool:
    """Draw from one model with one seed, after this table and that was prepared."""
    import pandas as pd

    from dpsynth.testing import crowds
    from dpsynth.testing.outcome import outcome_of
    from dpsynth.testing.rerun import refit
    from dpsynth.testing.rows import named_rows, odd_rows, random_rows

    schema = trial.schema
    # Even, so that every code of every column is drawn. Missing cells are put in by hand: the
    # decoder that is on trial draws the others, and may have left them out.
    drawn = random_rows(schema, np.random.default_rng(trial.seed), rows=_LEARNT)
    gone = odd_rows(schema, drawn.iloc[:_MISSING], missing=True)
    both = pd.concat([drawn.astype(object), gone], ignore_index=True)
    table = named_rows(both, schema, every=True)
    model = refit(trial.synthesizer, schema, table, plan=trial.plan, seed=trial.seed)
    first = model.sample(_SAMPLED, seed=trial.seed)
    some = named_rows(drawn.iloc[:6], schema, every=True)
    plain = some.assign(**{name: some[name].iloc[0] for name in some.columns})
    person = schema.unit.column
    if person is not None:
        plain = plain.assign(**{person: [f"{9 * 10**9 + row}" for row in range(len(plain))]})
    others = [
        table.iloc[:0],
        plain,
        odd_rows(schema, plain, missing=True),
        odd_rows(schema, plain, missing=False),
        _whole(plain, apart=0.0),
        _whole(plain, apart=0.5),
        crowds.crowd(schema, seed=trial.seed)[0],
    ]
    for other in others if trial.odd else others[::3]:  # of each kind one, where time is short
        # Once and not with an empty table of controls, which would be the last to be remembered.
        outcome_of(partial(_prepared, other, schema))
        again = model.sample(_SAMPLED, seed=trial.seed)
        if list(again.dtypes) != list(first.dtypes) or not again.equals(first):
            return True
    return False


def _prepared(table: "pd.DataFrame", schema: "Schema") -> tuple[Any, tuple[()]]:
    from dpsynth.testing.rerun import prepared_rows

    return prepared_rows(table, schema), ()


def _whole(table: "pd.DataFrame", *, apart: float) -> "pd.DataFrame":
    """Return the table with whole numbers alone, or with numbers that far above whole ones.

    Made-up numbers are drawn by the decoder that is on trial: they may be whole throughout.
    """
    held: dict[str, Any] = {
        str(name): np.floor(cells) + apart if cells.dtype.kind == "f" else cells
        for name, cells in table.items()
    }
    return table.assign(**held)
