"""Planted bugs in selections: of candidates by their scores, of values by their counts."""

from fractions import Fraction
from typing import Any

import numpy as np

from attacks.mutants.base import Mutant, Patch, patches

_SELECT = "dpsynth.privacy.mechanisms:ExponentialSelection.select"
_VALUES = "dpsynth.privacy.mechanisms:PartitionSelection.release"


def _argmax(_: Any) -> Any:
    return lambda self, scores, *, sensitivity, rng: int(np.argmax(scores))


def _twice(original: Any) -> Any:
    def select(self: Any, scores: Any, *, sensitivity: Any, rng: Any) -> int:
        return int(original(self, scores, sensitivity=Fraction(sensitivity) / 2, rng=rng))

    return select


def _permute_and_flip(_: Any) -> Any:
    def select(self: Any, scores: Any, *, sensitivity: Any, rng: Any) -> int:
        rate = float(self.epsilon / (2 * Fraction(sensitivity)))
        words = rng.words(2 * scores.size)
        uniform = (words >> np.uint64(11)) * 2.0**-53
        chances = np.exp(rate * (scores - scores.max()))
        for at in np.argsort(uniform[: scores.size]):
            if uniform[scores.size + at] < chances[at]:
                return int(at)
        return int(np.argmax(scores))

    return select


def _argmax_in_the_curator(original: Any) -> Any:
    """Let the mechanism be right, and not be asked."""

    def select(self: Any, query: Any, mechanism: Any, *, rounds: int, label: str) -> Any:
        made = original(self, query, mechanism, rounds=rounds, label=label)
        scores = query.scores(
            [
                query.distance(at, self._Curator__source.count(clique))
                for at, clique in enumerate(query.cliques)
            ]
        )
        made._Selection__pick = lambda allowed: int(allowed[np.argmax(scores[allowed])])
        return made

    return select


def _scores_bare(_: Any) -> Any:
    from dpsynth.privacy.ledger import Charge

    def score(self: Any, query: Any, mechanism: Any, *, label: str) -> Any:
        event = mechanism.event(l2_sensitivity_squared=query.l2_sensitivity_squared(self.unit))
        self.account.charge([Charge(event=event, label=label)])
        return self._Curator__scores(query)

    return score


def _all_values(original: Any) -> Any:
    def release(self: Any, counts: Any, *, rng: Any) -> Any:
        _, noisy = original(self, counts + 10**6, rng=rng)
        held = np.flatnonzero(counts > 0)
        return held, noisy - 10**6

    return release


def _exact_threshold(_: Any) -> Any:
    def release(self: Any, counts: Any, *, rng: Any) -> Any:
        from dpsynth.privacy.mechanisms import DiscreteGaussian

        held = np.flatnonzero(counts >= self.threshold)
        noisy = DiscreteGaussian(sigma_squared=self.sigma_squared).release(counts[held], rng=rng)
        return held, noisy

    return release


def _mutant(name: str, sentence: str, patch: Patch, **more: str) -> Mutant:
    named = {"component": "selection", "audit": "law", "subject": "mst", **more}
    return Mutant(name=name, sentence=sentence, patch=patch, **named)


SELECTION = (
    _mutant(
        "argmax",
        "The best candidate is chosen, without any noise.",
        patches((_SELECT, _argmax)),
    ),
    _mutant(
        "selection-factor-two",
        "The factor of two in the exponent of a selection is missing.",
        patches((_SELECT, _twice)),
    ),
    _mutant(
        "permute-and-flip",
        "Another selection is run than the one that is charged for.",
        patches((_SELECT, _permute_and_flip)),
    ),
    _mutant(
        "argmax-past-the-mechanism",
        "The curator looks the best candidate up and leaves the mechanism aside.",
        patches(("dpsynth.privacy.curator:Curator.select", _argmax_in_the_curator)),
        audit="released",
    ),
    _mutant(
        "scores-bare",
        "The scores of all candidates are charged for and released as they are.",
        patches(("dpsynth.privacy.curator:Curator.score", _scores_bare)),
        subject="auto",
        audit="released",
        component="noise",
    ),
    _mutant(
        "every-value-released",
        "Values of open columns are released however few persons hold them.",
        patches((_VALUES, _all_values)),
        subject="mst of open columns",
    ),
    _mutant(
        "threshold-on-the-exact-count",
        "Whether a value is released is decided before the noise is added.",
        patches((_VALUES, _exact_threshold)),
        subject="mst of open columns",
    ),
)
