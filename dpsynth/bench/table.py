"""Results for readers: means over runs as Markdown tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dpsynth.bench.records import METRICS, OK, Record
from dpsynth.errors import UsageError

FLOOR = "resample"


@dataclass(frozen=True, kw_only=True)
class Group:
    """The runs of one synthesizer on one table at one budget.

    Attributes:
        dataset: the table.
        epsilon: the budget, or None for the floor.
        synthesizer: its label.
        runs: how many came to an end.
        failures: how many did not.
        failure: what the first of them said.
        means: mean over runs by metric.
        spreads: standard deviation over runs by metric; of one run 0.
    """

    dataset: str
    epsilon: str | None
    synthesizer: str
    runs: int
    failures: int
    failure: str | None
    means: dict[str, float]
    spreads: dict[str, float]


def groups(records: Sequence[Record]) -> list[Group]:
    """Return means over seeds, by table, then budget, then synthesizer in order of appearance."""
    found: dict[tuple[str, str | None, str], list[Record]] = {}
    for each in records:
        place = (each["dataset"], each["epsilon"], each["synthesizer"])
        found.setdefault(place, []).append(each)
    tables = list(dict.fromkeys(place[0] for place in found))
    order = list(dict.fromkeys(place[2] for place in found))
    ranked = sorted(found, key=lambda p: (tables.index(p[0]), budget(p[1]), order.index(p[2])))
    return [_group(place, found[place]) for place in ranked]


def _group(place: tuple[str, str | None, str], runs: Sequence[Record]) -> Group:
    done = [each for each in runs if each["status"] == OK]
    values = {
        name: np.array([each[name] for each in done if name in each], dtype=np.float64)
        for name in METRICS
    }
    return Group(
        dataset=place[0],
        epsilon=place[1],
        synthesizer=place[2],
        runs=len(done),
        failures=len(runs) - len(done),
        failure=next((each["failure"] for each in runs if each["status"] != OK), None),
        means={name: float(held.mean()) for name, held in values.items() if held.size},
        spreads={name: float(held.std()) for name, held in values.items() if held.size},
    )


def budget(epsilon: str | None) -> Fraction:
    """Return a budget as a number to sort by; the floor, which has none, comes first."""
    return Fraction(-1) if epsilon is None else Fraction(epsilon)


def markdown(records: Sequence[Record]) -> str:
    """Return one table a data set: means over seeds, with the standard deviation of tvd2.

    Raises:
        UsageError: there is no record.
    """
    if not records:
        raise UsageError("there is no result to show")
    made = groups(records)
    shown = [name for name in METRICS if any(name in group.means for group in made)]
    parts = []
    for dataset in dict.fromkeys(group.dataset for group in made):
        of = next(each for each in records if each["dataset"] == dataset)
        parts += [f"### {dataset}, {of['rows']:,} x {of['columns']}", ""]
        parts += _lines(
            ["epsilon", "synthesizer", "runs", *shown],
            [_cells(group, shown) for group in made if group.dataset == dataset],
        )
        parts += ["", _provenance([each for each in records if each["dataset"] == dataset]), ""]
    return "\n".join(parts).rstrip() + "\n"


def _cells(group: Group, shown: Sequence[str]) -> list[str]:
    runs = str(group.runs)
    if group.failures:
        runs += f", {group.failures} failed ({_cell(group.failure or '')})"
    epsilon = "none" if group.epsilon is None else group.epsilon
    return [epsilon, _cell(group.synthesizer), runs, *(_number(group, name) for name in shown)]


def _number(group: Group, name: str) -> str:
    if name not in group.means:
        return ""
    digits = METRICS[name].digits
    text = f"{group.means[name]:,.{digits}f}"
    if name == "tvd2" and group.runs > 1:
        text += f" ± {group.spreads[name]:.{digits}f}"
    return text


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _lines(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    rule = ["---", "---", *("---:" for _ in header[2:])]
    return ["| " + " | ".join(line) + " |" for line in (header, rule, *rows)]


def _provenance(records: Sequence[Record]) -> str:
    """Say in one sentence where the numbers come from."""
    commits = ", ".join(dict.fromkeys(each["commit"] for each in records))
    machines = "; ".join(dict.fromkeys(each["machine"] for each in records))
    budgeted = [each for each in records if each["delta"] is not None]
    deltas = ", ".join(dict.fromkeys(each["delta"] for each in budgeted)) or "none"
    fresh = any(each["seed"] is None for each in records)
    runs = sorted({each["run"] for each in records})
    span = f"{runs[0]} to {runs[-1]}" if len(runs) > 1 else str(runs[0])
    seeds = f"fresh noise, runs {span}" if fresh else f"seeds {span}"
    return f"delta {deltas}; {seeds}; commit {commits}; {machines}."
