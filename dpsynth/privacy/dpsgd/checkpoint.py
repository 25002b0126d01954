"""A training that was interrupted goes on: its state in one encrypted file.

The state holds the key of batches and noise: whoever reads it can take the noise off every gradient
that was released, so it is as secret as the rows. It is encrypted with a key that is held in memory
or in a file that only its owner can read, and is overwritten and removed after the last step.
"""

import io
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from dpsynth.errors import IntegrityError
from dpsynth.privacy.randomness import PrivacyRandom

_FORMAT = b"dpsynth-checkpoint/1"
_NONCE_BYTES = 12
_HEADER = "header"


class Checkpoint:
    """Where the state of one training is kept.

    Args:
        path: of the file; beside the ledger is a good place, a shared folder is not.
        key_file: holds the key, readable by its owner alone; made where it is missing. Where not
            given, the key stays in memory, and only this object can read what it wrote.
    """

    def __init__(self, path: Path | str, *, key_file: Path | str | None = None) -> None:
        self._path = Path(path)
        self._key_file = None if key_file is None else Path(key_file)
        self._key = PrivacyRandom().words(4).tobytes()
        if self._key_file is not None:
            self._key = _kept(self._key_file, self._key)

    @property
    def exists(self) -> bool:
        """Whether there is a state to go on from."""
        return self._path.exists()

    def write(self, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Replace the state, at once or not at all."""
        held: dict[str, Any] = {f"_{name}": each for name, each in arrays.items()}
        held[_HEADER] = np.frombuffer(json.dumps(header).encode("utf-8"), dtype=np.uint8)
        plain = io.BytesIO()
        np.savez(plain, **held)
        nonce = PrivacyRandom().words(2).tobytes()[:_NONCE_BYTES]
        sealed = nonce + AESGCM(self._key).encrypt(nonce, plain.getvalue(), _FORMAT)
        fresh = self._path.with_name(self._path.name + ".new")
        fresh.unlink(missing_ok=True)
        _write_private(fresh, sealed)
        fresh.replace(self._path)

    def read(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return what was written last.

        Raises:
            IntegrityError: the file was changed, or written with another key.
        """
        sealed = self._path.read_bytes()
        try:
            plain = AESGCM(self._key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _FORMAT)
        except (InvalidTag, ValueError) as error:
            raise IntegrityError(
                f"the checkpoint {self._path.name!r} was changed, or sealed with another key: "
                "the training cannot go on, and stays charged"
            ) from error
        with np.load(io.BytesIO(plain), allow_pickle=False) as held:
            arrays = {name[1:]: held[name] for name in held.files if name != _HEADER}
            return json.loads(held[_HEADER].tobytes()), arrays

    def destroy(self) -> None:
        """Forget the key, and overwrite and remove both files."""
        self._key = bytes(len(self._key))
        for path in (self._path, self._key_file):
            if path is None or not path.exists():
                continue
            with path.open("r+b") as file:
                file.write(bytes(path.stat().st_size))
                file.flush()
                os.fsync(file.fileno())
            path.unlink()

    def __repr__(self) -> str:
        return f"Checkpoint({self._path.name!r})"


def _kept(path: Path, fresh: bytes) -> bytes:
    """Return the key that a file holds; make the file where there is none."""
    with suppress(FileExistsError):
        _write_private(path, fresh)
        return fresh
    if path.stat().st_mode & 0o077:
        raise IntegrityError(f"the key {path.name!r} can be read by others: chmod 600 it")
    return path.read_bytes()


def _write_private(path: Path, content: bytes) -> None:
    """Write a new file that only its owner can read, down to the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
