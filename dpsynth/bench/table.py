"""Results for readers: a Markdown table, and plots as SVG that are the same on every run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor, log10, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dpsynth.bench.records import METRICS, OK, Record
from dpsynth.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FLOOR = "resample"
_COLORS = ("#1b6ca8", "#c8553d", "#3a7d44", "#8d5fa8", "#b58b00", "#4f5d75", "#d1495b", "#2a9d8f")
_MARKS = "osD^vP<>"


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
    ranked = sorted(found, key=lambda p: (tables.index(p[0]), _budget(p[1]), order.index(p[2])))
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


def _budget(epsilon: str | None) -> Fraction:
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


def plots(
    records: Sequence[Record], folder: Path, *, metric: str = "tvd2", prefix: str = ""
) -> list[Path]:
    """Write, for every table, error against epsilon and error against CPU seconds as SVG.

    Args:
        records: of runs; failed ones are left out.
        folder: where to; files of the same name are replaced.
        metric: a name in ``METRICS``.
        prefix: of every file name.

    Raises:
        UsageError: no record has the metric.
    """
    if metric not in METRICS:
        raise UsageError(f"no metric is called {metric!r}; there are: {', '.join(METRICS)}")
    made = [group for group in groups(records) if metric in group.means]
    if not made:
        raise UsageError(f"no result has {metric}")
    written = []
    for dataset in dict.fromkeys(group.dataset for group in made):
        here = [group for group in made if group.dataset == dataset]
        for kind, draw in (("epsilon", _against_epsilon), ("cpu", _against_cpu)):
            path = folder / f"{prefix}{dataset}-{metric}-{kind}.svg"
            _write(path, here, metric, draw)
            written.append(path)
    return written


def _write(path: Path, here: Sequence[Group], metric: str, draw: Any) -> None:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # Identifiers from a fixed salt, no date, and text as text: the same bytes for the same numbers.
    with mpl.rc_context({"svg.hashsalt": path.stem, "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(5.6, 3.6), layout="constrained")
        axes = figure.add_subplot()
        draw(axes, here, metric)
        axes.set_title(here[0].dataset, loc="left")
        axes.set_ylabel(f"{metric} ({METRICS[metric].unit})")
        axes.grid(visible=True, which="major", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(path, format="svg", metadata=nothing)


def _against_epsilon(axes: "Axes", here: Sequence[Group], metric: str) -> None:
    floor = [group for group in here if group.epsilon is None]
    for place, (label, runs) in enumerate(_series(here)):
        axes.errorbar(
            [float(Fraction(group.epsilon or "1")) for group in runs],
            [group.means[metric] for group in runs],
            yerr=[_error(group, metric) for group in runs],
            label=label,
            color=_COLORS[place % len(_COLORS)],
            marker=_MARKS[place % len(_MARKS)],
            markersize=4,
            linewidth=1.2,
            capsize=2,
        )
    for group in floor:
        axes.axhline(
            group.means[metric],
            color="#777777",
            linestyle=":",
            label=f"{group.synthesizer}, not private",
        )
    budgets = sorted({_budget(group.epsilon) for group in here if group.epsilon is not None})
    axes.set_xscale("log")
    axes.set_xticks([float(budget) for budget in budgets], [f"{float(b):g}" for b in budgets])
    axes.minorticks_off()
    axes.set_xlabel("epsilon")
    axes.set_ylim(bottom=0)


def _against_cpu(axes: "Axes", here: Sequence[Group], metric: str) -> None:
    budgeted = [group for group in here if group.epsilon is not None]
    several = len({group.epsilon for group in budgeted}) > 1
    decades = [log10(max(group.means["cpu_seconds"], 0.001)) for group in budgeted]
    for place, (label, runs) in enumerate(_series(here)):
        axes.plot(
            [group.means["cpu_seconds"] for group in runs],
            [group.means[metric] for group in runs],
            label=label,
            color=_COLORS[place % len(_COLORS)],
            marker=_MARKS[place % len(_MARKS)],
            markersize=5,
            linestyle="none",
        )
        for group in runs if several else ():
            axes.annotate(
                f"ε {group.epsilon}",
                (group.means["cpu_seconds"], group.means[metric]),
                xytext=(5, 3),
                textcoords="offset points",
                fontsize=7,
                color="#555555",
            )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    if decades:  # whole decades, so that there are at least two numbers on the axis
        axes.set_xlim(10 ** floor(min(decades)), 10 ** (floor(max(decades)) + 1))
    axes.set_xlabel("CPU seconds of accounting, plan, fit and sample")
    axes.set_ylim(bottom=0)


def _series(here: Sequence[Group]) -> Iterator[tuple[str, list[Group]]]:
    """Yield the groups of each synthesizer that has a budget, in order of appearance."""
    for label in dict.fromkeys(group.synthesizer for group in here if group.epsilon is not None):
        yield label, [group for group in here if group.synthesizer == label]


def _error(group: Group, metric: str) -> float:
    """Return one standard error of the mean."""
    return group.spreads[metric] / sqrt(max(group.runs - 1, 1))
