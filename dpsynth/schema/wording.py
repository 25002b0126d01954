"""One plain sentence for what pydantic found wrong in a schema document."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from pydantic import ValidationError

from dpsynth.schema.columns import KINDS

_SHOWN = 60
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def words_in(name: str) -> list[str]:
    """Return the words of a column's name in lower case, two neighbors as one word first.

    What is written apart may be one word: "zip_code", "firstName", "zip3".
    """
    parts = [part.lower() for part in _PART.findall(name)]
    return [*(first + second for first, second in pairwise(parts)), *parts]


def shown(name: object) -> str:
    """Return a declared name in quotes, shortened."""
    text = str(name)
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def one_sentence(problem: ValidationError, data: Mapping[str, Any]) -> str:
    """Say the first fault: which column, which field, what would make it pass."""
    # Of the members of a union that all refuse, the first one's complaint stands for the field.
    error = problem.errors(include_url=False, include_input=False)[0]
    path = list(error["loc"])
    where = _place(path, data)
    kind = error["type"]
    if kind == "extra_forbidden":
        return f"{where} is not known: remove it or correct its spelling"
    if kind == "missing" and path and isinstance(path[-1], int):
        return f"{where} has too few entries: give them all"
    if kind == "missing":
        return f"{where} is missing: give it"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return f"{where}, field 'kind': say one of {', '.join(KINDS)}"
    if kind == "value_error":
        colon = ":" if path and path[0] == "rules" and not where.endswith(":") else ""
        return f"{where}{colon} {error['ctx']['error']!s}"
    return f"{where} is wrong: {_tail(error['msg'])}"


def _tail(message: str) -> str:
    text = message.replace("Input should", "it should").rstrip(".")
    return text[0].lower() + text[1:]


def _place(path: Sequence[int | str], data: Mapping[str, Any]) -> str:
    if len(path) >= 2 and path[0] == "columns" and isinstance(path[1], int):
        column = data["columns"][path[1]]
        name = column.get("name") if isinstance(column, Mapping) else None
        label = f"column {shown(name)}" if isinstance(name, str) else f"column {path[1] + 1}"
        rest = [part for part in path[2:] if part not in KINDS]
        fields = [str(part) for part in rest if isinstance(part, str)]
        if not fields:
            return label
        # The first part is a field of the column; union tags behind it mean nothing to a reader.
        if fields[0] in ("provenance", "rollup", "labels") and len(fields) > 1:
            return f"{label}, field {shown('.'.join(fields[:3]))}"
        return f"{label}, field {shown(fields[0])}"
    if len(path) >= 2 and path[0] == "rules" and isinstance(path[1], int):
        fields = [str(part) for part in path[2:4] if isinstance(part, str)]
        label = f"rule {path[1] + 1}"
        return f"{label}, field {shown('.'.join(fields))}" if fields else f"{label}:"
    fields = [str(part) for part in path if isinstance(part, str)]
    return f"field {shown('.'.join(fields[:3]))}" if fields else "the schema"
