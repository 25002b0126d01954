"""A private folder for what a release must put on disk, gone when that ends."""

import contextlib
import os
import shutil
import tempfile
import weakref
from pathlib import Path

_PREFIX = "dpsynth-rows-"
DISK_FULL = (
    "the disk for temporary files is full: name a folder with more room by TMPDIR; nothing of the "
    "rows is left there, and what the ledger was charged stays charged"
)


class PrivateFolder:
    """A folder for this user alone, removed with the object, and when the process ends.

    A process that is killed leaves the folder without the coded rows, which stand in files
    without a name; what an engine had spilled there is removed by the next use.

    Args:
        parent: where it is made; the system's place for temporary files by default.
    """

    def __init__(self, parent: Path | None = None) -> None:
        base = Path(tempfile.gettempdir() if parent is None else parent)
        _sweep(base)
        prefix = f"{_PREFIX}{os.getpid()}-"
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=base))  # mode 0700
        self.remove = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def _sweep(base: Path) -> None:
    """Remove this user's folders of processes that are no more."""
    for left in base.glob(f"{_PREFIX}*"):
        number = left.name.removeprefix(_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError):
            if number.isdigit() and left.stat().st_uid == os.getuid() and not _runs(int(number)):
                shutil.rmtree(left, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
