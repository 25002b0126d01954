"""The published JSON Schemas, and reading a file that must fit one of them."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpsynth.errors import IntegrityError
from dpsynth.release import canonical

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator


def document(name: str) -> dict[str, Any]:
    """Return the JSON Schema called ``name``: certificate, dossier, sign-off, plan or ledger."""
    text = files("attacks").joinpath("schemas", f"{name}.schema.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def require(value: object, shape: str, *, name: str) -> None:
    """Raise IntegrityError unless ``value`` fits the JSON Schema ``shape``; say where it fails."""
    error = next(iter(_validator(shape).iter_errors(value)), None)
    if error is not None:
        where = error.json_path.removeprefix("$").lstrip(".") or "the top"
        raise IntegrityError(f"{name} does not fit its JSON Schema at {where}")


def read(path: Path, shape: str, *, name: str | None = None) -> dict[str, Any]:
    """Read canonical JSON that fits ``shape``; every fault is an IntegrityError."""
    shown = path.name if name is None else name
    value = canonical.read(path, name=shown)
    require(value, shape, name=shown)
    return value


def plain(value: object) -> dict[str, Any]:
    """Return a result as JSON-able values: a mapping as it is, an object by its ``to_dict``."""
    found = value if isinstance(value, Mapping) else value.to_dict()  # type: ignore[attr-defined]  # a Protocol would add a name and no check
    return dict(found)


@cache
def _validator(shape: str) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator

    return Draft202012Validator(document(shape))
