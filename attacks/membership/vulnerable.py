"""Who would be found first: persons whom few others resemble."""

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence
from attacks.engine.table import CodedTable
from attacks.membership import close

NEIGHBORS = 5  # of Achilles' heels


def isolation(evidence: Evidence, targets: CodedTable) -> NDArray[np.float64]:
    """Return for each target the mean distance to the closest records of other persons.

    Others are all other targets and the population sample. Neither the release nor who was a
    member has a part in it, so the most isolated may be chosen before anything is tested.

    Args:
        evidence: ``population`` may be empty.
        targets: persons to be compared.

    Returns:
        Shape ``(persons,)``, in columns: the mean over the person's rows of the mean distance to
        the ``NEIGHBORS`` closest rows of others. Where there are fewer others, as many as there
        are; the number of columns where there are none.

    Source:
        Meeus et al. (2023), "Achilles' Heels: Vulnerable Record Identification in Synthetic Data
        Publishing", arXiv:2306.10308.
    """
    return evidence.once(("isolation", targets), lambda: _isolation(evidence, targets))


def most_isolated(isolated: NDArray[np.float64], *, share: float) -> NDArray[np.bool_]:
    """Return which persons are the most isolated ``share``, at least one, ties by number."""
    chosen = np.zeros(isolated.size, dtype=np.bool_)
    count = max(1, int(share * isolated.size))
    chosen[np.argsort(-isolated, kind="stable")[:count]] = True
    return chosen


def _isolation(evidence: Evidence, targets: CodedTable) -> NDArray[np.float64]:
    found = [close.among_others(targets, close.columns_of(evidence), k=NEIGHBORS).distance]
    if len(evidence.population):
        found.append(close.in_population(evidence, targets).targets.distance)
    distance = np.sort(np.concatenate(found, axis=1), axis=1)[:, :NEIGHBORS].astype(np.float64)
    there = np.isfinite(distance)
    count = there.sum(axis=1)
    sums = np.where(there, distance, 0.0).sum(axis=1)
    mean = np.where(count > 0, sums / np.maximum(count, 1), len(evidence.release.columns))
    return targets.mean_by_person(mean)
