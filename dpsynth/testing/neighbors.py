"""Two neighboring worlds: one fit in either, and its noise drawn again for a frozen question.

The tables are made up so that one person moves what is asked as far as a person may. Of every
answer the exact one of both tables is noted, whichever of them was fitted: that is what a
distinguisher knows who knows both tables.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import ceil, isqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.privacy.accounting import zcdp_rho
from dpsynth.privacy.events import event_from_dict
from dpsynth.privacy.randomness import SeededRandom
from dpsynth.testing.listening import Heard
from dpsynth.testing.notes import Asked
from dpsynth.testing.outcome import Outcome, outcome_of
from dpsynth.testing.rerun import fit_held, prepared_rows
from dpsynth.testing.worlds import GeneratedSource, curator_over

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema
    from dpsynth.sources.frame import Prepared
    from dpsynth.synthesizers.facade import Synthesizer
    from dpsynth.synthesizers.plan import Plan

CROWD = 10  # rows that all say the same
_MORE = 3  # rows that a person has beyond what is allowed
_CLEAR = 32  # standard deviations of noise that a large crowd stands above
_MOST = 20_000  # rows of a crowd
_JOINED = 2  # columns in which a person is like the one half of a table, and unlike the other


@dataclass(frozen=True, kw_only=True, eq=False)
class Neighbors:
    """Two made-up tables that differ in one person.

    Attributes:
        name: what they differ in, for people.
        out: the table without the person.
        within: the table with the person.
        person: the person's rows.
        schema: of both.
    """

    name: str
    out: "pd.DataFrame"
    within: "pd.DataFrame"
    person: "pd.DataFrame"
    schema: "Schema"

    @cached_property
    def prepared(self) -> "tuple[Prepared, Prepared]":
        """Both tables as a release prepares them, without the person first."""
        return prepared_rows(self.out, self.schema), prepared_rows(self.within, self.schema)


def kit(schema: "Schema", plan: "Plan") -> tuple[Neighbors, ...]:
    """Return pairs of tables of which one moves any answer as far as it can be moved.

    One person unlike ten rows that are all the same: every table of counts moves in one cell, by
    all of the person's rows. One alone in an empty table. One person like half of a large table
    whose columns all hang together: distances from independence grow by all of it as well. One
    like the one half in two columns, and like the other in the rest: of those distances one grows
    and others shrink, so that choices among them move. And one who holds values of open columns
    that a crowd holds: their counts move.

    Args:
        schema: public facts.
        plan: of a synthesizer for the schema; its noise says how large a large table is.
    """
    given = plan.unit.max_rows + _MORE * (plan.unit.name == "person")
    large = _large(plan)
    found = {
        "one person unlike all others": (_rows(schema, [0] * CROWD), _rows(schema, [-1] * given)),
        "one person in an empty table": (_rows(schema, []), _rows(schema, [-1] * given)),
        "one person like half of a large table": (
            _rows(schema, [0, -1] * (large // 2)),
            _rows(schema, [-1] * given),
        ),
        "one person like both halves of a large table": (
            _rows(schema, [0, -1] * (large // 2)),
            _rows(schema, [-1] * given, columns=_JOINED),
        ),
    }
    if any(column.learns_values for column in schema.modeled):
        found["one person of many values in a large table"] = (
            _rows(schema, [0, -1] * (large // 2), values=plan.unit.max_rows),
            _rows(schema, [-1] * plan.unit.max_rows, values=plan.unit.max_rows),
        )
    return tuple(_pair(schema, name, *tables) for name, tables in found.items())


def fit_world(
    synthesizer: "Synthesizer", plan: "Plan", pair: Neighbors, *, within: bool, seed: int
) -> tuple[Heard, Outcome]:
    """Fit one of the two tables with the noise of ``seed``, and note both exact answers.

    Returns:
        What was released, each answer beside the exact ones of the table that was fitted
        (``exact``) and of the other (``beside``); and how the fit ended, with nothing written.
    """
    fitted, other = pair.prepared[within], pair.prepared[not within]
    heard = Heard()
    outcome = outcome_of(
        lambda: fit_held(
            synthesizer,
            pair.schema,
            plan,
            fitted,
            lambda source, _: source,
            seed=seed,
            curator_of=heard.curator_of(fitted.source, beside=other.source),
        ),
        written=False,
    )
    return heard, outcome


def measured_again(
    asked: Asked, counts: Sequence[NDArray[np.int64]], *, seed: int
) -> list[NDArray[Any]]:
    """Put all questions of one call again, to a curator of these exact counts.

    Args:
        asked: any of them, as a listening curator noted it.
        counts: for each question of the call, the exact answer, of any length: many runs of the
            cells that matter.
        seed: of the noise.

    Returns:
        What the curator releases, for each.
    """
    queries = asked.together
    held: dict[tuple[str, ...], deque[NDArray[np.int64]]] = {
        each.clique: deque() for each in queries
    }
    for query, exact in zip(queries, counts, strict=True):
        held[query.clique].append(exact)

    class Counts(GeneratedSource):
        """Answers each question with the given counts, however often it is asked."""

        def count(self, clique: tuple[str, ...]) -> NDArray[np.int64]:
            """Return the next counts of these columns."""
            held[clique].rotate(-1)
            return held[clique][-1]

    rho = len(queries) * zcdp_rho(event_from_dict(asked.event))
    domain = asked.query.domain
    curator = curator_over({}, domain, rho, source=Counts, unit=asked.unit, seed=seed)
    return [answer.values for answer in curator.measure(queries, asked.mechanism)]


def scored_again(asked: Asked, scores: NDArray[np.int64], *, seed: int) -> NDArray[Any]:
    """Release exact scores again with the noise of the same mechanism, as many as there are."""
    found: NDArray[Any] = asked.mechanism.release(scores, rng=SeededRandom(seed))
    return found


def chosen_again(
    asked: Asked, scores: NDArray[np.int64], *, draws: int, seed: int
) -> NDArray[np.int64]:
    """Return how often the same law of choice chooses each of these exact scores."""
    rng, sensitivity = SeededRandom(seed), asked.query.sensitivity(asked.unit)
    chosen = [
        asked.mechanism.select(scores, sensitivity=sensitivity, rng=rng) for _ in range(draws)
    ]
    return np.bincount(np.array(chosen, dtype=np.int64), minlength=scores.size)


def _large(plan: "Plan") -> int:
    """Return an even number of rows that stands well above all noise of the plan's tables."""
    events = [step.event for step in plan.steps]
    squares = [Fraction(getattr(event, "sigma_squared", 0)) for event in events]
    scales = [2 * Fraction(getattr(event, "scale", 0)) for event in events]
    # Noise on scores is in finer units, and larger than any other: it tells nothing here.
    usual = sorted(1 + isqrt(ceil(each)) for each in squares if each)
    widest = max([usual[len(usual) // 2] if usual else 0, *map(ceil, scales)])
    thresholds = [int(getattr(event, "threshold", 0)) for event in events]
    return 2 * min(max(CROWD, _CLEAR * widest, 4 * max(thresholds, default=0)) // 2 + 1, _MOST // 2)


def _rows(
    schema: "Schema", ends: Sequence[int], *, values: int = 1, columns: int | None = None
) -> "pd.DataFrame":
    """Return rows that hold the first declared code in every column (0), or the last (-1).

    In an open column they hold one of ``values`` undeclared values in turn, others in rows of the
    last codes than in those of the first. Where ``columns`` is given, no more of them than that,
    of those that can vary, hold the last code.
    """
    from dpsynth.encoding import base_domain
    from dpsynth.encoding.table import decode_table

    whose = np.array(ends, dtype=np.int64)
    sizes = base_domain(schema).sizes
    varied = [name for name, size in sizes.items() if size > 1][:columns]
    codes = {
        name: np.where(whose < 0, size - 1, 0) if name in varied else np.zeros_like(whose)
        for name, size in sizes.items()
    }
    table = decode_table(codes, schema, np.random.default_rng(0), rows=whose.size)
    # The first, second, third ... row of its kind.
    turns = np.where(whose < 0, np.cumsum(whose < 0), np.cumsum(whose == 0)) % values
    made_up = [f"made up {end} {turn}" for end, turn in zip(ends, turns.tolist(), strict=True)]
    opened = [column.name for column in schema.modeled if column.learns_values]
    return table.assign(**dict.fromkeys(opened, made_up))


def _pair(schema: "Schema", name: str, others: "pd.DataFrame", person: "pd.DataFrame") -> Neighbors:
    import pandas as pd

    column = schema.unit.column
    if column is not None:
        others = others.assign(**{column: [f"p{row}" for row in range(len(others))]})
        person = person.assign(**{column: "one more"})
    within = pd.concat([others, person], ignore_index=True) if len(others) else person
    return Neighbors(name=name, out=others, within=within, person=person, schema=schema)
