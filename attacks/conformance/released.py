"""The noise and the choices that a synthesizer gets, against the law of what was charged.

The other side of the tests at frozen inputs: there a mechanism is asked directly, here a whole
synthesizer is fitted many times to one table, and what reached it is held beside the exact answer.
Whatever lies between the mechanism and the synthesizer is then on trial too.

Noise that is wider than charged is no fault. Neither is what anybody may do to a noisy answer, such
as cutting it off at zero: where that could matter, only the part of the noise above zero is used.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from attacks.conformance import tails, training
from attacks.conformance.checks import (
    FALSE_ALARM,
    TEST,
    Check,
    judged,
    witness,
)
from attacks.conformance.energy import LEAST, Call, chance_of_energy, least_cell, narrowness
from attacks.conformance.follows import ruled
from attacks.conformance.scores import exact_scores
from attacks.conformance.trial import ROWS, Fits, Trial
from attacks.stats.laws import GaussianLaw, LaplaceLaw, Law, law_document, softmax

if TYPE_CHECKING:
    from dpsynth.testing.listening import Heard

NOISE, INDEPENDENCE, SELECTION = "noise", "independence", "selection"
_TESTS = 16  # of one trial, at most
_LEVEL = FALSE_ALARM / _TESTS

Array = NDArray[np.float64]


def audit(trial: Trial) -> list[Check]:
    """Return how noise and choices that reached the synthesizer keep to what was charged."""
    fits = trial.fitted
    steps = [step for heard in fits.heard for step in heard.trained if step.charged]
    batches = training.taken(steps, units=ROWS, level=_LEVEL)
    return [*_noise(fits), *_steps(fits), *batches, *_choices(fits), *_as_charged(fits)]


def _as_charged(fits: Fits) -> list[Check]:
    """Hold the scale of every draw against the entries that paid for it."""
    dearer = [kind for heard in fits.heard for kind in heard.dearer]
    chosen = dearer.count("exponential_selection/v1")
    draws = sum(len(heard.answered) + len(heard.scored) for heard in fits.heard)
    found = {NOISE: len(dearer) - chosen, SELECTION: chosen}
    return [
        witness(
            f"released/{component} as charged",
            component,
            "a draw hid less than the charge that paid for it"
            if violations
            else "no draw hid less than the charge that paid for it",
            violations=violations,
            trials=draws,
        )
        for component, violations in found.items()
    ]


def _tested(
    name: str, component: str, detail: str, *, trials: int, statistic: float, **given: Any
) -> Check:
    """Return a test by a bound on its p-value, which follows from what is given by its rule."""
    check = Check(
        name=f"released/{name}",
        status="",
        component=component,
        kind=TEST,
        statistic=statistic,
        level=_LEVEL,
        trials=trials,
        given=given if trials else {},
        detail=detail,
    )
    return ruled(check) if trials else judged(replace(check, p_value=1.0))


def _noise(fits: Fits) -> list[Check]:
    """Too little noise, off the grid of whole numbers, or not fresh in every cell."""
    calls = [list(_noisy(heard)) for heard in fits.heard]
    every = [call for fit in calls for call in fit]
    if not every:
        return []
    whole = [np.issubdtype(released.dtype, np.integer) for *_, released in every]
    groups = {"all answers": every}
    for call in every:
        groups.setdefault(call[0], []).append(call)
    checks = [
        witness(
            "released/whole numbers",
            NOISE,
            "every noisy answer is a vector of whole numbers",
            violations=whole.count(False),
            trials=len(every),
        )
    ]
    for above in (False, True):
        energies = {what: narrowness(calls_of, above=above) for what, calls_of in groups.items()}
        what, worst = min(energies.items(), key=lambda item: chance_of_energy(item[1], above=above))
        where = "answers of few rows" if above else "answers"
        checks.append(
            _tested(
                f"energy of noise, {where}",
                NOISE,
                f"mean energy of noise over what was charged, of {len(groups)} groups of {where} "
                f"the one that stands out most ({what})",
                trials=worst.count,
                statistic=worst.mean,
                rule=tails.ENERGIES,
                laws=[{**law_document(law), "count": size} for law, size in worst.sizes.items()],
                above=above,
                groups=len(groups),
            )
        )
    cell = least_cell(every)
    checks.append(
        _tested(
            "energy of one cell's noise",
            NOISE,
            "mean energy of noise over what was charged, of the one cell of all vectors asked for "
            "often that gets least",
            trials=cell.energy.count,
            statistic=cell.energy.mean,
            rule=tails.CELL,
            above=cell.above,
            cells=cell.cells,
            **next((law_document(law) for law in cell.energy.sizes), {}),
        )
    )
    return checks + _dependent([[released - exact for *_, exact, released in fit] for fit in calls])


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


def _dependent(fits: list[list[Array]]) -> list[Check]:
    """Signs of symmetric, independent noise agree as often as not: Hoeffding's inequality."""
    cells = [np.sign(noise[1:]) * np.sign(noise[:-1]) for fit in fits for noise in fit]
    calls = [_agreement(first, second) for fit in fits for first, second in pairwise(fit)]
    runs = [
        _agreement(first, second)
        for one, other in pairwise(fits)
        for first, second in zip(one, other, strict=False)
    ]
    named = {"of neighboring cells": cells, "of different answers": calls, "of other fits": runs}
    checks = []
    for where, products in named.items():
        joined = np.concatenate([np.zeros(0), *products])
        if joined.size >= LEAST:
            checks.append(
                _tested(
                    f"signs {where}",
                    INDEPENDENCE,
                    f"how much more often the signs of noise {where} agree than not",
                    trials=joined.size,
                    statistic=float(joined.mean()),
                    rule=tails.SIGNS,
                )
            )
    return checks


