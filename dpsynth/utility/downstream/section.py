"""The section on classifiers: trained on synthetic, real, mixed, independent rows, tested on real.

Tables of the section:

* ``roc`` and ``calibration``: by model (of more than two classes by model and class), then by the
  table it was trained on, points [x, y];
* ``table``: every figure, a row for each model and table;
* ``classes``: the figures of each class against all others;
* ``subgroups``: the figures of each group of held-out rows;
* ``importance``: by column, how much AUROC falls when it is shuffled.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.errors import UsageError
from dpsynth.utility.downstream import measures
from dpsynth.utility.downstream.groups import LEAST_ROWS, Group, groups
from dpsynth.utility.downstream.importance import importances, rank_correlation
from dpsynth.utility.downstream.measures import MEASURES, Values
from dpsynth.utility.downstream.models import TITLES, Shares
from dpsynth.utility.downstream.task import UNLABELED, Labels, Task
from dpsynth.utility.downstream.trained import FLOOR, REAL, SOURCES, SYNTHETIC, Trained
from dpsynth.utility.scores import Score, Section
from dpsynth.utility.tables import Tables

KEY = "downstream"
TITLE = "Classifiers trained on the synthetic rows"
LEAST_OF_CLASS = 50  # held-out rows of a class, below which a note warns
_BEST = "boosting"  # whose figures of parts and whose importances are scores
_MOST_CURVES = 5  # classes that have a curve of their own
_COMMON = ("accuracy", "brier")  # where to know how common each class is goes a long way
_OF_CLASS = ("precision", "recall", "f1", "auroc", "auprc")

Figures = Callable[[Shares, Labels, Values | None], Mapping[str, float]]


def downstream(tables: Tables, *, seed: int) -> Section | None:
    """Train three classifiers on each table and hold them against real rows that none has seen.

    Args:
        tables: with a schema that names a target, or else the section does not apply.
        seed: of the networks, the bootstrap and the shuffles.

    Returns:
        Scores of the classifiers trained on the synthetic rows. Ceiling: trained on the real rows
        that these were learnt from. Floor: trained on independent columns; of accuracy and Brier
        score also what says how common each class is and never looks at a row, whichever is
        better. Intervals are those of 200 bootstrap draws of the held-out rows; training is not
        repeated.
    """
    if tables.schema.target is None:
        return None
    try:
        task = Task.of(tables.schema, positive=tables.positive)
    except UsageError:  # a number, or a list that is open: no task for a classifier
        return None
    for name in (SYNTHETIC, REAL, "holdout"):
        if (task.labels(getattr(tables, name), tables.schema) == UNLABELED).all():
            said = f"No row of the {name} table has a value of {task.target}"
            return Section(key=KEY, title=TITLE, notes=(f"{said}: nothing to train or test.",))
    trained = Trained.of(tables, task, seed=seed)
    parts = list(groups(tables, without=task.target))
    important = _importances(trained)
    scores = (
        *_whole(trained),
        *_classes(trained),
        *_subgroups(trained, parts),
        _agreement(important),
    )
    return Section(
        key=KEY,
        title=TITLE,
        scores=scores,
        tables={
            "roc": _curves(trained, measures.roc_curve),
            "calibration": _curves(trained, measures.calibration_curve),
            "table": _table(trained),
            "classes": _class_table(trained),
            "subgroups": _group_table(trained, parts),
            "importance": _importance_table(trained, important),
        },
        notes=tuple(_notes(trained, scores)),
    )


def _whole(trained: Trained) -> Iterator[Score]:
    """Yield each figure of each model."""
    known = measures.measure(trained.common, trained.labels)
    for model, title in TITLES.items():
        found = {source: trained.measured(model, source) for source in SOURCES}
        shares = trained.shares[model, SYNTHETIC]
        bounds = measures.intervals(
            partial(measures.measure, shares, trained.labels), len(shares), seed=trained.seed
        )
        for name, about in MEASURES.items():
            floor = found[FLOOR][name]
            if name in _COMMON:
                floor = (max if about.better == "higher" else min)(floor, known[name])
            yield Score(
                name=f"{title}: {about.title}",
                value=found[SYNTHETIC][name],
                ceiling=found[REAL][name],
                floor=floor,
                low=bounds[name][0],
                high=bounds[name][1],
                better=about.better,
            )


def _classes(trained: Trained) -> Iterator[Score]:
    """Yield figures of each class against all others."""
    rows = np.ones(len(trained.labels), dtype=bool)
    for place, name in enumerate(trained.task.classes):
        if (trained.labels == place).any():
            group = f"{trained.task.target} = {name}"
            yield from _part(trained, group, rows, partial(_of_class, place), _OF_CLASS)


def _of_class(
    place: int, shares: Shares, labels: Labels, weights: Values | None
) -> dict[str, float]:
    return measures.of_class(shares, labels, place, weights)


def _subgroups(trained: Trained, parts: Sequence[Group]) -> Iterator[Score]:
    """Yield figures of each group of held-out rows."""
    for group in parts:
        rows = group.rows[trained.known]
        yield from _part(trained, group.name, rows, measures.measure, tuple(MEASURES))


def _part(
    trained: Trained,
    group: str,
    rows: NDArray[np.bool_],
    figures: Figures,
    names: Sequence[str],
) -> Iterator[Score]:
    labels = trained.labels[rows]
    shares = {source: trained.shares[_BEST, source][rows] for source in SOURCES}
    found = {source: figures(held, labels, None) for source, held in shares.items()}
    bounds = measures.intervals(
        partial(figures, shares[SYNTHETIC], labels), len(labels), seed=trained.seed
    )
    for name in names:
        if not np.isnan(found[SYNTHETIC][name]):
            yield Score(
                name=f"{TITLES[_BEST]}: {MEASURES[name].title}",
                value=found[SYNTHETIC][name],
                ceiling=found[REAL][name],
                floor=found[FLOOR][name],
                low=bounds[name][0],
                high=bounds[name][1],
                better=MEASURES[name].better,
                group=group,
            )


def _importances(trained: Trained) -> dict[str, NDArray[np.float64]]:
    """Return importances of columns by table, and of models of two halves of the real rows."""
    half = len(trained.tables.real) // 2
    parts = {"one half": slice(half), "other half": slice(half, None)}
    models = {source: trained.models[_BEST, source] for source in (SYNTHETIC, REAL, FLOOR)}
    models |= {
        name: trained.again(_BEST, trained.tables.real.iloc[part]) for name, part in parts.items()
    }
    return {
        name: importances(model, trained.asked, trained.labels, seed=trained.seed)
        for name, model in models.items()
    }


def _agreement(important: Mapping[str, NDArray[np.float64]]) -> Score:
    """Return whether models of synthetic and real rows lean on the same columns."""
    return Score(
        name=f"{TITLES[_BEST]}: rank correlation of column importances with the real-trained",
        value=rank_correlation(important[SYNTHETIC], important[REAL]),
        ceiling=rank_correlation(important["one half"], important["other half"]),
        floor=rank_correlation(important[FLOOR], important[REAL]),
        better="higher",
        note="ceiling: of models trained on two halves of the real rows",
    )


def _table(trained: Trained) -> dict[str, Any]:
    rows: list[list[Any]] = [
        [TITLES[model], source, *trained.measured(model, source).values()]
        for model, source in trained.shares
    ]
    known = measures.measure(trained.common, trained.labels)
    rows.append(["how common each class is", REAL, *known.values()])
    return {"columns": ["model", "trained on", *_titles(MEASURES)], "rows": rows}


def _class_table(trained: Trained) -> dict[str, Any]:
    rows = []
    for place, name in enumerate(trained.task.classes):
        for (model, source), shares in trained.shares.items():
            found = measures.of_class(shares, trained.labels, place)
            rows.append([name, TITLES[model], source, *(found[each] for each in _OF_CLASS)])
    return {"columns": ["class", "model", "trained on", *_titles(_OF_CLASS)], "rows": rows}


def _group_table(trained: Trained, parts: Sequence[Group]) -> dict[str, Any]:
    rows = []
    for group in parts:
        here = group.rows[trained.known]
        for (model, source), shares in trained.shares.items():
            found = measures.measure(shares[here], trained.labels[here])
            rows.append([group.name, TITLES[model], source, *found.values()])
    return {"columns": ["group", "model", "trained on", *_titles(MEASURES)], "rows": rows}


def _importance_table(
    trained: Trained, important: Mapping[str, NDArray[np.float64]]
) -> dict[str, Any]:
    columns = trained.models[_BEST, REAL].features.columns
    rows = zip(columns, important[REAL], important[SYNTHETIC], strict=True)
    ranked = sorted(rows, key=lambda row: -row[1])
    return {
        "columns": ["column", REAL, SYNTHETIC],
        "rows": [[name, float(real), float(made)] for name, real, made in ranked],
    }


def _titles(names: Sequence[str] | Mapping[str, Any]) -> list[str]:
    return [MEASURES[name].title for name in names]


def _curves(
    trained: Trained, curve: Callable[[Shares, Labels, int], list[list[float]]]
) -> dict[str, dict[str, list[list[float]]]]:
    found: dict[str, dict[str, list[list[float]]]] = {}
    classes = trained.task.classes
    places = [1] if trained.task.binary else range(len(classes))[:_MOST_CURVES]
    for (model, source), shares in trained.shares.items():
        for place in places:
            what = "" if trained.task.binary else f", {classes[place]}"
            points = curve(shares, trained.labels, place)
            if points:
                found.setdefault(f"{TITLES[model]}{what}", {})[source] = points
    return found


def _notes(trained: Trained, scores: Sequence[Score]) -> Iterator[str]:
    """Yield what a reader should know, in plain words."""
    against = " against ".join(reversed(trained.task.classes))
    yield (
        f"Predicted is {trained.task.target}: {against}. Features stand on the declared schema, "
        "settings are fixed, and nothing was tuned. Intervals say how much the choice of "
        "held-out rows matters, not how another training or another release would differ."
    )
    first = next(score for score in scores if score.name == f"{TITLES[_BEST]}: AUROC")
    if first.ceiling is not None and first.ceiling > 0.5:
        yield (
            "Gradient boosting trained on the synthetic rows reaches "
            f"{first.value / first.ceiling:.1%} of the AUROC that it reaches on real ones."
        )
    counts = np.bincount(trained.labels, minlength=len(trained.task.classes))
    if counts.min() < LEAST_OF_CLASS:
        yield "A class is rare among the held-out rows: read its figures by their intervals."
    if trained.tables.subgroups:
        yield f"Groups of fewer than {LEAST_ROWS} held-out rows are left out."
