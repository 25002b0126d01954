"""Recorded runs of the augmentation study, as tables and plots for a page."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dpsynth.bench import plots
from dpsynth.utility.augmentation.judging import NEITHER, Comparison, comparisons, points
from dpsynth.utility.augmentation.methods import REAL_ONLY, SMOTE, method_called
from dpsynth.utility.downstream.measures import MEASURES

Line = dict[str, Any]


def read(path: Path) -> list[Line]:
    """Return the lines of a file of results; none where there is no file yet."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def markdown(lines: Sequence[Line], study: str, model: str, figure: str) -> str:
    """Return means by method and size, what they differ by, and how it was made.

    Args:
        lines: of any studies.
        study: the one shown.
        model: the classifier shown.
        figure: the figure of merit shown.
    """
    mine = [line for line in lines if line["study"] == study]
    runs = [run for line in mine for run in line["runs"] if run["model"] == model]
    curves = points(runs, figure=figure)
    sizes = sorted({run["n"] for run in runs})
    rows = [["real rows", *(f"{size:,}" for size in sizes)], ["---", *["---:"] * len(sizes)]]
    for method, found in curves.items():
        cells = {each.n: f"{each.mean:.3f} ± {each.high - each.mean:.3f}" for each in found}
        rows.append([method, *(cells.get(size, "") for size in sizes)])
    parts = [f"{MEASURES[figure].title}, mean ± half of its 95 % interval:", _table(rows)]
    for against in (REAL_ONLY, SMOTE):
        compared = [
            each
            for each in (
                comparisons(runs, figure=figure, against=against) if against in curves else []
            )
            if against == REAL_ONLY or method_called(each.method).needs_release
        ]
        if compared:
            parts += [f"Less **{against}**, with its 95 % interval:", _differences(compared, sizes)]
    return "\n".join([*parts, made(mine), ""])


def plot(
    lines: Sequence[Line], study: str, model: str, figure: str, folder: Path, *, prefix: str
) -> Path:
    """Draw the learning curves of a study as SVG, and return the file."""
    runs = [
        run
        for line in lines
        if line["study"] == study
        for run in line["runs"]
        if run["model"] == model
    ]
    path = folder / f"{prefix}{study}-{model}-{figure}.svg"
    curves = {
        method: [(each.n, each.mean, each.low, each.high) for each in found]
        for method, found in points(runs, figure=figure).items()
    }
    plots.learning_curves(path, curves, label=MEASURES[figure].title)
    return path


def gaps(lines: Sequence[Line]) -> str:
    """Return how far validation on synthetic and on real rows is apart, a row a study."""
    head = ["study", "real rows", "loss on synthetic", "loss on real", "gap", "found", "rounds"]
    rows = [head, ["---", "---:", "---:", "---:", "---:", "---:", "---:"]]
    for study in dict.fromkeys(line["study"] for line in lines):
        held = [line["gap"] for line in lines if line["study"] == study]
        means = {
            name: sum(each[name] for each in held) / len(held) for name in ("synthetic", "real")
        }
        kept = sum(each["pretrained"] for each in held) / len(held)
        rows.append(
            [
                study,
                f"{held[0]['n']:,}",
                f"{means['synthetic']:.3f}",
                f"{means['real']:.3f}",
                f"{means['real'] - means['synthetic']:+.3f}",
                f"{sum(each['found'] for each in held)} of {len(held)}",
                f"{kept:.0f}",
            ]
        )
    return f"{_table(rows)}\n{made(lines)}\n"


def made(lines: Sequence[Line]) -> str:
    """Say how results were made."""
    seeds = sorted({line["seed"] for line in lines})
    last = lines[-1]
    said = [
        f"{last['synthesizer']}, delta {last['delta']}",
        f"epsilon {', '.join(dict.fromkeys(line['epsilon'] for line in lines))}",
        f"seeds {seeds[0]} to {seeds[-1]}",
        f"{sum(line['cpu_seconds'] for line in lines):,.0f} CPU s with all classifiers",
        f"commit {', '.join(sorted({line['commit'] for line in lines}))}",
        ", ".join(f"{name} {held}" for name, held in last["versions"].items()),
        str(last["machine"]),
    ]
    return "; ".join(said) + ".\n"


def _differences(compared: Sequence[Comparison], sizes: Sequence[int]) -> str:
    rows = [["real rows", *(f"{size:,}" for size in sizes)], ["---", *["---:"] * len(sizes)]]
    for method in dict.fromkeys(each.method for each in compared):
        cells = {each.n: _cell(each) for each in compared if each.method == method}
        rows.append([method, *(cells.get(size, "") for size in sizes)])
    return _table(rows)


def _cell(each: Comparison) -> str:
    verdict = "" if each.verdict == NEITHER else f" **{each.verdict}**"
    return f"{each.low:+.3f} to {each.high:+.3f}{verdict}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    return "\n" + "".join("| " + " | ".join(row) + " |\n" for row in rows)
