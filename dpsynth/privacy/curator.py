"""The curator: holds the private rows and answers only noisy questions about them."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.privacy.ledger import Account, Charge
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
from dpsynth.privacy.randomness import RandomSource
from dpsynth.privacy.source import TableSource

if TYPE_CHECKING:
    from dpsynth.privacy.dpsgd.rule import StepRule
    from dpsynth.privacy.dpsgd.step import PrivateGradients


class _Sealed:
    """Refuses to be pickled, so that rows never leave by way of a worker or a cache."""

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds private rows and cannot be pickled or copied")


class Curator(_Sealed):
    """The only object that can reach the rows; it has no accessor for them.

    Args:
        source: counts rows on request, in whichever engine holds the table.
        unit: whose data one guarantee covers, and how many rows that may be.
        account: this release's share of the table's ledger; every charge is written there.
        rng: source of privacy noise.

    Raises:
        ValueError: the noise is seeded and the account does not say so, or the reverse.
    """

    def __init__(
        self, source: TableSource, *, unit: PrivacyUnit, account: Account, rng: RandomSource
    ) -> None:
        if rng.seeded != account.seeded:
            raise ValueError("the account must say whether the noise is seeded, and truthfully")
        self.__source = source
        self.__rng = rng
        self.__distances: dict[tuple[tuple[str, ...], int], tuple[object, int]] = {}
        self.unit = unit
        self.account = account

    @property
    def domain(self) -> Domain:
        """The columns and their sizes; public."""
        return self.__source.domain

    def measure(
        self,
        queries: Sequence[MarginalQuery],
        mechanism: DiscreteGaussian | DiscreteLaplace,
        *,
        labels: Sequence[str] | None = None,
    ) -> tuple[Measurement, ...]:
        """Answer ``queries``, each with fresh noise, and pay for all of them first.

        Args:
            queries: what to count, over this curator's domain.
            mechanism: the noise, of one scale for all of them.
            labels: public names for the ledger; the queries' own where not given.

        Raises:
            BudgetExceededError: the ledger cannot pay; no row was read.
        """
        names = [query.label for query in queries] if labels is None else list(labels)
        for query in queries:
            self.__check(query.domain)
        events = [query.event(mechanism, self.unit) for query in queries]
        # Charge, then read, then release. A charge is never refunded: a failure below may depend
        # on the rows, and is then itself something that an observer learned about them.
        entries = self.account.charge(
            [Charge(event=event, label=name) for event, name in zip(events, names, strict=True)]
        )
        counted = self.__source.count_many([query.clique for query in queries])
        answers = []
        for query, event, entry, counts in zip(queries, events, entries, counted, strict=True):
            values = mechanism.release(counts, rng=self.__rng)
            answers.append(Measurement(query=query, values=values, event=event, entry=entry.index))
        return tuple(answers)

    def select(
        self,
        query: MarginalErrorQuery | DependenceQuery,
        mechanism: ExponentialSelection,
        *,
        rounds: int,
        label: str,
    ) -> "Selection":
        """Pay for ``rounds`` exponential selections among the candidates of ``query``.

        All rounds are charged here, before a row is read; unused ones are not refunded.

        Raises:
            BudgetExceededError: the ledger cannot pay; no row was read.
        """
        self.__check(query.domain)
        sensitivity = query.sensitivity(self.unit)
        # The same order as in measure(), and for the same reason.
        self.account.charge(
            [
                Charge(event=mechanism.event(), label=f"{label} {number} of {rounds}")
                for number in range(1, rounds + 1)
            ]
        )
        scores = self.__scores(query)

        def pick(allowed: NDArray[np.int64]) -> int:
            chosen = mechanism.select(scores[allowed], sensitivity=sensitivity, rng=self.__rng)
            return int(allowed[chosen])

        return Selection(pick, rounds=rounds, candidates=len(query.cliques))

    def score(
        self, query: MarginalErrorQuery, mechanism: DiscreteGaussian, *, label: str
    ) -> NDArray[np.int64]:
        """Release the scores of all candidates at once, and pay for them first.

        Args:
            query: candidates and what a public model expects of them.
            mechanism: the noise, in units of ``1 / query.resolution`` rows, as the scores.
            label: public name for the ledger.

        Returns:
            Shape ``(candidates,)``, int64, noisy; may be negative.

        Raises:
            BudgetExceededError: the ledger cannot pay; no row was read.
        """
        self.__check(query.domain)
        event = mechanism.event(l2_sensitivity_squared=query.l2_sensitivity_squared(self.unit))
        # The same order as in measure(), and for the same reason.
        self.account.charge([Charge(event=event, label=label)])
        return mechanism.release(self.__scores(query), rng=self.__rng)

    def discover(
        self, queries: Sequence[ValuesQuery], mechanism: PartitionSelection
    ) -> tuple[Discovery, ...]:
        """Release the values of open columns that enough units hold; pay for all columns first.

        Args:
            queries: one an open column, over this curator's domain.
            mechanism: noise, threshold and reserved delta, the same for each of them.

        Raises:
            BudgetExceededError: the ledger cannot pay, in rho or in reserved delta; no row was
                read.
        """
        for query in queries:
            self.__check(query.domain)
        events = [
            mechanism.event(
                l2_sensitivity_squared=query.l2_sensitivity_squared(self.unit),
                max_new=query.max_new(self.unit),
            )
            for query in queries
        ]
        # The same order as in measure(), and for the same reason.
        entries = self.account.charge(
            [
                Charge(event=event, label=query.label)
                for query, event in zip(queries, events, strict=True)
            ]
        )
        found = []
        for query, event, entry in zip(queries, events, entries, strict=True):
            texts, counts = self.__source.values(query.column)
            kept, noisy = mechanism.release(counts, rng=self.__rng)
            # Sorted by text, so that not even the order of the released values follows the rows.
            names = [str(texts[at]) for at in kept.tolist()]
            order = sorted(range(len(names)), key=names.__getitem__)
            found.append(
                Discovery(
                    query=query,
                    values=tuple(names[at] for at in order),
                    units=noisy[order],
                    event=event,
                    entry=entry.index,
                )
            )
        return tuple(found)

    def train(self, rule: "StepRule", *, label: str, **options: Any) -> "PrivateGradients":
        """Pay for all steps of a training, and return what releases their noisy gradients.

        Batches, clipping and noise come as one object: nobody hands in a sampler. Unused steps
        are not refunded.

        Args:
            rule: sampling rate, noise, clip and number of steps, from public facts alone.
            label: public name for the ledger.
            options: ``engine``, ``most_rows``, ``processes`` and ``checkpoint``, none of which
                changes what is paid or promised; see ``dpsynth.privacy.dpsgd.begin``.

        Raises:
            UnknownNameError: no engine has that name.
            BudgetExceededError: the ledger cannot pay; no row was read.
            ImportError: torch is not installed; nothing was charged.
        """
        # The same order as in measure(), and for the same reason; torch comes before the charge.
        from dpsynth.privacy.dpsgd.begin import begin

        return begin(
            rule,
            label=label,
            source=self.__source,
            unit=self.unit,
            account=self.account,
            rng=self.__rng,
            **options,
        )

    def closed(self, values: Mapping[str, Sequence[str]], domain: Domain) -> "Curator":
        """Return a curator over ``domain``, where open columns have codes for ``values``.

        Spends from the same account, and costs nothing: ``values`` is public, released by
        ``discover`` or computed from what was.

        Raises:
            ValueError: ``domain`` has other columns, or other numbers of codes than follow.
        """
        sizes = {name: size + len(values.get(name, ())) for name, size in self.domain.sizes.items()}
        if dict(domain.sizes) != sizes or tuple(domain.columns) != self.domain.columns:
            raise ValueError("the domain does not count the released values")
        return Curator(
            self.__source.closed(values, domain),
            unit=self.unit,
            account=self.account,
            rng=self.__rng,
        )

    def coarsened(self, groups: Mapping[str, NDArray[np.int64]]) -> "Curator":
        """Return a curator over regrouped codes that spends from the same account.

        Costs nothing: ``groups`` is public, made from declared facts or from noisy answers.
        """
        return Curator(
            self.__source.coarsened(groups), unit=self.unit, account=self.account, rng=self.__rng
        )

    def __scores(self, query: MarginalErrorQuery | DependenceQuery) -> NDArray[np.int64]:
        if isinstance(query, DependenceQuery):
            return query.scores(self.__source.count)
        # A candidate is counted only where its reference is another array than it was last time.
        keys = [(clique, query.resolution) for clique in query.cliques]
        known = [self.__distances.get(key, (None, 0)) for key in keys]
        fresh = [at for at, held in enumerate(known) if held[0] is not query.references[at]]
        counted = self.__source.count_many([query.cliques[at] for at in fresh])
        for at, counts in zip(fresh, counted, strict=True):
            known[at] = query.references[at], query.distance(at, counts)
        self.__distances.update(zip(keys, known, strict=True))
        return query.scores([distance for _, distance in known])

    def __check(self, domain: Domain) -> None:
        if domain != self.domain:
            raise ValueError("the query was made for another domain than the curator's")

    def __repr__(self) -> str:
        return f"Curator({', '.join(self.domain.columns)})"


class Selection(_Sealed):
    """Prepaid exponential selections over one set of private scores; see ``Curator.select``."""

    def __init__(
        self, pick: Callable[[NDArray[np.int64]], int], *, rounds: int, candidates: int
    ) -> None:
        self.__pick = pick
        self.__left = rounds
        self.__candidates = candidates

    def pick(self, allowed: Sequence[int]) -> int:
        """Choose one of the ``allowed`` candidates by its private score.

        Args:
            allowed: indices into the query's cliques, at least one, each once.

        Returns:
            The chosen index.

        Raises:
            ValueError: no round is left, or ``allowed`` is empty, repeats or is out of range.
        """
        indices = np.asarray(allowed, dtype=np.int64)
        if not self.__left:
            raise ValueError("every round of this selection has been used")
        if not indices.size or np.unique(indices).size != indices.size:
            raise ValueError("allowed must name at least one candidate, each once")
        if indices.min() < 0 or indices.max() >= self.__candidates:
            raise ValueError("allowed must name candidates of the query")
        self.__left -= 1
        return self.__pick(indices)

    def __repr__(self) -> str:
        return f"Selection({self.__candidates} candidates, {self.__left} rounds left)"
