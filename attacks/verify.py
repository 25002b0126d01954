"""Offline verification: nothing in a release is believed that can be worked out again.

In this order: the folder holds plain files only; its manifest, rebuilt, is the one on disk; the
certificate fits its JSON Schema and carries a good signature; it speaks of exactly the files that
are there; the claim, rebuilt from schema, plan and ledger extract by a fresh run of the accountant,
is the one stated; the statuses of the checks follow from their counts, and the verdict, recomputed
from those, is the one stated. The internal
folder likewise, from its stored counts, and so the folder of an audit of another tool's table,
about which nothing is claimed.
"""

import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from attacks import certificate, dossier, keys, policy, shapes, statement
from attacks.claim import read_claim, read_schema
from attacks.conformance import evidence
from attacks.verification import SignOff, Verification
from dpsynth.errors import IntegrityError, UsageError
from dpsynth.release import bundle, canonical, manifest

__all__ = ["SignOff", "Verification", "verify"]

_ROUNDING = Fraction(1, 10**8)  # of an epsilon that is computed in floating point


def verify(
    directory: Path | str, *, trust: Path | str | Sequence[Path | str] | None = None
) -> Verification:
    """Verify a release, its public folder alone, or an audit. Needs no network, no private data.

    Args:
        directory: the release, its public folder, or what ``dpsynth audit`` wrote.
        trust: public keys; one of them must have signed each signed document, sign-offs included.
            Without any the signers stay unchecked, and the result says so.

    Raises:
        IntegrityError: a byte, a name, a sum, a status, a verdict or the signer is not as it
            should be; the message names the file.
        UsageError: there is no such folder, or ``trust`` is not a public key.
    """
    named = [trust] if isinstance(trust, Path | str) else list(trust or ())
    trusted = tuple(keys.load_public(Path(path)) for path in named)
    directory = Path(directory)
    if not directory.is_dir():
        raise UsageError(f"there is no folder {directory}")
    try:
        return _verify(directory, trusted)
    except IntegrityError:
        raise
    except (OSError, RecursionError) as error:
        raise IntegrityError(f"{directory} cannot be read to its end: {error}") from error


def _verify(directory: Path, trusted: tuple[keys.PublicKey, ...]) -> Verification:
    whole = os.path.lexists(directory / bundle.PUBLIC)
    public = directory / bundle.PUBLIC if whole else directory
    internal = directory / bundle.INTERNAL
    if not whole and _is_audit(directory):
        return _audit(directory, trusted)
    if whole:
        _require_only_folders(directory)
    files, predicate, rule, key = _public(public)
    _require_trust(key, trusted, name=bundle.CERTIFICATE)
    internal_verdict: str | None = None
    internal_fingerprint: str | None = None
    sign_offs: tuple[SignOff, ...] = ()
    if whole and internal.is_dir():
        inside, content, inside_key, internal_verdict = _dossier(internal)
        internal_fingerprint = inside_key.fingerprint
        _require_trust(inside_key, trusted, name=f"{bundle.INTERNAL}/{bundle.DOSSIER}")
        said = content["predicate"]["release"], content["predicate"]["claim"]
        if said != ({"certificate": files[bundle.CERTIFICATE]}, dossier.CLAIM):
            raise IntegrityError(f"{bundle.DOSSIER} speaks of another certificate")
        sign_offs = _sign_offs(directory, inside, trusted)
        files = {**files, **{f"{bundle.INTERNAL}/{name}": seen for name, seen in inside.items()}}
    return Verification(
        verdict=predicate["verdict"],
        reasons=tuple(predicate["reasons"]),
        fingerprint=key.fingerprint,
        trusted=bool(trusted),
        claim=predicate["claim"],
        policy=rule,
        internal_verdict=internal_verdict,
        internal_fingerprint=internal_fingerprint,
        sign_offs=sign_offs,
        files=len(files),
    )


def _is_audit(directory: Path) -> bool:
    """Tell what ``dpsynth audit`` wrote from a public folder."""
    return os.path.lexists(directory / bundle.DOSSIER) and not os.path.lexists(
        directory / bundle.CERTIFICATE
    )


def _audit(directory: Path, trusted: tuple[keys.PublicKey, ...]) -> Verification:
    """Verify a dossier that stands alone: counts, statuses and verdict, and that it claims none."""
    files, content, key, verdict = _dossier(directory, sign_offs=False)
    _require_trust(key, trusted, name=bundle.DOSSIER)
    predicate: dict[str, Any] = content["predicate"]
    if predicate["release"] is not None or predicate["claim"] != dossier.NO_CLAIM:
        raise IntegrityError(
            f"{bundle.DOSSIER} speaks of a certificate: it is the internal folder of a release, "
            f"verified with the release around it"
        )
    return Verification(
        verdict=verdict,
        reasons=(predicate["sentence"],),
        fingerprint=key.fingerprint,
        trusted=bool(trusted),
        claim=None,
        policy=None,
        internal_verdict=verdict,
        internal_fingerprint=key.fingerprint,
        sign_offs=(),
        files=len(files),
    )


