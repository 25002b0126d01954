"""Associations of pairs of columns: are they as strong in the synthetic table as in the real one?

Two numbers (or dates): Pearson's and Spearman's correlation, over the rows where neither is
missing. Two categories: Cramer's V, corrected for bias (Bergsma 2013); missing is a category. A
category and a number: the correlation ratio, the square root of the share of the number's variance
that lies between the categories.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.utility import bootstrap
from dpsynth.utility.scores import Score, Section
from dpsynth.utility.strengths import Matrix, correlation_ratio, correlations, cramers_v
from dpsynth.utility.tables import NAMES, Codes

if TYPE_CHECKING:
    from dpsynth.utility.tables import Tables

Pair = tuple[str, str]

PEARSON = "Pearson correlations, pairs of numbers"
SPEARMAN = "Spearman correlations, pairs of numbers"
CRAMER = "Cramer's V, pairs of categories"
RATIO = "correlation ratios, a category and a number"


def association(tables: "Tables", *, seed: int = 0) -> Section | None:
    """Compare the matrices of associations.

    For each kind one score: the mean absolute difference between the synthetic and the real
    table's associations, over all pairs of that kind. None for a table of one column.

    Tables:
        associations: ``columns``, and by table (real, synthetic, holdout, floor) the symmetric
            matrix: Pearson's, Cramer's V or the correlation ratio; empty on the diagonal.
        pairs: those that differ most, with kind, real and synthetic association.
    """
    names = list(tables.sizes)
    if len(names) < 2:
        return None
    numbers = [name for name in names if name in tables.values["real"]]
    categories = [name for name in names if name not in tables.values["real"]]
    parts = {name: _Part.of(tables, name, numbers, categories) for name in NAMES}
    weigh = {
        name: bootstrap.weights(parts[name].rows, seed=seed + place)
        for place, name in enumerate(("synthetic", "real"))
    }
    scores: list[Score] = []
    matrices = {name: np.full((len(names), len(names)), np.nan) for name in NAMES}
    listed: list[dict[str, Any]] = []
    for kind, pairs, measured in _kinds(numbers, categories):
        if not pairs:
            continue
        found = {name: measured(part, pairs, None)[:, 0] for name, part in parts.items()}
        resampled = {name: measured(parts[name], pairs, held) for name, held in weigh.items()}
        scores.append(_score(kind, found, resampled))
        if kind != SPEARMAN:
            for at, (first, second) in enumerate(pairs):
                line, column = names.index(first), names.index(second)
                for name, values in found.items():
                    matrices[name][line, column] = matrices[name][column, line] = values[at]
        listed += [
            {
                "columns": list(pair),
                "kind": kind,
                **{name: values[at] for name, values in found.items()},
            }
            for at, pair in enumerate(pairs)
        ]
    listed.sort(key=lambda pair: -abs(pair["synthetic"] - pair["real"]))
    return Section(
        key="association",
        title="Associations of pairs of columns",
        scores=tuple(scores),
        tables={"associations": {"columns": names, **matrices}, "pairs": listed[:20]},
        notes=(
            "A score is the mean absolute difference to the real table's associations.",
            "Intervals: 95 %, from 200 Poisson bootstrap replicates of the rows of both tables; "
            "Spearman's ranks are held fixed, and are those among all cells of a column.",
        ),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """One table, ready to be measured.

    Attributes:
        rows: of it that are compared.
        codes: by category.
        sizes: of all categories.
        values: shape ``(rows, numbers)``, centered and scaled, 0 where missing.
        ranks: likewise, of the ranks.
        there: 1 where a number is there, 0 where missing.
        at: the place of each number.
    """

    rows: int
    codes: Mapping[str, Codes]
    sizes: Mapping[str, int]
    values: NDArray[np.float64]
    ranks: NDArray[np.float64]
    there: NDArray[np.float64]
    at: Mapping[str, int]

    @classmethod
    def of(
        cls, tables: "Tables", name: str, numbers: Sequence[str], categories: Sequence[str]
    ) -> "_Part":
        from scipy.stats import rankdata

        rows = len(tables.real) if name == "real" else tables.compared
        held = np.empty((rows, len(numbers)))
        ranks = np.empty((rows, len(numbers)))
        for place, column in enumerate(numbers):
            held[:, place] = tables.values[name][column][:rows]
            ranks[:, place] = rankdata(held[:, place], nan_policy="omit")
        return cls(
            rows=rows,
            codes={column: tables.codes[name][column][:rows] for column in categories},
            sizes={column: tables.sizes[column] for column in categories},
            values=_scaled(held),
            ranks=_scaled(ranks),
            there=(~np.isnan(held)).astype(np.float64),
            at={column: place for place, column in enumerate(numbers)},
        )


def _scaled(held: NDArray[np.float64]) -> NDArray[np.float64]:
    """Center and scale, so that products are exact enough; correlations do not see it."""
    there = ~np.isnan(held)
    count = np.maximum(there.sum(axis=0), 1)
    centered = np.where(there, held, 0.0)
    centered = np.where(there, centered - centered.sum(axis=0) / count, 0.0)
    spread = np.sqrt((centered**2).sum(axis=0) / count)
    return centered / np.where(spread > 0, spread, 1.0)


_Measured = Callable[[_Part, Sequence[Pair], "bootstrap.Weights | None"], Matrix]


def _kinds(
    numbers: Sequence[str], categories: Sequence[str]
) -> Iterator[tuple[str, list[Pair], _Measured]]:
    """Yield each kind with its pairs and what measures them: shape ``(pairs, replicates)``."""
    among = list(combinations(numbers, 2))
    yield PEARSON, among, lambda part, pairs, held: _correlated(part, part.values, pairs, held)
    yield SPEARMAN, among, _ranked
    yield CRAMER, list(combinations(categories, 2)), _cramer
    yield RATIO, [(name, number) for name in categories for number in numbers], _ratios


def _score(kind: str, found: Mapping[str, Matrix], resampled: Mapping[str, Matrix]) -> Score:
    far = {
        name: float(np.abs(found[name] - found["real"]).mean())
        for name in ("synthetic", "holdout", "floor")
    }
    replicates = np.abs(resampled["synthetic"] - resampled["real"]).mean(axis=0)
    low, high = bootstrap.interval(far["synthetic"], replicates, most=2.0)
    return Score(
        name=f"mean difference of {kind}",
        value=far["synthetic"],
        ceiling=far["holdout"],
        floor=far["floor"],
        low=low,
        high=high,
        better="lower",
    )


def _correlated(
    part: _Part,
    values: NDArray[np.float64],
    pairs: Sequence[Pair],
    weight: "bootstrap.Weights | None",
) -> Matrix:
    first = [part.at[pair[0]] for pair in pairs]
    second = [part.at[pair[1]] for pair in pairs]
    each = [np.ones(part.rows)] if weight is None else weight.T
    found = [correlations(values, part.there, held)[first, second] for held in each]
    return np.column_stack(found)


def _ranked(part: _Part, pairs: Sequence[Pair], weight: "bootstrap.Weights | None") -> Matrix:
    """Return Spearman's correlations; without weights each pair ranks the rows that it is over."""
    from scipy.stats import rankdata

    found = _correlated(part, part.ranks, pairs, weight)
    if weight is not None:
        return found
    for at, pair in enumerate(pairs):
        places = [part.at[name] for name in pair]
        both = part.there[:, places].all(axis=1)
        if not both.all():
            ranks = _scaled(rankdata(part.values[both][:, places], axis=0))
            found[at] = correlations(ranks, np.ones_like(ranks), np.ones(len(ranks)))[0, 1]
    return found


