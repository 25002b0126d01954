"""Do synthetic rows help where real ones are few? Two tables, every method, 10 seeds.

    python benchmarks/utility/augmentation.py OUT.jsonl [--study NAME] [--sizes N,N] [--until HH:MM]

Tables are found under DPSYNTH_DATA. One line of OUT.jsonl is one seed of one study, with every
method and size; what is there already is not run again, so stop it and start it as you like. Splits
and what is drawn follow from the seed; the noise of releases is the operating system's, and no two
runs have the same. Releases are made as for a classifier, with the column to predict as target.
Studies, sizes and settings stand below, and nothing was tuned on them.

covid_testing: is the test positive (1 in 18)? A person is the unit, with at most three rows, and
persons are parted, never rows. heart_disease: is there disease? The small site is va, 200 patients.
"""

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

import dpsynth
from dpsynth.bench import provenance
from dpsynth.bench.augmented import read
from dpsynth.bench.datasets import Dataset, described
from dpsynth.bench.records import append, drop_unfinished_line
from dpsynth.utility.augmentation.curves import (
    LARGER_HOLDER,
    SAME_ROWS,
    Experiment,
    Split,
    learning_curves,
)
from dpsynth.utility.augmentation.finetuning import fine_tune
from dpsynth.utility.augmentation.methods import METHODS
from dpsynth.utility.augmentation.overfitting import gap_of
from dpsynth.utility.augmentation.transfer import transfer
from dpsynth.utility.downstream.task import Task

if TYPE_CHECKING:
    import pandas as pd

SCHEMAS = Path(__file__).parent.parent / "schemas"
SEEDS = tuple(range(8001, 8011))
MODELS = ("logistic", "boosting")
SYNTHESIZER, DELTA = "auto", "1e-6"
VERSIONS = ("numpy", "pandas", "scikit-learn", "imbalanced-learn")


@dataclass(frozen=True, kw_only=True)
class Study:
    """One design on one table.

    Attributes:
        table: its name.
        epsilon: of every release.
        sizes: numbers of real rows.
        same_rows: whether the release is learnt on these; else on another holder's.
        holder: for heart_disease, the sites of the other holder.
        site: for heart_disease, the site of the few rows and the tests.
        drawn: synthetic rows for methods that use as many as they like.
    """

    table: str
    epsilon: str
    sizes: tuple[int, ...]
    same_rows: bool = False
    holder: tuple[str, ...] = ()
    site: str = ""
    drawn: int = 2000


_FEW = (20, 50, 100)
_OTHERS = ("cleveland", "hungarian", "switzerland")
STUDIES = {
    "heart-va-same": Study(
        table="heart_disease", epsilon="1", sizes=_FEW, same_rows=True, site="va"
    ),
    "heart-others-va": Study(
        table="heart_disease", epsilon="1", sizes=_FEW, holder=_OTHERS, site="va"
    ),
    "heart-cleveland-hungarian": Study(
        table="heart_disease", epsilon="1", sizes=_FEW, holder=("cleveland",), site="hungarian"
    ),
    "heart-cleveland-hungarian-10": Study(
        table="heart_disease", epsilon="10", sizes=_FEW, holder=("cleveland",), site="hungarian"
    ),
    "covid-larger": Study(
        table="covid_testing", epsilon="1", sizes=(50, 100, 200, 500, 1000, 2000), drawn=5000
    ),
    "covid-larger-10": Study(
        table="covid_testing", epsilon="10", sizes=(50, 100, 200, 500, 1000, 2000), drawn=5000
    ),
    "covid-same": Study(
        table="covid_testing",
        epsilon="1",
        sizes=(50, 100, 200, 500, 1000, 2000, 5000, 10_000),
        same_rows=True,
        drawn=5000,
    ),
}


