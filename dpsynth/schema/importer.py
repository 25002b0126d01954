"""Schemas from metadata files: what is published comes in as declared, the rest as guessed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dpsynth.errors import SchemaError
from dpsynth.schema.codes import known_system
from dpsynth.schema.document import Schema
from dpsynth.schema.dtypes import INTEGER_DTYPES

# Where a domain comes from, in the file's words. Anything else, or nothing, counts as the rows.
_PUBLIC = {"codebook": "codebook", "public-knowledge": "public knowledge"}
_DTYPES = {"object": "str", "string": "str", "str": "str", "float64": "float64", "bool": "bool"}


def import_schema(path: Path | str, *, max_rows: int | None = None) -> Schema:
    """Read a metadata file and return the schema that it describes.

    Domains from a codebook or from public knowledge are declared; domains read off the rows are
    guessed, and so is what the file says beside them of nulls, missing codes and dtype. Their
    labels are left out, for each would repeat a value after the values are replaced. Counts of
    rows, persons and nulls are facts of the private table and are not read; nor is free text, in
    which such counts are often told, for a schema is published with its release.

    Args:
        path: JSON of one table; docs/reference/schema.md describes the format.
        max_rows: for a table of persons, how many rows of one person count at most.

    Raises:
        SchemaError: not such a file, or not of a single table.
    """
    path = Path(path)
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        raise SchemaError(f"cannot read {path.name!r} as a metadata file in JSON") from None
    if not isinstance(data, dict) or not isinstance(data.get("columns"), list):
        kind = data.get("kind") if isinstance(data, dict) else None
        if kind in ("multi_table", "images"):
            raise SchemaError(
                f"{path.name!r} describes '{kind}': only the kind 'single_table' can be imported"
            )
        raise SchemaError(f"{path.name!r} is not a metadata file: it lists no columns")
    if data.get("kind", "single_table") != "single_table":
        raise SchemaError(f"{path.name!r} must be of the kind 'single_table' to be imported")
    return Schema.from_dict(_document(data, max_rows))


def _document(data: Mapping[str, Any], max_rows: int | None) -> dict[str, Any]:
    person = data.get("person_id_column")
    direct = set(_names(data.get("direct_identifiers")))
    codes = data.get("missing_value_codes")
    shared = codes if isinstance(codes, Mapping) else {}
    columns = [_column(each, direct, shared) for each in data["columns"]]
    modeled = {each["name"] for each in columns if each["kind"] not in ("identifier", "excluded")}
    unit: dict[str, Any] = {"kind": "row"}
    if person is not None:
        unit = {"kind": "person", "column": person}
        if max_rows is not None:
            unit["max_rows"] = max_rows
    elif max_rows not in (None, 1):
        raise SchemaError("the file names no person column, so a person has 1 row: drop --max-rows")
    target = data.get("target")
    return {
        "unit": unit,
        "target": target if target in modeled else None,
        "quasi_identifiers": [n for n in _names(data.get("quasi_identifiers")) if n in modeled],
        "sensitive": [n for n in _names(data.get("sensitive_attributes")) if n in modeled],
        "columns": columns,
    }


def _names(listed: Any) -> list[str]:
    return [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []


def _column(entry: Any, direct: set[str], shared: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        raise SchemaError("every entry of `columns` must be a table with a `name`")
    name, kind = entry["name"], entry.get("type")
    roles = entry.get("roles") or []
    column: dict[str, Any] = {"name": name}
    if name in direct or "direct_identifier" in roles or kind == "text":
        return {**column, "kind": "excluded"}
    dtype = _dtype(entry.get("dtype"))
    if kind == "id":
        kept = {"dtype": dtype} if dtype in INTEGER_DTYPES | {"str"} else {}
        return {**column, "kind": "identifier", **kept}
    if kind == "datetime":
        kind = "date"
    if kind not in ("categorical", "ordinal", "integer", "continuous", "boolean", "date"):
        raise SchemaError(f"column {name!r}, field 'type': {str(kind)[:40]!r} is not a known type")
    column["kind"] = kind
    column["nullable"] = bool(entry.get("nullable", True))
    missing = entry.get("missing_codes") or shared.get(name) or []
    if missing:
        column["missing_codes"] = list(missing)
    if isinstance(entry.get("unit"), str):
        column["unit_of_measure"] = entry["unit"]
    column.update(_domain(entry, kind))
    if dtype is not None and kind != "date":
        column["dtype"] = dtype
    if not _is_public(entry):
        stated = {"missing_codes", "dtype"} & {*column} | {"nullable"} & {*entry}
        column["provenance"] = {
            **column.get("provenance", {}),
            **dict.fromkeys(sorted(stated), "guessed"),
        }
    return column


def _is_public(entry: Mapping[str, Any]) -> bool:
    """Whether what is said of a column's cells may come from elsewhere than the rows."""
    source = entry.get("domain_source")
    if source is None:  # an open list of codes, for one, states no domain that could have a source
        return not any(entry.get(field) for field in ("values", "bounds", "labels"))
    return str(source) in _PUBLIC


def _domain(entry: Mapping[str, Any], kind: str) -> dict[str, Any]:
    note = _PUBLIC.get(str(entry.get("domain_source")))
    origin: Any = "guessed" if note is None else {"status": "declared", "note": note}
    if kind in ("categorical", "ordinal"):
        if kind == "categorical" and entry.get("open_vocabulary"):
            system = entry.get("code_system")
            rule = known_system(system) if isinstance(system, str) else None
            # A list of values beside an open vocabulary was read off the rows: it is left out.
            return {} if rule is None else {"codes": system, "rollup": {"rule": rule}}
        labels = entry.get("labels")
        found: dict[str, Any] = {}
        if isinstance(labels, Mapping) and _is_public(entry):
            found["labels"] = {str(value): str(label) for value, label in labels.items()}
        if entry.get("values"):
            found |= {"values": list(entry["values"]), "provenance": {"values": origin}}
        return found
    bounds = entry.get("bounds")
    if bounds is None or kind == "boolean":
        return {}
    return {"bounds": list(bounds), "provenance": {"bounds": origin}}


def _dtype(name: Any) -> str | None:
    if not isinstance(name, str):
        return None
    return _DTYPES.get(name, name if name in INTEGER_DTYPES else None)
