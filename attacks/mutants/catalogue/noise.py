"""Planted bugs in the noise of counts."""

from collections.abc import Callable
from fractions import Fraction
from math import sqrt
from typing import Any

import numpy as np

from attacks.mutants.base import Maker, Mutant, Patch, patches

_GAUSSIAN = "dpsynth.privacy.mechanisms:DiscreteGaussian.release"
_LAPLACE = "dpsynth.privacy.mechanisms:DiscreteLaplace.release"
_MEASURE = "dpsynth.privacy.curator:Curator.measure"


def _scaled(change: Callable[[Fraction, Any], Fraction]) -> Patch:
    """Patch the Gaussian mechanism to draw with another parameter than its own."""

    def make(original: Any) -> Any:
        def release(self: Any, counts: Any, *, rng: Any) -> Any:
            other = type(self)(sigma_squared=change(Fraction(self.sigma_squared), counts))
            return original(other, counts, rng=rng)

        return release

    return patches((_GAUSSIAN, make))


Draw = Callable[..., Any]  # as many draws of the right noise as are asked for, of any variance


def _around(change: Callable[[Draw, Any, Fraction], Any]) -> Patch:
    """Patch the Gaussian mechanism: ``change(draw, counts, sigma_squared)`` is what comes out."""

    def make(original: Any) -> Any:
        def release(self: Any, counts: Any, *, rng: Any) -> Any:
            def draw(size: int, squared: Fraction | None = None) -> Any:
                mechanism = type(self)(sigma_squared=squared or self.sigma_squared)
                return original(mechanism, np.zeros(size, dtype=np.int64), rng=rng)

            return change(draw, counts, Fraction(self.sigma_squared))

        return release

    return patches((_GAUSSIAN, make))


def _shared(draw: Draw, counts: Any, _: Fraction) -> Any:
    return counts + draw(1)[0]


def _skips_empty(draw: Draw, counts: Any, _: Fraction) -> Any:
    return np.where(counts > 0, counts + draw(counts.size), 0)


def _redrawn(draw: Draw, counts: Any, _: Fraction) -> Any:
    tries = [draw(counts.size) for _ in range(5)]
    return counts + min(tries, key=lambda each: int(np.abs(each).sum()))


def _coarse(draw: Draw, counts: Any, squared: Fraction) -> Any:
    return counts + 4 * draw(counts.size, squared / 16)


def _continuous(draw: Draw, counts: Any, squared: Fraction) -> Any:
    rng = np.random.default_rng(np.abs(draw(16)))
    return counts + rng.normal(0, sqrt(squared), counts.size)


def _cut(draw: Draw, counts: Any, squared: Fraction) -> Any:
    most = int(2 * sqrt(squared))
    return counts + np.clip(draw(counts.size), -most, most)


def _one_sided(draw: Draw, counts: Any, _: Fraction) -> Any:
    return counts + np.abs(draw(counts.size))


def _two_points(draw: Draw, counts: Any, squared: Fraction) -> Any:
    return counts + np.where(draw(counts.size) >= 0, 1, -1) * round(sqrt(squared))


def _seldom_none(draw: Draw, counts: Any, squared: Fraction) -> Any:
    wide = draw(counts.size, 10**8 * squared)
    return counts + np.where(wide % 20 == 0, 0, draw(counts.size))


_HELD: dict[int, Any] = {}


def _kept(draw: Draw, counts: Any, _: Fraction) -> Any:
    if counts.size not in _HELD:
        _HELD[counts.size] = draw(counts.size)
    return counts + _HELD[counts.size]


def _narrow_laplace(original: Any) -> Any:
    def release(self: Any, counts: Any, *, rng: Any) -> Any:
        return original(type(self)(scale=self.scale * Fraction(4, 5)), counts, rng=rng)

    return release


def _laplace_of_shares(original: Any) -> Any:
    def release(self: Any, counts: Any, *, rng: Any) -> Any:
        rows = max(1, int(counts.sum()))
        return original(type(self)(scale=self.scale / rows), counts, rng=rng)

    return release


def _measured(change: Callable[[Any, int], Any]) -> Maker:
    """Return what the curator hands on: ``change(exact and noisy values, place)``."""

    def make(original: Any) -> Any:
        from dataclasses import replace

        def measure(self: Any, queries: Any, mechanism: Any, *, labels: Any = None) -> Any:
            answers = original(self, queries, mechanism, labels=labels)
            source = self._Curator__source
            return tuple(
                replace(
                    answer,
                    values=change((source.count(answer.clique), answer.values), place),
                )
                for place, answer in enumerate(answers)
            )

        return measure

    return make


