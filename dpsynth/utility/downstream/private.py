"""The other option that a user has: private classifiers trained on the real rows, by diffprivlib.

What a release gives for every question, these give for one: a whole budget spent on a single model.
Their claim is diffprivlib's own (pure epsilon, the number of rows counts as known) and nothing here
proves or audits it. They are told declared bounds and declared classes, and never read either off
the rows: its warning that it would is an error here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from dpsynth.encoding import codecs
from dpsynth.errors import DataError, SchemaError, UnfitEnvironmentError, UnknownNameError
from dpsynth.schema.columns import DateColumn, NumericColumn
from dpsynth.utility.downstream.features import Rows, numbers, span
from dpsynth.utility.downstream.models import Shares
from dpsynth.utility.downstream.task import UNLABELED, Task

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

PRIVATE = {
    "gaussian_nb": "diffprivlib GaussianNB",
    "logistic_regression": "diffprivlib LogisticRegression",
    "random_forest": "diffprivlib RandomForestClassifier",
}


def private_shares(
    name: str,
    train: "pd.DataFrame",
    asked: "pd.DataFrame",
    schema: "Schema",
    task: Task,
    *,
    epsilon: float,
    seed: int | None = None,
) -> Shares:
    """Train a private classifier on real rows, with diffprivlib's settings, and ask it.

    Args:
        name: one of ``PRIVATE``.
        train: real rows, one for every person; those without a target are passed over.
        asked: rows to classify.
        schema: declares every bound.
        task: what is predicted.
        epsilon: of diffprivlib's claim.
        seed: of its noise; such a model protects nobody. Fresh noise where not given.

    Returns:
        The predicted share of every class, shape ``(rows, classes)``.

    Privacy:
        ``epsilon``-DP by diffprivlib's own claim, a row replaced by another; nothing is charged to
        a ledger. Which classes occur at all is read off the rows where the library does so.

    Raises:
        UnknownNameError: there is no such model.
        UnfitEnvironmentError: the extra ``baselines`` is not installed.
        SchemaError: a column declares no bounds.
        DataError: the training rows are all of one class.
    """
    if name not in PRIVATE:
        raise UnknownNameError(f"no classifier is called {name!r}; there are: {', '.join(PRIVATE)}")
    models = _models()
    labels = task.labels(train, schema)
    kept = labels != UNLABELED
    present = np.unique(labels[kept])
    if present.size < 2:
        raise DataError(f"the rows to train on are all of one class of column {task.target!r}")
    wide = name == "logistic_regression"
    rows = _declared(train, schema, task, wide=wide)[kept]
    common = {"epsilon": epsilon, "random_state": seed}
    if wide:
        # A column adds at most 1 to the square: a number in [0, 1], or one of its indicators.
        model = models.LogisticRegression(data_norm=float(np.sqrt(_width(schema, task))), **common)
    elif name == "gaussian_nb":
        model = models.GaussianNB(bounds=(0, 1), **common)
    else:
        classes = np.arange(len(task.classes))
        model = models.RandomForestClassifier(bounds=(0, 1), classes=classes, **common)
    with _told():
        model.fit(rows, labels[kept])
        shares = model.predict_proba(_declared(asked, schema, task, wide=wide))
    found = np.zeros((len(asked), len(task.classes)))
    found[:, np.asarray(model.classes_, dtype=np.int64)] = shares
    return found


def _models() -> Any:
    from importlib import import_module

    try:
        with _told():
            return import_module("diffprivlib.models")
    except ImportError as error:
        raise UnfitEnvironmentError(
            "private classifiers need diffprivlib: pip install 'dpsynth[baselines]'"
        ) from error


@contextmanager
def _told() -> Iterator[None]:
    """Let nothing be read off the rows silently, and nothing be said that is known.

    scikit-learn and scipy announce for later versions what diffprivlib 0.6 still asks of them; the
    extra ``baselines`` keeps to versions of scikit-learn that have it.
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, module="sklearn")
        warnings.filterwarnings("ignore", category=DeprecationWarning, message="scipy.optimize")
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        warnings.filterwarnings("error", message="(Bounds|Data norm|Classes|Noisy class count)")
        yield


def _width(schema: "Schema", task: Task) -> int:
    return sum(column.name != task.target for column in schema.modeled)


def _declared(frame: "pd.DataFrame", schema: "Schema", task: Task, *, wide: bool) -> Rows:
    """Return features in [0, 1] by the schema alone: nothing is fitted on anything.

    A missing number is 0 with an indicator of its own; without ``wide`` it is a half, and levels
    are their places in the declared list, for models that split their budget over the features.
    """
    tools, made = codecs(schema), []
    for column in schema.modeled:
        if column.name == task.target:
            continue
        if isinstance(column, NumericColumn | DateColumn):
            limits = span(column)
            if limits is None:
                raise SchemaError(
                    f"column {column.name!r} declares no bounds, which a private classifier needs"
                )
            low, high = limits
            values = numbers(frame, column)
            missing = np.isnan(values)
            scaled = (values - low) / (high - low or 1.0)
            made.append(np.where(missing, 0.0 if wide else 0.5, scaled)[:, None])
            if column.has_missing:
                made.append(missing[:, None])
            continue
        codec = tools[column.name]
        codes = codec.encode(frame[column.name]).codes.astype(np.int64)
        if wide:
            made.append(codes[:, None] == np.arange(codec.size))
        else:
            made.append(codes[:, None] / max(codec.size - 1, 1))
    return np.hstack(made, dtype=np.float64) if made else np.zeros((len(frame), 0))
