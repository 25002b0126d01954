"""Mechanisms: the only functions that turn exact integers into releasable ones."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dpsynth import _validate
from dpsynth.privacy.events import (
    DiscreteGaussianEvent,
    DiscreteLaplaceEvent,
    ExponentialSelectionEvent,
    PartitionSelectionEvent,
)
from dpsynth.privacy.randomness import RandomSource
from dpsynth.privacy.samplers import (
    MAX_SCALE,
    discrete_gaussian,
    discrete_laplace,
    exponential_choice,
)


@dataclass(frozen=True, kw_only=True)
class DiscreteGaussian:
    """Add independent integer noise to every cell of a count vector.

    Args:
        sigma_squared: noise parameter, in rows squared, exact. Each cell's noise ``z`` has
            probability proportional to ``exp(-z**2 / (2 * sigma_squared))``; its variance is
            at most ``sigma_squared``.

    Privacy:
        ``l2_sensitivity_squared / (2 * sigma_squared)``-zCDP, under the neighboring relation
        for which the sensitivity was derived.

    Source:
        Canonne, Kamath and Steinke (2020), "The Discrete Gaussian for Differential Privacy",
        arXiv:2004.00010, Theorem 14; docs/proofs/discrete-gaussian.md.
    """

    sigma_squared: Fraction

    def __post_init__(self) -> None:
        _validate.exact(sigma_squared=self.sigma_squared)
        _validate.positive(sigma_squared=self.sigma_squared)
        _validate.at_most(MAX_SCALE**2, sigma_squared=self.sigma_squared)

    def event(self, *, l2_sensitivity_squared: Fraction) -> DiscreteGaussianEvent:
        """Describe one use of this mechanism to an accountant. Reads no data."""
        return DiscreteGaussianEvent(
            sigma_squared=self.sigma_squared, l2_sensitivity_squared=l2_sensitivity_squared
        )

    def release(self, counts: NDArray[np.int64], *, rng: RandomSource) -> NDArray[np.int64]:
        """Return ``counts`` with fresh noise in every cell.

        Args:
            counts: shape ``(cells,)``, int64, rows per cell.
            rng: source of privacy noise.

        Returns:
            Shape ``(cells,)``, int64. A cell may be negative: rounding it up to zero here
            would bias every sum computed from the release.

        Raises:
            TypeError: ``counts`` is not int64; a float carries rounding error of the data.
            ValueError: ``counts`` is not one-dimensional.
        """
        _validate.counts(counts=counts)
        return counts + discrete_gaussian(Fraction(self.sigma_squared), size=counts.size, rng=rng)


@dataclass(frozen=True, kw_only=True)
class DiscreteLaplace:
    """Add independent two-sided geometric noise to every cell of a count vector.

    Args:
        scale: noise parameter, in rows, exact. Each cell's noise ``z`` has probability
            proportional to ``exp(-abs(z) / scale)``.

    Privacy:
        ``l1_sensitivity / scale``-DP, hence half its square in zCDP.

    Source:
        Ghosh, Roughgarden and Sundararajan (2009), "Universally Utility-Maximizing Privacy
        Mechanisms"; docs/proofs/discrete-laplace.md.
    """

    scale: Fraction

    def __post_init__(self) -> None:
        _validate.exact(scale=self.scale)
        _validate.positive(scale=self.scale)
        _validate.at_most(MAX_SCALE, scale=self.scale)

    def event(self, *, l1_sensitivity: Fraction) -> DiscreteLaplaceEvent:
        """Describe one use of this mechanism to an accountant. Reads no data."""
        return DiscreteLaplaceEvent(scale=self.scale, l1_sensitivity=l1_sensitivity)

    def release(self, counts: NDArray[np.int64], *, rng: RandomSource) -> NDArray[np.int64]:
        """Return ``counts`` with fresh noise in every cell; as ``DiscreteGaussian.release``."""
        _validate.counts(counts=counts)
        return counts + discrete_laplace(Fraction(self.scale), size=counts.size, rng=rng)


@dataclass(frozen=True, kw_only=True)
class ExponentialSelection:
    """Choose one candidate, likelier the larger its score.

    Args:
        epsilon: exact. Candidate ``i`` is chosen with probability proportional to
            ``exp(epsilon * scores[i] / (2 * sensitivity))``.

    Privacy:
        ``epsilon**2 / 8``-zCDP where no score moves by more than ``sensitivity`` between
        neighbors.

    Source:
        McSherry and Talwar (2007); Cesar and Rogers (2021), arXiv:2004.07223, Lemma 3.4;
        docs/proofs/exponential-selection.md.
    """

    epsilon: Fraction

    def __post_init__(self) -> None:
        _validate.exact(epsilon=self.epsilon)
        _validate.positive(epsilon=self.epsilon)

    def event(self) -> ExponentialSelectionEvent:
        """Describe one choice to an accountant. Reads no data."""
        return ExponentialSelectionEvent(epsilon=self.epsilon)

    def select(self, scores: NDArray[np.int64], *, sensitivity: Fraction, rng: RandomSource) -> int:
        """Return the index of the chosen candidate.

        Args:
            scores: shape ``(candidates,)``, int64, at least one.
            sensitivity: the most that one score moves between neighbors, above 0.
            rng: source of privacy noise.

        Raises:
            TypeError: ``scores`` is not int64.
            ValueError: there is no candidate.
        """
        _validate.counts(scores=scores)
        if not scores.size:
            raise ValueError("scores must hold at least one candidate")
        rate = Fraction(self.epsilon) / (2 * Fraction(sensitivity))
        return exponential_choice(scores, rate=rate, rng=rng)


@dataclass(frozen=True, kw_only=True)
class PartitionSelection:
    """Release the values that enough units hold, by noisy counts against a threshold.

    Args:
        sigma_squared: of the discrete Gaussian noise on every count, in units squared, exact.
        threshold: least noisy count that is released, a whole number, at least 2; see
            ``dpsynth.privacy.accounting.selection_threshold``.
        delta: set aside for the release of a value that one unit alone holds, exact.

    Privacy:
        ``delta``-approximate ``l2_sensitivity_squared / (2 * sigma_squared)``-zCDP where a unit
        adds at most 1 to a count, and ``delta`` covers ``max_new`` counts of 1; the accountant
        refuses the event where it does not.

    Source:
        Korolova, Kenthapadi, Mishra and Ntoulas (2009); Desfontaines, Voss, Gipson and Mandayam
        (2022), arXiv:2006.03684; Swanberg, Desfontaines and Haney (2023), "DP-SIPS";
        docs/proofs/partition-selection.md.
    """

    sigma_squared: Fraction
    threshold: int
    delta: Fraction

    def __post_init__(self) -> None:
        _validate.at_most(MAX_SCALE**2, sigma_squared=self.sigma_squared)
        self.event(l2_sensitivity_squared=Fraction(1), max_new=Fraction(1))  # checks the fields

    def event(
        self, *, l2_sensitivity_squared: Fraction, max_new: Fraction
    ) -> PartitionSelectionEvent:
        """Describe one use of this mechanism to an accountant. Reads no data."""
        return PartitionSelectionEvent(
            sigma_squared=self.sigma_squared,
            threshold=Fraction(self.threshold),
            l2_sensitivity_squared=l2_sensitivity_squared,
            max_new=max_new,
            delta=self.delta,
        )

    def release(
        self, counts: NDArray[np.int64], *, rng: RandomSource
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the places in ``counts`` that are released, ascending, and their noisy counts.

        Args:
            counts: shape ``(values,)``, int64, units a value. A value that no unit holds is
                never released: it would tell that somebody knew of it.
            rng: source of privacy noise.

        Raises:
            TypeError: ``counts`` is not int64.
            ValueError: ``counts`` is not one-dimensional.
        """
        _validate.counts(counts=counts)
        held = np.flatnonzero(counts > 0)
        noise = discrete_gaussian(Fraction(self.sigma_squared), size=held.size, rng=rng)
        noisy = counts[held] + noise
        released = noisy >= self.threshold
        return held[released], noisy[released]
