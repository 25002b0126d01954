"""What can be asked of the rows, and how far one person can move the answer.

Every sensitivity in dpsynth is derived in this file and nowhere else; docs/proofs/sensitivity.md
has the arguments, tests/property/test_sensitivity.py attacks them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from dpsynth import _validate
from dpsynth.domain import Domain, NeighboringRelation, PrivacyUnit
from dpsynth.privacy.events import (
    DiscreteGaussianEvent,
    DiscreteLaplaceEvent,
    PartitionSelectionEvent,
)
from dpsynth.privacy.mechanisms import DiscreteGaussian, DiscreteLaplace

MOST_RESOLUTION = 1 << 20  # with it, 2**40 rows fit into an exact int64 distance
_MOST_MASS = 1 << 61  # of a reference, all its cells together
_MOST_SCORE = 1 << 62


def _bounded(scores: Iterable[int]) -> NDArray[np.int64]:
    """Return scores as int64; those beyond are moved to the nearest bound.

    No two scores are moved apart by that, so every sensitivity holds, and no number of rows can
    make it fail.
    """
    return np.array([max(-_MOST_SCORE, min(each, _MOST_SCORE)) for each in scores], dtype=np.int64)


def _rows_moved(unit: PrivacyUnit) -> Fraction:
    """Rows by which the bounded tables of two neighbors differ, at most."""
    if unit.neighboring is not NeighboringRelation.ADD_OR_REMOVE:
        raise ValueError("sensitivities are derived for add_or_remove alone")
    return Fraction(unit.max_rows)


@dataclass(frozen=True, kw_only=True)
class MarginalQuery:
    """How many rows fall into each cell of a table over ``clique``.

    Args:
        clique: one or more columns of ``domain``, each once.
        domain: the codes that a column may hold.
    """

    clique: tuple[str, ...]
    domain: Domain

    def __post_init__(self) -> None:
        _check_clique(self.clique, self.domain)

    @property
    def label(self) -> str:
        """Public name of the query: column names only."""
        return f"marginal({', '.join(self.clique)})"

    def l1_sensitivity(self, unit: PrivacyUnit) -> Fraction:
        """Each of a person's rows moves one cell by one."""
        return _rows_moved(unit)

    def l2_sensitivity_squared(self, unit: PrivacyUnit) -> Fraction:
        """Worst where all of a person's rows fall into one cell."""
        return _rows_moved(unit) ** 2

    def event(
        self, mechanism: DiscreteGaussian | DiscreteLaplace, unit: PrivacyUnit
    ) -> DiscreteGaussianEvent | DiscreteLaplaceEvent:
        """Describe one answer with this noise, in the norm that the noise is made for."""
        if isinstance(mechanism, DiscreteLaplace):
            return mechanism.event(l1_sensitivity=self.l1_sensitivity(unit))
        return mechanism.event(l2_sensitivity_squared=self.l2_sensitivity_squared(unit))


