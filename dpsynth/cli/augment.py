"""``dpsynth augment``: real rows and synthetic ones in one table, which stays private."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dpsynth.cli import console
from dpsynth.cli.options import Json, NewFile, TableFile
from dpsynth.cli.sample import model_folder
from dpsynth.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

_SUFFIXES = (".csv", ".parquet")


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("augment")(augment)


def augment(
    table: TableFile,
    model: Annotated[
        Path, typer.Option("--model", metavar="DIR", help="A release, or a fitted model.")
    ],
    out: NewFile,
    rows: Annotated[
        int | None, typer.Option("--rows", metavar="N", min=0, help="So many synthetic rows.")
    ] = None,
    share: Annotated[
        float | None,
        typer.Option("--share", metavar="S", help="Synthetic rows are this share of the result."),
    ] = None,
    balance: Annotated[
        str | None,
        typer.Option(
            "--balance", metavar="COLUMN", help="Bring its classes to the most frequent one's rows."
        ),
    ] = None,
    balance_to: Annotated[
        float,
        typer.Option("--balance-to", metavar="P", help="With --balance: to this part of it."),
    ] = 1.0,
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--given",
            metavar="COLUMN=VALUE",
            help="Only synthetic rows of this group; repeatable. A..B is an interval.",
        ),
    ] = None,
    group_share: Annotated[
        float | None,
        typer.Option(
            "--group-share",
            metavar="S",
            help="With --given: rows of the group, of both kinds, are this share of the result.",
        ),
    ] = None,
    origin: Annotated[
        str | None,
        typer.Option(
            "--origin", metavar="NAME", help='Add a column that says "real" or "synthetic".'
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", min=0, help="Same seed, same rows; else drawn anew."),
    ] = None,
    json: Json = False,
) -> None:
    """Write TABLE's real rows with synthetic ones added; the result is as private as TABLE."""
    if out.suffix not in _SUFFIXES:
        raise UsageError(f"--out {out} must end in .csv or .parquet")
    refuse_published(out)
    console.refuse_existing(out)
    folder = model_folder(model)

    import dpsynth
    from dpsynth.synthesizers.cohort import from_text
    from dpsynth.utility.augmentation.mixing import PRIVATE

    with console.Steps() as step:
        step("reading the model")
        released = dpsynth.load_model(folder)
        step("reading the real table")
        frame = dpsynth.read_table(table, released.schema)
        step("drawing rows")
        mixed = dpsynth.augment(
            frame,
            released,
            rows=rows,
            share=share,
            balance=balance,
            balance_to=balance_to,
            given=from_text(released.full_schema, given or ()),
            group_share=group_share,
            origin=origin,
            seed=seed,
        )
        step("writing")
        _write(mixed, out)
    console.warn(PRIVATE)
    # How many rows there are says how many persons: only what the user said is repeated.
    document = {
        "out": str(out),
        "columns": list(map(str, mixed.columns)),
        "synthetic_rows": rows,
        "origin": origin,
        "holds_real_rows": True,
        "private": PRIVATE,
    }
    added = "synthetic rows" if rows is None else f"{rows} synthetic rows"
    console.emit(
        document, as_json=json, text=lambda: f"{out}: the real rows and {added}; {PRIVATE}."
    )


def refuse_published(out: Path) -> None:
    """Refuse to write real rows into what may leave the house: a release's public part, a model.

    Raises:
        UsageError: ``out`` lies below such a folder, whatever links lead there.
    """
    from dpsynth.release import bundle

    home = out.absolute().parent.resolve()
    for folder in (home, *home.parents):
        released = (folder / bundle.LEDGER).is_file() and (folder / bundle.PLAN).is_file()
        beside = folder.name == bundle.PUBLIC and (folder.parent / bundle.INTERNAL).is_dir()
        if released or beside or (folder / "model.json").is_file():
            raise UsageError(
                f"--out {out} lies in {folder}, which may leave the house, and the result holds "
                "real rows: name a file where the real table is kept"
            )


def _write(mixed: "pd.DataFrame", out: Path) -> None:
    """Write the table for its owner's eyes only."""
    from dpsynth.release import atomic, bundle, spreadsheet

    if out.suffix == ".csv":
        atomic.write_bytes(out, spreadsheet.to_csv(mixed), mode=0o600)
        return
    os.close(os.open(out, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        bundle.write_parquet(out, mixed)
    except BaseException:
        out.unlink(missing_ok=True)
        raise
