"""Ed25519 keys and the signature file that stands beside a signed document.

What is signed is the DSSE pre-authentication encoding of the document's exact bytes, so that a
signature made here can never be mistaken for one over something else. The signature file carries
the public key for convenience; a key that travels with what it signs proves nothing by itself.
"""

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dpsynth.errors import IntegrityError, UnfitEnvironmentError, UsageError
from dpsynth.release import canonical

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

FORMAT = "dpsynth-signature/1"
ALGORITHM = "ed25519"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
USER_KEY = "signing-key.pem"
PUBLIC_SUFFIX = ".pub"
LARGEST_KEY_FILE = 16_384


@dataclass(frozen=True, kw_only=True)
class PublicKey:
    """A key that checks signatures.

    Args:
        raw: the 32 bytes of an Ed25519 public key.
    """

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != 32:
            raise ValueError("an Ed25519 public key has 32 bytes")

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the key in DER form, as ``openssl pkey -pubin -outform DER`` writes it."""
        prefix = bytes.fromhex("302a300506032b6570032100")  # RFC 8410: an Ed25519 public key
        return "sha256:" + hashlib.sha256(prefix + self.raw).hexdigest()

    def accepts(self, signature: bytes, document: bytes) -> bool:
        """Tell whether ``signature`` was made over ``document`` with the matching private key."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, encoded(document))
        except (InvalidSignature, ValueError):
            return False
        return True


class SigningKey:
    """A key that signs. It shows its public half only."""

    def __init__(self, private: "Ed25519PrivateKey") -> None:
        self._private = private

    @property
    def public(self) -> PublicKey:
        """The half that may be given away."""
        return PublicKey(raw=_raw(self._private.public_key()))

    def sign(self, document: bytes) -> bytes:
        """Return the content of the signature file for ``document``."""
        return _signature_file(self.public, self._private.sign(encoded(document)))

    def __repr__(self) -> str:
        return f"SigningKey({self.public.fingerprint})"


def encoded(document: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding of ``document``."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(document), document)


def check_signature(
    signature_file: bytes, document: bytes, *, name: str, of: str = "the document"
) -> PublicKey:
    """Return the key that signed ``document``, or raise IntegrityError naming ``name`` and ``of``.

    This shows who signed; whether that key is to be trusted is another question.
    """
    fields = canonical.loads(signature_file, name=name)
    malformed = IntegrityError(f"{name} is not a signature as dpsynth writes it")
    if not isinstance(fields, dict):
        raise malformed
    try:
        key = PublicKey(raw=base64.b64decode(fields["key"], validate=True))
        signature = base64.b64decode(fields["signature"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise malformed from None
    # Rebuilt and compared whole: no second spelling of a signature, no field without a meaning.
    if _signature_file(key, signature) != signature_file:
        raise malformed
    if not key.accepts(signature, document):
        raise IntegrityError(f"{name} does not sign {of} as it is: one of the two was changed")
    return key


def new_key(path: Path) -> SigningKey:
    """Make a key pair: PEM at ``path``, readable by its owner only, and ``path``.pub beside it.

    Raises:
        UsageError: either file exists already; a key is never overwritten.
        UnfitEnvironmentError: the disk refuses.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    secret = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    shown = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    public_path = path.with_name(path.name + PUBLIC_SUFFIX)
    if os.path.lexists(public_path):
        raise UsageError(f"{public_path} exists already; a key is never overwritten")
    _write_new(path, secret, mode=0o600)
    _write_new(public_path, shown, mode=0o644)
    return SigningKey(private)


def load_private(path: Path) -> SigningKey:
    """Read a private key in PEM form; every fault is a UsageError in one sentence."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    data = _read(path)
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise UsageError(f"the key {path} can be read by others; type: chmod 600 {path}")
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{path} is not an Ed25519 private key in PEM form without a password")
    return SigningKey(key)


def load_public(path: Path) -> PublicKey:
    """Read a public key in PEM form; every fault is a UsageError in one sentence."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    data = _read(path)
    if b"PRIVATE KEY" in data:
        raise UsageError(f"{path} is a private key; give the public one, which ends in .pub")
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"{path} is not an Ed25519 public key in PEM form")
    return PublicKey(raw=_raw(key))


def config_home() -> Path:
    """Return the user's own folder: DPSYNTH_HOME, or dpsynth below XDG_CONFIG_HOME or ~/.config."""
    if home := os.environ.get("DPSYNTH_HOME"):
        return Path(home)
    if base := os.environ.get("XDG_CONFIG_HOME"):
        return Path(base) / "dpsynth"
    try:
        return Path.home() / ".config" / "dpsynth"
    except RuntimeError:
        raise UnfitEnvironmentError(
            "there is no home folder to keep a key in; set DPSYNTH_HOME or give --key"
        ) from None


def user_key() -> tuple[SigningKey, bool]:
    """Return this user's key, and whether it was made just now."""
    path = config_home() / USER_KEY
    if os.path.lexists(path):
        return load_private(path), False
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UnfitEnvironmentError(
            f"cannot make {path.parent} to keep a key in ({error.strerror}); give --key"
        ) from error
    return new_key(path), True


def signing_key(path: Path | None) -> SigningKey:
    """Return the key at ``path``, or this user's own, made on demand."""
    return user_key()[0] if path is None else load_private(path)


def _raw(key: "Ed25519PublicKey") -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def _signature_file(key: PublicKey, signature: bytes) -> bytes:
    return canonical.dumps(
        {
            "algorithm": ALGORITHM,
            "fingerprint": key.fingerprint,
            "format": FORMAT,
            "key": base64.b64encode(key.raw).decode(),
            "payload_type": PAYLOAD_TYPE,
            "signature": base64.b64encode(signature).decode(),
        }
    )


def _write_new(path: Path, data: bytes, *, mode: int) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
    except FileExistsError:
        raise UsageError(f"{path} exists already; a key is never overwritten") from None
    except OSError as error:
        raise UnfitEnvironmentError(f"cannot write {path}: {error.strerror}") from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(LARGEST_KEY_FILE)
    except OSError as error:
        raise UsageError(f"the key {path} cannot be read: {error.strerror}") from None
