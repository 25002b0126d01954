"""Every classifier of an evaluation, trained on every table, and what it says of held-out rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpsynth.utility.augmentation.rows import RealRows
from dpsynth.utility.downstream.measures import measure
from dpsynth.utility.downstream.models import TITLES, Predictor, Shares, train
from dpsynth.utility.downstream.task import UNLABELED, Labels, Task
from dpsynth.utility.tables import Tables

if TYPE_CHECKING:
    import pandas as pd

SYNTHETIC, REAL, MIXED, FLOOR = SOURCES = ("synthetic", "real", "mixed", "independent")


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """Classifiers by what they are and which table they were trained on.

    Attributes:
        tables: all rows.
        task: what is predicted.
        seed: of the networks.
        known: which held-out rows have a label.
        asked: these rows.
        labels: their classes.
        models: by model and table.
        shares: likewise, what the classifier says of these rows.
        common: what says how common each class is among the real rows, and nothing else.
    """

    tables: Tables = field(repr=False)
    task: Task
    seed: int
    known: NDArray[np.bool_] = field(repr=False)
    asked: "pd.DataFrame" = field(repr=False)
    labels: Labels = field(repr=False)
    models: Mapping[tuple[str, str], Predictor] = field(repr=False)
    shares: Mapping[tuple[str, str], Shares] = field(repr=False)
    common: Shares = field(repr=False)

    @classmethod
    def of(cls, tables: Tables, task: Task, *, seed: int) -> "Trained":
        """Train all of them.

        Raises:
            DataError: no row of a table has a value of the target.
        """
        labels = task.labels(tables.holdout, tables.schema)
        known = labels != UNLABELED
        asked = tables.holdout[known].reset_index(drop=True)
        models = {
            (model, source): train(model, table, tables.schema, task, seed=seed)
            for source, table in _sources(tables).items()
            for model in TITLES
        }
        real = task.labels(tables.real, tables.schema)
        counts = np.bincount(real[real != UNLABELED], minlength=len(task.classes))
        return cls(
            tables=tables,
            task=task,
            seed=seed,
            known=known,
            asked=asked,
            labels=labels[known],
            models=models,
            shares={key: model.shares(asked) for key, model in models.items()},
            common=np.tile(counts / max(counts.sum(), 1), (int(known.sum()), 1)),
        )

    def measured(self, model: str, source: str) -> dict[str, float]:
        """Return every figure of a classifier on all held-out rows."""
        return measure(self.shares[model, source], self.labels)

    def again(self, model: str, table: "pd.DataFrame") -> Predictor:
        """Train a classifier on another table."""
        return train(model, table, self.tables.schema, self.task, seed=self.seed)


def _sources(tables: Tables) -> "dict[str, pd.DataFrame]":
    import pandas as pd

    synthetic, real = (
        RealRows.of(frame, tables.schema).table for frame in (tables.synthetic, tables.real)
    )
    mixed = pd.concat([real, synthetic], ignore_index=True)
    return dict(zip(SOURCES, (synthetic, real, mixed, tables.floor), strict=True))
