"""The three tables of an audit, read and coded."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attacks.engine.encode import check_columns, encode
from attacks.engine.table import CodedTable
from dpsynth.encoding import cells
from dpsynth.encoding.table import seen
from dpsynth.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

    _Frames = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]

_FRESH = 20  # new records expected: none of them has a chance of exp(-20)


@dataclass(frozen=True, kw_only=True, eq=False)
class Tables:
    """What an audit looks at.

    Args:
        schema: the declared columns, open ones closed to the values that the release shows.
        declared: the same, as it was given.
        release: the released rows.
        members: rows of persons who were in the training table.
        controls: rows of persons who were not.
        frames: the same three as they were given.
    """

    schema: "Schema"
    declared: "Schema"
    release: CodedTable
    members: CodedTable
    controls: CodedTable
    frames: "_Frames"


def read(synthetic: Any, members: Any, controls: Any, schema: Any) -> Tables:
    """Read and code the tables; each is a data frame, or where one stands.

    Raises:
        DataError: a table lacks a declared column, or members and controls are not apart.
    """
    from dpsynth.schema import Schema

    declared = Schema.read(schema) if isinstance(schema, Path | str) else schema
    released, insiders, outsiders = frames = (
        _frame(synthetic, declared),
        _frame(members, declared),
        _frame(controls, declared),
    )
    check_columns(released, [column.name for column in declared.modeled], name="synthetic")
    closed = seen(released, declared)
    release = encode(released, closed, name="synthetic", persons=False)
    inside = encode(insiders, closed, name="members", persons=True)
    outside = encode(outsiders, closed, name="controls", persons=True)
    _check_apart(inside, outside, frames=frames, schema=closed)
    return Tables(
        schema=closed,
        declared=declared,
        release=release,
        members=inside,
        controls=outside,
        frames=frames,
    )


def _check_apart(
    members: CodedTable, controls: CodedTable, *, frames: "_Frames", schema: "Schema"
) -> None:
    """Refuse controls who are members: against them, no leak could ever show."""
    person = schema.unit.column
    ids: list[set[str]] = [set(), set()]
    if person is not None:
        ids = [_ids(frame[person]) for frame in frames[1:]]
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


def _frame(table: Any, schema: "Schema") -> "pd.DataFrame":
    if isinstance(table, Path | str):
        import dpsynth

        table = dpsynth.read_table(Path(table), schema)
    frame: pd.DataFrame = table
    return frame
