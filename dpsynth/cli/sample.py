"""``dpsynth sample``: more rows from a released model; free of charge, reproducible."""

from pathlib import Path
from typing import Annotated

import typer

from dpsynth.cli import console
from dpsynth.cli.options import Json, NewFile
from dpsynth.errors import UsageError

_SUFFIXES = (".csv", ".parquet")


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("sample")(sample)


def sample(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A release, or a fitted model.")],
    out: NewFile,
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
    json: Json = False,
) -> None:
    """Draw rows from a model that was released or fitted; reads no private row, costs nothing."""
    if out.suffix not in _SUFFIXES:
        raise UsageError(f"--out {out} must end in .csv or .parquet")
    console.refuse_existing(out)
    folder = model_folder(directory)

    import dpsynth
    from dpsynth.synthesizers.cohort import from_text

    with console.Steps() as step:
        step("reading the model")
        model = dpsynth.load_model(folder)
        asked = from_text(model.full_schema, given or ())
        step("drawing rows")
        drawn = model.sample(rows, seed=seed, given=asked)
        step("writing")
        write_table(drawn, out)
    console.emit(
        {"rows": len(drawn), "columns": list(map(str, drawn.columns)), "out": str(out)},
        as_json=json,
        text=lambda: f"{out}: {len(drawn)} synthetic rows.",
    )


def model_folder(directory: Path) -> Path:
    """Return where the model of ``directory`` is: a release, its public part, or a model."""
    for candidate in (directory, directory / "model", directory / "public" / "model"):
        if (candidate / "model.json").is_file():
            return candidate
    raise UsageError(
        f"{directory} holds no model: give a folder made by dpsynth release or dpsynth fit"
    )


def write_table(frame: "object", out: Path) -> None:
    """Write ``frame`` in the format that the suffix of ``out`` names."""
    from dpsynth.release import atomic, bundle, spreadsheet

    if out.suffix == ".csv":
        atomic.write_bytes(out, spreadsheet.to_csv(frame))  # type: ignore[arg-type]  # a data frame
    else:
        bundle.write_parquet(out, frame)  # type: ignore[arg-type]  # a data frame
