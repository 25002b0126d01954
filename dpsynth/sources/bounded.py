"""From a table's query to counted rows, in any engine: what databases and Spark share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlglot import exp

from dpsynth.encoding.codec import base_domain, codecs
from dpsynth.sources.engine import CodedColumn, EngineSource
from dpsynth.sources.frame import Prepared
from dpsynth.sources.identity import DigestSums
from dpsynth.sources.sql.bounding import (
    ASIDE,
    DIGEST,
    KEPT,
    UNIT,
    Laws,
    bounded_query,
    identity_query,
)
from dpsynth.sources.sql.engine import Engine, Expression, Kind, text
from dpsynth.sources.sql.query import CodedQuery, coded_query

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema
    from dpsynth.sources.engine import Engine as Runner

PURPOSES = ("rows", "persons", "controls")  # of the keys that a query needs
AUDITED_ROWS = 100_000  # about so many members, and so many controls, are fetched for an audit


@dataclass(frozen=True, kw_only=True)
class BoundedRows:
    """A query that codes a table and decides about every row.

    Attributes:
        query: of codes, digests, flags, and the cells as they are.
        coded: the names of the codes.
        kinds: what each column holds.
        raw: by column, the name of its cells as they are.
    """

    query: "exp.Select" = field(repr=False)
    coded: "CodedQuery" = field(repr=False)
    kinds: Mapping[str, "Kind"]
    raw: Mapping[str, str]


def bounded_rows(
    table: "Expression",
    schema: "Schema",
    *,
    kinds: Mapping[str, "Kind"],
    engine: "Engine",
    control: Fraction,
) -> BoundedRows:
    """Write the query that codes, bounds and splits a table; ``keyed`` puts the keys in.

    Args:
        table: where the rows stand.
        schema: closed.
        kinds: what each column holds in the engine.
        engine: whose words to use.
        control: share of the units to set aside.

    Raises:
        UnsupportedCellError: a column cannot be read in this engine as numpy reads it.
    """
    raw = {column.name: f"r{place}" for place, column in enumerate(schema.modeled)}
    if schema.unit.column is not None:
        raw[schema.unit.column] = "r_person"
    coded = coded_query(table, schema, kinds=kinds, engine=engine, carried=tuple(raw.values()))
    laws = Laws(key=_placeholder, max_rows=schema.privacy_unit.max_rows, control=control)
    query = bounded_query(coded, laws, engine)
    return BoundedRows(query=query, coded=coded, kinds=kinds, raw=raw)


def keyed(query: "exp.Select", places: Mapping[str, "Expression"]) -> "exp.Select":
    """Say where the keys are found: what an engine runs can be seen in its lists and its logs.

    Args:
        query: of ``bounded_rows``; changed in place.
        places: by purpose, an expression for the key in hexadecimal digits.
    """
    by_digits = {_placeholder(purpose).hex(): place for purpose, place in places.items()}
    for node in list(query.find_all(exp.Literal)):
        place = by_digits.get(node.this[:64]) if node.is_string else None
        if place is not None:
            rest = text(node.this[64:])
            node.replace(exp.paren(exp.DPipe(this=place.copy(), expression=rest, safe=True)))
    return query


def _placeholder(purpose: str) -> bytes:
    return sha256(f"the key for {purpose}".encode()).digest()


def prepared(
    runner: "Runner",
    bounded: BoundedRows,
    schema: "Schema",
    *,
    relation: str,
    words: "Engine",
    key: Callable[[str], bytes],
) -> "Prepared":
    """Return what a curator and the custodian's audit need of rows that the engine holds.

    Args:
        runner: runs statements over the rows.
        bounded: the query that they are the answer of.
        schema: of the table.
        relation: where they stand.
        words: how the engine says things.
        key: subkeys of the table's secret key by purpose.
    """
    everything = exp.select("*").from_(exp.to_table(relation, dialect=words.dialect))
    ((rows, high, low),) = runner.rows(words.sql(identity_query(everything, words)))
    sums = DigestSums(rows=int(rows), high=int(high), low=int(low))
    domain, tools = base_domain(schema), codecs(schema)
    columns = {
        name: CodedColumn(
            code=_name(named.code, words),
            now=np.arange(domain.sizes[name]),
            text=None if named.undeclared is None else _name(named.undeclared, words),
            first=tools[name].size - 1 - tools[name].has_missing,
        )
        for name, named in bounded.coded.columns.items()
    }
    kept = {
        aside: f"{relation} WHERE {_name(KEPT, words)} = 1 AND {_name(ASIDE, words)} = {aside}"
        for aside in (0, 1)
    }
    return Prepared(
        source=EngineSource(
            runner,
            relation=kept[0],
            columns=columns,
            unit=None if schema.unit.column is None else _name(UNIT, words),
            domain=domain,
        ),
        members=_raw(runner, bounded, schema, kept[0], words),
        controls=_raw(runner, bounded, schema, kept[1], words),
        identity=sums.identity(schema, key=key("identity")),
    )


def _name(name: str, words: "Engine") -> str:
    return words.sql(exp.column(name, quoted=True))


def _raw(
    runner: "Runner", bounded: BoundedRows, schema: "Schema", relation: str, words: "Engine"
) -> "pd.DataFrame":
    """Return rows as they are, for the custodian's audit: of so many persons as it can hold.

    Which persons follows from their keyed digests, as everything about them does.
    """
    import pandas as pd

    names = [column.name for column in schema.columns if column.name in bounded.raw]
    listed = ", ".join(_name(bounded.raw[name], words) for name in names)
    ((rows,),) = runner.rows(f"SELECT COUNT(*) FROM {relation}")
    if rows > AUDITED_ROWS:
        unit = _name(DIGEST if schema.unit.column is None else UNIT, words)
        below = f"{AUDITED_ROWS * 2**64 // rows:016x}"
        relation = f"{relation} AND {unit} < {runner.text(below)}"
    held: list[Sequence[Any]] = []
    for batch in runner.batches(f"SELECT {listed} FROM {relation}", size=50_000):
        held.extend(batch)
    cells = zip(*held, strict=True) if held else ([] for _ in names)
    columns = {
        name: pd.Series(list(column), dtype=object)
        for name, column in zip(names, cells, strict=True)
    }
    return pd.DataFrame(columns, index=pd.RangeIndex(len(held)))
