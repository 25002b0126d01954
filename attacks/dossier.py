"""The custodian's dossier: what attacks and comparisons found on the real rows. Never published.

It is signed like the certificate and has its own verdict, by the rule of ``attacks.rules``. Nothing
in ``public/`` depends on it, not even whether ``public/`` exists.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attacks import keys, rules, statement
from attacks.audit_report import AuditReport
from attacks.limitations import LIMITATIONS
from dpsynth.errors import IntegrityError, UsageError
from dpsynth.release import atomic, bundle, canonical, manifest

KIND = "dpsynth/release-dossier/v1"
SIGN_OFF_KIND = "dpsynth/release-sign-off/v1"
DECISIONS = ("approved", "rejected", "withdrawn")
CLAIM, NO_CLAIM = "see certificate", "no claim"
UNSIGNED_NAMES = frozenset({bundle.DOSSIER, bundle.DOSSIER_SIGNATURE, manifest.NAME})

Renderer = Callable[[Path, dict[str, Any]], object]


@dataclass(frozen=True, kw_only=True)
class Dossier:
    """What was signed for the custodian.

    Attributes:
        verdict: PASS, FAIL or INCONCLUSIVE, of the attacks on real rows.
        sentence: the verdict for a person.
        fingerprint: of the key that signed.
        predicate: everything that the dossier says.
    """

    verdict: str
    sentence: str
    fingerprint: str
    predicate: Mapping[str, Any]


def certify_internal(
    internal: Path,
    report: AuditReport,
    *,
    fidelity: Mapping[str, object] | None,
    key: keys.SigningKey,
    public: Path | None,
    render: Renderer | None = None,
    date: str | None = None,
    versions: Mapping[str, str] | None = None,
    evaluation: Mapping[str, object] | None = None,
) -> Dossier:
    """Write the internal files, their dossier, its signature and the manifest, in this order.

    Args:
        internal: an empty folder, usually under its temporary name still.
        report: what the attacks found.
        fidelity: how close the release is to the real rows, or None where that was not measured.
        key: signs.
        public: the certified public folder that this speaks of, or None for a table made by
            another tool, for which no claim is known.
        render: writes report.html and summary.md; ours if not given.
        date: day of the dossier, today if not given.
        versions: of the software, this one's if not given.
        evaluation: what ``dpsynth evaluate`` found; shown in the place of ``fidelity``.
    """
    bundle.write_internal(
        internal, audit=report.to_dict(), fidelity=fidelity, evaluation=evaluation
    )
    release = None
    if public is not None:
        release = {"certificate": manifest.digest(public / bundle.CERTIFICATE)}
    predicate: dict[str, Any] = {
        "release": release,
        "claim": NO_CLAIM if public is None else CLAIM,
        "rule": rules.RULE,
        "verdict": report.verdict,
        "sentence": report.sentence,
        "split": report.split,
        "tier": report.tier,
        "attacks": [{"name": found.name, "status": found.status} for found in report.results],
        "date": date or statement.today(),
        "versions": dict(statement.versions() if versions is None else versions),
        "limitations": list(LIMITATIONS),
    }
    (_render if render is None else render)(internal, predicate)
    files = {
        name: digest
        for name, digest in manifest.digests(internal).items()
        if name not in UNSIGNED_NAMES
    }
    statement.write_signed(
        internal / bundle.DOSSIER,
        internal / bundle.DOSSIER_SIGNATURE,
        statement.statement(files, kind=KIND, predicate=predicate),
        shape="dossier",
        key=key,
    )
    manifest.write(internal)
    return Dossier(
        verdict=report.verdict,
        sentence=report.sentence,
        fingerprint=key.public.fingerprint,
        predicate=predicate,
    )


def audit_of(internal: Path, predicate: Mapping[str, Any]) -> AuditReport:
    """Read the stored counts and hold status and verdict of the dossier against them.

    Raises:
        IntegrityError: the counts give another verdict, or are malformed.
    """
    document = canonical.read(internal / bundle.AUDIT)
    malformed = IntegrityError(f"{bundle.AUDIT} is not an audit as dpsynth writes it")
    if document.get("rule") != rules.RULE or predicate["rule"] != rules.RULE:
        raise IntegrityError(f"{bundle.AUDIT} was judged by another rule than {rules.RULE}")
    try:
        report = AuditReport.from_dict(document)
        judged = report.judgments
        told = {found.name.partition("@")[0].partition("(")[0] for found in judged}
        untold = set(report.plan.get("attacks", ())) - told
    except (AttributeError, KeyError, TypeError, ValueError):
        raise malformed from None
    if untold:
        raise IntegrityError(f"{bundle.AUDIT} says nothing of an attack that was planned")
    statuses = [{"name": found.name, "status": found.status} for found in judged]
    if statuses != list(predicate["attacks"]) or statuses != [
        {"name": found.name, "status": found.status} for found in report.results
    ]:
        raise IntegrityError(f"a status in {bundle.DOSSIER} does not follow from the stored counts")
    if not report.verdict == document.get("verdict") == predicate["verdict"]:
        raise IntegrityError(
            f"the verdict in {bundle.DOSSIER} does not follow from the stored counts"
        )
    said = (predicate["split"], predicate["tier"], predicate["sentence"])
    if said != (report.split, report.tier, report.sentence):
        raise IntegrityError(f"{bundle.DOSSIER} does not describe {bundle.AUDIT}")
    return report


def sign_off(
    directory: Path | str,
    *,
    key: keys.SigningKey,
    name: str,
    role: str,
    decision: str,
    reason: str,
    date: str | None = None,
) -> Path:
    """Add a signed decision to a release: a new file, never an edit. Returns its path.

    Args:
        directory: the release, with both folders.
        key: of the person who decides.
        name: of that person.
        role: in which the person decides.
        decision: "approved", "rejected" or "withdrawn".
        reason: why, in words.
        date: of the decision, today if not given.

    Raises:
        UsageError: a field is empty, the decision is none of the three, or there is no dossier.
        IntegrityError: the release is not intact.
    """
    from attacks.verify import verify

    release = Path(directory)
    internal = release / bundle.INTERNAL
    if decision not in DECISIONS:
        raise UsageError(f"decision must be one of {', '.join(DECISIONS)}")
    for field, value in (("name", name), ("role", role), ("reason", reason)):
        if not value.strip():
            raise UsageError(f"{field} must not be empty")
    if not internal.is_dir():
        raise UsageError(f"{release} has no {bundle.INTERNAL} folder to keep a sign-off in")
    before = verify(release)
    folder = internal / bundle.SIGN_OFFS
    folder.mkdir(mode=bundle.PRIVATE_MODE, exist_ok=True)
    number = len(before.sign_offs) + 1
    path = folder / f"{number:04d}.json"
    statement.write_signed(
        path,
        path.with_suffix(".sig"),
        statement.statement(
            sign_off_subject(release, number=number),
            kind=SIGN_OFF_KIND,
            predicate={
                "decision": decision,
                "name": name,
                "role": role,
                "reason": reason,
                "date": date or statement.today(),
            },
        ),
        shape="sign-off",
        key=key,
    )
    atomic.sync_directory(internal)
    manifest.write(internal)
    return path


def sign_off_subject(release: Path, *, number: int) -> dict[str, str]:
    """Return what the sign-off of this number speaks of: both documents, and the one before it.

    The signatures are named as well: who signed is part of what was decided on, so that none of
    these can be signed again by another key unnoticed.
    """
    named = {
        f"{bundle.PUBLIC}/{bundle.CERTIFICATE}",
        f"{bundle.PUBLIC}/{bundle.CERTIFICATE_SIGNATURE}",
        f"{bundle.INTERNAL}/{bundle.DOSSIER}",
        f"{bundle.INTERNAL}/{bundle.DOSSIER_SIGNATURE}",
    }
    if number > 1:
        before = f"{bundle.INTERNAL}/{bundle.SIGN_OFFS}/{number - 1:04d}"
        named |= {f"{before}.json", f"{before}.sig"}
    return {name: manifest.digest(release / name) for name in named}


def _render(internal: Path, predicate: dict[str, Any]) -> None:
    from attacks.report import render_internal

    render_internal(internal, predicate)
