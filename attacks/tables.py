"""The three tables of an audit, read and coded."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attacks.engine.encode import check_columns, encode
from attacks.engine.table import CodedTable
from dpsynth.encoding.table import seen
from dpsynth.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema


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
    frames: "tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]"


def read(synthetic: Any, members: Any, controls: Any, schema: Any) -> Tables:
    """Read and code the tables; each is a data frame, or where one stands.

    Raises:
        DataError: a table lacks a declared column, or members and controls are not apart.
    """
    from dpsynth.schema import Schema

    declared = Schema.read(schema) if isinstance(schema, Path | str) else schema
    frames = tuple(_frame(table, declared) for table in (synthetic, members, controls))
    released, insiders, outsiders = frames
    check_columns(released, [column.name for column in declared.modeled], name="synthetic")
    closed = seen(released, declared)
    release = encode(released, closed, name="synthetic", persons=False)
    inside = encode(insiders, closed, name="members", persons=True)
    outside = encode(outsiders, closed, name="controls", persons=True)
    _check_apart(insiders, outsiders, closed)
    return Tables(
        schema=closed,
        declared=declared,
        release=release,
        members=inside,
        controls=outside,
        frames=(released, insiders, outsiders),
    )


def _check_apart(members: "pd.DataFrame", controls: "pd.DataFrame", schema: "Schema") -> None:
    """Refuse controls who are members: against them, no leak could ever show."""
    person = schema.unit.column
    if person is not None and person in members and person in controls:
        ids = [set(table[person].dropna().astype(str)) - {""} for table in (members, controls)]
        apart = ids[0].isdisjoint(ids[1])
    else:
        same = members.reset_index(drop=True).equals(controls.reset_index(drop=True))
        apart = not len(controls) or not same
    if not apart:
        raise DataError(
            "the controls hold persons who are among the members: give persons who were not in "
            "the table that the synthetic one was made from"
        )


def _frame(table: Any, schema: "Schema") -> "pd.DataFrame":
    if isinstance(table, Path | str):
        import dpsynth

        table = dpsynth.read_table(Path(table), schema)
    frame: pd.DataFrame = table
    return frame
