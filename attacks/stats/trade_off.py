"""The trade-off curve that a ledger claims: how few errors any distinguisher may make.

Who tells two neighboring tables apart from what was released errs in two ways: at rate ``fpr`` on
the one, ``fnr`` on the other. A guarantee is a curve that no test can come below. Curves here are
kept as straight lines, each of which is a guarantee by itself: the curve is the largest of them, so
leaving lines out makes the claim weaker, never stronger, and a correct mechanism stays above.

Mechanisms compose by their hockey-stick divergences. Selections and Laplace noise are put on a grid
of losses, by chords, which lie above the convex divergence; Gaussian noise is added in closed form.
Noise on whole numbers is not Gaussian noise: how far it is from rounded Gaussian noise, in total
variation, is taken off the curve.

Source:
    Dong, Roth and Su (2019), "Gaussian Differential Privacy", arXiv:1905.02383; Zhu, Dong and Wang
    (2022), arXiv:2106.08567, on composing dominating pairs; Doroshenko et al. (2022),
    arXiv:2207.04380, on chords.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from math import ceil, exp, expm1, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import special

import dpsynth

Floats = NDArray[np.float64]
Divergence = Callable[[Floats], Floats]

_LINES = 2001
_POINTS = 1024  # of the grid, from no loss to the largest of all selections together
_MOST_POINTS = 8192
_BLOCK = 64
_SAFE = 1e-9  # taken off every line, for floating-point error
_REACH = 9.0  # standard deviations of Gaussian loss that lines are drawn for
_FARTHEST = 300.0  # of exponents
_TAIL = 12.0  # standard deviations within which noise on whole numbers is compared
_MOST_VALUES = 10**6
_DELTAS = tuple(Fraction(1, 10**power) for power in (12, 10, 8, 7, 6, 5, 4, 3, 2)) + tuple(
    Fraction(part, 20) for part in range(1, 19)
)

_GAUSSIAN = "discrete_gaussian/v1"
_LAPLACE = "discrete_laplace/v1"
_SELECTION = "exponential_selection/v1"
_VALUES = "partition_selection/v1"
_TRAINING = "sampled_gaussian/v1"


@dataclass(frozen=True, kw_only=True, eq=False)
class TradeOffCurve:
    """The least false negative rate at each false positive rate, as the largest of lines.

    Attributes:
        slopes: shape ``(lines,)``, above 0: how fast each falls.
        heights: shape ``(lines,)``, of each at a false positive rate of 0.
        method: how it was worked out.
    """

    slopes: Floats
    heights: Floats
    method: str

    def __call__(self, fpr: float | Floats) -> Floats:
        """Return the least false negative rate, in the shape of ``fpr``."""
        rates = np.atleast_1d(np.asarray(fpr, dtype=np.float64))
        starts, slopes, heights = self._topmost
        at = np.searchsorted(starts, rates.ravel(), side="right") - 1
        return np.asarray(heights[at] - rates.ravel() * slopes[at]).reshape(np.shape(fpr))

    @cached_property
    def _topmost(self) -> tuple[Floats, Floats, Floats]:
        """The rates from which on each of the topmost lines is the highest, and those lines."""
        slopes, heights = np.append(self.slopes, 0.0), np.append(self.heights, 0.0)
        starts: list[float] = []
        lines: list[tuple[float, float]] = []
        for at in np.lexsort((-heights, -slopes)).tolist():
            slope, height = float(slopes[at]), float(heights[at])
            if lines and slope == lines[-1][0]:
                continue
            start = -np.inf
            while lines:
                start = (lines[-1][1] - height) / (lines[-1][0] - slope)
                if start > starts[-1]:
                    break
                lines.pop()
                starts.pop()
                start = -np.inf
            lines.append((slope, height))
            starts.append(start)
        kept = np.array(lines)
        return np.array(starts), kept[:, 0], kept[:, 1]

    def lowered(self, slack: float) -> "TradeOffCurve":
        """Return what is left where both distributions are known up to ``slack``.

        Args:
            slack: in total variation, of each of the two; at least 0.
        """
        if slack < 0:
            raise ValueError("slack must be at least 0")
        heights = self.heights - slack * (1 + self.slopes)
        return TradeOffCurve(slopes=self.slopes, heights=heights, method=self.method)


def gaussian_curve(mu: float) -> TradeOffCurve:
    """Return the curve of two unit normals whose means lie ``mu`` apart; ``mu`` above 0."""
    if not mu > 0:
        raise ValueError("mu must be above 0")
    return _curve(mu, np.zeros(1), np.ones(1), method="Gaussian composition")


def claimed_curve(events: Sequence[Mapping[str, str]]) -> TradeOffCurve:
    """Return the curve that a ledger's events, given as documents, amount to together.

    Valid for any placement of a unit's rows that the declared sensitivities allow, and for answers
    chosen after earlier ones, as long as every scale was fixed before the first answer. The better
    at each rate of the composition described above and of the accountant's own (epsilon, delta).

    Args:
        events: as the ledger and a plan write them; at least one.

    Raises:
        UnsupportedEventError: an event is unknown or malformed.
        ValueError: there is no event.
    """
    if not events:
        raise ValueError("a curve needs at least one event")
    return _claimed(tuple(tuple(sorted(event.items())) for event in events))


@lru_cache(maxsize=64)  # every game of a plan asks for the same one
def _claimed(items: tuple[tuple[tuple[str, str], ...], ...]) -> TradeOffCurve:
    events = [dict(event) for event in items]
    # Also refuses what it does not know.
    envelope = _envelope(events)
    if any(event["kind"] == _TRAINING for event in events):
        return envelope
    mu, slack = gaussian_shift(events), 0.0
    for event in events:
        if event["kind"] in (_GAUSSIAN, _VALUES):
            moved = int(Fraction(event["l2_sensitivity_squared"]))
            slack += moved * rounding_distance(float(Fraction(event["sigma_squared"])))
    slack += float(dpsynth.total_reserved_delta(events))
    composed = _curve(mu, *_selected(events), method="").lowered(slack)
    return TradeOffCurve(
        slopes=np.concatenate([composed.slopes, envelope.slopes]),
        heights=np.concatenate([composed.heights, envelope.heights]),
        method="composition of Gaussian noise, selections and pure mechanisms; " + envelope.method,
    )


def gaussian_shift(events: Sequence[Mapping[str, str]]) -> float:
    """Return how far Gaussian noise lets the means lie apart, in standard deviations.

    The root of the sum of squared sensitivity over variance, of every event that adds such noise.
    """
    return sqrt(
        sum(
            Fraction(event["l2_sensitivity_squared"]) / Fraction(event["sigma_squared"])
            for event in events
            if event["kind"] in (_GAUSSIAN, _VALUES)
        )
    )


def rounding_distance(sigma_squared: float) -> float:
    """Return the total variation between discrete and rounded Gaussian noise, rounded up."""
    sigma = sqrt(sigma_squared)
    reach = ceil(_TAIL * sigma) + 1
    if reach > _MOST_VALUES:  # the limit is 0.0202 / sigma squared, reached from below
        return 0.021 / sigma_squared
    # One side and the middle; by symmetry the other side is the same.
    values = np.arange(reach + 1, dtype=np.float64)
    masses = np.exp(-(values**2) / (2 * sigma_squared))
    masses /= 2 * masses.sum() - masses[0]
    rounded = special.ndtr(-(values - 0.5) / sigma) - special.ndtr(-(values + 0.5) / sigma)
    apart = np.abs(masses - rounded)
    return float(apart.sum() - apart[0] / 2) + 1e-12


def bounded_range_divergence(epsilon: float) -> Divergence:
    """Return the divergence of an exponential selection, as a function of the loss.

    The largest over all pairs whose losses lie within an interval ``epsilon`` long, wherever it
    lies: ``(exp(epsilon / 2) - exp(u / 2))^2 / (exp(epsilon) - 1)`` for u in [-epsilon, epsilon].
    It is convex in exp(u), so composing it covers intervals chosen after earlier answers.

    Source:
        Dong, Durfee and Rogers (2020), "Optimal Differential Privacy Composition for Exponential
        Mechanisms"; the maximum is worked out in docs/explanation/how-we-know.md.
    """

    def divergence(loss: Floats) -> Floats:
        held = np.clip(loss, -epsilon, epsilon)
        inside = (exp(epsilon / 2) - np.exp(held / 2)) ** 2 / expm1(epsilon)
        return np.where(loss < -epsilon, -np.expm1(np.minimum(loss, 0.0)), inside)

    return divergence


def pure_divergence(epsilon: float) -> Divergence:
    """Return the divergence of a pure mechanism at its worst, as a function of the loss."""

    def divergence(loss: Floats) -> Floats:
        held = np.clip(loss, -epsilon, epsilon)
        inside = (exp(epsilon) - np.exp(held)) / (1 + exp(epsilon))
        return np.where(loss < -epsilon, -np.expm1(np.minimum(loss, 0.0)), inside)

    return divergence


def _selected(events: Sequence[Mapping[str, str]]) -> tuple[Floats, Floats]:
    """Return losses of all selections and pure mechanisms together, and the mass of each."""
    parts: list[tuple[float, Divergence]] = []
    for event in events:
        if event["kind"] == _SELECTION:
            epsilon = float(Fraction(event["epsilon"]))
            parts.append((epsilon, bounded_range_divergence(epsilon)))
        elif event["kind"] == _LAPLACE:
            epsilon = float(Fraction(event["l1_sensitivity"]) / Fraction(event["scale"]))
            parts.append((epsilon, pure_divergence(epsilon)))
    if not parts:
        return np.zeros(1), np.ones(1)
    if sum(epsilon for epsilon, _ in parts) > _FARTHEST:
        return np.full(1, np.inf), np.ones(1)  # nothing is promised: a loss that no line reaches
    total = sum(epsilon for epsilon, _ in parts)
    # Coarser than a selection is wide is valid too, only weaker.
    step = max(total / _MOST_POINTS, min(total / _POINTS, min(e for e, _ in parts) / 4))
    first = 0
    masses: Floats = np.ones(1)
    for epsilon, divergence in parts:
        reach = ceil(epsilon / step)
        chords = _chords(divergence, step=step, reach=reach)
        masses = np.asarray(np.convolve(masses, chords), dtype=np.float64)
        first -= reach
    kept = masses > 0
    losses: Floats = step * (first + np.arange(masses.size, dtype=np.float64))
    return losses[kept], masses[kept]


def _chords(divergence: Divergence, *, step: float, reach: int) -> Floats:
    """Return masses at ``step * (-reach ... reach)`` whose divergence is the chords of this one."""
    losses = step * np.arange(-reach, reach + 1, dtype=np.float64)
    places = np.exp(losses)
    slopes = np.diff(divergence(np.asarray(losses, dtype=np.float64))) / np.diff(places)
    rises = np.diff(np.concatenate([[-1.0], slopes, [0.0]]))
    return np.asarray(np.maximum(places * rises, 0.0), dtype=np.float64)


def _curve(mu: float, losses: Floats, masses: Floats, *, method: str) -> TradeOffCurve:
    """Return the curve of grid losses and an independent Gaussian one."""
    if np.isinf(losses).any():
        return TradeOffCurve(slopes=np.ones(1), heights=np.zeros(1), method=method)
    far = min(_FARTHEST, float(np.abs(losses).max()) + mu**2 / 2 + _REACH * mu)
    levels = np.linspace(-far, far, _LINES) if mu else losses
    found = np.concatenate(
        [
            _divergence(levels[start : start + _BLOCK, None], mu, losses, masses)
            for start in range(0, levels.size, _BLOCK)
        ]
    )
    slopes = np.exp(levels)
    return TradeOffCurve(slopes=slopes, heights=1 - found - _SAFE * (1 + slopes), method=method)


def _divergence(levels: Floats, mu: float, losses: Floats, masses: Floats) -> Floats:
    """Return the divergence at each of ``levels``, shape ``(levels, 1)``, of both together."""
    if not mu:
        return np.asarray(np.maximum(-np.expm1(levels - losses), 0.0) @ masses, dtype=np.float64)
    apart = (losses - levels) / mu
    near = special.ndtr(apart + mu / 2)
    with np.errstate(under="ignore"):
        away = np.exp(levels - losses + special.log_ndtr(apart - mu / 2))
    return np.asarray((near - away) @ masses, dtype=np.float64)


def _envelope(events: Sequence[Mapping[str, str]]) -> TradeOffCurve:
    """Return the lines of the accountant's (epsilon, delta), each read in both directions."""
    reserved = dpsynth.total_reserved_delta(events)
    slopes, heights = [], []
    for each in _DELTAS:
        delta = each + reserved
        if delta >= 1:
            continue
        epsilon = min(float(dpsynth.claimed_epsilon(events, delta)), _FARTHEST)
        grows = exp(epsilon)
        slopes += [grows, 1 / grows]
        heights += [1 - float(delta), (1 - float(delta)) / grows]
    return TradeOffCurve(
        slopes=np.array(slopes),
        heights=np.array(heights) - _SAFE,
        method="epsilon and delta of the accountant",
    )
