"""A fit recorded on made-up rows, and replayed on neighboring ones with every answer frozen.

The recorder stands where the rows stand, behind the curator: all of the curator, the ledger, the
mechanisms and the synthesizer run as in a release. In the replay the rows are the neighbor's, but
each count is answered with what was recorded, and the noise comes from the same seed: whatever is
released is the same, so whatever else differs came from the rows by a way that nobody paid for.

Only worlds made here can be recorded, and their ledgers are seeded: nothing of this can be
certified.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.privacy.events import PartitionSelectionEvent, event_to_dict
from dpsynth.privacy.source import TableSource, UnitRows
from dpsynth.testing.listening import Heard, Scored
from dpsynth.testing.outcome import Outcome, outcome_of
from dpsynth.testing.rerun import Wrap, fit_seeded

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema
    from dpsynth.synthesizers.facade import Synthesizer
    from dpsynth.synthesizers.plan import Plan

CROWD = 10  # rows that all say the same, so that one more stands out
_MOST_CROWD = 10_000


class DivergedError(Exception):
    """The replay asked something else than the recording, though it was told the same."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One count of the rows.

    Attributes:
        clique: the columns that were counted.
        shape: their numbers of codes at that time.
        counts: the exact answer.
        paid: ledger entries that were on record when the rows were read.
        texts: the values that were counted, where an open column was asked for its values; then
            ``counts`` has one number each.
        sums: of a training step, the clipped sums of all parameters in a row, in units of the
            clip, float64; then ``counts`` is empty and ``clique`` names all columns.
    """

    clique: tuple[str, ...]
    shape: tuple[int, ...]
    counts: NDArray[np.int64]
    paid: int
    texts: tuple[str, ...] | None = None
    sums: NDArray[np.float64] | None = None


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class _Watched(UnitRows):
    """Rows whose clipped sums are shown to a recorder, which says what to answer."""

    answer: Callable[[NDArray[np.float64]], NDArray[np.float64]]

    def exact(self, sums: dict[str, Any], *, clip: float) -> dict[str, Any]:
        """Return what the recorder answers to the sums, in their shapes."""
        flat = np.concatenate([each.double().flatten().numpy() for each in sums.values()])
        answered = iter(np.split(self.answer(flat / clip) * clip, _ends(sums)))
        return {
            name: each.new_tensor(next(answered)).reshape(each.shape) for name, each in sums.items()
        }


def _ends(sums: Mapping[str, Any]) -> NDArray[np.int64]:
    return np.cumsum([each.numel() for each in sums.values()])[:-1]


class RecordingSource:
    """Notes every count of the source that it stands for, and answers with it."""

    def __init__(
        self, source: TableSource, *, paid: Callable[[], int], tape: list[Reading]
    ) -> None:
        self._source = source
        self._paid = paid
        self.tape = tape

    @property
    def domain(self) -> Domain:
        """The columns and their numbers of codes."""
        return self._source.domain

    def count(self, clique: tuple[str, ...]) -> NDArray[np.int64]:
        """Return exact rows per cell, and note them."""
        return self._note(clique).counts

    def count_many(self, cliques: Sequence[tuple[str, ...]]) -> Iterator[NDArray[np.int64]]:
        """Count one after the other, and note each."""
        return map(self.count, cliques)

    def values(self, column: str) -> tuple[Sequence[str], NDArray[np.int64]]:
        """Return the values of an open column and their units, and note them."""
        reading = self._note((column,), values=True)
        return reading.texts or (), reading.counts

    def closed(self, values: Mapping[str, Sequence[str]], domain: Domain) -> "RecordingSource":
        """Return the same rows with codes for released values, on the same tape."""
        return RecordingSource(self._source.closed(values, domain), paid=self._paid, tape=self.tape)

    def coarsened(self, groups: Mapping[str, NDArray[np.int64]]) -> "RecordingSource":
        """Return the same rows with codes regrouped, on the same tape."""
        return RecordingSource(self._source.coarsened(groups), paid=self._paid, tape=self.tape)

    def unit_rows(self) -> UnitRows:
        """Return the rows, and note the clipped sums of every training step."""
        rows = self._source.unit_rows()
        return _Watched(codes=rows.codes, units=rows.units, answer=self._answered)

    def _answered(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        self.tape.append(self._step(sums))
        return sums

    def _step(self, sums: NDArray[np.float64]) -> Reading:
        return Reading(
            clique=self.domain.columns,
            shape=(sums.size,),
            counts=np.zeros(0, dtype=np.int64),
            paid=self._paid(),
            sums=sums,
        )

    def _note(self, clique: tuple[str, ...], *, values: bool = False) -> Reading:
        texts: tuple[str, ...] | None = None
        if values:
            held, counts = self._source.values(*clique)
            texts = tuple(held)
        else:
            counts = self._source.count(clique)
        reading = Reading(
            clique=clique,
            shape=self.domain.shape(clique),
            counts=counts,
            paid=self._paid(),
            texts=texts,
        )
        self.tape.append(reading)
        return reading


class ReplayingSource(RecordingSource):
    """Notes every count of its own rows, and answers with what was recorded on others."""

    def __init__(
        self,
        source: TableSource,
        *,
        paid: Callable[[], int],
        tape: list[Reading],
        recorded: Sequence[Reading],
    ) -> None:
        super().__init__(source, paid=paid, tape=tape)
        self._recorded = recorded

    def count(self, clique: tuple[str, ...]) -> NDArray[np.int64]:
        """Return the recorded count of the same place in the sequence.

        Raises:
            DivergedError: the recording asked something else here, or nothing.
        """
        return self._recalled(clique).counts

    def values(self, column: str) -> tuple[Sequence[str], NDArray[np.int64]]:
        """Return the recorded values of the same place in the sequence, as ``count`` does."""
        then = self._recalled((column,), values=True)
        return then.texts or (), then.counts

    def _recalled(self, clique: tuple[str, ...], *, values: bool = False) -> Reading:
        return self._matched(self._note(clique, values=values))

    def _answered(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the recorded sums of the same place in the sequence, as ``count`` does."""
        mine = self._step(sums)
        self.tape.append(mine)
        then = self._matched(mine).sums
        assert then is not None, "a step is only matched with a step"
        return then

    def _matched(self, mine: Reading) -> Reading:
        place = len(self.tape) - 1
        if place >= len(self._recorded):
            raise DivergedError("the neighbor's rows were read more often")
        then = self._recorded[place]
        if _asked(then) != _asked(mine):
            raise DivergedError(f"another question was asked of the neighbor's rows: {mine.clique}")
        return then

    def closed(self, values: Mapping[str, Sequence[str]], domain: Domain) -> "ReplayingSource":
        """Return the same rows with codes for released values, in the same replay."""
        return ReplayingSource(
            self._source.closed(values, domain),
            paid=self._paid,
            tape=self.tape,
            recorded=self._recorded,
        )

    def coarsened(self, groups: Mapping[str, NDArray[np.int64]]) -> "ReplayingSource":
        """Return the same rows with codes regrouped, in the same replay."""
        return ReplayingSource(
            self._source.coarsened(groups),
            paid=self._paid,
            tape=self.tape,
            recorded=self._recorded,
        )


