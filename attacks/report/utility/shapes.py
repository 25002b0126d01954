"""What the tables of a section are: told by their shape, so that every section is shown."""

from collections.abc import Iterator
from typing import Any

from attacks.report.lines import is_number
from attacks.report.wording import clean, humanize, mapping, measured, sequence

Rows = list[list[str]]
MOST_ROWS = 300  # of one table of numbers


def cell(value: Any) -> str:
    """Return a cell of a table of numbers as text."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return measured(value)
    if isinstance(value, list | tuple):
        return ", ".join(cell(item) for item in value)
    return clean(value)


def is_points(value: Any) -> bool:
    """Return whether these are points of a line: pairs of numbers."""
    held = sequence(value)
    return bool(held) and all(
        len(point) == 2 and all(is_number(number) for number in point)
        for point in map(sequence, held)
    )


def is_records(value: Any) -> bool:
    """Return whether these are records: a list of objects."""
    held = sequence(value)
    return bool(held) and all(isinstance(item, dict) and item for item in held)


def is_matrix(value: Any) -> bool:
    """Return whether this holds ``columns`` and square matrices over them."""
    names = sequence(mapping(value).get("columns"))
    return bool(names) and any(_square(held, len(names)) for held in mapping(value).values())


def matrices(value: dict[str, Any]) -> dict[str, list[list[float | None]]]:
    """Return the matrices by name; what is no number is None."""
    size = len(sequence(value.get("columns")))
    return {
        name: [[float(x) if is_number(x) else None for x in row] for row in held]
        for name, held in value.items()
        if _square(held, size)
    }


def _square(held: Any, size: int) -> bool:
    rows = sequence(held)
    return len(rows) == size and all(len(sequence(row)) == size for row in rows)


def is_table(value: Any) -> bool:
    """Return whether this holds ``columns`` and ``rows`` of as many cells."""
    names, rows = sequence(mapping(value).get("columns")), mapping(value).get("rows")
    return (
        bool(names)
        and isinstance(rows, list | tuple)
        and all(len(sequence(row)) == len(names) for row in rows)
    )


def is_listing(value: Any) -> bool:
    """Return whether this holds lists of scalars, all as long as each other."""
    held = list(mapping(value).values())
    return (
        bool(held)
        and all(isinstance(one, list | tuple) and one for one in held)
        and len({len(one) for one in held}) == 1
        and not any(isinstance(item, list | tuple | dict) for one in held for item in one)
    )


def as_table(value: Any) -> tuple[list[str], Rows]:
    """Return names and cells of a table, of records, or of lists side by side."""
    if is_records(value):
        names = list(dict.fromkeys(name for record in value for name in record))
        return [humanize(name) for name in names], [
            [cell(record.get(name)) for name in names] for record in value
        ]
    if is_listing(value) and not is_table(value):
        held = mapping(value)
        return [humanize(name) for name in held], [
            [cell(item) for item in row] for row in zip(*held.values(), strict=True)
        ]
    return [clean(name) for name in value["columns"]], [
        [cell(item) for item in row] for row in value["rows"]
    ]


def panels(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield, however deep they lie, the objects of which every value is a line, and their place.

    A line is a list of points or of records.
    """
    held = mapping(value)
    if held and all(is_points(one) or is_records(one) for one in held.values()):
        yield ", ".join(path), held
        return
    for name, below in held.items():
        yield from panels(below, (*path, clean(name).replace("_", " ")))
