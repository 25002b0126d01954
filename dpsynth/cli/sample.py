"""``dpsynth sample``: more rows from a released model; free of charge, reproducible."""

from pathlib import Path
from typing import Annotated

import typer

from dpsynth.cli import console
from dpsynth.cli.options import Json
from dpsynth.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("sample")(sample)


def sample(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A release, or a fitted model.")],
    out: Annotated[
        str,
        typer.Option(
            "--out",
            metavar="FILE",
            help="A new .parquet or .csv file; or the address of a database, with --table.",
        ),
    ],
    rows: Annotated[
        int | None,
        typer.Option(
            "--rows", metavar="N", min=0, help="How many; else as many as the model expects."
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="S", min=0, help="Same seed, same rows; else drawn anew."),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--given",
            metavar="COLUMN=VALUE",
            help="Only such rows; repeatable. A..B is an interval of numbers or dates.",
        ),
    ] = None,
    table: Annotated[
        str | None,
        typer.Option("--table", metavar="NAME", help="A new table of the database of --out."),
    ] = None,
    json: Json = False,
) -> None:
    """Draw rows from a model that was released or fitted; reads no private row, costs nothing.

    Any number of rows, in memory that does not grow with it; written whole or not at all.
    """
    from dpsynth.release import streaming

    streaming.require_target(out, table)
    shown = {"out": out}
    if streaming.is_database(out):
        shown = {"table": str(table)}  # an address may hold a password
    else:
        console.refuse_existing(Path(out))
    folder = model_folder(directory)

    import dpsynth
    from dpsynth.synthesizers.cohort import from_text

    with console.Steps() as step:
        step("reading the model")
        model = dpsynth.load_model(folder)
        asked = from_text(model.full_schema, given or ())
        step("drawing and writing rows")
        drawn = model.stream(rows, seed=seed, given=asked)
        written = streaming.write_stream(drawn, out, table=table, progress=step.rows())
    columns = list(drawn.empty().cells)
    console.emit(
        {"rows": written, "columns": columns, **shown},
        as_json=json,
        text=lambda: f"{next(iter(shown.values()))}: {written} synthetic rows.",
    )


def model_folder(directory: Path) -> Path:
    """Return where the model of ``directory`` is: a release, its public part, or a model."""
    for candidate in (directory, directory / "model", directory / "public" / "model"):
        if (candidate / "model.json").is_file():
            return candidate
    raise UsageError(
        f"{directory} holds no model: give a folder made by dpsynth release or dpsynth fit"
    )
