"""in-toto statements: which exact bytes a document speaks of, and what it says of them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from platform import machine, python_version, system
from typing import Any

from attacks import keys, shapes
from dpsynth.errors import IntegrityError
from dpsynth.release import atomic, canonical

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_DISTRIBUTIONS = ("dpsynth", "numpy", "scipy", "pandas", "pyarrow", "cryptography", "torch")


def statement(
    subject: Mapping[str, str], *, kind: str, predicate: Mapping[str, object]
) -> dict[str, object]:
    """Return the statement of ``predicate`` about files, given as name and SHA-256."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": name, "digest": {"sha256": subject[name]}} for name in sorted(subject)
        ],
        "predicateType": kind,
        "predicate": dict(predicate),
    }


def write_signed(
    document: Path,
    signature: Path,
    content: Mapping[str, object],
    *,
    shape: str,
    key: keys.SigningKey,
) -> None:
    """Write ``content``, which must fit the JSON Schema ``shape``, and then its signature."""
    data = canonical.dumps(content)
    shapes.require(canonical.loads(data, name=document.name), shape, name=document.name)
    atomic.write_bytes(document, data)
    atomic.write_bytes(signature, key.sign(data))


def read_signed(
    document: Path, signature: Path, *, shape: str
) -> tuple[dict[str, Any], keys.PublicKey]:
    """Return the signed content and the key that signed it.

    Raises:
        IntegrityError: malformed, or not what was signed.
    """
    content = shapes.read(document, shape)
    try:
        signed = signature.read_bytes()
    except OSError as error:
        raise IntegrityError(f"{signature.name} cannot be read: {error.strerror}") from None
    return content, keys.check_signature(
        signed, document.read_bytes(), name=signature.name, of=document.name
    )


def require_subject(content: Mapping[str, Any], files: Mapping[str, str], *, name: str) -> None:
    """Raise IntegrityError unless ``content`` speaks of exactly ``files``; name any that differ."""
    listed: Sequence[Mapping[str, Any]] = content["subject"]
    said = {str(item["name"]): str(item["digest"]["sha256"]) for item in listed}
    if len(said) != len(listed):
        raise IntegrityError(f"{name} lists a file twice")
    faults = [
        *(f"{file!r} is missing" for file in sorted(said.keys() - files.keys())),
        *(f"{file!r} is not among the signed files" for file in sorted(files.keys() - said.keys())),
        *(
            f"{file!r} is not the file that was signed"
            for file in sorted(said.keys() & files.keys())
            if said[file] != files[file]
        ),
    ]
    if faults:
        raise IntegrityError(f"{name} does not speak of these files: {', '.join(faults)}")


def versions() -> dict[str, str]:
    """Return the versions, and the platform, that a result may depend on."""
    found = {"python": python_version(), "platform": f"{system()} {machine()}"}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed as a distribution"
    return found


def today() -> str:
    """Return the day, in UTC: nothing finer is ever published."""
    return datetime.now(UTC).date().isoformat()
