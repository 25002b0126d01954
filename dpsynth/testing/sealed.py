"""Fits of neighboring tables in which the mechanisms see other counts and release the same.

The replay of ``recording`` tells the mechanisms of the second world the counts of the first: what
they keep of them beside their noisy answers is then the same as well. Here each world's mechanisms
get the counts of its own rows, and what they released is overwritten, where it stands, by what the
first world released. Whatever still differs came past the noise.

What is told once may be told to a table of any size: from one to the next it is one person more at
a time, so that two tables told the same and told apart stand for two neighbors in between.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.privacy.curator import Curator, Selection
from dpsynth.privacy.mechanisms import (
    DiscreteGaussian,
    DiscreteLaplace,
    ExponentialSelection,
    PartitionSelection,
)
from dpsynth.privacy.queries import (
    DependenceQuery,
    Discovery,
    MarginalErrorQuery,
    MarginalQuery,
    Measurement,
    ValuesQuery,
)
from dpsynth.testing.kit import drawn_pairs, far_pairs, grown_tables
from dpsynth.testing.outcome import Outcome, outcome_of
from dpsynth.testing.recording import same_model
from dpsynth.testing.rerun import fit_held, prepared_rows
from dpsynth.testing.tape import DivergedError

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema
    from dpsynth.synthesizers.facade import Synthesizer
    from dpsynth.synthesizers.plan import Plan


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """Two worlds that were told the same, each by mechanisms that saw its own rows.

    Attributes:
        world: what the two differ in, for people.
        diverged: what was asked of one and not of the other, or None.
        same_model: both ended in one model, bit for bit.
        unlike: what else told them apart, in public words.
    """

    world: str
    diverged: str | None
    same_model: bool
    unlike: tuple[str, ...]


def sealed(
    synthesizer: "Synthesizer", schema: "Schema", plan: "Plan", *, seed: int, drawn: int
) -> tuple[Sealed, ...]:
    """Fit ``synthesizer`` on pairs of neighboring made-up tables, with one set of answers a pair.

    And on tables of many sizes, all with the answers about the largest.

    Args:
        synthesizer: what is on trial; one that trains is told its own steps, and not compared.
        schema: public facts.
        plan: of the synthesizer.
        seed: of the noise, and of the tables that are drawn.
        drawn: pairs of small tables, beside those that lie furthest apart.
    """
    pairs = far_pairs(schema, plan) + drawn_pairs(schema, plan, count=drawn, seed=seed)

    def fit(
        table: "pd.DataFrame", told: list[Any], recalled: Iterator[Any] | None = None
    ) -> Outcome:
        made = _curator_of(told, recalled=recalled)
        prepared = prepared_rows(table, schema)
        return outcome_of(
            lambda: fit_held(
                synthesizer,
                schema,
                plan,
                prepared,
                lambda source, _: source,
                seed=seed,
                curator_of=made,
            ),
            written=False,
        )

    largest, *smaller = grown_tables(schema, seed=seed)
    worlds = [(pair.world, pair.table, pair.neighbor) for pair in pairs]
    worlds += [
        (f"{len(each)} ordinary rows, not {len(largest)}", largest, each) for each in smaller
    ]
    known: dict[int, tuple[list[Any], Outcome]] = {}
    found = []
    for world, table, other in worlds:
        told, first = known.get(id(table)) or ([], None)
        if first is None:
            first = fit(table, told)
            known[id(table)] = told, first
        if first.fault is not None:
            continue  # the replay of ``recording`` tells whether its neighbor ends so as well
        recalled = iter(tuple(told))
        second = fit(other, told, recalled)
        found.append(_compared(world, first, second, unasked=any(True for _ in recalled)))
    return tuple(found)


def _compared(world: str, first: Outcome, second: Outcome, *, unasked: bool) -> Sealed:
    diverged = str(second.fault) if isinstance(second.fault, DivergedError) else None
    if second.fault is None and unasked:
        diverged = "told the same, the neighbor was asked fewer questions"
    return Sealed(
        world=world,
        diverged=diverged,
        same_model=second.model is not None and same_model(first.model, second.model),
        unlike=() if diverged else tuple(first.differences(second)),
    )


def _curator_of(told: list[Any], *, recalled: Iterator[Any] | None) -> Callable[..., Curator]:

    def made(source: Any, **given: Any) -> Curator:
        return SealedCurator.in_place_of(Curator(source, **given), told=told, recalled=recalled)

    return made


class SealedCurator(Curator):
    """A curator that answers by its own rows, and then says what was said before."""

    _told: list[Any]
    _recalled: Iterator[Any] | None

    @classmethod
    def in_place_of(
        cls, curator: Curator, *, told: list[Any], recalled: Iterator[Any] | None
    ) -> Self:
        """Return one that holds all that ``curator`` holds.

        Args:
            curator: whose place it takes.
            told: gets what is answered, where nothing is recalled.
            recalled: what is to be answered, in order.
        """
        made = cls.__new__(cls)
        vars(made).update(vars(curator))
        made._told, made._recalled = told, recalled
        return made

    def measure(
        self,
        queries: Sequence[MarginalQuery],
        mechanism: DiscreteGaussian | DiscreteLaplace,
        *,
        labels: Sequence[str] | None = None,
    ) -> tuple[Measurement, ...]:
        """Answer as ``Curator.measure``, or as before."""
        answers = super().measure(queries, mechanism, labels=labels)
        for answer in answers:
            _overwrite(answer, "values", self._said(answer.clique, answer.values))
        return answers

    def select(
        self,
        query: MarginalErrorQuery | DependenceQuery,
        mechanism: ExponentialSelection,
        *,
        rounds: int,
        label: str,
    ) -> Selection:
        """Select as ``Curator.select``, or as before."""
        inner = super().select(query, mechanism, rounds=rounds, label=label)

        def pick(allowed: NDArray[np.int64]) -> int:
            chosen = inner.pick(allowed.tolist())
            return int(self._said(tuple(allowed.tolist()), np.array([chosen]))[0])

        return Selection(pick, rounds=rounds, candidates=len(query.cliques))

    def score(
        self, query: MarginalErrorQuery, mechanism: DiscreteGaussian, *, label: str
    ) -> NDArray[np.int64]:
        """Release scores as ``Curator.score``, or as before."""
        released = super().score(query, mechanism, label=label)
        said = self._said(query.cliques, released)
        if released.shape == said.shape and released.flags.writeable:
            released[...] = said
            return released
        return said

    def discover(
        self, queries: Sequence[ValuesQuery], mechanism: PartitionSelection
    ) -> tuple[Discovery, ...]:
        """Discover values as ``Curator.discover``, or as before."""
        found = super().discover(queries, mechanism)
        for each in found:
            units = self._said(each.query.column, each.units)
            texts = self._said("texts", np.array(each.values, dtype=object))
            _overwrite(each, "units", units)
            object.__setattr__(each, "values", tuple(texts.tolist()))
        return found

    def closed(self, values: Mapping[str, Sequence[str]], domain: Domain) -> "SealedCurator":
        """Return one in place of what ``Curator.closed`` returns."""
        made = super().closed(values, domain)
        return self.in_place_of(made, told=self._told, recalled=self._recalled)

    def coarsened(self, groups: Mapping[str, NDArray[np.int64]]) -> "SealedCurator":
        """Return one in place of what ``Curator.coarsened`` returns."""
        made = super().coarsened(groups)
        return self.in_place_of(made, told=self._told, recalled=self._recalled)

    def _said(self, asked: object, answer: NDArray[Any]) -> NDArray[Any]:
        """Note an answer, or return the one that was given in its place before."""
        if self._recalled is None:
            self._told.append((asked, answer.copy()))
            return answer
        then, said = next(self._recalled, (None, None))
        if then != asked:
            raise DivergedError("told the same, the neighbor was asked something else")
        return np.array(said)


def _overwrite(answer: object, name: str, said: NDArray[Any]) -> None:
    """Put ``said`` where an answer stands, for all who hold it."""
    held = getattr(answer, name)
    if held.shape == said.shape and held.flags.writeable:
        held[...] = said
    else:
        object.__setattr__(answer, name, said)
