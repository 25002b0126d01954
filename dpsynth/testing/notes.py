"""What a listening curator notes: questions, exact answers, and what was released of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import PrivacyUnit
from dpsynth.privacy.queries import DependenceQuery, MarginalErrorQuery

Query = MarginalErrorQuery | DependenceQuery


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """A question as it was put, so that it can be put again.

    Attributes:
        query: what was asked.
        mechanism: with which noise, or by which law of choice.
        unit: of the curator.
        event: what it should be charged as, as a document.
        together: the tables of counts that were asked for in one call, this one among them.
        place: which of these it is.
    """

    query: Any
    mechanism: Any
    unit: PrivacyUnit
    event: Mapping[str, str]
    together: tuple[Any, ...] = ()
    place: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Answered:
    """One vector of counts, exact and as released.

    Attributes:
        what: the question, in public names.
        charged: the event that was charged for it, as a document; None where nothing was.
        exact: shape ``(cells,)``, int64.
        released: shape ``(cells,)``, of whatever type the mechanism gave it.
        beside: the exact answer of another table to the same question, where there is one.
        asked: how it was asked.
        withheld: of values that were not released, the units that hold each, shape
            ``(values, 2)``: in this table and in the other.
    """

    what: str
    charged: Mapping[str, str] | None
    exact: NDArray[np.int64]
    released: NDArray[Any]
    beside: NDArray[np.int64] | None = None
    asked: Asked | None = None
    withheld: NDArray[np.int64] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """Scores of candidates, and what was released of them.

    Attributes:
        query: the candidates and public references.
        tables: for each clique of the query, its exact counts.
        sensitivity: how far one score moves, as the query says.
        charged: the event of each round, or of the release of all scores; None where not charged.
        picks: for each round that was used, the candidates allowed and the one chosen.
        given: for each of these rounds, or for the release of all scores, the scores of the allowed
            candidates as the mechanism got them; None where it did not get them at once.
        released: the noisy scores where all were released, else None.
        beside: the exact counts of another table, where there is one.
        asked: how it was asked.
    """

    query: Query
    tables: tuple[NDArray[np.int64], ...]
    sensitivity: Fraction
    charged: Mapping[str, str] | None
    picks: list[tuple[tuple[int, ...], int]] = field(default_factory=list)
    given: list[NDArray[np.int64] | None] = field(default_factory=list)
    released: NDArray[Any] | None = None
    beside: tuple[NDArray[np.int64], ...] | None = None
    asked: Asked | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """What one step of a training released; a recorder of the source holds the exact sums.

    Attributes:
        charged: the event that paid for all steps, as a document.
        released: the noisy sums of all parameters in a row, in units of the clip, float64.
        units: how many units were in the batch.
    """

    charged: Mapping[str, str] | None
    released: NDArray[np.float64]
    units: int
