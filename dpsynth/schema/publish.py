"""The JSON Schema of the schema document, for editors and for other tools."""

import json
from pathlib import Path
from typing import Any

from dpsynth.schema.document import FORMAT, Schema


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema that every schema document, TOML or JSON, satisfies."""
    document = Schema.model_json_schema(mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{FORMAT.replace('/', ':')}",
        **document,
    }


def write_json_schema(path: Path | str) -> None:
    """Write ``json_schema()`` to ``path``."""
    text = json.dumps(json_schema(), indent=2, ensure_ascii=False, allow_nan=False)
    Path(path).write_text(text + "\n", encoding="utf-8", newline="\n")
