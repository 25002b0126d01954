"""What a user asks all rows to hold: from values to parts of columns."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dpsynth.errors import UnknownNameError, UsageError
from dpsynth.schema.columns import BooleanColumn, LevelsColumn, ModeledColumn
from dpsynth.schema.selection import (
    Selection,
    UnknownValueError,
    near,
    select,
    select_any,
    select_range,
)

if TYPE_CHECKING:
    from dpsynth.schema import Schema


def selections(schema: "Schema", given: Mapping[str, object]) -> dict[str, Selection]:
    """Return the part of each column that is asked for.

    Raises:
        UnknownNameError: no column to learn is called so, or it has no such value.
        UsageError: what is asked for is no value of the column's kind, or outside its bounds.
    """
    if not isinstance(given, Mapping):
        raise UsageError('given takes values by column, as in {"sex": "F"}')
    columns = {column.name: column for column in schema.modeled}
    found = {}
    for name, wanted in given.items():
        if name not in columns:
            raise UnknownNameError(
                f"given: no column to learn is called {name!r}: {near(name, columns)}"
            )
        try:
            found[name] = _selection(columns[name], wanted)
        except UnknownValueError as problem:
            raise UnknownNameError(f"given: {problem}") from None
        except ValueError as problem:
            raise UsageError(f"given: {problem}") from None
    return found


def _selection(column: ModeledColumn, wanted: object) -> Selection:
    if isinstance(wanted, str) or not isinstance(wanted, Iterable):
        return select(column, _plain(wanted))
    listed = [_plain(each) for each in wanted]
    if isinstance(column, LevelsColumn | BooleanColumn):
        if not listed:
            raise ValueError(f"the list of values for column {column.name!r} is empty")
        return select_any(column, listed)
    if len(listed) != 2:
        raise ValueError(f"column {column.name!r} takes one value or an interval [least, most]")
    return select_range(column, *listed)


def _plain(value: object) -> object:
    """Return a cell of a table as a value of Python; None for any null."""
    import pandas as pd

    cell: Any = value
    if pd.api.types.is_scalar(cell) and pd.isna(cell):
        return None
    if isinstance(value, np.datetime64):
        return str(value)[: len("2020-01-31")]
    return value.item() if isinstance(value, np.generic) else value


def from_text(schema: "Schema", given: Iterable[str]) -> dict[str, object]:
    """Read ``COLUMN=VALUE`` and ``COLUMN=LEAST..MOST``; no value at all means missing.

    Raises:
        UsageError: a text has no ``=``, or a column is given twice.
    """
    kinds = {column.name: column for column in schema.modeled}
    found: dict[str, object] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise UsageError(f"--given must be COLUMN=VALUE, as in sex=F, not {text[:40]!r}")
        if name in found:
            raise UsageError(f"--given names the column {name!r} twice")
        low, dots, high = value.partition("..")
        column = kinds.get(name)
        levels = column is None or isinstance(column, LevelsColumn | BooleanColumn)
        if dots and not levels:
            found[name] = [low or None, high or None]
        else:
            found[name] = value or None
    return found


def impossible(chosen: Mapping[str, Selection]) -> UsageError:
    """Return the error for what the model holds impossible."""
    names = ", ".join(map(repr, chosen))
    return UsageError(
        f"the model holds what is given for {names} impossible, so there are no rows to draw: "
        "a rule may forbid it; ask for other values"
    )
