"""The public certificate: claim, evidence on artificial rows, policy, verdict; signed.

Order of writing: payload, report, ``certificate.json`` with the digests of all those, signature,
manifest. The report is drawn from the predicate and never shows the certificate's own digest.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attacks import keys, policy, shapes, statement
from attacks.claim import read_claim, read_schema
from attacks.conformance import evidence
from attacks.limitations import limitations_of
from dpsynth.errors import UsageError
from dpsynth.release import bundle, manifest, spreadsheet

KIND = "dpsynth/release-certificate/v2"
OLD = "dpsynth/release-certificate/v1"
UNSIGNED_NAMES = frozenset({bundle.CERTIFICATE, bundle.CERTIFICATE_SIGNATURE, manifest.NAME})

Renderer = Callable[[Path, dict[str, Any]], object]


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What was signed.

    Attributes:
        verdict: PASS, FAIL or INCONCLUSIVE.
        reasons: a sentence for each thing that kept it from PASS.
        fingerprint: of the key that signed.
        predicate: everything that the certificate says.
    """

    verdict: str
    reasons: tuple[str, ...]
    fingerprint: str
    predicate: Mapping[str, Any]


def certify(
    directory: Path | str,
    *,
    key: Path | None = None,
    conformance: Mapping[str, Any] | None = None,
    rule: policy.Policy | Path | str | None = None,
) -> Certificate:
    """Certify a finished public folder that has no certificate yet.

    Reads public files only: what this writes cannot depend on the real rows.

    Args:
        directory: a release, or its public folder.
        key: private signing key; without it the user's own, made on demand.
        conformance: of the mechanism, if it was tried already; see
            ``attacks.conformance.evidence``. Otherwise the smoke tier runs now.
        rule: the policy that gives the verdict: a preset's name, a policy file, or a Policy.

    Raises:
        UsageError: it is not a release, it is certified already, or the key is unusable.
        IntegrityError: its files were changed or contradict each other, or its noise came from a
            known seed.
    """
    public = bundle.public_folder(Path(directory))
    finished = (public / manifest.NAME).exists()
    if finished and (public / bundle.CERTIFICATE).exists():
        raise UsageError(f"{public} is certified already; a certificate is never edited")
    if finished:
        manifest.check(public)
        (public / manifest.NAME).unlink()  # until the new one stands, the folder is unfinished
    return certify_public(
        public, key=keys.signing_key(key), conformance=conformance, rule=policy.resolve(rule)
    )


def certify_public(
    public: Path,
    *,
    key: keys.SigningKey,
    conformance: Mapping[str, Any] | None = None,
    not_tested: Sequence[str] | None = None,
    rule: policy.Policy = policy.DEFAULT,
    render: Renderer | None = None,
    date: str | None = None,
    versions: Mapping[str, str] | None = None,
) -> Certificate:
    """Write report, certificate, signature and manifest into a folder that holds the payload.

    Args:
        public: the folder, usually under its temporary name still.
        key: signs.
        conformance: evidence of a trial of the mechanism; one runs now if not given.
        not_tested: what that trial leaves out; what ours leaves out if not given.
        rule: the policy that gives the verdict.
        render: writes report.html and summary.md from the predicate; ours if not given.
        date: day of the certificate, today if not given.
        versions: of the software, this one's if not given.

    Raises:
        IntegrityError: the payload contradicts itself, or its noise came from a known seed.
    """
    plan = shapes.read(public / bundle.PLAN, "plan")
    schema = read_schema(public / bundle.SCHEMA)
    if conformance is None:
        conformance = evidence.gather(plan, schema)
    if conformance["subject"] != evidence.digest_of(plan, schema):
        raise UsageError(
            "this release cannot be certified: what was put on trial is another synthesizer, "
            "schema or budget"
        )
    predicate = predicate_of(
        read_claim(public),
        conformance=conformance,
        not_tested=_not_tested(conformance) if not_tested is None else not_tested,
        rule=rule,
        date=date or statement.today(),
        versions=statement.versions() if versions is None else versions,
    )
    if predicate["claim"]["seeded"]:
        raise UsageError(
            "this release cannot be certified: its noise came from a known seed; run it again "
            "without one"
        )
    (_render if render is None else render)(public, predicate)
    files = {
        name: digest
        for name, digest in manifest.digests(public).items()
        if name not in UNSIGNED_NAMES
    }
    statement.write_signed(
        public / bundle.CERTIFICATE,
        public / bundle.CERTIFICATE_SIGNATURE,
        statement.statement(files, kind=KIND, predicate=predicate),
        shape="certificate",
        key=key,
    )
    manifest.write(public)
    return Certificate(
        verdict=predicate["verdict"],
        reasons=tuple(predicate["reasons"]),
        fingerprint=key.public.fingerprint,
        predicate=predicate,
    )


def predicate_of(
    claim: Mapping[str, object],
    *,
    conformance: Mapping[str, Any],
    not_tested: Sequence[str],
    rule: policy.Policy,
    date: str,
    versions: Mapping[str, str],
) -> dict[str, Any]:
    """Return everything that the certificate says; a pure function of its arguments."""
    verdict = policy.public_verdict(claim, conformance, rule, versions=versions)
    return {
        "claim": dict(claim),
        "conformance": dict(conformance),
        "not_tested": list(not_tested),
        "policy": rule.to_dict(),
        "verdict": verdict.outcome,
        "reasons": list(verdict.reasons),
        "csv": spreadsheet.RULE,
        "date": date,
        "versions": dict(versions),
        "limitations": limitations_of(claim),
    }


def _not_tested(conformance: Mapping[str, Any]) -> Sequence[str]:
    from attacks.conformance import Tier, not_tested

    return not_tested(Tier(conformance["tier"]))


def _render(public: Path, predicate: dict[str, Any]) -> None:
    from attacks.report import render_public

    render_public(public, predicate)
