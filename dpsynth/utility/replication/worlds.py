"""How often intervals hold the truth, in worlds where the truth is known.

The fitted model stands for the truth. A world draws as many persons from it as the release speaks
of, releases them by the same synthesizer, settings, epsilon and delta, draws copies and combines
an analysis: does its interval hold what the same analysis finds in the model itself? In a second
world the outcome is dealt out anew, so that every coefficient is 0 in truth: how often is one
called significant?

Only released numbers enter, so what comes out may be published; no row is read, no ledger of
persons is charged (each world has one of its own, and is forgotten).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

import numpy as np

from dpsynth.errors import UsageError
from dpsynth.utility.replication.analyses import (
    INTERCEPT,
    Analysis,
    check,
    prepared,
    require_statsmodels,
    run,
)
from dpsynth.utility.replication.coverage import Coverage, Z
from dpsynth.utility.replication.lines import combine

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.models.graphical.model import GraphicalModel
    from dpsynth.synthesizers.fitted import FittedModel

_TRUTH_ROWS = 400_000  # that the truth is computed from, at most
_TRUTH_TIMES = 40  # and how many times the rows of a world, at most

Progress = Callable[[int, int], object]


def simulate(
    fitted: "FittedModel",
    analyses: Sequence[Analysis],
    *,
    worlds: int,
    copies: int = 40,
    rows: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[Coverage, ...]:
    """Return coverage and false alarms of every coefficient but intercepts.

    Args:
        fitted: a release of noisy tables; its model is the truth of all worlds.
        analyses: of its columns.
        worlds: how many, at least 1; each is released twice, once with its outcome dealt anew.
        copies: of each release.
        rows: of each copy; as many as a world has persons, where not given.
        seed: of persons and copies. The releases' own noise is never seeded.
        progress: told the worlds done, and of how many.

    Raises:
        UsageError: the release cannot be repeated, or an argument is out of range.
        UnfitEnvironmentError: statsmodels is not installed.
    """
    require_statsmodels()
    check(analyses, fitted.full_schema)
    if worlds < 1:
        raise UsageError("worlds must be at least 1")
    world = _World.of(fitted)
    tallies: dict[tuple[str, str], _Tally] = {}
    truths = {each.name: world.truth(each, seed=seed) for each in analyses}
    for at in range(worlds):
        rng = np.random.default_rng([seed, at])
        people = world.people(rng)
        released = world.released(people)
        _tally(tallies, analyses, truths, world, released, rng, copies=copies, rows=rows)
        for analysis in analyses:
            null = world.with_outcome_dealt_anew(people, analysis, rng)
            zeros = {analysis.name: truths[analysis.name].without_effect()}
            released = world.released(null)
            _tally(
                tallies, [analysis], zeros, world, released, rng, copies=copies, rows=rows,
                null=True,
            )  # fmt: skip
        if progress is not None:
            progress(at + 1, worlds)
    return tuple(
        tallies[analysis.name, name].coverage(analysis.name, name, truths[analysis.name].of(name))
        for analysis in analyses
        for name in truths[analysis.name].names
        if name != INTERCEPT and (analysis.name, name) in tallies
    )


@dataclass(frozen=True, kw_only=True)
class _Truth:
    """What an analysis finds where there is no noise."""

    names: tuple[str, ...]
    values: tuple[float, ...]

    def of(self, name: str) -> float:
        return self.values[self.names.index(name)]

    def without_effect(self) -> "_Truth":
        return replace(self, values=(0.0,) * len(self.values))


@dataclass(kw_only=True)
class _Tally:
    """Counts of one coefficient, while worlds go by."""

    worlds: int = 0
    held: int = 0
    held_alone: int = 0
    nulls: int = 0
    alarms: int = 0
    alarms_alone: int = 0
    widths: float = 0.0

    def coverage(self, analysis: str, name: str, truth: float) -> Coverage:
        return Coverage(
            analysis=analysis,
            coefficient=name,
            truth=truth,
            worlds=self.worlds,
            held=self.held,
            held_alone=self.held_alone,
            nulls=self.nulls,
            alarms=self.alarms,
            alarms_alone=self.alarms_alone,
            width=self.widths / self.worlds if self.worlds else float("nan"),
        )


@dataclass(frozen=True, kw_only=True)
class _World:
    """A release that can be repeated on persons drawn from its own model."""

    fitted: "FittedModel"
    settings: dict[str, object]
    name: str
    epsilon: str
    delta: str
    persons: int

    @classmethod
    def of(cls, fitted: "FittedModel") -> "_World":
        settings = dict(fitted.synthesizer.get("settings", {}))
        if fitted.model.kind != "graphical" or settings.get("prior") is not None:
            raise UsageError(
                "worlds repeat the release, which takes a model of noisy tables that was made "
                "without a public prior; leave --worlds out"
            )
        return cls(
            fitted=fitted,
            settings=settings,
            name=str(fitted.synthesizer["name"]),
            epsilon=str(fitted.plan["epsilon"]),
            delta=str(fitted.plan["delta"]),
            persons=max(round(fitted.total), 1),
        )

    def drawn(self, rows: int, rng: np.random.Generator, *, alone: bool) -> "pd.DataFrame":
        """Draw from the cliques: corrections outside them are no part of this truth."""
        from dpsynth.encoding.table import decode_table
        from dpsynth.encoding.within import Within

        model = replace(cast("GraphicalModel", self.fitted.model), corrections=())
        schema = self.fitted.full_schema
        codes = model.draw_independent(rows, rng) if alone else model.sample(rows, rng)
        within = Within(schema=schema, coarsenings=self.fitted.coarsenings, given={})
        base, values = within.draw(codes, rng)
        return decode_table(base, schema, rng, rows=rows, values=values)

    def people(self, rng: np.random.Generator) -> "pd.DataFrame":
        return self.drawn(self.persons, rng, alone=True)

    def truth(self, analysis: Analysis, *, seed: int) -> _Truth:
        rows = min(_TRUTH_ROWS, max(_TRUTH_TIMES * self.persons, 1))
        table = self.drawn(rows, np.random.default_rng([seed]), alone=False)
        found = run(analysis, self.ready(table, analysis))
        told = [name for name in found.names if found.of(name) is not None]
        if not told:
            raise UsageError(
                f"{analysis.name!r} cannot be run on rows of this model: check its outcome, family "
                "and formula"
            )
        return _Truth(
            names=tuple(told),
            values=tuple(float(found.values[found.names.index(name)]) for name in told),
        )

    def ready(self, table: "pd.DataFrame", analysis: Analysis) -> "pd.DataFrame":
        schema = self.fitted.full_schema
        columns = [column.name for column in schema.modeled]
        needed = dict.fromkeys((*analysis.outcome(columns), *analysis.covariates(columns)))
        return prepared(table, schema, list(needed))

    def with_outcome_dealt_anew(
        self, people: "pd.DataFrame", analysis: Analysis, rng: np.random.Generator
    ) -> "pd.DataFrame":
        columns = [column.name for column in self.fitted.full_schema.modeled]
        outcome = list(analysis.outcome(columns))
        order = rng.permutation(len(people))
        return people.assign(**{name: people[name].to_numpy()[order] for name in outcome})

    def released(self, people: "pd.DataFrame") -> "FittedModel":
        """Release artificial persons: the same plan, a ledger of their own."""
        import dpsynth

        with TemporaryDirectory() as folder:
            path = Path(folder) / "world.ledger"
            dpsynth.Ledger.create(path, cap_epsilon=self.epsilon, cap_delta=self.delta).close()
            return dpsynth.synthesizer(self.name, **self.settings).fit(
                people,
                schema=self.fitted.full_schema,
                epsilon=self.epsilon,
                delta=self.delta,
                ledger=path,
            )


def _tally(
    tallies: dict[tuple[str, str], _Tally],
    analyses: Sequence[Analysis],
    truths: "dict[str, _Truth]",
    world: _World,
    released: "FittedModel",
    rng: np.random.Generator,
    *,
    copies: int,
    rows: int | None,
    null: bool = False,
) -> None:
    """Count what one release says of every coefficient."""
    drawn = released.sample_copies(copies, rows, seed=int(rng.integers(2**62)))
    sample = released.sample(seed=int(rng.integers(2**62)))
    ratio = drawn.rows / max(drawn.total, 1.0)
    for analysis in analyses:
        found = [run(analysis, world.ready(table, analysis)) for table in drawn.tables]
        alone = run(analysis, world.ready(sample, analysis))
        for name, truth in zip(
            truths[analysis.name].names, truths[analysis.name].values, strict=True
        ):
            combined = combine(found, name, rows_ratio=ratio)
            if combined is None:
                continue
            tally = tallies.setdefault((analysis.name, name), _Tally())
            inside = combined.low <= truth <= combined.high
            single = alone.of(name)
            # A sample that does not tell of a coefficient misleads nobody: it counts as held.
            inside_alone = single is None or abs(single[0] - truth) <= Z * sqrt(single[1])
            if null:
                tally.nulls += 1
                tally.alarms += not inside
                tally.alarms_alone += not inside_alone
            else:
                tally.worlds += 1
                tally.held += inside
                tally.held_alone += inside_alone
                tally.widths += combined.high - combined.low
