"""How much real data, how much synthetic, in which ratio: the whole study of one table.

Seeds, sizes, methods and classifiers are gone through; what comes out is one section a classifier,
with learning curves, verdicts in plain words, and whether anything was overfitted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dpsynth.errors import DataError, UnknownNameError, UsageError
from dpsynth.utility.augmentation.curves import (
    DRAWN,
    SAME_ROWS,
    SEEDS,
    SIZES,
    Experiment,
    Release,
    Run,
    Split,
    learning_curves,
)
from dpsynth.utility.augmentation.finetuning import PRETRAINING, fine_tune
from dpsynth.utility.augmentation.judging import augmentation_section
from dpsynth.utility.augmentation.methods import (
    METHODS,
    REAL_ONLY,
    SMOTE,
    method_called,
    ratio_called,
    require_smote,
)
from dpsynth.utility.augmentation.overfitting import gap_of
from dpsynth.utility.downstream.measures import MEASURES
from dpsynth.utility.downstream.models import TITLES
from dpsynth.utility.downstream.task import Task
from dpsynth.utility.scores import Section

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema
    from dpsynth.utility.augmentation.mixing import Generator

FORMAT = "dpsynth-augmentation-study/1"
RATIOS = (1, 5)
TEST_SHARE = 0.3
Progress = Callable[[int, int, str], object]


@dataclass(frozen=True, kw_only=True)
class Study:
    """What is asked.

    Attributes:
        design: "same rows", "larger holder" or "transfer"; see ``curves.DESIGNS``.
        classifiers: any of "logistic", "boosting" and "network".
        sizes: numbers of real rows; those that a table does not have are left out.
        seeds: each with other real rows, another split and other draws.
        ratios: synthetic rows for each real one.
        methods: by name; None for all that a classifier can be trained by.
        figure: of merit, such as "auroc" or "brier".
        drawn: synthetic rows for methods that use as many as they like.
        test_share: of the persons, whose rows are tested on, where no other rows are given.
    """

    design: str
    classifiers: tuple[str, ...] = ("logistic", "boosting")
    sizes: tuple[int, ...] = SIZES
    seeds: tuple[int, ...] = SEEDS
    ratios: tuple[int, ...] = RATIOS
    methods: tuple[str, ...] | None = None
    figure: str = "auroc"
    drawn: int = DRAWN
    test_share: float = TEST_SHARE

    def __post_init__(self) -> None:
        for name in self.classifiers:
            if name not in TITLES:
                raise UnknownNameError(
                    f"no classifier is called {name!r}; there are: {', '.join(TITLES)}"
                )
        if self.figure not in MEASURES:
            raise UnknownNameError(
                f"no figure is called {self.figure!r}; there are: {', '.join(MEASURES)}"
            )
        if not self.classifiers or not self.seeds:
            raise UsageError("a study needs at least one classifier and one seed")
        if not 0 < self.test_share < 1:
            raise UsageError("the share of persons to test on must be above 0 and below 1")
        if any(not 1 <= ratio <= _MOST_RATIO for ratio in self.ratios):
            raise UsageError(f"a ratio must be a whole number from 1 to {_MOST_RATIO:,}")
        if self.methods is not None and REAL_ONLY not in self.methods:
            raise UsageError(f"methods must hold {REAL_ONLY!r}, which all others are held against")
        for name in self.classifiers:
            self.experiment(name)  # which says what will not do

    def experiment(self, classifier: str) -> Experiment:
        """Return the learning curves of one classifier, over all seeds."""
        return Experiment(
            design=self.design,
            model=classifier,
            methods=self.names(classifier),
            sizes=tuple(sorted(set(self.sizes))),
            seeds=self.seeds,
            drawn=self.drawn,
        )

    def names(self, classifier: str) -> tuple[str, ...]:
        """Return the methods that one classifier is trained by."""
        if self.methods is not None:
            return tuple(n for n in self.methods if classifier in method_called(n).models)
        mixes = [ratio_called(ratio) for ratio in sorted(set(self.ratios))]
        others = [name for name in METHODS if not name.endswith(" a real one")]
        at = others.index("synthetic only") + 1
        named = [*others[:at], *mixes, *others[at:]]
        return tuple(name for name in named if classifier in method_called(name).models)

    def require_installed(self) -> None:
        """Refuse what could not be run to its end.

        Raises:
            UnfitEnvironmentError: SMOTE is asked for, and imbalanced-learn is not installed.
        """
        if any(SMOTE in self.names(name) for name in self.classifiers):
            require_smote()


_MOST_RATIO = 9_999


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a study found; for the custodian alone.

    Attributes:
        study: what was asked.
        task: what was predicted.
        sections: one for each classifier.
        runs: every run; see ``curves.learning_curves``.
    """

    study: Study
    task: Task
    sections: tuple[Section, ...]
    runs: tuple[Run, ...] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the findings as study.json holds them."""
        return {
            "format": FORMAT,
            "design": self.study.design,
            "target": self.task.target,
            "classes": list(self.task.classes),
            "figure": self.study.figure,
            "seeds": list(self.study.seeds),
            "sizes": list(self.study.sizes),
            "sections": [section.to_dict() for section in self.sections],
            "runs": [dict(run) for run in self.runs],
        }


def augmentation_study(
    study: Study,
    table: "pd.DataFrame",
    schema: "Schema",
    task: Task,
    *,
    release: Release,
    test: "pd.DataFrame | None" = None,
    progress: Progress | None = None,
) -> Findings:
    """Train on few real rows, alone and with synthetic ones, and test on other real rows.

    Args:
        study: what is asked.
        table: real rows, of which ever more are learnt from; with the person column, where the
            schema declares one: the rows of a person are never parted.
        schema: declares the columns.
        task: what is predicted.
        release: by rows and seed, a model to draw from. With "same rows" it is asked for one of
            each n rows; otherwise once a seed, with None for the rows.
        test: real rows to test on; a share of the persons of ``table`` where not given.
        progress: is told how many parts are done, of how many, and what begins.

    Privacy:
        None: every figure is computed from real rows and is for the custodian alone. A look
        belongs into the internal chain of the table's ledger (``record_look``).

    Raises:
        DataError: no size is small enough for the table, or nothing can be tested.
        UnfitEnvironmentError: SMOTE is asked for, and imbalanced-learn is not installed.
    """
    study.require_installed()
    tell = progress or (lambda *_: None)
    parts = splitting(table, schema, share=study.test_share, test=test)
    whole = len(study.seeds) * len(study.classifiers) * len(set(study.sizes))
    done, runs, gaps = 0, [], []

    def step(words: str) -> None:
        nonlocal done
        tell(done, whole, words)
        done += 1

    for seed in study.seeds:
        split, known = parts(seed), _Once(release)
        for name in study.classifiers:
            runs += learning_curves(
                replace(study.experiment(name), seeds=(seed,)),
                split=lambda _, split=split: split,  # type: ignore[misc]  # bound at once
                release=known,
                schema=schema,
                task=task,
                progress=step,
            )
            if name in PRETRAINING and any(
                method_called(each).needs_release for each in study.names(name)
            ):
                most = max(run["n"] for run in runs if run["model"] == name)
                gaps.append(_gap(study, name, split, known, schema, task, seed=seed, rows=most))
    tell(whole, whole, "done")
    sections = tuple(
        _section(study, name, [run for run in runs if run["model"] == name], gaps)
        for name in study.classifiers
    )
    return Findings(study=study, task=task, sections=sections, runs=tuple(runs))


def splitting(
    table: "pd.DataFrame",
    schema: "Schema",
    *,
    share: float = TEST_SHARE,
    test: "pd.DataFrame | None" = None,
) -> Callable[[int], Split]:
    """Return by seed the rows to learn from, in random order, and those to test on.

    The rows of a person stay together, and on one side, where the schema's unit is a person.

    Args:
        table: real rows.
        schema: declares the unit.
        share: of the persons to test on.
        test: rows to test on, in place of a share of ``table``.

    Raises:
        DataError: too few persons to part.
    """
    import pandas as pd

    column = schema.unit.column
    if column is None:
        persons = np.arange(len(table))
    else:
        persons, _ = pd.factorize(table[column].astype("string"))
        nobody = persons < 0  # a row without a person is one of its own
        persons = np.where(nobody, persons.max() + np.cumsum(nobody), persons)
    count = int(persons.max()) + 1 if len(persons) else 0
    aside = 0 if test is not None else round(share * count)
    if count - aside < 1 or (test is None and aside < 1):
        raise DataError("the table has too few persons to part: some to learn from, some to test")

    def of(seed: int) -> Split:
        place = np.random.default_rng([seed, 2]).permutation(count)[persons]
        order = np.argsort(place, kind="stable")
        tested = np.sort(place) < aside
        pool = table.iloc[order[~tested]].reset_index(drop=True)
        held = table.iloc[order[tested]].reset_index(drop=True) if test is None else test
        return Split(pool=pool, test=held)

    return of


class _Once:
    """Asks for each release of one seed once, whichever classifier needs it."""

    def __init__(self, release: Release) -> None:
        self._release = release
        self._kept: dict[int | None, Generator] = {}

    def __call__(self, rows: "pd.DataFrame | None", seed: int) -> "Generator":
        key = None if rows is None else len(rows)
        if key not in self._kept:
            self._kept[key] = self._release(rows, seed)
        return self._kept[key]


def _gap(
    study: Study,
    classifier: str,
    split: Split,
    release: Release,
    schema: "Schema",
    task: Task,
    *,
    seed: int,
    rows: int,
) -> dict[str, Any]:
    """Look for overfitting to synthetic rows at the largest number of real rows."""
    few = split.pool.iloc[:rows]
    model = release(few if study.design == SAME_ROWS else None, seed)
    drawn = model.sample(study.drawn, seed=seed)
    found = gap_of(fine_tune(classifier, drawn, few, schema, task, seed=seed))
    return {
        "classifier": classifier,
        "seed": seed,
        "real rows": rows,
        "loss on synthetic rows": found.synthetic,
        "loss on real rows": found.real,
        "difference from": found.low,
        "to": found.high,
        "overfitted": found.found,
        "remedy": "; or ".join(found.remedies) or None,
    }


def _section(study: Study, classifier: str, runs: list[Run], gaps: list[dict[str, Any]]) -> Section:
    made = augmentation_section(runs, figure=study.figure)
    mine = [
        {key: held for key, held in gap.items() if key != "classifier"}
        for gap in gaps
        if gap["classifier"] == classifier
    ]
    sizes = {run["n"] for run in runs}
    left_out = [f"{size:,}" for size in sorted(set(study.sizes) - sizes)]
    notes = [*made.notes, *_overfitting(mine)]
    if left_out:
        notes.append(f"The table has not as many rows to learn from as {', '.join(left_out)}.")
    tables: dict[str, Any] = dict(made.tables)
    if mine:
        tables["overfitting to synthetic rows"] = mine
    return replace(made, tables=tables, notes=tuple(notes))


def _overfitting(gaps: Sequence[Mapping[str, Any]]) -> list[str]:
    if not gaps:
        return []
    found = [gap for gap in gaps if gap["overfitted"]]
    if not found:
        return [f"No overfitting to synthetic rows was found in {len(gaps)} seeds."]
    remedies = list(dict.fromkeys(str(gap["remedy"]) for gap in found))
    return [
        f"Pre-training overfitted to synthetic rows in {len(found)} of {len(gaps)} seeds: "
        f"{'; '.join(remedies)}."
    ]
