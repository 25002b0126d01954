"""The command ``dpsynth conform``: installed synthesizers on trial, on made-up rows alone."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attacks.conformance.tiers import Tier
from dpsynth.cli import console, parse
from dpsynth.cli.exits import Exit

if TYPE_CHECKING:
    from dpsynth.schema import Schema

ALL = "all"
CODES: Mapping[str, Exit] = {
    "PASS": Exit.DONE,
    "FAIL": Exit.GATE_FAILED,
    "INCONCLUSIVE": Exit.INCONCLUSIVE,
}


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("conform")(conform)


def conform(
    synthesizer: Annotated[
        list[str] | None,
        typer.Option(
            "--synthesizer",
            metavar="NAME",
            help="Who is on trial, or all: those that are built in, with trainings of a few steps. "
            "Repeatable; else all.",
        ),
    ] = None,
    stranger: Annotated[
        str | None,
        typer.Option(
            "--object",
            metavar="MODULE:NAME",
            help="Another library's mechanism in place of ours; needs --schema. It is imported.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the one that is named."),
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option(
            "--schema",
            metavar="FILE",
            help="Declared public facts, of which rows are made up; else built-in schemas: one "
            "in the smoke tier, two in the standard one, all four in the full one.",
        ),
    ] = None,
    epsilon: Annotated[str, typer.Option("--epsilon", metavar="E", help="Above 0; exact.")] = "1",
    delta: Annotated[
        str, typer.Option("--delta", metavar="D", help="From 0 to below 1; exact.")
    ] = "1e-9",
    tier: Annotated[
        Tier,
        typer.Option(
            "--tier",
            help="How much is tried of the default set: a minute, ten minutes, or an hour.",
        ),
    ] = Tier.smoke,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Keep the result, for release --conformance."),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON on standard output.")
    ] = False,
) -> None:
    """Put synthesizers on trial: is the code that runs as private as its ledger says?

    Runs on made-up rows, reads no table and no ledger, and costs no privacy. Exit 1 on FAIL: a
    witness, a rejected claim, more spent than claimed. Exit 7 on INCONCLUSIVE: an audit did not
    end, or could not have seen noise too small by a factor of two.
    """
    if out is not None:
        console.refuse_existing(out)
    import dpsynth
    from attacks import shapes
    from attacks.conformance import trials
    from dpsynth.errors import UsageError
    from dpsynth.release import atomic, canonical
    from dpsynth.testing.enrolled import enrolled

    if stranger is not None:
        if synthesizer or settings or schema is None:
            raise UsageError("--object needs --schema, and takes no --synthesizer and no --set")
        _stranger(stranger, schema, epsilon, delta, tier, out=out, json=json)
    wanted = parse.above_zero("--epsilon", epsilon), parse.from_zero_to_one("--delta", delta)
    named = [*(synthesizer or [ALL])]
    if settings and (len(named) != 1 or named == [ALL]):
        raise UsageError("--set needs one --synthesizer NAME that it is a setting of")
    if ALL in named:  # a training of few steps is on trial as well as a long one
        made = [each.synthesizer for each in enrolled()]
    else:
        made = [dpsynth.synthesizer(name, **parse.settings(settings)) for name in named]
    among: Mapping[str, Schema] = trials.schemas(tier)
    if schema is not None:
        declared = dpsynth.Schema.read(schema)
        declared.require_closed()
        among = {schema.name: declared}
    tried, skipped = [], []
    with console.Steps() as step:
        for found in trials.try_all(
            made,
            among,
            epsilon=canonical.exact_text(wanted[0]),
            delta=canonical.exact_text(wanted[1]),
            tier=tier,
            jobs=os.cpu_count() or 1,
            progress=step,
        ):
            if isinstance(found, str):
                skipped.append(found)
            else:
                tried.append(found)
    result = trials.result_of(tried, skipped, tier=tier)
    if out is not None:
        data = canonical.dumps(result)
        shapes.require(canonical.loads(data, name=out.name), "conformance", name=out.name)
        atomic.write_bytes(out, data)
    console.emit(result, as_json=json, text=lambda: _text(result))
    raise typer.Exit(CODES[result["status"]])


def _stranger(
    name: str,
    schema: Path,
    epsilon: str,
    delta: str,
    tier: Tier,
    *,
    out: Path | None,
    json: bool,
) -> None:
    """Put what ``name`` makes on trial, and exit."""
    import dpsynth
    from attacks.conformance import put_on_trial
    from dpsynth.release import atomic, canonical

    found = put_on_trial(
        name,
        dpsynth.Schema.read(schema),
        epsilon=float(parse.above_zero("--epsilon", epsilon)),
        delta=float(parse.from_zero_to_one("--delta", delta)),
        tier=tier.value,
    )
    document = found.to_dict()
    if out is not None:
        atomic.write_bytes(out, canonical.dumps(document))
    console.emit(document, as_json=json, text=found.to_text)
    raise typer.Exit(CODES[found.verdict])


def _text(result: Mapping[str, Any]) -> str:
    """Return a table of who was tried by which audit, and what went wrong in words."""
    from attacks.report.trial import view_of

    rows, said = [], []
    for trial in result["trials"]:
        who = f"{trial['synthesizer']['name']}, {trial['schema']}"
        rows += [
            [who, line["name"], line["component"], line["status"]["word"], line["would"]]
            for line in view_of(trial["evidence"])["lines"]
        ]
        said += [f"{who}: {reason}" for reason in trial["reasons"]]
    header = ["who", "audit", "component", "status", "would have been seen"]
    return "\n".join(
        [
            console.table(header, rows),
            "",
            *said,
            *(f"not tried: {reason}" for reason in result["skipped"]),
            f"{result['status']}: {len(result['trials'])} trials, {result['tier']} tier",
        ]
    )
