"""Offline verification: nothing in a release is believed that can be worked out again.

In this order: the folder holds plain files only; its manifest, rebuilt, is the one on disk; the
certificate fits its JSON Schema and carries a good signature; it speaks of exactly the files that
are there; the claim, rebuilt from schema, plan and ledger extract by a fresh run of the accountant,
is the one stated; the verdict, recomputed from the stored checks, is the one stated. The internal
folder likewise, from its stored counts.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attacks import certificate, dossier, keys, policy, statement
from attacks.claim import read_claim
from dpsynth.errors import IntegrityError, UsageError
from dpsynth.release import bundle, canonical, manifest


@dataclass(frozen=True, kw_only=True)
class SignOff:
    """One signed decision about the release."""

    decision: str
    name: str
    role: str
    reason: str
    date: str
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What an intact release says.

    Attributes:
        verdict: of the certificate: PASS, FAIL or INCONCLUSIVE.
        reasons: a sentence for each thing that kept it from PASS.
        fingerprint: of the key that signed the certificate.
        trusted: whether that is the key that the caller trusts.
        claim: the certificate's, rebuilt.
        internal_verdict: of the dossier, or None where only the public folder was there.
        sign_offs: decisions, oldest first.
        files: how many files were checked.
    """

    verdict: str
    reasons: tuple[str, ...]
    fingerprint: str
    trusted: bool
    claim: Mapping[str, Any]
    internal_verdict: str | None
    sign_offs: tuple[SignOff, ...]
    files: int

    @property
    def sentence(self) -> str:
        """The result for a person, in one sentence."""
        if self.trusted:
            return f"intact; signed by the trusted key {self.fingerprint}"
        return f"intact; signer not checked ({self.fingerprint})"

    def to_dict(self) -> dict[str, object]:
        """Write as a JSON-able document."""
        return {
            "intact": True,
            "trusted": self.trusted,
            "sentence": self.sentence,
            "fingerprint": self.fingerprint,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "claim": dict(self.claim),
            "internal_verdict": self.internal_verdict,
            "sign_offs": [vars(found) for found in self.sign_offs],
            "files": self.files,
        }


def verify(directory: Path | str, *, trust: Path | None = None) -> Verification:
    """Verify a release, or its public folder alone. Needs no network and no private data.

    Args:
        directory: the release, or its public folder.
        trust: the public key that must have signed; without it the signer stays unchecked, and
            the result says so.

    Raises:
        IntegrityError: a byte, a name, a sum, a status, a verdict or the signer is not as it
            should be; the message names the file.
        UsageError: there is no such folder, or ``trust`` is not a public key.
    """
    trusted = None if trust is None else keys.load_public(trust)
    directory = Path(directory)
    if not directory.is_dir():
        raise UsageError(f"there is no folder {directory}")
    try:
        return _verify(directory, trusted)
    except IntegrityError:
        raise
    except (OSError, RecursionError) as error:
        raise IntegrityError(f"{directory} cannot be read to its end: {error}") from error


def _verify(directory: Path, trusted: keys.PublicKey | None) -> Verification:
    whole = os.path.lexists(directory / bundle.PUBLIC)
    public = directory / bundle.PUBLIC if whole else directory
    internal = directory / bundle.INTERNAL
    if whole:
        _require_only_folders(directory)
    files, predicate, key = _public(public)
    _require_trust(key, trusted, name=bundle.CERTIFICATE)
    internal_verdict: str | None = None
    sign_offs: tuple[SignOff, ...] = ()
    if whole and internal.is_dir():
        inside, internal_verdict, sign_offs = _internal(directory, files, trusted)
        files = {**files, **{f"{bundle.INTERNAL}/{name}": seen for name, seen in inside.items()}}
    return Verification(
        verdict=predicate["verdict"],
        reasons=tuple(predicate["reasons"]),
        fingerprint=key.fingerprint,
        trusted=trusted is not None,
        claim=predicate["claim"],
        internal_verdict=internal_verdict,
        sign_offs=sign_offs,
        files=len(files),
    )