def _cramer(part: _Part, pairs: Sequence[Pair], weight: "bootstrap.Weights | None") -> Matrix:
    found = []
    for first, second in pairs:
        shape = part.sizes[first], part.sizes[second]
        cells = part.codes[first] * shape[1] + part.codes[second]
        table = _counted(cells, shape[0] * shape[1], weight).reshape(*shape, -1)
        found.append(cramers_v(table))
    return np.array(found)


def _ratios(part: _Part, pairs: Sequence[Pair], weight: "bootstrap.Weights | None") -> Matrix:
    found = []
    for category, number in pairs:
        place = part.at[number]
        values, there = part.values[:, place], part.there[:, place]
        size, codes = part.sizes[category], part.codes[category]
        count = _summed(codes, size, weight, there)
        total = _summed(codes, size, weight, values)
        square = _summed(codes, size, weight, values**2).sum(axis=0)
        found.append(correlation_ratio(count, total, square))
    return np.array(found)


def _counted(codes: Codes, size: int, weight: "bootstrap.Weights | None") -> Matrix:
    if weight is None:
        return np.bincount(codes, minlength=size).astype(np.float64)[:, None]
    return bootstrap.counts(codes, size, weight)


def _summed(
    codes: Codes, size: int, weight: "bootstrap.Weights | None", values: NDArray[np.float64]
) -> Matrix:
    if weight is None:
        return np.bincount(codes, weights=values, minlength=size).astype(np.float64)[:, None]
    return bootstrap.sums(codes, size, weight, values)
