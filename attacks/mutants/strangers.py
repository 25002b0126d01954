"""Small synthesizers that keep their claims, in the public protocol and nothing of dpsynth's.

What is written here is what a stranger would write: one histogram of all columns, noise, a sample.
They are controls for ``attacks.conformance.put_on_trial``, and what the broken ones are made from.
They are toys: floating-point noise, no ledger. Protect nobody with them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attacks.conformance.anyone.spec import REPLACE, FrameSpec, Texts

Floats = NDArray[np.float64]
SEXES, WARDS = ("f", "m"), ("a", "b", "c")
LOW, HIGH, BINS = 0.0, 32.0, 4
CELLS = len(SEXES) * len(WARDS) * BINS
COLUMNS = FrameSpec.of({"sex": list(SEXES), "ward": list(WARDS), "days": (LOW, HIGH)})
REPLACED = FrameSpec(columns=COLUMNS.columns, neighboring=REPLACE)
EPSILON = 1.0


def coded(frame: pd.DataFrame) -> NDArray[np.int64]:
    """Return the cell of every row; what is undeclared or missing counts as the first value."""
    sex = _codes(frame["sex"], SEXES)
    ward = _codes(frame["ward"], WARDS)
    days = frame["days"].to_numpy(dtype=np.float64, na_value=LOW)
    days = np.clip(np.nan_to_num(days, nan=LOW), LOW, HIGH)
    bins = np.minimum((days - LOW) / (HIGH - LOW) * BINS, BINS - 1).astype(np.int64)
    return np.asarray((sex * len(WARDS) + ward) * BINS + bins, dtype=np.int64)


def _codes(cells: "pd.Series[Any]", levels: Sequence[str]) -> NDArray[np.int64]:
    held = cells.to_numpy(dtype=object)
    found = np.zeros(held.size, dtype=np.int64)
    for code, level in enumerate(levels):
        found[held == level] = code
    return found


class Table:
    """Noisy counts of all cells, to be sampled."""

    def __init__(self, counts: Floats, *, total: float, events: Sequence[Any]) -> None:
        self.counts, self.total, self.events = counts, total, events

    def cells(self, rows: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw cells."""
        kept = np.maximum(self.counts, 0.0)
        chances = kept / kept.sum() if kept.sum() > 0 else np.full(kept.size, 1 / kept.size)
        return rng.choice(kept.size, size=rows, p=chances)

    def sample(self, rows: int | None, *, seed: int | None) -> pd.DataFrame:
        """Draw rows; by default as many as the noisy counts add up to."""
        rng = np.random.default_rng(seed)
        cells = self.cells(max(1, round(self.total)) if rows is None else rows, rng)
        return self.decoded(cells, rng)

    def decoded(self, cells: NDArray[np.int64], rng: np.random.Generator) -> pd.DataFrame:
        """Return values of cells, numbers evenly within their bins."""
        bins, groups = cells % BINS, cells // BINS
        width = (HIGH - LOW) / BINS
        return pd.DataFrame(
            {
                "sex": np.array(SEXES, dtype=object)[groups // len(WARDS)],
                "ward": np.array(WARDS, dtype=object)[groups % len(WARDS)],
                "days": LOW + width * (bins + rng.random(cells.size)),
            }
        )


class Laplace:
    """One histogram of all columns with Laplace noise; epsilon-DP."""

    epsilon = EPSILON
    scale = 1 / EPSILON

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        """Count, add noise."""
        rng = np.random.default_rng(seed)
        exact = np.bincount(coded(frame), minlength=CELLS).astype(np.float64)
        noisy = exact + self.noise(exact, rng)
        return Table(noisy, total=float(noisy.sum()), events=self.events())

    def noise(self, exact: Floats, rng: np.random.Generator) -> Floats:
        """Return the noise of all cells."""
        return rng.laplace(0.0, self.scale, exact.size)

    def events(self) -> list[dict[str, Any]]:
        """Return what a fit is charged for."""
        return [{"kind": "pure/v1", "epsilon": self.epsilon}]


class MoreNoise(Laplace):
    """With a half more noise than its claim needs."""

    scale = 1.5 / EPSILON


class Geometric(Laplace):
    """Two-sided geometric noise on whole numbers, from another generator."""

    def noise(self, exact: Floats, rng: np.random.Generator) -> Floats:
        """Return the difference of two geometric numbers."""
        other = np.random.Generator(np.random.Philox(rng.integers(1 << 62)))
        chance = 1 - np.exp(-1 / self.scale)
        first, second = (other.geometric(chance, exact.size) for _ in range(2))
        return np.asarray(first - second, dtype=np.float64)


class Gaussian(Laplace):
    """One histogram with Gaussian noise; the claim is the event's."""

    sigma = 1.5

    def noise(self, exact: Floats, rng: np.random.Generator) -> Floats:
        """Return Gaussian noise."""
        return rng.normal(0.0, self.sigma, exact.size)

    def events(self) -> list[dict[str, Any]]:
        """Return one event."""
        return [
            {
                "kind": "gaussian/v1",
                "sigma_squared": self.sigma**2,
                "l2_sensitivity_squared": 1,
            }
        ]


class ThreeGaussians(Gaussian):
    """A histogram of every column by itself, and a sample that takes columns as independent."""

    sigma = 2.0

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        """Count every column, add noise to each."""
        rng = np.random.default_rng(seed)
        exact = np.bincount(coded(frame), minlength=CELLS).astype(np.float64)
        cube = exact.reshape(len(SEXES), len(WARDS), BINS)
        sides = [cube.sum(axis=axes) for axes in ((1, 2), (0, 2), (0, 1))]
        noisy = [np.maximum(side + self.noise(side, rng), 0.01) for side in sides]
        shares = [side / side.sum() for side in noisy]
        total = float(np.mean([side.sum() for side in noisy]))
        product = np.einsum("i,j,k->ijk", *shares).ravel() * total
        return Table(product, total=total, events=self.events() * 3)


class Bounded(Laplace):
    """Of each person two rows at most, chosen by the noise's own generator."""

    person, max_rows = "person", 2
    scale = 2 / EPSILON

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        """Keep two rows of each person, then count."""
        rng = np.random.default_rng(seed)
        order = frame.iloc[rng.permutation(len(frame))]
        kept = order.groupby(self.person, sort=False).head(self.max_rows)
        return super().fit(kept, seed=int(rng.integers(1 << 62)) if seed is not None else None)


class RandomizedResponse(Laplace):
    """Every row says its cell or, by a coin, any; the number of rows is public (replace)."""

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        """Answer for every row, keep the counts of the answers."""
        rng = np.random.default_rng(seed)
        cells = coded(frame)
        honest = (np.exp(self.epsilon) - 1) / (np.exp(self.epsilon) - 1 + CELLS)
        said = np.where(rng.random(cells.size) < honest, cells, rng.integers(0, CELLS, cells.size))
        counts = np.bincount(said, minlength=CELLS).astype(np.float64)
        return Table(counts, total=float(len(frame)), events=self.events())


class Choice(Laplace):
    """Chooses one column by its counts, exponentially, and counts that column alone."""

    share = 0.2  # of epsilon

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        """Choose, then count."""
        rng = np.random.default_rng(seed)
        cube = np.bincount(coded(frame), minlength=CELLS).astype(np.float64)
        cube = cube.reshape(len(SEXES), len(WARDS), BINS)
        sides = [cube.sum(axis=axes, keepdims=True) for axes in ((1, 2), (0, 2), (0, 1))]
        scores = np.array([side.max() for side in sides])
        chosen = self.choose(scores, rng)
        side = sides[chosen]
        scale = 1 / ((1 - self.share) * self.epsilon)
        noisy = np.maximum(side + rng.laplace(0.0, scale, side.shape), 0.0)
        even = np.broadcast_to(noisy / (CELLS / side.size), cube.shape)
        return Table(even.ravel(), total=float(noisy.sum()), events=self.events())

    def choose(self, scores: Floats, rng: np.random.Generator) -> int:
        """Return a column; a score moves by one at most."""
        return int(np.argmax(self.share * self.epsilon / 2 * scores + rng.gumbel(size=scores.size)))

    def events(self) -> list[dict[str, Any]]:
        """Return a choice and a histogram."""
        return [
            {"kind": "exponential_selection/v1", "epsilon": self.share * self.epsilon},
            {"kind": "pure/v1", "epsilon": (1 - self.share) * self.epsilon},
        ]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A mechanism with the claim that it is held against.

    Attributes:
        make: what makes it.
        columns: of its tables.
        epsilon: claimed.
        delta: claimed.
    """

    make: Callable[[], Any]
    columns: FrameSpec = COLUMNS
    epsilon: float = EPSILON
    delta: float = 0.0

    @property
    def name(self) -> str:
        """Of what makes it."""
        return self.make.__name__


PERSONS = FrameSpec(
    columns={**COLUMNS.columns, Bounded.person: Texts()},
    person=Bounded.person,
    max_rows=Bounded.max_rows,
)
DELTA = 1e-5
CORRECT = (
    Case(make=Laplace),
    Case(make=MoreNoise),
    Case(make=Geometric),
    Case(make=Gaussian, epsilon=3.0, delta=DELTA),
    Case(make=ThreeGaussians, epsilon=4.1, delta=DELTA),
    Case(make=Bounded, columns=PERSONS),
    Case(make=RandomizedResponse, columns=REPLACED),
    Case(make=Choice),
)
