"""Counts from any engine that speaks SQL, over rows that it holds coded and bounded.

Only numbers of cells and their counts travel. One statement counts many tables: where the engine
has grouping sets, in one pass over the rows, and otherwise by one pass a table. Nothing but plain
arithmetic, CASE and COALESCE stands in these statements, so that every engine reads them alike.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.privacy.source import UnitRows
from dpsynth.schema.values import learnable

_STATEMENT_SETS = 256  # tables that one statement counts at most
_STATEMENT_CELLS = 1 << 24  # cells of them together: 128 MiB of counts
_FETCHED = 50_000  # rows of the units that are read at once

Clique = tuple[str, ...]
Form = Literal["sets", "array", "each"]


class Engine(Protocol):
    """What a source needs of whatever runs its statements."""

    @property
    def form(self) -> Form:
        """How it counts several tables best; see ``counting``."""
        ...

    def rows(self, statement: str) -> Sequence[Sequence[Any]]:
        """Run one statement and return all that it answers."""
        ...

    def batches(self, statement: str, *, size: int) -> Iterator[Sequence[Sequence[Any]]]:
        """Run one statement and yield what it answers, about ``size`` rows at a time."""
        ...

    def text(self, value: str) -> str:
        """Write a text as SQL."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class CodedColumn:
    """How a column is coded in the engine, and what has become of its codes since.

    Attributes:
        code: an expression for the code that stands there.
        now: shape ``(codes,)``, int64: what each of those codes is now.
        text: of an open column, an expression for the value that could be learnt, else NULL.
        first: of an open column, the code that the first released value will get.
        released: by released value, its code now.
    """

    code: str
    now: NDArray[np.int64]
    text: str | None = None
    first: int = 0
    released: Mapping[str, int] = field(default_factory=dict)

    def closed(self, values: Sequence[str]) -> "CodedColumn":
        """Give each of ``values`` a code, from ``first`` on; those behind move up."""
        if self.text is None or len(set(values)) < len(values):
            raise ValueError("released values are those of an open column, each named once")
        released = {value: self.first + rank for rank, value in enumerate(values)}
        now = np.where(self.now < self.first, self.now, self.now + len(values))
        return replace(self, now=now, released=released)

    def coarsened(self, groups: NDArray[np.int64]) -> "CodedColumn":
        """Put ``groups[code]`` in the place of every code."""
        released = {value: int(groups[code]) for value, code in self.released.items()}
        return replace(self, now=groups[self.now], released=released)

    def written(self, engine: Engine) -> str:
        """Return an expression for the code now."""
        code = stepped(self.code, self.now)
        if not self.released:
            return code
        cases = (f"WHEN {engine.text(value)} THEN {at}" for value, at in self.released.items())
        return f"(CASE {self.text} {' '.join(cases)} ELSE {code} END)"


