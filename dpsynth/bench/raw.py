"""Tables of raw values with a declared schema: what a user of the library has in hand."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dpsynth.bench.datasets import Dataset, described
from dpsynth.bench.packaged import packaged_frame
from dpsynth.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

_SEED_OF_SPLIT = 20_261_123  # training and test rows are the same in every run
_TEST_SHARE = 5  # one row in five, where the source names no split


@dataclass(frozen=True, kw_only=True, eq=False)
class RawTable:
    """A table as its source has it, and the public facts about it.

    Attributes:
        train: rows to learn from.
        test: rows that nothing is learnt from, or None.
        schema: declared columns.
        positive: text of the target's value that counts as positive; empty without a target.
    """

    train: "pd.DataFrame" = field(repr=False)
    test: "pd.DataFrame | None" = field(repr=False)
    schema: "Schema"
    positive: str


def load_raw(dataset: Dataset, *, folder: Path, protocol: str = "target") -> RawTable:
    """Read a table and its schema.

    Args:
        dataset: with a ``schema``; the table is one of ``DPSYNTH_DATA`` or of a package.
        folder: what the file name of the schema is relative to.
        protocol: "target" holds out the source's own test part, or else one row in five;
            "whole" learns from all rows.

    Raises:
        UsageError: there is no such table or schema, or the table lacks a declared column.
        UnfitEnvironmentError: a package that ships it is not installed.
    """
    from dpsynth.schema import Schema

    if dataset.schema is None:
        raise UsageError(f"data set {dataset.name!r} names no schema")
    schema = Schema.read(folder / dataset.schema)
    about: dict[str, Any] = {}
    if dataset.package is None:
        frame, about = described(dataset)
    else:
        frame = packaged_frame(dataset.package, dataset.title)
    missing = [c.name for c in schema.columns if c.name not in frame.columns]
    if missing:
        raise UsageError(f"data set {dataset.name!r} has no column {missing[0]!r}")
    frame = frame[[column.name for column in schema.columns]]
    if protocol not in ("whole", "target"):
        raise UsageError(f"a table with a schema is split by 'whole' or 'target', not {protocol!r}")
    train, test = (frame, None) if protocol == "whole" else split(frame, about)
    return RawTable(train=train, test=test, schema=schema, positive=_positive(schema, about))


def split(frame: "pd.DataFrame", about: dict[str, Any]) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Return training and test rows: the source's own, or else one row in five is held out."""
    official = about.get("official_split")
    if official is not None:
        parts = [np.arange(*official[name]) for name in ("train", "test")]
    else:
        order = np.random.default_rng(_SEED_OF_SPLIT).permutation(len(frame))
        parts = np.split(order, [len(frame) - len(frame) // _TEST_SHARE])
    train, test = (frame.iloc[part].reset_index(drop=True) for part in parts)
    return train, test


def _positive(schema: "Schema", about: dict[str, Any]) -> str:
    """Return the positive value: the source's own, or else the last one declared."""
    from dpsynth.schema.columns import LevelsColumn

    if schema.target is None:
        return ""
    column = schema.column(schema.target)
    if not isinstance(column, LevelsColumn):
        raise UsageError(f"the target {schema.target!r} must be categorical or ordinal")
    levels = [str(level) for level in column.levels]
    named = str(about.get("positive_value"))
    return named if named in levels else levels[-1]


def facts(schema: "Schema") -> list[dict[str, Any]]:
    """Return, for each column that is learnt, what a peer needs to know; JSON-able."""
    found: list[dict[str, Any]] = []
    for column in schema.modeled:
        known = json.loads(column.model_dump_json(include={"name", "kind", "bounds", "values"}))
        found.append(known | {"missing": column.has_missing})
    return found
