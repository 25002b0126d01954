"""Training in rounds that can be stopped after any of them, and gone on with on other rows.

A round is a tree of boosting or an epoch of the network. Both go on by scikit-learn's own means
(``warm_start`` and ``partial_fit``), with settings that nothing was tuned for.
"""

import copy
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from dpsynth.errors import UnknownNameError
from dpsynth.utility.augmentation.grids import Grids
from dpsynth.utility.downstream.features import Features, Rows
from dpsynth.utility.downstream.models import HIDDEN, Shares
from dpsynth.utility.downstream.task import Labels

_NEXT_TO_NOTHING = 1e-6  # what an anchor weighs


class Course(Protocol):
    """Training that has gone on for some rounds; it is never changed, only gone on from."""

    def go_on(self, rows: Rows, labels: Labels, rounds: int) -> "Course":
        """Return the course after ``rounds`` more, on these rows alone."""
        ...

    def back_to(self, rounds: int) -> "Course":
        """Return the course as it was after so many of the rounds gone on for last."""
        ...

    def shares(self, asked: Rows) -> list[Shares]:
        """Return predicted shares before the rounds gone on for last, and after each of them."""
        ...


def course(model: str, features: Features, rows: Rows, *, classes: int, seed: int) -> Course:
    """Return training that has not begun.

    Args:
        model: "boosting" or "network".
        features: what codes the rows.
        rows: coded ones, whose quantiles boosting has for its grid.
        classes: how many there are.
        seed: of scikit-learn.

    Raises:
        UnknownNameError: no such classifier is trained in rounds.
    """
    if model == "boosting":
        grids = Grids.of(features, rows)
        return Trees(grids=grids, features=features, classes=classes, seed=seed)
    if model == "network":
        return Epochs(features=features, classes=classes, seed=seed)
    raise UnknownNameError(f"{model!r} is not trained in rounds; boosting and network are")


@dataclass(frozen=True, kw_only=True, eq=False)
class Trees:
    """Gradient boosting by trees.

    scikit-learn cuts columns into bins anew at every ``fit``, and on going on reads the trees that
    it has by the new bins: on other rows it would go on from wrong answers. Anchors prevent that:
    cells are moved to at most 255 values a column, and one row of next to no weight for each of
    these is in every fit, so that bins, categories and classes stay what they were.

    Attributes:
        grids: the values of every column.
        features: how rows became coded.
        classes: how many there are.
        seed: of scikit-learn.
        start: the course before the rounds gone on for last.
        model: what was fitted, or None before the first round.
        last: rows and labels of the rounds gone on for last.
    """

    grids: Grids = field(repr=False)
    features: Features
    classes: int
    seed: int
    start: "Trees | None" = None
    model: Any = None
    last: tuple[Rows, Labels] | None = field(default=None, repr=False)

    @property
    def trees(self) -> int:
        """How many rounds there were, in all."""
        return 0 if self.model is None else int(self.model.n_iter_)

    def go_on(self, rows: Rows, labels: Labels, rounds: int) -> "Trees":
        """Return the course after ``rounds`` more trees, on these rows alone."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        further = replace(self, start=self, last=(rows, labels))
        if not rounds:
            return further
        made = HistGradientBoostingClassifier(
            categorical_features=self.features.categories,
            early_stopping=False,
            random_state=self.seed,
            warm_start=True,
        )
        if self.model is not None:
            made = copy.deepcopy(self.model)
        anchors = self.grids.anchors()
        weights = np.repeat([_NEXT_TO_NOTHING, 1.0], [len(anchors), len(rows)])
        known = np.concatenate([np.arange(len(anchors)) % self.classes, labels])
        made.set_params(max_iter=self.trees + rounds)
        with _calmly():
            made.fit(np.vstack([anchors, self.grids.moved(rows)]), known, sample_weight=weights)
        return replace(further, model=made)

    def back_to(self, rounds: int) -> "Trees":
        """Return the course as it was after so many trees: grown again, they are the same."""
        assert self.start is not None, "it has gone on"
        assert self.last is not None, "it has gone on"
        return self.start.go_on(*self.last, rounds)

    def shares(self, asked: Rows) -> list[Shares]:
        """Return predicted shares before the trees gone on for last, and after each of them."""
        found: list[Shares] = [np.full((len(asked), self.classes), 1 / self.classes)]
        if self.model is not None:
            with _calmly():
                found += self.model.staged_predict_proba(self.grids.moved(asked))
        return found[0 if self.start is None else self.start.trees :]


@dataclass(frozen=True, kw_only=True, eq=False)
class Epochs:
    """A network with one hidden layer, by epochs.

    Attributes:
        features: how rows became coded.
        classes: how many there are.
        seed: of scikit-learn.
        models: before the rounds gone on for last, and after each of them; None for none yet.
    """

    features: Features
    classes: int
    seed: int
    models: tuple[Any, ...] = (None,)

    def go_on(self, rows: Rows, labels: Labels, rounds: int) -> "Epochs":
        """Return the course after ``rounds`` more epochs, on these rows alone."""
        from sklearn.neural_network import MLPClassifier

        design, found = self.features.spread_out(rows), [self.models[-1]]
        for _ in range(rounds):
            made = copy.deepcopy(found[-1])
            if made is None:
                made = MLPClassifier(hidden_layer_sizes=(HIDDEN,), random_state=self.seed)
            with _calmly():
                made.partial_fit(design, labels, classes=np.arange(self.classes))
            found.append(made)
        return replace(self, models=tuple(found))

    def back_to(self, rounds: int) -> "Epochs":
        """Return the course as it was after so many epochs."""
        return replace(self, models=self.models[: rounds + 1])

    def shares(self, asked: Rows) -> list[Shares]:
        """Return predicted shares before the epochs gone on for last, and after each of them."""
        design = self.features.spread_out(asked)
        prior = np.full((len(asked), self.classes), 1 / self.classes)
        with _calmly():
            return [prior if m is None else m.predict_proba(design) for m in self.models]


def _calmly() -> Any:
    from threadpoolctl import threadpool_limits

    # On a busy machine, threads that wait for each other take many times longer than one.
    return threadpool_limits(limits=1)
