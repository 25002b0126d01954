"""Fidelity: how far the synthetic table's low-order marginals are from the real table's.

Computed from real rows outside the guarantee, so a figure made here is for the custodian alone.
Each figure stands between a ceiling (one random half of the real rows against the other: what a
table of half the size could reach without any noise) and a floor (the columns drawn on their own).
"""

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.encoding import codecs
from dpsynth.encoding.table import seen

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

FORMAT = "dpsynth-fidelity/1"
LEVELS = 32
ORDERED = frozenset({"ordinal", "integer", "continuous", "date"})
_DIGITS = 6

Codes = NDArray[np.int64]


def fidelity(
    synthetic: "pd.DataFrame", real: "pd.DataFrame", schema: "Schema", *, seed: int = 0
) -> dict[str, Any]:
    """Return mean total variation distances of 1-way and 2-way marginals, and each column's.

    Columns with more than 32 declared codes are grouped first, so that the distance is not a
    measure of sampling error alone: ordered ones at the real rows' quantiles, others into their
    31 most frequent codes and the rest.

    Args:
        synthetic: the released rows.
        real: the custodian's rows.
        schema: declares both.
        seed: of the split into halves.

    Returns:
        A JSON-able document: ``measures`` with name, value, ceiling and floor (None where there
        is no such figure), and ``columns`` with labels and both tables' shares.
    """
    schema = seen(synthetic, schema)
    encoders = codecs(schema)
    kinds = {column.name: column.kind for column in schema.modeled}
    grouped: dict[str, tuple[Codes, Codes, list[str]]] = {}
    for name, codec in encoders.items():
        of_real = np.asarray(codec.encode(real[name]).codes, dtype=np.int64)
        of_synthetic = np.asarray(codec.encode(synthetic[name]).codes, dtype=np.int64)
        groups, labels = _groups(of_real, codec.labels(), ordered=kinds[name] in ORDERED)
        grouped[name] = (groups[of_synthetic], groups[of_real], labels)
    sizes = {name: len(labels) for name, (_, _, labels) in grouped.items()}
    return {
        "format": FORMAT,
        "measures": _measures(
            {name: found[0] for name, found in grouped.items()},
            {name: found[1] for name, found in grouped.items()},
            sizes,
            seed=seed,
        ),
        "columns": [
            {
                "name": name,
                "kind": kinds[name],
                "ordered": kinds[name] in ORDERED,
                "labels": labels,
                "real": _rounded(_shares(of_real, len(labels))),
                "synthetic": _rounded(_shares(of_synthetic, len(labels))),
            }
            for name, (of_synthetic, of_real, labels) in grouped.items()
        ],
    }


def total_variation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return half the L1 distance of two distributions over the same cells, in [0, 1]."""
    return float(np.abs(first - second).sum() / 2)


def _measures(
    synthetic: Mapping[str, Codes],
    real: Mapping[str, Codes],
    sizes: Mapping[str, int],
    *,
    seed: int,
) -> list[dict[str, Any]]:
    rows = len(next(iter(real.values()), np.zeros(0)))
    order = np.random.default_rng(seed).permutation(rows)
    left, right = order[: rows // 2], order[rows // 2 :]
    one_way, halves = [], []
    for name, size in sizes.items():
        one_way.append(total_variation(_shares(synthetic[name], size), _shares(real[name], size)))
        halves.append(
            total_variation(_shares(real[name][left], size), _shares(real[name][right], size))
        )
    two_way, two_halves, independent = [], [], []
    for first, second in combinations(sizes, 2):
        cells = sizes[first] * sizes[second]
        of_synthetic = synthetic[first] * sizes[second] + synthetic[second]
        of_real = real[first] * sizes[second] + real[second]
        shares = _shares(of_real, cells)
        two_way.append(total_variation(_shares(of_synthetic, cells), shares))
        two_halves.append(
            total_variation(_shares(of_real[left], cells), _shares(of_real[right], cells))
        )
        table = shares.reshape(sizes[first], sizes[second])
        alone = np.outer(table.sum(axis=1), table.sum(axis=0)).ravel()
        independent.append(total_variation(alone, shares))
    found = [_measure("mean total variation, single columns", one_way, halves, [])]
    if two_way:
        found.append(
            _measure("mean total variation, pairs of columns", two_way, two_halves, independent)
        )
    return found


def _measure(
    name: str, values: list[float], ceiling: list[float], floor: list[float]
) -> dict[str, Any]:
    return {
        "name": name,
        "value": _mean(values),
        "ceiling": _mean(ceiling),
        "floor": _mean(floor) if floor else None,
        "lower_is_better": True,
    }


def _mean(values: list[float]) -> float:
    return round(float(np.mean(values)), _DIGITS)


def _rounded(shares: NDArray[np.float64]) -> list[float]:
    return [round(float(share), _DIGITS) for share in shares]


def _shares(codes: Codes, size: int) -> NDArray[np.float64]:
    """Return the share of each code; an empty table counts as spread evenly."""
    counts = np.bincount(codes, minlength=size).astype(np.float64)
    total = counts.sum()
    return counts / total if total else np.full(size, 1 / size)


def _groups(codes: Codes, labels: list[str], *, ordered: bool) -> tuple[Codes, list[str]]:
    """Return for each declared code its group, and the groups' labels; at most 32 groups."""
    size = len(labels)
    if size <= LEVELS:
        return np.arange(size, dtype=np.int64), list(labels)
    counts = np.bincount(codes, minlength=size)
    if ordered:
        before = np.cumsum(counts) - counts
        # A code belongs where its rows begin: equal shares, never a split code.
        raw = np.minimum(before * LEVELS // max(int(counts.sum()), 1), LEVELS - 1)
        _, groups = np.unique(raw, return_inverse=True)
        groups = groups.astype(np.int64)
        found = []
        for group in range(int(groups.max()) + 1):
            members = np.flatnonzero(groups == group)
            first, last = labels[members[0]], labels[members[-1]]
            found.append(first if len(members) == 1 else f"{first} to {last}")
        return groups, found
    kept = np.sort(np.argsort(-counts, kind="stable")[: LEVELS - 1])
    groups = np.full(size, LEVELS - 1, dtype=np.int64)
    groups[kept] = np.arange(len(kept))
    return groups, [*(labels[code] for code in kept), "all others"]
