"""Rows held in memory as codes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.encoding.codec import base_domain, smallest_unsigned
from dpsynth.encoding.table import encode_table
from dpsynth.encoding.undeclared import Undeclared
from dpsynth.privacy.bounding import bound_rows, content_digests, control_coin, person_digests
from dpsynth.privacy.source import TableSource, UnitRows
from dpsynth.sources.batches import Batches, count_rows
from dpsynth.sources.identity import DigestSums
from dpsynth.sources.persons import person_numbers
from dpsynth.sources.structure import check_columns

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

__all__ = ["FrameSource", "Prepared", "check_columns", "prepare"]

_CACHED_CELLS = 1 << 22  # at most 32 MiB of counts are kept


class FrameSource:
    """Counts coded rows with numpy; see ``dpsynth.privacy.source.TableSource``.

    Args:
        codes: by column, each of shape ``(rows,)``, unsigned, below the column's size.
        domain: the columns and their sizes.
        undeclared: by open column, what its cells hold beside the declared levels.
        units: shape ``(rows,)``, int64, whose row each is, at least 0; where not given, every row
            is its own unit.
    """

    def __init__(
        self,
        codes: Mapping[str, NDArray[Any]],
        domain: Domain,
        *,
        undeclared: Mapping[str, Undeclared] | None = None,
        units: NDArray[np.int64] | None = None,
    ) -> None:
        if tuple(codes) != domain.columns:
            raise ValueError("codes and domain must have the same columns in the same order")
        if len({column.shape for column in codes.values()}) > 1:
            raise ValueError("all columns must have the same number of rows")
        self.domain = domain
        self.__codes = {
            name: np.ascontiguousarray(column, dtype=smallest_unsigned(domain.sizes[name]))
            for name, column in codes.items()
        }
        self.__cache: dict[tuple[str, ...], NDArray[np.int64]] = {}
        self.__cached = 0
        self.__undeclared = dict(undeclared or {})
        self.__units = units

    def count(self, clique: tuple[str, ...]) -> NDArray[np.int64]:
        """Return exact rows per cell, row-major over the clique."""
        known = self.__cache.get(clique)
        if known is not None:
            return known.copy()
        return self.__kept(clique, count_rows(self.__codes, self.domain, clique))

    def count_many(self, cliques: Sequence[tuple[str, ...]]) -> Iterator[NDArray[np.int64]]:
        """Yield ``count`` of every clique, in order; small tables are counted many in one pass."""
        fresh = dict.fromkeys(clique for clique in cliques if clique not in self.__cache)
        batches = Batches(self.__codes, self.domain, fresh)
        waiting: dict[tuple[str, ...], NDArray[np.int64]] = {}
        for clique in cliques:
            if clique in fresh and clique not in waiting:
                waiting |= batches.with_(clique)
            counts = waiting.pop(clique, None)
            fresh.pop(clique, None)
            yield self.count(clique) if counts is None else self.__kept(clique, counts)

    def __kept(self, clique: tuple[str, ...], counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Put a copy into the cache where there is room; what a caller changes is not in it."""
        if clique not in self.__cache and self.__cached + counts.size <= _CACHED_CELLS:
            self.__cache[clique] = counts.copy()
            self.__cached += counts.size
        return counts

    def values(self, column: str) -> tuple[Sequence[str], NDArray[np.int64]]:
        """Return the undeclared values that rows hold, sorted, and how many units hold each."""
        held = self.__undeclared[column]
        units = np.arange(held.index.size) if self.__units is None else self.__units
        return held.holders(units)

    def closed(self, values: Mapping[str, Sequence[str]], domain: Domain) -> "FrameSource":
        """Return the same rows with codes of their own for ``values`` of open columns."""
        codes = dict(self.__codes)
        for name, released in values.items():
            codes[name] = self.__undeclared[name].recoded(codes[name], released)
        return FrameSource(codes, domain, units=self.__units)

    def coarsened(self, groups: Mapping[str, NDArray[np.int64]]) -> "FrameSource":
        """Return the same rows with codes regrouped: ``groups[column][code]`` is the new code."""
        domain = self.domain.regrouped(groups)
        codes = {
            name: groups[name].astype(smallest_unsigned(domain.sizes[name]))[column]
            if name in groups
            else column
            for name, column in self.__codes.items()
        }
        return FrameSource(codes, domain, units=self.__units)

    def unit_rows(self) -> UnitRows:
        """Return the rows, and the unit of each."""
        codes = np.column_stack(list(self.__codes.values()))
        if self.__units is None:
            return UnitRows(codes=codes, units=np.arange(len(codes)))
        return UnitRows(codes=codes, units=np.unique(self.__units, return_inverse=True)[1])

    def __repr__(self) -> str:
        return f"FrameSource({', '.join(self.domain.columns)})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("FrameSource holds private rows and cannot be pickled or copied")


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """A table ready for a curator, and the custodian's copies of its rows.

    Attributes:
        source: coded, bounded rows of the members.
        members: their raw rows, for the custodian's audit only.
        controls: raw rows of the persons set aside, bounded alike, for the audit only.
        identity: keyed digest of the table's content, whatever the order of its rows.
        note: what was sampled of members and controls, in one sentence; empty for nothing.
    """

    source: TableSource
    members: "pd.DataFrame" = field(repr=False)
    controls: "pd.DataFrame" = field(repr=False)
    identity: bytes = field(repr=False)
    note: str = ""


def prepare(
    frame: "pd.DataFrame",
    schema: "Schema",
    *,
    key: Callable[[str], bytes],
    control: Fraction | int = 0,
) -> Prepared:
    """Encode, bound and split a table. Depends on the rows silently, by declared rules.

    Args:
        frame: the table, with the declared columns.
        schema: closed.
        key: subkeys of the table's secret key by purpose.
        control: share of the units to set aside, exact, in [0, 1).

    Raises:
        DataError: the columns are not the declared ones.
        SchemaError: the schema is not closed.
    """
    check_columns(frame.columns, schema)
    unit = schema.privacy_unit
    encoded = encode_table(frame, schema)
    persons: NDArray[np.int64] | None = None
    content = encoded.content
    if schema.unit.column is not None:
        persons, ids = person_numbers(frame[schema.unit.column])
        words = np.append(person_digests(ids, key=key("persons")), np.uint64(0))[persons]
        # The person comes first, so that no person can renumber the copies of another's rows.
        content = np.column_stack([words, content])
    digests = content_digests(content, key=key("rows"))
    kept = bound_rows(digests, persons, max_rows=unit.max_rows)
    units = digests if persons is None else content[:, 0]
    aside = control_coin(units, share=Fraction(control), key=key("controls"))
    chosen = kept & ~aside
    codes = {name: column[chosen] for name, column in encoded.codes.items()}
    return Prepared(
        source=FrameSource(
            codes,
            base_domain(schema),
            undeclared={name: held.take(chosen) for name, held in encoded.undeclared.items()},
            units=None if persons is None else persons[chosen],
        ),
        members=frame.loc[chosen].reset_index(drop=True),
        controls=frame.loc[kept & aside].reset_index(drop=True),
        identity=DigestSums.of(digests).identity(schema, key=key("identity")),
    )
