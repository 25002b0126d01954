"""The noise and the choices that a synthesizer gets, against the law of what was charged.

The other side of the tests at frozen inputs: there a mechanism is asked directly, here a whole
synthesizer is fitted many times to one table, and what reached it is held beside the exact answer.
Whatever lies between the mechanism and the synthesizer is then on trial too.

Noise that is wider than charged is no fault. Neither is what anybody may do to a noisy answer, such
as cutting it off at zero: where that could matter, only the part of the noise above zero is used.
"""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from math import log, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from attacks.conformance.checks import FALSE_ALARM
from attacks.conformance.scores import exact_scores
from attacks.conformance.trial import ROWS, Alarm, Fits, Trial
from attacks.stats.laws import GaussianLaw, LaplaceLaw, Law, softmax

if TYPE_CHECKING:
    from dpsynth.testing.listening import Heard

NOISE, INDEPENDENCE, BATCHES, SELECTION = "noise", "independence", "batches", "selection"
_TESTS = 16  # of one trial, at most
_TAIL = log(_TESTS / FALSE_ALARM)
_FAR = 6.0  # standard deviations above zero, from where on no cut at zero is ever seen
_TILTS = np.logspace(-3, 1.5, 200)
_NO_NOISE = 1e-6  # of a mean energy: the law is all but certain to add none
_LEAST = 30  # values below which nothing is said

Array = NDArray[np.float64]


def audit(trial: Trial) -> list[Alarm]:
    """Return what is wrong with the noise or the choices that reached the synthesizer."""
    fits = trial.fitted
    return [*_noise(fits), *_steps(fits), *_batches(fits, units=ROWS), *_choices(fits)]


def _noise(fits: Fits) -> list[Alarm]:
    """Too little noise, off the grid of whole numbers, or not fresh in every cell."""
    alarms = []
    calls = [list(_noisy(heard)) for heard in fits.heard]
    every = [call for fit in calls for call in fit]
    if any(not np.issubdtype(released.dtype, np.integer) for *_, released in every):
        alarms.append(Alarm(component=NOISE, sentence="an answer was released that is not whole"))
    groups = {"all answers": every}
    for call in every:
        groups.setdefault(call[0], []).append(call)
    for what, calls_of in groups.items():
        for above in (False, True):
            if _too_narrow(calls_of, above=above, among=2 * len(groups)):
                where = "answers of few rows" if above else "answers"
                sentence = f"{where} hold less noise than was charged ({what})"
                alarms.append(Alarm(component=NOISE, sentence=sentence))
    if _narrow_cells(every):
        sentence = "a cell held less noise than was charged whenever it was asked for"
        alarms.append(Alarm(component=NOISE, sentence=sentence))
    alarms += _dependent([[released - exact for *_, exact, released in fit] for fit in calls])
    return alarms


Call = tuple[str, Law, NDArray[np.int64], NDArray[Any]]  # question, law, exact, released


def _noisy(heard: "Heard") -> Iterator[Call]:
    """Yield every noisy vector of one fit."""
    for each in heard.answered:
        law = _law(each.charged)
        if law is not None and each.exact.size:
            yield each.what, law, each.exact, each.released
    for scored in heard.scored:
        law = _law(scored.charged)
        if law is not None and scored.released is not None:
            yield "scores", law, exact_scores(scored), scored.released


def _law(charged: Mapping[str, str] | None) -> Law | None:
    """Return the law of an event's noise; None where only what is large enough is released."""
    event = charged or {}
    if event.get("kind") == "discrete_gaussian/v1":
        return GaussianLaw(sigma_squared=Fraction(event["sigma_squared"]))
    if event.get("kind") == "discrete_laplace/v1":
        return LaplaceLaw(scale=Fraction(event["scale"]))
    return None


