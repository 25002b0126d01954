"""Synthetic rows added to real ones: so many, in a stated share, of a rare group, or to balance."""

from collections.abc import Iterator, Mapping
from math import ceil
from typing import TYPE_CHECKING, Protocol

import numpy as np

from dpsynth.errors import UnknownNameError, UsageError
from dpsynth.schema.columns import BooleanColumn, LevelsColumn
from dpsynth.utility.augmentation.rows import RealRows

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

REAL, SYNTHETIC = "real", "synthetic"
MOST_ROWS = 10**9
PRIVATE = (
    "it holds REAL rows beside synthetic ones and is as private as the real table: no guarantee "
    "covers it, so keep it where that table is kept, and publish neither it nor a model trained "
    "on it"
)


class Generator(Protocol):
    """What rows are drawn from, such as ``dpsynth.FittedModel``."""

    @property
    def full_schema(self) -> "Schema":
        """The declared columns, with what was learnt of open ones."""
        ...

    def sample(
        self,
        rows: int | None = None,
        *,
        seed: int | None = None,
        given: Mapping[str, object] | None = None,
    ) -> "pd.DataFrame":
        """Draw rows, all of a cohort where one is given."""
        ...


def augment(
    real: "pd.DataFrame",
    model: Generator,
    *,
    rows: int | None = None,
    share: float | None = None,
    balance: str | None = None,
    balance_to: float = 1.0,
    given: Mapping[str, object] | None = None,
    group_share: float | None = None,
    origin: str | None = None,
    seed: int | None = None,
) -> "pd.DataFrame":
    """Return the real rows, then synthetic ones drawn from a released model.

    One of ``rows``, ``share``, ``balance`` and ``group_share`` says how many are drawn.

    Args:
        real: the custodian's rows, with the modeled columns of the model's schema.
        model: what was released; drawing from it is free.
        rows: how many synthetic rows.
        share: synthetic rows as a share of the result, in [0, 1).
        balance: a column of levels: rows of every class that occurs among the real rows are drawn
            until it has as many as the most frequent one. Rows without a class are left alone.
        balance_to: of the most frequent class, the part to bring the others to, in (0, 1].
        given: every synthetic row is one of this cohort, however rare it is; as in
            ``FittedModel.sample``. With ``rows`` or ``group_share``.
        group_share: rows of the cohort, real and synthetic, as a share of the result, in (0, 1).
            Where they are as many already, none are drawn.
        origin: name of a column to add, which says "real" or "synthetic" of every row.
        seed: makes the draw reproducible.

    Privacy:
        None. **The result holds real rows and is as private as they are.** How many synthetic rows
        there are follows from the real ones too, save with ``rows``.

    Returns:
        The modeled columns in the order of the schema and in its dtypes. Real rows come first, in
        their order, as the schema's rules read them (see ``RealRows``); identifiers are left out,
        since a synthetic person must not share one with a real person.

    Raises:
        UsageError: not exactly one way to count was chosen, a number is out of range, the column
            to balance has no levels, or ``origin`` is a column already.
        UnknownNameError: no column or value is called so.
        DataError: ``real`` lacks a modeled column.
    """
    import pandas as pd

    schema = model.full_schema
    _check(schema, rows, share, balance, balance_to, given, group_share, origin)
    read = RealRows.of(real, schema)
    if balance is not None:
        wanted = _to_balance(read, schema, balance, balance_to)
    else:
        wanted = [(_count(read, schema, rows, share, given, group_share), dict(given or {}))]
    seeds = _seeds(seed)
    drawn = [model.sample(count, seed=next(seeds), given=held) for count, held in wanted if count]
    parts = [read.table, *(each[list(read.table.columns)] for each in drawn)]
    mixed = pd.concat(parts, ignore_index=True)
    if origin is not None:
        added = len(mixed) - len(read.table)
        mixed[origin] = np.repeat([REAL, SYNTHETIC], [len(read.table), added])
    return mixed


def _to_balance(
    read: RealRows, schema: "Schema", column: str, part: float
) -> list[tuple[int, dict[str, object]]]:
    """Return for every class that occurs how many rows of it are to be drawn."""
    held = schema.column(column)
    assert isinstance(held, LevelsColumn | BooleanColumn), "checked before"
    levels = (False, True) if isinstance(held, BooleanColumn) else held.levels
    counts = np.bincount(read.codes[column], minlength=len(levels))[: len(levels)]
    goal = ceil(part * int(counts.max(initial=0)))
    return [
        (max(goal - count, 0), {column: level})
        for level, count in zip(levels, counts.tolist(), strict=True)
        if count
    ]


def _count(
    read: RealRows,
    schema: "Schema",
    rows: int | None,
    share: float | None,
    given: Mapping[str, object] | None,
    group_share: float | None,
) -> int:
    if rows is not None:
        return rows
    real = len(read.table)
    if share is not None:
        count = share * real / (1 - share)
    else:
        assert group_share is not None, "checked before"
        from dpsynth.synthesizers.cohort import selections

        group = int(read.within(schema, selections(schema, given or {})).sum())
        count = max(group_share * real - group, 0) / (1 - group_share)
    if count > MOST_ROWS:
        raise UsageError("a share so close to 1 asks for too many rows; ask for a smaller one")
    return round(count) if share is not None else ceil(count - 1e-9)


def _check(
    schema: "Schema",
    rows: int | None,
    share: float | None,
    balance: str | None,
    balance_to: float,
    given: Mapping[str, object] | None,
    group_share: float | None,
    origin: str | None,
) -> None:
    ways = {"rows": rows, "share": share, "balance": balance, "group_share": group_share}
    if sum(way is not None for way in ways.values()) != 1:
        raise UsageError("say how many rows to add by one of rows, share, balance and group_share")
    _require_whole("rows", rows)
    if share is not None and not 0 <= share < 1:
        raise UsageError("share must be from 0 to below 1, such as 0.5")
    if group_share is not None and not 0 < group_share < 1:
        raise UsageError("group_share must be between 0 and 1, such as 0.2")
    if not 0 < balance_to <= 1:
        raise UsageError("balance_to must be above 0 and at most 1")
    if given and balance is not None:
        raise UsageError("balance draws every class; give a cohort with rows or group_share")
    if given and share is not None:
        raise UsageError("with a cohort, say rows or group_share instead of share")
    if group_share is not None and not given:
        raise UsageError("group_share needs the group: give what its rows hold")
    names = [column.name for column in schema.modeled]
    if balance is not None:
        if balance not in names:
            raise UnknownNameError(f"no column to learn is called {balance!r}: {', '.join(names)}")
        if not isinstance(schema.column(balance), LevelsColumn | BooleanColumn):
            raise UsageError(f"column {balance!r} has no classes to balance: it holds numbers")
    if origin is not None and (not origin or origin in {c.name for c in schema.columns}):
        raise UsageError(f"origin must be the name of a new column, and {origin!r} is not one")


def _seeds(seed: int | None) -> Iterator[int | None]:
    """Yield a seed for every draw, all from the one given, or none."""
    if seed is None:
        while True:
            yield None
    _require_whole("seed", seed)
    rng = np.random.default_rng(seed)
    while True:
        yield int(rng.integers(2**62))


def _require_whole(name: str, value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise UsageError(f"{name} must be a whole number of at least 0")
