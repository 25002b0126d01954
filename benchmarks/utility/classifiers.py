"""The study of classifiers that learn from releases: every synthesizer, three tables, four budgets.

    python benchmarks/utility/classifiers.py OUT.jsonl [--until HH:MM] [--plan]

A release is made from training rows, three classifiers learn from it, and held-out real rows say
how good they are. Beside it: the training rows themselves, the same with every column on its own,
and diffprivlib's private classifiers at the same epsilon. What is in OUT.jsonl already is not run
again, so stop it and start it as you like; ``--plan`` says what is left to do. Tables are found
under DPSYNTH_DATA. Tables, splits, seeds and settings stand below and were tuned on nothing: every
synthesizer runs with its defaults, and these seeds are used nowhere else.
"""

import resource
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from dpsynth.bench import provenance, records
from dpsynth.bench.datasets import Dataset, described
from dpsynth.bench.process import OUT, Part, RunFailedError, run_process
from dpsynth.bench.raw import split
from dpsynth.bench.suite import Cell, Contender
from dpsynth.errors import DpsynthError
from dpsynth.schema import Schema
from dpsynth.synthesizers import registry
from dpsynth.utility.downstream.measures import f1_at_share, measure
from dpsynth.utility.downstream.models import TITLES, train
from dpsynth.utility.downstream.private import PRIVATE, private_shares
from dpsynth.utility.downstream.task import UNLABELED, Task

if TYPE_CHECKING:
    import pandas as pd

HERE = Path(__file__).parent
SUITE = "classifiers"
DELTA = "1e-6"
EPSILONS = ("1", "3", "0.5", "10")  # in the order in which they are run
SEEDS = (7001, 7002, 7003, 7004, 7005)
LIMIT_SECONDS = 1800
POSITIVE = {
    "adult": (">50K",),
    "heart_disease": ("1", "2", "3", "4"),
    "diabetes130": ("<30",),
}
LARGE = "diabetes130"  # where a training takes minutes
REAL, SHUFFLED, PEER = "train", "shuffled", "diffprivlib"
_DIGITS = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """Rows to learn from, rows to test on, and what is declared of both."""

    train: "pd.DataFrame"
    test: "pd.DataFrame"
    schema: Schema
    task: Task


def table(name: str) -> Table:
    """Return a table as the study splits it.

    Adult has an official split. Of diabetes130 every patient keeps the first stay alone, as in the
    paper that published it, so that a row is a person; of that and of heart_disease one row in
    five is held out.
    """
    schema = Schema.read(HERE.parent / "schemas" / f"{name}.toml")
    frame, about = described(Dataset(name=name))
    if name == "diabetes130":
        frame = frame.sort_values("encounter_id").drop_duplicates("patient_nbr")
    learnt, held = split(frame[[column.name for column in schema.columns]], about)
    return Table(
        train=learnt, test=held, schema=schema, task=Task.of(schema, positive=POSITIVE[name])
    )


def cells() -> Iterator[Cell]:
    """Yield every run, what matters most first, so that what is left out can be stated.

    The default on Adult at epsilon 1, and what bounds it from above and below. Then seed by seed,
    so that every line of a table has a run before any has its second: all that takes seconds at
    epsilon 1, trainings at epsilon 1 on the two smaller tables, all that takes seconds at other
    budgets. At last the other trainings, the large table last, where each takes minutes.
    """
    trained = [each for each in registry.BUILT_IN if getattr(registry.get(each), "trained", False)]
    smaller = tuple(name for name in POSITIVE if name != LARGE)
    yield from (_cell("adult", Contender(name="auto"), "1", seed) for seed in SEEDS)
    for name in smaller:
        for seed in SEEDS:
            yield from _bounds(name, seed)
    for seed in SEEDS:
        yield from _bounds(LARGE, seed)
        yield from _quick(EPSILONS[:1], seed, trained)
        yield from _trained(EPSILONS[:1], smaller, seed, trained)
        yield from _quick(EPSILONS[1:], seed, trained)
    for seed in SEEDS:
        yield from _trained(EPSILONS[1:], smaller, seed, trained)
    for seed in SEEDS:
        yield from _trained(EPSILONS, (LARGE,), seed, trained)


