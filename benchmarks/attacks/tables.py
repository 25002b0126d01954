"""The tables that the attacks are timed on, made from Adult (Census Income), 15 columns.

A release is made that leaks on purpose: each row is a member's, three cells in ten taken from
another member. Amounts are cut to thousands (``fnlwgt``) and hundreds (``capital-gain``), and cells
beyond what the release holds are moved to its least or greatest value, so that a schema can hold
every number exactly and both tools see the same distances.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.schema import Schema

CUT = {"fnlwgt": 1000, "capital-gain": 100}
RELEASED = 30_000
TAKEN = 0.3


@dataclass(frozen=True, kw_only=True, eq=False)
class Tables:
    """A release, who was in it, who was not, and the schema of all three."""

    release: pd.DataFrame
    members: pd.DataFrame
    controls: pd.DataFrame
    schema: dict[str, Any]


def tables(source: Path, *, seed: int) -> Tables:
    """Return the tables made from Adult.

    Args:
        source: the Parquet file, 48,842 rows.
        seed: of the split and of the release.
    """
    rng = np.random.default_rng(seed)
    rows = pd.read_parquet(source)
    rows = rows.iloc[rng.permutation(len(rows))].reset_index(drop=True)
    for name, unit in CUT.items():
        rows[name] = rows[name] // unit
    members, controls = rows.iloc[:RELEASED], rows.iloc[RELEASED:].reset_index(drop=True)
    release = members.copy()
    for name in release.columns:
        taken = rng.random(RELEASED) < TAKEN
        others = members[name].to_numpy()[rng.integers(0, RELEASED, RELEASED)]
        release[name] = np.where(taken, others, members[name].to_numpy())
    release = release.astype(rows.dtypes.to_dict())
    for table in (members := members.copy(), controls):
        for name in _numeric(rows):
            table[name] = table[name].clip(release[name].min(), release[name].max())
    return Tables(
        release=release, members=members, controls=controls, schema=_schema(release, rows)
    )


def write_schema(schema: dict[str, Any], path: Path) -> None:
    """Write the schema as a file, after checking it."""
    import tomli_w

    path.write_text(tomli_w.dumps(schema), encoding="utf-8")
    Schema.read(path)


def _numeric(rows: pd.DataFrame) -> list[str]:
    return [name for name in rows.columns if pd.api.types.is_numeric_dtype(rows[name])]


def _schema(release: pd.DataFrame, rows: pd.DataFrame) -> dict[str, Any]:
    columns: list[dict[str, Any]] = []
    numeric = _numeric(rows)
    for name in rows.columns:
        if name in numeric:
            low, high = int(release[name].min()), int(release[name].max())
            # Edges, so that every whole number is a code of its own; the last cell holds two.
            edges = list(range(low, high + 2))
            facts = {"kind": "integer", "bounds": [low, high + 1], "bins": edges}
        else:
            facts = {"kind": "categorical", "values": sorted(set(rows[name]))}
        source = {"status": "declared", "note": "for a benchmark on public rows"}
        about = {field: source for field in facts if field != "kind"}
        columns.append({"name": name, **facts, "provenance": about})
    return {"format": "dpsynth-schema/1", "unit": {"kind": "row"}, "columns": columns}
