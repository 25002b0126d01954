"""The auditor's commands, registered by the entry point ``dpsynth.commands``.

``dpsynth audit, certify, verify, report, sign-off, conform, mutants, keys``.
"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attacks import conform
from attacks.mutants import cli as mutants
from dpsynth.cli import console

if TYPE_CHECKING:
    from attacks.verify import Verification

DONE, FAIL = 0, 1

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 1 also when INCONCLUSIVE.")]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key",
        metavar="FILE",
        help="Private signing key; without it a per-user key is used, and made if missing.",
    ),
]
Release = Annotated[Path, typer.Argument(metavar="DIR", help="A release, or its public folder.")]
Verifiable = Annotated[
    Path,
    typer.Argument(metavar="DIR", help="A release, its public folder, or what audit wrote."),
]


class Split(StrEnum):
    """How members and controls were told apart."""

    random = "random"
    unknown = "unknown"


class Tier(StrEnum):
    """How many persons to attack."""

    smoke = "smoke"
    standard = "standard"
    full = "full"


class Decision(StrEnum):
    """What a person decided about a release."""

    approved = "approved"
    rejected = "rejected"
    withdrawn = "withdrawn"


def register(app: typer.Typer) -> None:
    """Add the auditor's commands to the program."""
    app.command("audit")(audit)
    app.command("certify")(certify)
    app.command("verify")(verify)
    app.command("report")(report)
    app.command("sign-off")(sign_off)
    conform.register(app)
    mutants.register(app)
    keys = typer.Typer(no_args_is_help=True, help="Make and show signing keys.")
    keys.command("new")(keys_new)
    keys.command("show")(keys_show)
    app.add_typer(keys, name="keys")


def exit_code(verdict: str, *, strict: bool) -> int:
    """Return the code for a verdict: only FAIL is a failed gate, unless ``strict``."""
    return DONE if verdict == "PASS" or (verdict == "INCONCLUSIVE" and not strict) else FAIL


def _finish(verdict: str, *, strict: bool) -> typer.Exit:
    if verdict == "INCONCLUSIVE":
        console.warn("INCONCLUSIVE: nothing failed, and not everything required could be shown")
    return typer.Exit(exit_code(verdict, strict=strict))


