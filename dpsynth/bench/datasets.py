"""Tables to measure on, as codes over a stated domain."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.errors import UnfitEnvironmentError, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

Codes = Mapping[str, NDArray[np.integer[Any]]]

FOLDER_VARIABLE = "DPSYNTH_DATA"
_READ_OFF = "read off this public table"
_SEED_OF_RESAMPLING = 20_261_122  # rows of an enlarged table are drawn the same every time


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Where a table comes from and how it is coded; all of it public.

    Args:
        name: for people, and the file name in a metadata folder.
        package: take the table that this Python package ships.
        codes: Parquet file of codes from 0, one column each.
        sizes: JSON file of the number of codes of each column; with ``codes``.
        ordered: columns whose neighboring codes mean similar things; with ``codes``.
        target: column to predict; that of the metadata where not given.
        positive: its code that counts as positive; that of the metadata where not given.
        bins: bins of equal width for numbers whose metadata names none.
        drop: columns to leave out.
        rows: draw this many rows with replacement, always the same ones.
    """

    name: str
    package: str | None = None
    codes: str | None = None
    sizes: str | None = None
    ordered: tuple[str, ...] = ()
    target: str | None = None
    positive: int | None = None
    bins: int = 32
    drop: tuple[str, ...] = ()
    rows: int | None = None

    def __post_init__(self) -> None:
        if (self.codes is None) != (self.sizes is None):
            raise UsageError(f"data set {self.name!r} needs both codes and sizes, or neither")
        if self.package is not None and self.codes is not None:
            raise UsageError(f"data set {self.name!r} comes from a package or a file, not both")
        for name in ("bins", "rows"):
            held = getattr(self, name)
            if held is not None and held < 1:
                raise UsageError(f"data set {self.name!r}: {name} must be at least 1")


@dataclass(frozen=True, kw_only=True, eq=False)
class CodedTable:
    """A table in codes.

    Attributes:
        codes: by column, shape ``(rows,)``, the narrowest unsigned type.
        sizes: number of codes by column.
        ordered: columns whose neighboring codes mean similar things.
        target: column to predict, if any.
        positive: its code that counts as positive, if any.
        split: rows to learn from and rows to test on, where the source says which.
    """

    codes: Codes = field(repr=False)
    sizes: Mapping[str, int]
    ordered: tuple[str, ...] = ()
    target: str | None = None
    positive: int | None = None
    split: tuple[range, range] | None = None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.codes.values())))

    def take(self, rows: NDArray[np.integer[Any]] | range) -> "CodedTable":
        """Return some of the rows."""
        chosen = np.asarray(rows, dtype=np.int64)
        return CodedTable(
            codes={name: held[chosen] for name, held in self.codes.items()},
            sizes=self.sizes,
            ordered=self.ordered,
            target=self.target,
            positive=self.positive,
        )


def load(dataset: Dataset, *, folder: Path) -> CodedTable:
    """Read a table.

    Args:
        dataset: where from.
        folder: what file names are relative to.

    Raises:
        UsageError: there is no such table, or its codes leave its domain.
        UnfitEnvironmentError: a package that ships it is not installed.
    """
    if dataset.package is not None:
        table = _from_package(dataset)
    elif dataset.codes is not None and dataset.sizes is not None:
        sizes = _json(folder / dataset.sizes)
        table = _coded(_parquet(folder / dataset.codes), sizes, ordered=dataset.ordered)
    else:
        table = _from_metadata(dataset)
    return _adjusted(table, dataset)


def _adjusted(table: CodedTable, dataset: Dataset) -> CodedTable:
    unknown = sorted({*dataset.drop, *filter(None, [dataset.target])} - set(table.codes))
    if unknown:
        raise UsageError(f"data set {dataset.name!r} has no column {unknown[0]!r}")
    kept = [name for name in table.codes if name not in dataset.drop]
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
    if dataset.rows is None:
        return adjusted
    rng = np.random.default_rng(_SEED_OF_RESAMPLING)
    return adjusted.take(rng.integers(0, adjusted.rows, dataset.rows))


