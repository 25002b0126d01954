"""Nearest-record distances: a smoke test of memorization, which is shown and decides nothing.

A release that copies is closer to its members than to others; one that does not may still tell
who was a member, and distances of a private release move with nothing but the size of the table.
They never enter a verdict.
"""

import numpy as np

from attacks.audit_set import AuditSet
from attacks.base import Evidence
from attacks.engine.distances import closest_in, space
from attacks.observed import Figure

_MOST = 1000  # rows of each side that are looked up
_SHARES = ((0.05, "5 % closest"), (0.5, "half"))


def distances(evidence: Evidence, persons: AuditSet) -> tuple[Figure, ...]:
    """Return how far the closest released record is, for members and for controls.

    Args:
        evidence: the release.
        persons: the attacked, and their labels.

    Returns:
        For each side the distance within which the closest twentieth, and half, of the records
        have a released one, in columns that differ; nothing for an empty release.
    """
    release = evidence.release
    within = space(evidence.sizes, evidence.ordered, release.columns, missing=evidence.missing)
    figures = []
    for group, side in (("members", persons.is_member), ("controls", ~persons.is_member)):
        chosen = np.flatnonzero(side)[:_MOST]
        if not chosen.size or not len(release):
            continue
        rows = persons.stage.one_row.codes[chosen]
        found = closest_in(rows, release, within, k=1).distance[:, 0]
        figures += [
            Figure(
                name=f"distance to the closest released record, {said}",
                value=round(float(np.quantile(found, share)), 6),
                group=group,
            )
            for share, said in _SHARES
        ]
    return tuple(figures)
