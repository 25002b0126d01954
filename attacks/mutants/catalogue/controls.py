"""Correct mechanisms, and changes of them that harm nobody: no audit may complain."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from attacks.mutants.base import Control, patches, untouched

_GAUSSIAN = "dpsynth.privacy.mechanisms:DiscreteGaussian.release"
_LAPLACE = "dpsynth.privacy.mechanisms:DiscreteLaplace.release"
_SELECT = "dpsynth.privacy.mechanisms:ExponentialSelection.select"
_MEASURE = "dpsynth.privacy.curator:Curator.measure"


def _wider(original: Any) -> Any:
    def release(self: Any, counts: Any, *, rng: Any) -> Any:
        wider = type(self)(sigma_squared=self.sigma_squared * Fraction(3, 2))
        return original(wider, counts, rng=rng)

    return release


def _wider_laplace(original: Any) -> Any:
    def release(self: Any, counts: Any, *, rng: Any) -> Any:
        return original(type(self)(scale=self.scale * Fraction(5, 4)), counts, rng=rng)

    return release


def _flatter(original: Any) -> Any:
    def select(self: Any, scores: Any, *, sensitivity: Any, rng: Any) -> int:
        return int(original(self, scores, sensitivity=2 * Fraction(sensitivity), rng=rng))

    return select


def _cell_by_cell(original: Any) -> Any:
    """Draw for one cell after the other, from the last to the first."""

    def release(self: Any, counts: Any, *, rng: Any) -> Any:
        zero = np.zeros(counts.size, dtype=np.int64)
        return counts + original(self, zero, rng=rng)[::-1]

    return release


def _gumbel(_: Any) -> Any:
    """Select by the largest of noisy scores: the same law."""

    def select(self: Any, scores: Any, *, sensitivity: Any, rng: Any) -> int:
        rate = float(self.epsilon / (2 * Fraction(sensitivity)))
        uniform = ((rng.words(scores.size) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
        noisy = rate * (scores - scores.max()) - np.log(-np.log(uniform))
        return int(np.argmax(noisy))

    return select


def _cut_at_zero(original: Any) -> Any:
    def measure(self: Any, queries: Any, mechanism: Any, *, labels: Any = None) -> Any:
        answers = original(self, queries, mechanism, labels=labels)
        return tuple(replace(each, values=np.maximum(each.values, 0)) for each in answers)

    return measure


def _each_alone(original: Any) -> Any:
    """Charge, read and release one table after the other."""

    def measure(self: Any, queries: Any, mechanism: Any, *, labels: Any = None) -> Any:
        names = [None] * len(queries) if labels is None else [[label] for label in labels]
        return tuple(
            answer
            for query, name in zip(queries, names, strict=True)
            for answer in original(self, [query], mechanism, labels=name)
        )

    return measure


def _other_generator(_: Any) -> Any:
    """Make reproducible words by another generator."""

    def init(self: Any, seed: int) -> None:
        self._bits = np.random.PCG64(seed + 99)

    return init


CONTROLS = (
    Control(
        name="independent-as-it-is",
        sentence="Noisy histograms, each of its own column.",
        subject="independent",
        patch=untouched,
    ),
    Control(
        name="pure-independent-with-wider-noise",
        sentence="Laplace noise is a quarter wider than charged.",
        subject="independent without a delta",
        patch=patches((_LAPLACE, _wider_laplace)),
    ),
    Control(
        name="mst-of-open-columns-as-it-is",
        sentence="Values and bins are learnt, then histograms, selections and pairs.",
        subject="mst of open columns",
        dear=True,
        patch=untouched,
    ),
    Control(
        name="mst-with-wider-noise",
        sentence="Gaussian noise has one and a half times the variance that is charged.",
        subject="mst",
        patch=patches((_GAUSSIAN, _wider)),
    ),
    Control(
        name="mst-with-flatter-choices",
        sentence="Selections spend half of the epsilon that is charged.",
        subject="mst",
        patch=patches((_SELECT, _flatter)),
    ),
    Control(
        name="mst-with-gumbel-choices",
        sentence="Selections take the largest of scores with Gumbel noise, which is the same law.",
        subject="mst of rows",
        patch=patches((_SELECT, _gumbel)),
    ),
    Control(
        name="aim-cut-at-zero",
        sentence="Answers below zero come out as zero.",
        subject="aim",
        dear=True,
        patch=patches((_MEASURE, _cut_at_zero)),
    ),
    Control(
        name="auto-with-another-generator",
        sentence="Seeded words come from another generator.",
        subject="auto",
        dear=True,
        patch=patches(("dpsynth.privacy.randomness:SeededRandom.__init__", _other_generator)),
    ),
    Control(
        name="privbayes-drawn-backward",
        sentence="The noise of a table is put on its cells from the last to the first.",
        subject="privbayes",
        patch=patches((_GAUSSIAN, _cell_by_cell)),
    ),
    Control(
        name="pure-privbayes-table-by-table",
        sentence="Tables that are asked for together are charged and read one by one.",
        subject="privbayes without a delta",
        dear=True,
        patch=patches((_MEASURE, _each_alone)),
    ),
    Control(
        name="made-as-it-is",
        sentence="A network is trained.",
        subject="made",
        dear=True,
        patch=untouched,
    ),
)