def _agreement(first: Array, second: Array) -> Array:
    size = min(first.size, second.size)
    return np.asarray(np.sign(first[:size]) * np.sign(second[:size]), dtype=np.float64)


def _steps(fits: Fits) -> list[Check]:
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
    every = float((table**2).mean())
    each = float((table**2).mean(axis=0).min())
    return [
        _tested(
            "energy of steps",
            NOISE,
            "mean square of the noise of all steps of a training, over what was charged",
            trials=table.size,
            statistic=every,
            rule=tails.SQUARES,
            numbers=1,
        ),
        _tested(
            "energy of one number of steps",
            NOISE,
            "the same of the one number of a model that gets least",
            trials=len(table),
            statistic=each,
            rule=tails.SQUARES,
            numbers=table.shape[1],
        ),
        *_dependent([list(table)]),
    ]


def _choices(fits: Fits) -> list[Check]:
    """Choices that fall on high scores more often than the charged epsilon lets them."""
    gained, variance, widest = 0.0, 0.0, 0.0
    choices = outside = 0
    for heard in fits.heard:
        for scored in heard.scored:
            if not scored.picks or scored.charged is None:
                continue
            rate = Fraction(scored.charged.get("epsilon", 0)) / (2 * scored.sensitivity)
            exponents = (exact_scores(scored) - exact_scores(scored).max()) * float(rate)
            for allowed, chosen in scored.picks:
                choices += 1
                if chosen not in allowed:
                    outside += 1
                    continue
                held = exponents[list(allowed)]
                chances = softmax(held)
                mean = float(chances @ held)
                gained += float(exponents[chosen]) - mean
                variance += float(chances @ (held - mean) ** 2)
                widest = max(widest, float(held.max()) - mean)
    if not choices:
        return []
    return [
        witness(
            "released/chosen from what was offered",
            SELECTION,
            "every choice fell on one of the candidates that it was to be made from",
            violations=outside,
            trials=choices,
        ),
        _tested(
            "height of chosen scores",
            SELECTION,
            "exponents of what was chosen, in sum, above what the charged epsilon lets expect",
            trials=choices,
            statistic=gained,
            rule=tails.FREEDMAN,
            variance=variance,
            widest=widest,
        ),
    ]
