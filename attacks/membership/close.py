"""Who is close to whom: one pass over release and population, shared by the attacks that ask."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence
from attacks.engine.distances import Neighbors, Space, closest, closest_in, space
from attacks.engine.table import CodedTable

NEAREST = 32  # neighbors kept of each row; the density attacks sum over them
OWN_ROWS = 64  # rows of one person that are looked past, at most, for those of others


@dataclass(frozen=True, kw_only=True)
class Close:
    """The closest rows of one table, for the rows of the targets and of the population.

    Args:
        targets: of each row of the targets.
        population: of each row of the population sample; never a row of the same person.
    """

    targets: Neighbors
    population: Neighbors


def in_release(evidence: Evidence, targets: CodedTable) -> Close:
    """Return the closest released rows, at most ``NEAREST`` of each, found once an audit."""
    return evidence.once(("close in release", targets), partial(_in_release, evidence, targets))


def in_population(evidence: Evidence, targets: CodedTable) -> Close:
    """Return the closest rows of the population sample, at most ``NEAREST`` of each."""
    return evidence.once(
        ("close in population", targets), partial(_in_population, evidence, targets)
    )


def columns_of(evidence: Evidence) -> Space:
    """Return the space of all modeled columns."""
    return space(
        evidence.sizes, evidence.ordered, evidence.release.columns, missing=evidence.missing
    )


def among_others(table: CodedTable, within: Space, *, k: int) -> Neighbors:
    """Return for every row the ``k`` closest rows of other persons in the same table.

    A person with more than ``OWN_ROWS`` rows may be given fewer: the rest are infinitely far.
    """
    most = int(np.bincount(table.persons).max(initial=0))
    found = closest(table.codes, table.codes, within, k=k + min(most, OWN_ROWS))
    own = owned(found.index, by=table.persons, rows=table.persons)
    taken = np.argsort(own, axis=1, kind="stable")[:, :k]
    own = np.take_along_axis(own, taken, axis=1)
    distance = np.take_along_axis(found.distance, taken, axis=1)
    index = np.take_along_axis(found.index, taken, axis=1)
    distance[own], index[own] = np.inf, -1
    return Neighbors(distance=distance, index=index)


def owned(
    index: NDArray[np.int64], *, by: NDArray[np.int64], rows: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return where a neighbor is a row of the very person.

    Args:
        index: shape ``(n, ...)``, numbers of rows; -1 for none.
        by: shape ``(n,)``, persons.
        rows: the person of each row that ``index`` counts.
    """
    if not rows.size:
        return np.zeros(index.shape, dtype=np.bool_)
    persons = by.reshape((-1,) + (1,) * (index.ndim - 1))
    return np.asarray((rows[index] == persons) & (index >= 0))


def _in_release(evidence: Evidence, targets: CodedTable) -> Close:
    both = np.concatenate([targets.codes, evidence.population.codes])
    found = closest_in(both, evidence.release, columns_of(evidence), k=NEAREST)
    return Close(
        targets=_part(found, slice(0, len(targets))),
        population=_part(found, slice(len(targets), None)),
    )


def _in_population(evidence: Evidence, targets: CodedTable) -> Close:
    within = columns_of(evidence)
    return Close(
        targets=closest(targets.codes, evidence.population.codes, within, k=NEAREST),
        population=among_others(evidence.population, within, k=NEAREST),
    )


def _part(found: Neighbors, rows: slice) -> Neighbors:
    return Neighbors(distance=found.distance[rows], index=found.index[rows])
