"""``dpsynth replicate``: named analyses on several synthetic copies, with intervals that hold."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dpsynth.cli import console
from dpsynth.cli.evaluate import UNREGISTERED
from dpsynth.cli.options import Json, LookLedger
from dpsynth.cli.sample import model_folder
from dpsynth.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema
    from dpsynth.synthesizers.copies import Copies
    from dpsynth.synthesizers.fitted import FittedModel
    from dpsynth.utility.replication.coverage import Coverage
    from dpsynth.utility.scores import Section

FORMAT = "dpsynth-replication/1"
RESULT = "replication.json"
_COPIES = 40
_FEWEST_WORLDS = 50
_SHOWN = ("analysis", "coefficient", "estimate", "low", "high", "measured", "overlap")


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("replicate")(replicate)


def replicate(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="RELEASE|TABLE...", help="A release or fitted model, or two synthetic tables."
        ),
    ],
    analyses: Annotated[
        Path, typer.Option("--analyses", metavar="FILE", help="Named analyses: .toml or .json.")
    ],
    copies: Annotated[
        int | None,
        typer.Option("--copies", metavar="M", min=2, help="Drawn from a release; 40 if not given."),
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option("--rows", metavar="N", min=1, help="Of each copy; else the noisy total."),
    ] = None,
    interactions: Annotated[
        int,
        typer.Option(
            "--interactions", metavar="K", min=1, help="Relations of at most K columns are kept."
        ),
    ] = 2,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="S", min=0, help="Same seed, same copies.")
    ] = None,
    worlds: Annotated[
        int | None,
        typer.Option(
            "--worlds",
            metavar="N",
            min=1,
            help="Simulate the coverage of intervals in N worlds drawn from the release; public.",
        ),
    ] = None,
    rule: Annotated[
        str, typer.Option("--rule", metavar="RULE", help="For tables: fully or partially.")
    ] = "fully",
    real: Annotated[
        Path | None,
        typer.Option("--real", metavar="FILE", help="The private table: the result is internal."),
    ] = None,
    holdout: Annotated[
        Path | None,
        typer.Option("--holdout", metavar="FILE", help="Other real rows, for the ceiling."),
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option("--schema", metavar="FILE", help="Declared columns, where tables are given."),
    ] = None,
    ledger: LookLedger = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="A new folder for the result and the data dictionary."
        ),
    ] = None,
    keep_copies: Annotated[
        bool, typer.Option("--keep-copies", help="Write the drawn copies into --out as well.")
    ] = False,
    json: Json = False,
) -> None:
    """Run named analyses on synthetic copies and combine them; costs nothing.

    Without --real only released numbers enter, and the result may be published. With it the
    result is internal.
    """
    _check_options(sources, copies, rows, worlds, real, holdout, ledger, out, keep_copies)
    import dpsynth
    from dpsynth.utility.replication import analyses as named
    from dpsynth.utility.replication.report import replicate as run

    asked = named.read_analyses(analyses)
    named.require_statsmodels()
    with console.Steps() as step:
        model, drawn, declared, tables = _tables(
            sources, schema, step, copies=copies, rows=rows, seed=seed, interactions=interactions
        )
        named.check(asked, declared)
        kept = None if real is None else dpsynth.read_table(real, declared)
        other = None if holdout is None else dpsynth.read_table(holdout, declared)
        if ledger is not None:
            step("registering the look in the ledger")
            with dpsynth.Ledger.open(ledger) as book:
                book.record_look(subject=sources[0].name, reason="replication of named analyses")
        coverage = (
            _coverage(model, asked, worlds, step, copies=copies, rows=rows, seed=seed)
            if worlds is not None and model is not None
            else ()
        )
        ratio = 1.0 if drawn is None else drawn.rows / max(drawn.total, 1.0)
        section = run(
            asked,
            tables,
            declared,
            real=kept,
            holdout=other,
            rule=rule,
            rows_ratio=ratio,
            supports=None if drawn is None else drawn.supports,
            coverage=coverage,
            seed=seed or 0,
            progress=step,
        )
        document = {"format": FORMAT, **section.to_dict(), "internal": real is not None}
        if out is not None:
            step("writing")
            _write(out, document, declared, coverage, tables if keep_copies else ())
    console.emit(document, as_json=json, text=lambda: _text(section, out))


def _check_options(
    sources: list[Path],
    copies: int | None,
    rows: int | None,
    worlds: int | None,
    real: Path | None,
    holdout: Path | None,
    ledger: Path | None,
    out: Path | None,
    keep_copies: bool,
) -> None:
    """Refuse what does not go together, before anything is read."""
    if holdout is not None and real is None:
        raise UsageError("--holdout is the ceiling of a comparison with --real: give both")
    if ledger is not None and real is None:
        raise UsageError("--ledger registers a look at --real rows, and there are none")
    if out is not None:
        console.refuse_existing(out)
    if keep_copies and out is None:
        raise UsageError("--keep-copies writes into --out: name a folder")
    if len(sources) > 1 and not (copies is None and rows is None and worlds is None):
        raise UsageError("--copies, --rows and --worlds draw from a release: give one folder")
    if len(sources) == 1 and not sources[0].is_dir():
        raise UsageError(
            "give a folder made by dpsynth release or dpsynth fit, or two synthetic tables or more"
        )
    if worlds is not None and worlds < _FEWEST_WORLDS:
        console.warn(f"{worlds} worlds tell coverage roughly; {_FEWEST_WORLDS} or more are better")
    if real is not None and ledger is None:
        console.warn(UNREGISTERED)


def _tables(
    sources: list[Path],
    schema: Path | None,
    step: console.Steps,
    *,
    copies: int | None,
    rows: int | None,
    seed: int | None,
    interactions: int,
) -> "tuple[FittedModel | None, Copies | None, Schema, tuple[pd.DataFrame, ...]]":
    """Return the released model and its copies, or the tables that were given."""
    import dpsynth

    if len(sources) == 1:
        step("reading the model")
        model = dpsynth.load_model(model_folder(sources[0]))
        step("drawing copies")
        drawn = model.sample_copies(copies or _COPIES, rows, seed=seed, interactions=interactions)
        return model, drawn, model.full_schema, drawn.tables
    if schema is None:
        raise UsageError("tables need --schema, which declares their columns")
    declared = dpsynth.Schema.read(schema)
    step("reading the copies")
    return None, None, declared, tuple(dpsynth.read_table(each, declared) for each in sources)


def _coverage(
    model: "FittedModel",
    asked: Any,
    worlds: int,
    step: console.Steps,
    *,
    copies: int | None,
    rows: int | None,
    seed: int | None,
) -> "tuple[Coverage, ...]":
    from dpsynth.utility.replication.worlds import simulate

    step("simulating worlds")
    return simulate(
        model,
        asked,
        worlds=worlds,
        copies=copies or _COPIES,
        rows=rows,
        seed=seed or 0,
        progress=lambda done, of: step(f"world {done} of {of}") if done % 10 == 0 else None,
    )


def _write(
    out: Path,
    document: dict[str, Any],
    schema: "Schema",
    coverage: "tuple[Coverage, ...]",
    tables: "tuple[pd.DataFrame, ...]",
) -> None:
    from dpsynth.release import atomic, bundle, canonical, dictionary
    from dpsynth.utility.replication.coverage import in_words

    warnings = [said for each in coverage for said in in_words(each)]
    with atomic.folder(out) as building:
        atomic.write_bytes(building / RESULT, canonical.dumps(document))
        dictionary.write(building, schema, warnings)
        for number, table in enumerate(tables, 1):
            bundle.write_parquet(building / f"copy-{number:03}.parquet", table)


def _text(section: "Section", out: Path | None) -> str:
    """Return the coefficients as a table, the scores and the warnings."""
    found = section.tables["coefficients"]
    places = [found["columns"].index(name) for name in _SHOWN]
    rows = [[_shown(row[at]) for at in places] for row in found["rows"]]
    parts = [console.table(_SHOWN, rows, right=(2, 3, 4, 6))]
    if section.scores:
        header = ("score", "analysis", "value", "ceiling", "floor")
        scored = [
            [each.name, each.group, *map(_shown, (each.value, each.ceiling, each.floor))]
            for each in section.scores
        ]
        parts.append(console.table(header, scored, right=(2, 3, 4)))
    if "coverage" in section.tables:
        simulated = section.tables["coverage"]
        parts.append(
            console.table(
                simulated["columns"], [[_shown(each) for each in row] for row in simulated["rows"]]
            )
        )
    parts += section.notes
    if out is not None:
        parts.append(f"{out}: {RESULT} and the data dictionary.")
    return "\n\n".join(parts)


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
