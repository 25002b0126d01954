"""Scores of candidates from exact counts, by the words of the queries' docstrings alone.

Written down a second time on purpose: what a selection is held against must not come from the code
that selects.
"""

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from dpsynth.testing.notes import Scored


def exact_scores(scored: "Scored") -> NDArray[np.int64]:
    """Return the score of every candidate, shape ``(candidates,)``, int64.

    Either the weighted L1 distance of counts from a reference, plus an offset; or how far a child
    is from not depending on its parents, less a cost.
    """
    query: Any = scored.query
    if hasattr(query, "references"):
        return np.array(
            [
                weight * int(np.abs(query.resolution * counts - reference).sum()) + offset
                for counts, reference, weight, offset in zip(
                    scored.tables, query.references, query.weights, query.offsets, strict=True
                )
            ],
            dtype=np.int64,
        )
    return np.array(
        [
            _dependence(query, clique, child, counts) - cost
            for clique, child, cost, counts in zip(
                query.cliques, query.children, query.costs, scored.tables, strict=True
            )
        ],
        dtype=np.int64,
    )


def _dependence(query: Any, clique: tuple[str, ...], child: str, counts: NDArray[np.int64]) -> int:
    table = counts.reshape([query.domain.sizes[name] for name in clique])
    place = clique.index(child)
    shape = [-1 if axis == place else 1 for axis in range(len(clique))]
    spread = table.sum(axis=place, keepdims=True) * query.weights[child].reshape(shape)
    return int(np.abs(query.resolution * table - spread).sum())


def as_documented(scored: "Scored") -> bool:
    """Whether the mechanism got these very scores, wherever it is known what it got."""
    scores = exact_scores(scored)
    asked = [list(allowed) for allowed, _ in scored.picks] or [list(range(scores.size))]
    return all(
        given is None or np.array_equal(given, scores[allowed])
        for allowed, given in zip(asked, scored.given, strict=False)
    )


def furthest(first: "Scored", second: "Scored") -> tuple[Fraction, Fraction]:
    """Return how far scores of the same questions moved between two worlds, and how far they may.

    In the norm of the mechanism: the largest of all moves against the declared sensitivity of one
    score, or where all are released the squared length against what was charged.
    """
    apart = exact_scores(first) - exact_scores(second)
    if first.released is not None:
        charged = first.charged or {}
        allowed = Fraction(charged.get("l2_sensitivity_squared", 0))
        return Fraction(sum(int(each) ** 2 for each in apart)), allowed
    return Fraction(int(np.abs(apart).max(initial=0))), Fraction(first.sensitivity)
