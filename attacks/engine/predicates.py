"""Conditions on several columns at once, and the one person, if any, who meets them all."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attacks.engine.counts import record_words
from attacks.engine.released import Released
from attacks.engine.table import CodedTable, Codes

NOBODY, SEVERAL = -1, -2
_WORD = 64
_BYTES = 1 << 26  # of bits held at once
_CELLS = 1 << 17  # comparisons held at once, in the processor's cache


@dataclass(frozen=True, kw_only=True, eq=False)
class Predicates:
    """Conjunctions of conditions; a condition is a range of codes of one column, both ends in it.

    A value is a range of one code. "At least" reaches up to the last code that is not the missing
    level, "at most" down from 0: a cell that is missing is neither large nor small.

    Args:
        columns: shape ``(predicates, conditions)``, place of the column of each condition.
        low: shape ``(predicates, conditions)``, least code that meets it.
        high: shape ``(predicates, conditions)``, greatest code that meets it.
    """

    columns: NDArray[np.int32]
    low: NDArray[np.int32]
    high: NDArray[np.int32]

    def __len__(self) -> int:
        return int(self.columns.shape[0])

    def take(self, chosen: NDArray[Any]) -> "Predicates":
        """Return some of them, by number or by mask."""
        return Predicates(
            columns=self.columns[chosen], low=self.low[chosen], high=self.high[chosen]
        )


def isolated(predicates: Predicates, table: CodedTable) -> NDArray[np.int64]:
    """Return the number of the one person who meets each predicate.

    A person meets a predicate where one of their rows meets all its conditions. The rows that
    meet a condition are held as bits, once for all predicates that state it.

    Returns:
        Shape ``(predicates,)``: a person number, ``NOBODY``, or ``SEVERAL`` for more than one.
    """
    by_person = np.argsort(table.persons, kind="stable")
    return _isolated(predicates, table.codes[by_person], table.persons[by_person])


def isolated_in(predicates: Predicates, records: Released) -> NDArray[np.int64]:
    """Return the number of the one record that meets each predicate; see ``isolated``."""
    found = np.full(len(predicates), NOBODY, dtype=np.int64)
    for start, codes in records.blocks():
        rows = np.arange(start, start + len(codes), dtype=np.int64)
        found = _either(found, _isolated(predicates, codes, rows))
    return found


def _either(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the one person who meets each predicate among two lots of rows."""
    both = np.where(first == second, first, SEVERAL)
    return np.where(second == NOBODY, first, np.where(first == NOBODY, second, both))


def _isolated(
    predicates: Predicates, codes: Codes, persons: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the one person of each predicate; rows stand in the order of persons."""
    found = np.full(len(predicates), NOBODY, dtype=np.int64)
    if not len(codes) or not len(predicates):
        return found
    if _states_whole_values(predicates):
        return _looked_up(predicates, codes, persons)
    stated, numbers = _distinct(predicates)
    # As many rows at a time as have room for the bits of all conditions.
    step = max(_WORD, _BYTES // stated.shape[0] * 8 // _WORD * _WORD)
    for start in range(0, persons.size, step):
        rows = slice(start, start + step)
        words = -(-persons[rows].size // _WORD)
        here = _found(_bits(stated, codes[rows], words), numbers, persons[rows])
        found = _either(found, here)
    return found


def _states_whole_values(predicates: Predicates) -> bool:
    """Return whether all predicates state one value of each of the same columns."""
    same = (predicates.columns == predicates.columns[0]).all()
    return bool(same and np.array_equal(predicates.low, predicates.high))


def _looked_up(
    predicates: Predicates, codes: Codes, persons: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the one person of each predicate by looking its values up, all columns at once."""
    held = record_words(codes[:, predicates.columns[0]])
    order = np.argsort(held, kind="stable")  # rows of one record stay in the order of persons
    held, persons = held[order], persons[order]
    asked = record_words(predicates.low)
    first = np.searchsorted(held, asked, side="left")
    last = np.searchsorted(held, asked, side="right") - 1
    lowest, highest = persons[np.minimum(first, held.size - 1)], persons[last]
    one = np.where(lowest == highest, lowest, SEVERAL)
    return np.where(first <= last, one, NOBODY)


def _distinct(predicates: Predicates) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """Return the different conditions (column, low, high), and the number of each one stated."""
    parts = (predicates.columns, predicates.low, predicates.high)
    stated = np.stack([part.ravel() for part in parts], axis=1)
    _, first, numbers = np.unique(record_words(stated), return_index=True, return_inverse=True)
    return stated[first], numbers.reshape(predicates.columns.shape)


def _bits(stated: NDArray[np.int32], codes: Codes, words: int) -> NDArray[np.uint64]:
    """Return which rows meet each condition, shape ``(conditions, words)``, 64 rows to a word."""
    rows = codes.shape[0]
    packed = np.zeros((stated.shape[0], words * 8), dtype=np.uint8)
    step = max(1, _CELLS // rows)
    for place in np.unique(stated[:, 0]).tolist():
        column = np.ascontiguousarray(codes[:, place])
        mine = np.flatnonzero(stated[:, 0] == place)
        for start in range(0, mine.size, step):
            some = mine[start : start + step]
            low, high = stated[some, 1][:, None], stated[some, 2][:, None]
            met = np.packbits((column >= low) & (column <= high), axis=1, bitorder="little")
            packed[some, : met.shape[1]] = met
    return packed.view(np.dtype("<u8"))


def _found(
    bits: NDArray[np.uint64], numbers: NDArray[np.intp], persons: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the one person of each predicate from the bits of its conditions.

    Rows stand in the order of persons, so that the first and the last row that meet a predicate
    tell whether all of them are of one person.
    """
    words = bits.shape[1]
    found = np.empty(numbers.shape[0], dtype=np.int64)
    step = max(1, _CELLS // (4 * words))
    for start in range(0, found.size, step):
        part = numbers[start : start + step]
        met = bits[part[:, 0]]
        for condition in range(1, part.shape[1]):
            met &= bits[part[:, condition]]
        some = met != 0
        first, last = some.argmax(axis=1), words - 1 - some[:, ::-1].argmax(axis=1)
        each = np.arange(part.shape[0])
        lowest = persons[_WORD * first + _lowest(met[each, first])]
        highest = persons[_WORD * last + _highest(met[each, last])]
        one = np.where(lowest == highest, lowest, SEVERAL)
        found[start : start + step] = np.where(some[each, first], one, NOBODY)
    return found


def _lowest(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the place of the lowest bit that is set; 0 where none is."""
    below = np.bitwise_count(words ^ (words - np.uint64(1))).astype(np.int64) - 1
    return np.where(words == 0, 0, below)


def _highest(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the place of the highest bit that is set; 0 where none is."""
    filled = words.copy()
    for shift in (1, 2, 4, 8, 16, 32):
        filled |= filled >> np.uint64(shift)
    return np.maximum(np.bitwise_count(filled).astype(np.int64) - 1, 0)
