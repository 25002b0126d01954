"""A table's identity: a keyed sum over its rows, which any engine can compute in any order."""

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from dpsynth.schema import Schema

_HALF = np.uint64(32)


@dataclass(frozen=True, kw_only=True, repr=False)
class DigestSums:
    """How many rows there are, and what the halves of their digests add up to. Private.

    Attributes:
        rows: all rows, also those that are not counted.
        high: sum of the upper 32 bits of the digests.
        low: sum of the lower 32 bits.
    """

    rows: int = 0
    high: int = 0
    low: int = 0

    @classmethod
    def of(cls, digests: NDArray[np.uint64]) -> "DigestSums":
        """Sum the digests of some rows."""
        low = digests & np.uint64(2**32 - 1)
        return cls(rows=digests.size, high=int((digests >> _HALF).sum()), low=int(low.sum()))

    def __add__(self, other: "DigestSums") -> "DigestSums":
        return DigestSums(
            rows=self.rows + other.rows, high=self.high + other.high, low=self.low + other.low
        )

    def identity(self, schema: "Schema", *, key: bytes) -> bytes:
        """Return 32 bytes that are the same for the same rows in any order."""
        digest = sha256(key.hex().encode("ascii") + b"table:")
        for column in schema.modeled:
            digest.update(column.name.encode("utf-8") + b"\0")
        digest.update(f"{self.rows}:{self.high}:{self.low}".encode("ascii"))
        return digest.digest()
