"""Subgroups: is the synthetic table as good for the few as it is for the many?"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.encoding.codec import MISSING_LABEL
from dpsynth.utility import bootstrap
from dpsynth.utility.group_metrics import (
    A_TERM,
    BOOSTING,
    LEAST,
    MOST_POINTS,
    MOST_ROWS,
    MOST_TRIPLES,
    SMALL,
    Group,
    measured,
)
from dpsynth.utility.marginals import marginals
from dpsynth.utility.scores import Score, Section
from dpsynth.utility.tables import NAMES, OTHERS, Tables

LEVELS = 12  # groups of one column; ordered columns with more are cut into bands
BANDS = 4
DRIFT = "drift of the share"
TARGET = "drift of the target within the group"
SHARES = "Shares, and the target"

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
    stand alone. Of every group: the drift of its share, and every metric of the whole table among
    its own rows (see ``group_metrics``). Groups of fewer than 100 real or synthetic rows are
    marked, not hidden; what cannot be measured in so few rows says so in words.

    Tables:
        groups: a record for each group: ``column``, ``group`` (its name in the scores), ``label``,
            ``rows`` and ``shares`` by table, ``small``, and ``instead``: by the title of a metric,
            why it was not measured.
        metrics: a record for each metric: ``title``, and the ``names`` of its scores.
    """
    if not tables.subgroups:
        return None
    scores: list[Score] = []
    records: list[dict[str, Any]] = []
    metrics: dict[str, dict[str, None]] = {SHARES: {}}
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
            group = _group(tables, made, place)
            few = "few rows: read with care" if record["small"] else ""
            found, instead = [_drift(tables, made, place, weigh)], {}
            if group.rows >= LEAST:
                found += _target(group)
                metrics[SHARES].update(dict.fromkeys(score.name for score in found))
                for metric in measured(group, seed=seed):
                    found += metric.scores
                    named = metrics.setdefault(metric.title, {})
                    named.update(dict.fromkeys(score.name for score in metric.scores))
                    if metric.instead:
                        instead[metric.title] = metric.instead
            else:
                few = "too few rows for more than the share"
            record |= {"column": column, "group": name, "label": label, "instead": instead}
            records.append(record)
            scores += [
                replace(score, group=name, note=few if score.name == DRIFT else "")
                for score in found
            ]
    return Section(
        key="subgroups",
        title="Subgroups",
        scores=tuple(scores),
        tables={
            "groups": records,
            "metrics": [
                {"title": title, "names": list(names)}
                for title, names in metrics.items()
                if names or any(title in record["instead"] for record in records)
            ],
        },
        notes=(
            f"Groups of fewer than {SMALL} real or synthetic rows are marked as small: their "
            "numbers move with a few persons, and so do their ceilings.",
            "Independent columns keep the share of a group, so the floor of a drift says nothing; "
            "read it against the ceiling.",
            f"Comparisons of three columns and of all see {MOST_ROWS:,} rows of a group in each "
            f"table at most, where rows lie {MOST_POINTS:,}; of triples {MOST_TRIPLES} at most are "
            f"compared. pMSE needs {A_TERM} rows for each term of its regression.",
            f"{BOOSTING}: the classifier is that of the whole table, cross-validated; the number "
            "says how well it tells the group's rows apart.",
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
        # A long list has such a group already: it joins the rest, whatever its size.
        alone = [place for place in np.argsort(-counts, kind="stable") if labels[place] != OTHERS]
        kept = np.sort(np.array(alone[: LEVELS - 1]))
        of = np.full(size, LEVELS - 1, dtype=np.int64)
        of[kept] = np.arange(len(kept))
        named = [*(labels[place] for place in kept.tolist()), OTHERS]
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


def _group(tables: Tables, made: Grouping, place: int) -> Group:
    inside = {name: np.flatnonzero(made.groups[name] == place) for name in NAMES}
    return Group(tables=tables, inside=inside, column=made.column)


def _target(group: Group) -> Iterator[Score]:
    """Yield how far the distribution of the target within the group is from the real one."""
    target = group.tables.schema.target
    if target is None or target == group.column or target not in group.tables.sizes:
        return
    found = marginals(group.part(columns=(target,)), seed=group.tables.seed, widths=(1,))
    if found is not None:
        yield replace(found.scores[0], name=TARGET, note="")
