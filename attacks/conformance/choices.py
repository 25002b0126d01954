"""Choices at many frozen inputs: ties, gaps, one candidate and many, scores below zero.

And values of open columns, held by nobody, by one unit, and by about as many as the threshold.
"""

from collections.abc import Mapping
from fractions import Fraction
from math import ceil, log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attacks.conformance.checks import FALSE_ALARM, TEST, Check, events, judged
from attacks.stats.draws import tail_bound
from attacks.stats.laws import (
    GaussianLaw,
    divergence_p_value,
    frequency_divergence,
    softmax,
)

SELECTION = "selection"
DRAWS, ROUNDS = 600, 150
EPSILONS = 3  # different ones tried
_SHARE = FALSE_ALARM / 32  # of the choices, and of the values
_SURE = 60.0  # an exponent below which a candidate is never chosen
_CELLS = 5  # into which candidates of alike scores are put together
# Exponents of the candidates, from the best at 0 downward.
_VECTORS: Mapping[str, NDArray[np.float64]] = {
    "one candidate": np.zeros(1),
    "two, the first better": np.array([0.0, -1.0]),
    "two, the last better": np.array([-1.0, 0.0]),
    "five alike": np.zeros(5),
    "many alike": np.zeros(150),
    "best in the middle": np.array([-2.0, -1.0, 0.0, -1.0, -2.0]),
    "many apart": -np.linspace(0, 4, 120),
    "one far ahead": np.array([-_SURE, 0.0, -_SURE, -_SURE]),
    "one far behind": np.array([0.0, 0.0, -_SURE]),
    # Many that are each chosen seldom: what is done to the best alone, or to the rest, shows.
    "one ahead of ten": np.array([-3.0] * 5 + [0.0] + [-3.0] * 5),
    "one well ahead of forty": np.array([0.0] + [-4.5] * 40),
    "one a long way ahead of many": np.array([-6.0] * 200 + [0.0]),
}
_SHIFTS = (0, -(10**6), 2**40, -(2**40))  # of all scores of a vector, in turn

Scores = NDArray[np.int64]


def check(plan: Mapping[str, Any], *, seed: int, flatter: bool) -> list[Check]:
    """Return a check of the choices at each of a few epsilons, and of each selection of values.

    Args:
        plan: a plan as a document.
        seed: of the draws.
        flatter: an exponential law of a smaller rate passes: it is no fault of privacy.
    """
    planned = sorted({Fraction(e["epsilon"]) for e in events(plan, "exponential_selection/v1")})
    places = np.unique(np.linspace(0, len(planned) - 1, EPSILONS).round().astype(int))
    chosen = [planned[place] for place in places] if planned else []
    opened = events(plan, "partition_selection/v1")[:EPSILONS]
    return [
        *(
            _choices(each, _SHARE / len(chosen), seed=seed + at, flatter=flatter)
            for at, each in enumerate(chosen)
        ),
        *(_values(each, _SHARE / len(opened), seed=seed + at) for at, each in enumerate(opened)),
    ]


def _choices(epsilon: Fraction, share: float, *, seed: int, flatter: bool) -> Check:
    from dpsynth.testing import noise

    faults = []
    level = share / (3 * len(_VECTORS) + 3)
    for at, (what, wanted) in enumerate(_VECTORS.items()):
        unit = Fraction(1 + ceil(20 * epsilon))  # so that scores can be told apart
        shift = _SHIFTS[at % len(_SHIFTS)]
        scores = _of_sensitivity(unit, epsilon, wanted, shift=shift)
        exponents = (scores - scores.max()) * float(epsilon / (2 * unit))
        counts = noise.selections(
            epsilon, scores, sensitivity=unit, draws=DRAWS, seed=seed + 100 * at
        )
        faults += [f"{each} ({what})" for each in _fault(counts, exponents, level, flatter)]
    wanted = _VECTORS["best in the middle"]
    scores = _of_sensitivity(Fraction(1), epsilon, wanted, shift=-50)
    exponents = (scores - scores.max()) * float(epsilon / 2)
    picks = noise.choices(epsilon, scores, rounds=ROUNDS, seed=seed + 1)
    counts = np.bincount(picks, minlength=scores.size).astype(np.int64)
    faults += [f"{each} (by a curator)" for each in _fault(counts, exponents, level, flatter)]
    return _judged(
        f"selection/choices at epsilon {float(epsilon):.6g}",
        faults,
        trials=DRAWS * len(_VECTORS) + ROUNDS,
        level=share,
        sound=f"{len(_VECTORS)} vectors of scores, and the law in each",
    )


