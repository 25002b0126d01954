"""Made-up rows of a schema: alike, drawn, or of cells that nobody expects."""

from typing import TYPE_CHECKING, Any

import numpy as np

from dpsynth.testing.oddities import odd_cell

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema


def same_rows(schema: "Schema", *, last: bool, rows: int, values: int) -> "pd.DataFrame":
    """Return rows that are all one row: the first declared code in every column, or the last.

    In an open column they hold ``values`` different values in turn, undeclared; others in the
    last ones than in the first.
    """
    from dpsynth.encoding import base_domain
    from dpsynth.encoding.table import decode_table

    sizes = base_domain(schema).sizes
    codes: dict[str, Any] = {
        name: np.full(1, size - 1 if last else 0, dtype=np.int64) for name, size in sizes.items()
    }
    row = decode_table(codes, schema, np.random.default_rng(0), rows=1)
    table = row.iloc[[0] * rows].reset_index(drop=True)
    opened = [column.name for column in schema.modeled if column.learns_values]
    whose = "alone" if last else "by all"
    made_up = [f"made up {whose} {row % values}" for row in range(rows)]
    return table.assign(**dict.fromkeys(opened, made_up))


def random_rows(
    schema: "Schema",
    rng: np.random.Generator,
    *,
    rows: int,
    most_codes: int | None = None,
    skewed: bool = False,
) -> "pd.DataFrame":
    """Draw rows whose columns are independent, each even over ``most_codes`` codes or over all.

    Where ``skewed``, each code is half as likely as the one before, so that the last ones are rare
    or empty. In an open column there is one of three undeclared values.
    """
    from dpsynth.encoding import base_domain
    from dpsynth.encoding.table import decode_table

    codes = {}
    for name, size in base_domain(schema).sizes.items():
        allowed = rng.choice(size, size=min(size, most_codes or size), replace=False)
        places = rng.integers(0, allowed.size, rows)
        if skewed:
            places = (rng.geometric(0.5, rows) - 1) % allowed.size
        codes[name] = (np.sort(allowed) if skewed else allowed)[places]
    table = decode_table(codes, schema, rng, rows=rows)
    opened = [column.name for column in schema.modeled if column.learns_values]
    return table.assign(
        **{name: [f"made up {at}" for at in rng.integers(0, 3, rows)] for name in opened}
    )


def odd_rows(
    schema: "Schema", like: "pd.DataFrame", *, missing: bool, first: int = 0
) -> "pd.DataFrame":
    """Return ``like`` with cells that nobody expects.

    All of them missing, so that a column that held no missing cell has its first; or each of one
    kind of many, from kind number ``first`` on. A cell that a reader of files would not let stand
    in a column of such values is an object, as from a file.
    """
    import pandas as pd

    table = like.astype(object)
    for place, column in enumerate(schema.modeled):
        held = [
            None if missing else odd_cell(column, first + row + place) for row in range(len(table))
        ]
        table[column.name] = pd.Series(held, index=table.index, dtype=object)
    return table


def named_rows(table: "pd.DataFrame", schema: "Schema", *, every: bool) -> "pd.DataFrame":
    """Give every row a person of its own, or all rows one person who is none of those.

    That one comes last, by place and by name: where persons are numbered, nobody else's changes.
    """
    column = schema.unit.column
    if column is None:
        return table
    rows = range(len(table))
    return table.assign(**{column: [f"p{row}" if every else "~ one more" for row in rows]})


def missing_by_kind(like: "pd.DataFrame") -> "pd.DataFrame":
    """Return missing cells as columns of numbers and dates hold them; so a column changes type."""
    import pandas as pd

    held: dict[Any, Any] = {}
    for name, column in like.items():
        dated = pd.api.types.is_datetime64_any_dtype(column)
        numbers = pd.api.types.is_numeric_dtype(column)
        empty = pd.NaT if dated else float("nan") if numbers else None
        held[name] = pd.Series([empty] * len(like), index=like.index)
    return pd.DataFrame(held)
