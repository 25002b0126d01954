"""How much noise there is in answers: energies, and how likely less of them would be.

Where a noisy answer may have been cut off at zero, only the part of the noise above zero is used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attacks.stats.laws import GaussianLaw, Law

LEAST = 30  # values below which nothing is said
_FAR = 6.0  # standard deviations above zero, from where on no cut at zero is ever seen
_TILTS = np.logspace(-3, 1.5, 200)
_NO_NOISE = 1e-6  # of a mean energy: the law is all but certain to add none

Array = NDArray[np.float64]
Call = tuple[str, Law, NDArray[np.int64], NDArray[Any]]  # question, law, exact, released


@dataclass(frozen=True, kw_only=True)
class Energy:
    """Of how many draws of which laws, and their mean energy over its expectation."""

    count: int = 0
    mean: float = 1.0
    sizes: Mapping[Law, int] = field(default_factory=dict)


def narrowness(calls: Sequence[Call], *, above: bool) -> Energy:
    """Return how small the energies of all draws together are, each over its mean.

    Where ``above`` is set, of the cells near zero the energy of noise above zero; else of the
    others all.
    """
    total = 0.0
    sizes: dict[Law, int] = {}
    for _, law, exact, released in calls:
        mean = law.moments()[0]
        if mean <= _NO_NOISE:
            continue
        far = exact >= _FAR * _width(law)
        noise = (released - exact)[~far if above else far].astype(np.float64)
        total += float(law.energy(np.maximum(noise, 0) if above else noise).sum()) / mean
        sizes[law] = sizes.get(law, 0) + noise.size
    count = sum(sizes.values())
    if count < LEAST:
        return Energy()
    return Energy(count=count, mean=total / (count * _share(above)), sizes=sizes)


def chance_of_energy(found: Energy, *, above: bool) -> float:
    """Return the logarithm of a bound on the chance of so little energy, or of less.

    Chernoff's bound with the exact moment generating functions, at any number of draws.
    """
    spent = _TILTS * found.mean * found.count * _share(above)
    for law, size in found.sizes.items():
        spent = spent + size * _log_moment(law, _TILTS / law.moments()[0], above=above)
    return min(float(np.min(spent)), 0.0)


def _share(above: bool) -> float:
    return 0.5 if above else 1.0


@dataclass(frozen=True, kw_only=True)
class LeastCell:
    """The cell that gets least energy, and among how many."""

    energy: Energy = field(default_factory=Energy)
    above: bool = False
    cells: int = 0

    @property
    def log_p(self) -> float:
        """The logarithm of a bound on the chance that any cell would get so little."""
        return chance_of_energy(self.energy, above=self.above) + log(max(self.cells, 1))


def least_cell(calls: Sequence[Call]) -> LeastCell:
    """Return the energy of the cell that gets least, of vectors that came out often.

    What is done to few cells alone, as to small counts or to empty ones, is lost among the others.
    """
    asked: dict[tuple[str, Law, bytes], list[Call]] = {}
    for call in calls:
        asked.setdefault((call[0], call[1], call[2].tobytes()), []).append(call)
    least, worst = 0.0, LeastCell()
    cells = 0
    for same in asked.values():
        _, law, exact, _ = same[0]
        mean = law.moments()[0]
        if len(same) < LEAST or mean <= _NO_NOISE:
            continue
        far = exact >= _FAR * _width(law)
        noise = np.array([released for *_, released in same], dtype=np.float64) - exact
        totals = law.energy(np.where(far, noise, np.maximum(noise, 0))).sum(axis=0) / mean
        cells += exact.size
        for above in (False, True):
            held = totals[far != above]
            if not held.size:
                continue
            found = Energy(
                count=len(same),
                mean=float(held.min()) / (len(same) * _share(above)),
                sizes={law: len(same)},
            )
            log_p = chance_of_energy(found, above=above)
            if log_p < least:
                least, worst = log_p, LeastCell(energy=found, above=above)
    return replace(worst, cells=cells)


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