@dataclass(frozen=True, kw_only=True)
class MarginalErrorQuery:
    """How far, in rows, the table over each candidate clique is from a public reference.

    The distance of candidate ``i`` is ``sum(abs(resolution * counts_i - references[i]))``, an exact
    integer in units of ``1 / resolution`` rows; its score is ``weights[i]`` times that, plus
    ``offsets[i]``.

    Args:
        cliques: the candidates, at least one.
        references: what a public model expects, one int64 vector of ``resolution`` times the
            expected counts a candidate, row-major over its clique; made read-only.
        resolution: a positive integer, at most ``MOST_RESOLUTION``: how finely a reference may
            state fractions of a row.
        domain: the codes that a column may hold.
        weights: public, positive integers, one a candidate; all 1 where not given.
        offsets: public integers, one a candidate, in the unit of scores; all 0 where not given.
    """

    cliques: tuple[tuple[str, ...], ...]
    references: tuple[NDArray[np.int64], ...]
    resolution: int
    domain: Domain
    weights: tuple[int, ...] = ()
    offsets: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.cliques or len(self.cliques) != len(self.references):
            raise ValueError("cliques and references must be of one length, at least 1")
        _validate.whole(resolution=(self.resolution,))
        _validate.positive(resolution=self.resolution)
        _validate.at_most(MOST_RESOLUTION, resolution=self.resolution)
        for clique, reference in zip(self.cliques, self.references, strict=True):
            _check_clique(clique, self.domain)
            if reference.dtype != np.int64 or reference.shape != (self.domain.size(clique),):
                raise ValueError("a reference must be an int64 vector over the cells of its clique")
            if np.abs(reference, dtype=np.float64).sum() > _MOST_MASS:
                raise ValueError("a reference expects more rows than an exact distance can count")
            reference.setflags(write=False)
        object.__setattr__(self, "weights", self.weights or (1,) * len(self.cliques))
        object.__setattr__(self, "offsets", self.offsets or (0,) * len(self.cliques))
        if not len(self.weights) == len(self.offsets) == len(self.cliques):
            raise ValueError("weights and offsets must have one integer a candidate")
        _validate.whole(weights=self.weights, offsets=self.offsets)
        if min(self.weights) < 1:
            raise ValueError("weights must be positive integers")

    def sensitivity(self, unit: PrivacyUnit) -> Fraction:
        """The triangle inequality: a distance moves no further than its counts do in L1."""
        return max(self.weights) * self.resolution * _rows_moved(unit)

    def l2_sensitivity_squared(self, unit: PrivacyUnit) -> Fraction:
        """All scores together: one row can move every one of them by as much as it can move one."""
        moved = self.resolution * _rows_moved(unit)
        return sum(weight**2 for weight in self.weights) * moved**2

    def distance(self, candidate: int, counts: NDArray[np.int64]) -> int:
        """Return how far one candidate's exact counts are from its reference."""
        return int(np.abs(self.resolution * counts - self.references[candidate]).sum())

    def scores(self, distances: Sequence[int]) -> NDArray[np.int64]:
        """Return the scores of all candidates from their distances."""
        return _bounded(
            weight * distance + offset
            for weight, distance, offset in zip(self.weights, distances, self.offsets, strict=True)
        )


@dataclass(frozen=True, kw_only=True)
class DependenceQuery:
    """How far, in rows, each candidate child is from not depending on its parents.

    The score of candidate ``i``, a child x with parents p, is
    ``sum(abs(resolution * counts[p, x] - weights[x] * counts[p])) - costs[i]``: the L1 distance,
    in units of ``1 / resolution`` rows, of the joint table from the table of the parents alone
    with the children spread by public weights. No number of rows enters it.

    Args:
        cliques: columns of each candidate, parents and child; at least one candidate.
        children: the child of each.
        weights: by child, public non-negative integers, one a code, that add up to ``resolution``.
        costs: public integers, one a candidate, in the unit of the scores.
        resolution: a positive integer, at most ``MOST_RESOLUTION``.
        domain: the codes that a column may hold.
    """

    cliques: tuple[tuple[str, ...], ...]
    children: tuple[str, ...]
    weights: Mapping[str, NDArray[np.int64]]
    costs: tuple[int, ...]
    resolution: int
    domain: Domain

    def __post_init__(self) -> None:
        if not len(self.cliques) == len(self.children) == len(self.costs) > 0:
            raise ValueError("cliques, children and costs must be of one length, at least 1")
        _validate.whole(costs=self.costs, resolution=(self.resolution,))
        _validate.positive(resolution=self.resolution)
        _validate.at_most(MOST_RESOLUTION, resolution=self.resolution)
        for clique, child in zip(self.cliques, self.children, strict=True):
            _check_clique(clique, self.domain)
            if child not in clique or child not in self.weights:
                raise ValueError("a child must be a column of its clique, and have weights")
        for child, weights in self.weights.items():
            if weights.dtype != np.int64 or weights.shape != self.domain.shape((child,)):
                raise ValueError("weights must be an int64 vector over the codes of their child")
            if weights.min() < 0 or int(weights.sum()) != self.resolution:
                raise ValueError("weights must be at least 0 and add up to the resolution")

    def sensitivity(self, unit: PrivacyUnit) -> Fraction:
        """One row adds ``resolution`` to one residual and takes its weights off those beside it.

        That is at most ``2 * resolution`` in L1, as the weights add up to ``resolution``; see
        docs/proofs/privbayes.md.
        """
        return 2 * self.resolution * _rows_moved(unit)

    def scores(self, count: Callable[[tuple[str, ...]], NDArray[np.int64]]) -> NDArray[np.int64]:
        """Return all scores; ``count`` is asked once for neighboring candidates of one clique."""
        found = []
        for clique, candidates in groupby(range(len(self.cliques)), self.cliques.__getitem__):
            table = count(clique).reshape(self.domain.shape(clique))
            found += [self._score(candidate, table) for candidate in candidates]
        return _bounded(found)

    def _score(self, candidate: int, table: NDArray[np.int64]) -> int:
        child = self.children[candidate]
        joint = np.moveaxis(table, self.cliques[candidate].index(child), -1)
        spread = joint.sum(axis=-1, keepdims=True) * self.weights[child]
        return int(np.abs(self.resolution * joint - spread).sum()) - self.costs[candidate]


