"""Conditions on several columns at once, and the one person, if any, who meets them all."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attacks.engine.table import CodedTable

NOBODY, SEVERAL = -1, -2


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

    A person meets a predicate where one of their rows meets all its conditions.

    Returns:
        Shape ``(predicates,)``: a person number, ``NOBODY``, or ``SEVERAL`` for more than one.
    """
    found = np.full(len(predicates), NOBODY, dtype=np.int64)
    if not len(table):
        return found
    # Rows in the order of each column's codes: a condition is met by a run of them.
    order = [np.argsort(column, kind="stable") for column in table.codes.T]
    held = [column[rows] for column, rows in zip(table.codes.T, order, strict=True)]
    first, last = _runs(predicates, held)
    shortest = np.argmin(last - first, axis=1)
    for number, best in enumerate(shortest.tolist()):
        place = predicates.columns[number, best]
        rows = order[place][first[number, best] : last[number, best]]
        for condition, column in enumerate(predicates.columns[number].tolist()):
            if condition != best and rows.size:
                codes = table.codes[rows, column]
                low, high = predicates.low[number, condition], predicates.high[number, condition]
                rows = rows[(codes >= low) & (codes <= high)]
        found[number] = _only(table.persons[rows])
    return found


def _runs(
    predicates: Predicates, held: list[NDArray[np.int32]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the rows that meet each condition start and stop, in the column's order."""
    first = np.zeros(predicates.columns.shape, dtype=np.int64)
    last = np.zeros(predicates.columns.shape, dtype=np.int64)
    for place, codes in enumerate(held):
        mine = predicates.columns == place
        first[mine] = np.searchsorted(codes, predicates.low[mine], side="left")
        last[mine] = np.searchsorted(codes, predicates.high[mine], side="right")
    return first, last


def _only(persons: NDArray[np.int64]) -> int:
    if not persons.size:
        return NOBODY
    return int(persons[0]) if (persons == persons[0]).all() else SEVERAL
