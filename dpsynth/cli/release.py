"""``dpsynth release``: from a table to a signed certificate in one command."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from dpsynth.cli import console, parse
from dpsynth.cli.exits import Exit
from dpsynth.cli.options import (
    DEFAULT_SYNTHESIZER,
    Delta,
    Epsilon,
    FileEngine,
    Json,
    KeyFile,
    LedgerFile,
    NewFolder,
    SchemaFile,
    Settings,
    SourceQuery,
    SourceTable,
    SparkMaster,
    Strict,
    SynthesizerName,
    Table,
)

if TYPE_CHECKING:
    from dpsynth import ReleaseOutcome
    from dpsynth.sources.stored import EngineName


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("release")(release)


def release(
    context: typer.Context,
    table: Table,
    schema: SchemaFile,
    epsilon: Epsilon,
    delta: Delta,
    ledger: LedgerFile,
    out: NewFolder,
    synthesizer: SynthesizerName = DEFAULT_SYNTHESIZER,
    settings: Settings = None,
    control: Annotated[
        str,
        typer.Option(
            "--control",
            metavar="SHARE",
            help="Persons set aside by a coin each, for the internal audit; 0 for none.",
        ),
    ] = "0.1",
    rows: Annotated[
        int | None,
        typer.Option(
            "--rows", metavar="N", min=0, help="Synthetic rows; else the model's noisy total."
        ),
    ] = None,
    key: KeyFile = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy", metavar="NAME", help="A preset or a policy file; else dpsynth-default/2."
        ),
    ] = None,
    conformance: Annotated[
        Path | None,
        typer.Option(
            "--conformance",
            metavar="FILE",
            help="What conform --out kept of this synthesizer, schema and budget; else a short "
            "trial runs.",
        ),
    ] = None,
    evaluate: Annotated[
        bool,
        typer.Option(
            "--evaluate",
            help="Measure in DIR/internal what the release is good for, against the persons who "
            "were set aside; takes a minute or two more.",
        ),
    ] = False,
    name: SourceTable = None,
    query: SourceQuery = None,
    spark: SparkMaster = None,
    engine: FileEngine = "auto",
    strict: Strict = False,
    json: Json = False,
) -> None:
    """Release a synthetic table with its certificate, and audit it for the custodian alone.

    Writes DIR/public, which may leave the house, and DIR/internal, which may not. The exit code
    follows the public verdict, which no computation on real rows outside the mechanism can touch.
    """
    wanted_epsilon = parse.above_zero("--epsilon", epsilon)
    wanted_delta = parse.from_zero_to_one("--delta", delta)
    wanted_control = parse.share("--control", control)
    console.refuse_existing(out)

    import dpsynth
    from dpsynth.sources.chosen import given

    with console.Steps() as step:
        outcome = (context.obj or dpsynth.make_release)(
            given(table, name=name, query=query, spark=spark),
            schema=schema,
            synthesizer=dpsynth.synthesizer(synthesizer, **parse.settings(settings)),
            epsilon=wanted_epsilon,
            delta=wanted_delta,
            ledger=ledger,
            out=out,
            control=wanted_control,
            rows=rows,
            key=key,
            policy=policy,
            conformance=conformance,
            engine=cast("EngineName", engine),
            evaluate=evaluate,
            progress=step,
            training=step.training(parse.exact_text(wanted_epsilon)),
        )
    for warning in outcome.warnings:
        console.warn(warning)
    if outcome.public_verdict == "INCONCLUSIVE":
        console.warn(
            "the public verdict is INCONCLUSIVE: the claim stands, and something that a PASS needs "
            f"does not; {outcome.directory}/public/report.html says what"
        )
    console.emit(document(outcome), as_json=json, text=lambda: text(outcome))
    raise typer.Exit(exit_code(outcome.public_verdict, strict=strict))


def exit_code(verdict: str, *, strict: bool) -> Exit:
    """Return the code for a verdict: only FAIL is a failed gate, unless ``strict``."""
    if verdict == "PASS" or (verdict == "INCONCLUSIVE" and not strict):
        return Exit.DONE
    return Exit.GATE_FAILED


def document(outcome: "ReleaseOutcome") -> dict[str, Any]:
    """Return what a script wants to know of a release."""
    return {
        "directory": str(outcome.directory),
        "public_verdict": outcome.public_verdict,
        "internal_verdict": outcome.internal_verdict,
        "fingerprint": outcome.fingerprint,
        "warnings": list(outcome.warnings),
    }


def text(outcome: "ReleaseOutcome") -> str:
    """Return what a person wants to know of a release."""
    directory = outcome.directory
    return "\n".join(
        [
            f"public verdict    {outcome.public_verdict}   {directory}/public may leave the house; "
            f"report: {directory}/public/report.html",
            f"internal verdict  {outcome.internal_verdict}   {directory}/internal is for the "
            "custodian alone, and must not decide whether to publish",
            f"signed by {outcome.fingerprint}; check it anywhere: dpsynth verify {directory}",
        ]
    )
