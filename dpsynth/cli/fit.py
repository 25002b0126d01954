"""``dpsynth fit``: a model of a table, for pipelines; no control split, no audit."""

import typer

from dpsynth.cli import console, parse
from dpsynth.cli.options import (
    DEFAULT_SYNTHESIZER,
    Delta,
    Epsilon,
    Json,
    LedgerFile,
    NewFolder,
    SchemaFile,
    Settings,
    SynthesizerName,
    TableFile,
)


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("fit")(fit)


def fit(
    table: TableFile,
    schema: SchemaFile,
    epsilon: Epsilon,
    delta: Delta,
    ledger: LedgerFile,
    out: NewFolder,
    synthesizer: SynthesizerName = DEFAULT_SYNTHESIZER,
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Fit a private model to TABLE, charge the ledger, and write the model to a new folder."""
    wanted_epsilon = parse.above_zero("--epsilon", epsilon)
    wanted_delta = parse.from_zero_to_one("--delta", delta)
    console.refuse_existing(out)

    import dpsynth
    from dpsynth.release import atomic

    with console.Steps() as step:
        step("reading the schema")
        declared = dpsynth.Schema.read(schema)
        declared.require_closed()
        chosen = dpsynth.synthesizer(synthesizer, **parse.settings(settings))
        chosen.require_installed()
        step("checking the table's structure")
        frame = dpsynth.read_table(table, declared)
        step("planning")
        planned = chosen.plan(declared, epsilon=wanted_epsilon, delta=wanted_delta)
        step("opening the ledger")
        with dpsynth.Ledger.open(ledger) as account:
            step("charging the ledger, then measuring and modeling")
            model = chosen.fit(
                frame,
                schema=declared,
                epsilon=wanted_epsilon,
                delta=wanted_delta,
                ledger=account,
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