def _bounds(name: str, seed: int) -> Iterator[Cell]:
    yield from (_cell(name, Contender(name=each), None, seed) for each in (REAL, SHUFFLED))


def _quick(epsilons: Sequence[str], seed: int, trained: Sequence[str]) -> Iterator[Cell]:
    """Yield what takes seconds: the default first, then tables, then private classifiers."""
    quick = sorted(set(registry.BUILT_IN) - set(trained), key=lambda name: (name != "auto", name))
    for epsilon in epsilons:
        for name in POSITIVE:
            settings = {"target": table_target(name)}
            contenders = (
                *(Contender(name=each) for each in quick),
                Contender(name="auto", label="auto, target", settings=settings),
                *(Contender(name=each, peer=PEER) for each in PRIVATE),
            )
            for each in contenders:
                if (name, each.label, epsilon) != ("adult", "auto", "1"):
                    yield _cell(name, each, epsilon, seed)


def _trained(
    epsilons: Sequence[str], names: Sequence[str], seed: int, trained: Sequence[str]
) -> Iterator[Cell]:
    for epsilon in epsilons:
        for name in names:
            yield from (_cell(name, Contender(name=each), epsilon, seed) for each in trained)


def table_target(name: str) -> str:
    """Return the declared target of a table."""
    target = Schema.read(HERE.parent / "schemas" / f"{name}.toml").target
    assert target is not None, "each of the three declares one"
    return target


def _cell(name: str, contender: Contender, epsilon: str | None, seed: int) -> Cell:
    return Cell(
        suite=SUITE,
        dataset=Dataset(name=name, schema=f"../schemas/{name}.toml"),
        contender=contender,
        epsilon=epsilon,
        delta=None if epsilon is None else "0" if contender.peer else DELTA,
        seed=seed,
        fresh=False,
        protocol="target",
        limit_seconds=LIMIT_SECONDS,
    )


