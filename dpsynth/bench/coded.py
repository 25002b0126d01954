"""A table in codes over a stated domain."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

Codes = Mapping[str, NDArray[np.integer[Any]]]


@dataclass(frozen=True, kw_only=True, eq=False)
class CodedTable:
    """A table in codes.

    Attributes:
        codes: by column, shape ``(rows,)``, the narrowest unsigned type.
        sizes: number of codes by column.
        ordered: columns whose neighboring codes mean similar things.
        target: column to predict, if any.
        positive: its code that counts as positive, if any.
        split: rows to learn from and rows to test on, where the source says which.
    """

    codes: Codes = field(repr=False)
    sizes: Mapping[str, int]
    ordered: tuple[str, ...] = ()
    target: str | None = None
    positive: int | None = None
    split: tuple[range, range] | None = None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.codes.values())))

    def take(self, rows: NDArray[np.integer[Any]] | range) -> "CodedTable":
        """Return some of the rows."""
        chosen = np.asarray(rows, dtype=np.int64)
        return CodedTable(
            codes={name: held[chosen] for name, held in self.codes.items()},
            sizes=self.sizes,
            ordered=self.ordered,
            target=self.target,
            positive=self.positive,
        )


def coded(
    frame: "pd.DataFrame",
    sizes: Mapping[str, Any],
    *,
    ordered: tuple[str, ...] = (),
    target: str | None = None,
    positive: int | None = None,
    split: tuple[range, range] | None = None,
) -> CodedTable:
    """Return a frame of codes as a table, each column in its narrowest type.

    Raises:
        UsageError: the columns are not those of ``sizes``, or a code leaves its domain.
    """
    if set(frame.columns) != set(sizes):
        raise UsageError("the table and its sizes must name the same columns")
    codes = {}
    for name, size in sizes.items():
        held = frame[name].to_numpy()
        whole = np.issubdtype(held.dtype, np.integer)
        if not (whole and held.size and held.min() >= 0 and held.max() < size):
            raise UsageError(f"column {name!r} must hold codes from 0 to {int(size) - 1}")
        codes[name] = held.astype(np.min_scalar_type(int(size) - 1))
    return CodedTable(
        codes=codes,
        sizes={name: int(size) for name, size in sizes.items()},
        ordered=tuple(name for name in sizes if name in ordered),
        target=target,
        positive=positive,
        split=split,
    )
