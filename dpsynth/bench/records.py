"""Results on disk: one JSON object a line, one line a run, only ever appended."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpsynth.errors import IntegrityError, UsageError

FORMAT = "dpsynth-bench/1"
OK, FAILED = "ok", "failed"

Record = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A number of a record.

    Attributes:
        meaning: in a few words.
        unit: of the number.
        lower_is_better: its direction.
        digits: decimals in a table.
    """

    meaning: str
    unit: str
    lower_is_better: bool = True
    digits: int = 4


_DISTANCE = "mean total variation distance over"
_OTHER_HALF = "the same, to the persons who were held out"
METRICS = {
    "tvd1": Metric(meaning=f"{_DISTANCE} all columns", unit="fraction"),
    "tvd2": Metric(meaning=f"{_DISTANCE} all pairs", unit="fraction"),
    "tvd3": Metric(meaning=f"{_DISTANCE} all triples, or 1,000 of them", unit="fraction"),
    "heldout_tvd1": Metric(meaning=_OTHER_HALF, unit="fraction"),
    "heldout_tvd2": Metric(meaning=_OTHER_HALF, unit="fraction"),
    "heldout_tvd3": Metric(meaning=_OTHER_HALF, unit="fraction"),
    "auc": Metric(
        meaning="trained on synthetic, tested on real rows", unit="fraction", lower_is_better=False
    ),
    "auc_logistic": Metric(
        meaning="the same, of a logistic regression", unit="fraction", lower_is_better=False
    ),
    "cpu_seconds": Metric(meaning="accounting, plan, fit and sample", unit="s", digits=2),
    "fit_cpu_seconds": Metric(meaning="of these, all but sample", unit="s", digits=2),
    "sample_cpu_seconds": Metric(meaning="of these, sample", unit="s", digits=2),
    "wall_seconds": Metric(meaning="the same, on the clock", unit="s", digits=2),
    "process_cpu_seconds": Metric(meaning="with imports and reading", unit="s", digits=2),
    "peak_mib": Metric(meaning="peak memory of the process", unit="MiB", digits=0),
}


def metric_called(name: str) -> Metric:
    """Return the metric of this name.

    Raises:
        UsageError: there is none.
    """
    if name not in METRICS:
        raise UsageError(f"no metric is called {name!r}; there are: {', '.join(METRICS)}")
    return METRICS[name]


def read(paths: Iterable[Path]) -> list[Record]:
    """Return the latest record of every run, in the order in which the runs first appear.

    A line that a crash left unfinished at the end of a file is passed over.

    Raises:
        UsageError: a file cannot be read.
        IntegrityError: a line is not a record.
    """
    latest: dict[str, Record] = {}
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from error
        for number, line in enumerate(text.split("\n")[:-1], start=1):
            record = _parsed(line)
            if record is None:
                raise IntegrityError(f"{path}, line {number}, is not a record of {FORMAT}")
            latest[record["key"]] = record
    return list(latest.values())


def append(path: Path, record: Mapping[str, Any]) -> None:
    """Add one line, on disk when this returns."""
    line = json.dumps(record, ensure_ascii=False, allow_nan=False)
    with path.open("a", encoding="utf-8") as out:
        out.write(line + "\n")
        out.flush()
        os.fsync(out.fileno())


def drop_unfinished_line(path: Path) -> None:
    """Remove what a crash left of a line at the end of a file: the next one must stand alone."""
    if not path.exists():
        return
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole != len(data):
        os.truncate(path, whole)


def _parsed(line: str) -> Record | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        return None
    return record if isinstance(record.get("key"), str) else None
