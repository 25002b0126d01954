"""Does the noise follow its law, at the very scales of the plan?"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import partial
from importlib.util import find_spec
from math import asinh, ceil
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from attacks.conformance import frozen, members, training
from attacks.conformance.checks import (
    FALSE_ALARM,
    NOT_APPLICABLE,
    SKIPPED,
    TEST,
    Check,
    events,
)
from attacks.conformance.follows import ENERGY, GAP, expected_energy, ruled
from attacks.conformance.tails import GRID
from attacks.stats.laws import (
    GaussianLaw,
    LaplaceLaw,
    Law,
    divergence_p_value,
    energy_limits,
    frequency_divergence,
    largest_gap,
    law_document,
)

NOISE = "noise"
L = TypeVar("L", GaussianLaw, LaplaceLaw)
Family = Callable[..., list[Check]]
DRAWS = 50_000
_SCALES = 40  # different scales tested; more are thinned out evenly, and that is said
_SHARE = FALSE_ALARM / 4  # a quarter each: Gaussian noise, and the selection below it
_LAPLACE_SHARE = FALSE_ALARM / 16  # what is left of another quarter goes to training and grids
_GRID_SHARE = FALSE_ALARM / 16
_GRIDS = (2, 3, 16)  # remainders are counted modulo these
_MOST_REACH = 50_000
_REFITTED = 1.3  # times a gap's limit, where the scale was estimated from the same draws
_VALUES_SHARE = FALSE_ALARM / 8  # an eighth each: noise and threshold of selections of values


def check(plan: Mapping[str, Any], *, seed: int, wider: bool = False) -> list[Check]:
    """Return two checks a scale: of the scale by the mean energy, of the shape by the whole law.

    Another one a family: whether draws fall on all whole numbers alike.

    Args:
        plan: a plan as a document.
        seed: of the draws.
        wider: noise of the claimed family that is wider than claimed passes: it is no fault of
            privacy.
    """
    from dpsynth.testing import noise

    gaussian = sorted({Fraction(e["sigma_squared"]) for e in events(plan, "discrete_gaussian/v1")})
    laplace = sorted({Fraction(e["scale"]) for e in events(plan, "discrete_laplace/v1")})
    family = partial(_family, wider=wider)
    checks = [
        *family(
            "discrete_gaussian",
            [GaussianLaw(sigma_squared=value) for value in gaussian],
            lambda law, size, number: noise.gaussian(
                law.sigma_squared, size=size, seed=seed + number
            ),
        ),
        *family(
            "discrete_laplace",
            [LaplaceLaw(scale=value) for value in laplace],
            lambda law, size, number: noise.laplace(law.scale, size=size, seed=seed + number),
            share=_LAPLACE_SHARE,
        ),
        *frozen.check(plan, seed=seed, wider=wider),
        *_of_values(plan, family, seed=seed),
        *_of_training(plan, family, seed=seed, wider=wider),
    ]
    return checks or [
        Check(
            name="noise",
            status=NOT_APPLICABLE,
            component=NOISE,
            detail="the plan adds no noise to counts",
        )
    ]


def _of_training(plan: Mapping[str, Any], family: Family, *, seed: int, wider: bool) -> list[Check]:
    """Test noise and batches of trainings; skipped where torch is missing."""
    planned = training.laws(plan)
    if not planned:
        return []
    if find_spec("torch") is None:
        return [
            Check(
                name="noise/training",
                status=SKIPPED,
                component=NOISE,
                detail="torch is not installed, so the noise of the training was not tested",
            )
        ]
    noisy = family(
        "sampled_gaussian in steps of its grid",
        list(planned),
        lambda law, size, number: training.draws(planned[law], size=size, seed=seed + number),
        share=training.SHARE,
    )
    return [
        *noisy,
        *training.batches(plan, seed=seed),
        *members.check(plan, seed=seed, wider=wider),
    ]


def _of_values(plan: Mapping[str, Any], family: Family, *, seed: int) -> list[Check]:
    """Test the noise of partition selections, on counts so far above that all are released."""
    from dpsynth.testing import noise

    planned = {
        Fraction(event["sigma_squared"]): event for event in events(plan, "partition_selection/v1")
    }

    def draw(law: GaussianLaw, size: int, number: int) -> NDArray[np.int64]:
        event = planned[law.sigma_squared]
        high = int(event["threshold"]) + 64 * (1 + int(float(law.sigma_squared) ** 0.5))
        return noise.released_values(event, units=high, size=size, seed=seed + number) - high

    laws = [GaussianLaw(sigma_squared=value) for value in sorted(planned)]
    return family("partition_selection", laws, draw, share=_VALUES_SHARE)


def _family(
    kind: str,
    laws: list[L],
    draw: Callable[[L, int, int], NDArray[np.int64]],
    *,
    share: float = _SHARE,
    wider: bool = False,
) -> list[Check]:
    chosen = _thinned(laws)
    drawn = {law: draw(law, DRAWS, number) for number, law in enumerate(chosen)}
    checks = [
        check
        for law, draws in drawn.items()
        for check in _one(
            kind,
            law,
            np.rint(draws).astype(np.int64),
            false_alarm=share / (2 * len(chosen)),
            untested=len(laws) - len(chosen),
            wider=wider,
        )
    ]
    return checks + ([_grid(kind, drawn)] if drawn else [])


def _grid(kind: str, drawn: Mapping[L, NDArray[np.int64]]) -> Check:
    """Test whether noise is whole, and every residue as likely as every other.

    Noise on a coarser grid than that of the counts, or a finer one, tells the count behind it by
    its last digits.
    """
    whole = all(np.issubdtype(draws.dtype, np.integer) for draws in drawn.values())
    least, worst = 2.0, (0.0, 1, 0)  # divergence, draws, cells of the least likely one
    for law, draws in drawn.items():
        for size in _GRIDS if whole else ():
            counts = np.bincount(np.mod(draws, size), minlength=size)
            found = frequency_divergence(counts.astype(np.int64), _residues(law, size))
            chance = divergence_p_value(found, draws=draws.size, cells=size)
            if chance < least:
                least, worst = chance, (2 * found, draws.size, size)
    return ruled(
        Check(
            name=f"noise/grid of {kind}",
            status="",
            component=NOISE,
            kind=TEST,
            statistic=worst[0],
            level=_GRID_SHARE / (len(_GRIDS) * len(drawn)),
            trials=worst[1],
            given={"rule": GRID, "whole": whole, "cells": worst[2]},
            detail=(
                "least likely G statistic of the remainders of draws modulo 2, 3 and 16"
                if whole
                else "the noise does not consist of whole numbers"
            ),
        )
    )


def _residues(law: Law, size: int) -> NDArray[np.float64]:
    """Return the chance of each remainder modulo ``size``."""
    width = law.moments()[0] if isinstance(law, LaplaceLaw) else float(law.moments()[0]) ** 0.5
    reach = size * min(ceil((40 * width + 12) / size), _MOST_REACH)  # beyond, all are alike
    support = np.arange(-reach, reach + size, dtype=np.int64)
    weights = np.exp(-law.rate * law.energy(support))
    totals = weights.reshape(-1, size).sum(axis=0)
    return np.asarray(totals / totals.sum())


def _one(
    kind: str,
    law: Law,
    draws: NDArray[np.int64],
    *,
    false_alarm: float,
    untested: int,
    wider: bool,
) -> list[Check]:
    name = f"{kind}({_parameter(law)})"
    low, high = energy_limits(law, draws=draws.size, false_alarm=false_alarm)
    mean = float(law.energy(draws).mean())
    held, slack = law, 1.0
    if wider and mean > high:
        held, slack = _refitted(law, mean), _REFITTED
    common = Check(
        name=name,
        status="",
        component=NOISE,
        kind=TEST,
        level=false_alarm,
        trials=int(draws.size),
    )
    scale = ruled(
        replace(
            common,
            name=f"noise/scale of {name}",
            statistic=mean / expected_energy(law, low=low),
            given={"rule": ENERGY, **law_document(law), "wider": wider},
        )
    )
    shape = replace(
        common,
        name=f"noise/shape of {name}",
        statistic=largest_gap(held, draws),
        given={"rule": GAP, **law_document(held), "slack": slack},
        detail="largest gap between the drawn and the claimed distribution function",
    )
    return [replace(scale, detail=_words(scale, untested=untested)), ruled(shape)]


def _words(scale: Check, *, untested: int) -> str:
    most = "" if scale.bound is None else f" and at most {scale.bound:.4f}"
    seen = "so little noise is planned that a narrower one would not have been seen"
    if scale.detectable is not None:
        seen = f"a scale {scale.detectable:.3f} times too small would have been seen"
    more = f"; {untested} scales between the tested ones were left out" if untested else ""
    return (
        f"mean energy of the draws over its expectation must be at least "
        f"{scale.lower_bound:.4f}{most}; {seen}{more}"
    )


def _refitted(law: Law, mean: float) -> Law:
    """Return the law of the same family whose mean energy is ``mean``, wide enough to be smooth."""
    if isinstance(law, GaussianLaw):
        return GaussianLaw(sigma_squared=Fraction(mean))
    return LaplaceLaw(scale=Fraction(1 / asinh(1 / mean)))


def _parameter(law: Law) -> str:
    if isinstance(law, GaussianLaw):
        return f"stddev {float(law.sigma_squared) ** 0.5:.6g}"
    return f"scale {float(law.scale):.6g}"


def _thinned(laws: list[L]) -> list[L]:
    if len(laws) <= _SCALES:
        return laws
    places = np.unique(np.linspace(0, len(laws) - 1, _SCALES).round().astype(int))
    return [laws[place] for place in places]
