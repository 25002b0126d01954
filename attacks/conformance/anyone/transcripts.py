"""Noisy answers, where a mechanism shows them: is their noise as wide as what was charged says?"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from attacks.conformance.anyone.outcome import Finding
from attacks.conformance.anyone.watch import Seen
from attacks.stats.laws import GaussianLaw, LaplaceLaw

_LEAST = 20  # fits
_WHOLE = ("discrete_gaussian/v1", "discrete_laplace/v1")
_CELLS = 64  # of an answer, whose noise is compared with other cells
Test = tuple[str, float, Finding]


def tests(out: Sequence[Seen], within: Sequence[Seen]) -> Iterator[Test]:
    """Yield the tests of the answers of both tables: name, p-value, what a rejection says.

    Args:
        out: fits of one table.
        within: fits of a neighboring one.
    """
    for world, seen in (("out", out), ("in", within)):
        answers = _answers(seen)
        residuals = []
        for place, (event, values) in enumerate(answers):
            noise = values - values.mean(axis=0)
            residuals.append(noise)
            law = _law(event)
            if law is not None and event.get("kind") in _WHOLE:
                yield (
                    f"spread of answer {place}, {world}",
                    _narrow(noise, law),
                    _finding("noise", f"the noise of answer {place} is narrower than its event"),
                )
        if residuals:
            yield (
                f"independence of answers, {world}",
                _alike(residuals),
                _finding("independence", "two noisy cells share their noise"),
            )


def _finding(component: str, sentence: str) -> Finding:
    return Finding(audit="transcript", component=component, sentence=sentence)


def _answers(seen: Sequence[Seen]) -> list[tuple[dict[str, str], NDArray[np.float64]]]:
    """Return for each event with answers the event and all fits' answers, shape (fits, cells)."""
    whole = [each for each in seen if each.transcript is not None and each.events is not None]
    if len(whole) < max(_LEAST, len(seen)):
        return []
    found = []
    for place, event in enumerate(whole[0].events or ()):
        parts = [
            None
            if each.transcript is None or place >= len(each.transcript)
            else each.transcript[place]
            for each in whole
        ]
        if any(part is None for part in parts):
            continue
        rows = [np.ravel(np.asarray(part, dtype=np.float64)) for part in parts]
        if len({row.size for row in rows}) == 1 and rows[0].size:
            found.append((event, np.array(rows)))
    return found


def _law(event: dict[str, str]) -> GaussianLaw | LaplaceLaw | None:
    if event["kind"] == "discrete_gaussian/v1":
        return GaussianLaw(sigma_squared=Fraction(event["sigma_squared"]))
    if event["kind"] == "discrete_laplace/v1" and Fraction(event["scale"]) != 1:
        return LaplaceLaw(scale=Fraction(event["scale"]))
    return None  # a scale of 1 may be the short form of a pure mechanism that adds no noise


def _narrow(noise: NDArray[np.float64], law: GaussianLaw | LaplaceLaw) -> float:
    """Return a p-value of the variance being as large as that of the law; more is no fault."""
    fits, cells = noise.shape
    squares = float((noise**2).sum()) / ((fits - 1) * cells)
    variance, fourth = _moments(law)
    error = sqrt((fourth - variance**2) / (fits * cells) + 2 * variance**2 / (fits * fits * cells))
    return float(special.ndtr((squares - variance) / error))


def _moments(law: GaussianLaw | LaplaceLaw) -> tuple[float, float]:
    """Return the second and fourth moments of the noise."""
    if isinstance(law, GaussianLaw):
        mean, spread = law.moments()
        return mean, float(spread + mean**2)
    ratio = float(np.exp(-law.rate))
    second = 2 * ratio / (1 - ratio) ** 2
    return second, 2 * ratio * (1 + 10 * ratio + ratio**2) / (1 - ratio) ** 4


def _alike(residuals: Sequence[NDArray[np.float64]]) -> float:
    """Return a p-value of the largest correlation of two cells, all pairs considered."""
    cells = np.concatenate([each[:, :_CELLS] for each in residuals], axis=1)
    moving = cells[:, cells.std(axis=0) > 0]
    if moving.shape[1] < 2:
        return 1.0
    fits = len(moving)
    correlation = np.corrcoef(moving, rowvar=False)
    upper = np.abs(correlation[np.triu_indices(len(correlation), 1)])
    largest = min(float(upper.max()), 1 - 1e-12)
    statistic = largest * sqrt((fits - 2) / (1 - largest**2))
    chance: float = 2 * float(stats.t.sf(statistic, fits - 2)) * upper.size
    return min(1.0, chance)
