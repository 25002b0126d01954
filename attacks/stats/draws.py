"""Tests of single properties of integer noise, one-sided where only one side harms privacy.

Each bound holds at every sample size; none is an approximation.
"""

from math import ceil, exp, log, log2

import numpy as np
from numpy.typing import NDArray

from attacks.stats.laws import GaussianLaw, Law, Values

Draws = NDArray[np.int64]
_REACHES = (2.0, 2.5, 3.0, 3.5)  # root mean squares from zero
_SUM_REACHES = (0.5, 1.0, 2.0, 2.5)  # likewise, of sums
_MOST_SUMMED = 64  # cells
_FINE = 30.0  # units to a width of noise


def tail_bound(hits: int, trials: int, chance: float, *, above: bool) -> float:
    """Return a bound on the chance of so many hits or more, or of so few or fewer.

    Source:
        Chernoff's bound: ``exp(-trials * KL(hits / trials, chance))``.
    """
    share = hits / trials
    if not 0 < chance < 1 or (share <= chance if above else share >= chance):
        impossible = (chance <= 0 and above) or (chance >= 1 and not above)
        return 0.0 if impossible and share != chance else 1.0
    pairs = ((share, chance), (1 - share, 1 - chance))
    distance = sum(seen * log(seen / expected) for seen, expected in pairs if seen)
    return exp(-trials * max(distance, 0.0))


def chance_of(law: Law, value: int) -> float:
    """Return ``P(Z = value)``."""
    places = np.array([value], dtype=np.int64)
    start = float(law.log_normalizer(np.array(law.rate)))
    return exp(-law.rate * float(law.energy(places)[0]) - start)


