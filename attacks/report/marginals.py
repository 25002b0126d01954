"""The release's own one-column shares, read from what is released and from nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from attacks.report.wording import clean, plural

BARS = 9
BINS = 40
ROWS = 40
_ORDERED = frozenset({"ordinal", "integer", "continuous", "date"})


@dataclass(frozen=True, kw_only=True)
class Marginal:
    """One column of the release.

    Args:
        name: the column, cleaned for display.
        kind: its kind in the schema, or an empty text.
        labels: what each share is of, in order.
        shares: in [0, 1]; they add up to 1 unless the release is empty.
        ordered: neighbors in ``labels`` are neighbors in value.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    shares: tuple[float, ...]
    ordered: bool


def of_release(directory: Path) -> tuple[tuple[Marginal, ...], str]:
    """Return the marginals of the released model, or else of the synthetic table, and which."""
    if (directory / "model").is_dir():
        return _of_model(directory / "model"), "the released model"
    if (directory / "synthetic.parquet").is_file():
        return _of_table(directory / "synthetic.parquet"), "the synthetic table"
    return (), "nothing that was released"


def _of_model(folder: Path) -> tuple[Marginal, ...]:
    import dpsynth

    model: Any = dpsynth.load_model(folder)
    found = []
    for column in model.schema.modeled:
        labels, shares = model.column_marginal(column.name)
        found.append(arranged(column.name, column.kind, labels, shares))
    return tuple(found)


def _of_table(path: Path) -> tuple[Marginal, ...]:
    import pandas as pd

    frame = pd.read_parquet(path)
    found = []
    for name in frame.columns:
        values = frame[name]
        numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        counts = values.value_counts(dropna=True, sort=False)
        if counts.empty:
            continue
        # Values that cannot be ordered against each other are ordered by their text.
        counts = counts.sort_index() if numeric else counts.sort_index(key=lambda i: i.astype(str))
        labels = [f"{value:g}" if numeric else str(value) for value in counts.index]
        amounts = counts.to_numpy(dtype=np.float64)
        if (missing := float(values.isna().sum())) > 0:
            labels, amounts = [*labels, "missing"], np.append(amounts, missing)
        kind = "continuous" if numeric else "categorical"
        found.append(arranged(str(name), kind, labels, amounts))
    return tuple(found)


def arranged(name: object, kind: str, labels: Sequence[object], shares: Any) -> Marginal:
    """Return a column made ready to show: cleaned, normalized, and short enough to read."""
    amounts = np.maximum(np.asarray(shares, dtype=np.float64), 0.0)
    total = float(amounts.sum())
    amounts = amounts / total if total > 0 else amounts
    names = [clean(label) for label in labels]
    ordered = kind in _ORDERED and len(names) > 2
    if ordered:
        names, amounts = _merged(names, amounts)
    else:
        names, amounts = _ranked(names, amounts, most=ROWS)
    return Marginal(
        name=clean(name),
        kind=clean(kind),
        labels=tuple(names),
        shares=tuple(float(amount) for amount in amounts),
        ordered=ordered,
    )


def _merged(names: list[str], amounts: Any) -> tuple[list[str], Any]:
    """Join neighbors until there are at most BINS."""
    if len(names) <= BINS:
        return names, amounts
    edges = np.unique(np.linspace(0, len(names), BINS + 1).astype(np.int64))
    joined = [
        names[low] if high - low == 1 else f"{names[low]} to {names[high - 1]}"
        for low, high in pairwise(edges)
    ]
    return joined, np.add.reduceat(amounts, edges[:-1])


def _ranked(names: list[str], amounts: Any, *, most: int) -> tuple[list[str], Any]:
    """Put the most frequent first and join the tail into one line."""
    order = np.argsort(-np.asarray(amounts), kind="stable")
    names, amounts = [names[place] for place in order], np.asarray(amounts)[order]
    if len(names) <= most:
        return names, amounts
    rest = len(names) - (most - 1)
    names = [*names[: most - 1], f"all {plural(rest, 'other value')}"]
    return names, np.append(amounts[: most - 1], amounts[most - 1 :].sum())


def head(marginal: Marginal) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Return what fits into a small chart of an unordered column."""
    names, amounts = list(marginal.labels), np.asarray(marginal.shares)
    shown, cut = _ranked(names, amounts, most=BARS) if len(names) > BARS else (names, amounts)
    return tuple(shown), tuple(float(amount) for amount in cut)
