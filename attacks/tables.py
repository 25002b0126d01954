"""The three tables of an audit, read and coded."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from attacks.engine.encode import check_columns, encode, store
from attacks.engine.released import Released
from attacks.engine.table import CodedTable
from attacks.scan.shown import Shown
from dpsynth.encoding import cells
from dpsynth.encoding.table import seen_in
from dpsynth.errors import DataError, UsageError

if TYPE_CHECKING:
    from dpsynth.schema import Schema

    _Frames = tuple[pd.DataFrame, pd.DataFrame]

# Where rows of a file are held: as ``dpsynth release`` has it.
ENGINES = ("auto", "frame", "duckdb")

_FRESH = 20  # new records expected: none of them has a chance of exp(-20)


class Rows(Protocol):
    """A table on disk, as ``dpsynth.open_rows`` gives it."""

    @property
    def large(self) -> bool:
        """Whether it should not be held in memory."""
        ...

    def frames(self) -> "Iterator[pd.DataFrame]":
        """Yield the rows in frames, in their order."""
        ...

    def frame(self) -> "pd.DataFrame":
        """Return all rows at once."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Tables:
    """What an audit looks at.

    Args:
        schema: the declared columns, open ones closed to the values that the release shows.
        declared: the same, as it was given.
        release: the released rows.
        members: rows of persons who were in the training table.
        controls: rows of persons who were not.
        frames: the rows of members and controls that are attacked, as they were given.
        shown: what the release shows beside declared values.
        notes: sentences on what was read, where that is not all, or not into memory.
    """

    schema: "Schema"
    declared: "Schema"
    release: Released
    members: CodedTable
    controls: CodedTable
    frames: "_Frames"
    shown: Shown
    notes: tuple[str, ...] = ()


def read(
    synthetic: Any,
    members: Any,
    controls: Any,
    schema: Any,
    *,
    persons: int | None = None,
    seed: int = 0,
    engine: str = "auto",
) -> Tables:
    """Read and code the tables; each is a data frame, or where one stands.

    Args:
        synthetic: coded block by block on disk where it is a large file; always whole.
        members: persons who were in the training table.
        controls: persons who were not.
        schema: declares the columns.
        persons: of members and controls together, drawn while they are read; all if not given.
        seed: of the draw.
        engine: of the synthetic table's file: "frame" holds it in memory, "duckdb" streams it;
            by its size where "auto".

    Raises:
        DataError: a table lacks a declared column, or members and controls are not apart.
        UsageError: no such engine, or too few persons.
    """
    import dpsynth

    if engine not in ENGINES:
        raise UsageError(f"the engine must be one of: {', '.join(ENGINES)}")
    declared = dpsynth.Schema.read(schema) if isinstance(schema, Path | str) else schema
    notes: list[str] = []
    insiders, outsiders = _real(members, controls, declared, persons, seed=seed, notes=notes)
    closed, release, shown = _released(synthetic, declared, engine=engine, notes=notes)
    inside = encode(insiders, closed, name="members", persons=True)
    outside = encode(outsiders, closed, name="controls", persons=True)
    _check_apart(inside, outside, frames=(insiders, outsiders), schema=closed)
    return Tables(
        schema=closed,
        declared=declared,
        release=release,
        members=inside,
        controls=outside,
        frames=(insiders, outsiders),
        shown=shown,
        notes=tuple(notes),
    )


def _released(
    table: Any, declared: "Schema", *, engine: str, notes: list[str]
) -> tuple["Schema", Released, Shown]:
    """Return the schema closed to what the release shows, its codes, and its strange cells."""
    shown = Shown(declared)
    source = _source(table, declared, persons=False)
    whole = isinstance(source, pd.DataFrame)
    if not whole and engine != "duckdb" and (engine == "frame" or not source.large):
        source, whole = source.frame(), True
    if whole:
        check_columns(source, [column.name for column in declared.modeled], name="synthetic")
        closed = seen_in([source], declared)
        shown.add(source)
        return closed, encode(source, closed, name="synthetic", persons=False), shown
    closed = seen_in(source.frames(), declared)
    stored = store(shown.watching(source.frames()), closed, name="synthetic")
    notes.append(
        f"all {len(stored):,} rows of the synthetic table were read and attacked, from codes on "
        "disk"
    )
    return closed, stored, shown


def _real(
    members: Any,
    controls: Any,
    schema: "Schema",
    persons: int | None,
    *,
    seed: int,
    notes: list[str],
) -> "_Frames":
    """Return the rows of members and controls, or of those who are drawn."""
    import dpsynth

    sources = [_source(table, schema) for table in (members, controls)]
    if persons is None:
        inside, outside = (
            each if isinstance(each, pd.DataFrame) else each.frame() for each in sources
        )
        return inside, outside
    if persons < 1:
        raise UsageError("persons must be at least 1")
    drawn = dpsynth.draw_persons(sources, schema, persons=persons, seed=seed)
    who = "persons" if schema.unit.kind == "person" else "different rows"
    inside, outside = drawn.frames
    if drawn.thinned:
        notes.append(
            f"{drawn.persons[0]:,} {who} of the members and {drawn.persons[1]:,} of the controls "
            "were drawn by a keyed hash, whoever stands in the release; nobody else was attacked "
            "or compared"
        )
    return inside, outside


def _check_apart(
    members: CodedTable, controls: CodedTable, *, frames: "_Frames", schema: "Schema"
) -> None:
    """Refuse controls who are members: against them, no leak could ever show."""
    person = schema.unit.column
    ids: list[set[str]] = [set(), set()]
    if person is not None:
        ids = [_ids(frame[person]) for frame in frames]
    if not ids[0].isdisjoint(ids[1]) or _among(controls, members):
        raise DataError(
            "the controls hold persons who are among the members: give persons who were not in "
            "the table that the synthetic one was made from"
        )


def _ids(column: "pd.Series[Any]") -> set[str]:
    """Return who is named, in one spelling: a table that held nulls writes 7 as 7.0."""
    texts = filter(None, map(cells.text_of, cells.distinct(column).cells))
    return {cells.as_whole_text(text) or text for text in texts}


def _among(controls: CodedTable, members: CodedTable) -> bool:
    """Return whether every record of the controls is one of the members', which chance is not.

    The chance that a new record is none of those known is about the share of these that occur once
    (Good 1953). Where so many new ones are expected that none at all comes about by chance less
    than once in a hundred million, the controls were taken from the members, in whatever order and
    under whatever names.
    """
    words, counts = np.unique(members.words, return_counts=True)
    fresh = controls.size * int((counts == 1).sum()) / max(1, len(members))
    return fresh >= _FRESH and bool(np.isin(controls.words, words).all())


def _source(table: Any, schema: "Schema", *, persons: bool = True) -> Any:
    """Return what reads the table at a path; a data frame, or what reads one, as it is."""
    if not isinstance(table, Path | str):
        return table  # a frame, or what reads one
    import dpsynth

    return dpsynth.open_rows(Path(table), schema, persons=persons)
