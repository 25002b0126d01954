"""Run the cells of a suite, each in a process of its own, and write one record for each."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from dpsynth.bench import datasets, metrics, peers, provenance, raw, records
from dpsynth.bench.coded import CodedTable
from dpsynth.bench.datasets import Dataset
from dpsynth.bench.process import NOT_INSTALLED, OUT, Part, RunFailedError, readable, run_process
from dpsynth.bench.records import FAILED, OK, Record
from dpsynth.bench.suite import REFERENCES, RESAMPLE, Cell, Suite
from dpsynth.errors import DpsynthError, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.bench.scoring import Yardstick

_SEED_OF_SPLIT = 20_261_122  # training and test rows are the same in every run
_TEST_SHARE = 5  # one row in five, where the source names no split


@dataclass(frozen=True, kw_only=True)
class Step:
    """How far a suite has come.

    Attributes:
        done: runs that are finished, earlier ones included.
        total: all of them.
        cell: the run that begins, or None at the end.
    """

    done: int
    total: int
    cell: Cell | None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a suite.

    Attributes:
        records: the latest record of each of its cells.
        ran: how many runs were made now; the others were finished before.
    """

    records: list[Record]
    ran: int

    @property
    def failed(self) -> list[Record]:
        """The records of runs that failed."""
        return [record for record in self.records if record["status"] == FAILED]


def run(
    suite: Suite,
    *,
    results: Path,
    peers_folder: Path,
    retry: bool = False,
    labels: Collection[str] | None = None,
    progress: Callable[[Step], None] = lambda _: None,
) -> Outcome:
    """Run what is not finished yet; append a record to ``results`` after each run.

    Args:
        suite: the grid.
        results: JSON lines; made if missing.
        peers_folder: where ``peers.install`` made the peers' environments.
        retry: run failed cells again, too. One whose peer was not installed always is.
        labels: of the synthesizers to run; all where not given.
        progress: told before each run, and at the end.

    Raises:
        UsageError: a data set or synthesizer does not exist; nothing ran.
        IntegrityError: ``results`` holds something else than records.
    """
    _refuse_unknown_names(suite)
    records.drop_unfinished_line(results)
    known = {each["key"]: each for each in (records.read([results]) if results.exists() else [])}
    cells = [cell for cell in suite.cells() if labels is None or cell.contender.label in labels]
    pending = [cell for cell in cells if _is_pending(known.get(cell.key), retry)]
    context = {"commit": provenance.commit(), "machine": provenance.machine()}
    done = len(cells) - len(pending)
    with TemporaryDirectory(prefix="dpsynth-bench-") as made:
        parts = _Parts(Path(made), suite.folder)
        for cell in pending:
            progress(Step(done=done, total=len(cells), cell=cell))
            part = parts.of(cell)
            record = _record(cell, part, context, peers_folder=peers_folder, folder=Path(made))
            records.append(results, record)
            known[cell.key] = record
            done += 1
    progress(Step(done=done, total=len(cells), cell=None))
    return Outcome(records=[known[cell.key] for cell in cells], ran=len(pending))


def _is_pending(record: Record | None, retry: bool) -> bool:
    if record is None:
        return True
    return record["status"] == FAILED and (retry or record["failure"] == NOT_INSTALLED)


def _refuse_unknown_names(suite: Suite) -> None:
    """Refuse what can be seen to fail before anything runs."""
    from dpsynth import synthesizer

    for contender in suite.contenders:
        if contender.peer is not None:
            peers.require(contender.peer, contender.name)
        elif contender.name not in REFERENCES:
            synthesizer(contender.name, **contender.settings)
        if contender.peer is None and contender.name in set(REFERENCES) - {RESAMPLE}:
            named = contender.datasets or [dataset.name for dataset in suite.datasets]
            for dataset in suite.datasets:
                if dataset.schema is None and dataset.name in named:
                    raise UsageError(
                        f"{contender.name!r} needs a table with a schema: {dataset.name!r} has none"
                    )


class _Parts:
    """Loads each table once, and writes each part of it once."""

    def __init__(self, folder: Path, suite_folder: Path) -> None:
        self._folder = folder
        self._suite_folder = suite_folder
        self._tables: dict[Dataset, CodedTable] = {}
        self._parts: dict[tuple[Dataset, str, int], Part] = {}

    def of(self, cell: Cell) -> Part:
        """Return the rows that a cell fits and those that it does not see."""
        # Only halves differ from seed to seed.
        key = (cell.dataset, cell.protocol, cell.seed if cell.protocol == "half" else 0)
        if key not in self._parts:
            path = self._folder / f"part-{len(self._parts)}.parquet"
            make = self._coded if cell.dataset.schema is None else self._raw
            self._parts[key] = make(cell, path)
        return self._parts[key]

    def _coded(self, cell: Cell, path: Path) -> Part:
        if cell.dataset not in self._tables:
            loaded = datasets.load(cell.dataset, folder=self._suite_folder)
            self._tables = {cell.dataset: loaded}  # cells come table by table
        fitted, heldout = split(self._tables[cell.dataset], cell.protocol, seed=cell.seed)
        _frame(fitted).to_parquet(path, index=False)
        return Part(
            path=path,
            facts={
                "sizes": dict(fitted.sizes),
                "ordered": list(fitted.ordered),
                "expected_rows": cell.dataset.expected_rows,
                "target": fitted.target,
            },
            runner="runner_own.py",
            size={
                "rows": fitted.rows,
                "columns": len(fitted.codes),
                "codes": sum(fitted.sizes.values()),
            },
            score=partial(_coded_scores, fitted, heldout, cell.protocol),
        )

    def _raw(self, cell: Cell, path: Path) -> Part:
        from dpsynth.bench.scoring import Yardstick
        from dpsynth.encoding.codec import codecs

        table = raw.load_raw(cell.dataset, folder=self._suite_folder, protocol=cell.protocol)
        yard = Yardstick.of(table)
        table.train.to_parquet(path, index=False)
        heldout = path.with_suffix(".heldout.parquet")
        if table.test is not None:
            table.test.to_parquet(heldout, index=False)
        return Part(
            path=path,
            facts={
                "schema": table.schema.to_dict(),
                "columns": raw.facts(table.schema),
                "heldout": None if table.test is None else str(heldout),
            },
            runner="runner_raw.py",
            size={
                "rows": len(table.train),
                "columns": len(table.schema.modeled),
                "codes": sum(codec.size for codec in codecs(table.schema).values()),
            },
            score=partial(_raw_scores, yard),
        )


