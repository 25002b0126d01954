"""A curator that notes what it released beside the exact answer, on made-up rows.

It is a curator and answers as one, so that what is heard is what a synthesizer gets: by its own
calls, with its own scales, after everything that lies between the mechanism and the synthesizer.
Exact answers are counted apart, from rows that nobody stands before.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.privacy.curator import Curator, Selection
from dpsynth.privacy.events import Event, event_to_dict
from dpsynth.privacy.ledger import Account
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
from dpsynth.privacy.source import TableSource
from dpsynth.testing.drawn import Drawn, drawing
from dpsynth.testing.notes import Answered, Asked, Query, Scored, Trained

if TYPE_CHECKING:
    from dpsynth.privacy.dpsgd.engines import Engine, Loss, Units
    from dpsynth.privacy.dpsgd.rule import StepRule
    from dpsynth.privacy.dpsgd.step import PrivateGradients


@dataclass(frozen=True, kw_only=True, eq=False)
class Heard:
    """What listening curators have noted, in order.

    Attributes:
        answered: count vectors.
        scored: selections and releases of scores.
        trained: steps of trainings.
        dearer: draws that hide less than what was charged for them, as kinds of events.
    """

    answered: list[Answered] = field(default_factory=list)
    scored: list[Scored] = field(default_factory=list)
    trained: list[Trained] = field(default_factory=list)
    dearer: list[str] = field(default_factory=list)

    def curator_of(
        self, rows: TableSource, *, beside: TableSource | None = None
    ) -> Callable[..., Curator]:
        """Return what makes a listening curator in place of ``Curator``.

        Args:
            rows: the same rows as those the curator will be given, with nobody before them.
            beside: rows of another table, of which the exact answers are noted too.
        """

        def made(
            source: TableSource, *, unit: PrivacyUnit, account: Account, **given: Any
        ) -> Curator:
            curator = Curator(source, unit=unit, account=account, **given)
            return ListeningCurator.in_place_of(curator, rows=rows, beside=beside, heard=self)

        return made


class _CountingEngine:
    """Clips as another engine does, and counts the units that it is given."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._units = 0

    def clipped_sums(
        self, model: Any, loss: "Loss", units: "Units", *, clip: float
    ) -> dict[str, Any]:
        """Return what the other engine does."""
        self._units += len(units.present)
        return self._engine.clipped_sums(model, loss, units, clip=clip)

    def taken(self) -> int:
        """Return the units since it was last asked."""
        units, self._units = self._units, 0
        return units


