"""A fit recorded on made-up rows, and replayed on neighboring ones with every answer frozen.

The recorder stands where the rows stand, behind the curator: all of the curator, the ledger, the
mechanisms and the synthesizer run as in a release. In the replay the rows are the neighbor's, but
each count is answered with what was recorded, and the noise comes from the same seed: whatever is
released is the same, so whatever else differs came from the rows by a way that nobody paid for.

Only worlds made here can be recorded, and their ledgers are seeded: nothing of this can be
certified.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from dpsynth.privacy.events import event_to_dict
from dpsynth.privacy.source import TableSource
from dpsynth.testing.kit import Pair, drawn_pairs, far_pairs, odd_pairs
from dpsynth.testing.listening import Heard
from dpsynth.testing.notes import Scored
from dpsynth.testing.outcome import Outcome, outcome_of
from dpsynth.testing.rerun import Wrap, fit_seeded
from dpsynth.testing.rows import named_rows, odd_rows, random_rows
from dpsynth.testing.tape import DivergedError, Reading, RecordingSource, ReplayingSource

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema
    from dpsynth.synthesizers.facade import Synthesizer
    from dpsynth.synthesizers.plan import Plan

__all__ = [
    "DivergedError",
    "Entry",
    "Reading",
    "RecordingSource",
    "Replay",
    "ReplayingSource",
    "named_rows",
    "odd_rows",
    "random_rows",
    "replay",
    "same_model",
]


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
    synthesizer: "Synthesizer",
    schema: "Schema",
    *,
    epsilon: str,
    delta: str,
    seed: int = 0,
    drawn: int = 0,
    odd: bool = True,
) -> tuple[Replay, ...]:
    """Fit ``synthesizer`` on pairs of neighboring made-up tables of ``schema``.

    The pairs are those of ``dpsynth.testing.kit``: a person with more rows than are allowed, all
    the same and unlike the rows that are there; one alone in an empty table, or beside one other;
    one who says what everybody says; persons whose cells are missing, or are what no schema
    expects: infinite, huge, empty, undeclared; and tables stored in other types.

    Args:
        synthesizer: what is on trial.
        schema: public facts; the made-up rows lie in its declared domain.
        epsilon: of the plan, exact text.
        delta: of the plan, exact text.
        seed: of the noise, and of the tables that are drawn.
        drawn: how many more pairs of small tables are drawn at random: where a choice hangs on
            exact counts, one person tips it in some of them.
        odd: replay what no schema expects as well. It is coded before anything else happens, so
            once for a schema and synthesizer is enough, whatever the budget.
    """
    plan = synthesizer.plan(schema, epsilon=Fraction(epsilon), delta=Fraction(delta))
    pairs = far_pairs(schema, plan)
    if odd:
        pairs += odd_pairs(schema, plan)
    pairs += drawn_pairs(schema, plan, count=drawn, seed=seed)
    recorder = _Recorder(synthesizer, schema, plan, seed=seed)
    return tuple(recorder.replayed(pair) for pair in pairs)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Recording:
    """A fit of one table, with all that its replays are held against."""

    table: "pd.DataFrame"
    tape: tuple[Reading, ...]
    heard: Heard
    outcome: Outcome


class _Recorder:
    """Fits each table once, however many neighbors it has."""

    def __init__(
        self, synthesizer: "Synthesizer", schema: "Schema", plan: "Plan", *, seed: int
    ) -> None:
        self._made = (synthesizer, schema, plan)
        self._seed = seed
        self._known: dict[int, _Recording] = {}  # held with its table, so that no id is used again

    def replayed(self, pair: Pair) -> Replay:
        """Replay what was recorded of the pair's table on its neighbor."""
        known = self._known.get(id(pair.table)) or self._recorded(pair.table)
        here, first = known.tape, known.outcome
        there: list[Reading] = []

        def replaying(source: TableSource, paid: Callable[[], int]) -> TableSource:
            if first.fault is not None:  # there is nothing to replay
                return source
            return ReplayingSource(source, paid=paid, tape=there, recorded=here)

        heard = Heard()
        second = self._fit(pair.neighbor, replaying, heard)
        if first.fault is not None and repr(first.fault) == repr(second.fault):
            raise first.fault
        diverged = str(second.fault) if isinstance(second.fault, DivergedError) else None
        return Replay(
            world=pair.world,
            max_rows=self._made[2].unit.max_rows,
            charged=_entries(first),
            charged_again=_entries(second),
            here=here,
            there=tuple(there),
            diverged=diverged,
            same_model=(
                first.model is not None
                and second.model is not None
                and same_model(first.model, second.model)
            ),
            scored=tuple(zip(known.heard.scored, heard.scored, strict=False)),
            unlike=() if diverged else tuple(first.differences(second)),
        )

    def _recorded(self, table: "pd.DataFrame") -> _Recording:
        tape: list[Reading] = []

        def recording(source: TableSource, paid: Callable[[], int]) -> TableSource:
            return RecordingSource(source, paid=paid, tape=tape)

        heard = Heard()
        outcome = self._fit(table, recording, heard)
        made = _Recording(table=table, tape=tuple(tape), heard=heard, outcome=outcome)
        self._known[id(table)] = made
        return made

    def _fit(self, table: "pd.DataFrame", wrapped: Wrap, heard: Heard) -> Outcome:
        synthesizer, schema, plan = self._made
        return outcome_of(
            lambda: fit_seeded(
                synthesizer, schema, plan, table, wrapped, seed=self._seed, heard=heard
            )
        )


def _entries(found: Outcome) -> tuple[Entry, ...]:
    return tuple(
        Entry(label=entry.label, event=event_to_dict(entry.event)) for entry in found.entries
    )


def same_model(first: Any, second: Any) -> bool:
    """Whether two fitted models are one, bit for bit."""
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
