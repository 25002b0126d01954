"""The three classifiers, by scikit-learn, nearly all with its settings: nothing was tuned."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.errors import DataError, UnknownNameError, UsageError
from dpsynth.utility.downstream.features import Features, Rows
from dpsynth.utility.downstream.task import UNLABELED, Labels, Task

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

Shares = NDArray[np.float64]

TITLES = {
    "logistic": "logistic regression",
    "boosting": "gradient boosting",
    "network": "neural network",
}
ITERATIONS = 300  # of the logistic regression at most
HIDDEN = 64  # units of the network's only layer
ENOUGH_TO_STOP_EARLY = 10_000  # training rows, above which boosting sets some aside: so the network


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictor:
    """A classifier that was trained.

    Attributes:
        features: how rows become features.
        share_of: by coded rows, the predicted share of every class, shape ``(rows, classes)``.
    """

    features: Features
    share_of: Callable[[Rows], Shares] = field(repr=False)

    def shares(self, frame: "pd.DataFrame") -> Shares:
        """Return the predicted share of every class, shape ``(rows, classes)``; rows sum to 1."""
        return self.share_of(self.features.coded(frame))


def train(
    model: str, table: "pd.DataFrame", schema: "Schema", task: Task, *, seed: int
) -> Predictor:
    """Train a classifier on a table, whoever made it.

    Args:
        model: one of ``TITLES``.
        table: training rows; those without a target are passed over.
        schema: declares the columns.
        task: what is predicted.
        seed: of the network, and of boosting's choice of rows that end it early.

    Raises:
        UnknownNameError: there is no such model.
        DataError: no training row has a target.
    """
    if model not in TITLES:
        raise UnknownNameError(f"no classifier is called {model!r}; there are: {', '.join(TITLES)}")
    features = Features.of(table, schema, task.target)
    labels = task.labels(table, schema)
    kept = labels != UNLABELED
    if not kept.any():
        raise DataError(f"no row to train on has a value in column {task.target!r}")
    rows, labels = features.coded(table)[kept], labels[kept]
    return train_coded(model, features, rows, labels, classes=len(task.classes), seed=seed)


def train_coded(
    model: str,
    features: Features,
    rows: Rows,
    labels: Labels,
    *,
    classes: int,
    seed: int,
    balanced: bool = False,
) -> Predictor:
    """Train a classifier on rows that are coded already; see ``train``.

    Args:
        model: one of ``TITLES``.
        features: what coded the rows.
        rows: shape ``(rows, columns)``, as ``features.coded`` returns them.
        labels: the class of every row, shape ``(rows,)``, at least one.
        classes: how many there are.
        seed: of the network, and of boosting's choice of rows that end it early.
        balanced: let every class weigh the same; the network cannot.

    Raises:
        UsageError: the network was asked to weigh classes.
    """
    if balanced and model == "network":
        raise UsageError("scikit-learn's network has no class weights: leave balanced out")
    present = np.unique(labels)
    if present.size == 1:
        return Predictor(features=features, share_of=_always(int(present[0]), classes))
    fit = {"logistic": _logistic, "boosting": _boosting, "network": _network}[model]
    share_of = fit(features, rows, labels, seed, "balanced" if balanced else None)

    def every_class(asked: Rows) -> Shares:
        # A class that no training row has is never predicted.
        found = np.zeros((len(asked), classes))
        found[:, present] = share_of(asked)
        return found

    return Predictor(features=features, share_of=every_class)


def _always(place: int, classes: int) -> Callable[[Rows], Shares]:
    def share_of(asked: Rows) -> Shares:
        found = np.zeros((len(asked), classes))
        found[:, place] = 1.0
        return found

    return share_of


def _boosting(
    features: Features, rows: Rows, labels: Labels, seed: int, weights: str | None
) -> Callable[[Rows], Shares]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        random_state=seed, categorical_features=features.categories, class_weight=weights
    )
    return _fitted(model, rows, labels, lambda asked: asked)


def _logistic(
    features: Features, rows: Rows, labels: Labels, _: int, weights: str | None
) -> Callable[[Rows], Shares]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=ITERATIONS, class_weight=weights)
    return _fitted(model, rows, labels, features.spread_out)


def _network(
    features: Features, rows: Rows, labels: Labels, seed: int, _: str | None
) -> Callable[[Rows], Shares]:
    from sklearn.neural_network import MLPClassifier

    # The rows that end it early are of the training table, whichever that is.
    counts = np.unique(labels, return_counts=True)[1]
    enough = len(labels) > ENOUGH_TO_STOP_EARLY and counts.min() >= 2
    model = MLPClassifier(hidden_layer_sizes=(HIDDEN,), early_stopping=enough, random_state=seed)
    return _fitted(model, rows, labels, features.spread_out)


def _fitted(
    model: Any, rows: Rows, labels: Labels, prepare: Callable[[Rows], Rows]
) -> Callable[[Rows], Shares]:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import ThreadpoolController

    # On a busy machine, threads that wait for each other take many times longer than one.
    threads = ThreadpoolController()
    with threads.limit(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(prepare(rows), labels)

    def share_of(asked: Rows) -> Shares:
        with threads.limit(limits=1):
            found: Shares = model.predict_proba(prepare(asked))
        return found

    return share_of
