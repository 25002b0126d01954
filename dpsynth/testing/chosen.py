"""A curator over counts that a tester chose: its mechanisms are asked as a synthesizer asks them.

Nobody has these rows. What stands between a question and its answer is what a release runs: the
curator, the account, the mechanism and its sampler, with the noise of a known seed.
"""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.privacy.accounting import epsilon_from_rho, total_rho
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.events import Event
from dpsynth.privacy.ledger import Ledger
from dpsynth.privacy.mechanisms import DiscreteGaussian, DiscreteLaplace, ExponentialSelection
from dpsynth.privacy.queries import MarginalErrorQuery, MarginalQuery
from dpsynth.privacy.randomness import SeededRandom

_DELTA = Fraction(1, 10**9)
Counts = NDArray[np.int64]


class ChosenSource:
    """Holds one vector of counts for every column, and no rows."""

    def __init__(self, counts: Sequence[Counts]) -> None:
        self._counts = {f"column {at}": each for at, each in enumerate(counts)}
        self.domain = Domain(sizes={name: each.size for name, each in self._counts.items()})

    def count(self, clique: tuple[str, ...]) -> Counts:
        """Return the chosen counts of a column."""
        (name,) = clique
        return self._counts[name].copy()

    def count_many(self, cliques: Sequence[tuple[str, ...]]) -> Iterator[Counts]:
        """Count one after the other."""
        return map(self.count, cliques)

    def values(self, column: str) -> NoReturn:
        """Fail: there are no values."""
        raise KeyError(f"{column} has no values")

    def closed(self, values: Mapping[str, Sequence[str]], domain: Domain) -> NoReturn:
        """Fail: there are no values."""
        raise KeyError(f"{', '.join(values)} of {', '.join(domain.columns)} are not open")

    def coarsened(self, groups: Mapping[str, NDArray[np.int64]]) -> NoReturn:
        """Fail: the counts are what they are."""
        raise KeyError(f"{', '.join(groups)} cannot be regrouped")

    def unit_rows(self) -> NoReturn:
        """Fail: there are no rows."""
        raise KeyError("chosen counts have no rows behind them")


def answers(
    event: Mapping[str, str],
    counts: Sequence[Counts],
    *,
    max_rows: int,
    seed: int,
    times: int = 1,
) -> tuple[Counts, ...]:
    """Return what a curator releases of each vector of ``counts``, all asked together.

    Args:
        event: the planned noise, as a document.
        counts: one vector a question.
        max_rows: of a person.
        seed: of the noise.
        times: how often all of them are asked, one round after the other.
    """
    mechanism: DiscreteGaussian | DiscreteLaplace
    if "scale" in event:
        mechanism = DiscreteLaplace(scale=Fraction(event["scale"]))
    else:
        mechanism = DiscreteGaussian(sigma_squared=Fraction(event["sigma_squared"]))
    source, unit = ChosenSource(counts), PrivacyUnit(max_rows=max_rows)
    queries = [MarginalQuery(clique=(name,), domain=source.domain) for name in source.domain.sizes]
    queries = queries * times
    events = [query.event(mechanism, unit) for query in queries]
    found = _curator(source, unit, events, seed=seed).measure(queries, mechanism)
    return tuple(each.values.copy() for each in found)


def choices(
    epsilon: Fraction,
    scores: Sequence[int],
    *,
    max_rows: int,
    weight: int,
    draws: int,
    seed: int,
) -> NDArray[np.int64]:
    """Return how often a curator chooses each candidate by these scores.

    Every candidate is a table of two cells: its rows are its distance from an empty reference,
    times ``weight``, and a public offset makes up the rest of its score.

    Args:
        epsilon: of one choice, exact.
        scores: one a candidate, whole numbers.
        max_rows: of a person; the sensitivity of a score is ``weight`` times that.
        weight: of all candidates, at least 1.
        draws: how many choices are made.
        seed: of the choices.
    """
    mechanism = ExponentialSelection(epsilon=epsilon)
    rows = [max(each, 0) // weight for each in scores]
    source = ChosenSource([np.array([each, 0], dtype=np.int64) for each in rows])
    unit = PrivacyUnit(max_rows=max_rows)
    query = MarginalErrorQuery(
        cliques=tuple((name,) for name in source.domain.columns),
        references=tuple(np.zeros(2, dtype=np.int64) for _ in rows),
        resolution=1,
        domain=source.domain,
        weights=(weight,) * len(rows),
        offsets=tuple(score - weight * held for score, held in zip(scores, rows, strict=True)),
    )
    curator = _curator(source, unit, [mechanism.event()] * draws, seed=seed)
    selection = curator.select(query, mechanism, rounds=draws, label="choice")
    everybody = list(range(len(rows)))
    chosen = [selection.pick(everybody) for _ in range(draws)]
    return np.bincount(np.array(chosen, dtype=np.int64), minlength=len(rows))


def _curator(
    source: ChosenSource, unit: PrivacyUnit, events: Sequence[Event], *, seed: int
) -> Curator:
    rho = total_rho(events)
    # The cap takes in a little more than rho: conversions round against the spender.
    ledger = Ledger.in_memory(cap_epsilon=epsilon_from_rho(2 * rho, _DELTA), cap_delta=_DELTA)
    account = ledger.open_release(rho=rho, seeded=True)
    return Curator(source, unit=unit, account=account, rng=SeededRandom(seed))
