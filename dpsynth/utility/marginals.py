"""Marginals: how far tables of one, two and three columns are from the real ones.

The distance of two tables of shares is total variation: half the sum of absolute differences, from
0 to 1: the share of rows that would have to move.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import comb, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.utility import bootstrap
from dpsynth.utility.scores import Score, Section
from dpsynth.utility.tables import Codes, Tables

MOST_TRIPLES = 1_000
WIDTHS = {
    1: "mean total variation, single columns",
    2: "mean total variation, pairs of columns",
    3: "mean total variation, triples of columns",
}
# Shares of the real rows that a table is likened to.
LADDER = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35,
    0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0,
)  # fmt: skip
_SEED_OF_TRIPLES = 0
_ALONE = "independent columns keep every single column: no floor, read against the ceiling"


def marginals(
    tables: Tables,
    *,
    seed: int = 0,
    widths: Sequence[int] = tuple(WIDTHS),
    most: int = MOST_TRIPLES,
) -> Section | None:
    """Compare tables of 1, 2 and 3 columns, each column in 32 groups of codes at most.

    For each width two scores: the mean distance to the real table, and the share of the real rows
    whose random subsample is as far from all of them ("equal to a q % subsample of the real
    rows", as SDNist reads it); 1 is never reached, for a holdout reads about 1/3 where it has as
    many rows as the real table. Triples are all there are, or ``most`` distinct ones.

    Tables:
        columns: for each column name, kind, ordered, labels, and shares ``real``, ``synthetic``,
            ``holdout`` of all their rows.
        pairs: ``columns`` and the matrix ``distance`` of pairs, with single columns on the
            diagonal.
        subsamples: by width, shares of the real rows and how far such subsamples are.
        worst: columns, pairs and triples with the largest distance, largest first.
    """
    there = [width for width in widths if len(tables.sizes) >= width]
    found = [_Width(tables, width, seed=seed, most=most) for width in there]
    by_pair = {clique: far for each in found for clique, far in each.each() if len(clique) < 3}
    return Section(
        key="marginals",
        title="Tables of one, two and three columns",
        scores=tuple(score for each in found for score in each.scores()),
        tables={
            "columns": columns(tables),
            "pairs": _matrix(list(tables.sizes), by_pair),
            "subsamples": {
                WIDTHS[each.width].partition(", ")[2]: {
                    "share of the real rows": each.shares,
                    "mean total variation": each.ladder,
                }
                for each in found
            },
            "worst": [worst for each in found for worst in each.worst()],
        },
        notes=_notes(tables),
    )


def total_variation(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Return half the L1 distance of two distributions over the same cells, in [0, 1]."""
    return float(np.abs(first - second).sum() / 2)


def shares(codes: Codes, size: int) -> NDArray[np.float64]:
    """Return the share of each code."""
    return np.bincount(codes, minlength=size) / len(codes)


def columns(tables: Tables) -> list[dict[str, Any]]:
    """Return each column's labels and shares in the real, synthetic and holdout table."""
    kinds = tables.kinds
    return [
        {
            "name": name,
            "kind": kinds[name],
            "ordered": name in tables.ordered,
            "labels": labels,
            **{
                which: shares(tables.codes[which][name], len(labels))
                for which in ("real", "synthetic", "holdout")
            },
            **({} if tables.whole is None else {"synthetic": tables.whole[name]}),
        }
        for name, labels in tables.labels.items()
    ]


def cliques(names: Sequence[str], width: int, *, most: int = MOST_TRIPLES) -> list[tuple[str, ...]]:
    """Return all sets of ``width`` columns; of triples at most ``most``, with a fixed seed."""
    if width < 3 or comb(len(names), width) <= most:
        return list(combinations(names, width))
    rng = np.random.default_rng(_SEED_OF_TRIPLES)
    chosen: dict[tuple[int, ...], None] = {}
    while len(chosen) < most:
        drawn = rng.choice(len(names), size=width, replace=False)
        chosen[tuple(sorted(int(place) for place in drawn))] = None
    return [tuple(names[place] for place in places) for places in sorted(chosen)]


def places(codes: Mapping[str, Codes], sizes: Mapping[str, int], clique: Sequence[str]) -> Codes:
    """Return the cell of every row in the table of ``clique``, row-major."""
    found = codes[clique[0]]
    for name in clique[1:]:
        found = found * sizes[name] + codes[name]
    return found


class _Width:
    """All tables of one width, gone through once."""

    def __init__(self, tables: Tables, width: int, *, seed: int, most: int) -> None:
        self.width = width
        self.cliques = cliques(tuple(tables.sizes), width, most=most)
        real = len(tables.real)
        steps = sorted({max(1, round(share * real)) for share in LADDER} - {real})
        self.shares = [step / real for step in steps] + [1.0]
        far = {name: np.empty(len(self.cliques)) for name in ("synthetic", "holdout", "floor")}
        ladder = np.zeros(len(self.shares))
        replicates = np.zeros(bootstrap.REPLICATES)
        weigh = [
            bootstrap.weights(rows, seed=seed + place)
            for place, rows in enumerate((tables.compared, real))
        ]
        rows = {name: tables.alike(name) for name in far}
        for at, clique in enumerate(self.cliques):
            cells = prod(tables.sizes[name] for name in clique)
            of_real = places(tables.codes["real"], tables.sizes, clique)
            whole = shares(of_real, cells)
            of = {name: places(codes, tables.sizes, clique) for name, codes in rows.items()}
            for name, held in of.items():
                far[name][at] = total_variation(shares(held, cells), whole)
            ladder += list(_subsamples(of_real, steps, whole))
            replicates += _resampled(of["synthetic"], of_real, cells, weigh)
        self._far = far
        self.ladder = ladder / len(self.cliques)
        self._replicates = replicates / len(self.cliques)

    def each(self) -> list[tuple[tuple[str, ...], float]]:
        """Return the distance of every table."""
        return list(zip(self.cliques, self._far["synthetic"].tolist(), strict=True))

    def worst(self, most: int = 10) -> list[dict[str, Any]]:
        """Return the tables that are farthest away."""
        order = np.argsort(-self._far["synthetic"], kind="stable")[:most].tolist()
        return [
            {
                "columns": list(self.cliques[at]),
                "value": self._far["synthetic"][at],
                "ceiling": self._far["holdout"][at],
                "floor": self._far["floor"][at],
            }
            for at in order
        ]

    def scores(self) -> list[Score]:
        """Return the mean distance and its reading as a subsample."""
        mean = {name: float(far.mean()) for name, far in self._far.items()}
        low, high = bootstrap.interval(mean["synthetic"], self._replicates)
        note = _ALONE if self.width == 1 else ""
        name = WIDTHS[self.width]
        return [
            Score(
                name=name,
                value=mean["synthetic"],
                ceiling=mean["holdout"],
                floor=mean["floor"],
                low=low,
                high=high,
                better="lower",
                note=note,
            ),
            Score(
                name=f"equal to a subsample of the real rows, {name.partition(', ')[2]}",
                value=self._share(mean["synthetic"]),
                ceiling=self._share(mean["holdout"]),
                floor=self._share(mean["floor"]),
                low=self._share(high),
                high=self._share(low),
                better="higher",
                note=note,
            ),
        ]

    def _share(self, distance: float) -> float:
        """Return the share of the real rows whose subsample is as far away."""
        return float(np.interp(distance, self.ladder[::-1], self.shares[::-1]))


def _subsamples(codes: Codes, steps: Sequence[int], whole: NDArray[np.float64]) -> Iterator[float]:
    """Yield the distance of ever larger parts of a table to all of it, the last of which is 0."""
    counts = np.zeros(len(whole), dtype=np.int64)
    before = 0
    for step in steps:
        counts += np.bincount(codes[before:step], minlength=len(whole))
        before = step
        yield total_variation(counts / step, whole)
    yield 0.0


def _resampled(
    synthetic: Codes, real: Codes, cells: int, weigh: Sequence[bootstrap.Weights]
) -> NDArray[np.floating]:
    """Return the distance in each replicate."""
    first, second = (
        bootstrap.counts(codes, cells, weight)
        for codes, weight in zip((synthetic, real), weigh, strict=True)
    )
    first /= first.sum(axis=0)
    second /= second.sum(axis=0)
    first -= second
    return np.asarray(np.abs(first, out=first).sum(axis=0) / 2)


def _matrix(names: list[str], far: Mapping[tuple[str, ...], float]) -> dict[str, Any]:
    matrix = np.full((len(names), len(names)), np.nan)
    at = {name: place for place, name in enumerate(names)}
    for clique, value in far.items():
        matrix[at[clique[0]], at[clique[-1]]] = matrix[at[clique[-1]], at[clique[0]]] = value
    return {"columns": names, "distance": matrix}


def _notes(tables: Tables) -> tuple[str, ...]:
    said = [
        "Each table is compared at as many rows as the smaller of synthetic table and holdout has; "
        "so is the floor. Columns with more than 32 codes are compared in 32 groups.",
        "Intervals: 95 %, from 200 Poisson bootstrap replicates of the rows of both tables.",
    ]
    if max(tables.compared, len(tables.real)) > bootstrap.MOST_ROWS:
        said.append("At most 50,000 rows of a table are resampled: the intervals are too wide.")
    return tuple(said)
