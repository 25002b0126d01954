"""How much real data, how much synthetic, in which ratio: learning curves over seeds.

Designs must be kept apart, and every run says which one it is of:

- ``SAME_ROWS``: the release is learnt on the very rows that it is then added to. It holds nothing
  that they do not, and noise that they have not.
- ``LARGER_HOLDER``: somebody else (another hospital) holds a larger table and releases a model of
  it, and the few rows are added to that.
- ``TRANSFER``: likewise, and the two sites differ; see ``transfer``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from dpsynth.encoding.table import seen
from dpsynth.errors import DataError, UsageError
from dpsynth.schema.columns import BooleanColumn, LevelsColumn
from dpsynth.utility.augmentation.methods import METHODS, Bench, method_called
from dpsynth.utility.augmentation.mixing import Generator
from dpsynth.utility.augmentation.rows import RealRows
from dpsynth.utility.downstream.measures import measure
from dpsynth.utility.downstream.task import UNLABELED, Task

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

SAME_ROWS, LARGER_HOLDER, TRANSFER = "same rows", "larger holder", "transfer"
DESIGNS = {
    SAME_ROWS: "the release is learnt on the very rows that it is added to",
    LARGER_HOLDER: "the release is learnt on another holder's larger table, of the same kind of "
    "persons",
    TRANSFER: "the release is learnt at one site, and the real rows and the tests are of another",
}
SIZES = (50, 100, 200, 500, 1000, 2000, 5000, 10_000)
SEEDS = tuple(range(10))
DRAWN = 5000  # synthetic rows for methods that use as many as they like
_DIGITS = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Real rows of one seed.

    Attributes:
        pool: rows to learn from, in the order in which they come: the first n of them are used.
        test: rows of other persons, to test on.
    """

    pool: "pd.DataFrame" = field(repr=False)
    test: "pd.DataFrame" = field(repr=False)


