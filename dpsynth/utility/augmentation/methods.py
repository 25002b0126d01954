"""Ways to train on few real rows, with synthetic ones and without."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpsynth.errors import UnfitEnvironmentError, UnknownNameError
from dpsynth.utility.augmentation.finetuning import fine_tune
from dpsynth.utility.downstream.features import Features, Rows
from dpsynth.utility.downstream.models import Predictor, train, train_coded
from dpsynth.utility.downstream.task import UNLABELED, Labels, Task

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

REAL_ONLY, SMOTE = "real only", "SMOTE"
NEIGHBORS = 5  # of SMOTE, as imbalanced-learn has it


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """What a method may use.

    Attributes:
        real: the few real rows, in the dtypes that synthetic ones have.
        draw: returns so many synthetic rows, of one class where one is named; None where there is
            no release. Asked for the same again, it gives the same rows.
        schema: declares both.
        task: what is predicted.
        model: the classifier, as ``downstream.models.TITLES`` calls it.
        seed: of everything random.
        drawn: synthetic rows for methods that use as many as they like.
    """

    real: "pd.DataFrame" = field(repr=False)
    draw: "Callable[[int, int | None], pd.DataFrame] | None" = field(repr=False)
    schema: "Schema"
    task: Task
    model: str
    seed: int
    drawn: int

    def synthetic(self, rows: int, place: int | None = None) -> "pd.DataFrame":
        """Return synthetic rows, of the class at ``place`` where one is given."""
        assert self.draw is not None, "methods without a release draw nothing"
        return self.draw(rows, place)

    def labels(self) -> Labels:
        """Return the classes of the real rows."""
        return self.task.labels(self.real, self.schema)

    def trained_on(self, table: "pd.DataFrame") -> Predictor:
        """Return the classifier, trained on a table."""
        return train(self.model, table, self.schema, self.task, seed=self.seed)


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to train.

    Attributes:
        train: returns the classifier.
        needs_release: whether synthetic rows are used.
        models: the classifiers that it can train.
    """

    train: Callable[[Bench], Predictor]
    needs_release: bool
    models: tuple[str, ...] = ("logistic", "boosting", "network")


def mixed(ratio: int) -> Method:
    """Return the method that adds ``ratio`` synthetic rows for each real one."""

    def of(bench: Bench) -> Predictor:
        return bench.trained_on(_stacked(bench.real, bench.synthetic(ratio * len(bench.real))))

    return Method(train=of, needs_release=True)


def _real_only(bench: Bench) -> Predictor:
    return bench.trained_on(bench.real)


def _synthetic_only(bench: Bench) -> Predictor:
    return bench.trained_on(bench.synthetic(bench.drawn))


def _balanced(bench: Bench) -> Predictor:
    """Add synthetic rows of every rarer class until it has as many rows as the most frequent."""
    counts = _counts(bench.labels(), len(bench.task.classes))
    added = [
        bench.synthetic(int(counts.max() - count), place)
        for place, count in enumerate(counts)
        if count < counts.max()
    ]
    return bench.trained_on(_stacked(bench.real, *added))


def _fine_tuned(bench: Bench) -> Predictor:
    return fine_tune(
        bench.model,
        bench.synthetic(bench.drawn),
        bench.real,
        bench.schema,
        bench.task,
        seed=bench.seed,
    ).predictor


def _weighted(bench: Bench) -> Predictor:
    features, rows, labels = _coded(bench)
    return _trained(bench, features, rows, labels, balanced=True)


def _oversampled(bench: Bench) -> Predictor:
    features, rows, labels = _coded(bench)
    return _trained(bench, features, *_repeated(rows, labels, bench.seed))


def _smote(bench: Bench) -> Predictor:
    features, rows, labels = _coded(bench)
    return _trained(bench, features, *smote(features, rows, labels, seed=bench.seed))


METHODS: Mapping[str, Method] = {
    REAL_ONLY: Method(train=_real_only, needs_release=False),
    "class weights": Method(train=_weighted, needs_release=False, models=("logistic", "boosting")),
    "random oversampling": Method(train=_oversampled, needs_release=False),
    SMOTE: Method(train=_smote, needs_release=False),
    "synthetic only": Method(train=_synthetic_only, needs_release=True),
    "1 synthetic row a real one": mixed(1),
    "5 synthetic rows a real one": mixed(5),
    "balanced by synthetic rows": Method(train=_balanced, needs_release=True),
    "fine-tuned": Method(train=_fine_tuned, needs_release=True, models=("boosting", "network")),
}