def _asked(reading: Reading) -> tuple[object, ...]:
    kind = (reading.texts is None, reading.sums is None)
    return reading.clique, reading.shape, reading.paid, kind


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One ledger entry, as text."""

    label: str
    event: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What two neighboring worlds were asked, with the answers released to both the same.

    Attributes:
        world: what the two differ in, for people.
        max_rows: rows that a person may contribute.
        charged: what the recording was charged.
        charged_again: what the replay was charged.
        here: counts of the recording.
        there: exact counts of the neighbor, to the same questions.
        diverged: why the replay was given up, or None.
        same_model: both fits ended in the same model, bit for bit.
        scored: what both worlds scored, pair by pair, as far as both did.
        unlike: what else an observer could tell the two by, in public words: documents, a sample
            of the same seed, warnings, log lines, output, how the fit ended.
    """

    world: str
    max_rows: int
    charged: tuple[Entry, ...]
    charged_again: tuple[Entry, ...]
    here: tuple[Reading, ...]
    there: tuple[Reading, ...]
    diverged: str | None
    same_model: bool
    scored: tuple[tuple[Scored, Scored], ...] = ()
    unlike: tuple[str, ...] = ()


def replay(
    synthesizer: "Synthesizer", schema: "Schema", *, epsilon: str, delta: str, seed: int = 0
) -> tuple[Replay, ...]:
    """Fit ``synthesizer`` on pairs of neighboring made-up tables of ``schema``.

    The pairs are those that move counts furthest: a person with more rows than are allowed, all
    the same and unlike the rows that are there; one alone in an empty table; one who says what
    everybody says; and one whose cells are what no schema expects: missing, empty, infinite, huge,
    undeclared.

    Args:
        synthesizer: what is on trial.
        schema: public facts; the made-up rows lie in its declared domain.
        epsilon: of the plan, exact text.
        delta: of the plan, exact text.
        seed: of the noise.
    """
    plan = synthesizer.plan(schema, epsilon=Fraction(epsilon), delta=Fraction(delta))
    given = plan.unit.max_rows + 2 * (plan.unit.name == "person")
    crowd = _rows(schema, last=False, rows=_crowd(plan, values=given), values=given)
    nobody = crowd.iloc[:0]
    extreme, usual = (_rows(schema, last=last, rows=given, values=given) for last in (True, False))
    same = _rows(schema, last=True, rows=given, values=1)
    odd = odd_rows(schema, extreme)
    worlds = (
        ("one person unlike all others", crowd, extreme),
        ("one person in an empty table", nobody, same),
        ("one person like all others", crowd, usual),
        ("one person of odd cells", crowd, odd),
    )
    return tuple(
        _pair(synthesizer, schema, plan, world=world, table=table, person=person, seed=seed)
        for world, table, person in worlds
    )