def audit(
    synthetic: Annotated[
        Path, typer.Option("--synthetic", metavar="FILE", help="The table under suspicion.")
    ],
    members: Annotated[
        Path, typer.Option("--members", metavar="FILE", help="Rows of persons it was made from.")
    ],
    controls: Annotated[
        Path, typer.Option("--controls", metavar="FILE", help="Rows of persons it was not.")
    ],
    schema: Annotated[
        Path, typer.Option("--schema", metavar="FILE", help="Declared columns, unit and roles.")
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="A new folder for the internal report.")
    ],
    split: Annotated[
        Split,
        typer.Option("--split", help="random: told apart by a coin; unknown gives no p-value."),
    ] = Split.unknown,
    tier: Annotated[
        Tier, typer.Option("--tier", help="How many persons to attack.")
    ] = Tier.standard,
    control_share: Annotated[
        float | None,
        typer.Option(
            "--control-share",
            metavar="SHARE",
            help="Chance of the coin that made a person a control: adds bounds on epsilon.",
        ),
    ] = None,
    delta: Annotated[
        float,
        typer.Option("--delta", metavar="DELTA", help="At which bounds on epsilon are stated."),
    ] = 1e-6,
    time_limit: Annotated[
        float | None,
        typer.Option("--time-limit", metavar="SECONDS", help="No attack starts after so long."),
    ] = None,
    attacker: Annotated[
        list[str] | None,
        typer.Option(
            "--attacker",
            metavar="NAME",
            help="Also guess as: neighbor, insurer, 'registry holder'. Repeatable.",
        ),
    ] = None,
    knows: Annotated[
        list[str] | None,
        typer.Option(
            "--knows",
            metavar="PART=COLUMN[,COLUMN]",
            help="Columns that hold a part of what an attacker knows, as zip=postcode. Repeatable.",
        ),
    ] = None,
    every_column: Annotated[
        bool,
        typer.Option(
            "--every-column",
            help="Who knows all columns but one guesses those that are not sensitive, too.",
        ),
    ] = False,
    subgroup: Annotated[
        list[str] | None,
        typer.Option(
            "--subgroup",
            metavar="COLUMN",
            help="Lines for each group of this column, in place of the quasi-identifiers.",
        ),
    ] = None,
    synthesizer: Annotated[
        str | None,
        typer.Option("--synthesizer", metavar="NAME", help="The kind of synthesizer, if known."),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", metavar="FILE", help="Limits of the verdict, as TOML."),
    ] = None,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-on",
            metavar="WHAT",
            help="Exit 1 on: fail (usual), inconclusive, never, or a failed attack of a family, "
            "such as membership. Repeatable.",
        ),
    ] = None,
    ledger: Annotated[
        Path | None,
        typer.Option("--ledger", metavar="FILE", help="Register this look at real rows here."),
    ] = None,
    persons: Annotated[
        int | None,
        typer.Option(
            "--persons",
            metavar="N",
            min=1,
            help="Draw so many persons, members and controls together, by a keyed hash; all if not "
            "given. The synthetic table is never thinned.",
        ),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            metavar="NAME",
            help="Of the synthetic table: frame holds it in memory, duckdb streams it from disk; "
            "auto decides by its size.",
        ),
    ] = "auto",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the audit's own choices.")] = 0,
    key: KeyFile = None,
    strict: Strict = False,
    json: Json = False,
) -> None:
    """Attack a synthetic table, made by this or any other tool, and write an internal report.

    The result is a function of real rows outside any guarantee: it is for the custodian alone.
    """
    console.refuse_existing(out)

    import dpsynth
    from attacks import demands, dossier
    from attacks import keys as signing
    from attacks.audit import audit as attack
    from attacks.report import terminal
    from dpsynth.release import atomic, bundle

    demanded = demands.demanded([*(fail_on or []), *(["inconclusive"] if strict else [])])
    limits = demands.limits(policy)
    parts = demands.knows(knows or [])
    signer = signing.signing_key(key)
    with console.Steps() as step:
        step("reading the tables")
        declared = dpsynth.Schema.read(schema)
        declared.require_closed()
        suspect = dpsynth.open_rows(synthetic, declared, persons=False)
        inside, outside = (dpsynth.open_rows(path, declared) for path in (members, controls))
        if ledger is not None:
            step("registering the look in the ledger")
            with dpsynth.Ledger.open(ledger) as book:
                book.record_look(subject=synthetic.name, reason=f"audit, tier {tier.value}")
        found = attack(
            suspect,
            inside,
            outside,
            declared,
            split=split.value,
            control_share=control_share,
            tier=tier.value,
            seed=seed,
            delta=delta,
            time_limit=time_limit,
            limits=limits,
            subgroups_of=subgroup,
            attackers=attacker or (),
            knows=parts,
            every_column=every_column,
            synthesizer=synthesizer,
            persons=persons,
            engine=engine,
            progress=step,
        )
        step("writing the internal report")
        with atomic.folder(out, mode=bundle.PRIVATE_MODE) as building:
            dossier.certify_internal(building, found, fidelity=None, key=signer, public=None)
    console.emit(
        {
            **found.to_dict(),
            "claim": dossier.NO_CLAIM,
            "directory": str(out),
            "signer": signer.public.fingerprint,
        },
        as_json=json,
        text=lambda: "\n".join(
            [
                terminal.attack_text(found.to_dict(), table=console.table),
                "",
                found.sentence,
                "claim: no claim; this says what these attacks found, and proves no guarantee",
                f"report, for the custodian alone: {out}/report.html",
            ]
        ),
    )
    if found.verdict == "INCONCLUSIVE":
        console.warn("INCONCLUSIVE: nothing failed, and not everything required could be shown")
    raise typer.Exit(FAIL if demands.failed(found, demanded) else DONE)


def certify(
    directory: Release,
    key: KeyFile = None,
    policy: Annotated[
        str | None,
        typer.Option("--policy", metavar="NAME", help="A preset's name, or a policy file."),
    ] = None,
    strict: Strict = False,
    json: Json = False,
) -> None:
    """Certify a public folder that has no certificate yet; reads public files only."""
    from attacks.certificate import certify as sign

    with console.Steps() as step:
        step("testing the mechanism on artificial rows, and signing")
        made = sign(directory, key=key, rule=policy)
    console.emit(
        {
            "directory": str(directory),
            "verdict": made.verdict,
            "reasons": list(made.reasons),
            "fingerprint": made.fingerprint,
        },
        as_json=json,
        text=lambda: "\n".join(
            [f"{made.verdict}; signed by {made.fingerprint}", *_indented(made.reasons)]
        ),
    )
    raise _finish(made.verdict, strict=strict)


