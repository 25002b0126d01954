"""The manifest: the name and SHA-256 of every file of a folder, written last.

A folder without a manifest is unfinished. Checking rebuilds the manifest from the files and
compares it byte for byte with the one on disk; each file that is missing, extra or changed is
named.
"""

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from dpsynth.errors import IntegrityError
from dpsynth.release import atomic, canonical

NAME = "manifest.json"
FORMAT = "dpsynth-manifest/1"
MOST_FILES = 10_000
DEEPEST_FOLDER = 16


def digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def names(directory: Path) -> tuple[str, ...]:
    """Return every file below ``directory``, as sorted relative names with ``/``.

    Raises:
        IntegrityError: something there is neither a plain file nor a folder that holds one: a
            link, a device, an empty folder. Each could show one reader what another never sees.
    """
    found: list[str] = []
    _collect(directory, prefix="", found=found)
    return tuple(sorted(found))


def digests(directory: Path) -> dict[str, str]:
    """Return name and SHA-256 of every file below ``directory`` except its own manifest."""
    return {name: digest(directory / name) for name in names(directory) if name != NAME}


def render(files: Mapping[str, str]) -> bytes:
    """Return the manifest's bytes for these files."""
    return canonical.dumps({"format": FORMAT, "files": dict(files)})


def write(directory: Path) -> None:
    """Write the manifest of ``directory``; nothing in the folder may change after this."""
    atomic.write_bytes(directory / NAME, render(digests(directory)))


def check(directory: Path) -> dict[str, str]:
    """Compare ``directory`` with its manifest, byte for byte, and return name and SHA-256.

    Raises:
        IntegrityError: there is no manifest, or the folder is not what it says; names each file.
    """
    shown = directory.name
    try:
        present = names(directory)
        if NAME not in present:
            raise IntegrityError(f"{shown} has no {NAME}: it is unfinished, or not a release")
        files = digests(directory)
    except OSError as error:
        raise IntegrityError(f"{shown} cannot be read: {error.strerror}") from None
    listed = canonical.read(directory / NAME).get("files")
    if not isinstance(listed, dict):
        raise IntegrityError(f"{NAME} of {shown} lists no files")
    faults = [
        *(f"{name!r} is missing" for name in sorted(listed.keys() - files.keys())),
        *(f"{name!r} is not listed" for name in sorted(files.keys() - listed.keys())),
        *(
            f"{name!r} was changed"
            for name in sorted(files.keys() & listed.keys())
            if files[name] != listed[name]
        ),
    ]
    if faults:
        raise IntegrityError(f"{shown} is not what its {NAME} says: {', '.join(faults)}")
    if (directory / NAME).read_bytes() != render(files):
        raise IntegrityError(f"{NAME} of {shown} was changed")
    return files


def _collect(directory: Path, *, prefix: str, found: list[str]) -> None:
    with os.scandir(directory) as entries:
        inside = sorted(entries, key=lambda entry: entry.name)
    if not inside and prefix:
        raise IntegrityError(f"{prefix!r} is an empty folder, which no release holds")
    if prefix.count("/") > DEEPEST_FOLDER:
        raise IntegrityError(f"{directory.name!r} lies deeper than any folder of a release")
    for entry in inside:
        name = prefix + entry.name
        try:
            name.encode("utf-8")
        except UnicodeEncodeError:
            raise IntegrityError(f"{name!r} has a name that is not valid Unicode") from None
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            _collect(Path(entry.path), prefix=f"{name}/", found=found)
        elif stat.S_ISREG(mode):
            found.append(name)
        else:
            raise IntegrityError(f"{name!r} is neither a file nor a folder; a release has no links")
        if len(found) > MOST_FILES:
            raise IntegrityError(f"{directory.name} holds more files than any release")