def split(table: CodedTable, protocol: str, *, seed: int) -> tuple[CodedTable, CodedTable | None]:
    """Return the rows to fit and the rows to hold out, by the protocol of the suite."""
    if protocol == "whole":
        return table, None
    if protocol == "target" and table.split is not None:
        return table.take(table.split[0]), table.take(table.split[1])
    order = np.random.default_rng(seed if protocol == "half" else _SEED_OF_SPLIT).permutation(
        table.rows
    )
    cut = table.rows // 2 if protocol == "half" else table.rows - table.rows // _TEST_SHARE
    return table.take(order[:cut]), table.take(order[cut:])


def _frame(table: CodedTable) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(dict(table.codes))


def _record(
    cell: Cell, part: Part, context: Mapping[str, Any], *, peers_folder: Path, folder: Path
) -> Record:
    """Run one cell; whatever goes wrong in it becomes part of the record."""
    record: Record = {
        "format": records.FORMAT,
        "key": cell.key,
        "suite": cell.suite,
        "dataset": cell.dataset.name,
        **part.size,
        "synthesizer": cell.contender.label,
        "name": cell.contender.name,
        "peer": cell.contender.peer,
        "settings": dict(cell.contender.settings),
        "epsilon": cell.epsilon,
        "delta": cell.delta,
        "seed": None if cell.fresh else cell.seed,
        "run": cell.seed,
        "protocol": cell.protocol,
        "status": OK,
        "failure": None,
    }
    try:
        measured = run_process(cell, part, peers_folder=peers_folder, folder=folder)
        record |= {name: _rounded(value) for name, value in measured.items()}
        record |= {name: _rounded(value) for name, value in _scores(part, folder).items()}
    except RunFailedError as failure:
        record |= {"status": FAILED, "failure": str(failure)}
    except (DpsynthError, ValueError, KeyError, OSError, ImportError) as error:
        text = readable(f"scoring: {type(error).__name__}: {error}")
        record |= {"status": FAILED, "failure": text}
    return record | dict(context)


def _scores(part: Part, folder: Path) -> dict[str, float]:
    import pandas as pd

    made = pd.read_parquet(folder / OUT)
    if not len(made):
        raise RunFailedError("the synthetic table has no row")
    return {"rows_drawn": len(made), **part.score(made)}


def _coded_scores(
    fitted: CodedTable, heldout: CodedTable | None, protocol: str, made: "pd.DataFrame"
) -> dict[str, float]:
    missing = sorted(set(fitted.sizes) - set(made.columns))
    if missing:
        raise RunFailedError(f"the synthetic table has no column {missing[0]!r}")
    synthetic, sizes, outside = inside_domain(made, fitted.sizes)
    scores: dict[str, float] = {"rows_outside": outside}
    scores |= metrics.distances(fitted.codes, synthetic, sizes)
    if protocol == "half" and heldout is not None:
        apart = metrics.distances(heldout.codes, synthetic, sizes)
        scores |= {f"heldout_{name}": value for name, value in apart.items()}
    if protocol == "target" and heldout is not None:
        scores["auc"] = metrics.target_auc(synthetic, heldout)
    return scores


def _raw_scores(yard: "Yardstick", made: "pd.DataFrame") -> dict[str, float]:
    return yard.distances(made) | yard.areas(made)


def inside_domain(
    made: "pd.DataFrame", sizes: Mapping[str, int]
) -> tuple[dict[str, Any], dict[str, int], int]:
    """Return codes, sizes and how many rows leave the domain.

    A cell that is no code of its column gets one more, which the real table does not have, so
    that it counts as an error.
    """
    codes, widened = {}, dict(sizes)
    strays = np.zeros(len(made), dtype=bool)
    for name, size in sizes.items():
        held = made[name].astype("Float64").to_numpy(dtype=np.float64, na_value=-1)
        stray = ~((held >= 0) & (held < size) & (held == np.floor(held)))
        if stray.any():
            held = np.where(stray, size, held)
            widened[name] = size + 1
            strays |= stray
        codes[name] = held.astype(np.min_scalar_type(size))
    return codes, widened, int(strays.sum())


def _rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value