def verify(
    directory: Verifiable,
    trust: Annotated[
        list[Path] | None,
        typer.Option(
            "--trust",
            metavar="PUBKEY",
            help="A public key that may have signed; give it again for each other key, such as an "
            "officer's who signs off. Any other key ends with exit 5.",
        ),
    ] = None,
    strict: Strict = False,
    json: Json = False,
) -> None:
    """Check every byte of a release, its claim and verdict, offline; exit 5 names what broke."""
    from attacks.verify import verify as check

    found = check(directory, trust=trust)
    console.emit(found.to_dict(), as_json=json, text=lambda: _verified(found))
    raise _finish(found.verdict, strict=strict)


def _verified(found: "Verification") -> str:
    from attacks.report.wording import number

    if found.claim is None:
        return "\n".join([found.sentence, *_indented(found.reasons), found.policy_sentence])
    claim = found.claim
    lines = [
        found.sentence,
        f"public verdict {found.verdict}: {found.policy_sentence}",
        *_indented(found.reasons),
        f"claim: (epsilon {number(claim['epsilon'])}, delta {number(claim['delta'])})-DP under "
        f"adding or removing one {claim['unit']}",
    ]
    if found.internal_verdict is not None:
        other = ""
        if found.internal_fingerprint != found.fingerprint:
            other = f"; signed by another key than the certificate ({found.internal_fingerprint})"
        lines.append(f"internal verdict {found.internal_verdict}, for the custodian alone{other}")
    return "\n".join([*lines, *(signed.sentence for signed in found.sign_offs)])


def report(
    directory: Verifiable,
    internal: Annotated[
        bool, typer.Option("--internal", help="The custodian's report instead of the public one.")
    ] = False,
    json: Json = False,
) -> None:
    """Verify a release, print its summary (Markdown), and say where the HTML report is."""
    from attacks.verify import verify as check
    from dpsynth.errors import UsageError
    from dpsynth.release import bundle

    found = check(directory)
    folder = directory if found.claim is None else bundle.public_folder(directory)
    if internal and found.claim is not None:
        folder = directory / bundle.INTERNAL
        if found.internal_verdict is None:
            raise UsageError(f"{directory} holds no internal folder, so no internal report")
    summary = (folder / bundle.SUMMARY).read_text(encoding="utf-8")
    verdict = found.internal_verdict if internal else found.verdict
    page = folder / bundle.REPORT
    console.note(f"full report: {page}")
    console.emit(
        {"report": str(page), "summary": summary, "verdict": verdict},
        as_json=json,
        text=lambda: summary,
    )


def sign_off(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A release with both folders.")],
    decision: Annotated[Decision, typer.Option("--decision", help="What was decided.")],
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="Of who decided.")],
    role: Annotated[str, typer.Option("--role", metavar="TEXT", help="In which role.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")],
    key: KeyFile = None,
    json: Json = False,
) -> None:
    """Add a signed decision to the internal folder: a new file, never an edit."""
    from attacks import dossier
    from attacks import keys as signing

    path = dossier.sign_off(
        directory,
        key=signing.signing_key(key),
        name=name,
        role=role,
        decision=decision.value,
        reason=reason,
    )
    console.emit(
        {"decision": decision.value, "sign_off": str(path)},
        as_json=json,
        text=lambda: f"{path}: {decision.value} by {name} ({role}).",
    )


def keys_new(
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Private key; FILE.pub is made beside it. Else per user."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Make a key pair: the private key signs, the .pub file is for those who verify."""
    from attacks import keys as signing

    path = out
    if path is None:
        path = signing.config_home() / signing.USER_KEY
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = signing.new_key(path)
    public = path.with_name(path.name + signing.PUBLIC_SUFFIX)
    console.emit(
        {"private": str(path), "public": str(public), "fingerprint": made.public.fingerprint},
        as_json=json,
        text=lambda: (
            f"{path}: private; keep it, and keep it secret\n"
            f"{public}: public; give it to those who verify, by another way than the release\n"
            f"{made.public.fingerprint}"
        ),
    )


def keys_show(
    path: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A key; else the per-user one.")
    ] = None,
    json: Json = False,
) -> None:
    """Print the fingerprint of a key, private or public; never the private half."""
    from attacks import keys as signing
    from dpsynth.errors import UsageError

    shown = path if path is not None else signing.config_home() / signing.USER_KEY
    if not shown.is_file():
        raise UsageError(f"there is no key at {shown}; make one with: dpsynth keys new")
    if b"PRIVATE KEY" in shown.read_bytes()[: signing.LARGEST_KEY_FILE]:
        public = signing.load_private(shown).public
    else:
        public = signing.load_public(shown)
    console.emit(
        {"key": str(shown), "fingerprint": public.fingerprint},
        as_json=json,
        text=lambda: f"{public.fingerprint}  {shown}",
    )


def _indented(lines: tuple[str, ...]) -> list[str]:
    return [f"  {line}" for line in lines]
