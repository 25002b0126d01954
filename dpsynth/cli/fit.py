"""``dpsynth fit``: a model of a table, for pipelines; no control split, no audit."""

from typing import TYPE_CHECKING, cast

import typer

from dpsynth.cli import console, parse
from dpsynth.cli.options import (
    DEFAULT_SYNTHESIZER,
    Delta,
    Epsilon,
    FileEngine,
    Json,
    LedgerFile,
    NewFolder,
    SchemaFile,
    Settings,
    SourceQuery,
    SourceTable,
    SparkMaster,
    SynthesizerName,
    Table,
)

if TYPE_CHECKING:
    from dpsynth.sources.stored import EngineName


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("fit")(fit)


def fit(
    table: Table,
    schema: SchemaFile,
    epsilon: Epsilon,
    delta: Delta,
    ledger: LedgerFile,
    out: NewFolder,
    synthesizer: SynthesizerName = DEFAULT_SYNTHESIZER,
    settings: Settings = None,
    name: SourceTable = None,
    query: SourceQuery = None,
    spark: SparkMaster = None,
    engine: FileEngine = "auto",
    json: Json = False,
) -> None:
    """Fit a private model to TABLE, charge the ledger, and write the model to a new folder."""
    wanted_epsilon = parse.above_zero("--epsilon", epsilon)
    wanted_delta = parse.from_zero_to_one("--delta", delta)
    console.refuse_existing(out)

    import dpsynth
    from dpsynth.release import atomic
    from dpsynth.sources.chosen import given

    with console.Steps() as step:
        step("reading the schema")
        declared = dpsynth.Schema.read(schema)
        declared.require_closed()
        chosen = dpsynth.synthesizer(synthesizer, **parse.settings(settings))
        chosen.require_installed()
        step("planning")
        planned = chosen.plan(declared, epsilon=wanted_epsilon, delta=wanted_delta)
        step("opening the ledger")
        with dpsynth.Ledger.open(ledger) as account:
            step("coding the rows, charging the ledger, measuring and modeling")
            model = chosen.fit(
                given(table, name=name, query=query, spark=spark),
                schema=declared,
                epsilon=wanted_epsilon,
                delta=wanted_delta,
                ledger=account,
                engine=cast("EngineName", engine),
                progress=step.training(parse.exact_text(wanted_epsilon)),
            )
        step("writing the model")
        with atomic.folder(out) as building:
            model.save(building)
    document = {"model": str(out), "plan": planned.to_dict(), "ledger": str(ledger)}
    console.emit(
        document,
        as_json=json,
        text=lambda: (
            f"{out}: a model under (epsilon {parse.exact_text(wanted_epsilon)}, "
            f"delta {parse.exact_text(wanted_delta)})-DP.\n"
            f"Draw rows: dpsynth sample {out} --rows N --seed S --out FILE"
        ),
    )
