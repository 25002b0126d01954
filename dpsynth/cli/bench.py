"""``dpsynth bench``: compare synthesizers on public tables. For research; not part of a release."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dpsynth.cli import console
from dpsynth.cli.exits import Exit
from dpsynth.cli.options import Json
from dpsynth.errors import UsageError

if TYPE_CHECKING:
    from dpsynth.bench.measure import Step

PeersFolder = Annotated[
    Path, typer.Option("--peers", metavar="DIR", help="Where bench peers install put the peers.")
]
Results = Annotated[
    list[Path], typer.Argument(metavar="RESULTS...", help="Files that bench run wrote.")
]
MetricName = Annotated[
    str, typer.Option("--metric", metavar="NAME", help="A number of the results, such as tvd2.")
]


def register(app: typer.Typer) -> None:
    """Add the group to the program."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Compare synthesizers on public tables, outside any guarantee: for research only.",
    )
    group.command("run")(run)
    group.command("compare")(compare)
    group.command("table")(table)
    peers = typer.Typer(
        no_args_is_help=True, help="Other people's synthesizers, in environments of their own."
    )
    peers.command("install")(peers_install)
    peers.command("list")(peers_list)
    group.add_typer(peers, name="peers")
    app.add_typer(group, name="bench")


def run(
    suite: Annotated[Path, typer.Argument(metavar="SUITE", help="A grid of runs: .toml.")],
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="FILE", help="Results, a line a run; appended to where it exists."
        ),
    ] = Path("results.jsonl"),
    peers: PeersFolder = Path("bench-peers"),
    retry: Annotated[bool, typer.Option("--retry", help="Run failed cells again.")] = False,
    json: Json = False,
) -> None:
    """Run what is not finished yet of a grid: table x synthesizer x epsilon x seed.

    Real rows are read outside every guarantee, so use public tables. A run that fails is a line
    that says so; the others go on.
    """
    from dpsynth.bench.measure import run as run_suite
    from dpsynth.bench.suite_file import read_suite
    from dpsynth.bench.table import markdown

    if not out.absolute().parent.is_dir():
        raise UsageError(f"--out {out} cannot be made, because its folder does not exist")
    read = read_suite(suite)
    with _progress() as progress:
        outcome = run_suite(read, results=out, peers_folder=peers, retry=retry, progress=progress)
    for record in outcome.failed:
        at = "" if record["epsilon"] is None else f" at epsilon {record['epsilon']}"
        console.warn(
            f"{record['synthesizer']} on {record['dataset']}{at}, run {record['run']}: "
            f"{record['failure']}"
        )
    console.emit(
        {
            "results": str(out),
            "cells": len(outcome.records),
            "ran": outcome.ran,
            "failed": len(outcome.failed),
            "records": outcome.records,
        },
        as_json=json,
        text=lambda: markdown(outcome.records),
    )


def compare(
    results: Results,
    challenger: Annotated[
        str, typer.Option("--challenger", metavar="NAME", help="The synthesizer on trial.")
    ],
    comparators: Annotated[
        list[str],
        typer.Option(
            "--comparator",
            metavar="NAME",
            help="The one that it must not be worse than; of several, the best at each budget.",
        ),
    ],
    metric: MetricName = "tvd2",
    tolerance: Annotated[
        float,
        typer.Option(
            "--tolerance",
            metavar="SHARE",
            help="Of the comparator's mean, that the interval may reach.",
        ),
    ] = 0.02,
    least_seeds: Annotated[
        int, typer.Option("--least-seeds", metavar="N", help="Seeds that a verdict needs.")
    ] = 10,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 unless it is shown to be no worse everywhere.")
    ] = False,
    json: Json = False,
) -> None:
    """Hold one synthesizer against another, seed by seed, with a 95 % interval.

    "never above" means: the upper end of the interval of the difference is at most the tolerance
    times the comparator's mean, over enough seeds.
    """
    from dpsynth.bench import compare as comparing
    from dpsynth.bench.records import metric_called, read

    if not 0 <= tolerance < 1:
        raise UsageError("--tolerance must be a share from 0 to below 1, such as 0.02")
    if least_seeds < 2:
        raise UsageError("--least-seeds must be at least 2")
    found = comparing.compare(
        read(results),
        challenger=challenger,
        comparators=comparators,
        metric=metric,
        tolerance=tolerance,
        least_pairs=least_seeds,
    )
    digits = metric_called(metric).digits + 1

    def number(value: float | None) -> str:
        return "" if value is None else f"{value:.{digits}f}"

    def text() -> str:
        header = ["table", "epsilon", "seeds", challenger, "against", "its mean", "difference"]
        rows = [
            [
                each.dataset,
                each.epsilon or "none",
                str(each.pairs),
                number(each.challenger),
                each.against,
                number(each.comparator),
                f"{each.difference:+.{digits}f}",
                f"{number(each.low)} to {number(each.high)}",
                each.verdict,
            ]
            for each in found
        ]
        return console.table([*header, "95 % interval", "verdict"], rows, right=(1, 2, 3, 5, 6))

    console.emit(
        {
            "challenger": challenger,
            "comparators": comparators,
            "metric": metric,
            "tolerance": tolerance,
            "least_seeds": least_seeds,
            "holds": all(each.holds for each in found),
            "comparisons": [asdict(each) for each in found],
        },
        as_json=json,
        text=text,
    )
    failed = strict and not all(each.holds for each in found)
    raise typer.Exit(Exit.GATE_FAILED if failed else Exit.DONE)