def _public(public: Path) -> tuple[dict[str, str], dict[str, Any], keys.PublicKey]:
    files = manifest.check(public)
    _require_files(
        files,
        bundle.CERTIFICATE,
        bundle.CERTIFICATE_SIGNATURE,
        bundle.LEDGER,
        bundle.PLAN,
        bundle.SCHEMA,
        bundle.PARQUET,
        bundle.CSV,
        bundle.REPORT,
        bundle.SUMMARY,
    )
    content, key = statement.read_signed(
        public / bundle.CERTIFICATE, public / bundle.CERTIFICATE_SIGNATURE, shape="certificate"
    )
    signed = {name: seen for name, seen in files.items() if name not in certificate.UNSIGNED_NAMES}
    statement.require_subject(content, signed, name=bundle.CERTIFICATE)
    predicate: dict[str, Any] = content["predicate"]
    _require_claim(predicate["claim"], read_claim(public))
    if predicate["claim"]["seeded"]:
        raise IntegrityError(
            f"{bundle.CERTIFICATE} certifies a release whose noise came from a known seed"
        )
    verdict = policy.public_verdict(
        predicate["claim"], predicate["conformance"], policy.policy_from_dict(predicate["policy"])
    )
    if (verdict.outcome, list(verdict.reasons)) != (predicate["verdict"], predicate["reasons"]):
        raise IntegrityError(
            f"the verdict in {bundle.CERTIFICATE} does not follow from its claim, checks and policy"
        )
    return files, predicate, key


def _internal(
    release: Path, public_files: Mapping[str, str], trusted: keys.PublicKey | None
) -> tuple[dict[str, str], str, tuple[SignOff, ...]]:
    internal = release / bundle.INTERNAL
    files = manifest.check(internal)
    _require_files(
        files,
        bundle.AUDIT,
        bundle.DOSSIER,
        bundle.DOSSIER_SIGNATURE,
        bundle.REPORT,
        bundle.SUMMARY,
    )
    content, key = statement.read_signed(
        internal / bundle.DOSSIER, internal / bundle.DOSSIER_SIGNATURE, shape="dossier"
    )
    _require_trust(key, trusted, name=f"{bundle.INTERNAL}/{bundle.DOSSIER}")
    later = {name: seen for name, seen in files.items() if name.startswith(f"{bundle.SIGN_OFFS}/")}
    signed = {
        name: seen
        for name, seen in files.items()
        if name not in dossier.UNSIGNED_NAMES and name not in later
    }
    statement.require_subject(content, signed, name=bundle.DOSSIER)
    predicate: dict[str, Any] = content["predicate"]
    if predicate["release"] != {"certificate": public_files[bundle.CERTIFICATE]}:
        raise IntegrityError(f"{bundle.DOSSIER} speaks of another certificate")
    report = dossier.audit_of(internal, predicate)
    return files, report.verdict, _sign_offs(release, later)


def _sign_offs(release: Path, files: Mapping[str, str]) -> tuple[SignOff, ...]:
    count = len(files) // 2
    numbered = {
        f"{bundle.SIGN_OFFS}/{number:04d}{suffix}"
        for number in range(1, count + 1)
        for suffix in (".json", ".sig")
    }
    if odd := sorted(numbered ^ files.keys()):
        raise IntegrityError(f"sign-offs are numbered without gaps, each signed; see {odd[0]!r}")
    found = []
    for number in range(1, count + 1):
        path = release / bundle.INTERNAL / bundle.SIGN_OFFS / f"{number:04d}.json"
        content, key = statement.read_signed(path, path.with_suffix(".sig"), shape="sign-off")
        statement.require_subject(
            content,
            dossier.sign_off_subject(release, number=number),
            name=f"{bundle.SIGN_OFFS}/{path.name}",
        )
        found.append(SignOff(**content["predicate"], fingerprint=key.fingerprint))
    return tuple(found)


def _require_only_folders(directory: Path) -> None:
    """Raise unless a release holds its two folders, as folders, and nothing else."""
    known = {bundle.PUBLIC, bundle.INTERNAL}
    for path in sorted(directory.iterdir()):
        if path.name not in known:
            raise IntegrityError(f"{path.name!r} in {directory.name} does not belong to a release")
        if path.is_symlink() or not path.is_dir():
            raise IntegrityError(f"{path.name!r} in {directory.name} is not a folder of its own")


def _require_files(files: Mapping[str, str], *names: str) -> None:
    missing = [repr(name) for name in names if name not in files]
    if missing:
        raise IntegrityError(f"not a certified release: {', '.join(missing)} is missing")


def _require_trust(key: keys.PublicKey, trusted: keys.PublicKey | None, *, name: str) -> None:
    if trusted is not None and key != trusted:
        raise IntegrityError(
            f"{name} was signed by {key.fingerprint}, not by the trusted key {trusted.fingerprint}"
        )


def _require_claim(stated: Mapping[str, object], rebuilt: Mapping[str, object]) -> None:
    for field in sorted(stated.keys() | rebuilt.keys()):
        if canonical.dumps(stated.get(field)) != canonical.dumps(rebuilt.get(field)):
            raise IntegrityError(
                f"claim.{field} in {bundle.CERTIFICATE} does not follow from the files beside it"
            )
