"""Tables to measure on, as codes over a stated domain."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dpsynth.bench import made
from dpsynth.bench.coded import CodedTable, coded
from dpsynth.bench.packaged import from_package
from dpsynth.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

FOLDER_VARIABLE = "DPSYNTH_DATA"
_READ_OFF = "read off this public table"
_SEED_OF_RESAMPLING = 20_261_122  # rows of an enlarged table are drawn the same every time


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Where a table comes from and how it is coded; all of it public.

    Args:
        name: for people, and what the table is called in its package or metadata folder.
        table: what it is called there, where that is something else.
        package: take the table that this Python package ships.
        made: make the table up: "chain" or "survey"; with ``rows``.
        columns: of a chain.
        values: of each column of a chain.
        codes: Parquet file of codes from 0, one column each.
        sizes: JSON file of the number of codes of each column; with ``codes``.
        ordered: columns whose neighboring codes mean similar things; with ``codes``.
        target: column to predict; that of the metadata where not given.
        positive: its code that counts as positive; that of the metadata where not given.
        bins: bins of equal width for numbers whose metadata names none.
        drop: columns to leave out.
        only: "COLUMN=LABEL" of the metadata: take those rows alone, and leave the column out.
        rows: draw this many rows with replacement, always the same ones; of a table that is made
            up, how many there are.
        schema: file of declared columns; the table then comes in raw values, see ``raw.load_raw``.
        expected_rows: what a schema would declare, for synthesizers whose plan needs it.
    """

    name: str
    table: str | None = None
    package: str | None = None
    made: str | None = None
    columns: int | None = None
    values: int | None = None
    codes: str | None = None
    sizes: str | None = None
    ordered: tuple[str, ...] = ()
    target: str | None = None
    positive: int | None = None
    bins: int = 32
    drop: tuple[str, ...] = ()
    only: str | None = None
    rows: int | None = None
    schema: str | None = None
    expected_rows: int | None = None

    def __post_init__(self) -> None:
        if (self.codes is None) != (self.sizes is None):
            raise UsageError(f"data set {self.name!r} needs both codes and sizes, or neither")
        places = [self.package, self.codes, self.made]
        if len(places) - places.count(None) > 1:
            raise UsageError(
                f"data set {self.name!r} comes from one place: a package, a file, or made up"
            )
        if self.made is not None and self.rows is None:
            raise UsageError(f"data set {self.name!r} is made up: say how many rows")
        if self.made is None and (self.columns, self.values) != (None, None):
            raise UsageError(f"data set {self.name!r}: columns and values belong to made = 'chain'")
        if self.only is not None and places.count(None) < len(places):
            raise UsageError(f"data set {self.name!r}: only needs a table with metadata")
        if self.table is not None and (self.codes is not None or self.made is not None):
            raise UsageError(f"data set {self.name!r}: a table is named in a package or folder")
        given = {each.name for each in fields(self) if getattr(self, each.name) != each.default}
        beside = sorted(given - {"name", "table", "package", "schema"})
        if self.schema is not None and beside:
            raise UsageError(
                f"data set {self.name!r} has a schema, with which {beside[0]} does not go"
            )
        for name in ("bins", "rows", "columns", "values", "expected_rows"):
            held = getattr(self, name)
            if held is not None and held < 1:
                raise UsageError(f"data set {self.name!r}: {name} must be at least 1")

    @property
    def title(self) -> str:
        """What the table is called where it comes from."""
        return self.name if self.table is None else self.table


def load(dataset: Dataset, *, folder: Path) -> CodedTable:
    """Read a table.

    Args:
        dataset: where from.
        folder: what file names are relative to.

    Raises:
        UsageError: there is no such table, or its codes leave its domain.
        UnfitEnvironmentError: a package that ships it is not installed.
    """
    if dataset.made is not None:
        assert dataset.rows is not None
        table = made.make(
            dataset.made, rows=dataset.rows, columns=dataset.columns, values=dataset.values
        )
    elif dataset.package is not None:
        table = from_package(dataset.package, dataset.title, bins=dataset.bins)
    elif dataset.codes is not None and dataset.sizes is not None:
        sizes = _json(folder / dataset.sizes)
        table = coded(_parquet(folder / dataset.codes), sizes, ordered=dataset.ordered)
    else:
        table = _from_metadata(dataset)
    return _adjusted(table, dataset)