def _crowd(plan: "Plan", *, values: int) -> int:
    """Return how many make a crowd: where values are selected, so many that each is released."""
    selections = [
        step.event for step in plan.steps if isinstance(step.event, PartitionSelectionEvent)
    ]
    high = [event.threshold + 8 * (1 + isqrt(int(event.sigma_squared))) for event in selections]
    return min(max([CROWD, *(values * int(each) for each in high)]), _MOST_CROWD)


def _pair(
    synthesizer: "Synthesizer",
    schema: "Schema",
    plan: "Plan",
    *,
    world: str,
    table: "pd.DataFrame",
    person: "pd.DataFrame",
    seed: int,
) -> Replay:
    import pandas as pd

    table, person = _named(table, schema, every=True), _named(person, schema, every=False)
    neighbor = pd.concat([table, person], ignore_index=True) if len(table) else person
    here: list[Reading] = []
    there: list[Reading] = []

    def recording(source: TableSource, paid: Callable[[], int]) -> TableSource:
        return RecordingSource(source, paid=paid, tape=here)

    def replaying(source: TableSource, paid: Callable[[], int]) -> TableSource:
        return ReplayingSource(source, paid=paid, tape=there, recorded=here)

    heard, heard_again = Heard(), Heard()
    first = _fit(synthesizer, schema, plan, table, recording, seed=seed, heard=heard)
    if first.fault is not None:
        raise first.fault
    second = _fit(synthesizer, schema, plan, neighbor, replaying, seed=seed, heard=heard_again)
    diverged = str(second.fault) if isinstance(second.fault, DivergedError) else None
    return Replay(
        world=world,
        max_rows=plan.unit.max_rows,
        charged=_entries(first),
        charged_again=_entries(second),
        here=tuple(here),
        there=tuple(there),
        diverged=diverged,
        same_model=second.model is not None and _same(first.model, second.model),
        scored=tuple(zip(heard.scored, heard_again.scored, strict=False)),
        unlike=() if diverged else tuple(first.differences(second)),
    )


def _fit(
    synthesizer: "Synthesizer",
    schema: "Schema",
    plan: "Plan",
    table: "pd.DataFrame",
    wrapped: Wrap,
    *,
    seed: int,
    heard: Heard,
) -> Outcome:
    return outcome_of(
        lambda: fit_seeded(synthesizer, schema, plan, table, wrapped, seed=seed, heard=heard)
    )


def _entries(found: Outcome) -> tuple[Entry, ...]:
    return tuple(
        Entry(label=entry.label, event=event_to_dict(entry.event)) for entry in found.entries
    )


def _rows(schema: "Schema", *, last: bool, rows: int, values: int) -> "pd.DataFrame":
    """Return rows that hold the first declared code in every column, or the last.

    In an open column they hold ``values`` different values in turn, undeclared; others in the
    last ones than in the first.
    """
    from dpsynth.encoding import base_domain
    from dpsynth.encoding.table import decode_table

    sizes = base_domain(schema).sizes
    codes: dict[str, Any] = {
        name: np.full(rows, size - 1 if last else 0, dtype=np.int64) for name, size in sizes.items()
    }
    table = decode_table(codes, schema, np.random.default_rng(0), rows=rows)
    opened = [column.name for column in schema.modeled if column.learns_values]
    whose = "alone" if last else "by all"
    made_up = [f"made up {whose} {row % values}" for row in range(rows)]
    return table.assign(**dict.fromkeys(opened, made_up))


def odd_rows(schema: "Schema", like: "pd.DataFrame") -> "pd.DataFrame":
    """Return ``like`` with cells that nobody expects, of as many kinds as there are rows.

    Missing ones come first: a column that held none before then has its first. A cell that a
    reader of files would not let stand in a column of such values is an object, as from a file.
    """
    import pandas as pd

    from dpsynth.schema.columns import NumericColumn

    table = like.astype(object)
    for place, column in enumerate(schema.modeled):
        odd: list[object] = [None, "", "never declared before", "9999-12-31"]
        if isinstance(column, NumericColumn):
            odd = [float("nan"), float("inf"), -1e300, 1e300]
        kinds = [odd[(place + row) % len(odd)] for row in range(len(table))]
        table[column.name] = pd.Series(kinds, index=table.index, dtype=object)
    return table


def _named(table: "pd.DataFrame", schema: "Schema", *, every: bool) -> "pd.DataFrame":
    """Give every row a person of its own, or all rows one person who is none of those."""
    column = schema.unit.column
    if column is None:
        return table
    rows = range(len(table))
    return table.assign(**{column: [f"p{row}" if every else "one more" for row in rows]})


def _same(first: Any, second: Any) -> bool:
    header, arrays = first.model.to_arrays()
    other_header, other_arrays = second.model.to_arrays()
    same_arrays = arrays.keys() == other_arrays.keys() and all(
        np.array_equal(array, other_arrays[name]) for name, array in arrays.items()
    )
    same_groups = first.coarsenings.keys() == second.coarsenings.keys() and all(
        np.array_equal(coarsening.groups, second.coarsenings[name].groups)
        and np.array_equal(coarsening.weights, second.coarsenings[name].weights)
        for name, coarsening in first.coarsenings.items()
    )
    same_values = first.values == second.values
    return header == other_header and same_arrays and same_groups and same_values