def _of_sensitivity(
    unit: Fraction, epsilon: Fraction, exponents: NDArray[np.float64], *, shift: int
) -> Scores:
    """Return whole scores of about these exponents."""
    steps = [shift + round(Fraction(x) * 2 * unit / epsilon) for x in exponents.tolist()]
    return np.array(steps, dtype=np.int64)


def _fault(
    counts: Scores, exponents: NDArray[np.float64], level: float, flatter: bool
) -> list[str]:
    """Hold choices against the law, after putting candidates of alike scores together."""
    draws = int(counts.sum())
    if counts[exponents <= -_SURE / 2].any():
        # Flatter laws than the claimed one are allowed to; the claimed one never does.
        return [] if flatter else ["a candidate far behind was chosen"]
    chances = softmax(exponents)
    mean = float(chances @ exponents)
    variance = float(chances @ (exponents - mean) ** 2)
    gained = float(counts @ exponents) - draws * mean
    tail = log(1 / level)
    # Bernstein's inequality.
    most = sqrt(2 * draws * variance * tail) + 2 * max(-mean, 0.0) * tail / 3
    if gained > most and variance > 0:
        return ["high scores are chosen too often"]
    if flatter and gained < -most:
        return []
    order = np.argsort(exponents, kind="stable")
    groups = [each for each in np.array_split(order, min(_CELLS, order.size)) if each.size]
    seen = np.array([counts[each].sum() for each in groups], dtype=np.int64)
    expected = np.array([chances[each].sum() for each in groups])
    found = frequency_divergence(seen, expected / expected.sum())
    if divergence_p_value(found, draws=draws, cells=len(groups)) <= level:
        return ["choices do not follow the law"]
    return []


def _values(event: Mapping[str, str], share: float, *, seed: int) -> Check:
    """Hold whether values are released against the law, at frozen numbers of units."""
    from dpsynth.testing import noise

    law = GaussianLaw(sigma_squared=Fraction(event["sigma_squared"]))
    threshold, width = int(Fraction(event["threshold"])), ceil(float(law.sigma_squared) ** 0.5)
    units = sorted({0, 1, 2, threshold // 2, *(threshold + far * width for far in (-2, -1, 0, 1))})
    held = np.array([max(each, 0) for each in units], dtype=np.int64)
    rng = np.random.default_rng(seed)
    calls = [
        rng.choice(held, 20_000),
        *(np.full(1, each, dtype=np.int64) for each in held for _ in range(60)),
        *(rng.permutation(held) for _ in range(60)),
    ]
    kept = noise.values_kept(event, calls, seed=seed)
    faults = set()
    tested = {"many values": slice(0, 1), "few values": slice(1, None)}
    level = share / (2 * len(tested) * held.size)
    for what, part in tested.items():
        for each in held:
            asked = sum(int((call == each).sum()) for call in calls[part])
            hits = sum(
                int((call[places] == each).sum())
                for call, (places, _) in zip(calls[part], kept[part], strict=True)
            )
            chance = 0.0 if not each else 1 - _below(law, threshold - int(each) - 1)
            for above in (True, False):
                if tail_bound(hits, asked, chance, above=above) < level:
                    often = "too often" if above else "too seldom"
                    faults.add(f"values of {each} units are released {often} ({what})")
    if any((noisy < threshold).any() for _, noisy in kept):
        faults.add("noisy counts below the threshold are released")
    return _judged(
        f"selection/values held by few at threshold {threshold}",
        sorted(faults),
        trials=sum(call.size for call in calls),
        level=share,
        sound="values of none, one, few and about the threshold's units, as often as the law says",
    )


def _below(law: GaussianLaw, value: int) -> float:
    return float(law.below(np.array([value], dtype=np.int64))[0])


def _judged(name: str, faults: list[str], *, trials: int, level: float, sound: str) -> Check:
    return judged(
        Check(
            name=name,
            status="",
            component=SELECTION,
            kind=TEST,
            violations=len(faults),
            trials=trials,
            level=level,
            detail="; ".join(faults) or sound,
        )
    )