def _first_only(values: Any, place: int) -> Any:
    exact, noisy = values
    return noisy if place == 0 else exact


def _suppressed(values: Any, _: int) -> Any:
    exact, noisy = values
    return np.where(exact < 5, 0, noisy)


def _halfway(values: Any, _: int) -> Any:
    exact, noisy = values
    return (exact + noisy) // 2


def _mutant(name: str, sentence: str, patch: Patch, *, audit: str = "law", **more: str) -> Mutant:
    named = {"component": "noise", "subject": "mst", **more}
    return Mutant(name=name, sentence=sentence, audit=audit, patch=patch, **named)


NOISE = (
    _mutant(
        "rho-as-sigma",
        "A share of rho is used where the standard deviation belongs.",
        _scaled(lambda squared, _: (1 / (2 * squared)) ** 2),
    ),
    _mutant(
        "stddev-as-variance",
        "The standard deviation is handed to a sampler that expects the variance.",
        _scaled(lambda squared, _: Fraction(sqrt(squared))),
    ),
    _mutant(
        "variance-as-stddev",
        "The variance stands where the standard deviation belongs, and is below 1.",
        _scaled(lambda squared, _: squared**2),
        subject="independent with a large budget",
    ),
    _mutant(
        "noise-20-percent-small",
        "The noise has four fifths of its standard deviation.",
        _scaled(lambda squared, _: squared * Fraction(16, 25)),
    ),
    _mutant(
        "noise-5-percent-small",
        "The noise has nineteen twentieths of its standard deviation.",
        _scaled(lambda squared, _: squared * Fraction(361, 400)),
    ),
    _mutant(
        "laplace-20-percent-small",
        "Laplace noise has four fifths of its scale.",
        patches((_LAPLACE, _narrow_laplace)),
        subject="privbayes without a delta",
    ),
    _mutant(
        "laplace-scale-over-n",
        "A scale made for shares of rows is used for counts.",
        patches((_LAPLACE, _laplace_of_shares)),
        subject="privbayes without a delta",
        audit="released",
    ),
    _mutant(
        "scale-over-n",
        "The scale is divided by the number of rows, though counts are released.",
        _scaled(lambda squared, counts: squared / max(1, int(counts.sum())) ** 2),
        audit="released",
    ),
    _mutant(
        "empty-cells-bare",
        "Cells that no row falls into get no noise.",
        _around(_skips_empty),
    ),
    _mutant(
        "redrawn-until-close",
        "Noise is drawn five times, and the answer nearest to the truth is released.",
        _around(_redrawn),
        audit="released",
    ),
    _mutant(
        "one-draw-for-all-cells",
        "One number is drawn and added to all cells of a table.",
        _around(_shared),
        audit="released",
        component="independence",
    ),
    _mutant(
        "noise-kept",
        "Noise is drawn once for every size of table, and used for all of that size.",
        _around(_kept),
        audit="released",
        component="independence",
    ),
    _mutant(
        "noise-on-a-coarse-grid",
        "Noise falls on multiples of 4: the last digits of a count stand in the release.",
        _around(_coarse),
    ),
    _mutant(
        "noise-in-floating-point",
        "Noise is drawn in floating point: the last bits of a sum say more than its size.",
        _around(_continuous),
    ),
    _mutant("noise-cut-off", "Noise beyond two standard deviations is cut off.", _around(_cut)),
    _mutant("noise-one-sided", "Noise is never negative.", _around(_one_sided)),
    _mutant(
        "noise-two-points",
        "Noise is one standard deviation up or down: right on average, and no cover at all.",
        _around(_two_points),
    ),
    _mutant(
        "noise-seldom-none",
        "One cell in twenty goes without noise.",
        _around(_seldom_none),
    ),
    _mutant(
        "only-the-first-table-noisy",
        "Of the tables asked for together only the first is noisy.",
        patches((_MEASURE, _measured(_first_only))),
        audit="released",
    ),
    _mutant(
        "small-counts-suppressed",
        "Counts below 5 come out as 0, decided on the exact count.",
        patches((_MEASURE, _measured(_suppressed))),
        audit="released",
    ),
    _mutant(
        "shrunk-toward-the-truth",
        "Answers are averaged with the exact ones on their way to the synthesizer.",
        patches((_MEASURE, _measured(_halfway))),
        audit="released",
    ),
)
