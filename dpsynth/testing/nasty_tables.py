"""Small tables of everything that goes wrong between two engines, each with its schema.

A source that counts them as ``dpsynth.sources.frame`` does has met nulls, NaN, minus zero,
duplicates, text that looks alike, white space of every kind, empty text, whole numbers stored as
floats and as text, numbers beyond 2**53, times with zones, repeated persons, persons without a
name, missing codes, open columns, rolled-up codes, rules and tables without a row.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from dpsynth.testing import nasty_cells as cells

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

CROWDED = 100  # one table in so many has a person with CROWD rows
CROWD = 10_000
_ROWS = (0, 1, 2, 5, 12, 25, 40, 60)


@dataclass(frozen=True, kw_only=True, eq=False)
class NastyTable:
    """A table that engines read differently, and its schema.

    Attributes:
        seed: what it was made from.
        schema: the declared columns.
        table: a ``pyarrow.Table`` with the columns of the schema, each of one type.
    """

    seed: int
    schema: "Schema"
    table: Any = field(repr=False)

    def frame(self) -> "pd.DataFrame":
        """Return the table as the reader of Parquet files would."""
        import pandas as pd

        from dpsynth.encoding.arrow import to_series

        columns = [to_series(column) for column in self.table.columns]
        index = pd.RangeIndex(self.table.num_rows)
        return pd.DataFrame(dict(zip(self.table.column_names, columns, strict=True)), index=index)


@dataclass(frozen=True, kw_only=True)
class _Made:
    """One column: what is declared of it, the type that holds it, and its cells."""

    declared: dict[str, Any]
    kind: str
    cells: list[Any]


_Rng = np.random.Generator
_Maker = Callable[[_Rng, int], _Made]


def nasty_table(seed: int) -> NastyTable:
    """Make table number ``seed``: the same one for the same number.

    At most 60 rows, but for one table in a hundred, in which one person has 10,000.
    """
    import pyarrow as pa

    from dpsynth.schema import Schema

    rng = np.random.default_rng([seed, 20_261_123])
    crowded = seed % CROWDED == CROWDED - 1
    rows = CROWD + 7 if crowded else int(rng.choice(_ROWS))
    names = [str(name) for name in rng.permutation(cells.NAMES)]
    kinds = rng.choice(len(_MAKERS), size=int(rng.integers(1, 6)), replace=True)
    made = {names.pop(): _MAKERS[int(kind)](rng, rows) for kind in kinds}
    columns = {name: {"name": name, **each.declared} for name, each in made.items()}
    document: dict[str, Any] = {"columns": list(columns.values())}
    rules = _rules(rng, columns)
    if rules:
        document["rules"] = rules
    if crowded or rng.random() < 0.6:
        name = names.pop()
        made[name] = _persons(rng, rows, crowded=crowded)
        document["unit"] = {"kind": "person", "column": name, "max_rows": int(rng.integers(1, 4))}
        document["columns"].insert(0, {"name": name, **made[name].declared})
    if rng.random() < 0.3:
        name = names.pop()
        made[name] = _Made(declared={"kind": "excluded"}, kind="text", cells=["secret"] * rows)
        document["columns"].append({"name": name, **made[name].declared})
    types = {
        "text": pa.string(),
        "integer": pa.int64(),
        "float": pa.float64(),
        "boolean": pa.bool_(),
        "decimal": pa.decimal128(20, 4),
        "date": pa.date32(),
        "time": pa.timestamp("us"),
        "zoned": pa.timestamp("us", "UTC"),
    }
    arrays = {name: pa.array(each.cells, type=types[each.kind]) for name, each in made.items()}
    return NastyTable(seed=seed, schema=Schema.from_dict(document), table=pa.table(arrays))


def _draw(rng: _Rng, pool: Sequence[Any], rows: int, *, nulls: float = 0.1) -> list[Any]:
    """Draw cells with a few favorites, so that rows repeat, and nulls."""
    favorites = [pool[int(at)] for at in rng.integers(0, len(pool), min(4, len(pool)))]
    found = []
    for _ in range(rows):
        luck = rng.random()
        within = favorites if luck < 0.5 else pool
        found.append(None if luck > 1 - nulls else within[int(rng.integers(0, len(within)))])
    return found


def _wrapped(rng: _Rng, texts: Sequence[str]) -> list[str]:
    ends = rng.integers(0, len(cells.AROUND), (len(texts), 2))
    return [
        cells.AROUND[int(before)] + text + cells.AROUND[int(after)]
        for text, (before, after) in zip(texts, ends, strict=True)
    ]


def _some(rng: _Rng, pool: Sequence[Any], least: int, most: int) -> list[Any]:
    count = int(rng.integers(least, most + 1))
    return [pool[int(at)] for at in rng.permutation(len(pool))[:count]]


def _missing(rng: _Rng, codes: Sequence[Any]) -> dict[str, Any]:
    """Declare nulls, missing codes, both or neither."""
    found: dict[str, Any] = {}
    if rng.random() < 0.5:
        found["nullable"] = True
    if rng.random() < 0.4:
        found["missing_codes"] = _some(rng, codes, 1, min(2, len(codes)))
    return found


def _looks(rng: _Rng, rows: int) -> _Made:
    levels = _some(rng, cells.LOOK_ALIKES, 2, 8)
    declared: dict[str, Any] = {"values": levels, **_missing(rng, ["N/A", "zz"])}
    declared["kind"] = str(rng.choice(["categorical", "ordinal"]))
    if rng.random() < 0.3:
        declared["fallback"] = levels[-1]
    pool = [*levels, *levels, *cells.LOOK_ALIKES, *cells.STRAYS]
    return _Made(declared=declared, kind="text", cells=_draw(rng, _wrapped(rng, pool), rows))


def _opened(rng: _Rng, rows: int) -> _Made:
    declared: dict[str, Any] = {"kind": "categorical", "open": True, **_missing(rng, ["N/A", "b"])}
    if rng.random() < 0.5:
        declared["values"] = _some(rng, ("a", "fi", "7", "A"), 1, 3)
    if rng.random() < 0.3:
        pool: list[Any] = [0, 1, 7, -3, 2**60 + 1]
        return _Made(declared=declared, kind="integer", cells=_draw(rng, pool, rows))
    texts = [*cells.LOOK_ALIKES, *cells.STRAYS, "7", "7.0", "7.00", "-0.0"]
    return _Made(declared=declared, kind="text", cells=_draw(rng, _wrapped(rng, texts), rows))


def _rolled(rng: _Rng, rows: int) -> _Made:
    declared: dict[str, Any] = {"kind": "categorical", **_missing(rng, ["?", "250"])}
    if rng.random() < 0.85:  # the other lists are long, and slow to write
        declared["rollup"] = {"rule": "prefix", "length": 2, "values": ["E1", "25", "é", "ß1"]}
    else:
        declared["codes"] = str(rng.choice(["ICD-9-CM", "ICD-10", "ICD-10-CM"]))
    return _Made(declared=declared, kind="text", cells=_draw(rng, _wrapped(rng, cells.CODES), rows))


def _numbered(rng: _Rng, rows: int) -> _Made:
    """Levels that are numbers, in any type that can hold them."""
    levels: list[Any] = _some(rng, (0, 1, 2, 7, 99, -1, 100), 2, 5)
    if rng.random() < 0.5:
        levels = [float(level) for level in levels]
        if rng.random() < 0.5:
            levels.append(2.5)
    declared = {"kind": "categorical", "values": levels, **_missing(rng, [99, -7])}
    if set(declared.get("missing_codes", ())) >= set(levels):
        declared.pop("missing_codes")
    kind = str(rng.choice(["integer", "float", "text", "decimal", "boolean"]))
    return _Made(declared=declared, kind=kind, cells=_numbers(rng, kind, rows))


def _spelled(rng: _Rng, rows: int) -> _Made:
    """Levels that are digits as text, in any type that can hold them."""
    levels = _some(rng, ("0", "1", "7", "99", "2.5", "True", "False"), 2, 6)
    declared = {"kind": "categorical", "values": levels, **_missing(rng, ["-1", 7])}
    if {str(code) for code in declared.get("missing_codes", ())} >= set(levels):
        declared.pop("missing_codes")
    kind = str(rng.choice(["integer", "float", "text", "boolean", "decimal"]))
    return _Made(declared=declared, kind=kind, cells=_numbers(rng, kind, rows))


def _numbers(rng: _Rng, kind: str, rows: int) -> list[Any]:
    pools: dict[str, Sequence[Any]] = {
        "integer": cells.INTEGERS,
        "float": cells.FLOATS,
        "boolean": (True, False),
        "text": _wrapped(rng, cells.NUMERALS),
        "decimal": [Decimal(text) for text in cells.DECIMALS],
    }
    near: list[Any] = [0, 1, 2, 7, 99, -1, 100] if kind in ("integer", "float") else []
    return _draw(rng, [*pools[kind], *map({"float": float}.get(kind, int), near)], rows)


def _whole(rng: _Rng, rows: int) -> _Made:
    declared: dict[str, Any] = {"kind": "integer", **_missing(rng, [99, -1, "n/a", 7.0])}
    choice = int(rng.integers(0, 5))
    if choice == 0:
        declared["bounds"] = [0, 100]
    elif choice == 1:
        declared.update(bounds=[-1000, 1000], bins=7)
    elif choice == 2:
        declared["bins"] = [0, 1, 7, 50, 2**40]
    elif choice == 3:
        declared["bounds"] = [-(2**53), 2**53]
    if rng.random() < 0.3 and choice < 4:
        declared["fallback"] = 7
    kind = str(rng.choice(["integer", "float", "text", "decimal", "boolean"]))
    return _Made(declared=declared, kind=kind, cells=_numbers(rng, kind, rows))


def _real(rng: _Rng, rows: int) -> _Made:
    declared: dict[str, Any] = {"kind": "continuous", **_missing(rng, [0.1, 99, -1, "n/a", "inf"])}
    choice = int(rng.integers(0, 6))
    if choice == 0:
        declared["bounds"] = [0, 100]
    elif choice == 1:
        declared.update(bounds=[-1.5, 7.3], bins=9)
    elif choice == 2:
        declared["bins"] = [0, 0.1, 0.30000000000000004, 7, 1e9]
    elif choice == 3:
        declared["bounds"] = [-1e300, 1e300]
    elif choice == 4:
        declared["bounds"] = [7.0, 7.0]
    kind = str(rng.choice(["float", "text", "integer", "decimal", "boolean"]))
    return _Made(declared=declared, kind=kind, cells=_numbers(rng, kind, rows))


def _answered(rng: _Rng, rows: int) -> _Made:
    declared: dict[str, Any] = {"kind": "boolean", **_missing(rng, ["oui", 2, "1"])}
    kind = str(rng.choice(["boolean", "text", "integer", "float"]))
    if kind == "text":
        found = _draw(rng, _wrapped(rng, cells.ANSWERS), rows)
    else:
        found = _numbers(rng, kind, rows)
    return _Made(declared=declared, kind=kind, cells=found)


def _dated(rng: _Rng, rows: int) -> _Made:
    declared: dict[str, Any] = {"kind": "date", **_missing(rng, ["9999-12-31", "never"])}
    choice = int(rng.integers(0, 4))
    if choice == 0:
        declared["bounds"] = ["2020-01-01", "2020-03-31"]
    elif choice == 1:
        declared.update(bounds=["1900-01-01", "2030-12-31"], bins=11)
    elif choice == 2:
        declared["bins"] = ["2020-01-01", "2020-02-29", "2020-03-01", "2025-01-01"]
    else:
        declared["bounds"] = ["0001-01-01", "9999-12-31"]
    kind = str(rng.choice(["date", "time", "zoned", "text"]))
    if kind == "text":
        return _Made(
            declared=declared, kind=kind, cells=_draw(rng, _wrapped(rng, cells.DAY_TEXTS), rows)
        )
    days: list[Any] = list(cells.DAYS)
    if kind != "date":
        # Neither end of the calendar: a zone would lead out of it, and no engine goes along.
        days = [
            dt.datetime.combine(day, clock, tzinfo=dt.UTC if kind == "zoned" else None)
            for day in cells.DAYS
            for clock in cells.CLOCKS
            if 2 <= day.year <= 9998
        ]
    return _Made(declared=declared, kind=kind, cells=_draw(rng, days, rows))


_MAKERS: tuple[_Maker, ...] = (
    _looks,
    _opened,
    _rolled,
    _numbered,
    _spelled,
    _whole,
    _real,
    _answered,
    _dated,
)


def _persons(rng: _Rng, rows: int, *, crowded: bool) -> _Made:
    kind = str(rng.choice(["text", "integer", "float"]))
    pool: list[Any] = list(cells.IDS)
    if kind == "integer":
        pool = [1, 2, 7, -7, 2**53 + 1, 2**53 + 2, 0]
    elif kind == "float":
        pool = [1.0, 2.0, 7.0, -0.0, 0.0, float("nan"), 2.0**40]
    found = _draw(rng, pool, rows)
    if crowded:
        found = [pool[0]] * CROWD + found[CROWD:]
        found = [found[int(at)] for at in rng.permutation(rows)]
    declared = {"kind": str(rng.choice(["identifier", "excluded"]))}
    return _Made(declared=declared, kind=kind, cells=found)


def _rules(rng: _Rng, columns: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Forbid something between two columns, so that cells are cut where the rule says."""
    if rng.random() < 0.5:
        return []
    parts = {name: part for name, each in columns.items() if (part := _part(each)) is not None}
    named = sorted(parts)[:2]
    return [{"forbid": {name: parts[name] for name in named}}] if len(named) == 2 else []


def _part(column: dict[str, Any]) -> Any:
    if column["kind"] == "continuous" and column.get("bounds") == [0, 100]:
        return {"least": 0.3, "most": 7}
    if column["kind"] == "integer" and column.get("bounds") == [0, 100]:
        return {"least": 3, "most": 98}
    if column["kind"] == "date" and column.get("bounds") == ["1900-01-01", "2030-12-31"]:
        return {"least": "2020-02-29", "most": "2020-03-01"}
    if column["kind"] == "boolean":
        return True
    values = column.get("values")
    if values and not column.get("open"):
        kept = [each for each in values if each not in column.get("missing_codes", ())]
        return kept[0] if kept else None
    return None
