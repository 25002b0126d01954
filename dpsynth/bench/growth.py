"""How cost grows with the size of the work: means of runs that differ in one size alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

import numpy as np

from dpsynth.bench.records import METRICS, OK, Record
from dpsynth.errors import UsageError


class Axis(Enum):
    """A size of the work; the value is what it is called on the axis of a plot."""

    ROWS = "rows"
    COLUMNS = "columns"
    VALUES = "values of each column"
    EPSILON = "epsilon"

    @property
    def meaning(self) -> str:
        """For people."""
        return self.value

    def of(self, record: Record) -> float | None:
        """Return the size of one run; None of a run without a budget, where that is the size."""
        if self is Axis.EPSILON:
            return None if record["epsilon"] is None else float(Fraction(record["epsilon"]))
        if self is Axis.VALUES:
            if "codes" not in record:
                raise UsageError("a result without the number of codes has no place on this axis")
            return float(record["codes"]) / float(record["columns"])
        return float(record[self.name.lower()])


@dataclass(frozen=True, kw_only=True)
class Point:
    """The runs of one synthesizer at one size.

    Attributes:
        synthesizer: its label.
        size: on the axis.
        runs: how many came to an end.
        means: mean over them by metric; empty where none did.
        failure: what the first that did not come to an end said.
    """

    synthesizer: str
    size: float
    runs: int
    means: dict[str, float]
    failure: str | None


def points(records: Sequence[Record], axis: Axis) -> list[Point]:
    """Return means by synthesizer and size, sizes rising."""
    found: dict[tuple[str, float], list[Record]] = {}
    for each in records:
        size = axis.of(each)
        if size is not None:
            found.setdefault((each["synthesizer"], size), []).append(each)
    order = list(dict.fromkeys(label for label, _ in found))
    return [
        _point(label, size, found[label, size])
        for label, size in sorted(found, key=lambda place: (order.index(place[0]), place[1]))
    ]


def _point(label: str, size: float, runs: Sequence[Record]) -> Point:
    done = [each for each in runs if each["status"] == OK]
    return Point(
        synthesizer=label,
        size=size,
        runs=len(done),
        means={
            name: float(np.mean([each[name] for each in done if name in each]))
            for name in METRICS
            if any(name in each for each in done)
        },
        failure=next((each["failure"] for each in runs if each["status"] != OK), None),
    )


_SHOWN = ("cpu_seconds", "peak_mib", "tvd2")


def markdown(records: Sequence[Record], axis: Axis) -> str:
    """Return a table: a line for each size; CPU seconds, MiB and tvd2 of each synthesizer.

    Raises:
        UsageError: there is no record.
    """
    if not records:
        raise UsageError("there is no result to show")
    found = points(records, axis)
    labels = list(dict.fromkeys(point.synthesizer for point in found))
    header = [axis.meaning, *(f"{label}: CPU s, MiB, tvd2" for label in labels)]
    lines = [header, ["---:"] * len(header)]
    for size in sorted({point.size for point in found}):
        cells = {point.synthesizer: _cell(point) for point in found if point.size == size}
        lines.append([f"{size:,.10g}", *(cells.get(label, "") for label in labels)])
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _cell(point: Point) -> str:
    if not point.means:
        return (point.failure or "").replace("|", "\\|")
    return " / ".join(
        f"{point.means[name]:,.{METRICS[name].digits}f}" for name in _SHOWN if name in point.means
    )
