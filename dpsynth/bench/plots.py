"""Plots as SVG: error against epsilon and CPU, cost against size; equal numbers, equal bytes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import partial
from math import floor, log10, sqrt
from pathlib import Path
from typing import TYPE_CHECKING

from dpsynth.bench.growth import Axis, Point, points
from dpsynth.bench.records import METRICS, Record, metric_called
from dpsynth.bench.table import FLOOR, Group, budget, groups
from dpsynth.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLORS = ("#1b6ca8", "#c8553d", "#3a7d44", "#8d5fa8", "#b58b00", "#4f5d75", "#d1495b", "#2a9d8f")
_MARKS = "osD^vP<>"
_COSTS = {"cpu_seconds": "cpu", "peak_mib": "mib"}


def error_plots(
    records: Sequence[Record], folder: Path, *, metric: str = "tvd2", prefix: str = ""
) -> list[Path]:
    """Write, for every table, error against epsilon and error against CPU seconds as SVG.

    Args:
        records: of runs; failed ones are left out.
        folder: where to; files of the same name are replaced.
        metric: a name in ``METRICS``.
        prefix: of every file name.

    Returns:
        The files. Where a table has one budget alone, there is none against epsilon.

    Raises:
        UsageError: no record has the metric.
    """
    metric_called(metric)
    made = [group for group in groups(records) if metric in group.means]
    if not made:
        raise UsageError(f"no result has {metric}")
    written = []
    for dataset in dict.fromkeys(group.dataset for group in made):
        here = [group for group in made if group.dataset == dataset]
        budgets = {group.epsilon for group in here if group.epsilon is not None}
        label = f"{metric} ({METRICS[metric].unit})"
        for kind, draw in (("epsilon", _against_epsilon), ("cpu", _against_cpu)):
            if kind == "cpu" or len(budgets) > 1:
                path = folder / f"{prefix}{dataset}-{metric}-{kind}.svg"
                _write(path, partial(draw, here=here, metric=metric), title=dataset, label=label)
                written.append(path)
    return written


def growth_plots(
    records: Sequence[Record], folder: Path, axis: Axis, *, prefix: str = ""
) -> list[Path]:
    """Write CPU seconds and memory against one size of the work as SVG.

    Args:
        records: of runs; failed ones are left out.
        folder: where to; files of the same name are replaced.
        axis: the size.
        prefix: of every file name.
    """
    found = points(records, axis)
    written = []
    for metric, kind in _COSTS.items():
        path = folder / f"{prefix}{kind}.svg"
        draw = partial(_against_size, here=found, metric=metric, axis=axis)
        label = f"{METRICS[metric].meaning} ({METRICS[metric].unit})"
        _write(path, draw, title=None, label=label)
        written.append(path)
    return written


def learning_curves(
    path: Path, curves: Mapping[str, Sequence[tuple[int, float, float, float]]], *, label: str
) -> None:
    """Write curves over numbers of rows as SVG.

    Args:
        path: the file; replaced where there is one.
        curves: by name, rows, mean and the two ends of an interval.
        label: what is measured.
    """
    _write(path, partial(_over_rows, curves=curves), title=None, label=label)


def _over_rows(
    axes: "Axes", curves: Mapping[str, Sequence[tuple[int, float, float, float]]]
) -> None:
    for place, (name, found) in enumerate(curves.items()):
        color = _COLORS[place % len(_COLORS)]
        sizes = [point[0] for point in found]
        axes.plot(
            sizes,
            [point[1] for point in found],
            label=name,
            color=color if place < len(_COLORS) else "#222222",
            marker=_MARKS[place % len(_MARKS)],
            markersize=3.5,
            linewidth=1.2,
        )
        if place == 0:  # one band, or none could be read
            ends = [point[2] for point in found], [point[3] for point in found]
            axes.fill_between(sizes, *ends, color=color, alpha=0.15, linewidth=0)
    axes.set_xscale("log")
    every = sorted({point[0] for found in curves.values() for point in found})
    axes.set_xticks(every, [f"{size:,}" for size in every])
    axes.minorticks_off()
    axes.set_xlabel("real rows")


def _write(path: Path, draw: Callable[["Axes"], None], *, title: str | None, label: str) -> None:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # Identifiers from a fixed salt, no date, and text as text: the same bytes for the same numbers.
    with mpl.rc_context({"svg.hashsalt": path.stem, "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(5.6, 3.6), layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        if title is not None:
            axes.set_title(title, loc="left")
        axes.set_ylabel(label)
        axes.grid(visible=True, which="major", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(path, format="svg", metadata=nothing)


def _against_size(axes: "Axes", here: Sequence[Point], metric: str, axis: Axis) -> None:
    for place, label in enumerate(dict.fromkeys(point.synthesizer for point in here)):
        mine = [point for point in here if point.synthesizer == label and metric in point.means]
        axes.plot(
            [point.size for point in mine],
            [point.means[metric] for point in mine],
            label="none: reading and writing" if label == FLOOR else label,
            color=_COLORS[place % len(_COLORS)],
            marker=_MARKS[place % len(_MARKS)],
            markersize=4,
            linewidth=1.2,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    sizes = sorted({point.size for point in here})
    axes.set_xticks(sizes, [f"{size:,.10g}" for size in sizes])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlabel(axis.meaning)


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
    budgets = sorted({budget(group.epsilon) for group in here if group.epsilon is not None})
    axes.set_xscale("log")
    axes.set_xticks([float(budget) for budget in budgets], [f"{float(b):g}" for b in budgets])
    axes.minorticks_off()
    axes.set_xlabel("epsilon")
    if METRICS[metric].lower_is_better:
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
    if METRICS[metric].lower_is_better:
        axes.set_ylim(bottom=0)


def _series(here: Sequence[Group]) -> Iterator[tuple[str, list[Group]]]:
    """Yield the groups of each synthesizer that has a budget, in order of appearance."""
    for label in dict.fromkeys(group.synthesizer for group in here if group.epsilon is not None):
        yield label, [group for group in here if group.synthesizer == label]


def _error(group: Group, metric: str) -> float:
    """Return one standard error of the mean."""
    return group.spreads[metric] / sqrt(max(group.runs - 1, 1))
