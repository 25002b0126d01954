"""Bins learnt privately, for columns whose schema does not say how to cut their range.

One noisy histogram a column over a grid that depends on declared facts alone; everything after it
is post-processing: quantile edges, a bin of its own for every spike, and how values spread within
a bin.
"""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.encoding.coarsening import Coarsening
from dpsynth.encoding.codec import Codec, base_domain, codecs, ordered_columns
from dpsynth.privacy.mechanisms import DiscreteGaussian, DiscreteLaplace
from dpsynth.privacy.queries import MarginalQuery

if TYPE_CHECKING:
    from dpsynth.privacy.curator import Curator
    from dpsynth.schema.document import Schema
    from dpsynth.synthesizers.base import Step

# A bin should hold this many standard deviations of noise, or its share says nothing.
_LEAST_MASS = 4.0
# A part of the grid is visible from so many standard deviations of its noise on: of 1,000 parts
# that hold nothing, about one is taken for something.
_VISIBLE = 3.0
# A cell is clearly above the noise from here on: of a million that hold nothing, none.
_CLEAR = 5.0
# By so many standard deviations a part is lowered that is not visible.
_LOWERED = 0.5
# Laplace noise this much narrower has as few draws beyond _CLEAR as Gaussian noise.
_WIDE_TAILS = 2.0


@dataclass(frozen=True, kw_only=True)
class PrivateBins:
    """Learn at most ``bins`` bins for every column that declares none.

    Args:
        bins: greatest number of bins a column, the missing level aside.
    """

    bins: int = 32

    def __post_init__(self) -> None:
        if self.bins < 2:
            raise ValueError("bins must be at least 2")

    def columns(self, schema: "Schema") -> tuple[str, ...]:
        """Name the columns whose bins are learnt; public."""
        return tuple(name for name, each in codecs(schema).items() if each.needs_bins)

    def domain(self, schema: "Schema") -> Domain:
        """Return the domain after binning, at its largest: fewer bins may be learnt."""
        sizes = {
            name: min(each.size, self.bins + each.marks.size + each.has_missing)
            if each.needs_bins
            else each.size
            for name, each in codecs(schema).items()
        }
        return Domain(sizes=sizes, ordered=ordered_columns(schema))

    def steps(self, schema: "Schema", *, unit: PrivacyUnit, rho: Fraction) -> tuple["Step", ...]:
        """List the charges of ``learn``, from public facts alone; they add up to ``rho``."""
        queries = self._queries(schema, base_domain(schema))
        return _steps(queries, _gaussian(queries, unit=unit, rho=rho), unit) if queries else ()

    def pure_steps(
        self, schema: "Schema", *, unit: PrivacyUnit, epsilon: Fraction
    ) -> tuple["Step", ...]:
        """List the charges of ``pure_learn``; their pure epsilons add up to ``epsilon``."""
        queries = self._queries(schema, base_domain(schema))
        noise = _laplace(queries, unit=unit, epsilon=epsilon) if queries else None
        return _steps(queries, noise, unit) if noise else ()

    def learn(
        self, curator: "Curator", schema: "Schema", *, rho: Fraction
    ) -> dict[str, Coarsening]:
        """Spend exactly ``rho`` on one noisy histogram a column, and cut each into bins.

        Args:
            curator: over the base domain of ``schema``.
            schema: the declared columns.
            rho: zCDP budget, shared evenly; not spent if no column needs bins.

        Returns:
            By column that needs bins, how grid cells are grouped and spread within a group.
        """
        queries = self._queries(schema, curator.domain)
        if not queries:
            return {}
        noise = _gaussian(queries, unit=curator.unit, rho=rho)
        return self._learn(curator, schema, queries, noise, tails=1.0)

    def pure_learn(
        self, curator: "Curator", schema: "Schema", *, epsilon: Fraction
    ) -> dict[str, Coarsening]:
        """Spend exactly ``epsilon``, without a delta; otherwise as ``learn``."""
        queries = self._queries(schema, curator.domain)
        if not queries:
            return {}
        noise = _laplace(queries, unit=curator.unit, epsilon=epsilon)
        return self._learn(curator, schema, queries, noise, tails=_WIDE_TAILS)

    def _learn(
        self,
        curator: "Curator",
        schema: "Schema",
        queries: list[MarginalQuery],
        noise: DiscreteGaussian | DiscreteLaplace,
        *,
        tails: float,
    ) -> dict[str, Coarsening]:
        answers = curator.measure(queries, noise, labels=[_label(query) for query in queries])
        tools = codecs(schema)
        return {
            answer.clique[0]: cut(
                answer.values, tools[answer.clique[0]], bins=self.bins, stddev=tails * answer.stddev
            )
            for answer in answers
        }

    def _queries(self, schema: "Schema", domain: Domain) -> list[MarginalQuery]:
        return [MarginalQuery(clique=(name,), domain=domain) for name in self.columns(schema)]