class Study:
    """Runs cells; each table is loaded and written once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tables: dict[str, Table] = {}
        self._context = {"commit": provenance.commit(), "machine": provenance.machine()}

    def record(self, cell: Cell) -> records.Record:
        """Run one cell; what goes wrong becomes part of the record."""
        held = self._table(cell.dataset.name)
        found: records.Record = {
            "format": records.FORMAT,
            "key": cell.key,
            "suite": cell.suite,
            "dataset": cell.dataset.name,
            "rows": len(held.train),
            "columns": len(held.schema.modeled),
            "synthesizer": cell.contender.label,
            "name": cell.contender.name,
            "peer": cell.contender.peer,
            "settings": dict(cell.contender.settings),
            "epsilon": cell.epsilon,
            "delta": cell.delta,
            "seed": cell.seed,
            "protocol": cell.protocol,
            "status": records.OK,
            "failure": None,
        }
        try:
            found |= self._private(cell, held) if cell.contender.peer else self._release(cell, held)
        except (RunFailedError, DpsynthError) as failure:
            found |= {"status": records.FAILED, "failure": str(failure)}
        return found | self._context

    def _private(self, cell: Cell, held: Table) -> dict[str, Any]:
        assert cell.epsilon is not None, "a private classifier has a budget"
        begun = time.process_time()
        shares = private_shares(
            cell.contender.name,
            held.train,
            held.test,
            held.schema,
            held.task,
            epsilon=float(cell.epsilon),
            seed=cell.seed,
        )
        took = time.process_time() - begun
        return {"cpu_seconds": round(took, 2)} | _figures("private", shares, held, held.train)

    def _release(self, cell: Cell, held: Table) -> dict[str, Any]:
        import pandas as pd

        path = self._folder / f"{cell.dataset.name}.parquet"
        facts = {"schema": held.schema.to_dict(), "columns": [], "heldout": None}
        part = Part(path=path, facts=facts, runner="runner_raw.py", size={}, score=lambda _: {})
        took = run_process(cell, part, peers_folder=Path(), folder=self._folder)
        made = pd.read_parquet(self._folder / OUT)
        if not len(made):
            raise RunFailedError("the synthetic table has no row")
        found: dict[str, Any] = {
            "rows_drawn": len(made),
            "cpu_seconds": round(took["cpu_seconds"], 2),
            "process_cpu_seconds": round(took["process_cpu_seconds"], 2),
            "peak_mib": round(took["peak_mib"], 1),
            "versions": took["versions"],
        }
        begun = time.process_time()
        for model in TITLES:
            learnt = train(model, made, held.schema, held.task, seed=cell.seed)
            found |= _figures(model, learnt.shares(held.test), held, made)
        return found | {"classifiers_cpu_seconds": round(time.process_time() - begun, 2)}

    def _table(self, name: str) -> Table:
        if name not in self._tables:
            held = self._tables[name] = table(name)
            held.train.to_parquet(self._folder / f"{name}.parquet", index=False)
        return self._tables[name]


def _figures(model: str, shares: Any, held: Table, learnt: "pd.DataFrame") -> dict[str, float]:
    labels = held.task.labels(held.test, held.schema)
    known = labels != UNLABELED
    found = measure(shares[known], labels[known])
    trained = held.task.labels(learnt, held.schema)
    cut = float((trained == 1).sum() / max((trained != UNLABELED).sum(), 1))
    found["f1_at_share"] = f1_at_share(shares[known], labels[known], cut)
    return {f"{model}_{name}": round(value, _DIGITS) for name, value in found.items()}


def run(out: Path, *, until: datetime | None = None) -> None:
    """Run what is not recorded yet, in order; a line on standard error for each."""
    records.drop_unfinished_line(out)
    done = _done(out)
    wanted = list(cells())
    with TemporaryDirectory(prefix="dpsynth-classifiers-") as made:
        study = Study(Path(made))
        for number, cell in enumerate(wanted, start=1):
            if cell.key in done:
                continue
            if until is not None and datetime.now(UTC) >= until:
                break
            begun = _cpu_seconds()
            found = study.record(cell)
            records.append(out, found)
            words = (cell.dataset.name, cell.contender.label, cell.epsilon or "", cell.seed)
            said = found["failure"] or f"{found.get('boosting_auroc', found.get('private_auroc'))}"
            text = " ".join(map(str, words))
            sys.stderr.write(
                f"{number} of {len(wanted)}: {text}: {said}, {_cpu_seconds() - begun:.1f} CPU s\n"
            )
            sys.stderr.flush()


def _done(out: Path) -> set[str]:
    """Return the keys of runs that came to an end, or failed for want of no package."""
    held = records.read([out]) if out.exists() else []
    return {each["key"] for each in held if "pip install" not in (each["failure"] or "")}


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def plan(out: Path) -> str:
    """Return what is done and left, by synthesizer, table and budget."""
    done = _done(out)
    counts: dict[tuple[str, str, str], list[int]] = {}
    for cell in cells():
        key = (cell.dataset.name, cell.epsilon or "none", cell.contender.label)
        held = counts.setdefault(key, [0, 0])
        held[0] += cell.key in done
        held[1] += 1
    return "".join(f"{' '.join(key)}: {a} of {b}\n" for key, (a, b) in counts.items())


def main() -> None:
    """Run, or say what is left."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--until", help="UTC, such as 18:00: no run begins after it")
    parser.add_argument("--plan", action="store_true", help="run nothing")
    given = parser.parse_args()
    if given.plan:
        sys.stdout.write(plan(given.out))
        return
    until = None
    if given.until:
        hour, minute = map(int, given.until.split(":"))
        until = datetime.now(UTC).replace(hour=hour, minute=minute, second=0)
    run(given.out, until=until)


if __name__ == "__main__":
    main()
