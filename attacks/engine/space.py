"""Which columns are compared, and how far apart their codes are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Space:
    """Columns, and how far apart their codes are.

    Args:
        columns: names, in the order of the codes' columns.
        ordered: by column, whether neighboring codes are alike.
        ordinary: by column, number of codes without the missing one.
        missing: by column, the missing code; -1 where there is none.
    """

    columns: tuple[str, ...]
    ordered: tuple[bool, ...]
    ordinary: tuple[int, ...]
    missing: tuple[int, ...]


def space(
    sizes: Mapping[str, int],
    ordered: Mapping[str, bool],
    columns: Sequence[str],
    *,
    missing: Mapping[str, int] | None = None,
) -> Space:
    """Return the space of some columns.

    Args:
        sizes: number of codes by column.
        ordered: by column, whether neighboring codes are alike.
        columns: names, in the order of the columns of the codes to be compared.
        missing: by column that has one, the missing code, which is the last.
    """
    absent = {} if missing is None else missing
    return Space(
        columns=tuple(columns),
        ordered=tuple(ordered[name] for name in columns),
        ordinary=tuple(sizes[name] - (name in absent) for name in columns),
        missing=tuple(absent.get(name, -1) for name in columns),
    )
