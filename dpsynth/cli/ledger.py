"""``dpsynth ledger``: declare, show and check what may be spent on a table."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dpsynth.cli import console, parse
from dpsynth.cli.options import Json
from dpsynth.errors import IntegrityError

Existing = Annotated[Path, typer.Argument(metavar="LEDGER", help="A ledger file.")]


def register(app: typer.Typer) -> None:
    """Add the group to the program."""
    group = typer.Typer(
        no_args_is_help=True, help="The privacy ledger of one table: one file, for all time."
    )
    group.command("init")(init)
    group.command("show")(show)
    group.command("verify")(verify)
    app.add_typer(group, name="ledger")


def init(
    path: Annotated[Path, typer.Argument(metavar="LEDGER", help="A new ledger file.")],
    cap_epsilon: Annotated[
        str,
        typer.Option("--cap-epsilon", metavar="E", help="Most that may ever be spent; above 0."),
    ],
    cap_delta: Annotated[
        str, typer.Option("--cap-delta", metavar="D", help="Its delta, between 0 and 1.")
    ],
    open_categories: Annotated[
        bool,
        typer.Option(
            "--open-categories",
            help="Keep half of the delta for releases with open columns, from the start; else "
            "the first release decides whether there may ever be any.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Make the ledger of one table, with the most that may ever be spent on its persons."""
    import dpsynth

    epsilon = parse.above_zero("--cap-epsilon", cap_epsilon)
    delta = parse.between_zero_and_one("--cap-delta", cap_delta)
    console.refuse_existing(path, what="the ledger")
    with dpsynth.Ledger.create(
        path, cap_epsilon=epsilon, cap_delta=delta, open_categories=open_categories
    ) as ledger:
        document = _summary(ledger)
    console.emit(
        {"ledger": str(path), **document},
        as_json=json,
        text=lambda: (
            f"{path}: at most (epsilon {parse.exact_text(epsilon)}, delta "
            f"{parse.exact_text(delta)}) may ever be spent on this table.\n"
            "Keep this file with the table, back it up after every release, and never roll it back."
        ),
    )


def show(path: Existing, json: Json = False) -> None:
    """Show what was spent on a table, entry by entry, and what is left."""
    import dpsynth

    with dpsynth.Ledger.open(path) as ledger:
        document = _summary(ledger)
        cap, entries = ledger.cap, ledger.entries()
        looks = ledger.looks()
    document["entries"] = [entry.to_dict() for entry in entries]
    document["looks"] = [dict(look) for look in looks]

    def text() -> str:
        rows = [
            [
                str(entry.index),
                entry.date,
                entry.release,
                entry.label,
                f"{float(cap.cost(entry.event)):.6f}",
            ]
            for entry in entries
        ]
        bill = (
            console.table(["#", "date", "release", "asked", "rho"], rows, right=(0, 4))
            if rows
            else ""
        )
        seeded = any(entry.seeded for entry in entries)
        return "\n".join(
            [
                *([bill, ""] if bill else ["no entry yet", ""]),
                f"cap    epsilon {document['cap']['epsilon']}, delta {document['cap']['delta']}",
                f"spent  epsilon {document['spent']['epsilon_at_cap_delta']:.4f} at that delta "
                f"({100 * document['spent']['share_of_cap']:.1f} % of the cap, in rho)",
                f"left   rho {document['left']['rho_value']:.6f}",
                *_order(document),
                *_reserves(document),
                f"looks  {len(looks)} at numbers computed from real rows outside the guarantee",
                *(["SEEDED entries: they protect nobody"] if seeded else []),
            ]
        )

    console.emit(document, as_json=json, text=text)


def _order(document: dict[str, Any]) -> list[str]:
    """Say what rho means where something trained."""
    if "order" not in document["cap"]:
        return []
    return [
        f"order  {document['cap']['order_value']:.2f}: training has no rho of its own, and counts "
        "as much as rho would at this Renyi order, which the cap fixes"
    ]


def _reserves(document: dict[str, Any]) -> list[str]:
    """Say what open columns have spent of delta, where any is kept for them."""
    if "reserved_delta" not in document["cap"]:
        return []
    return [
        f"open   columns: delta {document['spent']['reserved_delta']} spent of the "
        f"{document['cap']['reserved_delta']} that is kept for their values"
    ]


def verify(
    path: Existing,
    release: Annotated[
        list[Path] | None,
        typer.Option(
            "--release",
            metavar="DIR",
            help="A release of this table, which the ledger must still show; may be repeated.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Check that no entry of a ledger was changed, removed or reordered (exit code 5).

    A ledger put back to an older state is consistent in itself: only a release that it has
    forgotten shows it, so name the releases that you know of.
    """
    import dpsynth

    heads = [head for folder in release or [] for head in _heads(folder)]
    with dpsynth.Ledger.open(path) as ledger:
        ledger.verify(heads=heads)
        count = len(ledger.entries())
    console.emit(
        {"ledger": str(path), "intact": True, "entries": count},
        as_json=json,
        text=lambda: f"{path} is intact: {count} entries, each chained to the one before.",
    )


def _heads(folder: Path) -> list[str]:
    """Return the digests of the entries that a release shows."""
    from dpsynth.release import canonical, public_folder
    from dpsynth.release.bundle import LEDGER

    entries = canonical.read(public_folder(folder) / LEDGER).get("entries")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise IntegrityError(f"{folder} does not hold the ledger extract of a release")
    return [str(entry.get("digest")) for entry in entries]


def _summary(ledger: Any) -> dict[str, Any]:
    """Return cap, spent and left of an open ledger, exact and readable."""
    cap, spent = ledger.cap, ledger.spent
    used = ledger.spent_epsilon
    kept: dict[str, Any] = {}
    gone: dict[str, Any] = {}
    if ledger.trains:
        kept = {"order": str(cap.order), "order_value": float(cap.order)}
    if cap.reserved:
        kept |= {"reserved_delta": parse.exact_text(cap.reserved)}
        gone = {"reserved_delta": parse.exact_text(ledger.spent_delta)}
    return {
        "cap": {
            "epsilon": parse.exact_text(cap.epsilon),
            "delta": parse.exact_text(cap.delta),
            **kept,
            "rho": str(cap.rho),
        },
        "spent": {
            **gone,
            "rho": str(spent),
            "epsilon_at_cap_delta": float(used),
            "share_of_cap": float(spent / cap.rho),
        },
        "left": {"rho": str(cap.rho - spent), "rho_value": float(cap.rho - spent)},
    }
