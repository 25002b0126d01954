"""Renew the tables and plots of docs/benchmarks from the recorded results, with --write.

Without it, the first page is printed. What is made stands between a line that says so and a line
``<!-- end -->``; FILE is in benchmarks/results/:

    <!-- results: FILE -->                                 means over runs, a table a data set
    <!-- plots: FILE METRIC -->                            error against epsilon and CPU seconds
    <!-- verdicts: FILE CHALLENGER COMPARATORS METRICS -->  never above? lists by commas
    <!-- growth: FILE AXIS -->                             cost by rows, columns, values or epsilon
        with the seeds that a verdict needs at the end, where that is not 10
    <!-- figures: benchmarks/figures.toml -->              what was to be reached, and what was
    <!-- attacks: FILE -->                                 attacks timed beside a peer's
    <!-- audits: FILE -->                                  whole audits, by table and tier
    <!-- classifiers: FILE WHAT -->                        of releases: figures, models or missing,
        or reached:SYNTHESIZER, the share of what real rows give
    <!-- augmentation: FILE STUDY MODEL FIGURE -->         learning curves; without a study, gaps

A data set whose every run failed has no plot.
"""

import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dpsynth.bench import (
    attack_times,
    augmented,
    classifiers,
    compare,
    growth,
    plots,
    records,
    table,
)
from dpsynth.bench.growth import Axis
from dpsynth.errors import UsageError

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs" / "benchmarks").glob("*.md"))
RESULTS = ROOT / "benchmarks" / "results"
KINDS = "results|plots|verdicts|growth|figures|attacks|audits|augmentation|classifiers"
MADE = re.compile(rf"(<!-- ({KINDS}): ([^>]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_BOUNDS = {  # of figures: the sign, and whether it is for each run or for their mean
    "at_most": ("≤", False),
    "at_least": ("≥", False),
    "each_at_least": ("≥", True),
}
NOT_YET = "Not recorded yet.\n"
AGAINST = {"epsilon": "epsilon", "cpu": "CPU seconds"}


def renewed(page: str, folder: Path) -> str:
    """Return the page with what is made as the recorded results are now; draw in a folder."""

    def make(found: re.Match[str]) -> str:
        name, *words = found[3].split()
        if found[2] == "figures":
            listed = tomllib.loads((ROOT / name).read_text(encoding="utf-8"))
            return f"{found[1]}\n{_figures(listed)}\n{found[4]}"
        if not (RESULTS / name).exists():
            return f"{found[1]}\n{NOT_YET}\n{found[4]}"
        if found[2] in ("attacks", "audits"):
            timed = attack_times.read(RESULTS / name)
            shown = attack_times.beside_peer if found[2] == "attacks" else attack_times.audits
            return f"{found[1]}\n{shown(timed)}\n{found[4]}"
        if found[2] == "augmentation":
            return f"{found[1]}\n{_augmentation(RESULTS / name, folder, words)}\n{found[4]}"
        held, prefix = records.read([RESULTS / name]), f"{Path(name).stem}-"
        if found[2] == "results":
            text = table.markdown(held)
        elif found[2] == "plots":
            text = _plots(held, folder, prefix, *words)
        elif found[2] == "verdicts":
            text = _verdicts(held, *words)
        elif found[2] == "classifiers":
            text = _classifiers(held, *words)
        else:
            text = _growth(held, folder, prefix, *words)
        return f"{found[1]}\n{text}\n{found[4]}"

    return MADE.sub(make, page)


def _augmentation(path: Path, folder: Path, words: list[str]) -> str:
    lines = augmented.read(path)
    if not words:
        return augmented.gaps(lines)
    study, model, figure = words
    if not any(line["study"] == study for line in lines):
        return NOT_YET
    drawn = augmented.plot(lines, study, model, figure, folder, prefix=f"{path.stem}-")
    shown = f"![{figure} against real rows, {study}, {model}]({drawn.name})"
    return f"{shown}\n\n{augmented.markdown(lines, study, model, figure)}"


