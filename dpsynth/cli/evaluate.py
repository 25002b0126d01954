"""``dpsynth evaluate``: how useful a synthetic table is; internal, whatever it finds."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, cast

import typer

from dpsynth.cli import console
from dpsynth.cli.options import (
    Json,
    LookLedger,
    NewFolder,
    PositiveValues,
    SchemaFile,
    TaskColumn,
)
from dpsynth.errors import UsageError

if TYPE_CHECKING:
    from dpsynth.utility.scores import Evaluation, Score

EVALUATION = "evaluation.json"
UNREGISTERED = "this look at real rows is not registered; name the table's --ledger"
INTERNAL = "for the custodian alone: these numbers were computed from real rows"


class Reports(Protocol):
    """The installed gate, as far as commands care that look at real rows."""

    def report_utility(self, evaluation: Mapping[str, Any], directory: Path) -> object:
        """Write report.html into ``directory``."""
        ...


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("evaluate")(evaluate)


def evaluate(
    synthetic: Annotated[
        Path, typer.Option("--synthetic", metavar="FILE", help="The table to judge, of any tool.")
    ],
    real: Annotated[
        Path, typer.Option("--real", metavar="FILE", help="The real rows that it was learnt from.")
    ],
    schema: SchemaFile,
    out: NewFolder,
    holdout: Annotated[
        Path | None,
        typer.Option(
            "--holdout",
            metavar="FILE",
            help="Other real rows, which say how close two real tables are; always needed.",
        ),
    ] = None,
    task: TaskColumn = None,
    positive: PositiveValues = None,
    subgroup: Annotated[
        list[str] | None,
        typer.Option(
            "--subgroup",
            metavar="COLUMN",
            help="Numbers for each group of it, in place of the quasi-identifiers; repeatable.",
        ),
    ] = None,
    survival: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--survival",
            metavar="TIME EVENT",
            help="Columns of the follow-up time and of whether the event happened, if any.",
        ),
    ] = None,
    ledger: LookLedger = None,
    persons: Annotated[
        int | None,
        typer.Option(
            "--persons",
            metavar="N",
            min=1,
            help="Draw so many persons, of both real tables together, by a keyed hash; all if not "
            "given.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of all that is drawn.")] = 0,
    json: Json = False,
) -> None:
    """Measure how close a synthetic table is to real rows and what it is good for.

    Every number stands between a ceiling (other real rows in the place of the synthetic ones) and
    a floor (independent columns). All of it is a function of real rows outside any guarantee: it
    is for the custodian alone, and must not decide whether a release is published.
    """
    if holdout is None:
        raise UsageError(
            "without --holdout no number has a ceiling: give real rows that the synthetic table "
            "was not learnt from, such as one row in five that was set aside before"
        )
    time, event = survival or (None, None)
    console.refuse_existing(out)
    if ledger is None:
        console.warn(UNREGISTERED)

    import dpsynth
    from dpsynth.release import atomic, bundle, canonical
    from dpsynth.release.pipeline import find_gate

    with console.Steps() as step:
        step("reading the tables")
        declared = dpsynth.Schema.read(schema)
        declared.require_closed()
        suspect = dpsynth.open_rows(synthetic, declared, persons=False)
        inside, outside = (dpsynth.open_rows(path, declared) for path in (real, holdout))
        if ledger is not None:
            step("registering the look in the ledger")
            with dpsynth.Ledger.open(ledger) as book:
                book.record_look(subject=synthetic.name, reason="utility evaluation")
        found = dpsynth.evaluate(
            suspect,
            inside,
            outside,
            declared,
            seed=seed,
            target=task,
            positive=positive or (),
            subgroups=subgroup,
            time=time,
            event=event,
            persons=persons,
            progress=step,
        )
        step("writing the internal report")
        document = found.to_dict()
        with atomic.folder(out, mode=bundle.PRIVATE_MODE) as building:
            atomic.write_bytes(building / EVALUATION, canonical.dumps(document), mode=0o600)
            cast("Reports", find_gate()).report_utility(document, building)
    console.emit(
        {**_short(document), "directory": str(out)},
        as_json=json,
        text=lambda: "\n".join([*_text(found), f"{out}/report.html, {INTERNAL}"]),
    )


def _short(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document without what only plots need; that is in the file."""
    sections = [
        {key: held for key, held in section.items() if key != "tables"}
        for section in document["sections"]
    ]
    return {**document, "sections": sections}


def _text(found: "Evaluation") -> list[str]:
    lines = [*found.notes, *([""] if found.notes else [])]
    for section in found.sections:
        rows = [_row(score) for score in section.scores if not score.group]
        if rows:
            header = (section.title, "floor", "value", "95 % interval", "ceiling", "better")
            lines += [console.table(header, rows, right=(1, 2, 3, 4)), ""]
    return lines


def _row(score: "Score") -> tuple[str, ...]:
    between = (
        "" if score.low is None or score.high is None else f"{score.low:.4f} to {score.high:.4f}"
    )
    numbers = (
        "" if value is None else f"{value:.4f}"
        for value in (score.floor, score.value, score.ceiling)
    )
    floor, value, ceiling = numbers
    return (score.name, floor, value, between, ceiling, score.better)
