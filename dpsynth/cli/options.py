"""Arguments and options that several commands share, each described once."""

from pathlib import Path
from typing import Annotated

import typer

TableFile = Annotated[
    Path, typer.Argument(metavar="TABLE", help="The private table: .csv or .parquet.")
]
Table = Annotated[
    str,
    typer.Argument(
        metavar="TABLE",
        help="The private table: .csv, .parquet or .ndjson, a folder of .parquet, the address of a "
        "database, or a Spark table.",
    ),
]
SourceTable = Annotated[
    str | None,
    typer.Option("--table", metavar="NAME", help="Table or view, where TABLE is a database."),
]
SourceQuery = Annotated[
    str | None,
    typer.Option("--query", metavar="SQL", help="One SELECT, where TABLE is a database."),
]
SparkMaster = Annotated[
    str | None,
    typer.Option(
        "--spark", metavar="MASTER", help="Count in Spark, where TABLE is one of its tables."
    ),
]
FileEngine = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="NAME",
        help="Where TABLE is a file: frame holds it in memory, duckdb streams it from disk; "
        "auto decides by its size.",
    ),
]
SchemaFile = Annotated[
    Path, typer.Option("--schema", metavar="FILE", help="Declared public facts: .toml or .json.")
]
TaskColumn = Annotated[
    str | None,
    typer.Option("--task", metavar="COLUMN", help="To predict; else the schema's target."),
]
PositiveValues = Annotated[
    list[str] | None,
    typer.Option(
        "--positive",
        metavar="VALUE",
        help="Value of the task's column to tell from all others; repeatable.",
    ),
]
LookLedger = Annotated[
    Path | None,
    typer.Option("--ledger", metavar="FILE", help="Register this look at real rows here."),
]
SynthesizerName = Annotated[
    str, typer.Option("--synthesizer", metavar="NAME", help="How to model the table.")
]
DEFAULT_SYNTHESIZER = "auto"
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A setting of the synthesizer, such as target=income; may be repeated.",
    ),
]
Epsilon = Annotated[
    str, typer.Option("--epsilon", metavar="E", help="Above 0; exact: 1, 0.5, 1e-1 or 1/3.")
]
Delta = Annotated[
    str, typer.Option("--delta", metavar="D", help="From 0 to below 1; exact, such as 1e-9.")
]
LedgerFile = Annotated[
    Path,
    typer.Option(
        "--ledger", metavar="FILE", help="The table's ledger; make it with dpsynth ledger init."
    ),
]
NewFolder = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="A new folder; nothing is overwritten.")
]
NewFile = Annotated[
    Path, typer.Option("--out", metavar="FILE", help="A new file; nothing is overwritten.")
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key",
        metavar="FILE",
        help="Private signing key; without it a per-user key is used, and made if missing.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 1 also when INCONCLUSIVE.")]