def commonest_value(law: Law, draws: Draws, *, wider: bool = False) -> float:
    """Return a p-value of the value that came up most beyond its chance, among all that did.

    Too common is what a law is with zeros or repeats in it, or on a grid.

    Args:
        law: the claimed one.
        draws: whole numbers.
        wider: any law of the family that is as wide or wider will do.
    """
    values, counts = np.unique(draws, return_counts=True)
    often = counts >= max(4, counts.max() // 8)
    found = [
        tail_bound(int(count), draws.size, _most_chance(law, int(value), wider), above=True)
        for value, count in zip(values[often], counts[often], strict=True)
    ]
    # Any value could have been it: one of 64 widths, beyond which nothing ever comes up four times.
    return min(1.0, min(found, default=1.0) * 64 * (1 + _width(law)))


def rarest_tail(law: Law, draws: Draws) -> float:
    """Return a p-value of too few draws far out, as where noise is cut off or redrawn."""
    found = []
    for reach in _REACHES:
        most = np.array([int(reach * _width(law))], dtype=np.int64)
        outside = 2 * (1 - float(law.below(most)[0]))
        hits = int((np.abs(draws) > most[0]).sum())
        found.append(tail_bound(hits, draws.size, outside, above=False))
    return min(1.0, len(_REACHES) * min(found))


def narrowest_sums(law: Law, vectors: list[Draws]) -> float:
    """Return a p-value of too few vectors whose sum is large, of those of two cells and more.

    Cells that are drawn until their sum looks well, or whose noise is taken from one another,
    pass every test of single cells.

    Source:
        Hoeffding (1956), "On the Distribution of the Number of Successes in Independent Trials":
        Chernoff's bound holds with the mean of different chances.
    """
    sizes: dict[int, list[int]] = {}
    for each in vectors:
        if 1 < each.size <= _MOST_SUMMED:
            sizes.setdefault(each.size, []).append(abs(int(each.sum())))
    trials = sum(len(held) for held in sizes.values())
    hits, chances = np.zeros(len(_SUM_REACHES)), np.zeros(len(_SUM_REACHES))
    for size, held in sizes.items():
        most = np.array([int(reach * _width(law) * size**0.5) for reach in _SUM_REACHES])
        hits += (np.array(held)[:, None] > most).sum(axis=0)
        chances += len(held) / trials * sums_beyond(law, cells=size, most=most)
    found = [
        tail_bound(int(seen), trials, float(chance), above=False)
        for seen, chance in zip(hits, chances, strict=True)
        if trials
    ]
    return min(1.0, len(_SUM_REACHES) * min(found, default=1.0))


def sums_beyond(law: Law, *, cells: int, most: Draws) -> Values:
    """Return ``P(|Z_1 + ... + Z_cells| > each of most)`` of independent draws, or a hair less.

    By powers of the characteristic function on a grid so long that nothing wraps around; of wide
    noise by that of the same noise in coarser units.
    """
    shrink = max(1.0, _width(law) / _FINE)
    held = law.scaled(1 / shrink)
    far = 12 if isinstance(held, GaussianLaw) else 40  # widths, beyond which there is nothing
    reach = 1 << ceil(log2(_width(held) * far * cells**0.5 + far))
    places = np.arange(-reach, reach, dtype=np.int64)
    weights = np.exp(-held.rate * held.energy(places))
    spectrum = np.fft.rfft(np.fft.ifftshift(weights / weights.sum()))
    sums = np.fft.irfft(spectrum**cells, places.size)
    # What lies on an edge counts as inside, so that the chance is rather too small.
    within = sums[0] + 2 * np.cumsum(sums[1:reach])
    edges = np.minimum((most / shrink).astype(np.int64), within.size - 1)
    return np.asarray(np.maximum(1 - within[edges], 0.0))


def _most_chance(law: Law, value: int, wider: bool) -> float:
    """Return ``P(Z = value)``, or the most that it is at any width from that of ``law`` on.

    Beyond the width that is ``exp(-1/2) / sqrt(2 pi)`` over the distance at most, where the width
    is the distance, and less for Laplace noise; a hundredth more than covers that values are whole.
    """
    chance = chance_of(law, value)
    far = wider and abs(value) > _width(law)
    return max(chance, 0.2445 / abs(value)) if far else chance


def _width(law: Law) -> float:
    mean = law.moments()[0]
    return mean**0.5 if isinstance(law, GaussianLaw) else mean


def spacing(draws: Draws) -> int:
    """Return the greatest number that divides all differences of draws; 0 where all are one."""
    return int(np.gcd.reduce(draws - draws[0]))


def echo(draws: Draws) -> float:
    """Return a p-value of the strongest likeness of a stream with itself, shifted or reversed.

    Of the signs, and of which of two neighbors is larger: both are symmetric and independent from
    place to place whatever the width of the noise, so a sum of products over all pairs at a fixed
    distance, or mirrored about a fixed place, obeys the bound of Azuma and Hoeffding.
    """
    signs = np.sign(draws).astype(np.float64)
    sizes = np.abs(draws)
    streams = [signs]
    for start in (0, 1):
        held = sizes[start : start + (sizes.size - start) // 2 * 2]
        streams.append(np.sign(held[::2] - held[1::2]).astype(np.float64))
    return min(1.0, 2 * len(streams) * min(_strongest(each) for each in streams))


def _strongest(stream: Values) -> float:
    size = stream.size
    if size < 2:
        return 1.0
    length = 1 << (2 * size - 1).bit_length()
    transformed = np.fft.rfft(stream, length)
    shifted = np.fft.irfft(transformed * np.conj(transformed), length)[1:size]
    mirrored = np.fft.irfft(transformed * transformed, length)[: 2 * size - 1]
    # A pair is met twice in a mirror, and the place in the middle once by itself.
    mirrored = np.maximum(np.abs(mirrored) - 1, 0) / 2
    return min(
        _of_sums(np.abs(shifted), size - np.arange(1, size)),
        _of_sums(mirrored, _pairs(size)),
    )


def _pairs(size: int) -> NDArray[np.int64]:
    met: NDArray[np.int64] = np.minimum(np.arange(1, 2 * size), np.arange(2 * size - 1, 0, -1))
    pairs: NDArray[np.int64] = np.maximum(met // 2, 1)
    return pairs


def _of_sums(sums: Values, terms: NDArray[np.int64]) -> float:
    worst = float((sums**2 / (2 * terms)).max())
    return min(1.0, 2 * sums.size * exp(-worst))


def agreement(first: Draws, second: Draws) -> float:
    """Return a p-value of the likeness of signs, place by place: Hoeffding's inequality."""
    products = np.sign(first) * np.sign(second)
    if not products.size:
        return 1.0
    return min(1.0, 2 * exp(-(float(products.sum()) ** 2) / (2 * products.size)))


def repeated(vectors: list[Draws], *, law: Law, least_bits: float = 100.0) -> int:
    """Return how many vectors equal an earlier one, of those too long to be equal by chance."""
    start = float(law.log_normalizer(np.array(2 * law.rate)))
    # Bits of a collision of two draws: P(Z = Z') for independent ones.
    collision = exp(start - 2 * float(law.log_normalizer(np.array(law.rate))))
    bits = -log(collision) / log(2) if collision < 1 else 0.0
    long = [each for each in vectors if each.size * bits >= least_bits]
    return len(long) - len({each.tobytes() for each in long})