class ListeningCurator(Curator):
    """A curator that notes its answers; made from another, whose place it takes."""

    _rows: TableSource
    _beside: TableSource | None
    _heard: Heard

    @classmethod
    def in_place_of(
        cls, curator: Curator, *, rows: TableSource, beside: TableSource | None, heard: Heard
    ) -> Self:
        """Return a listener that holds all that ``curator`` holds."""
        made = cls.__new__(cls)
        vars(made).update(vars(curator))
        made._rows, made._beside, made._heard = rows, beside, heard
        return made

    def measure(
        self,
        queries: Sequence[MarginalQuery],
        mechanism: DiscreteGaussian | DiscreteLaplace,
        *,
        labels: Sequence[str] | None = None,
    ) -> tuple[Measurement, ...]:
        """Answer as ``Curator.measure``, and note it."""
        before = len(self.account.entries)
        with drawing() as draws:
            answers = super().measure(queries, mechanism, labels=labels)
        self._compare(draws, before)
        together = tuple(queries)
        for at, answer in enumerate(answers):
            asked = self._asked(answer.query, mechanism, answer.query.event(mechanism, self.unit))
            self._heard.answered.append(
                Answered(
                    what=answer.query.label,
                    charged=self._charged(before + at),
                    exact=self._rows.count(answer.clique),
                    released=answer.values.copy(),
                    beside=None if self._beside is None else self._beside.count(answer.clique),
                    asked=replace(asked, together=together, place=at),
                )
            )
        return answers

    def select(
        self,
        query: MarginalErrorQuery | DependenceQuery,
        mechanism: ExponentialSelection,
        *,
        rounds: int,
        label: str,
    ) -> Selection:
        """Select as ``Curator.select``, and note every choice."""
        before = len(self.account.entries)
        inner = super().select(query, mechanism, rounds=rounds, label=label)
        paid = len(self.account.entries)
        noted = self._scored(query, before, self._asked(query, mechanism, mechanism.event()))
        self._heard.scored.append(noted)

        def pick(allowed: NDArray[np.int64]) -> int:
            with drawing() as draws:
                chosen = inner.pick(allowed.tolist())
            self._compare(draws, before, paid, sensitivity=noted.sensitivity)
            noted.picks.append((tuple(allowed.tolist()), chosen))
            noted.given.append(_whole(draws, allowed.size))
            return chosen

        return Selection(pick, rounds=rounds, candidates=len(query.cliques))

    def score(
        self, query: MarginalErrorQuery, mechanism: DiscreteGaussian, *, label: str
    ) -> NDArray[np.int64]:
        """Release scores as ``Curator.score``, and note them."""
        before = len(self.account.entries)
        with drawing() as draws:
            released = super().score(query, mechanism, label=label)
        self._compare(draws, before)
        event = mechanism.event(l2_sensitivity_squared=query.l2_sensitivity_squared(self.unit))
        asked = self._asked(query, mechanism, event)
        noted = self._scored(query, before, asked, released=released.copy())
        noted.given.append(_whole(draws, released.size))
        self._heard.scored.append(noted)
        return released

    def discover(
        self, queries: Sequence[ValuesQuery], mechanism: PartitionSelection
    ) -> tuple[Discovery, ...]:
        """Discover values as ``Curator.discover``, and note their noisy counts."""
        before = len(self.account.entries)
        with drawing() as draws:
            found = super().discover(queries, mechanism)
        self._compare(draws, before)
        for at, each in enumerate(found):
            here = self._units(self._rows, each.query.column)
            there = self._units(self._beside, each.query.column)
            unheld = sorted((here.keys() | there.keys()) - set(each.values))
            held = [[table.get(text, 0) for text in each.values] for table in (here, there)]
            withheld = [[here.get(text, 0), there.get(text, 0)] for text in unheld]
            self._heard.answered.append(
                Answered(
                    what=each.query.label,
                    charged=self._charged(before + at),
                    exact=np.array(held[0], dtype=np.int64),
                    released=each.units.copy(),
                    beside=None if self._beside is None else np.array(held[1], dtype=np.int64),
                    asked=self._asked(each.query, mechanism, each.event),
                    withheld=np.array(withheld, dtype=np.int64).reshape(-1, 2),
                )
            )
        return found

    def train(self, rule: "StepRule", *, label: str, **options: Any) -> "PrivateGradients":
        """Train as ``Curator.train``, and note what every step releases."""
        from dpsynth.privacy.dpsgd.step import PrivateGradients

        heard, before = self._heard.trained, len(self.account.entries)
        gradients = super().train(rule, label=label, **options)
        charged = self._charged(before)

        class Listening(PrivateGradients):
            """Gradients that note what they release."""

            def release(self, *given: Any) -> dict[str, Any]:
                found: dict[str, Any] = super().release(*given)
                flat = np.concatenate([each.double().flatten().numpy() for each in found.values()])
                released = flat * (self.rule.divisor / self.rule.clip)
                heard.append(Trained(charged=charged, released=released, units=engine.taken()))
                return found

        made = Listening.__new__(Listening)
        vars(made).update(vars(gradients))
        engine = _CountingEngine(vars(made)["_PrivateGradients__engine"])
        vars(made)["_PrivateGradients__engine"] = engine
        return made

    def closed(self, values: Mapping[str, Sequence[str]], domain: Domain) -> "ListeningCurator":
        """Return a listener in place of what ``Curator.closed`` returns."""
        beside = None if self._beside is None else self._beside.closed(values, domain)
        return self.in_place_of(
            super().closed(values, domain),
            rows=self._rows.closed(values, domain),
            beside=beside,
            heard=self._heard,
        )

    def coarsened(self, groups: Mapping[str, NDArray[np.int64]]) -> "ListeningCurator":
        """Return a listener in place of what ``Curator.coarsened`` returns."""
        beside = None if self._beside is None else self._beside.coarsened(groups)
        return self.in_place_of(
            super().coarsened(groups),
            rows=self._rows.coarsened(groups),
            beside=beside,
            heard=self._heard,
        )

    def _compare(
        self,
        draws: Sequence[Drawn],
        before: int,
        after: int | None = None,
        *,
        sensitivity: Fraction | None = None,
    ) -> None:
        """Note draws that hide less than every one of the entries that paid for them."""
        charged = [event_to_dict(entry.event) for entry in self.account.entries[before:after]]
        self._heard.dearer.extend(
            each.kind
            for each in draws
            if all(each.hides_less(event) for event in charged)
            or (sensitivity is not None and (each.sensitivity or 0) < sensitivity)
        )

    def _charged(self, at: int) -> Mapping[str, str] | None:
        entries = self.account.entries[at : at + 1]
        return event_to_dict(entries[0].event) if entries else None

    def _asked(self, query: Any, mechanism: Any, event: Event) -> Asked:
        return Asked(query=query, mechanism=mechanism, unit=self.unit, event=event_to_dict(event))

    def _units(self, rows: TableSource | None, column: str) -> dict[str, int]:
        if rows is None:
            return {}
        texts, counts = rows.values(column)
        return dict(zip(texts, counts.tolist(), strict=True))

    def _scored(
        self, query: Query, before: int, asked: Asked, *, released: NDArray[Any] | None = None
    ) -> Scored:
        beside = self._beside
        return Scored(
            query=query,
            tables=tuple(self._rows.count(clique) for clique in query.cliques),
            sensitivity=query.sensitivity(self.unit),
            charged=self._charged(before),
            released=released,
            beside=None if beside is None else tuple(map(beside.count, query.cliques)),
            asked=asked,
        )


def _whole(draws: Sequence[Drawn], size: int) -> NDArray[np.int64] | None:
    """Return what one draw was given, where it was all that there is."""
    return draws[0].given if len(draws) == 1 and draws[0].given.size == size else None
