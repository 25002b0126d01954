"""Missing cells: how many, which of them together, and in which rows."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.encoding.codec import GridCodec, codecs
from dpsynth.utility import bootstrap
from dpsynth.utility.marginals import shares, total_variation
from dpsynth.utility.scores import Score, Section
from dpsynth.utility.tables import LEVELS, NAMES, Codes, Tables

PATTERNS = 32  # that are told apart, the last of which is all others
MOST_PAIRS = 100  # of a column with missing cells and another column
_SEED_OF_PAIRS = 0
_ALONE = "independent columns keep every rate: no floor, read against the ceiling"
RATE = "difference of the missing rate"

Mask = NDArray[np.bool_]


def missingness(tables: Tables, *, seed: int) -> Section | None:
    """Compare missing cells; None where no table has any.

    Scores: the mean absolute difference of the columns' missing rates (and each column's), the
    distance of the patterns (which cells of a row are missing together; the 31 that are most
    frequent in the real rows, and all others), and the mean distance of the tables "missing or
    not" by another column's value, which sees whether cells are missing in the right rows. The
    last is over 100 fixed pairs of columns at most.

    Tables:
        rates: a row for each column that has missing cells: its rates in the four tables.
        patterns: the most frequent patterns and their shares.
        together: ``columns`` and matrices ``real``, ``synthetic``, ``holdout``: shares of rows in
            which both cells are missing; where three columns or more have any.
    """
    masks = {name: _masks(tables, name) for name in NAMES}
    names = [name for name in masks["real"] if any(held[name].any() for held in masks.values())]
    if not names:
        return None
    of = {name: _stacked(masks[name], names, tables, name) for name in NAMES}
    weigh = {
        name: bootstrap.weights(len(of[name]), seed=seed + place)
        for place, name in enumerate(("synthetic", "real"))
    }
    patterns, texts = _patterns(of, names)
    return Section(
        key="missingness",
        title="Missing cells",
        scores=(
            *_rates(of, names, weigh),
            _pattern_score(patterns, len(texts), weigh),
            *_elsewhere(tables, of, names, weigh),
        ),
        tables={
            "rates": {
                "columns": ["column", "real", "synthetic", "holdout", "independent columns"],
                "rows": [
                    [name, *(of[which][:, at].mean() for which in _SHOWN)]
                    for at, name in enumerate(names)
                ],
            },
            "patterns": {
                "columns": ["missing in", "real", "synthetic", "holdout", "independent columns"],
                "rows": [
                    [text, *row]
                    for text, *row in zip(
                        texts,
                        *(shares(patterns[which], len(texts)) for which in _SHOWN),
                        strict=True,
                    )
                ],
            },
            **_together(of, names),
        },
        notes=(
            "A synthetic table may have the right rates and leave out the wrong cells: read the "
            "patterns, and the tables by other columns.",
        ),
    )


_SHOWN = ("real", "synthetic", "holdout", "floor")


def _masks(tables: Tables, name: str) -> dict[str, Mask]:
    """Return for each column that may have missing cells which of them are."""
    found = {}
    for column, tool in codecs(tables.schema).items():
        if not tool.has_missing:
            continue
        if isinstance(tool, GridCodec):
            found[column] = np.isnan(tables.values[name][column])
        elif tool.size <= LEVELS:
            found[column] = tables.codes[name][column] == tool.size - 1
        else:  # the missing code may share a group there
            frame = getattr(tables, name)
            found[column] = np.asarray(tool.encode(frame[column]).codes) == tool.size - 1
    return found


def _stacked(masks: Mapping[str, Mask], names: list[str], tables: Tables, name: str) -> Mask:
    """Return the rows that are compared, shape ``(rows, columns)``."""
    rows = len(tables.real) if name == "real" else tables.compared
    return np.column_stack([masks[column][:rows] for column in names])


def _rates(
    of: Mapping[str, Mask], names: list[str], weigh: Mapping[str, bootstrap.Weights]
) -> list[Score]:
    gaps = {
        name: np.abs(of[name].mean(axis=0) - of["real"].mean(axis=0))
        for name in ("synthetic", "holdout", "floor")
    }
    moved = np.abs(
        _weighted(of["synthetic"], weigh["synthetic"]) - _weighted(of["real"], weigh["real"])
    )

    def score(name: str, pick: slice | int, group: str = "", note: str = "") -> Score:
        value = float(np.mean(gaps["synthetic"][pick]))
        replicates = moved[pick] if isinstance(pick, int) else moved[pick].mean(axis=0)
        low, high = bootstrap.interval(value, replicates)
        return Score(
            name=name,
            value=value,
            ceiling=float(np.mean(gaps["holdout"][pick])),
            floor=float(np.mean(gaps["floor"][pick])),
            low=low,
            high=high,
            better="lower",
            group=group,
            note=note,
        )

    whole = score("mean difference of the missing rates", slice(None), note=_ALONE)
    return [whole, *(score(RATE, at, group=name) for at, name in enumerate(names))]


def _weighted(mask: Mask, weight: bootstrap.Weights) -> NDArray[np.float32]:
    """Return the rates in each replicate, shape ``(columns, REPLICATES)``."""
    held = mask[: len(weight)].astype(np.float32)
    found: NDArray[np.float32] = (held.T @ weight) / weight.sum(axis=0)
    return found


def _patterns(of: Mapping[str, Mask], names: list[str]) -> tuple[dict[str, Codes], list[str]]:
    """Return the pattern of each row, and what each is called."""
    packed = {
        name: [row.tobytes() for row in np.packbits(held, axis=1)] for name, held in of.items()
    }
    counted = Counter(packed["real"])
    kept = [pattern for pattern, _ in counted.most_common(PATTERNS - 1)]
    place = {pattern: at for at, pattern in enumerate(kept)}
    codes = {
        name: np.array([place.get(row, len(kept)) for row in rows], dtype=np.int64)
        for name, rows in packed.items()
    }
    return codes, [*(_called(pattern, names) for pattern in kept), "any other pattern"]


def _called(pattern: bytes, names: list[str]) -> str:
    bits = np.unpackbits(np.frombuffer(pattern, dtype=np.uint8))[: len(names)]
    missing = [name for name, bit in zip(names, bits, strict=True) if bit]
    return ", ".join(missing) or "no column"


def _pattern_score(
    patterns: Mapping[str, Codes], count: int, weigh: Mapping[str, bootstrap.Weights]
) -> Score:
    held = _Distance(patterns, count, weigh)
    return held.score("total variation, patterns of missing cells")


@dataclass(frozen=True, kw_only=True)
class _Far:
    """A distance of each table to the real one, and of the replicates."""

    of: Mapping[str, float]
    replicates: NDArray[np.floating]


class _Distance:
    """The distance of tables over ``cells`` cells."""

    def __init__(
        self, codes: Mapping[str, Codes], cells: int, weigh: Mapping[str, bootstrap.Weights]
    ) -> None:
        real = shares(codes["real"], cells)
        of = {
            name: total_variation(shares(codes[name], cells), real)
            for name in ("synthetic", "holdout", "floor")
        }
        first, second = (
            bootstrap.counts(codes[name], cells, weigh[name]) for name in ("synthetic", "real")
        )
        apart = np.abs(first / first.sum(axis=0) - second / second.sum(axis=0))
        self.found = _Far(of=of, replicates=apart.sum(axis=0) / 2)

    def score(self, name: str) -> Score:
        """Return it as a score."""
        return _mean(name, [self.found])


def _mean(name: str, found: list[_Far]) -> Score:
    of = {
        which: float(np.mean([far.of[which] for far in found]))
        for which in ("synthetic", "holdout", "floor")
    }
    replicates = np.mean([far.replicates for far in found], axis=0)
    low, high = bootstrap.interval(of["synthetic"], replicates)
    return Score(
        name=name,
        value=of["synthetic"],
        ceiling=of["holdout"],
        floor=of["floor"],
        low=low,
        high=high,
        better="lower",
    )


def _elsewhere(
    tables: Tables, of: Mapping[str, Mask], names: list[str], weigh: Mapping[str, bootstrap.Weights]
) -> list[Score]:
    """Return how well "missing or not" goes with the values of other columns."""
    pairs = [
        (at, other)
        for (at, name), other in product(enumerate(names), tables.sizes)
        if other != name
    ]
    if len(pairs) > MOST_PAIRS:
        chosen = np.random.default_rng(_SEED_OF_PAIRS).permutation(len(pairs))[:MOST_PAIRS]
        pairs = [pairs[place] for place in np.sort(chosen).tolist()]
    found = []
    for at, other in pairs:
        size = tables.sizes[other]
        codes = {
            name: tables.codes[name][other][: len(held)] + size * held[:, at]
            for name, held in of.items()
        }
        found.append(_Distance(codes, 2 * size, weigh).found)
    name = "mean total variation, missing or not by the value of another column"
    return [_mean(name, found)] if found else []


def _together(of: Mapping[str, Mask], names: list[str]) -> dict[str, Any]:
    """Return shares of rows in which two cells are missing; of two columns the patterns say it."""
    if len(names) < 3:
        return {}
    matrices: dict[str, Any] = {}
    for name in ("real", "synthetic", "holdout"):
        held = of[name].astype(np.float64)
        matrices[name] = held.T @ held / len(held)
    return {"together": {"columns": names, **matrices}}