def ratio_called(ratio: int) -> str:
    """Return the name of the method that adds ``ratio`` synthetic rows for each real one."""
    return f"{ratio} synthetic row{'' if ratio == 1 else 's'} a real one"


def method_called(name: str) -> Method:
    """Return a method by its name, which may state any whole ratio of synthetic rows to real ones.

    Raises:
        UnknownNameError: there is none.
    """
    if name in METHODS:
        return METHODS[name]
    if (found := _RATIO.fullmatch(name)) and ratio_called(int(found[1])) == name:
        return mixed(int(found[1]))
    raise UnknownNameError(
        f"no method is called {name!r}; there are: {', '.join(METHODS)}, and other whole numbers "
        "of synthetic rows"
    )


_RATIO = re.compile(r"([1-9][0-9]{0,3}) synthetic rows? a real one")


def require_smote() -> None:
    """Refuse before anything is read where SMOTE cannot run.

    Raises:
        UnfitEnvironmentError: imbalanced-learn is not installed.
    """
    try:
        import imblearn.over_sampling  # noqa: F401  # asked for, not used
    except ImportError as error:
        raise UnfitEnvironmentError(_NO_SMOTE) from error


_NO_SMOTE = "SMOTE needs imbalanced-learn: pip install 'dpsynth[utility]'"


def smote(features: Features, rows: Rows, labels: Labels, *, seed: int) -> tuple[Rows, Labels]:
    """Return the rows with others between them, until every class that occurs has as many.

    SMOTE-NC, by imbalanced-learn: a made row lies between a real one and one of its five nearest
    of the class in numbers, and has the value most frequent among the nearest elsewhere. Missing
    numbers get the median first, since it cannot do without. A class of one row has no neighbor,
    and its row is repeated instead.

    Raises:
        UnfitEnvironmentError: imbalanced-learn is not installed.
    """
    try:
        from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC
    except ImportError as error:
        raise UnfitEnvironmentError(_NO_SMOTE) from error
    counts = np.bincount(labels)
    least = int(counts[counts > 0].min())
    if least < 2 or (counts > 0).sum() < 2:
        return _repeated(rows, labels, seed)
    levels = [name in features.sizes for name in features.columns]
    settings = {"k_neighbors": min(NEIGHBORS, least - 1), "random_state": seed}
    if all(levels):
        tool = SMOTEN(**settings)
    elif any(levels):
        tool = SMOTENC(categorical_features=levels, **settings)
    else:
        tool = SMOTE(**settings)
    found, of = tool.fit_resample(_filled(rows), labels)
    # The real rows come first, and keep what is missing.
    return np.vstack([rows, np.asarray(found, dtype=np.float64)[len(rows) :]]), np.asarray(of)


def _filled(rows: Rows) -> Rows:
    known = ~np.isnan(rows)
    middle = [
        float(np.median(column[here])) if here.any() else 0.0
        for column, here in zip(rows.T, known.T, strict=True)
    ]
    return np.where(known, rows, np.array(middle))


def _repeated(rows: Rows, labels: Labels, seed: int) -> tuple[Rows, Labels]:
    """Return the rows with rows of rarer classes repeated at random, until all have as many."""
    rng = np.random.default_rng(seed)
    counts = np.bincount(labels)
    more = [
        rng.choice(np.flatnonzero(labels == place), counts.max() - counts[place])
        for place in np.flatnonzero((counts > 0) & (counts < counts.max()))
    ]
    places: NDArray[np.int64] = np.concatenate([np.arange(len(labels)), *more])
    return rows[places], labels[places]


def _coded(bench: Bench) -> tuple[Features, Rows, Labels]:
    features = Features.of(bench.real, bench.schema, bench.task.target)
    labels = bench.labels()
    kept = labels != UNLABELED
    return features, features.coded(bench.real)[kept], labels[kept]


def _trained(
    bench: Bench, features: Features, rows: Rows, labels: Labels, *, balanced: bool = False
) -> Predictor:
    return train_coded(
        bench.model,
        features,
        rows,
        labels,
        classes=len(bench.task.classes),
        seed=bench.seed,
        balanced=balanced,
    )


def _counts(labels: Labels, classes: int) -> NDArray[np.int64]:
    return np.bincount(labels[labels != UNLABELED], minlength=classes)


def _stacked(*tables: "pd.DataFrame") -> "pd.DataFrame":
    """Return rows of tables of the same columns and dtypes, one below the other."""
    import pandas as pd

    names = list(tables[0].columns)
    return pd.concat([table[names] for table in tables if len(table)], ignore_index=True)
