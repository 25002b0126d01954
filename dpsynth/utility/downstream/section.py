"""The section on classifiers: trained on synthetic, real, mixed and independent rows, tested on real.

Tables of the section:

* ``roc`` and ``calibration``: by model (of more than two classes by model and class), then by the
  table it was trained on, points [x, y];
* ``table``: every figure, a row for each model and table;
* ``classes``: the figures of each class against all others;
* ``subgroups``: the figures of each group of held-out rows;
* ``importance``: by column, how much AUROC falls when it is shuffled.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.errors import UsageError
from dpsynth.utility.downstream import measures
from dpsynth.utility.downstream.groups import LEAST_ROWS, groups
from dpsynth.utility.downstream.importance import importances, rank_correlation
from dpsynth.utility.downstream.measures import MEASURES, Values
from dpsynth.utility.downstream.models import TITLES, Predictor, Shares, train
from dpsynth.utility.downstream.task import UNLABELED, Labels, Task
from dpsynth.utility.scores import Score, Section
from dpsynth.utility.tables import Tables

if TYPE_CHECKING:
    import pandas as pd

KEY = "downstream"
SOURCES = ("synthetic", "real", "mixed", "independent")
FLOOR = "independent"
LEAST_POSITIVE = 50  # held-out rows of a class, below which a note warns
_BEST = "boosting"  # whose figures of groups and whose importances are told
_MOST_CURVES = 5  # classes that have a curve of their own
_OF_CLASS = ("precision", "recall", "f1", "auroc", "auprc")

Rows = NDArray[np.bool_]


def downstream(tables: Tables, *, seed: int) -> Section | None:
    """Train three classifiers on each table and hold them against real rows that none has seen.

    Args:
        tables: with a schema that names a target, or else the section does not apply.
        seed: of the networks, the bootstrap and the shuffles.

    Returns:
        Scores of the classifiers trained on the synthetic rows. Ceiling: trained on the real rows
        that these were learnt from. Floor: trained on independent columns, or never looking at a
        row and saying how common each class is, whichever is better. Intervals are those of 200
        bootstrap draws of the held-out rows; training is not repeated.
    """
    if tables.schema.target is None:
        return None
    try:
        task = Task.of(tables.schema, positive=tables.positive)
    except UsageError:  # a number, or a list that is open: no task for a classifier
        return None
    labels = task.labels(tables.holdout, tables.schema)
    known = labels != UNLABELED
    if not known.any():
        return None
    work = _Work(tables=tables, task=task, labels=labels[known], known=known, seed=seed)
    scores = (*work.whole(), *work.classes(), *work.subgroups(), work.agreement())
    return Section(
        key=KEY,
        title="Classifiers trained on the synthetic rows",
        scores=scores,
        tables=work.shown(),
        notes=tuple(work.notes(scores)),
    )


@dataclass(kw_only=True, eq=False)
class _Work:
    """What one section holds while it is made.

    Attributes:
        tables: all rows.
        task: what is predicted.
        labels: of the held-out rows that have one.
        known: which these are.
        seed: of all that is drawn.
        models: by model and source, the trained classifier.
        shares: likewise, what it says of the held-out rows.
    """

    tables: Tables
    task: Task
    labels: Labels = field(repr=False)
    known: Rows = field(repr=False)
    seed: int
    models: dict[tuple[str, str], Predictor] = field(default_factory=dict, repr=False)
    shares: dict[tuple[str, str], Shares] = field(default_factory=dict, repr=False)
    grouped: list[list[Any]] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self.asked = self.tables.holdout[self.known].reset_index(drop=True)
        for source, table in self._sources().items():
            for model in TITLES:
                learnt = self._train(model, table)
                self.models[model, source] = learnt
                self.shares[model, source] = learnt.shares(self.asked)
        real = self.task.labels(self.tables.real, self.tables.schema)
        common = np.bincount(real[real != UNLABELED], minlength=len(self.task.classes))
        self.majority: Shares = np.tile(common / max(common.sum(), 1), (len(self.labels), 1))

    def _sources(self) -> "dict[str, pd.DataFrame]":
        import pandas as pd

        names = [column.name for column in self.tables.schema.modeled]
        real, synthetic = self.tables.real[names], self.tables.synthetic[names]
        mixed = pd.concat(
            [each.astype(object) for each in (real, synthetic)], ignore_index=True
        )
        tables = (synthetic, real, mixed, self.tables.floor[names])
        return dict(zip(SOURCES, tables, strict=True))

    def _train(self, model: str, table: "pd.DataFrame") -> Predictor:
        return train(model, table, self.tables.schema, self.task, seed=self.seed)

    def whole(self) -> Iterator[Score]:
        """Yield each figure of each model."""
        known = measures.measure(self.majority, self.labels)
        for model, title in TITLES.items():
            found = {source: self._measure(model, source) for source in SOURCES}
            bounds = measures.intervals(
                lambda weights, of=model: measures.measure(  # type: ignore[misc]  # a default
                    self.shares[of, "synthetic"], self.labels, weights
                ),
                len(self.labels),
                seed=self.seed,
            )
            for name, about in MEASURES.items():
                pick = max if about.better == "higher" else min
                floor = [found[FLOOR][name], known[name]]
                yield Score(
                    name=f"{title}: {about.title}",
                    value=found["synthetic"][name],
                    ceiling=found["real"][name],
                    floor=pick(floor),
                    **_ends(bounds[name]),
                    better=about.better,
                )

    def _measure(self, model: str, source: str) -> dict[str, float]:
        return measures.measure(self.shares[model, source], self.labels)

    def classes(self) -> Iterator[Score]:
        """Yield figures of each class against all others."""
        for place, name in enumerate(self.task.classes):
            if not (self.labels == place).any():
                continue
            yield from self._parts(
                f"{self.task.target} = {name}",
                lambda shares, labels, weights, at=place: measures.of_class(  # type: ignore[misc]
                    shares, labels, at, weights
                ),
                np.ones(len(self.labels), dtype=bool),
                _OF_CLASS,
            )

    def subgroups(self) -> Iterator[Score]:
        """Yield figures of each group of held-out rows."""
        for group in groups(self.tables, without=self.task.target):
            rows = group.rows[self.known]
            for model in TITLES:
                for source in SOURCES:
                    found = measures.measure(self.shares[model, source][rows], self.labels[rows])
                    told = [found[name] for name in MEASURES]
                    self.grouped.append([group.name, TITLES[model], source, *told])
            yield from self._parts(group.name, measures.measure, rows, tuple(MEASURES))

    def _parts(self, group: str, figures: Any, rows: Rows, names: tuple[str, ...]) -> Iterator[Score]:
        labels = self.labels[rows]

        def of(source: str, weights: Values | None = None) -> Mapping[str, float]:
            found: Mapping[str, float] = figures(self.shares[_BEST, source][rows], labels, weights)
            return found

        found = {source: of(source) for source in ("synthetic", "real", FLOOR)}
        bounds = measures.intervals(
            lambda weights: of("synthetic", weights), len(labels), seed=self.seed
        )
        for name in names:
            if np.isnan(found["synthetic"][name]):
                continue
            yield Score(
                name=f"{TITLES[_BEST]}: {MEASURES[name].title}",
                value=found["synthetic"][name],
                ceiling=found["real"][name],
                floor=found[FLOOR][name],
                **_ends(bounds[name]),
                better=MEASURES[name].better,
                group=group,
            )

    def agreement(self) -> Score:
        """Return whether the models lean on the same columns, as a rank correlation."""
        half = len(self.tables.real) // 2
        halves = [
            self._train(_BEST, self.tables.real.iloc[part])
            for part in (slice(half), slice(half, None))
        ]
        trained = {source: self.models[_BEST, source] for source in ("synthetic", "real", FLOOR)}
        found = {
            source: importances(learnt, self.asked, self.labels, seed=self.seed)
            for source, learnt in trained.items()
        }
        one, other = (
            importances(learnt, self.asked, self.labels, seed=self.seed) for learnt in halves
        )
        self.important = found
        return Score(
            name=f"{TITLES[_BEST]}: rank correlation of column importances with the real-trained",
            value=rank_correlation(found["synthetic"], found["real"]),
            ceiling=rank_correlation(one, other),
            floor=rank_correlation(found[FLOOR], found["real"]),
            better="higher",
            note="ceiling: models trained on two halves of the real rows",
        )

    def shown(self) -> dict[str, Any]:
        """Return what plots and tables need."""
        columns = self.models[_BEST, "real"].features.columns
        rows = zip(columns, self.important["real"], self.important["synthetic"], strict=True)
        ranked = sorted(rows, key=lambda row: -row[1])
        figures = [about.title for about in MEASURES.values()]
        of_class = [MEASURES[name].title for name in _OF_CLASS]
        return {
            "roc": self._curves(measures.roc_curve),
            "calibration": self._curves(measures.calibration_curve),
            "table": {"columns": ["model", "trained on", *figures], "rows": list(self._rows())},
            "classes": {
                "columns": ["class", "model", "trained on", *of_class],
                "rows": list(self._class_rows()),
            },
            "subgroups": {
                "columns": ["group", "model", "trained on", *figures],
                "rows": self.grouped,
            },
            "importance": {
                "columns": ["column", "real", "synthetic"],
                "rows": [[name, float(real), float(made)] for name, real, made in ranked],
            },
        }

    def _rows(self) -> Iterator[list[Any]]:
        for model, source in self.shares:
            found = self._measure(model, source)
            yield [TITLES[model], source, *(found[name] for name in MEASURES)]
        found = measures.measure(self.majority, self.labels)
        yield ["how common each class is", "real", *(found[name] for name in MEASURES)]

    def _class_rows(self) -> Iterator[list[Any]]:
        for place, name in enumerate(self.task.classes):
            for (model, source), shares in self.shares.items():
                found = measures.of_class(shares, self.labels, place)
                yield [name, TITLES[model], source, *(found[each] for each in _OF_CLASS)]

    def _curves(self, curve: Any) -> dict[str, dict[str, list[list[float]]]]:
        found: dict[str, dict[str, list[list[float]]]] = {}
        places = [1] if self.task.binary else range(len(self.task.classes))[:_MOST_CURVES]
        for (model, source), shares in self.shares.items():
            for place in places:
                what = "" if self.task.binary else f", {self.task.classes[place]}"
                points = curve(shares, self.labels, place)
                if points:
                    found.setdefault(f"{TITLES[model]}{what}", {})[source] = points
        return found

    def notes(self, scores: tuple[Score, ...]) -> Iterator[str]:
        """Yield what a reader should know, in plain words."""
        what = f"{self.task.target}: {' against '.join(reversed(self.task.classes))}"
        yield (
            f"Predicted is {what}. Features stand on the declared schema; settings are "
            "scikit-learn's, nothing was tuned. Intervals say how much held-out rows decide, not "
            "how much another training or another release would differ."
        )
        first = next(s for s in scores if s.name == f"{TITLES[_BEST]}: AUROC" and not s.group)
        if first.ceiling and np.isfinite(first.value) and first.ceiling > 0.5:
            yield (
                f"Gradient boosting trained on the synthetic rows reaches "
                f"{first.value / first.ceiling:.1%} of the AUROC that real rows give."
            )
        counts = np.bincount(self.labels, minlength=len(self.task.classes))
        if counts.min() < LEAST_POSITIVE:
            yield "A class is rare among the held-out rows: read its figures by their intervals."
        yield f"Groups of fewer than {LEAST_ROWS} held-out rows are left out."


def _ends(bounds: tuple[float, float] | None) -> dict[str, float | None]:
    low, high = (None, None) if bounds is None else bounds
    return {"low": low, "high": high}
