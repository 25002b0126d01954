"""A table in codes: one query over an engine's table, in which every cell has been decided."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from dpsynth.encoding.codec import DateCodec, LevelsCodec, NumericCodec, codecs
from dpsynth.sources.sql import cells
from dpsynth.sources.sql.engine import Engine, Expression, Kind
from dpsynth.sources.sql.layers import Layers
from dpsynth.sources.sql.levels import PARTS, TEXT, Named, put_levels
from dpsynth.sources.sql.numbers import put_day, put_number

if TYPE_CHECKING:
    from dpsynth.schema import Schema

PERSON = "person"


@dataclass(frozen=True, kw_only=True)
class CodedQuery:
    """A query with the codes and the content of every row.

    Attributes:
        query: selects all the names below.
        columns: by modeled column, the names of its code, words and undeclared text.
        person: name of the canonical person id, null for nobody's row; None where rows are units.
    """

    query: exp.Select = field(repr=False)
    columns: Mapping[str, Named]
    person: str | None


def coded_query(
    table: Expression,
    schema: "Schema",
    *,
    kinds: Mapping[str, Kind],
    engine: Engine,
    carried: tuple[str, ...] = (),
) -> CodedQuery:
    """Write the query that codes a table.

    Args:
        table: where the rows stand: a table, or a query in parentheses with a name.
        schema: closed.
        kinds: what each column holds in the engine.
        engine: whose words to use.
        carried: cells that are selected as they are: ``r0`` of the first modeled column and so
            on, and ``r_person``.

    Raises:
        UnsupportedCellError: a column of this kind cannot be read as numpy reads it.
        SchemaError: the schema is not closed.
    """
    layers, columns = Layers(), {}
    for place, (name, tool) in enumerate(codecs(schema).items()):
        raw = layers.put(0, f"r{place}", exp.column(name, quoted=True))
        kind = kinds[name]
        if isinstance(tool, LevelsCodec):
            columns[name] = put_levels(layers, place, raw, tool=tool, kind=kind, engine=engine)
        elif isinstance(tool, NumericCodec):
            columns[name] = put_number(layers, place, raw, tool=tool, kind=kind, engine=engine)
        else:
            assert isinstance(tool, DateCodec), "there are three kinds of codec"
            columns[name] = put_day(layers, place, raw, tool=tool, kind=kind, engine=engine)
    whose = schema.unit.column
    if whose is not None:
        raw = layers.put(0, "r_person", exp.column(whose, quoted=True))
        held = layers.put(TEXT, "t_person", cells.text_of(raw, kinds[whose], engine))
        layers.put(PARTS, PERSON, cells.person_of(held, engine))
    wanted = [each for named in columns.values() for each in (named.code, named.words)]
    wanted += [named.undeclared for named in columns.values() if named.undeclared is not None]
    wanted += [PERSON] if whose is not None else []
    wanted += carried
    return CodedQuery(
        query=layers.query(table, wanted),
        columns=columns,
        person=PERSON if whose is not None else None,
    )
