"""Pre-train on synthetic rows, go on with the few real ones, and stop where real rows say so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpsynth.errors import DataError
from dpsynth.utility.augmentation.rounds import Course, course
from dpsynth.utility.downstream.features import Features, Rows
from dpsynth.utility.downstream.models import Predictor, Shares
from dpsynth.utility.downstream.task import UNLABELED, Labels, Task

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

PRETRAINING = {"boosting": 100, "network": 50}  # rounds at most
TUNING = {"boosting": 50, "network": 100}  # a network of few rows takes one step an epoch
FOLDS = 3  # of the real rows
HELD_OUT = 5  # of synthetic rows one in so many is not learnt from
_LEAST = 1e-6  # share that a class is taken to have been given

Losses = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Tuned:
    """A classifier that was pre-trained on synthetic rows and fine-tuned on real ones.

    Attributes:
        predictor: the classifier.
        pretrained: rounds of pre-training that were kept.
        tuned: rounds of fine-tuning that were kept; 0 where none of them helped.
        losses: by "synthetic" and "real", the mean log loss on validation rows before
            pre-training and after each of its rounds, in nats. The synthetic rows were held out of
            the pre-training, and it has seen none of the real ones.
        held: by the same names, the log loss of each of these rows after the rounds kept.
    """

    predictor: Predictor
    pretrained: int
    tuned: int
    losses: Mapping[str, list[float]] = field(repr=False)
    held: Mapping[str, Losses] = field(repr=False)


def fine_tune(
    model: str,
    synthetic: "pd.DataFrame",
    real: "pd.DataFrame",
    schema: "Schema",
    task: Task,
    *,
    seed: int,
    progress: Callable[[str], None] | None = None,
) -> Tuned:
    """Pre-train on synthetic rows, then fine-tune on real ones.

    All real rows together say after which round pre-training is to stop: it learnt from none of
    them. How many rounds of fine-tuning follow is chosen by cross-validation over them, and those
    rounds are then made on all of them. No synthetic row has a say in either.

    Args:
        model: "boosting" (a round is a tree) or "network" (a round is an epoch).
        synthetic: rows of the release.
        real: the few real rows.
        schema: declares both.
        task: what is predicted.
        seed: of the folds and of scikit-learn.
        progress: is told each step as it begins.

    Privacy:
        None: the classifier has learnt from real rows, and is as private as they are. Without
        rounds of fine-tuning it has still been chosen by them.

    Raises:
        DataError: one of the tables has no row with a target.
        UnknownNameError: no such classifier is trained in rounds.
    """
    step = progress or (lambda _: None)
    features = Features.of(synthetic, schema, task.target)
    made, of_made = _known(features, synthetic, schema, task, "synthetic")
    rows, labels = _known(features, real, schema, task, "real")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(made))
    held = order[: len(order) // HELD_OUT]
    learnt = order[len(held) :]
    step("pre-training on synthetic rows")
    first = course(model, features, made[learnt], classes=len(task.classes), seed=seed)
    first = first.go_on(made[learnt], of_made[learnt], PRETRAINING[model])
    on_real = [row_losses(shares, labels) for shares in first.shares(rows)]
    on_held = [row_losses(shares, of_made[held]) for shares in first.shares(made[held])]
    pretrained = int(np.argmin([losses.mean() for losses in on_real]))
    start = first.back_to(pretrained)
    step("fine-tuning on real rows")
    tuned = _rounds(start, rows, labels, TUNING[model], rng)
    final = start.go_on(rows, labels, tuned)
    return Tuned(
        predictor=Predictor(features=features, share_of=lambda asked: final.shares(asked)[-1]),
        pretrained=pretrained,
        tuned=tuned,
        losses={
            "synthetic": [float(losses.mean()) for losses in on_held] if len(held) else [],
            "real": [float(losses.mean()) for losses in on_real],
        },
        held={"synthetic": on_held[pretrained], "real": on_real[pretrained]},
    )


def row_losses(shares: Shares, labels: Labels) -> Losses:
    """Return the log loss of every row, in nats: minus the logarithm of its class's share."""
    found = shares[np.arange(len(labels)), labels]
    return np.asarray(-np.log(np.maximum(found, _LEAST)))


def _rounds(start: Course, rows: Rows, labels: Labels, most: int, rng: np.random.Generator) -> int:
    """Return after how many rounds the real rows left out are predicted best."""
    folds = _folds(labels, rng)
    if folds.max(initial=0) == 0:
        return 0
    total = np.zeros(most + 1)
    for fold in range(FOLDS):
        out = folds == fold
        run = start.go_on(rows[~out], labels[~out], most)
        total += [row_losses(shares, labels[out]).sum() for shares in run.shares(rows[out])]
    return int(np.argmin(total))


def _folds(labels: Labels, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the fold of every row, each class spread evenly; all 0 where rows are too few."""
    folds = np.zeros(len(labels), dtype=np.int64)
    if len(labels) < 2 * FOLDS:
        return folds
    order = np.lexsort([rng.random(len(labels)), labels])
    folds[order] = np.arange(len(labels)) % FOLDS
    return folds


def _known(
    features: Features, frame: "pd.DataFrame", schema: "Schema", task: Task, name: str
) -> tuple[Rows, Labels]:
    """Return coded rows that have a target, and their classes."""
    labels = task.labels(frame, schema)
    kept = labels != UNLABELED
    if not kept.any():
        raise DataError(f"no row of the {name} table has a value in column {task.target!r}")
    return features.coded(frame)[kept], labels[kept]