def table(
    results: Results,
    plots: Annotated[
        Path | None,
        typer.Option(
            "--plots",
            metavar="DIR",
            help="Also draw error against epsilon and against CPU seconds there, as SVG.",
        ),
    ] = None,
    metric: MetricName = "tvd2",
    json: Json = False,
) -> None:
    """Print means over seeds as a Markdown table, a table a data set; draw plots on request.

    Plots of the same name are replaced, and have the same bytes for the same numbers.
    """
    from dpsynth.bench import table as tables
    from dpsynth.bench.plots import error_plots
    from dpsynth.bench.records import metric_called, read

    metric_called(metric)
    records = read(results)
    text = tables.markdown(records)
    drawn = []
    if plots is not None:
        plots.mkdir(parents=True, exist_ok=True)
        drawn = error_plots(records, plots, metric=metric)
    console.emit(
        {
            "groups": [asdict(group) for group in tables.groups(records)],
            "plots": [str(path) for path in drawn],
        },
        as_json=json,
        text=lambda: text,
    )


def peers_install(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A peer, as bench peers list says.")],
    into: Annotated[
        Path, typer.Option("--into", metavar="DIR", help="Its environment goes to DIR/NAME.")
    ] = Path("bench-peers"),
    json: Json = False,
) -> None:
    """Install a peer, with all versions pinned, in an environment of its own."""
    from dpsynth.bench import peers

    with console.Steps() as steps:
        made = peers.install(name, folder=into, progress=steps)
    console.emit(
        {"peer": name, "environment": str(made)},
        as_json=json,
        text=lambda: f"{name} is installed in {made}.",
    )


def peers_list(
    into: Annotated[
        Path, typer.Option("--into", metavar="DIR", help="Where peers were installed.")
    ] = Path("bench-peers"),
    json: Json = False,
) -> None:
    """List the peers, what each can synthesize with, and which are installed."""
    from dpsynth.bench import peers

    there = peers.installed(into)
    rows = [
        [
            peer.name,
            ", ".join(peer.synthesizers),
            ", ".join(peer.attacks),
            ", ".join(peer.measures),
            peer.license,
            "yes" if there[name] else "no",
        ]
        for name, peer in peers.PEERS.items()
    ]
    console.emit(
        {
            "peers": [
                {
                    "name": peer.name,
                    "synthesizers": list(peer.synthesizers),
                    "attacks": list(peer.attacks),
                    "measures": list(peer.measures),
                    "license": peer.license,
                    "installed": there[name],
                }
                for name, peer in peers.PEERS.items()
            ]
        },
        as_json=json,
        text=lambda: console.table(
            ["peer", "synthesizers", "attacks", "measures", "license", "installed"], rows
        ),
    )


@contextmanager
def _progress() -> Iterator[Callable[["Step"], None]]:
    """Show how far a suite has come: a bar on a terminal, a line a run elsewhere."""
    if not sys.stderr.isatty():
        yield _line
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task("", total=None)

        def show(step: "Step") -> None:
            bar.update(task, completed=step.done, total=step.total, description=_words(step))

        yield show


def _line(step: "Step") -> None:
    if step.cell is not None:
        console.note(f"... {step.done + 1} of {step.total}: {_words(step)}")


def _words(step: "Step") -> str:
    if step.cell is None:
        return "done"
    cell = step.cell
    at = "" if cell.epsilon is None else f", epsilon {cell.epsilon}"
    return f"{cell.dataset.name}, {cell.contender.label}{at}, run {cell.seed}"
