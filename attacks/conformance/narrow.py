"""A schema with fewer columns, so that a trial of a wide table ends in seconds.

How long a model takes to fit grows with its columns; how the rows are read, charged and noised does
not depend on there being many.
"""

from collections.abc import Iterable, Mapping
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any

from dpsynth.errors import DpsynthError

if TYPE_CHECKING:
    from dpsynth.schema import Schema


def narrowed(schema: "Schema", *, most: int, settings: Mapping[str, Any]) -> "Schema":
    """Return ``schema`` with at most ``most`` columns to learn, of as many kinds as there are.

    Columns that a setting names, those of the schema's rules and its target are kept first. A
    schema that cannot be narrowed is returned as it is.

    Args:
        schema: as it was declared.
        most: columns to learn.
        settings: of the synthesizer; texts in them may name columns.
    """
    if len(schema.modeled) <= most:
        return schema
    document = schema.to_dict()
    named = {text for value in settings.values() for text in _texts(value)}
    named |= {*_texts(document.get("rules", [])), *_texts(document.get("target"))}
    kept = {schema.unit.column, *_chosen(schema, most=most, first=named)}
    modeled = {column.name for column in schema.modeled}
    columns = [
        column
        for column in document["columns"]
        if column["name"] in kept or column["name"] not in modeled
    ]
    left = {column["name"] for column in columns}
    # Roles are for attacks, and name columns that may be gone.
    roles: dict[str, Any] = {
        role: [name for name in document[role] if name in left]
        for role in ("quasi_identifiers", "sensitive")
        if role in document
    }
    if document.get("target") not in left:
        document.pop("target", None)
    try:
        from dpsynth.schema import Schema

        return Schema.from_dict({**document, **roles, "columns": columns})
    except DpsynthError:
        return schema


def _chosen(schema: "Schema", *, most: int, first: set[str]) -> list[str]:
    """Return names: those in ``first``, then one of each kind in turn."""
    kinds: dict[tuple[object, ...], list[str]] = {}
    for column in schema.modeled:
        if column.name not in first:
            kind = (column.kind, column.learns_values, column.nullable)
            kinds.setdefault(kind, []).append(column.name)
    turns = chain.from_iterable(zip_longest(*kinds.values()))
    needed = [column.name for column in schema.modeled if column.name in first]
    return [*needed, *(name for name in turns if name is not None)][: max(most, len(needed))]


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for each in (*value.keys(), *value.values()) for text in _texts(each)]
    if isinstance(value, list | tuple | set | frozenset):
        return [text for each in value for text in _texts(each)]
    return []