def _plots(held: list[records.Record], folder: Path, prefix: str, metric: str) -> str:
    lines = []
    for path in plots.error_plots(held, folder, metric=metric, prefix=prefix):
        name, _, kind = path.stem.removeprefix(prefix).rsplit("-", 2)
        lines.append(f"![{metric} against {AGAINST[kind]}, {name}]({path.name})\n")
    return "".join(lines)


def _verdicts(
    held: list[records.Record],
    challenger: str,
    comparators: str,
    metrics: str,
    least_pairs: str = str(compare.LEAST_PAIRS),
) -> str:
    try:
        return compare.markdown(
            held,
            challenger=challenger,
            comparators=comparators.split(","),
            metrics=metrics.split(","),
            least_pairs=int(least_pairs),
        )
    except UsageError:  # one of them has no run here
        return NOT_YET


def _classifiers(held: list[records.Record], what: str) -> str:
    if what == "figures":
        return classifiers.figures(held)
    if what == "models":
        return classifiers.models(held)
    if what.startswith("reached:"):
        return classifiers.reached(held, what.partition(":")[2])
    if what != "missing":
        raise UsageError(f"of classifiers there are figures, models, reached and missing: {what!r}")
    path = ROOT / "benchmarks" / "utility" / "classifiers.py"
    spec = importlib.util.spec_from_file_location("classifiers_study", path)
    assert spec is not None, "the study is a Python file"
    assert spec.loader is not None, "the study is a Python file"
    study = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(study)
    listed = (
        (cell.dataset.name, cell.epsilon, cell.contender.label, cell.seed) for cell in study.cells()
    )
    return classifiers.missing(held, listed)


def _growth(held: list[records.Record], folder: Path, prefix: str, axis: str) -> str:
    size = Axis[axis.upper()]
    drawn = plots.growth_plots(held, folder, size, prefix=prefix)
    shown = "".join(f"![{path.stem}]({path.name})\n" for path in drawn)
    return f"{shown}\n{growth.markdown(held, size)}"


def _figures(listed: dict[str, Any]) -> str:
    lines = [["work", "number", "to reach", "measured", "runs", "reached"]]
    lines.append(["---", "---", "---:", "---:", "---:", "---"])
    for each in listed["figures"]:
        work = (each["dataset"], each["epsilon"], each["synthesizer"])
        path = RESULTS / each["results"]
        runs = [
            one
            for one in (records.read([path]) if path.exists() else [])
            if (one["dataset"], one["epsilon"], one["synthesizer"]) == work
        ]
        here = table.groups(runs)[0] if runs else None
        for kind, (sign, of_each) in _BOUNDS.items():
            for metric, wanted in each.get(kind, {}).items():
                name = f"{metric}, of each run" if of_each else metric
                cells = [f"{work[2]}, {work[0]}, epsilon {work[1]}", name, f"{sign} {wanted:g}"]
                if here is None or metric not in here.means:
                    lines.append([*cells, "", "0", "**no**"])
                    continue
                measured = here.means[metric]
                if of_each:
                    measured = min(one[metric] for one in runs if metric in one)
                reached = measured <= wanted if sign == "≤" else measured >= wanted
                cells += [f"{measured:.{records.METRICS[metric].digits}f}", str(here.runs)]
                lines.append([*cells, "yes" if reached and not here.failures else "**no**"])
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def main() -> None:
    """Print, or write."""
    if "--write" not in sys.argv:
        with TemporaryDirectory() as folder:
            sys.stdout.write(renewed(PAGES[0].read_text(encoding="utf-8"), Path(folder)))
        return
    for path in (ROOT / "docs" / "benchmarks").glob("*.svg"):
        path.unlink()
    for path in PAGES:
        path.write_text(renewed(path.read_text(encoding="utf-8"), path.parent), encoding="utf-8")


if __name__ == "__main__":
    main()
