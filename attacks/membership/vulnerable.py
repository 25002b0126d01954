"""Who would be found first: persons whom few others resemble."""

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence
from attacks.engine.table import CodedTable
from attacks.membership import close
from attacks.observed import Figure
from attacks.stats import binomial, ranking

NEIGHBORS = 5  # of Achilles' heels
WORST = 0.1  # the most isolated tenth


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


def among_the_most_isolated(
    evidence: Evidence,
    targets: CodedTable,
    scores: NDArray[np.float64],
    threshold: float,
    is_member: NDArray[np.bool_],
) -> tuple[Figure, ...]:
    """Return what an attack that scores finds among the most isolated tenth of the targets.

    Args:
        evidence: what the attacker holds.
        targets: who was attacked.
        scores: shape ``(persons,)``.
        threshold: who scores above is suspected.
        is_member: shape ``(persons,)``; the harness alone has it.

    Returns:
        The area under the curve and the share suspected on either side, each with its interval;
        nothing where either side is empty. Whom to ask about follows
        from no label.
    """
    chosen = most_isolated(isolation(evidence, targets), share=WORST)
    mine, others = scores[chosen & is_member], scores[chosen & ~is_member]
    area = ranking.auc(members=mine, controls=others)
    if area is None:
        return ()
    low, high = ranking.auc_interval(members=mine, controls=others)
    figures = [
        Figure(
            name="area under the curve, most isolated tenth",
            value=area,
            low=low,
            high=high,
        )
    ]
    for group, side in (("members", mine), ("controls", others)):
        hits = int((side > threshold).sum())
        low, high = binomial.interval(hits=hits, trials=side.size)
        figures.append(
            Figure(
                name="suspected at 1 % false alarms, most isolated tenth",
                value=hits / side.size,
                low=low,
                high=high,
                group=group,
            )
        )
    return tuple(figures)


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