def _too_narrow(calls: Sequence[Call], *, above: bool, among: int) -> bool:
    """Whether the energies of all draws together, each over its mean, are too small to be chance.

    Chernoff's bound with the exact moment generating functions, at any number of draws. Where
    ``above`` is set, of the cells near zero the energy of noise above zero; else of the others all.
    """
    total, count = 0.0, 0
    sizes: dict[Law, int] = {}
    for _, law, exact, released in calls:
        mean = law.moments()[0]
        if mean <= _NO_NOISE:
            continue
        far = exact >= _FAR * _width(law)
        noise = (released - exact)[~far if above else far].astype(np.float64)
        total += float(law.energy(np.maximum(noise, 0) if above else noise).sum()) / mean
        sizes[law] = sizes.get(law, 0) + noise.size
        count += noise.size
    log_moments = np.zeros(_TILTS.size)
    for law, size in sizes.items():
        log_moments += size * _log_moment(law, _TILTS / law.moments()[0], above=above)
    return count >= _LEAST and total < _least_total(log_moments, among=among)


def _narrow_cells(calls: Sequence[Call]) -> bool:
    """Whether any single cell, of a vector that came out often, gets too little noise by itself.

    What is done to few cells alone, as to small counts or to empty ones, is lost among the others.
    """
    asked: dict[tuple[str, Law, bytes], list[Call]] = {}
    for call in calls:
        asked.setdefault((call[0], call[1], call[2].tobytes()), []).append(call)
    often = [each for each in asked.values() if len(each) >= _LEAST]
    cells = sum(each[0][2].size for each in often)
    for same in often:
        _, law, exact, _ = same[0]
        mean = law.moments()[0]
        if mean <= _NO_NOISE:
            continue
        noise = np.array([released for *_, released in same], dtype=np.float64) - exact
        far = exact >= _FAR * _width(law)
        total = law.energy(np.where(far, noise, np.maximum(noise, 0))).sum(axis=0) / mean
        tilts = _TILTS / mean
        for above in (False, True):
            least = _least_total(len(same) * _log_moment(law, tilts, above=above), among=cells)
            if (total[far != above] < least).any():
                return True
    return False


def _least_total(log_moments: Array, *, among: int) -> float:
    """Return what a sum of energies over their means stays below as seldom as is tolerated.

    Chernoff's bound: ``P(total <= t) <= E exp(tilt * (t - total))``, at any tilt.
    """
    return float(np.max((-_TAIL - log(among) - log_moments) / _TILTS))


def _width(law: Law) -> float:
    """Return about the standard deviation."""
    mean = law.moments()[0]
    return sqrt(mean) if isinstance(law, GaussianLaw) else 1.5 * mean


def _log_moment(law: Law, tilts: Array, *, above: bool) -> Array:
    """Return ``log E exp(-tilt * energy)``, of the noise or of its part above zero."""
    start = law.log_normalizer(np.array(law.rate))
    whole = law.log_normalizer(law.rate + tilts) - start
    if not above:
        return whole
    zero = float(np.exp(-start))  # chance of no noise
    return np.asarray(np.log((1 + zero) / 2 + (np.exp(whole) - zero) / 2))


def _dependent(fits: list[list[Array]]) -> list[Alarm]:
    """Signs of symmetric, independent noise agree as often as not: Hoeffding's inequality."""
    cells = [np.sign(noise[1:]) * np.sign(noise[:-1]) for fit in fits for noise in fit]
    calls = [_agreement(first, second) for fit in fits for first, second in pairwise(fit)]
    runs = [
        _agreement(first, second)
        for one, other in pairwise(fits)
        for first, second in zip(one, other, strict=False)
    ]
    named = {"of neighboring cells": cells, "of different answers": calls, "of other fits": runs}
    alarms = []
    for where, products in named.items():
        joined = np.concatenate([np.zeros(0), *products])
        if joined.size >= _LEAST and abs(joined.sum()) > sqrt(2 * joined.size * _TAIL):
            sentence = f"the noise {where} hangs together"
            alarms.append(Alarm(component=INDEPENDENCE, sentence=sentence))
    return alarms


def _agreement(first: Array, second: Array) -> Array:
    size = min(first.size, second.size)
    return np.asarray(np.sign(first[:size]) * np.sign(second[:size]), dtype=np.float64)


