"""``dpsynth plan``: the full bill, before any row is read."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dpsynth.cli import console, parse
from dpsynth.cli.options import (
    DEFAULT_SYNTHESIZER,
    Delta,
    Epsilon,
    Json,
    SchemaFile,
    Settings,
    SynthesizerName,
)

if TYPE_CHECKING:
    from fractions import Fraction


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("plan")(plan)


def plan(
    schema: SchemaFile,
    epsilon: Epsilon,
    delta: Delta,
    synthesizer: SynthesizerName = DEFAULT_SYNTHESIZER,
    settings: Settings = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Also write the plan as JSON.")
    ] = None,
    json: Json = False,
) -> None:
    """Print every charge a fit would make, from public facts alone; spends nothing."""
    wanted_epsilon = parse.above_zero("--epsilon", epsilon)
    wanted_delta = parse.from_zero_to_one("--delta", delta)
    if out is not None:
        console.refuse_existing(out)

    import dpsynth

    declared = dpsynth.Schema.read(schema)
    declared.require_closed()
    chosen = dpsynth.synthesizer(synthesizer, **parse.settings(settings))
    planned = chosen.plan(declared, epsilon=wanted_epsilon, delta=wanted_delta)
    document = planned.to_dict()
    needs = planned.needs_cap
    if out is not None:
        from dpsynth.release.canonical import dumps

        out.write_bytes(dumps(document))
    shown = dict(document)
    if needs is not None:
        shown["needs_cap"] = {"epsilon": str(needs.epsilon), "delta": str(needs.delta)}
    if planned.estimate is not None:
        shown["engines"] = [asdict(each) for each in planned.estimate.engines]
    console.emit(shown, as_json=json, text=lambda: render(shown))


def render(document: dict[str, Any]) -> str:
    """Return the bill of a plan document as text; what needs and takes it may stand beside it."""
    from fractions import Fraction

    pure = Fraction(document["delta"]) == 0
    costs = [_pure_epsilon(step) if pure else Fraction(step["rho"]) for step in document["steps"]]
    total = sum(costs, Fraction(0))
    rows = []
    for run in _runs(document["steps"], costs):
        (first, cost), last = run[0], run[-1][0]
        label = first["label"]
        if len(run) > 1:
            label = f"{_NUMBER.sub('', label)} {_number(label)} to {_number(last['label'])}, each"
        part = f"{100 * float(cost / total):.1f} %"
        if len(run) > 1:
            part += f", in all {100 * float(len(run) * cost / total):.1f} %"
        rows.append([label, first["phase"], f"{float(cost):.6f}", part])
    rows.append(["total", "", f"{float(total):.6f}", "100.0 %"])
    measure = "epsilon" if pure else "rho"
    if "order" in document:  # training has no rho: what it costs at one order shares the bill
        measure = f"rho at order {float(Fraction(document['order'])):.2f}"
    unit = document["unit"]
    who = f"one {unit['name']}"
    if unit["column"] is not None:
        rows_each = "1 row" if unit["max_rows"] == 1 else f"{unit['max_rows']} rows"
        who += f" (column {unit['column']!r}, at most {rows_each})"
    estimate = document["estimate"]
    takes = "not estimated: the schema declares no expected_rows"
    if estimate and estimate.get("minutes") is not None:
        takes = (
            f"about {_duration(estimate['minutes'])} and {estimate['mebibytes']:.0f} MiB "
            f"for the declared {estimate['rows']} rows"
        )
    return "\n".join(
        [
            console.table(["asked", "phase", measure, "share"], rows, right=(2, 3)),
            "",
            f"claim  (epsilon {_shown(document['epsilon'])}, delta {_shown(document['delta'])})-DP "
            f"under adding or removing {who}",
            *_reserve(document),
            *_training(document),
            *_needs(document),
            *([f"costs  rho {float(Fraction(document['rho'])):.6f} of the ledger"] if pure else []),
            f"takes  {takes}",
            *_engines(document.get("engines")),
            "No row was read and nothing was spent.",
        ]
    )


def _engines(engines: Sequence[dict[str, Any]] | None) -> list[str]:
    """Say what a fit takes by engine, where that is known."""
    if not engines:
        return []
    rows = []
    for each in engines:
        minutes = "by the server" if each["minutes"] is None else _duration(each["minutes"])
        moved = f"{each['bytes_moved'] / 1e6:.1f}"
        rows.append(
            [each["engine"], minutes, f"{each['mebibytes']:.0f}", str(each["statements"]), moved]
        )
    header = ["rows held by", "about", "MiB", "statements", "MB moved"]
    return ["", console.table(header, rows, right=(2, 3, 4)), ""]


def _needs(document: dict[str, Any]) -> list[str]:
    """Say which cap a ledger needs for a plan that trains."""
    if "needs_cap" not in document:
        return []
    cap = document["needs_cap"]
    return [
        f"needs  a ledger with a cap of at least (epsilon {_shown(cap['epsilon'])}, delta "
        f"{_shown(cap['delta'])}): a cap must hold for whatever is asked later, and counts "
        "training higher than a plan whose scales are all fixed"
    ]


def _reserve(document: dict[str, Any]) -> list[str]:
    """Say which part of delta goes to open columns, where there are any."""
    if "reserved_delta" not in document:
        return []
    return [
        f"where  {_shown(document['reserved_delta'])} of delta is set aside for the values of open "
        "columns, and rho goes with the rest"
    ]


def _training(document: dict[str, Any]) -> list[str]:
    """Say how a network is trained, where one is."""
    from fractions import Fraction

    found = []
    for event in (step["event"] for step in document["steps"]):
        if event["kind"] == "sampled_gaussian/v1":
            rate, noise = Fraction(event["rate"]), float(Fraction(event["noise_multiplier"]))
            who = document["unit"]["name"]
            each = f"every {who}" if rate == 1 else f"each {who} with chance {float(rate):.4g}"
            found.append(
                f"trains {event['steps']} steps, {each} in a batch; noise multiplier {noise:.4g}"
            )
    return found


def _pure_epsilon(step: dict[str, Any]) -> "Fraction":
    import dpsynth

    return dpsynth.claimed_epsilon([step["event"]], "0")


_NUMBER = re.compile(r" ([0-9]+) of [0-9]+$")


def _number(label: str) -> str:
    found = _NUMBER.search(label)
    return found.group(1) if found else ""


def _runs(
    steps: Sequence[dict[str, Any]], costs: Sequence["Fraction"]
) -> list[list[tuple[dict[str, Any], "Fraction"]]]:
    """Put steps together that follow each other and differ in their number alone."""
    runs: list[list[tuple[dict[str, Any], Fraction]]] = []
    for step, cost in zip(steps, costs, strict=True):
        before = runs[-1][-1][0] if runs else None
        numbered = _NUMBER.search(step["label"]) is not None
        if before is not None and numbered and _kind(before) == _kind(step):
            runs[-1].append((step, cost))
        else:
            runs.append([(step, cost)])
    return runs


def _kind(step: dict[str, Any]) -> tuple[str, str, str]:
    return _NUMBER.sub(" of", step["label"]), step["phase"], str(step["event"])


def _duration(minutes: float) -> str:
    seconds = max(1, round(60 * minutes))
    return f"{seconds} s" if seconds < 120 else f"{minutes:.0f} minutes"


def _shown(text: str) -> str:
    from fractions import Fraction

    return parse.exact_text(Fraction(text))