def _public(
    public: Path,
) -> tuple[dict[str, str], dict[str, Any], policy.Policy, keys.PublicKey]:
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
    _refuse_old(public / bundle.CERTIFICATE)
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
    rule = policy.policy_from_dict(predicate["policy"])
    if rule.to_dict() != predicate["policy"]:
        raise IntegrityError(f"the policy in {bundle.CERTIFICATE} is not written in lowest terms")
    _require_evidence(public, predicate["conformance"])
    verdict = policy.public_verdict(
        predicate["claim"], predicate["conformance"], rule, versions=predicate["versions"]
    )
    if (verdict.outcome, list(verdict.reasons)) != (predicate["verdict"], predicate["reasons"]):
        raise IntegrityError(
            f"the verdict in {bundle.CERTIFICATE} does not follow from its claim, checks and policy"
        )
    return files, predicate, rule, key


def _refuse_old(path: Path) -> None:
    """Raise where a certificate is of a version whose verdict rested on statuses alone."""
    if canonical.read(path, name=path.name).get("predicateType") == certificate.OLD:
        raise IntegrityError(
            f"{path.name} is of version 1, whose checks cannot be worked out again: verify it with "
            "the version of dpsynth that it names, or certify the files beside it anew"
        )


def _require_evidence(public: Path, found: Mapping[str, Any]) -> None:
    """Raise unless the trial was of this plan and schema, and its numbers carry its statuses."""
    plan = shapes.read(public / bundle.PLAN, "plan")
    if found["subject"] != evidence.digest_of(plan, read_schema(public / bundle.SCHEMA)):
        raise IntegrityError(
            f"the trial in {bundle.CERTIFICATE} is of another synthesizer, schema or budget than "
            "the files beside it"
        )
    evidence.require_sound(found)


def _dossier(
    internal: Path, *, sign_offs: bool = True
) -> tuple[dict[str, str], dict[str, Any], keys.PublicKey, str]:
    """Check a folder of attacks and its dossier; return its files, content, signer and verdict."""
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
    signed = {
        name: seen
        for name, seen in files.items()
        if name not in dossier.UNSIGNED_NAMES and not (sign_offs and _is_sign_off(name))
    }
    statement.require_subject(content, signed, name=bundle.DOSSIER)
    return files, content, key, dossier.audit_of(internal, content["predicate"]).verdict


def _is_sign_off(name: str) -> bool:
    return name.startswith(f"{bundle.SIGN_OFFS}/")


def _sign_offs(
    release: Path, inside: Mapping[str, str], trusted: tuple[keys.PublicKey, ...]
) -> tuple[SignOff, ...]:
    files = {name: seen for name, seen in inside.items() if _is_sign_off(name)}
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
        _require_trust(
            key, trusted, name=f"{bundle.INTERNAL}/{bundle.SIGN_OFFS}/{path.name} (a sign-off)"
        )
        found.append(
            SignOff(**content["predicate"], fingerprint=key.fingerprint, trusted=bool(trusted))
        )
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


def _require_trust(key: keys.PublicKey, trusted: tuple[keys.PublicKey, ...], *, name: str) -> None:
    """Raise where keys are trusted and this is none of them."""
    if trusted and key not in trusted:
        named = " or ".join(each.fingerprint for each in trusted)
        raise IntegrityError(
            f"{name} was signed by another key, {key.fingerprint}, not by the trusted key {named}"
        )


def _require_claim(stated: Mapping[str, object], rebuilt: Mapping[str, object]) -> None:
    trained = "order" in rebuilt
    if trained:
        _require_accounted(stated, rebuilt)
    for field in sorted(stated.keys() | rebuilt.keys()):
        if trained and field == "accounted_epsilon":
            continue
        if canonical.dumps(stated.get(field)) != canonical.dumps(rebuilt.get(field)):
            raise IntegrityError(
                f"claim.{field} in {bundle.CERTIFICATE} does not follow from the files beside it"
            )


def _require_accounted(stated: Mapping[str, object], rebuilt: Mapping[str, object]) -> None:
    """Raise unless the accounted epsilon of a release that trained is what follows, or more.

    Its sum of privacy losses is computed in floating point, which machines round differently, and
    a later accountant may find a smaller one; both it and what was stated must keep the claim.
    """
    said = canonical.exact_number(stated["accounted_epsilon"], name="claim.accounted_epsilon")
    found = canonical.exact_number(rebuilt["accounted_epsilon"], name="claim.accounted_epsilon")
    if said < found - _ROUNDING or max(said, found) > canonical.exact_number(
        rebuilt["epsilon"], name="claim.epsilon"
    ):
        raise IntegrityError(
            f"claim.accounted_epsilon in {bundle.CERTIFICATE} does not follow from the files "
            "beside it"
        )