class Runner:
    """Runs seeds of studies; ledgers and tables are in a folder that is removed in the end."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._ledgers = folder, 0
        self._context = {
            "commit": provenance.commit(),
            "machine": provenance.machine(),
            "versions": {name: version(name) for name in VERSIONS},
        }

    def run(self, name: str, seed: int, sizes: tuple[int, ...] = ()) -> dict[str, Any]:
        """Run one seed of one study, by every method, size (or those given) and classifier."""
        study, begun = STUDIES[name], time.process_time()
        study = replace(study, sizes=sizes or study.sizes)
        frame, schema, task = _table(study)
        split, holder = _parts(study, frame, seed)
        kept: dict[int, dpsynth.FittedModel] = {}

        def release(rows: "pd.DataFrame | None", _: int) -> dpsynth.FittedModel:
            learnt = holder if rows is None else rows
            if len(learnt) not in kept:  # one release for all classifiers
                kept[len(learnt)] = self._release(learnt, schema, study.epsilon)
            return kept[len(learnt)]

        runs = []
        for model in MODELS:
            runs += _runs(study, model, seed, split, release, schema, task)
        found = {
            "study": name,
            "seed": seed,
            "epsilon": study.epsilon,
            "delta": DELTA,
            "synthesizer": f"{SYNTHESIZER} with the target",
            "held": len(holder),
            "tested": len(split.test),
            "gap": _gap(study, split, release, schema, task, seed),
            "runs": runs,
        }
        return found | {"cpu_seconds": round(time.process_time() - begun, 1)} | self._context

    def _release(
        self, rows: "pd.DataFrame", schema: dpsynth.Schema, epsilon: str
    ) -> dpsynth.FittedModel:
        self._ledgers += 1
        path = self._folder / f"{self._ledgers}.sqlite"
        book = dpsynth.Ledger.create(path, cap_epsilon=epsilon, cap_delta=DELTA)
        wanted = dpsynth.synthesizer(SYNTHESIZER, target=schema.target)
        return wanted.fit(rows, schema=schema, epsilon=epsilon, delta=DELTA, ledger=book)


def _runs(
    study: Study,
    model: str,
    seed: int,
    split: Split,
    release: Callable[..., Any],
    schema: dpsynth.Schema,
    task: Task,
) -> list[dict[str, Any]]:
    if study.site and not study.same_rows:
        return transfer(
            lambda seed: release(None, seed),
            lambda _: split,
            schema,
            task,
            model=model,
            sizes=study.sizes,
            seeds=(seed,),
            drawn=study.drawn,
        )
    experiment = Experiment(
        design=SAME_ROWS if study.same_rows else LARGER_HOLDER,
        model=model,
        methods=tuple(name for name, method in METHODS.items() if model in method.models),
        sizes=study.sizes,
        seeds=(seed,),
        drawn=study.drawn,
    )
    return learning_curves(
        experiment, split=lambda _: split, release=release, schema=schema, task=task
    )


def _gap(
    study: Study,
    split: Split,
    release: Callable[..., Any],
    schema: dpsynth.Schema,
    task: Task,
    seed: int,
) -> dict[str, Any]:
    """Look for overfitting to synthetic rows at the largest number of real rows."""
    few = split.pool.iloc[: study.sizes[-1]]
    model = release(few if study.same_rows else None, seed)
    drawn = model.sample(study.drawn, seed=seed)
    tuned = fine_tune("boosting", drawn, few, schema, task, seed=seed)
    found = gap_of(tuned)
    return {
        "n": len(few),
        "synthetic": round(found.synthetic, 4),
        "real": round(found.real, 4),
        "low": round(found.low, 4),
        "high": round(found.high, 4),
        "found": found.found,
        "pretrained": tuned.pretrained,
        "tuned": tuned.tuned,
        "last": round(tuned.losses["real"][-1], 4),
    }


def _table(study: Study) -> "tuple[pd.DataFrame, dpsynth.Schema, Task]":
    """Return rows in the columns of the schema, without the one that names the site."""
    frame, _ = described(Dataset(name=study.table))
    schema = dpsynth.Schema.read(SCHEMAS / f"{study.table}.toml")
    if study.table == "covid_testing":
        frame = frame[[column.name for column in schema.columns]]
        return frame, schema, Task.of(schema, positive=("positive",))
    document = schema.to_dict()
    document["columns"] = [each for each in document["columns"] if each["name"] != "site"]
    document["quasi_identifiers"] = ["age", "sex"]
    schema = dpsynth.Schema.from_dict(document)
    return frame, schema, Task.of(schema, positive=("1", "2", "3", "4"))


def _parts(study: Study, frame: "pd.DataFrame", seed: int) -> "tuple[Split, pd.DataFrame]":
    """Return the few rows and the tests of one seed, and what the other holder has."""
    rng = np.random.default_rng(seed)
    if study.site:
        site = frame["site"].astype(str)
        mine = frame[site == study.site].drop(columns="site")
        mine = mine.iloc[rng.permutation(len(mine))].reset_index(drop=True)
        half = len(mine) // 2
        holder = frame[site.isin(study.holder)].drop(columns="site").reset_index(drop=True)
        return Split(pool=mine.iloc[:half], test=mine.iloc[half:]), holder
    persons = rng.permutation(frame["subject_id"].unique())
    place = dict(zip(persons.tolist(), range(len(persons)), strict=True))
    order = frame["subject_id"].map(place)
    frame = frame.iloc[np.argsort(order.to_numpy(), kind="stable")].reset_index(drop=True)
    share = np.sort(order.to_numpy()) / len(persons)
    # A larger holder has half of the persons; without one there are more to learn from.
    first = 0.0 if study.same_rows else 0.5
    last = 0.7 if study.same_rows else 0.75
    pool = frame[(share >= first) & (share < last)].reset_index(drop=True)
    test = frame[share >= last].reset_index(drop=True)
    return Split(pool=pool, test=test), frame[share < first].reset_index(drop=True)


def main() -> None:
    """Run what is not recorded yet; a line on standard error for each seed."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--study", choices=sorted(STUDIES), action="append")
    parser.add_argument("--sizes", help="only these numbers of real rows, by commas")
    parser.add_argument("--until", help="UTC, such as 18:00: no seed begins after it")
    given = parser.parse_args()
    sizes = tuple(map(int, given.sizes.split(","))) if given.sizes else ()
    until = None
    if given.until:
        hour, minute = map(int, given.until.split(":"))
        until = datetime.now(UTC).replace(hour=hour, minute=minute, second=0)
    drop_unfinished_line(given.out)
    done = {(each["study"], each["seed"]) for each in read(given.out)}
    with TemporaryDirectory(prefix="dpsynth-augmentation-") as made:
        runner = Runner(Path(made))
        for seed in SEEDS:
            for name in given.study or STUDIES:
                if (name, seed) in done or (until and datetime.now(UTC) >= until):
                    continue
                found = runner.run(name, seed, sizes)
                append(given.out, found)
                said = {"study": name, "seed": seed, "cpu_seconds": found["cpu_seconds"]}
                sys.stderr.write(json.dumps(said) + "\n")
                sys.stderr.flush()


if __name__ == "__main__":
    main()
