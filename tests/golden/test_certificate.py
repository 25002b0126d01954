"""A release of version 2 as it was written once: it must verify for ever, and be made again.

Version 1, whose checks were words without the counts behind them, is refused by a sentence.

``release-v2/public`` was signed with the fixed key below, which protects nothing. If a change makes
these bytes differ, it has changed what a certificate means: give it a new version and keep both.

``python tests/golden/test_certificate.py`` signs the payload as it lies there with the fixed
key, by the very function that the test below calls.
"""

import json
import shutil
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from attacks import certificate, keys, shapes
from attacks.claim import read_schema
from attacks.conformance import evidence, follows
from attacks.conformance.checks import Check
from attacks.conformance.tiers import Tier
from attacks.verify import verify
from dpsynth.errors import IntegrityError
from dpsynth.release import canonical, manifest

OLD = Path(__file__).parent / "release-v1" / "public"
GOLDEN = Path(__file__).parent / "release-v2" / "public"
DATE = "2026-01-02"
VERSIONS = {"dpsynth": "0.1.0", "python": "3.11.0"}
CHECKS = [
    {
        "name": "noise/scale of discrete_gaussian(stddev 3)",
        "status": "passed",
        "component": "noise",
        "kind": "test",
        "audit": "law",
        "statistic": 1.0021,
        "level": 1e-8,
        "trials": 50_000,
        "given": {"rule": "energy", "sigma_squared": "9", "wider": True},
    },
    {"name": "selection", "status": "not applicable", "audit": "law"},
    {"name": "game", "status": "not applicable", "audit": "game"},
    *(
        {
            "name": f"{audit}/what must hold",
            "status": "passed",
            "component": audit,
            "kind": "witness",
            "audit": audit,
            "violations": 0,
            "trials": 8,
        }
        for audit in ("bill", "neighbors", "released", "randomness", "ledger", "raw")
    ),
]
FINGERPRINT = "sha256:a050837d85070582ccf7394b0988847cc312cb88259b894899f6f239cf1791a5"


def fixed_key():
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return keys.SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


@pytest.fixture(scope="module")
def key():
    return fixed_key()


def render(directory, predicate):
    for name in ("report.html", "summary.md"):
        (directory / name).write_text(f"{predicate['verdict']}\n")


def tried(public):
    plan = shapes.read(public / "plan.json", "plan")
    checks = [follows.ruled(Check.from_dict(check)) for check in CHECKS]
    return evidence.document_of(
        plan,
        read_schema(public / "schema.toml"),
        checks,
        tier=Tier.smoke,
        versions=VERSIONS,
        date=DATE,
    )


def certify(public, key):
    certificate.certify_public(
        public,
        key=key,
        conformance=tried(public),
        not_tested=["timing"],
        render=render,
        date=DATE,
        versions=VERSIONS,
    )


def strip(public):
    for name in (*certificate.UNSIGNED_NAMES, "report.html", "summary.md"):
        (public / name).unlink()


def test_an_old_release_still_verifies():
    found = verify(GOLDEN)
    assert (found.verdict, found.fingerprint) == ("PASS", FINGERPRINT)
    assert (found.claim["epsilon"], found.claim["max_rows"]) == ("1", 2)


def test_the_same_inputs_give_the_same_bytes(tmp_path, key):
    public = tmp_path / "public"
    shutil.copytree(GOLDEN, public)
    strip(public)
    certify(public, key)
    for name in manifest.names(GOLDEN):
        assert (public / name).read_bytes() == (GOLDEN / name).read_bytes(), name


def test_its_stored_numbers_decide(tmp_path):
    public = tmp_path / "public"
    shutil.copytree(GOLDEN, public)
    content = canonical.read(public / "certificate.json")
    checks = content["predicate"]["conformance"]["checks"]
    checks[0]["statistic"] = 0.95  # too little noise
    data = canonical.dumps(content)
    (public / "certificate.json").write_bytes(data)
    (public / "certificate.sig").write_bytes(fixed_key().sign(data))
    manifest.write(public)
    with pytest.raises(IntegrityError, match="status of the check 'noise/scale"):
        verify(public)


def test_the_version_before_is_refused_by_a_sentence():
    with pytest.raises(IntegrityError, match="version 1, whose checks cannot be worked out again"):
        verify(OLD)


def test_the_json_schema_accepts_it_as_any_reader_would():
    document = json.loads((GOLDEN / "certificate.json").read_text())
    Draft202012Validator(shapes.document("certificate")).validate(document)
    assert canonical.dumps(document) == (GOLDEN / "certificate.json").read_bytes()


if __name__ == "__main__":
    strip(GOLDEN)
    certify(GOLDEN, fixed_key())
