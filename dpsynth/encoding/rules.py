"""Declared rules in codes: where cells must be cut, and which cells can never be filled."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Zero
from dpsynth.encoding.grid import Grid
from dpsynth.schema.columns import ContinuousColumn
from dpsynth.schema.rules import forbidden_parts, ordered_pairs
from dpsynth.schema.selection import Selection
from dpsynth.zeros import Forbidden, Ordered, Span

if TYPE_CHECKING:
    from dpsynth.encoding.codec import Codec
    from dpsynth.schema.columns import Column
    from dpsynth.schema.document import Schema


def cuts(schema: "Schema") -> dict[str, NDArray[np.float64]]:
    """Return by column the values at which a cell must start, so that no cell straddles a rule."""
    columns = {column.name: column for column in schema.modeled}
    found: dict[str, list[float]] = {}
    for rule in schema.rules:
        for name, part in forbidden_parts(rule, columns).items():
            for low, high in part.intervals:
                found.setdefault(name, []).extend((low, after(columns[name], high)))
    return {
        name: np.unique([value for value in values if np.isfinite(value)])
        for name, values in found.items()
    }


def zeros(schema: "Schema", tools: "dict[str, Codec]") -> tuple[Zero, ...]:
    """Return the structural zeros over base codes that the rules of ``schema`` come to."""
    columns = {column.name: column for column in schema.modeled}
    found: list[Zero] = []
    for rule in schema.rules:
        parts = forbidden_parts(rule, columns)
        if parts:
            codes = tuple((name, codes_of(part, tools[name])) for name, part in parts.items())
            found.append(Forbidden(codes=codes))
    for first, second in ordered_pairs(schema.rules):
        found.append(
            Ordered(
                first=first,
                second=second,
                first_spans=spans(tools[first]),
                second_spans=spans(tools[second]),
            )
        )
    return tuple(found)


def codes_of(part: Selection, tool: "Codec") -> frozenset[int]:
    """Return the base codes that lie within ``part``; cells that it only touches do not."""
    found = set(part.levels)
    cut: Grid | None = getattr(tool, "grid", None)
    if cut is not None:
        for low, high in part.intervals:
            found.update(np.flatnonzero((cut.starts >= low) & (cut.ends <= high)).tolist())
    if part.missing:
        found.add(tool.size - 1)
    return frozenset(found)


def spans(tool: "Codec") -> tuple[Span, ...]:
    """Return the least and greatest value of every base code; levels count from 0."""
    cut: Grid | None = getattr(tool, "grid", None)
    kept = tool.size - tool.has_missing
    found: list[Span]
    if cut is None:
        found = [(float(code), float(code)) for code in range(kept)]
    else:
        found = list(zip(cut.starts.tolist(), cut.ends.tolist(), strict=True))
    return (*found, None) if tool.has_missing else tuple(found)


def after(column: "Column", value: float) -> float:
    """Return the least value above ``value`` that the column can have."""
    if isinstance(column, ContinuousColumn):
        return float(np.nextafter(value, np.inf))
    return value + 1