class EngineSource:
    """Counts rows within an engine; see ``dpsynth.privacy.source.TableSource``.

    Args:
        engine: runs the statements, and holds the rows coded and bounded.
        relation: where they stand: what to write after FROM.
        columns: how, by modeled column.
        unit: an expression that is the same for the rows of one unit, and for no others; None
            where every row is its own unit.
        domain: the columns and their sizes.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        relation: str,
        columns: Mapping[str, CodedColumn],
        unit: str | None,
        domain: Domain,
    ) -> None:
        if tuple(columns) != domain.columns:
            raise ValueError("codes and domain must have the same columns in the same order")
        self.domain = domain
        self.__engine = engine
        self.__relation = relation
        self.__columns = dict(columns)
        self.__unit = unit

    def count(self, clique: Clique) -> NDArray[np.int64]:
        """Return exact rows per cell, row-major over the clique."""
        return next(self.count_many([clique]))

    def count_many(self, cliques: Sequence[Clique]) -> Iterator[NDArray[np.int64]]:
        """Yield ``count`` of every clique, in order: one statement for as many as memory allows."""
        for several in _shares(cliques, self.domain):
            yield from self.__counted(several)

    def __counted(self, cliques: Sequence[Clique]) -> Iterator[NDArray[np.int64]]:
        ends = np.cumsum([self.domain.size(clique) for clique in cliques])
        starts = [0, *ends.tolist()]
        places = [self.__place(clique, at) for clique, at in zip(cliques, starts, strict=False)]
        statement = counting(places, self.__relation, form=self.__engine.form)
        found = np.asarray(self.__engine.rows(statement), dtype=np.int64).reshape(-1, 2)
        counts = np.zeros(starts[-1], dtype=np.int64)
        counts[found[:, 0]] = found[:, 1]
        yield from (each.copy() for each in np.split(counts, ends[:-1]))

    def __place(self, clique: Clique, start: int) -> str:
        if not clique:
            raise ValueError("a clique must name at least one column")
        place = ""
        for name in clique:
            before = f"({place}) * {self.domain.sizes[name]} + " if place else ""
            place = before + self.__columns[name].written(self.__engine)
        return f"{place} + {start}"

    def values(self, column: str) -> tuple[Sequence[str], NDArray[np.int64]]:
        """Return the undeclared values that rows hold, sorted, and how many units hold each."""
        held = f"SELECT {self.__columns[column].text} AS held"
        counted = "COUNT(*)"
        if self.__unit is not None:
            held, counted = f"{held}, {self.__unit} AS whose", "COUNT(DISTINCT whose)"
        found = self.__engine.rows(
            f"SELECT held, {counted} FROM ({held} FROM {self.__relation}) AS each_row "
            "WHERE held IS NOT NULL GROUP BY held"
        )
        # Sorted here: each engine has an order of its own for text, and knows less of it.
        ordered = sorted((str(text), int(units)) for text, units in found if learnable(str(text)))
        return [text for text, _ in ordered], np.array([n for _, n in ordered], dtype=np.int64)

    def closed(self, values: Mapping[str, Sequence[str]], domain: Domain) -> "EngineSource":
        """Return the same rows with codes of their own for ``values`` of open columns."""
        changed = {name: self.__columns[name].closed(listed) for name, listed in values.items()}
        return self.__with(changed, domain)

    def coarsened(self, groups: Mapping[str, NDArray[np.int64]]) -> "EngineSource":
        """Return the same rows with codes regrouped: ``groups[column][code]`` is the new code."""
        changed = {name: self.__columns[name].coarsened(each) for name, each in groups.items()}
        return self.__with(changed, self.domain.regrouped(groups))

    def __with(self, changed: Mapping[str, CodedColumn], domain: Domain) -> "EngineSource":
        return EngineSource(
            self.__engine,
            relation=self.__relation,
            columns={**self.__columns, **changed},
            unit=self.__unit,
            domain=domain,
        )

    def unit_rows(self) -> UnitRows:
        """Return the rows, and the unit of each."""
        written = [column.written(self.__engine) for column in self.__columns.values()]
        statement = f"SELECT {', '.join([self.__unit or '0', *written])} FROM {self.__relation}"
        numbers: dict[Any, int] = {}
        codes, units = [np.empty((0, len(written)), dtype=np.int64)], [np.empty(0, dtype=np.int64)]
        for batch in self.__engine.batches(statement, size=_FETCHED):
            units.append(np.array([numbers.setdefault(row[0], len(numbers)) for row in batch]))
            codes.append(np.array([tuple(row[1:]) for row in batch], dtype=np.int64))
        found = np.concatenate(codes)
        if self.__unit is None:
            return UnitRows(codes=found, units=np.arange(len(found)))
        return UnitRows(codes=found, units=np.concatenate(units))

    def __repr__(self) -> str:
        return f"EngineSource({', '.join(self.domain.columns)})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("EngineSource reads private rows and cannot be pickled or copied")


def counting(places: Sequence[str], relation: str, *, form: Form) -> str:
    """Return the statement that counts rows by each of these places, none of which is NULL.

    Args:
        places: an expression a table, for the number of the cell that a row falls into; no two
            tables share a number.
        relation: what to write after FROM.
        form: "sets" by grouping sets; "array" by an array of places a row, as Spark does it, which
            takes 64 grouping sets at most; "each" one by one.

    Returns:
        A statement that answers pairs: the number of a cell that holds a row, and how many.
    """
    if form == "array":
        return (
            "SELECT cell, COUNT(*) AS held FROM "
            f"(SELECT EXPLODE(ARRAY({', '.join(places)})) AS cell FROM {relation}) "
            "AS placed GROUP BY cell"
        )
    if len(places) == 1 or form == "each":
        each = (
            f"SELECT cell, COUNT(*) AS held FROM (SELECT {place} AS cell FROM {relation}) "
            "AS placed GROUP BY cell"
            for place in places
        )
        return " UNION ALL ".join(each)
    names = [f"q{at}" for at in range(len(places))]
    listed = ", ".join(f"{place} AS {name}" for place, name in zip(places, names, strict=True))
    return (
        f"SELECT COALESCE({', '.join(names)}) AS cell, COUNT(*) AS held "
        f"FROM (SELECT {listed} FROM {relation}) AS placed "
        f"GROUP BY GROUPING SETS ({', '.join(f'({name})' for name in names)})"
    )


def stepped(code: str, values: NDArray[np.int64]) -> str:
    """Return an expression for ``values[code]``: codes are sought by halves among equal runs."""
    if np.array_equal(values, np.arange(values.size)):
        return code
    starts = np.flatnonzero(np.append(True, values[1:] != values[:-1])).tolist()

    def sought(low: int, high: int) -> str:
        if high - low == 1:
            return str(int(values[starts[low]]))
        middle = (low + high) // 2
        return (
            f"CASE WHEN {code} < {starts[middle]} THEN {sought(low, middle)} "
            f"ELSE {sought(middle, high)} END"
        )

    return f"({sought(0, len(starts))})"


def _shares(cliques: Sequence[Clique], domain: Domain) -> Iterator[list[Clique]]:
    several: list[Clique] = []
    cells = 0
    for clique in cliques:
        size = domain.size(clique)
        if several and (len(several) == _STATEMENT_SETS or cells + size > _STATEMENT_CELLS):
            yield several
            several, cells = [], 0
        several.append(clique)
        cells += size
    if several:
        yield several