def _adjusted(table: CodedTable, dataset: Dataset) -> CodedTable:
    unknown = sorted({*dataset.drop, *filter(None, [dataset.target])} - set(table.codes))
    if unknown:
        raise UsageError(f"data set {dataset.name!r} has no column {unknown[0]!r}")
    left_out = {*dataset.drop, (dataset.only or "").partition("=")[0]}
    kept = [name for name in table.codes if name not in left_out]
    target = dataset.target if dataset.target is not None else table.target
    positive = dataset.positive if dataset.positive is not None else table.positive
    adjusted = CodedTable(
        codes={name: table.codes[name] for name in kept},
        sizes={name: table.sizes[name] for name in kept},
        ordered=tuple(name for name in table.ordered if name in kept),
        target=target if target in kept else None,
        positive=positive,
        split=table.split if dataset.rows is None else None,
    )
    if dataset.rows is None or dataset.made is not None:
        return adjusted
    rng = np.random.default_rng(_SEED_OF_RESAMPLING)
    return adjusted.take(rng.integers(0, adjusted.rows, dataset.rows))


def described(dataset: Dataset) -> "tuple[pd.DataFrame, dict[str, Any]]":
    """Read ``NAME.json`` and the table it names from the folder of the environment variable.

    Raises:
        UsageError: there is no such folder, description or table.
    """
    path = _description(dataset)
    about = _json(path)
    if not isinstance(about.get("file"), str) or not isinstance(about.get("columns"), list):
        raise UsageError(f"{path} does not describe a single table")
    return _parquet(path.parent / about["file"]), about


def _description(dataset: Dataset) -> Path:
    home = os.environ.get(FOLDER_VARIABLE)
    if not home:
        raise UsageError(
            f"data set {dataset.name!r} names no package and no file: "
            f"set {FOLDER_VARIABLE} to a folder that holds {dataset.title}.json"
        )
    return Path(home) / f"{dataset.title}.json"


def _from_metadata(dataset: Dataset) -> CodedTable:
    frame, about = described(dataset)
    split = about.get("official_split") if dataset.only is None else None
    parts = None if split is None else (range(*split["train"]), range(*split["test"]))
    if dataset.only is not None:
        frame = _only(frame, dataset)
    if isinstance(about.get("domain"), dict):
        positive = about.get("positive_value")
        return coded(
            frame,
            about["domain"],
            ordered=tuple(each["name"] for each in about["columns"] if each["type"] == "ordinal"),
            target=about.get("target"),
            positive=positive if isinstance(positive, int) else None,
            split=parts,
        )
    return _encoded(frame, about, _description(dataset), dataset, parts)


def _only(frame: "pd.DataFrame", dataset: Dataset) -> "pd.DataFrame":
    column, _, label = (dataset.only or "").partition("=")
    if column not in frame.columns:
        raise UsageError(f"data set {dataset.name!r} has no column {column!r}")
    kept = frame[frame[column].astype(str) == label]
    if not len(kept):
        raise UsageError(f"data set {dataset.name!r} has no row with {dataset.only}")
    return kept.reset_index(drop=True)


def _encoded(
    frame: "pd.DataFrame",
    about: Mapping[str, Any],
    path: Path,
    dataset: Dataset,
    split: tuple[range, range] | None,
) -> CodedTable:
    from dpsynth.encoding.codec import codecs
    from dpsynth.encoding.table import encode_table
    from dpsynth.schema import Schema
    from dpsynth.schema.importer import import_schema

    # The unit of a benchmark on codes is the row.
    persons = about.get("person_id_column") is not None
    imported = import_schema(path, max_rows=1 if persons else None)
    learns = {column.name for column in imported.modeled if column.learns_bins}
    document = imported.to_dict()
    for column in document["columns"]:
        if column["name"] in learns:
            column["bins"] = dataset.bins
        # The table is public: a domain read off its rows will do for research.
        for field_name, origin in column.get("provenance", {}).items():
            if origin == "guessed" or dict(origin).get("status") == "guessed":
                column["provenance"][field_name] = {"status": "declared", "note": _READ_OFF}
    schema = Schema.from_dict(document)
    tools = codecs(schema)
    encoded = encode_table(frame, schema)
    target = about.get("target") if about.get("target") in tools else None
    return CodedTable(
        codes=encoded.codes,
        sizes={name: tool.size for name, tool in tools.items()},
        ordered=tuple(
            column.name
            for column in schema.modeled
            if column.kind in ("ordinal", "integer", "continuous", "date")
        ),
        target=target,
        positive=_positive(schema, target, about.get("positive_value")),
        split=split,
    )


def _positive(schema: "Schema", target: str | None, value: object) -> int | None:
    """Return the code of the positive value, where it is one of the target's levels."""
    from dpsynth.encoding.codec import codecs

    if target is None or value is None:
        return None
    labels = codecs(schema)[target].labels()
    return labels.index(str(value)) if str(value) in labels else None


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path} as JSON") from error
    if not isinstance(found, dict):
        raise UsageError(f"{path} must hold a JSON object")
    return found


def _parquet(path: Path) -> "pd.DataFrame":
    import pandas as pd

    if not path.is_file():
        raise UsageError(f"there is no table {path}")
    return pd.read_parquet(path)
