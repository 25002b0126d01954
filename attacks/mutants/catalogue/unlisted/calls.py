"""Noise that depends on which call it is, on the sampler's tables, or on declared rules."""

from collections import defaultdict
from fractions import Fraction
from math import isqrt
from typing import Any

import numpy as np

from attacks.mutants.base import Mutant
from attacks.mutants.catalogue.unlisted.tools import (
    CURATOR,
    spread_of,
)
from attacks.mutants.planting import planted

_SAMPLERS = "dpsynth.privacy.samplers"


def _redrawn(original: Any) -> Any:
    def release(self: Any, counts: Any, *, rng: Any) -> Any:
        most = 2 * spread_of(self) * counts.size**0.5
        while True:
            answer = original(self, counts, rng=rng)
            if abs(int((answer - counts).sum())) <= most:
                return answer

    return release


def _floored_sigma(original: Any) -> Any:
    def discrete_gaussian(sigma_squared: Any, *, size: int, rng: Any) -> Any:
        root = isqrt(int(sigma_squared))
        return original(Fraction(root**2) if root else sigma_squared, size=size, rng=rng)

    return discrete_gaussian


def _floored_scale(original: Any) -> Any:
    def discrete_laplace(scale: Any, *, size: int, rng: Any) -> Any:
        return original(Fraction(max(1, int(scale))), size=size, rng=rng)

    return discrete_laplace


def _one_table(original: Any) -> Any:
    held: dict[bool, Any] = {}

    def table(law: Any) -> Any:
        return held.setdefault(law.signed, original(law))

    return table


def _fine_part_lost(original: Any) -> Any:
    def draw(law: Any, *, shift: int, size: int, rng: Any) -> Any:
        values = original(law, shift=shift, size=size, rng=rng)
        return values >> shift << shift

    return draw


def _repeated_after_4096(original: Any) -> Any:
    def draw(law: Any, *, shift: int, size: int, rng: Any) -> Any:
        return np.resize(original(law, shift=shift, size=min(size, 4096), rng=rng), size)

    return draw


class _Scaled:
    """Answers with other noise than its events say."""

    def __init__(self, mechanism: Any, factors: Any) -> None:
        self._mechanism, self._factors = mechanism, factors

    def __getattr__(self, name: str) -> Any:
        return getattr(self._mechanism, name)

    def event(self, **sensitivity: Any) -> Any:
        return self._mechanism.event(**sensitivity)

    def release(self, counts: Any, *, rng: Any) -> Any:
        noise = self._mechanism.release(0 * counts, rng=rng)
        return counts + np.rint(noise * next(self._factors)).astype(np.int64)


def _quieter_from_second_call(original: Any) -> Any:
    calls: dict[int, int] = defaultdict(int)

    def measure(self: Any, queries: Any, mechanism: Any, **options: Any) -> Any:
        calls[id(self.account)] += 1
        factor = 1.0 if calls[id(self.account)] == 1 else 0.85
        scaled = _Scaled(mechanism, iter([factor] * len(queries)))
        return original(self, queries, _as_kind(scaled, mechanism), **options)

    return measure


def _last_table_bare(original: Any) -> Any:
    def measure(self: Any, queries: Any, mechanism: Any, **options: Any) -> Any:
        factors = [1.0] * len(queries)
        if len(queries) > 1:
            factors[-1] = 0.0
        scaled = _Scaled(mechanism, iter(factors))
        return original(self, queries, _as_kind(scaled, mechanism), **options)

    return measure


def _as_kind(scaled: _Scaled, mechanism: Any) -> Any:
    """Let isinstance see the kind of mechanism that is wrapped."""
    kind = type("Scaled", (_Scaled, type(mechanism)), {"__init__": _Scaled.__init__})
    found: Any = object.__new__(kind)
    vars(found).update(vars(mechanism) | vars(scaled))
    return found


def _forbidden_bare(original: Any) -> Any:
    def measure(self: Any, queries: Any, mechanism: Any, **options: Any) -> Any:
        answers = original(self, queries, mechanism, **options)
        for answer in answers:
            for zero in answer.query.domain.zeros:
                if set(zero.columns) == set(answer.clique):
                    allowed = zero.allowed(answer.query.domain.sizes)
                    axes = [zero.columns.index(name) for name in answer.clique]
                    exact = self._Curator__source.count(answer.clique)
                    cells = ~allowed.transpose(axes).ravel()
                    answer.values[cells] = exact[cells]
        return answers

    return measure


_MST, _LAW, _SEEN = "mst", "law", "released"


UNLISTED_CALLS: tuple[Mutant, ...] = (
    planted(
        "noise-redrawn-until-plausible",
        "Noise whose sum is large is drawn again.",
        "independence",
        _LAW,
        _MST,
        ("dpsynth.privacy.mechanisms:DiscreteGaussian.release", _redrawn),
    ),
    planted(
        "sigma-rounded-down",
        "Noise is drawn with its sigma rounded down to whole rows.",
        "noise",
        _LAW,
        "mst of a large budget",
        ("dpsynth.privacy.mechanisms:discrete_gaussian", _floored_sigma),
    ),
    planted(
        "scale-rounded-down",
        "Laplace noise is drawn with its scale rounded down.",
        "noise",
        _LAW,
        "independent without a delta",
        ("dpsynth.privacy.mechanisms:discrete_laplace", _floored_scale),
    ),
    planted(
        "first-scale-for-all",
        "The sampler keeps the table of the first scale it was asked.",
        "noise",
        _LAW,
        _MST,
        (f"{_SAMPLERS}:table", _one_table),
    ),
    planted(
        "wide-noise-coarse",
        "Wide noise lacks its fine part.",
        "noise",
        _LAW,
        "auto",
        (f"{_SAMPLERS}:_draw", _fine_part_lost),
    ),
    planted(
        "noise-repeats-after-4096-cells",
        "Large tables get the first 4,096 draws again.",
        "noise",
        "law",
        "direct of large tables",
        (f"{_SAMPLERS}:_draw", _repeated_after_4096),
    ),
    planted(
        "later-calls-quieter",
        "From the second call on, noise is 15 % too small.",
        "noise",
        _LAW,
        _MST,
        (f"{CURATOR}.measure", _quieter_from_second_call),
    ),
    planted(
        "last-table-bare",
        "The last of the tables that are asked for together has no noise.",
        "noise",
        _LAW,
        _MST,
        (f"{CURATOR}.measure", _last_table_bare),
    ),
    planted(
        "forbidden-cells-bare",
        "Cells that declared rules forbid are answered exactly.",
        "charges",
        "neighbors",
        "mst with rules",
        (f"{CURATOR}.measure", _forbidden_bare),
    ),
)
