"""Keys: made on demand, never overwritten, never readable by others, and each fault a sentence."""

import base64
import json
import stat
import subprocess
from shutil import which

import pytest

from attacks import keys
from dpsynth.errors import IntegrityError, UnfitEnvironmentError, UsageError
from dpsynth.release import canonical


def test_a_new_key_is_for_its_owner_alone(tmp_path):
    made = keys.new_key(tmp_path / "k.pem")
    assert stat.S_IMODE((tmp_path / "k.pem").stat().st_mode) == 0o600
    assert keys.load_private(tmp_path / "k.pem").public == made.public
    assert keys.load_public(tmp_path / "k.pem.pub") == made.public
    assert repr(made) == f"SigningKey({made.public.fingerprint})"


@pytest.mark.skipif(which("openssl") is None, reason="no openssl to compare with")
def test_the_fingerprint_is_what_openssl_shows(tmp_path):
    import hashlib

    made = keys.new_key(tmp_path / "k.pem")
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", tmp_path / "k.pem.pub", "-outform", "DER"],
        check=True,
        capture_output=True,
    ).stdout
    assert made.public.fingerprint == f"sha256:{hashlib.sha256(der).hexdigest()}"


@pytest.mark.parametrize("taken", ["k.pem", "k.pem.pub"])
def test_a_key_is_never_overwritten(tmp_path, taken):
    (tmp_path / taken).write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        keys.new_key(tmp_path / "k.pem")
    assert (tmp_path / taken).read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_key_that_others_can_read_is_refused(tmp_path):
    keys.new_key(tmp_path / "k.pem")
    (tmp_path / "k.pem").chmod(0o640)
    with pytest.raises(UsageError, match="chmod 600"):
        keys.load_private(tmp_path / "k.pem")


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_malformed_key_is_one_sentence(tmp_path, content):
    (tmp_path / "k").write_bytes(content)
    (tmp_path / "k").chmod(0o600)
    with pytest.raises(UsageError, match="Ed25519 private key"):
        keys.load_private(tmp_path / "k")
    with pytest.raises(UsageError, match="public"):
        keys.load_public(tmp_path / "k")
    with pytest.raises(UsageError, match="cannot be read"):
        keys.load_public(tmp_path / "none")


def test_another_kind_of_key_is_refused(tmp_path):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    other = X25519PrivateKey.generate()
    (tmp_path / "k").write_bytes(
        other.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (tmp_path / "k").chmod(0o600)
    (tmp_path / "k.pub").write_bytes(
        other.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    with pytest.raises(UsageError, match="not an Ed25519 private key"):
        keys.load_private(tmp_path / "k")
    with pytest.raises(UsageError, match="not an Ed25519 public key"):
        keys.load_public(tmp_path / "k.pub")


def test_the_private_key_is_not_taken_for_the_public_one(tmp_path):
    keys.new_key(tmp_path / "k.pem")
    with pytest.raises(UsageError, match="is a private key"):
        keys.load_public(tmp_path / "k.pem")


def test_the_users_key_is_made_once(tmp_path, monkeypatch):
    monkeypatch.setenv("DPSYNTH_HOME", str(tmp_path / "home"))
    first, new = keys.user_key()
    again, new_again = keys.user_key()
    assert (new, new_again) == (True, False)
    assert first.public == again.public == keys.signing_key(None).public
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


def test_where_the_users_key_lies(tmp_path, monkeypatch):
    monkeypatch.delenv("DPSYNTH_HOME", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert keys.config_home() == tmp_path / "dpsynth"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert keys.config_home() == tmp_path / ".config" / "dpsynth"


def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DPSYNTH_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(UnfitEnvironmentError, match="--key"):
        keys.user_key()


def test_a_signature_holds_for_its_document_only(key):
    signed = key.sign(b"document")
    assert keys.check_signature(signed, b"document", name="s") == key.public
    with pytest.raises(IntegrityError, match="does not sign"):
        keys.check_signature(signed, b"documenT", name="s")


def test_the_signature_is_bound_to_its_purpose(key):
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    signature = base64.b64decode(json.loads(key.sign(b"document"))["signature"])
    public = Ed25519PublicKey.from_public_bytes(key.public.raw)
    with pytest.raises(InvalidSignature):
        public.verify(signature, b"document")
    public.verify(signature, b"DSSEv1 28 application/vnd.in-toto+json 8 document")


@pytest.mark.parametrize("field", ["algorithm", "fingerprint", "format", "key", "payload_type"])
def test_no_field_of_a_signature_can_lie(key, stranger, field):
    fields = json.loads(key.sign(b"document"))
    fields[field] = json.loads(stranger.sign(b"document"))[field] + (
        "" if field in ("key", "fingerprint") else "x"
    )
    with pytest.raises(IntegrityError):
        keys.check_signature(canonical.dumps(fields), b"document", name="s")


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b'{"key":1,"signature":2}', b'{"key":"AA==","signature":"AA=="}', b"\xff"],
)
def test_a_malformed_signature_is_an_integrity_error(data):
    with pytest.raises(IntegrityError):
        keys.check_signature(data, b"document", name="s")


def test_a_second_spelling_of_a_signature_is_refused(key):
    fields = json.loads(key.sign(b"document"))
    with pytest.raises(IntegrityError, match="not a signature as"):
        keys.check_signature(canonical.dumps({**fields, "note": "x"}), b"document", name="s")
    with pytest.raises(IntegrityError, match="not a signature as"):
        keys.check_signature(json.dumps(fields).encode(), b"document", name="s")
