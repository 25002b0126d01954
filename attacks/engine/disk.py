"""Numbers on disk, one column a file: written from first to last, then read by slices.

The files have no name and are readable by this user alone: they are gone with the process that
made them, however it ends.
"""

import os
import tempfile
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROWS_AT_ONCE = 1 << 18


class Numbers:
    """One column on disk.

    Args:
        kind: of its numbers.
    """

    def __init__(self, kind: Any) -> None:
        self._kind = np.dtype(kind)
        with tempfile.TemporaryFile(buffering=0) as file:
            self._file = os.dup(file.fileno())
        self.close = weakref.finalize(self, os.close, self._file)  # gives the disk back
        self.rows = 0

    @property
    def most(self) -> int:
        """The largest number that fits."""
        return int(np.iinfo(self._kind).max)

    def append(self, values: NDArray[Any]) -> None:
        """Write some more rows."""
        flat = np.ascontiguousarray(values, dtype=self._kind)
        view, at = flat.data.cast("B"), self.rows * self._kind.itemsize
        while view:
            done = os.pwrite(self._file, view, at)
            view, at = view[done:], at + done
        self.rows += flat.size

    def read(self, part: slice) -> NDArray[Any]:
        """Return the rows of a slice."""
        found = np.empty(part.stop - part.start, dtype=self._kind)
        view, at = found.data.cast("B"), part.start * self._kind.itemsize
        while view:
            done = os.preadv(self._file, [view], at)
            if not done:
                raise OSError("a column on disk is shorter than it was written")
            view, at = view[done:], at + done
        return found


def parts(rows: int) -> Iterator[slice]:
    """Yield slices that cover ``rows``."""
    step = ROWS_AT_ONCE
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))
