"""The release's own one-column shares, read from what is released and from nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
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
        missing_last: but for the last one, which is the missing level.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    shares: tuple[float, ...]
    ordered: bool
    missing_last: bool = False


def of_release(directory: Path) -> tuple[tuple[Marginal, ...], str]:
    """Return the marginals of the released model, or else of the synthetic table, and which."""
    if (directory / "model").is_dir():
        return _of_model(directory / "model"), "the released model"
    if (directory / "synthetic.parquet").is_file():
        return _of_table(directory / "synthetic.parquet"), "the synthetic table"
    return (), "nothing that was released"


def _of_model(folder: Path) -> tuple[Marginal, ...]:
    """Spread each group of the model over its declared codes, as drawing from it does."""
    import dpsynth
    from dpsynth.encoding import codecs

    fitted = dpsynth.load_model(folder)
    schema = fitted.full_schema
    tools = codecs(schema)
    found = []
    for column in schema.modeled:
        coarsening, tool = fitted.coarsenings[column.name], tools[column.name]
        of_groups = np.asarray(fitted.model.marginal((column.name,)), dtype=np.float64).ravel()
        shares = np.maximum(of_groups, 0.0)[coarsening.groups] * coarsening.weights
        found.append(
            arranged(column.name, column.kind, tool.labels(), shares, missing_last=tool.has_missing)
        )
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
        missing = float(values.isna().sum())
        if missing:
            labels, amounts = [*labels, "(missing)"], np.append(amounts, missing)
        kind = "continuous" if numeric else "categorical"
        found.append(arranged(name, kind, labels, amounts, missing_last=bool(missing)))
    return tuple(found)


def arranged(
    name: object, kind: str, labels: Sequence[object], shares: Any, *, missing_last: bool = False
) -> Marginal:
    """Return a column made ready to show: cleaned, normalized, and short enough to read.

    Args:
        name: of the column.
        kind: as the schema calls it; says whether the labels have an order.
        labels: what each share is of.
        shares: any multiple of the shares; noise may have put them below zero.
        missing_last: the last label is the missing level, which no order holds.
    """
    amounts = np.maximum(np.asarray(shares, dtype=np.float64), 0.0)
    total = float(amounts.sum())
    amounts = amounts / total if total > 0 else amounts
    names = [clean(label) for label in labels]
    ordered = kind in _ORDERED and len(names) > 2
    if ordered:
        places = len(names) - missing_last
        joined, merged = _merged(names[:places], amounts[:places])
        names, amounts = [*joined, *names[places:]], np.append(merged, amounts[places:])
    else:
        names, amounts = _ranked(names, amounts, most=ROWS)
    return Marginal(
        name=clean(name),
        kind=clean(kind),
        labels=tuple(names),
        shares=tuple(float(amount) for amount in amounts),
        ordered=ordered,
        missing_last=missing_last and ordered,
    )


def _merged(names: list[str], amounts: Any) -> tuple[list[str], Any]:
    """Join neighbors, the same number in each bin, until there are at most BINS."""
    step = -(-len(names) // BINS)
    if step <= 1:
        return names, amounts
    starts = list(range(0, len(names), step))
    joined = [_span(names[low : low + step]) for low in starts]
    return joined, np.add.reduceat(amounts, starts)


def _span(names: list[str]) -> str:
    """Return "17 to 19" for 17, 18, 19; and "0 to 9" for the ranges "0 to 4" and "5 to 9"."""
    if len(names) == 1:
        return names[0]
    first, last = names[0], names[-1]
    if first.startswith("[") and ", " in first and ", " in last:
        return f"{first.split(', ')[0]}, {last.split(', ')[-1]}"
    return f"{first.split(' to ')[0]} to {last.split(' to ')[-1]}"


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
