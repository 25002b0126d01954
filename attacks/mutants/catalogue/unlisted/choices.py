"""Selections of tables and of values."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from attacks.mutants.base import Mutant
from attacks.mutants.catalogue.unlisted.tools import CURATOR, MECHANISMS
from attacks.mutants.planting import planted

_SELECT = f"{MECHANISMS}:ExponentialSelection.select"
_PARTITION = f"{MECHANISMS}:PartitionSelection.release"


def _positive_alone(original: Any) -> Any:
    def select(self: Any, scores: Any, *, sensitivity: Any, rng: Any) -> int:
        kept = np.flatnonzero(scores > 0)
        if not kept.size:
            kept = np.arange(scores.size)
        return int(kept[original(self, scores[kept], sensitivity=sensitivity, rng=rng)])

    return select


def _clear_lead(original: Any) -> Any:
    def select(self: Any, scores: Any, *, sensitivity: Any, rng: Any) -> int:
        if scores.size > 1:
            second, first = np.sort(scores)[-2:]
            if float(self.epsilon) * float(first - second) / (2 * float(sensitivity)) > 4:
                return int(scores.argmax())
        return int(original(self, scores, sensitivity=sensitivity, rng=rng))

    return select


def _by_spread(original: Any) -> Any:
    def select(self: Any, scores: Any, *, sensitivity: Any, rng: Any) -> int:
        spread = int(scores.max() - scores.min())
        smaller = min(Fraction(sensitivity), Fraction(spread or 1))
        return int(original(self, scores, sensitivity=smaller, rng=rng))

    return select


class _Tape:
    """Hands the same words out again."""

    seeded = True

    def __init__(self, rng: Any, held: list[Any]) -> None:
        self._rng, self._held, self._at = rng, held, 0

    def words(self, count: int) -> Any:
        if self._at == len(self._held):
            self._held.append(self._rng.words(count))
        found = self._held[self._at]
        self._at += 1
        return found if found.size == count else self._rng.words(count)


def _same_words(original: Any) -> Any:
    held: dict[int, tuple[Any, list[Any]]] = {}

    def select(self: Any, scores: Any, *, sensitivity: Any, rng: Any) -> int:
        _, words = held.setdefault(id(rng), (rng, []))
        return int(original(self, scores, sensitivity=sensitivity, rng=_Tape(rng, words)))

    return select


def _first_of_ties(original: Any) -> Any:
    def choose(scores: Any, *, rate: Any, rng: Any) -> int:
        chosen = scores[original(scores, rate=rate, rng=rng)]
        return int(np.flatnonzero(scores == chosen)[0])

    return choose


def _normalized(original: Any) -> Any:
    def scores(self: Any, distances: Any) -> Any:
        found = original(self, distances)
        return found * 1000 // max(int(np.abs(found).max()), 1)

    return scores


def _shares(original: Any) -> Any:
    def scores(self: Any, count: Any) -> Any:
        rows = int(count(self.cliques[0]).sum())
        found = original(self, count)
        return found * 1000 // max(rows, 1)

    return scores


def _held_by_none_left_out(original: Any) -> Any:
    """Candidates whose exact tables have an empty cell are no longer chosen."""

    def select(self: Any, query: Any, mechanism: Any, *, rounds: int, label: str) -> Any:
        counts = self._Curator__source.count_many(query.cliques)
        full = [bool(each.all()) for each in counts]
        if hasattr(query, "offsets") and any(full):
            lowered = tuple(
                offset if keep else offset - 10**12
                for offset, keep in zip(query.offsets, full, strict=True)
            )
            query = replace(query, offsets=lowered)
        return original(self, query, mechanism, rounds=rounds, label=label)

    return select


def _frequent_for_sure(original: Any) -> Any:
    def release(self: Any, counts: Any, *, rng: Any) -> Any:
        held, noisy = original(self, counts, rng=rng)
        sure = np.flatnonzero(counts >= self.threshold)
        kept = np.union1d(held, sure)
        values = counts[kept].copy()
        values[np.isin(kept, held)] = noisy
        return kept, values

    return release


def _one_lower(original: Any) -> Any:
    def release(self: Any, counts: Any, *, rng: Any) -> Any:
        lower = object.__new__(type(self))
        vars(lower).update(vars(self) | {"threshold": self.threshold - 1})
        return original(lower, counts, rng=rng)

    return release


def _true_beside_released(original: Any) -> Any:
    def release(self: Any, counts: Any, *, rng: Any) -> Any:
        held, _ = original(self, counts, rng=rng)
        return held, counts[held]

    return release


_OPEN = "mst of open columns"

UNLISTED_CHOICES: tuple[Mutant, ...] = (
    planted(
        "only-positive-scores",
        "Candidates whose score is not above 0 are never chosen.",
        "selection",
        "law",
        "aim",
        (_SELECT, _positive_alone),
    ),
    planted(
        "clear-lead-taken-outright",
        "A candidate far ahead is chosen without a draw.",
        "selection",
        "law",
        "mst",
        (_SELECT, _clear_lead),
    ),
    planted(
        "sensitivity-from-the-spread",
        "Scores closer than their sensitivity lower it.",
        "selection",
        "law",
        "mst",
        (_SELECT, _by_spread),
    ),
    planted(
        "rounds-share-their-words",
        "All choices of a fit are made with the same draws.",
        "selection",
        "law",
        "mst",
        (_SELECT, _same_words),
    ),
    planted(
        "ties-go-to-the-first",
        "Among equal scores the first is chosen.",
        "selection",
        "law",
        "mst",
        (f"{MECHANISMS}:exponential_choice", _first_of_ties),
    ),
    planted(
        "scores-normalized-by-the-largest",
        "Scores are divided by the largest of them.",
        "sensitivity",
        "neighbors",
        "mst",
        ("dpsynth.privacy.queries:MarginalErrorQuery.scores", _normalized),
    ),
    planted(
        "scores-per-row",
        "Scores are divided by the exact number of rows.",
        "sensitivity",
        "neighbors",
        "privbayes",
        ("dpsynth.privacy.queries:DependenceQuery.scores", _shares),
    ),
    planted(
        "tables-with-empty-cells-last",
        "Candidates with an empty cell are put last.",
        "charges",
        "neighbors",
        "mst",
        (f"{CURATOR}.select", _held_by_none_left_out),
    ),
    planted(
        "frequent-values-for-sure",
        "Values that enough units hold are released always.",
        "selection",
        "law",
        _OPEN,
        (_PARTITION, _frequent_for_sure),
    ),
    planted(
        "threshold-one-lower",
        "A value one below the threshold is released.",
        "selection",
        "law",
        _OPEN,
        (_PARTITION, _one_lower),
    ),
    planted(
        "exact-units-of-released-values",
        "Released values come with their exact counts.",
        "noise",
        "law",
        _OPEN,
        (_PARTITION, _true_beside_released),
    ),
)
