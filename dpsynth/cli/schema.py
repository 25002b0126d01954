"""``dpsynth schema``: draft, check, import and confirm the public facts of a table."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dpsynth.cli import console
from dpsynth.cli.exits import Exit
from dpsynth.cli.options import Json, NewFile
from dpsynth.errors import UsageError

if TYPE_CHECKING:
    from dpsynth import Schema

Existing = Annotated[Path, typer.Argument(metavar="SCHEMA", help="A schema: .toml or .json.")]


def register(app: typer.Typer) -> None:
    """Add the group to the program."""
    group = typer.Typer(no_args_is_help=True, help="Declare the public facts of a table.")
    group.command("draft")(draft)
    group.command("check")(check)
    group.command("import")(import_)
    group.command("confirm")(confirm)
    app.add_typer(group, name="schema")


def draft(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="A .csv or .parquet file.")],
    out: NewFile,
    json: Json = False,
) -> None:
    """Draft a schema from a table; what was read off the rows is a guess until confirmed.

    The draft is for the custodian: it quotes the rows. Nothing guessed is ever used.
    """
    console.refuse_existing(out)

    from dpsynth.schema.draft import draft_schema

    drafted = draft_schema(table)
    drafted.write(out)
    console.emit(
        {"schema": str(out), **_state(drafted)},
        as_json=json,
        text=lambda: f"{out}: a draft.\n{_listing(drafted, out)}",
    )


def check(schema: Existing, json: Json = False) -> None:
    """List what is guessed or undeclared (exit 4 if anything), and HIPAA Safe Harbor findings."""
    import dpsynth
    from dpsynth.synthesizers.ruled import check_rules

    declared = dpsynth.Schema.read(schema)
    if not declared.open_items():
        check_rules(declared)
    console.emit(
        {"schema": str(schema), **_state(declared)},
        as_json=json,
        text=lambda: _listing(declared, schema),
    )
    raise typer.Exit(Exit.DATA if declared.open_items() else Exit.DONE)


def import_(
    metadata: Annotated[Path, typer.Argument(metavar="FILE", help="Metadata of a table, JSON.")],
    out: NewFile,
    max_rows: Annotated[
        int | None,
        typer.Option("--max-rows", metavar="N", min=1, help="Most rows that one person may fill."),
    ] = None,
    json: Json = False,
) -> None:
    """Turn a metadata file into a schema; exit 4 when something is left to confirm or declare."""
    console.refuse_existing(out)

    from dpsynth.schema.importer import import_schema

    imported = import_schema(metadata, max_rows=max_rows)
    imported.write(out)
    console.emit(
        {"schema": str(out), **_state(imported)},
        as_json=json,
        text=lambda: f"{out}: imported.\n{_listing(imported, out)}",
    )
    raise typer.Exit(Exit.DATA if imported.open_items() else Exit.DONE)


def confirm(
    schema: Existing,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why this may be taken as public.")
    ],
    everything: Annotated[bool, typer.Option("--all", help="Confirm every open item.")] = False,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="NAME", help="This column, or unit; repeatable."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            metavar="TEXT",
            help="The public source, such as a codebook; without one the certificate says "
            "'conditional' and is never PASS.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Adopt what was drafted from the rows, in your name and for a stated reason."""
    if everything == bool(column):
        raise UsageError("say what to confirm: either --all, or --column NAME once or more")

    import dpsynth

    declared = dpsynth.Schema.read(schema)
    confirmed = declared
    for name in column or (None,):
        confirmed = confirmed.confirm(name, reason=reason, source=source)
    _rewrite(schema, confirmed)
    if source is None and confirmed.is_conditional:
        console.warn(
            "no public source was named (--source), so a certificate will say 'conditional' and "
            "its verdict will be INCONCLUSIVE at best"
        )
    console.emit(
        {"schema": str(schema), **_state(confirmed)},
        as_json=json,
        text=lambda: _listing(confirmed, schema),
    )


def _rewrite(path: Path, schema: "Schema") -> None:
    """Replace a schema file as a whole: a crash leaves the old one or the new one."""
    from dpsynth.release import atomic

    atomic.write_bytes(path, schema.to_text(path.suffix).encode("utf-8"))


def _state(schema: "Schema") -> dict[str, Any]:
    """Return what is open and what Safe Harbor would ask about."""
    from dpsynth.schema.safe_harbor import findings

    return {
        "closed": not schema.open_items(),
        "conditional": schema.is_conditional,
        "open": [
            {
                "column": item.column,
                "field": item.field,
                "why": item.why,
                "guessed": item.guessed,
            }
            for item in schema.open_items()
        ],
        "safe_harbor": [asdict(finding) for finding in findings(schema)],
    }


def _listing(schema: "Schema", path: Path) -> str:
    from dpsynth.schema.safe_harbor import findings

    lines = []
    items = schema.open_items()
    if items:
        guessed: dict[str, list[str]] = {}
        for item in items:
            if item.guessed:
                guessed.setdefault(item.column or "unit", []).append(item.field)
        undeclared = [f"  {item}" for item in items if not item.guessed]
        if undeclared:
            lines += ["to declare, in the file:", *undeclared]
        if guessed:
            lines.append(
                "guessed from the rows; declare it in the file, or adopt it with: "
                f"dpsynth schema confirm {path} --column NAME --reason TEXT"
            )
            lines += [f"  {name}: {', '.join(fields)}" for name, fields in guessed.items()]
    else:
        lines.append(f"{path} is closed: every fact is declared or confirmed.")
    found = findings(schema)
    if found:
        lines.append("HIPAA Safe Harbor would ask about (a warning, not a block):")
        lines += [f"  {finding}" for finding in found]
    if schema.is_conditional:
        lines.append("conditional: something was confirmed without a named public source.")
    return "\n".join(lines)
