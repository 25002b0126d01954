"""Subgroups: is the synthetic table as good for the few as it is for the many?"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.encoding.codec import MISSING_LABEL
from dpsynth.utility import bootstrap
from dpsynth.utility.marginals import WIDTHS, marginals
from dpsynth.utility.scores import Score, Section
from dpsynth.utility.tables import NAMES, Tables

LEVELS = 12  # groups of one column; ordered columns with more are cut into bands
BANDS = 4
SMALL = 100  # rows of a group, real or synthetic, below which its numbers are marked
LEAST = 10  # rows of a group, in each table, below which nothing but its share is measured
DRIFT = "drift of the share"
TARGET = "drift of the target within the group"
_FAST = frozenset({WIDTHS[1], WIDTHS[2]})

Codes = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """One column that makes groups.

    Attributes:
        column: its name.
        labels: of the groups.
        groups: by table, the group of each row.
    """

    column: str
    labels: tuple[str, ...]
    groups: dict[str, Codes]


def subgroups(tables: Tables, *, seed: int) -> Section | None:
    """Compare each group of each named column; None where no column is named.

    Groups are the values of a column; an ordered column with more than 12 groups of codes is cut
    into four bands at the real rows' quarters, and of another column the 11 most frequent values
    stand alone. Of every group: the drift of its share, and the distances of tables of one and two
    columns among its own rows. Groups of fewer than 100 real or synthetic rows are marked, not
    hidden; of groups of fewer than 10 rows in a table only the share is measured.

    Tables:
        groups: a record for each group: ``column``, ``group`` (its name in the scores), ``label``,
            ``rows`` and ``shares`` by table, and ``small``.
    """
    if not tables.subgroups:
        return None
    scores: list[Score] = []
    records: list[dict[str, Any]] = []
    for column in tables.subgroups:
        made = grouping(tables, column)
        weigh = [
            bootstrap.weights(len(made.groups[name][: _rows(tables, name)]), seed=seed + place)
            for place, name in enumerate(("synthetic", "real"))
        ]
        for place, label in enumerate(made.labels):
            record = _record(tables, made, place)
            if not any(record["rows"].values()):
                continue  # declared, and in no table
            name = f"{column} = {label}"
            few = "few rows: read with care" if record["small"] else ""
            found = [_drift(tables, made, place, weigh), *_target(tables, made, place)]
            if min(record["rows"][which] for which in NAMES) >= LEAST:
                found += _within(tables, made, place, seed=seed)
            else:
                few = "too few rows for more than the share"
            records.append({"column": column, "group": name, "label": label, **record})
            scores += [
                replace(score, group=name, note=few if score.name == DRIFT else "")
                for score in found
            ]
    return Section(
        key="subgroups",
        title="Subgroups",
        scores=tuple(scores),
        tables={"groups": records},
        notes=(
            f"Groups of fewer than {SMALL} real or synthetic rows are marked as small: their "
            "numbers move with a few persons, and so do their ceilings.",
            "Independent columns keep the share of a group, so the floor of a drift says nothing; "
            "read it against the ceiling.",
        ),
    )


def grouping(tables: Tables, column: str) -> Grouping:
    """Return the groups that a column makes; missing numbers are a group of their own."""
    size, labels = tables.sizes[column], tables.labels[column]
    codes = tables.codes["real"][column]
    if column in tables.values["real"]:
        codes = codes[~np.isnan(tables.values["real"][column])]
    counts = np.bincount(codes, minlength=size)
    of = np.arange(size, dtype=np.int64)
    named = list(labels)
    if size > LEVELS and column in tables.ordered:
        of, named = _bands(counts, labels)
    elif size > LEVELS:
        kept = np.sort(np.argsort(-counts, kind="stable")[: LEVELS - 1])
        of = np.full(size, LEVELS - 1, dtype=np.int64)
        of[kept] = np.arange(len(kept))
        named = [*(labels[place] for place in kept.tolist()), "all others"]
    groups = {name: of[tables.codes[name][column]] for name in NAMES}
    if column in tables.values["real"] and named[-1] != MISSING_LABEL:
        named.append(MISSING_LABEL)
        for name, held in groups.items():
            groups[name] = np.where(np.isnan(tables.values[name][column]), len(named) - 1, held)
    return Grouping(column=column, labels=tuple(named), groups=groups)


def _bands(counts: NDArray[np.int64], labels: list[str]) -> tuple[Codes, list[str]]:
    """Return the band of each group of codes, and their labels: quarters of the real rows."""
    held = counts[:-1] if labels[-1] == MISSING_LABEL else counts
    middle = np.cumsum(held) - held / 2
    raw = np.minimum(middle * BANDS // max(int(held.sum()), 1), BANDS - 1).astype(np.int64)
    _, of = np.unique(raw, return_inverse=True)
    named = []
    for band in range(int(of.max()) + 1):
        members = np.flatnonzero(of == band)
        first = labels[members[0]].split(" to ")[0]
        last = labels[members[-1]].split(" to ")[-1]
        # A group of codes at the end may hold the missing one, which is set apart later.
        above = last == MISSING_LABEL
        whole = first if first == last else f"{first} to {last}"
        named.append(f"{first} and above" if above else whole)
    if len(held) < len(labels):
        return np.append(of, len(named)).astype(np.int64), [*named, MISSING_LABEL]
    return of.astype(np.int64), named


def _rows(tables: Tables, name: str) -> int:
    return len(tables.real) if name == "real" else tables.compared


def _record(tables: Tables, made: Grouping, place: int) -> dict[str, Any]:
    rows, parts = {}, {}
    for name in NAMES:
        inside = made.groups[name][: _rows(tables, name)] == place
        rows[name], parts[name] = int(inside.sum()), float(inside.mean())
    small = min(rows["real"], rows["synthetic"]) < SMALL
    return {"rows": rows, "shares": parts, "small": small}


def _drift(tables: Tables, made: Grouping, place: int, weigh: list[bootstrap.Weights]) -> Score:
    """Return how far the share of a group is from that in the real table."""
    inside = {name: made.groups[name][: _rows(tables, name)] == place for name in NAMES}
    share = {name: float(held.mean()) for name, held in inside.items()}
    shares = [
        bootstrap.sums(
            np.zeros(len(inside[name]), dtype=np.int64), 1, weight, inside[name].astype(np.float32)
        )[0]
        / weight.sum(axis=0)
        for name, weight in zip(("synthetic", "real"), weigh, strict=True)
    ]
    value = abs(share["synthetic"] - share["real"])
    low, high = bootstrap.interval(value, shares[0] - shares[1])
    return Score(
        name=DRIFT,
        value=value,
        ceiling=abs(share["holdout"] - share["real"]),
        floor=abs(share["floor"] - share["real"]),
        low=low,
        high=high,
        better="lower",
    )


def _target(tables: Tables, made: Grouping, place: int) -> Iterator[Score]:
    """Yield how far the distribution of the target within the group is from the real one."""
    target = tables.schema.target
    if target is None or target == made.column:
        return
    part = among(tables, made, place, columns=(target,))
    if part is not None:
        found = marginals(part, seed=tables.seed, widths=(1,))
        if found is not None:
            yield replace(found.scores[0], name=TARGET, note="")


def _within(tables: Tables, made: Grouping, place: int, *, seed: int) -> list[Score]:
    """Return the fast scores among the rows of one group."""
    rest = tuple(name for name in tables.sizes if name != made.column)
    part = among(tables, made, place, columns=rest)
    if part is None or not rest:
        return []
    found = marginals(part, seed=seed, widths=(1, 2))
    return [] if found is None else [score for score in found.scores if score.name in _FAST]


def among(tables: Tables, made: Grouping, place: int, *, columns: tuple[str, ...]) -> Tables | None:
    """Return the tables with the rows of one group alone, and some of the columns.

    None where a table has fewer than two such rows.
    """
    inside = {name: np.flatnonzero(made.groups[name] == place) for name in NAMES}
    sizes = {name: len(rows) for name, rows in inside.items()}
    if min(sizes.values()) < 2:
        return None
    kept = set(columns)
    return replace(
        tables,
        **{name: getattr(tables, name).iloc[inside[name]] for name in NAMES},
        codes={
            name: {
                column: held[inside[name]]
                for column, held in tables.codes[name].items()
                if column in kept
            }
            for name in NAMES
        },
        values={
            name: {
                column: held[inside[name]]
                for column, held in tables.values[name].items()
                if column in kept
            }
            for name in NAMES
        },
        sizes={column: size for column, size in tables.sizes.items() if column in kept},
        labels={column: held for column, held in tables.labels.items() if column in kept},
        compared=min(sizes["synthetic"], sizes["holdout"], sizes["floor"]),
    )
