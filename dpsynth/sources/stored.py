"""A table of files, coded and bounded on disk: what ``frame.prepare`` does in memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dpsynth.encoding.codec import Codec, base_domain, codecs, smallest_unsigned
from dpsynth.errors import UsageError
from dpsynth.privacy.bounding import (
    bound_rows,
    content_groups,
    control_coin,
    copy_digests,
    person_digests,
)
from dpsynth.sources.duckdb import Limits
from dpsynth.sources.folder import PrivateFolder
from dpsynth.sources.frame import Prepared
from dpsynth.sources.identity import DigestSums
from dpsynth.sources.persons import person_numbers
from dpsynth.sources.store import Column, StoredColumn, StoreSource, alike
from dpsynth.sources.streams import FileTable, frame_of, is_large, open_table

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

EngineName = Literal["auto", "frame", "duckdb"]

AUDITED_ROWS = 100_000  # about so many members, and so many controls, are held for an audit
NOTE = (
    "the internal audit attacks a sample of the persons, chosen by the table's key; the synthetic "
    "table is never sampled"
)
_NOBODY = np.uint64(0)


def prepare_files(
    table: FileTable,
    schema: "Schema",
    *,
    key: Callable[[str], bytes],
    control: Fraction | int = 0,
    folder: PrivateFolder | None = None,
    limits: Limits | None = None,
) -> Prepared:
    """Encode, bound and split a table on disk; see ``dpsynth.sources.frame.prepare``.

    The rows are read once for their codes, and once more for the raw rows of the persons that an
    audit may attack: a sample of persons by the table's key, where there are many.

    Args:
        table: from ``open_table``.
        schema: closed.
        key: subkeys of the table's secret key by purpose.
        control: share of the units to set aside, exact, in [0, 1).
        folder: where the codes stand; one of its own where not given.
        limits: of the engine that reads.

    Raises:
        DataError: a file changed, or cannot be read.
        SchemaError: the schema is not closed.
    """
    limits, folder = limits or Limits(), folder or PrivateFolder()
    store = _Store(schema, folder, key)
    for frame in table.frames(folder.path, limits):
        store.append(frame)
    kept, aside, audited, sums = _decided(store, schema, key, Fraction(control))
    members, controls, note = _raw(table, folder.path, limits, kept & audited, aside)
    source = store.source(kept & ~aside)
    return Prepared(
        source=source,
        members=members,
        controls=controls,
        identity=sums.identity(schema, key=key("identity")),
        note=note,
    )


@dataclass(eq=False, repr=False)
class _Open:
    """The values of an open column so far, each with a number from 1."""

    numbers: dict[str, int] = field(default_factory=dict)

    def numbered(self, texts: tuple[str, ...], index: NDArray[np.int64]) -> NDArray[np.uint32]:
        held = [self.numbers.setdefault(text, len(self.numbers) + 1) for text in texts]
        return np.array([*held, 0], dtype=np.uint32)[index]


class _Store:
    """Columns on disk, filled a frame at a time."""

    def __init__(
        self, schema: "Schema", folder: PrivateFolder, key: Callable[[str], bytes]
    ) -> None:
        self._schema, self._folder, self._key = schema, folder, key
        self._tools: Mapping[str, Codec] = codecs(schema)
        self._codes = {
            name: Column(folder.path, smallest_unsigned(tool.size))
            for name, tool in self._tools.items()
        }
        opened = [column.name for column in schema.modeled if column.learns_values]
        self._opened = {name: _Open() for name in opened}
        self._texts = {name: Column(folder.path, np.uint32) for name in opened}
        self._first: dict[str, int] = {}
        self.groups = Column(folder.path, np.uint64, width=2)
        whose = schema.unit.column
        self.persons = None if whose is None else Column(folder.path, np.uint64)

    def append(self, frame: "pd.DataFrame") -> None:
        """Code some rows and write them."""
        content: list[NDArray[np.uint64]] = []
        whose = self._schema.unit.column
        if self.persons is not None and whose is not None:
            numbers, ids = person_numbers(frame[whose])
            words = person_digests(ids, key=self._key("persons"))
            persons = np.append(words, _NOBODY)[numbers]
            self.persons.append(persons)
            content.append(persons)
        for name, tool in self._tools.items():
            encoded = tool.encode(frame[name])
            self._codes[name].append(encoded.codes)
            content.append(encoded.content)
            if encoded.rest is not None:
                content.append(encoded.rest)
            if encoded.undeclared is not None:
                held = encoded.undeclared
                self._first[name] = held.first
                self._texts[name].append(self._opened[name].numbered(held.texts, held.index))
        words = np.column_stack(content)
        self.groups.append(content_groups(words, key=self._key("rows")))

    def source(self, chosen: NDArray[np.bool_]) -> StoreSource:
        """Keep the chosen rows, and return what counts them."""
        self.groups.close()
        held = [*self._codes.values(), *self._texts.values()]
        held += [] if self.persons is None else [self.persons]
        if not chosen.all():
            for column in held:
                column.keep(chosen)
        columns = {}
        for name, codes in self._codes.items():
            known = self._opened.get(name)
            columns[name] = StoredColumn(
                codes=codes,
                texts=self._texts.get(name),
                names=() if known is None else tuple(known.numbers),
                first=self._first.get(name, 0),
            )
        return StoreSource(
            columns,
            base_domain(self._schema),
            rows=int(chosen.sum()),
            folder=self._folder,
            units=self.persons,
        )


_Mask = NDArray[np.bool_]


def _decided(
    store: _Store, schema: "Schema", key: Callable[[str], bytes], control: Fraction
) -> tuple[_Mask, _Mask, _Mask, DigestSums]:
    """Return by row: kept, aside, in the audit's sample; and the sums of all digests.

    By the kernel's own functions, over parts of the table that hold all rows of a person, or all
    copies of a row: what they decide about a row hangs on no other part.
    """
    rows = store.groups.rows
    kept, aside, audited = (np.zeros(rows, dtype=np.bool_) for _ in range(3))
    sums = DigestSums()
    by, share = store.persons, _audited_share(rows)
    for places, found in alike(store.groups if by is None else by):
        groups = found if by is None else store.groups.at(places)
        digests = copy_digests(groups, key=key("rows"))
        sums += DigestSums.of(digests)
        units, numbers = digests, None
        if by is not None:
            units = found
            numbers = np.where(units == _NOBODY, -1, np.unique(units, return_inverse=True)[1])
        kept[places] = bound_rows(digests, numbers, max_rows=schema.privacy_unit.max_rows)
        aside[places] = control_coin(units, share=control, key=key("controls"))
        audited[places] = _sampled(units, share)
    return kept, aside, audited, sums


def _sampled(units: NDArray[np.uint64], share: Fraction) -> _Mask:
    """Choose a share of the units by their digests, which are even and keyed as they are."""
    below = int(share * 2**64)
    return units < np.uint64(below) if share < 1 else np.ones(units.shape, dtype=np.bool_)


def _audited_share(rows: int) -> Fraction:
    return min(Fraction(1), Fraction(2 * AUDITED_ROWS, max(rows, 1)))


def _raw(
    table: FileTable, folder: Path, limits: Limits, chosen: _Mask, aside: _Mask
) -> tuple["pd.DataFrame", "pd.DataFrame", str]:
    """Read the raw rows of the audit's persons: members, controls, and what was sampled."""
    import pandas as pd
    import pyarrow as pa

    members: list[pd.DataFrame] = []
    controls: list[pd.DataFrame] = []
    start = 0
    for batch in table.batches(folder, limits):
        part = slice(start, start + batch.num_rows)
        start = part.stop
        if start > chosen.size:
            continue  # the file has grown, as the check at its end will say
        for held, mask in ((members, ~aside[part]), (controls, aside[part])):
            held.append(frame_of(batch.filter(pa.array(chosen[part] & mask))))
    tables = [
        pd.concat(held, ignore_index=True) if held else pd.DataFrame(columns=list(table.names))
        for held in (members, controls)
    ]
    return tables[0], tables[1], NOTE if _audited_share(chosen.size) < 1 else ""


def preparing_path(
    path: Path, schema: "Schema", *, engine: EngineName = "auto"
) -> Callable[..., Prepared]:
    """Check a table's structure and return what codes, bounds and splits it.

    A small file is held in memory. A large one (``streams.LARGE_BYTES``), a folder of Parquet
    files or JSON lines are streamed into a private folder.

    Args:
        path: a file or a folder.
        schema: the declared columns.
        engine: "frame" or "duckdb" where it is not to be chosen.

    Returns:
        A function of ``key`` and ``control``, as ``dpsynth.sources.frame.prepare`` has them.

    Raises:
        DataError: it cannot be read, or has other columns.
        UsageError: there is no such engine.
    """
    from dpsynth.sources import files, frame

    if engine not in get_args(EngineName):
        raise UsageError(f"the engine must be one of: {', '.join(get_args(EngineName))}")
    if engine == "duckdb" or (engine == "auto" and is_large(path)):
        return partial(prepare_files, open_table(path, schema), schema)
    return partial(frame.prepare, files.read_table(path, schema), schema)