def _gaussian(
    queries: list[MarginalQuery], *, unit: PrivacyUnit, rho: Fraction
) -> DiscreteGaussian:
    share = rho / len(queries)
    return DiscreteGaussian(sigma_squared=queries[0].l2_sensitivity_squared(unit) / (2 * share))


def _laplace(
    queries: list[MarginalQuery], *, unit: PrivacyUnit, epsilon: Fraction
) -> DiscreteLaplace:
    return DiscreteLaplace(scale=queries[0].l1_sensitivity(unit) * len(queries) / epsilon)


def _steps(
    queries: list[MarginalQuery], noise: DiscreteGaussian | DiscreteLaplace, unit: PrivacyUnit
) -> tuple["Step", ...]:
    from dpsynth.synthesizers.base import Step

    return tuple(
        Step(phase="bins", label=_label(query), event=query.event(noise, unit)) for query in queries
    )


def _label(query: MarginalQuery) -> str:
    return f"bins({query.clique[0]})"


def cut(noisy: NDArray[np.int64], tool: Codec, *, bins: int, stddev: float) -> Coarsening:
    """Cut a grid into bins from its noisy histogram; deterministic, post-processing.

    Args:
        noisy: noisy rows a base code of the column, the missing level last if there is one.
        tool: the column's codec.
        bins: greatest number of bins, the missing level aside.
        stddev: of the noise in one cell, in rows.
    """
    cells = noisy.size - tool.has_missing
    mass = denoise(noisy[:cells].astype(np.float64), stddev=stddev)
    if tool.open_ended:
        mass = within_sight(mass, noisy[:cells], stddev=stddev)
    groups = _groups(mass, bins=bins, stddev=stddev)
    if tool.marks.size:  # no bin may straddle what a declared rule tells apart
        starts = np.diff(groups, prepend=-1) > 0
        starts[tool.marks] = True
        groups = np.cumsum(starts) - 1
    weights = mass
    if tool.has_missing:
        groups = np.append(groups, groups.max() + 1)
        weights = np.append(weights, 1.0)
    return Coarsening(groups=groups, weights=weights)


def denoise(noisy: NDArray[np.float64], *, stddev: float) -> NDArray[np.float64]:
    """Return a histogram without negative cells, smooth where the noise hides the detail.

    The grid is halved again and again. Where neither a part nor anything within it rises above
    the noise, what it holds is lowered a little and spread evenly: emptying it would lose a thin
    tail, and keeping its cells as they are would turn noise into rows.
    """
    sums = np.concatenate([[0.0], np.cumsum(noisy)])
    cleaned = np.zeros(noisy.size)

    def visible(low: int, high: int) -> bool:
        middle = (low + high) // 2
        inside = high - low > 1 and (visible(low, middle) | visible(middle, high))
        above = sums[high] - sums[low] >= _VISIBLE * stddev * sqrt(high - low)
        seen[low, high] = inside or bool(above)
        return seen[low, high]

    def fill(low: int, high: int) -> None:
        held, width, middle = sums[high] - sums[low], high - low, (low + high) // 2
        if not seen[low, high]:
            held -= _LOWERED * stddev * sqrt(width)
        elif width > 1 and (seen[low, middle] or seen[middle, high]):
            fill(low, middle)
            fill(middle, high)
            return
        cleaned[low:high] = max(held, 0.0) / width

    seen: dict[tuple[int, int], bool] = {}
    visible(0, noisy.size)
    fill(0, noisy.size)
    return cleaned


