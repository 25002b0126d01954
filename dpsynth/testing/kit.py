"""Made-up tables, and pairs of neighbors in which one person makes the greatest difference.

A crowd of rows that all say the same, and one person unlike them in every column; tables of no row
and of one; a person with more rows than are allowed; and cells that no schema expects: the first
missing one of a column, infinite and huge numbers, values never declared, look-alikes of declared
ones, days that do not exist.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import isqrt
from typing import TYPE_CHECKING

import numpy as np

from dpsynth.privacy.events import PartitionSelectionEvent, SampledGaussianEvent
from dpsynth.testing.oddities import KINDS
from dpsynth.testing.rows import missing_by_kind, named_rows, odd_rows, random_rows, same_rows

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema
    from dpsynth.synthesizers.plan import Plan

CROWD = 10  # rows that all say the same, so that one more stands out
BEYOND = 3  # rows that a person has more than are allowed
NARROW = 2  # columns of a narrow table
# Of tables of ordinary rows: odd and even, and on both sides of where a number is rounded to fives,
# tens and hundreds.
SIZES = (1_000, 99, 15, 4)
_MOST_CROWD = 10_000
_PERSONS_A_TABLE = 3  # that are drawn to be added to the same drawn table, one at a time
_STORES: "dict[str, Callable[[pd.DataFrame], pd.DataFrame]]" = {
    "as text": lambda table: table.astype(object).map(str),
    "as nullable types": lambda table: table.convert_dtypes(),
    "as categories": lambda table: (
        table.astype(object).map(str, na_action="ignore").astype("category")
    ),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """A table, and the rows of one person that its neighbor holds as well.

    Attributes:
        world: what is special about the two, for people.
        table: made-up rows, each of another person; several pairs may share one.
        person: rows of one person who is none of those.
        stored: what a neighbor is turned into, as ``table`` was.
        first: the person's rows stand before all others, and not behind them.
    """

    world: str
    table: "pd.DataFrame"
    person: "pd.DataFrame"
    stored: "Callable[[pd.DataFrame], pd.DataFrame]" = field(default=lambda table: table)
    first: bool = False

    @property
    def neighbor(self) -> "pd.DataFrame":
        """The table with that person."""
        import pandas as pd

        if not len(self.table):
            return self.stored(self.person)
        parts = [self.person, self.table] if self.first else [self.table, self.person]
        return self.stored(pd.concat(parts, ignore_index=True))


def far_pairs(schema: "Schema", plan: "Plan") -> list[Pair]:
    """Return the pairs that move counts furthest: the person's rows are alike.

    Args:
        schema: public facts; the made-up rows lie in its declared domain.
        plan: of a synthesizer; says how many rows a person has and what is selected.
    """
    given, crowd = _rows_of_a_person(plan), _crowd(schema, plan)
    extreme = same_rows(schema, last=True, rows=given, values=given)
    alone = same_rows(schema, last=True, rows=given, values=1)
    usual = same_rows(schema, last=False, rows=given, values=given)
    found = {
        "one person unlike all others": (crowd, extreme),
        "one person in an empty table": (crowd.iloc[:0], alone),
        "one person like all others": (crowd, usual),
        "one person beside one other": (crowd.iloc[:1], extreme),
    }
    return _named(schema, found) + _bounded_pairs(schema, given, trains=_trains(plan))


def _trains(plan: "Plan") -> bool:
    return any(isinstance(step.event, SampledGaussianEvent) for step in plan.steps)


def _bounded_pairs(schema: "Schema", given: int, *, trains: bool) -> list[Pair]:
    """Return pairs in which the others, too, have several rows, some more than are allowed.

    Which of theirs are counted is nobody's business but their own. The new person brings rows that
    others hold as well, or one row many times, before all others in the table or behind them, and
    has an id that begins as another's does. In a training the new person is the last one, so that
    all others meet the same coins in both worlds.
    """
    column = schema.unit.column
    if column is None:
        return []
    found = []
    for persons, most in ((8, given), (24, 3)):
        rng = np.random.default_rng(persons)
        rows_of = np.where(np.arange(persons) % 2, most, 1)
        owners = rng.permutation(np.repeat(np.arange(persons), rows_of))
        table = random_rows(schema, rng, rows=owners.size, most_codes=2)
        table = table.assign(**{column: [f"p{each}" for each in owners.tolist()]})
        for first, what, places in (
            (True, "of rows that others hold", range(given)),
            (False, "of one row many times", [0] * given),
        ):
            person = table.iloc[list(places)].reset_index(drop=True)
            found.append(
                Pair(
                    world=f"one person {what}, beside {persons} of several rows",
                    table=table,
                    person=person.assign(**{column: "p9 more"}),
                    first=first and not trains,
                )
            )
    return found


def odd_pairs(schema: "Schema", plan: "Plan") -> list[Pair]:
    """Return pairs in which the person's cells, or the whole table, are not what is expected.

    Args:
        schema: as for ``far_pairs``.
        plan: as for ``far_pairs``; where it trains, each kind of cell is in some column of a few
            pairs, and not in every column.
    """
    given, crowd = _rows_of_a_person(plan), _crowd(schema, plan)
    extreme = same_rows(schema, last=True, rows=given, values=given)
    gone = odd_rows(schema, extreme, missing=True)
    found = {
        "one person of missing cells": (crowd, gone),
        "one person of missing cells, as numbers": (crowd, missing_by_kind(extreme)),
    }
    kept = plan.unit.max_rows  # a row that is bounded away is never looked at
    few = extreme.head(kept)
    worlds = -(-KINDS // kept)
    for number in range(min(worlds, 2) if _trains(plan) else worlds):
        odd = odd_rows(schema, few, missing=False, first=number * kept)
        found[f"one person of odd cells {number + 1}"] = crowd, odd
    pairs = _named(schema, found)
    ordinary = pairs[0].table
    for how, store in _STORES.items():
        pairs.append(
            Pair(
                world=f"one person of missing cells, {how}",
                table=store(ordinary),
                person=named_rows(gone, schema, every=False),
                stored=store,
            )
        )
    column = schema.unit.column
    if column is None:
        return pairs
    # One id, whatever type holds it, is one person; an empty one is nobody's.
    ids = {"one person with an id of several types": (7, "7", 7.0, "7.0"), "nobody": (None, "")}
    return [
        *pairs,
        *(
            Pair(
                world=world,
                table=ordinary,
                person=_with_ids(extreme, column, each),
            )
            for world, each in ids.items()
        ),
    ]


def drawn_pairs(schema: "Schema", plan: "Plan", *, count: int, seed: int) -> list[Pair]:
    """Draw pairs of small tables: where a choice hangs on counts, one person tips it in some.

    Args:
        schema: as for ``far_pairs``.
        plan: as for ``far_pairs``.
        count: how many pairs; a few of them share a table.
        seed: of the draws.
    """
    given = _rows_of_a_person(plan)
    found: dict[str, tuple[pd.DataFrame, pd.DataFrame]] = {}
    for number in range(-(-count // _PERSONS_A_TABLE)):
        table, persons = _drawn(schema, given, seed=(seed, number + 1))
        for person in persons:
            found[f"one person of drawn table {len(found) + 1}"] = table, person
    return _named(schema, found)[:count]


def grown_tables(schema: "Schema", *, seed: int) -> "list[pd.DataFrame]":
    """Return tables of ordinary rows, the largest first: each other one is its beginning.

    Between any two lie tables of one person more at a time, all of them neighbors. What tells the
    two apart tells two neighbors apart somewhere, and nobody has to know at which size.

    Args:
        schema: as for ``far_pairs``.
        seed: of the draws.
    """
    rng = np.random.default_rng((seed, max(SIZES)))
    drawn = random_rows(schema, rng, rows=max(SIZES), skewed=True)
    table = named_rows(drawn, schema, every=True)
    return [table.iloc[:rows].reset_index(drop=True) for rows in SIZES]


def narrowed(schema: "Schema") -> "Schema":
    """Return the schema of a narrow table: a few of its columns, the person's among them.

    What it says of columns that are left out is left out as well.
    """
    document = schema.to_dict()
    kept = [column.name for column in schema.modeled if column.name != schema.target][-NARROW:]
    held = {*kept, schema.target, schema.unit.column}
    whole = {
        name: value
        for name, value in document.items()
        if name not in ("columns", "rules", "quasi_identifiers", "sensitive")
    }
    columns = [each for each in document["columns"] if each["name"] in held]
    return type(schema).from_dict({**whole, "columns": columns})


def _named(schema: "Schema", found: "dict[str, tuple[pd.DataFrame, pd.DataFrame]]") -> list[Pair]:
    """Name the persons; tables that were one object still are."""
    tables = {id(table): named_rows(table, schema, every=True) for table, _ in found.values()}
    return [
        Pair(world=world, table=tables[id(table)], person=named_rows(person, schema, every=False))
        for world, (table, person) in found.items()
    ]


def _with_ids(person: "pd.DataFrame", column: str, ids: tuple[object, ...]) -> "pd.DataFrame":
    import pandas as pd

    held = [ids[row % len(ids)] for row in range(len(person))]
    return person.assign(**{column: pd.Series(held, index=person.index, dtype=object)})


def _rows_of_a_person(plan: "Plan") -> int:
    return plan.unit.max_rows + BEYOND * (plan.unit.name == "person")


def _crowd(schema: "Schema", plan: "Plan") -> "pd.DataFrame":
    """Return a crowd: where values are selected, so many that each is released."""
    values = _rows_of_a_person(plan)
    selections = [
        step.event for step in plan.steps if isinstance(step.event, PartitionSelectionEvent)
    ]
    high = [event.threshold + 8 * (1 + isqrt(int(event.sigma_squared))) for event in selections]
    rows = min(max([CROWD, *(values * int(each) for each in high)]), _MOST_CROWD)
    return same_rows(schema, last=False, rows=rows, values=values)


def _drawn(
    schema: "Schema", given: int, *, seed: tuple[int, int]
) -> "tuple[pd.DataFrame, list[pd.DataFrame]]":
    """Draw a table of a few rows over few codes, and the rows of persons to add, one at a time.

    Few codes and rows, so that columns hang together by chance and counts are often tied. A
    person is drawn over the same codes, or over all that are declared.
    """
    rng = np.random.default_rng(seed)
    rows, most = int(rng.integers(2, 16)), int(rng.integers(2, 5))
    theirs = [int(each) for each in rng.integers(1, given + 1, _PERSONS_A_TABLE)]
    table = random_rows(schema, rng, rows=rows + sum(theirs), most_codes=most)
    return table.iloc[:rows].reset_index(drop=True), list(
        _persons(schema, table, rng, rows=rows, theirs=theirs)
    )


def _persons(
    schema: "Schema",
    table: "pd.DataFrame",
    rng: np.random.Generator,
    *,
    rows: int,
    theirs: list[int],
) -> "Iterator[pd.DataFrame]":
    start = rows
    for size in theirs:
        alike = table.iloc[start : start + size]
        yield (alike if rng.integers(2) else random_rows(schema, rng, rows=size)).reset_index(
            drop=True
        )
        start += size
