"""A synthesizer on trial: what the audits share, so that it is fitted and replayed once."""

import sys
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema
    from dpsynth.testing.listening import Heard
    from dpsynth.testing.recording import Reading, Replay

ROWS = 1_013  # a prime no size of a domain equals: an array of this length holds rows
LOUD = "2000"  # an epsilon
CHILD = (sys.executable, "-m", "attacks.conformance.repeats")


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One thing that an audit found wrong.

    Attributes:
        component: what is broken: "accounting", "ledger", "charges", "control flow",
            "sensitivity", "noise", "independence", "selection", "batches", "randomness",
            "post-processing", "raw values", "side channels" or "claim".
        sentence: what was seen; public words and numbers of made-up rows alone.
    """

    component: str
    sentence: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Fits:
    """What a synthesizer was heard to release in fits of one table, each with noise of its own.

    Attributes:
        heard: of each fit, its answers beside the exact ones.
        tapes: of each fit, every reading of the rows.
        models: what was fitted.
        seeded: of each fit, what its ledger entries say of the noise.
    """

    heard: "tuple[Heard, ...]"
    tapes: "tuple[tuple[Reading, ...], ...]"
    models: tuple[Any, ...]
    seeded: tuple[frozenset[bool], ...]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One synthesizer with one schema and budget, on made-up rows.

    Args:
        synthesizer: what is on trial.
        schema: public facts; all rows are made up from it.
        epsilon: of the plan, exact text.
        delta: of the plan, exact text.
        seed: of all rows and draws but those that try the operating system's randomness.
        fits: how often the same table is fitted.
        pairs: pairs of small neighboring tables that are drawn at random.
        louder: whether neighbors are replayed with next to no noise as well.
        games: fits of each of two neighboring tables that are told apart.
        child: a command that prints words of a fresh process's randomness.
        odd: whether replays try cells that no schema expects.
    """

    synthesizer: Any
    schema: "Schema"
    epsilon: str
    delta: str
    seed: int = 0
    fits: int = 40
    pairs: int = 12
    louder: bool = True
    games: int = 40
    child: tuple[str, ...] = CHILD
    odd: bool = True

    @cached_property
    def plan(self) -> Any:
        """The plan."""
        return self.synthesizer.plan(self.schema, epsilon=self.epsilon, delta=self.delta)

    @cached_property
    def document(self) -> dict[str, Any]:
        """The plan as a document."""
        found: dict[str, Any] = self.plan.to_dict()
        return found

    @cached_property
    def table(self) -> "pd.DataFrame":
        """Made-up rows, each of another person, whose identifiers nobody would make up again."""
        from dpsynth.schema.columns import IdentifierColumn
        from dpsynth.testing.recording import random_rows

        # A stream of its own: a sample with the same seed must not draw the same values again.
        rng = np.random.default_rng([self.seed, ROWS])
        table = random_rows(self.schema, rng, rows=ROWS, skewed=True)
        named = [each.name for each in self.schema.columns if isinstance(each, IdentifierColumn)]
        subjects = [f"made-up subject {row:06d}" for row in range(ROWS)]
        return table.assign(**dict.fromkeys(named, subjects))

    @cached_property
    def replays(self) -> "tuple[Replay, ...]":
        """Replays on the worst neighbors, and on small ones drawn at random."""
        from dpsynth.testing.recording import replay

        return replay(
            self.synthesizer,
            self.schema,
            epsilon=self.epsilon,
            delta=self.delta,
            seed=self.seed,
            # In a training no choice hangs on counts; else most of them where nothing is odd.
            drawn=self.pairs // (4 if self.trains else 2 if self.odd else 1),
            odd=self.odd,
        )

    @cached_property
    def loud(self) -> "Trial":
        """The same trial with a budget so large that noise hides nothing.

        No sensitivity and no question may depend on that; but much is only asked where the noise
        leaves something to ask about.
        """
        return replace(self, epsilon=LOUD, odd=False)

    @cached_property
    def narrow(self) -> "Trial | None":
        """The same trial on a table of few columns, where every question is about the canary.

        None where the synthesizer has no plan for such a table.
        """
        from dpsynth.errors import DpsynthError
        from dpsynth.testing.kit import narrowed

        made = replace(self, schema=narrowed(self.schema), odd=False, pairs=0)
        try:
            made.plan  # noqa: B018  # whether there is one
        except DpsynthError:
            return None
        return made

    @property
    def trains(self) -> bool:
        """Whether the plan trains, so that torch is needed."""
        kinds = {step["event"]["kind"] for step in self.document["steps"]}
        return "sampled_gaussian/v1" in kinds

    @cached_property
    def fitted(self) -> Fits:
        """Fits of the table with the noise of different seeds."""
        first = 1_000 * self.seed
        return self._fitted(list(range(first, first + self.fits)))

    @cached_property
    def fresh(self) -> Fits:
        """Two fits of the table with the operating system's noise, as in a release."""
        return self._fitted([None, None])

    def _fitted(self, seeds: list[int | None]) -> Fits:
        from dpsynth.testing.listening import Heard
        from dpsynth.testing.recording import Reading, RecordingSource
        from dpsynth.testing.rerun import fit_seeded

        heard, tapes, models, marks = [], [], [], []
        for seed in seeds:
            noted, tape = Heard(), list[Reading]()

            def wrapped(source: Any, paid: Any, tape: Any = tape) -> Any:
                return RecordingSource(source, paid=paid, tape=tape)

            model, entries = fit_seeded(
                self.synthesizer,
                self.schema,
                self.plan,
                self.table,
                wrapped,
                seed=seed,
                heard=noted,
            )
            heard.append(noted)
            tapes.append(tuple(tape))
            models.append(model)
            marks.append(frozenset(entry.seeded for entry in entries))
        return Fits(
            heard=tuple(heard), tapes=tuple(tapes), models=tuple(models), seeded=tuple(marks)
        )