Run = dict[str, Any]
Release = Callable[["pd.DataFrame | None", int], Generator]


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What is run.

    Attributes:
        design: ``SAME_ROWS``, ``LARGER_HOLDER`` or ``TRANSFER``.
        model: the classifier: "logistic", "boosting" or "network".
        methods: names in ``METHODS``, or other ratios; see ``methods.method_called``.
        sizes: numbers of real rows; those that a pool does not have are left out.
        seeds: one run of every method and size for each.
        drawn: synthetic rows for methods that use as many as they like.
    """

    design: str
    model: str = "boosting"
    methods: tuple[str, ...] = tuple(METHODS)
    sizes: tuple[int, ...] = SIZES
    seeds: tuple[int, ...] = SEEDS
    drawn: int = DRAWN

    def __post_init__(self) -> None:
        if self.design not in DESIGNS:
            raise UsageError(f"design must be one of {', '.join(map(repr, DESIGNS))}")
        for name in self.methods:
            if self.model not in method_called(name).models:
                raise UsageError(f"the method {name!r} cannot train the classifier {self.model!r}")
        if not self.sizes or min(self.sizes) < 2:
            raise UsageError("sizes must be numbers of real rows, of at least 2")


def learning_curves(
    experiment: Experiment,
    *,
    split: Callable[[int], Split],
    release: Release,
    schema: "Schema",
    task: Task,
    progress: Callable[[str], None] | None = None,
) -> list[Run]:
    """Train by every method on n real rows and test on others, for all sizes and seeds.

    Args:
        experiment: what is run.
        split: by seed, the rows to learn from and to test on.
        release: by rows and seed, a model to draw from. With ``SAME_ROWS`` it is asked for one of
            each n rows; otherwise once a seed, with None for the rows.
        schema: declares the columns.
        task: what is predicted.
        progress: is told each size as it begins.

    Privacy:
        None: the figures are computed from real rows and are for the custodian alone.

    Returns:
        One run a method, size and seed: ``design``, ``model``, ``method``, ``n``, ``seed`` and the
        figures of ``downstream.measures.measure``.

    Raises:
        DataError: no size is small enough for a pool, or nothing can be tested.
    """
    step = progress or (lambda _: None)
    runs: list[Run] = []
    for seed in experiment.seeds:
        rows = split(seed)
        known = seen(rows.pool, schema)
        pool = RealRows.of(rows.pool, known).table
        labels = task.labels(rows.test, schema)
        kept = labels != UNLABELED
        test = rows.test[kept]
        if len(np.unique(labels[kept])) < 2:
            raise DataError("the rows to test on have not two classes: take more of them")
        sizes = [size for size in experiment.sizes if size <= len(pool)]
        if not sizes:
            raise DataError("the pool of real rows is smaller than every size asked for")
        shared = None
        for size in sizes:
            step(f"{experiment.design}, {experiment.model}: seed {seed}, {size} real rows")
            few = pool.iloc[:size].reset_index(drop=True)
            draw = shared
            if draw is None and any(method_called(m).needs_release for m in experiment.methods):
                same = experiment.design == SAME_ROWS
                learnt = release(rows.pool.iloc[:size] if same else None, seed)
                draw = Draws(model=learnt, task=task, seed=seed, rows=experiment.drawn)
                shared = None if same else draw
            bench = Bench(
                real=few,
                draw=draw,
                schema=known,
                task=task,
                model=experiment.model,
                seed=seed,
                drawn=experiment.drawn,
            )
            for name in experiment.methods:
                shares = method_called(name).train(bench).shares(test)
                found = measure(shares, labels[kept])
                runs.append(_run(experiment, name, size, seed, found))
    return runs


def _run(
    experiment: Experiment, name: str, size: int, seed: int, found: Mapping[str, float]
) -> Run:
    return {
        "design": experiment.design,
        "model": experiment.model,
        "method": name,
        "n": size,
        "seed": seed,
        **{key: round(value, _DIGITS) for key, value in found.items()},
    }


class Draws:
    """Rows of one release: asked for the same again, the same rows come.

    Args:
        model: what they are drawn from.
        task: whose classes may be asked for.
        seed: of all draws.
        rows: that are drawn at once, in random order; so many or fewer are the first of them.
    """

    def __init__(self, *, model: Generator, task: Task, seed: int, rows: int) -> None:
        self._model, self._seed, self._rows = model, seed, rows
        self._levels = [_levels(model.full_schema, task.target, group) for group in task.groups]
        self._target = task.target
        self._kept: pd.DataFrame | None = None

    def __call__(self, rows: int, place: int | None) -> "pd.DataFrame":
        """Return synthetic rows, of the class at ``place`` where one is given."""
        if place is not None:
            return self._of_class(rows, place)
        if rows > self._rows:
            return self._modeled(self._model.sample(rows, seed=self._seed))
        if self._kept is None:
            drawn = self._modeled(self._model.sample(self._rows, seed=self._seed))
            order = np.random.default_rng(self._seed).permutation(self._rows)
            self._kept = drawn.iloc[order].reset_index(drop=True)
        return self._kept.iloc[:rows]

    def _of_class(self, rows: int, place: int) -> "pd.DataFrame":
        try:
            drawn = self._model.sample(
                rows, seed=self._seed, given={self._target: self._levels[place]}
            )
        except UsageError:
            # Noise may leave a rare class no chance at all: the release has no row of it to give.
            drawn = self._model.sample(0, seed=self._seed)
        return self._modeled(drawn)

    def _modeled(self, drawn: "pd.DataFrame") -> "pd.DataFrame":
        return drawn[[column.name for column in self._model.full_schema.modeled]]


def _levels(schema: "Schema", target: str, codes: Sequence[int]) -> list[object]:
    """Return the values of the target that belong to a class."""
    column = schema.column(target)
    assert isinstance(column, LevelsColumn | BooleanColumn), "a task has classes"
    levels = (False, True) if isinstance(column, BooleanColumn) else column.levels
    return [levels[code] for code in codes]
