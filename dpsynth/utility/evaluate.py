"""An evaluation: every section that applies to the tables at hand, one after the other.

A section is a function ``NAME(tables: Tables, *, seed: int) -> Section | None`` in a module of this
package, registered below; None says that it does not apply. What a section needs to be told stands
in ``Tables``: schema (with its target), subgroups, time and event.
"""

import time as clock
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dpsynth.errors import UnknownNameError, UsageError
from dpsynth.utility.downstream.task import Task
from dpsynth.utility.part import Part, held_or_part
from dpsynth.utility.scores import Evaluation, Section
from dpsynth.utility.tables import Tables

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema
    from dpsynth.sources.reading import Rows

# Key, what to say while it runs, and where it is; in the order of the report.
SECTIONS: tuple[tuple[str, str, str], ...] = (
    ("marginals", "comparing tables of columns", "dpsynth.utility.marginals:marginals"),
    ("hellinger", "comparing all columns at once", "dpsynth.utility.hellinger:hellinger"),
    ("association", "comparing associations", "dpsynth.utility.association:association"),
    ("propensity", "telling synthetic from real rows", "dpsynth.utility.propensity:propensity"),
    ("support", "looking where rows lie", "dpsynth.utility.support:support"),
    ("missingness", "comparing missing cells", "dpsynth.utility.missingness:missingness"),
    ("rules", "looking for rows that cannot be", "dpsynth.utility.rule_violations:rule_violations"),
    ("survival", "comparing survival", "dpsynth.utility.survival:survival"),
    ("subgroups", "comparing subgroups", "dpsynth.utility.subgroups:subgroups"),
    (
        "downstream",
        "training classifiers on each table",
        "dpsynth.utility.downstream.section:downstream",
    ),
)


def evaluate(
    synthetic: "pd.DataFrame | Path | str | Rows",
    real: "pd.DataFrame | Path | str | Rows",
    holdout: "pd.DataFrame | Path | str | Rows",
    schema: "Schema",
    *,
    seed: int = 0,
    target: str | None = None,
    positive: Sequence[str] = (),
    subgroups: Sequence[str] | None = None,
    time: str | None = None,
    event: str | None = None,
    sections: Sequence[str] | None = None,
    persons: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> Evaluation:
    """Measure how useful a synthetic table is; what is found is for the custodian alone.

    Args:
        synthetic: the rows to judge, of any origin. Of a file that is too large to be held, single
            columns are counted in all rows; all else is computed from a random part, as large as
            the larger of the real tables, and the evaluation says so.
        real: the rows that they were learnt from.
        holdout: other real rows, which say how close two real tables are.
        schema: declares all three.
        seed: of every choice that is drawn.
        target: column to predict; the schema's own where not given.
        positive: its values that count as positive, against all others; else each is a class.
        subgroups: columns whose values part the rows; the schema's quasi-identifiers if not given.
        time: column of the follow-up time, if there is one.
        event: column that says whether the event happened.
        sections: keys of the sections wanted; all that apply where not given.
        persons: of both real tables together, to be drawn by a keyed hash; all if not given.
        progress: is told each section as it begins.

    Privacy:
        None is kept: every number is a function of real rows. It feeds no release and no public
        file, and a look belongs into the internal chain of the table's ledger (``record_look``).

    Raises:
        DataError: a table lacks a declared column, or is too small to be compared.
        SchemaError: the schema is not closed, or a role names no declared column.
        UnknownNameError: a section that there is not.
        UsageError: the target has no declared values, or a positive value is none of them.
    """
    step = progress or (lambda _: None)
    known = [key for key, _, _ in SECTIONS]
    for key in sections or ():
        if key not in known:
            raise UnknownNameError(f"no section is called {key!r}; there are: {', '.join(known)}")
    if target is not None:
        schema.column(target)
        schema = schema.model_copy(update={"target": target})
    if target is not None or positive:
        Task.of(schema, positive=tuple(positive))  # which says what will not do
    step("coding the tables")
    notes: list[str] = []
    inside, outside = _real(real, holdout, schema, persons=persons, seed=seed, notes=notes)
    most = max(len(inside), len(outside))
    suspect = held_or_part(synthetic, schema, most=most, seed=seed)
    if isinstance(suspect, Part):
        notes.append(suspect.sentence)
    tables = Tables.of(
        suspect,
        inside,
        outside,
        schema,
        seed=seed,
        subgroups=None if subgroups is None else tuple(subgroups),
        time=time,
        event=event,
        positive=tuple(positive),
    )
    from threadpoolctl import threadpool_limits

    found: list[Section] = []
    seconds: dict[str, float] = {}
    # Much is small: on a busy machine, threads that wait for each other take longer than one.
    with threadpool_limits(limits=1):
        for key, telling, where in SECTIONS:
            if sections is not None and key not in sections:
                continue
            step(telling)
            began = clock.perf_counter()
            section = _load(where)(tables, seed=seed)
            seconds[key] = clock.perf_counter() - began
            if section is not None:
                found.append(section)
    return Evaluation(
        sections=tuple(found), rows=tables.rows, seed=seed, seconds=seconds, notes=tuple(notes)
    )


def _real(
    real: "pd.DataFrame | Path | str | Rows",
    holdout: "pd.DataFrame | Path | str | Rows",
    schema: "Schema",
    *,
    persons: int | None,
    seed: int,
    notes: list[str],
) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Return the real rows, or those of the persons that are drawn, which ``notes`` then say."""
    from dpsynth.sources.drawing import draw_persons
    from dpsynth.sources.reading import Rows, open_rows

    sources = [
        open_rows(table, schema) if isinstance(table, Path | str) else table
        for table in (real, holdout)
    ]
    if persons is None:
        inside, outside = (table.frame() if isinstance(table, Rows) else table for table in sources)
        return inside, outside
    if persons < 1:
        raise UsageError("persons must be at least 1")
    drawn = draw_persons(sources, schema, persons=persons, seed=seed)
    who = "persons" if schema.unit.kind == "person" else "different rows"
    if drawn.thinned:
        notes.append(
            f"{drawn.persons[0]:,} {who} of the real table and {drawn.persons[1]:,} of the holdout "
            "were drawn by a keyed hash, and compared alone."
        )
    inside, outside = drawn.frames
    return inside, outside


def _load(where: str) -> Callable[..., Section | None]:
    module, _, name = where.partition(":")
    return cast("Callable[..., Section | None]", getattr(import_module(module), name))
