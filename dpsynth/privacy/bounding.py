"""Contribution bounding and the control coin: the one place where either is decided.

Every decision about a row or a person follows from a keyed hash of what that person brought, so
that adding or removing somebody leaves the decisions about everybody else as they were. Neither
the position of a row nor a number counted over other persons' rows may enter. The argument is in
docs/proofs/contribution-bounding.md.
"""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from dpsynth import _validate

_WORD = 8  # bytes
_GROUP = 16  # bytes that tell contents apart: no two of 2**40 rows collide, but once in 2**49
# One purpose a use of the key: no digest can be mistaken for, or computed from, another kind.
_CONTENT, _COPY, _PERSON, _COIN = b"content", b"copy", b"person", b"coin"


def content_digests(content: NDArray[np.uint64], *, key: bytes) -> NDArray[np.uint64]:
    """Return a keyed digest of every row's content and its number among identical rows.

    Adding one row changes no digest of another row's content: copies are numbered 0, 1, 2 and so
    on, so one more copy brings exactly one more digest. Where a unit is a person, the person's
    digest must be the first column: copies are then numbered within the person, and no person
    can renumber the rows of another.

    Args:
        content: shape ``(rows, columns)``, uint64, canonical words; equal rows are copies.
        key: the table's secret key for this purpose, at most 64 bytes.

    Returns:
        Shape ``(rows,)``, uint64.
    """
    if content.dtype != np.uint64 or content.ndim != 2:
        raise TypeError("content must be a two-dimensional uint64 array")
    width = _WORD * content.shape[1]
    packed = np.ascontiguousarray(content, dtype="<u8").tobytes()
    rows = (packed[start : start + width] for start in _starts(content.shape[0], width))
    seen: dict[bytes, int] = {}
    digests = []
    for group in _hashed(rows, purpose=_CONTENT, size=_GROUP, key=key):
        copy = seen.get(group, 0)
        seen[group] = copy + 1
        if copy:
            message = group + copy.to_bytes(_WORD, "little")
            group = next(_hashed([message], purpose=_COPY, size=_GROUP, key=key))
        digests.append(group[:_WORD])
    return _words(digests)


def person_digests(ids: Sequence[bytes], *, key: bytes) -> NDArray[np.uint64]:
    """Return a keyed digest of every person id, shape ``(len(ids),)``; equal ids agree."""
    return _words(_hashed(ids, purpose=_PERSON, size=_WORD, key=key))


def bound_rows(
    digests: NDArray[np.uint64], persons: NDArray[np.int64] | None, *, max_rows: int
) -> NDArray[np.bool_]:
    """Choose at most ``max_rows`` rows of every person: those with the smallest digests.

    Args:
        digests: shape ``(rows,)``, uint64, from :func:`content_digests`.
        persons: shape ``(rows,)``, int64, any number that tells persons apart; -1 for a row
            without a person id, which is dropped. None where every row is its own unit.
        max_rows: rows that one unit may contribute, at least 1.

    Returns:
        Shape ``(rows,)``, bool, True for the rows to count.
    """
    _validate.positive(max_rows=max_rows)
    if persons is None:
        if max_rows != 1:
            raise ValueError("max_rows must be 1 where every row is its own unit")
        return np.ones(digests.shape, dtype=np.bool_)
    if persons.shape != digests.shape:
        raise ValueError("digests and persons must have the same length")
    order = np.lexsort((digests, persons))
    grouped = persons[order]
    position = np.arange(grouped.size)
    first = np.searchsorted(grouped, grouped, side="left")
    kept = np.empty(grouped.shape, dtype=np.bool_)
    kept[order] = (position - first < max_rows) & (grouped >= 0)
    return kept


def control_coin(units: NDArray[np.uint64], *, share: Fraction, key: bytes) -> NDArray[np.bool_]:
    """Toss one coin for every unit; True sets it aside as a control.

    A unit's coin depends on its own digest and the key alone, so a control stays one in every
    later release that uses the key.

    Args:
        units: shape ``(units,)``, uint64, digests of persons or rows; equal digests agree.
        share: chance of a control, exact, in [0, 1]; kept to within ``2**-64``.
        key: the table's secret key for this purpose, at most 64 bytes.

    Returns:
        Shape ``(units,)``, bool.
    """
    _validate.exact(share=share)
    if not 0 <= share <= 1:
        raise ValueError("share must lie between 0 and 1")
    packed = np.ascontiguousarray(units, dtype="<u8").tobytes()
    messages = (packed[start : start + _WORD] for start in _starts(units.size, _WORD))
    coins = _words(_hashed(messages, purpose=_COIN, size=_WORD, key=key))
    below = int(share * 2**64)
    if below == 2**64:  # one more than a word can hold
        return np.ones(units.shape, dtype=np.bool_)
    return coins < np.uint64(below)


def _starts(count: int, width: int) -> Iterator[int]:
    return (width * index for index in range(count))


def _hashed(messages: Iterable[bytes], *, purpose: bytes, size: int, key: bytes) -> Iterator[bytes]:
    """Yield the keyed BLAKE2b digest of every message, ``size`` bytes each."""
    if not key:
        raise ValueError("key must not be empty")
    keyed = blake2b(key=key, person=purpose, digest_size=size)
    for message in messages:
        digest = keyed.copy()
        digest.update(message)
        yield digest.digest()


def _words(digests: Iterable[bytes]) -> NDArray[np.uint64]:
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
