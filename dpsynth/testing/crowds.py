"""Made-up persons of every kind in one table, taken out one at a time.

What a table's rows become may depend on each person's own rows, and on nobody else's. Tables of
rows that are all alike would not show it: a mean, a mode or a bound that is taken of all rows only
moves somebody where cells are missing, odd or far apart beside others that are not.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from dpsynth.testing.rows import odd_rows, random_rows

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.privacy.source import UnitRows
    from dpsynth.schema import Schema

# Of each table: persons, and the shares of odd and of missing cells. In few rows one person tips
# what is taken of all; odd cells bring what is not expected, and hide what plain ones would show.
KINDS = ((24, 0.15, 0.15), (12, 0.0, 0.15), (8, 0.15, 0.0), (8, 0.0, 0.0), (5, 0.0, 0.3))
_BEYOND = 3  # rows that a person may have more than are counted
_LONG = 5_000  # rows of a long table, more than code may look at in one go
_CODES = 4  # of a column that the rows hold, so that some are rare
# The same person in other words, as another program writes a number.
_SPELLINGS: tuple[object, ...] = ("{0}", "{0}.0", " {0}", "{0}.00")


@dataclass(frozen=True, kw_only=True)
class Coded:
    """What a table's rows became.

    Attributes:
        units: every unit by the sorted codes of its rows, and how often there is such a one.
        values: by open column, how many units hold each undeclared value.
        aside: the same of the units that were set aside. Codes and not cells, for rows of the same
            codes are one as good as the other.
    """

    units: Counter[tuple[tuple[int, ...], ...]]
    values: dict[str, Counter[str]]
    aside: Counter[tuple[tuple[int, ...], ...]]


def crowd(
    schema: "Schema", *, kind: int = 0, seed: int
) -> "tuple[pd.DataFrame, np.ndarray[Any, Any]]":
    """Return a table of persons of every kind, and the number of the person of each row.

    Some have more rows than are counted, some are spelled in several ways, and the last one has
    no name at all, who is nobody. Where a row is a unit, each row has a number of its own.

    Args:
        schema: the declared columns and unit.
        kind: which of ``KINDS``.
        seed: of all draws.
    """
    rng = np.random.default_rng((seed, kind))
    persons, odd, missing = KINDS[kind]
    unit = schema.privacy_unit
    most = unit.max_rows + _BEYOND if schema.unit.column is not None else 1
    sizes = rng.integers(1, most + 1, persons)
    whose = np.repeat(np.arange(persons), sizes)
    table = random_rows(schema, rng, rows=whose.size, most_codes=_CODES).astype(object)
    for empty, share in ((False, odd), (True, missing)):
        other = odd_rows(schema, table, missing=empty)
        for column in schema.modeled:
            hit = rng.random(whose.size) < share
            table[column.name] = table[column.name].where(~hit, other[column.name])
    named = schema.unit.column
    if named is not None:
        spelled = rng.integers(0, len(_SPELLINGS), whose.size)
        names = [
            None if person == persons - 1 else str(_SPELLINGS[at]).format(100 + int(person))
            for person, at in zip(whose, spelled, strict=True)
        ]
        table[named] = np.array(names, dtype=object)
    return table, whose


def long_crowd(schema: "Schema", *, seed: int) -> "tuple[pd.DataFrame, np.ndarray[Any, Any]]":
    """Return a long table whose persons' rows stand far apart, and the person of each row.

    Person 0 has more rows than are counted, from the first row to the last at even distances;
    the rows of all others stand anywhere. Whoever looks at rows batch by batch meets each of them
    several times. Where a row is a unit, each row has a number of its own.

    Args:
        schema: the declared columns and unit.
        seed: of all draws.
    """
    rng = np.random.default_rng((seed, _LONG))
    named, most = schema.unit.column, schema.privacy_unit.max_rows + _BEYOND
    table = random_rows(schema, rng, rows=_LONG)
    if named is None:
        return table, np.arange(_LONG)
    whose = 1 + rng.permutation(_LONG) // most
    whose[np.linspace(0, _LONG - 1, most).astype(np.int64)] = 0
    return table.assign(**{named: [f"p{person}" for person in whose.tolist()]}), whose


def coded(table: "pd.DataFrame", schema: "Schema", *, control: Fraction) -> Coded:
    """Prepare ``table`` as a release does, with a key that everybody knows."""
    from dpsynth.sources.frame import prepare

    prepared = prepare(table, schema, key=_key, control=control)
    controls = prepared.controls
    aside = _units(prepare(controls, schema, key=_key).source.unit_rows()) if len(controls) else []
    return Coded(
        units=Counter(_units(prepared.source.unit_rows())),
        values={
            column.name: _counted(*prepared.source.values(column.name))
            for column in schema.modeled
            if column.learns_values
        },
        aside=Counter(aside),
    )


def _units(rows: "UnitRows") -> list[tuple[tuple[int, ...], ...]]:
    held: dict[int, list[tuple[int, ...]]] = {}
    for unit, codes in zip(rows.units.tolist(), rows.codes.tolist(), strict=True):
        held.setdefault(unit, []).append(tuple(codes))
    return [tuple(sorted(each)) for each in held.values()]


def without_each(
    table: "pd.DataFrame", whose: "np.ndarray[Any, Any]", *, persons: "Sequence[int] | None" = None
) -> "Iterator[pd.DataFrame]":
    """Yield ``table`` without each of its persons in turn, or without each of ``persons``."""
    for person in np.unique(whose) if persons is None else persons:
        yield table.loc[whose != person].reset_index(drop=True)


def _counted(texts: Any, counts: Any) -> Counter[str]:
    return Counter(dict(zip(texts, counts.tolist(), strict=True)))


def _key(purpose: str) -> bytes:
    """Return a key that everybody knows: these persons have no secrets."""
    return purpose.encode().ljust(32, b"\0")[:32]
