"""Whole records as 64-bit words, and how often each occurs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]


def record_words(codes: NDArray[np.integer[Any]]) -> Words:
    """Return one 64-bit word a row: equal rows have equal words, others almost surely differ.

    The mixing step of SplitMix64 after every column; two given rows collide with probability
    near ``2**-64``, which costs an attack nothing. Not a digest: anyone can make collisions.
    """
    words = np.full(codes.shape[0], 0x9E3779B97F4A7C15, dtype=np.uint64)
    for place in range(codes.shape[1]):
        mix(words, codes[:, place].astype(np.uint64))
    return words


def mix(words: Words, column: Words) -> None:
    """Take one more column into ``words``, in place."""
    words ^= column
    words += np.uint64(0x9E3779B97F4A7C15)
    words ^= words >> np.uint64(30)
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)


def occurrences(words: Words, *, among: Words) -> NDArray[np.int64]:
    """Return for each word how often it occurs among others."""
    held = np.sort(among)
    first = np.searchsorted(held, words, side="left")
    last = np.searchsorted(held, words, side="right")
    return (last - first).astype(np.int64)


def own_occurrences(words: Words, persons: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each row how many rows of the same person hold the same word."""
    order = np.lexsort((words, persons))
    fresh = np.ones(words.size, dtype=bool)
    fresh[1:] = (np.diff(persons[order]) != 0) | (words[order][1:] != words[order][:-1])
    run = np.cumsum(fresh) - 1
    result = np.empty(words.size, dtype=np.int64)
    result[order] = np.bincount(run)[run] if words.size else run
    return result
