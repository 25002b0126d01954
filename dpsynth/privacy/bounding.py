"""Contribution bounding and the control coin: the one place where either is decided.

Every decision about a row or a person follows from a keyed hash of what that person brought, so
that adding or removing somebody leaves the decisions about everybody else as they were. Neither
the position of a row nor a number counted over other persons' rows may enter. The argument is in
docs/proofs/contribution-bounding.md.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from dpsynth import _validate

_DIGITS = 16  # hexadecimal, of a word
# One purpose a use of the key: no digest can be mistaken for, or computed from, another kind.
_CONTENT, _COPY, _PERSON, _COIN = b"row:", b"copy:", b"person:", b"coin:"


def content_digests(content: NDArray[np.uint64], *, key: bytes) -> NDArray[np.uint64]:
    """Return a keyed digest of every row's content and its number among identical rows.

    Adding one row changes no digest of another row's content: copies are numbered 0, 1, 2 and so
    on, so one more copy brings exactly one more digest. Where a unit is a person, the person's
    digest must be the first column: copies are then numbered within the person, and no person
    can renumber the rows of another.

    Args:
        content: shape ``(rows, columns)``, uint64, canonical words; equal rows are copies.
        key: the table's secret key for this purpose.

    Returns:
        Shape ``(rows,)``, uint64.
    """
    return copy_digests(content_groups(content, key=key), key=key)


def content_groups(content: NDArray[np.uint64], *, key: bytes) -> NDArray[np.uint64]:
    """Return 128 bits of every row's content, shape ``(rows, 2)``; see ``content_digests``."""
    if content.dtype != np.uint64 or content.ndim != 2:
        raise TypeError("content must be a two-dimensional uint64 array")
    hashed = _hashed(_hexadecimal(content), purpose=_CONTENT, key=key, words=2)
    return hashed.reshape(-1, 2)


def copy_digests(groups: NDArray[np.uint64], *, key: bytes) -> NDArray[np.uint64]:
    """Return the digest of every row from its group, numbering the rows of one group."""
    order = np.lexsort((groups[:, 1], groups[:, 0]))
    grouped = groups[order]
    place = np.arange(len(grouped))
    same = (grouped == np.roll(grouped, 1, axis=0)).all(axis=1) & (place > 0)
    copy = place - np.maximum.accumulate(np.where(same, 0, place))
    digests = groups[:, 0].copy()
    again = np.flatnonzero(copy)
    message = np.column_stack([grouped[again], copy[again].astype(np.uint64)])
    digests[order[again]] = _hashed(_hexadecimal(message), purpose=_COPY, key=key)
    return digests


def person_digests(ids: Sequence[bytes], *, key: bytes) -> NDArray[np.uint64]:
    """Return a keyed digest of every person id, shape ``(len(ids),)``; equal ids agree."""
    return _hashed(ids, purpose=_PERSON, key=key)


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
        key: the table's secret key for this purpose.

    Returns:
        Shape ``(units,)``, bool.
    """
    _validate.exact(share=share)
    if not 0 <= share <= 1:
        raise ValueError("share must lie between 0 and 1")
    below = int(share * 2**64)
    if below in (0, 2**64):  # the latter is one more than a word can hold
        return np.full(units.shape, below > 0)
    return _hashed(_hexadecimal(units[:, None]), purpose=_COIN, key=key) < np.uint64(below)


def _hexadecimal(words: NDArray[np.uint64]) -> Iterable[bytes]:
    """Yield every row of words as text, as any engine can write it."""
    digits = _DIGITS * words.shape[1]
    text = np.ascontiguousarray(words, dtype=">u8").tobytes().hex().encode("ascii")
    return (text[digits * row : digits * (row + 1)] for row in range(len(words)))


def _hashed(
    messages: Iterable[bytes], *, purpose: bytes, key: bytes, words: int = 1
) -> NDArray[np.uint64]:
    """Return the first words of SHA-256 over the key, the purpose and each message."""
    if not key:
        raise ValueError("key must not be empty")
    before = key.hex().encode("ascii") + purpose
    size = words * _DIGITS // 2
    found = b"".join([sha256(before + message).digest()[:size] for message in messages])
    return np.frombuffer(found, dtype=">u8").astype(np.uint64)