def _coded(
    frame: "pd.DataFrame",
    sizes: Mapping[str, Any],
    *,
    ordered: tuple[str, ...] = (),
    target: str | None = None,
    positive: int | None = None,
    split: tuple[range, range] | None = None,
) -> CodedTable:
    if set(frame.columns) != set(sizes):
        raise UsageError("the table and its sizes must name the same columns")
    codes = {}
    for name, size in sizes.items():
        held = frame[name].to_numpy()
        whole = np.issubdtype(held.dtype, np.integer)
        if not (whole and held.size and held.min() >= 0 and held.max() < size):
            raise UsageError(f"column {name!r} must hold codes from 0 to {int(size) - 1}")
        codes[name] = held.astype(np.min_scalar_type(int(size) - 1))
    return CodedTable(
        codes=codes,
        sizes={name: int(size) for name, size in sizes.items()},
        ordered=tuple(name for name in sizes if name in ordered),
        target=target,
        positive=positive,
        split=split,
    )


def _from_metadata(dataset: Dataset) -> CodedTable:
    """Read ``NAME.json`` and the table it names from the folder of the environment variable."""
    home = os.environ.get(FOLDER_VARIABLE)
    if not home:
        raise UsageError(
            f"data set {dataset.name!r} names no package and no file: "
            f"set {FOLDER_VARIABLE} to a folder that holds {dataset.name}.json"
        )
    path = Path(home) / f"{dataset.name}.json"
    about = _json(path)
    if not isinstance(about.get("file"), str) or not isinstance(about.get("columns"), list):
        raise UsageError(f"{path} does not describe a single table")
    frame = _parquet(path.parent / about["file"])
    split = about.get("official_split")
    parts = None if split is None else (range(*split["train"]), range(*split["test"]))
    if isinstance(about.get("domain"), dict):
        positive = about.get("positive_value")
        return _coded(
            frame,
            about["domain"],
            ordered=tuple(each["name"] for each in about["columns"] if each["type"] == "ordinal"),
            target=about.get("target"),
            positive=positive if isinstance(positive, int) else None,
            split=parts,
        )
    return _encoded(frame, about, path, dataset, parts)


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


def _from_package(dataset: Dataset) -> CodedTable:
    if dataset.package not in _PACKAGED:
        known = ", ".join(sorted(_PACKAGED))
        raise UsageError(f"no table is known from package {dataset.package!r}; there are: {known}")
    tables = _PACKAGED[dataset.package]
    if dataset.name not in tables:
        raise UsageError(
            f"package {dataset.package!r} has no table {dataset.name!r} that we know how to code; "
            f"there are: {', '.join(sorted(tables))}"
        )
    try:
        return tables[dataset.name](dataset.bins)
    except ImportError as error:
        raise UnfitEnvironmentError(
            f"data set {dataset.name!r} needs the package {dataset.package}: "
            "pip install 'dpsynth[bench]'"
        ) from error


_VISITS = 32  # levels of randhie's visits: 31 stands for 31 and more
_FEW_VALUES = 40  # a column of randhie with at most this many values has a code for each


def _randhie(bins: int) -> CodedTable:
    """Code the RAND health insurance experiment as its ten columns ship with statsmodels.

    Values and ranges are read off this public table. Visits are cut at 31; a column of few values
    has a code for each; the others are cut in bins of equal width over their range.
    """
    import pandas as pd
    from statsmodels.datasets import randhie

    frame = randhie.load_pandas().data
    codes, sizes = {}, {}
    for name in frame.columns:
        held = frame[name].to_numpy(dtype=np.float64)
        values, places = np.unique(held, return_inverse=True)
        if name == "mdvis":
            places, size = np.minimum(held, _VISITS - 1).astype(np.int64), _VISITS
        elif values.size <= _FEW_VALUES:
            size = int(values.size)
        else:
            width = (held.max() - held.min()) / bins
            places = np.minimum((held - held.min()) // width, bins - 1).astype(np.int64)
            size = bins
        codes[name], sizes[name] = places, size
    ordered = tuple(name for name, size in sizes.items() if size > 2)
    return _coded(pd.DataFrame(codes), sizes, ordered=ordered)


_PACKAGED: dict[str, dict[str, Callable[[int], CodedTable]]] = {
    "statsmodels": {"randhie": _randhie}
}


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
