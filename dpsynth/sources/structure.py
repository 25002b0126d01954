"""Does a table have the declared columns? Says nothing that a headerless file could hold."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dpsynth.errors import DataError

if TYPE_CHECKING:
    from dpsynth.schema import Schema


def check_columns(
    names: Iterable[object],
    schema: "Schema",
    *,
    where: str = "the table",
    persons: bool = True,
) -> None:
    """Raise DataError unless the columns are the declared ones, in any order.

    Columns declared as ``excluded`` may be absent, for nothing reads them, save the person column
    of a table of persons.

    Args:
        names: the column names found.
        schema: the declared columns.
        where: what to call the table in a message.
        persons: whether its rows belong to persons; those of a synthetic table do not.
    """
    found = list(names)
    declared = {column.name for column in schema.columns}
    for place, name in enumerate(found, start=1):
        if not isinstance(name, str) or name not in declared:
            # The name itself is not repeated: without a header, it would be a cell of a person.
            raise DataError(
                f"column {place} of {where} is not in the schema: declare it there, "
                "with kind 'excluded' if it is not wanted"
            )
    for column in schema.columns:
        times = sum(name == column.name for name in found)
        if times > 1:
            raise DataError(f"{where} has two columns {column.name!r}: rename or drop one")
        needed = persons and column.name == schema.unit.column
        optional = column.kind == "excluded" and not needed
        if times == 0 and not optional:
            raise DataError(f"{where} lacks the column {column.name!r}, which the schema declares")
