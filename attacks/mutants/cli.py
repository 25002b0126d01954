"""The command ``dpsynth mutants``: planted bugs, and which audit finds which."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dpsynth.cli import console

if TYPE_CHECKING:
    from attacks.mutants.report import Row, ZooReport
    from attacks.mutants.tiers import Scope

DONE, FAIL = 0, 1
_HEAD = 4  # letters of an audit's name above its column
KILLED, FOUND, MISSED, NOTHING, NOT_RUN = "K", "x", "!", "-", ""


class Tier(StrEnum):
    """How much of the zoo is run."""

    smoke = "smoke"
    standard = "standard"
    full = "full"


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("mutants")(mutants)


def mutants(
    tier: Annotated[
        Tier,
        typer.Option(
            "--tier",
            help="smoke: a minute, one of every kind, each with the audit that must find it; "
            "standard: ten minutes, all mutants, and most audits; full: an hour, everything, and "
            "the study of false alarms.",
        ),
    ] = Tier.smoke,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="NAME",
            help="Run this mutant or correct mechanism alone, with all audits. Repeatable.",
        ),
    ] = None,
    planted: Annotated[
        Path | None,
        typer.Option(
            "--planted",
            metavar="FILE",
            help="Run the mutants of this Python file, which is executed, and nothing else.",
        ),
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="Print what the zoo holds, and run nothing.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", metavar="NUMBER", min=1, help="Processes at a time; else one a core."
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON on standard output.")
    ] = False,
) -> None:
    """Plant known privacy bugs in a copy of the code, and count which the audits find.

    Exit 1 if less than 95 % of the mutants are killed, each by the audit that must find it naming
    the component that is broken; or if correct mechanisms raise more alarms than would happen by
    chance in one of a hundred runs, where every audit keeps its stated level. An audit that ends
    with an error kills nothing, and is an alarm where the mechanism is correct. Nothing but made-up
    rows is read.
    """
    if listed:
        _list(as_json=json)
        return
    from attacks.mutants import runner, tiers

    with console.Steps() as step:
        report = runner.run(
            tiers.Tier(tier.value),
            scope=_scope(tier, only=only or [], planted=planted),
            planted=planted,
            jobs=jobs,
            progress=step,
        )
    console.emit(report.to_dict(), as_json=json, text=lambda: _text(report))
    raise typer.Exit(DONE if report.passed else FAIL)


def _scope(tier: Tier, *, only: list[str], planted: Path | None) -> "Scope":
    """Return what is run: all of a tier, or what was named."""
    from attacks.conformance.audits import AUDITS
    from attacks.mutants import catalogue, tiers
    from attacks.mutants.base import Control, Mutant
    from attacks.mutants.planted import read
    from dpsynth.errors import UsageError

    brought = read(planted) if planted else ()
    for each in brought:
        if each.audit not in AUDITS:
            raise UsageError(
                f"{each.name} names the audit {each.audit}; there are: {', '.join(AUDITS)}"
            )
    chosen = [catalogue.find(name, brought) for name in only] or list(brought)
    if not chosen:
        return tiers.scope_of(tiers.Tier(tier.value))
    named = tiers.scope_of(
        tiers.Tier.full if tier is Tier.full else tiers.Tier.standard,
        mutants=tuple(each for each in chosen if isinstance(each, Mutant)),
        controls=tuple(each for each in chosen if isinstance(each, Control)),
    )
    return replace(named, alone=frozenset())


def _list(*, as_json: bool) -> None:
    from attacks.mutants.catalogue import CONTROLS, MUTANTS

    bugs = [[each.name, each.audit, each.component, each.sentence] for each in MUTANTS]
    right = [[each.name, "", "none", each.sentence] for each in CONTROLS]
    header = ["name", "audit", "component", "sentence"]
    console.emit(
        {
            "mutants": [dict(zip(header, row, strict=True)) for row in bugs],
            "controls": [{"name": row[0], "sentence": row[3]} for row in right],
        },
        as_json=as_json,
        text=lambda: console.table(["name", "audit", "broken", "what"], bugs + right),
    )


def _text(report: "ZooReport") -> str:
    """Write the matrix as a table, and a sentence on each thing that went wrong."""
    from attacks.conformance.audits import AUDITS

    rows = [
        [
            row.mutant,
            *(_mark(row, name) for name in AUDITS),
            row.component if row.killed else "SURVIVED",
            f"{row.seconds:.1f}",
        ]
        for row in report.rows
    ]
    lines = []
    if rows:
        header = ["mutant", *(name[:_HEAD] for name in AUDITS), "named", "s"]
        lines = [console.table(header, rows, right=[len(header) - 1])]
        lines += [
            f"audits: {', '.join(AUDITS)}",
            f"{KILLED} killed by the audit that must find it, {FOUND} found something, {NOTHING} "
            f"found nothing, {MISSED} should have found it; s: seconds of the processor, of the "
            "audit that must find it",
        ]
    lines += [
        f"{row.mutant}: the audit {name} could not be run: {said}"
        for row in report.rows
        for name, said in row.errors.items()
        if not row.killed
    ]
    lines += [
        f"ALARM  {each.control}, seed {each.seed}, audit {each.audit}: {each.sentence}"
        for each in report.alarms
    ]
    if report.skipped:
        lines.append(f"left out, since they need torch: {', '.join(report.skipped)}")
    if report.rows:
        lines.append(
            f"{report.killed} of {len(report.rows)} mutants killed by the right audit "
            f"({100 * report.kill_rate:.1f} %)"
        )
    if report.correct_runs:
        lines.append(
            f"{report.false_alarms} alarms in {report.correct_runs} runs of {len(report.seeds)} "
            f"correct mechanisms; {report.false_alarms_allowed} could be chance"
        )
    return "\n".join(lines)


def _mark(row: "Row", audit: str) -> str:
    if audit == row.audit:
        return KILLED if row.killed else MISSED
    if audit not in row.took:
        return NOT_RUN
    return FOUND if audit in row.killers else NOTHING
