"""Noise at many frozen inputs: is it the same whatever it is added to, wherever, however often?

Vectors of one cell and of many, counts of none and of many, negative scores, first cells and last
ones, first calls and later ones; by the mechanism itself, and by a curator that is asked for tables
together. Every group of draws is held against the law by itself, so that what is done to few cells
alone is not lost among the others, and the stream of all draws against independence.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attacks.conformance.checks import FALSE_ALARM, TEST, Check, events, judged
from attacks.stats import draws as single
from attacks.stats.laws import (
    GaussianLaw,
    LaplaceLaw,
    Law,
    energy_limits,
    gap_limit,
    largest_gap,
)

NOISE, INDEPENDENCE = "noise", "independence"
SCALES = 6  # different scales tried; of more, these are spread evenly
_SHARE = FALSE_ALARM / 32  # of each of the two checks, all scales together
_COUNTS = (0, 1, 2, 5, 10, 1_000, 10**6, 2**40, -7)
# How often each; of 5 so often that sums which are cut off are missed.
_SIZES = {64: 15, 1: 150, 2: 60, 3: 40, 5: 500, 7: 30, 16: 30, 333: 4}
_LARGE = 70_000  # cells: beyond what samplers make at a time
_MANY = 800  # cells of one count
_HIGH = 2**20  # so far above zero that nobody need ever cut an answer off
_MEASURED = (1, 2, 400, 7, 64, 1_500)
_FIRST = 3  # of these, that a curator is asked for in its first call
_SCORES = 300  # that a curator releases together
_END = 8  # calls that count as first or last
_LEAST = 40  # draws, below which a group is not held by itself
_SPACED = 2.0  # least mean energy from which on noise on a grid would be no chance

Draws = NDArray[np.int64]
KINDS = ("discrete_gaussian/v1", "discrete_laplace/v1")


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """What was added in one call.

    Attributes:
        counts: frozen input.
        noise: what came out, less that.
        measured: by a curator, in an answer to several questions, or as scores.
    """

    counts: Draws
    noise: NDArray[Any]
    measured: bool


def check(plan: Mapping[str, Any], *, seed: int, wider: bool) -> list[Check]:
    """Return two checks a scale: of groups of draws by themselves, and of their independence.

    Args:
        plan: a plan as a document.
        seed: of the draws.
        wider: noise that is wider than claimed passes.
    """
    planned = {_law(event): event for kind in KINDS for event in events(plan, kind)}
    chosen = _spread(sorted(planned, key=lambda law: law.moments()[0]))
    checks = []
    for number, law in enumerate(chosen):
        drawn = draw(planned[law], seed=seed + number)
        share = _SHARE / len(chosen)
        checks += [_groups(law, drawn, share, wider=wider), _independent(law, drawn, share)]
    return checks


def _law(event: Mapping[str, str]) -> Law:
    from fractions import Fraction

    if "sigma_squared" in event:
        return GaussianLaw(sigma_squared=Fraction(event["sigma_squared"]))
    return LaplaceLaw(scale=Fraction(event["scale"]))


def _spread(laws: Sequence[Law]) -> list[Law]:
    places = np.unique(np.linspace(0, len(laws) - 1, min(SCALES, len(laws))).round().astype(int))
    return [laws[place] for place in places] if laws else []


def draw(event: Mapping[str, str], *, seed: int) -> list[Drawn]:
    """Return noise at all frozen inputs, in the order in which it was drawn."""
    from dpsynth.testing import noise

    counts = list(_inputs(seed))
    made = noise.calls(event, counts, seed=seed)
    high = [np.full(size, _HIGH * (1 + at), dtype=np.int64) for at, size in enumerate(_MEASURED)]
    wide = 64 * (1 + int(_law(event).moments()[0]))
    tables = [each + wide for each in high]
    asked = noise.measured(event, tables, first=_FIRST, seed=seed + 1)
    if "sigma_squared" in event:
        scores = wide + _HIGH + np.random.default_rng(seed).permutation(_SCORES)
        tables.insert(0, scores)
        asked.insert(0, noise.scored(event, scores, seed=seed + 2))
    return [
        *(
            Drawn(counts=each, noise=added, measured=False)
            for each, added in zip(counts, made, strict=True)
        ),
        *(
            Drawn(counts=each, noise=added, measured=True)
            for each, added in zip(tables, asked, strict=True)
        ),
    ]


def _inputs(seed: int) -> Iterator[Draws]:
    """Yield vectors of many sizes and counts, the largest one last."""
    rng = np.random.default_rng(seed)
    for size, often in _SIZES.items():
        for _ in range(often):
            yield rng.choice(np.array(_COUNTS), size)
    for count in _COUNTS:
        yield np.full(_MANY, count, dtype=np.int64)
    yield rng.choice(np.array(_COUNTS), 4 * _MANY)
    yield np.zeros(_LARGE, dtype=np.int64)


def _groups(law: Law, drawn: Sequence[Drawn], share: float, *, wider: bool) -> Check:
    name = f"noise/groups of {_named(law)}"
    groups = {what: each for what, each in _by_group(drawn).items() if each.size >= _LEAST}
    faults = []
    if not all(np.issubdtype(each.noise.dtype, np.integer) for each in drawn):
        faults.append("noise that is not whole")
    level = share / (4 * (len(groups) + 1))
    everything = np.concatenate([each.noise for each in drawn]).astype(np.int64)
    _, most = energy_limits(law, draws=everything.size, false_alarm=level)
    is_wider = wider and float(law.energy(everything).mean()) > most
    for what, values in {"all": everything, **groups}.items():
        low, high = energy_limits(law, draws=values.size, false_alarm=level)
        mean = float(law.energy(values).mean())
        limit = gap_limit(draws=values.size, false_alarm=level)
        if mean < low:
            faults.append(f"too little noise ({what})")
        elif mean > high and not wider:
            faults.append(f"too much noise ({what})")
        elif not is_wider and largest_gap(law, values) > limit:
            faults.append(f"noise of another shape ({what})")
        elif single.commonest_value(law, values, wider=is_wider) < level:
            faults.append(f"one value of the noise far too often ({what})")
        elif single.rarest_tail(law, values) < level:
            faults.append(f"large noise far too seldom ({what})")
    if law.moments()[0] >= _SPACED and single.spacing(everything) > 1:
        faults.append("noise on a coarse grid")
    return _judged(name, NOISE, faults, trials=everything.size, level=share, tests=len(groups) + 2)


def _by_group(drawn: Sequence[Drawn]) -> dict[str, Draws]:
    """Return the draws by size, count, place, and number of the call."""
    alone = [each for each in drawn if not each.measured]
    small = [each for each in alone if each.noise.size in _SIZES]
    large = max(alone, key=lambda each: each.noise.size)
    later = len(_MEASURED) - _FIRST
    groups = {
        f"{size} cells": [each.noise for each in small if each.noise.size == size]
        for size in _SIZES
    }
    groups |= {
        f"counts of {count}": [each.noise[each.counts == count] for each in alone[:-1]]
        for count in _COUNTS
    }
    groups |= {
        "first cells": [each.noise[:1] for each in alone],
        "last cells": [each.noise[-1:] for each in alone],
        **{f"call {at + 1}": [each.noise] for at, each in enumerate(alone[:_END])},
        "last small calls": [each.noise for each in small[-_END:]],
        "many cells, the first": [large.noise[:_MANY]],
        "many cells, the last": [large.noise[-_MANY:]],
        "what a curator answers": [each.noise for each in drawn if each.measured],
        "the first of that": [each.noise for each in drawn if each.measured][:1],
        "the last of that": [drawn[-1].noise],
        "later calls of a curator": [each.noise for each in drawn if each.measured][-later:],
    }
    return {what: np.concatenate(held).astype(np.int64) for what, held in groups.items() if held}


def _independent(law: Law, drawn: Sequence[Drawn], share: float) -> Check:
    name = f"noise/independence of {_named(law)}"
    vectors = [each.noise.astype(np.int64) for each in drawn]
    alike = {size: [each for each in vectors if each.size == size] for size in (*_SIZES, _MANY)}
    level = share / (3 + len(alike))
    faults = []
    if law.moments()[0] >= _SPACED and single.narrowest_sums(law, vectors) < level:
        faults.append("noise of one call that cancels out")
    if law.moments()[0] >= _SPACED:
        if single.echo(np.concatenate(vectors)) < level:
            faults.append("noise that comes back later, or mirrored")
        for size, held in alike.items():
            first, second = (np.concatenate(part) for part in (held[:-1], held[1:]))
            if single.agreement(first, second) < level:
                faults.append(f"noise of one call like that of the next ({size} cells)")
        if single.repeated(vectors, law=law):
            faults.append("the same noise twice")
    size = sum(each.size for each in vectors)
    return _judged(name, INDEPENDENCE, faults, trials=size, level=share, tests=3 + len(alike))


def _judged(
    name: str, component: str, faults: list[str], *, trials: int, level: float, tests: int
) -> Check:
    found = "; ".join(faults) or f"{tests} properties of draws at frozen inputs, as the law says"
    return judged(
        Check(
            name=name,
            status="",
            component=component,
            kind=TEST,
            violations=len(faults),
            trials=trials,
            level=level,
            detail=found,
        )
    )


def _named(law: Law) -> str:
    if isinstance(law, GaussianLaw):
        return f"discrete_gaussian(stddev {float(law.sigma_squared) ** 0.5:.6g})"
    return f"discrete_laplace(scale {float(law.scale):.6g})"