@dataclass(frozen=True, kw_only=True)
class ValuesQuery:
    """Which values of an open column do enough units hold? See ``TableSource.values``.

    Args:
        column: an open column of ``domain``.
        domain: the codes that a column may hold before its values are known.
    """

    column: str
    domain: Domain

    def __post_init__(self) -> None:
        _check_clique((self.column,), self.domain)

    @property
    def label(self) -> str:
        """Public name of the query: the column's name only."""
        return f"values({self.column})"

    def l2_sensitivity_squared(self, unit: PrivacyUnit) -> Fraction:
        """A unit is counted once a value, whatever its rows, and has one value a row at most."""
        return _rows_moved(unit)

    def max_new(self, unit: PrivacyUnit) -> Fraction:
        """Worst where all rows of a unit hold values of their own that nobody else has."""
        return _rows_moved(unit)


@dataclass(frozen=True, kw_only=True)
class Discovery:
    """Values that enough units hold, as far as the noise lets tell.

    Attributes:
        query: what was asked.
        values: text, sorted, each once.
        units: shape ``(values,)``, int64: noisy units that hold each value.
        event: how they were selected.
        entry: index of the ledger entry that paid for it.
    """

    query: ValuesQuery
    values: tuple[str, ...]
    units: NDArray[np.int64]
    event: PartitionSelectionEvent
    entry: int


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A noisy answer: the only thing that crosses from the rows to a model.

    Attributes:
        query: what was asked.
        values: shape ``(cells,)``, int64, row-major over ``query.clique``; may be negative.
        event: how the answer was made noisy.
        entry: index of the ledger entry that paid for it.
    """

    query: MarginalQuery
    values: NDArray[np.int64]
    event: DiscreteGaussianEvent | DiscreteLaplaceEvent
    entry: int

    @property
    def clique(self) -> tuple[str, ...]:
        """The columns that were counted."""
        return self.query.clique

    @property
    def stddev(self) -> float:
        """Standard deviation of the noise in one cell, in rows (an upper bound, tight above 1)."""
        if isinstance(self.event, DiscreteLaplaceEvent):
            return sqrt(2) * float(self.event.scale)
        return sqrt(self.event.sigma_squared)


def _check_clique(clique: tuple[str, ...], domain: Domain) -> None:
    if not clique or len(set(clique)) != len(clique):
        raise ValueError("a clique must name at least one column, each once")
    for name in clique:
        if name not in domain.sizes:
            raise KeyError(f"not in the domain: {name!r}")
