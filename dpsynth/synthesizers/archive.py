"""The arrays of a model on disk: plain numbers in a file that nothing is executed from.

Tables of a graphical model stand in ``model.npz``, weights of a network in ``model.safetensors``;
there the name, type and shape of every array are compared with what follows from ``model.json``
before any of them is made.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from dpsynth.errors import IntegrityError, UnfitEnvironmentError

NPZ = "model.npz"
SAFETENSORS = "model.safetensors"
_TYPES = {"F32": np.float32, "F64": np.float64, "I64": np.int64}

Expected = Mapping[str, tuple[type[np.generic], tuple[int, ...]]]


def require_safetensors() -> None:
    """Raise UnfitEnvironmentError where networks can be neither written nor read."""
    try:
        import safetensors.numpy  # noqa: F401  # asked for, not used
    except ImportError as error:
        raise UnfitEnvironmentError(
            "models of this kind are kept in the format safetensors, which is not installed: "
            "pip install safetensors"
        ) from error


def write_npz(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write ``arrays`` into ``folder``."""
    np.savez_compressed(folder / NPZ, **arrays)  # type: ignore[arg-type]  # names are not options


def read_npz(folder: Path) -> dict[str, NDArray[Any]]:
    """Read what ``write_npz`` wrote.

    Raises:
        IntegrityError: it is not such a file.
    """
    try:
        # Opened here, because numpy leaves a file open that turns out to be no archive.
        with (folder / NPZ).open("rb") as file, np.load(file, allow_pickle=False) as held:
            return {name: held[name] for name in held.files}
    except (OSError, TypeError, ValueError, EOFError, BadZipFile) as error:
        raise IntegrityError(f"{NPZ} is damaged") from error


def write_safetensors(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write ``arrays`` into ``folder``; equal arrays give equal bytes.

    Raises:
        UnfitEnvironmentError: safetensors is not installed.
    """
    require_safetensors()
    from safetensors.numpy import save

    held = {name: np.ascontiguousarray(each) for name, each in sorted(arrays.items())}
    (folder / SAFETENSORS).write_bytes(save(held))


def read_safetensors(folder: Path, expected: Expected) -> dict[str, NDArray[Any]]:
    """Read what ``write_safetensors`` wrote, if it is what is ``expected``.

    Args:
        folder: of the model.
        expected: type and shape of every array by name. Nothing is made of an array of another.

    Raises:
        UnfitEnvironmentError: safetensors is not installed.
        IntegrityError: it is not such a file, or holds other arrays.
    """
    require_safetensors()
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / SAFETENSORS, framework="numpy") as held:
            found = {}
            for name in held.keys():  # noqa: SIM118  # no mapping
                part = held.get_slice(name)
                found[name] = _TYPES.get(part.get_dtype()), tuple(part.get_shape())
            if found != dict(expected):
                raise IntegrityError(f"{SAFETENSORS} holds other arrays than model.json describes")
            return {name: held.get_tensor(name) for name in expected}
    except (OSError, SafetensorError) as error:
        raise IntegrityError(f"{SAFETENSORS} is damaged") from error