def _steps(fits: Fits) -> list[Alarm]:
    """Too little noise in any number that a training releases, beside the exact clipped sums."""
    noise = []
    for heard, tape in zip(fits.heard, fits.tapes, strict=True):
        exact = [reading.sums for reading in tape if reading.sums is not None]
        noise += [
            (step.released - sums) / float(Fraction((step.charged or {})["noise_multiplier"]))
            for step, sums in zip(heard.trained, exact, strict=False)
            if step.charged
        ]
    if not noise or len({each.size for each in noise}) > 1:
        return []
    table = np.array(noise)  # steps by numbers, standard normal if all is well
    alarms = []
    # Of chi-square: P(mean of squares <= x) <= exp(-n (x - 1 - log x) / 2) for x below 1.
    energy = float((table**2).mean())
    if _chance_below(energy, table.size) < 0:
        alarms.append(Alarm(component=NOISE, sentence="steps hold less noise than was charged"))
    each = (table**2).mean(axis=0)
    if any(_chance_below(float(x), len(table), among=each.size) < 0 for x in each):
        sentence = "a number of a training's steps holds less noise than was charged"
        alarms.append(Alarm(component=NOISE, sentence=sentence))
    return alarms + _dependent([list(table)])


def _batches(fits: Fits, *, units: int) -> list[Alarm]:
    """Units in a training's batches more often than was charged, or not each by its own coin."""
    steps = [step for heard in fits.heard for step in heard.trained if step.charged]
    if not steps:
        return []
    rates = np.array([float(Fraction((step.charged or {})["rate"])) for step in steps])
    apart = np.array([step.units for step in steps]) - units * rates
    variances = units * rates * (1 - rates)
    alarms = []
    # Bernstein's inequality.
    if apart.sum() > sqrt(2 * variances.sum() * _TAIL) + 2 * _TAIL / 3:
        sentence = "units were drawn into batches more often than was charged"
        alarms.append(Alarm(component=BATCHES, sentence=sentence))
    # Sizes of hundreds of coins are all but normal; whole epochs cut to size are too much alike.
    wide = variances >= _LEAST
    energy = float((apart[wide] ** 2 / variances[wide]).sum()) / max(int(wide.sum()), 1)
    if wide.any() and _chance_below(energy, int(wide.sum())) < 0:
        sentence = "the sizes of batches are more alike than those of independent coins"
        alarms.append(Alarm(component=BATCHES, sentence=sentence))
    return alarms


def _chance_below(mean: float, size: int, *, among: int = 1) -> float:
    """Return the logarithm by which a small mean of squares is likelier than is tolerated."""
    if mean >= 1:
        return 1.0
    return _TAIL + log(among) - size * (max(mean, 1e-300) - 1 - log(max(mean, 1e-300))) / 2


def _choices(fits: Fits) -> list[Alarm]:
    """Choices that fall on high scores more often than the charged epsilon lets them."""
    gained, variance, widest = 0.0, 0.0, 0.0
    for heard in fits.heard:
        for scored in heard.scored:
            if not scored.picks or scored.charged is None:
                continue
            rate = Fraction(scored.charged.get("epsilon", 0)) / (2 * scored.sensitivity)
            exponents = (exact_scores(scored) - exact_scores(scored).max()) * float(rate)
            for allowed, chosen in scored.picks:
                if chosen not in allowed:
                    sentence = "something was chosen that was not to be chosen from"
                    return [Alarm(component=SELECTION, sentence=sentence)]
                held = exponents[list(allowed)]
                chances = softmax(held)
                mean = float(chances @ held)
                gained += float(exponents[chosen]) - mean
                variance += float(chances @ (held - mean) ** 2)
                widest = max(widest, float(held.max()) - mean)
    # Bernstein's inequality.
    limit = sqrt(2 * variance * _TAIL) + 2 * widest * _TAIL / 3
    if gained > limit:
        sentence = "high scores were chosen more often than the charged epsilon allows"
        return [Alarm(component=SELECTION, sentence=sentence)]
    return []
