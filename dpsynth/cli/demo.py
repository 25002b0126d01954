"""``dpsynth demo``: the whole path on a real health table."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from dpsynth.cli import console
from dpsynth.cli.exits import Exit
from dpsynth.cli.options import Json

_SENTENCES = {
    "PASS": "every required audit of the mechanism passed and the policy {policy} is met",
    "INCONCLUSIVE": "the claim is intact, but something required could not be shown",
    "FAIL": "an audit of the mechanism failed or the policy {policy} is not met; do not publish it",
}


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("demo")(demo)


def demo(
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="Where to make the demo's folders.")
    ] = Path(),
    json: Json = False,
) -> None:
    """Release a real health table (NHEFS) into demo-release/, and verify the certificate."""
    from dpsynth.demo import run

    outcome = run.run(folder, say=console.note)
    directory = outcome.directory
    console.note("")
    console.emit(
        {**asdict(outcome), "directory": str(directory)},
        as_json=json,
        text=lambda: "\n".join(
            [
                f"The release is in {directory}/ ({outcome.signer}).",
                f"Verdict: {outcome.verdict}: "
                f"{_SENTENCES[outcome.verdict].format(policy=outcome.policy)}.",
                f"For the custodian alone: the attacks on real persons ended "
                f"{outcome.internal_verdict}.",
                f"Open {directory}/public/report.html; the custodian's own report, which stays in "
                f"the house, is {directory}/internal/report.html.",
            ]
        ),
    )
    raise typer.Exit(Exit.GATE_FAILED if outcome.verdict == "FAIL" else Exit.DONE)