def within_sight(
    mass: NDArray[np.float64], noisy: NDArray[np.int64], *, stddev: float
) -> NDArray[np.float64]:
    """Empty the grid beyond the outermost cells that stand clearly above the noise.

    Where no bounds are declared, the grid reaches to a million millions: a row put there by noise
    alone would outweigh all others in every mean.
    """
    clear = np.flatnonzero(noisy >= _CLEAR * stddev)
    if not clear.size:
        clear = np.array([int(np.argmax(noisy))])
    trimmed = np.zeros_like(mass)
    inside = slice(int(clear[0]), int(clear[-1]) + 1)
    trimmed[inside] = mass[inside]
    if trimmed.sum() <= 0:
        trimmed[clear] = 1.0
    return trimmed


def _groups(mass: NDArray[np.float64], *, bins: int, stddev: float) -> NDArray[np.int64]:
    total = mass.sum()
    if total <= 0:
        return np.arange(mass.size, dtype=np.int64) * min(bins, mass.size) // mass.size
    spikes = _spikes(mass, bins=bins, stddev=stddev)
    runs = _runs(mass.size, spikes)
    held = [float(mass[low:high].sum()) for low, high in runs]
    # A run between spikes that holds nothing needs no bin: it joins its neighbor, weighing zero.
    left = bins - len(spikes)
    rest = sum(held)
    room = max(min(left, int(rest / (_LEAST_MASS * stddev))), 1) if rest > 0 else 0
    parts = _shares(held, room=room, left=left)
    marks = np.zeros(mass.size, dtype=np.int64)  # 1 where a new bin starts
    for (low, high), count in zip(runs, parts, strict=True):
        if count:
            marks[low + _quantiles(mass[low:high], count)] = 1
    for cell in spikes:
        marks[cell] = 1
    marks[0] = 0
    first = np.flatnonzero(marks)[:1]
    if mass[: first.sum()].sum() <= 0:  # an empty beginning joins what follows
        marks[first] = 0
    if not marks.any():
        # Never one bin alone: whether a column has a choice may not depend on what was answered.
        marks[mass.size // 2 :][:1] = 1
    return np.cumsum(marks)


def _spikes(mass: NDArray[np.float64], *, bins: int, stddev: float) -> list[int]:
    """Cells that deserve a bin of their own: heavier than an average bin of what is not spiky."""
    most = (bins - 1) // 2  # as many runs lie between, and one more
    found: list[int] = []
    rest = mass.copy()
    while len(found) < most:
        heaviest = int(np.argmax(rest))
        level = max(rest.sum() / (bins - len(found)), _LEAST_MASS * stddev)
        if rest[heaviest] <= level:
            break
        found.append(heaviest)
        rest[heaviest] = 0.0
    return sorted(found)


def _runs(size: int, spikes: list[int]) -> list[tuple[int, int]]:
    bounds = [-1, *spikes, size]
    return [(low + 1, high) for low, high in pairwise(bounds) if low + 1 < high]


def _shares(held: list[float], *, room: int, left: int) -> list[int]:
    """Share bins among runs by what they hold: one for each that holds anything, then more."""
    parts = [1 if each > 0 else 0 for each in held]
    for _ in range(max(min(room, left) - sum(parts), 0)):
        fullest = max(
            range(len(held)), key=lambda run: held[run] / parts[run] if parts[run] else 0.0
        )
        parts[fullest] += 1
    return parts


def _quantiles(mass: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Return where the bins of a run start, so that each holds about the same."""
    middle = np.cumsum(mass) - mass / 2
    place = np.minimum((middle * count / mass.sum()).astype(np.int64), count - 1)
    starts = np.flatnonzero(np.append(True, place[1:] != place[:-1]))
    return starts.astype(np.int64)
