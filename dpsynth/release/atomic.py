"""Writing so that a crash leaves either the whole thing or nothing that anyone would read."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dpsynth.errors import UnfitEnvironmentError, UsageError


def write_bytes(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write ``data`` to ``path``: a neighbor first, flushed to disk, then renamed over it."""
    partial = path.parent / f".{path.name}.{secrets.token_hex(4)}.partial"
    try:
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UnfitEnvironmentError(f"cannot write {path.name}: {error.strerror}") from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def file(target: Path, *, mode: int = 0o644) -> Iterator[Path]:
    """Let the block write a neighbor of ``target``, and rename it into place when it ends well.

    Args:
        target: where the file shall stand; must not exist yet.
        mode: permissions of the file.

    Raises:
        UsageError: ``target`` exists already.
        UnfitEnvironmentError: the disk refuses, here or in the block.
    """
    if os.path.lexists(target):
        raise UsageError(f"{target} exists already; name a file that does not, or remove it")
    partial = target.parent / f".{target.name}.{secrets.token_hex(4)}.partial"
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        yield partial
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        if os.path.lexists(target):
            raise UsageError(f"{target} was made by another program; nothing was overwritten")
        partial.rename(target)
        sync_directory(target.parent)
    except OSError as error:
        partial.unlink(missing_ok=True)
        reason = error.strerror or "the disk refuses"
        raise UnfitEnvironmentError(f"cannot write {target.name}: {reason}") from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def folder(target: Path, *, mode: int = 0o755) -> Iterator[Path]:
    """Build a folder beside ``target`` and rename it into place when the block ends well.

    Readers never see a half-written folder: until the rename it has another name, and when the
    block raises it is removed.

    Args:
        target: where the folder shall stand; must not exist yet.
        mode: permissions of the folder.

    Raises:
        UsageError: ``target`` exists already.
        UnfitEnvironmentError: the disk refuses.
    """
    require_absent(target)
    partial = target.parent / f".{target.name}.{secrets.token_hex(4)}.partial"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.mkdir(mode=mode)
    except OSError as error:
        raise UnfitEnvironmentError(
            f"cannot make a folder in {target.parent}: {error.strerror}"
        ) from error
    try:
        yield partial
        sync_tree(partial)
        require_absent(target)
        try:
            partial.rename(target)
        except OSError as error:
            raise UnfitEnvironmentError(
                f"cannot move the finished folder to {target}: {error.strerror}"
            ) from error
        sync_directory(target.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def require_absent(target: Path) -> None:
    """Raise UsageError where something stands at ``target``; nothing is ever overwritten."""
    if os.path.lexists(target):
        raise UsageError(f"{target} exists already; name a folder that does not, or remove it")


def sync_tree(directory: Path) -> None:
    """Flush every file and folder below ``directory`` to disk."""
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
        elif path.is_dir():
            sync_directory(path)
    sync_directory(directory)


def sync_directory(directory: Path) -> None:
    """Flush the names in ``directory`` to disk, where the system knows how."""
    if os.name != "posix":
        return
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
