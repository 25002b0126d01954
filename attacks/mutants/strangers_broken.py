"""Small synthesizers that do not keep their claims, each by one bug, in the public protocol.

Each is what a stranger might hand in. They share the sound parts with ``strangers``; what is broken
is what the class says. Nothing here is known to the audits.
"""

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attacks.conformance.anyone.spec import FrameSpec, Texts
from attacks.mutants.strangers import (
    BINS,
    CELLS,
    COLUMNS,
    DELTA,
    PERSONS,
    REPLACED,
    SEXES,
    WARDS,
    Bounded,
    Case,
    Choice,
    Floats,
    Gaussian,
    Laplace,
    Table,
    ThreeGaussians,
    coded,
)

_EVERY = np.random.default_rng(20_260)  # the same in every process


def _exact(frame: pd.DataFrame) -> Floats:
    return np.bincount(coded(frame), minlength=CELLS).astype(np.float64)


class HalfNoise(Laplace):
    """Noise half as wide as it must be."""

    scale = 0.5


class NoNoise(Laplace):
    """The exact counts."""

    def noise(self, exact: Floats, rng: np.random.Generator) -> Floats:
        return np.zeros(exact.size)


class NoiseOverRows(Laplace):
    """Noise for shares, added to counts: its scale is divided by the number of rows."""

    def noise(self, exact: Floats, rng: np.random.Generator) -> Floats:
        return rng.laplace(0.0, self.scale / max(1.0, exact.sum()), exact.size)


class Uniform(Laplace):
    """Noise of the right variance and the wrong shape: what is out of reach is certain."""

    def noise(self, exact: Floats, rng: np.random.Generator) -> Floats:
        return rng.uniform(-2.45, 2.45, exact.size)


class SharedNoise(Laplace):
    """One draw for all cells."""

    def noise(self, exact: Floats, rng: np.random.Generator) -> Floats:
        return np.full(exact.size, rng.laplace(0.0, self.scale))


class NoiseWhereRowsAre(Laplace):
    """Noise in cells that hold rows, none in the others."""

    def noise(self, exact: Floats, rng: np.random.Generator) -> Floats:
        return np.where(exact > 0, super().noise(exact, rng), 0.0)


class FixedSeed(Laplace):
    """The seed is not used."""

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        return super().fit(frame, seed=7)


class SevenSeeds(Laplace):
    """A generator with seven states."""

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        return super().fit(frame, seed=None if seed is None else seed % 7)


class SeedOfRows(Laplace):
    """The seed is a digest of the rows."""

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        return super().fit(frame, seed=int(_exact(frame) @ np.arange(CELLS)))


class UnfreshNoise(Laplace):
    """Without a seed, the same noise every time."""

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        return super().fit(frame, seed=0 if seed is None else seed)


class SameInEveryProcess(Laplace):
    """Without a seed, noise from a generator that every process starts alike."""

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        return super().fit(frame, seed=int(_EVERY.integers(1 << 40)) if seed is None else seed)


class ExactSize(Laplace):
    """As many rows as there were, by default."""

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        found = super().fit(frame, seed=seed)
        found.total = float(len(frame))
        return found


class RoundedSize(Laplace):
    """The number of rows, rounded up to tens."""

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        found = super().fit(frame, seed=seed)
        found.total = float(-(-len(frame) // 10) * 10)
        return found


class SmallSuppressed(Laplace):
    """Counts below five are set to zero before the noise."""

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        exact = _exact(frame)
        kept = np.where(exact < 5, 0.0, exact)
        noisy = kept + self.noise(kept, np.random.default_rng(seed))
        return Table(noisy, total=float(noisy.sum()), events=self.events())


class LevelsFromRows(Laplace):
    """Only wards that occur can be sampled."""

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        found = super().fit(frame, seed=seed)
        seen = _exact(frame).reshape(len(SEXES), len(WARDS), BINS).sum(axis=(0, 2)) > 0
        cube = found.counts.reshape(len(SEXES), len(WARDS), BINS)
        found.counts = np.where(seen[None, :, None], np.maximum(cube, 0.01), 0.0).ravel()
        return found


class _Ranged(Table):
    low, high = 0.0, 0.0

    def decoded(self, cells: NDArray[np.int64], rng: np.random.Generator) -> pd.DataFrame:
        made = super().decoded(cells, rng)
        return made.assign(days=made["days"].clip(self.low, self.high))


class BoundsFromRows(Laplace):
    """Numbers are kept within the least and the largest that occur."""

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        found = super().fit(frame, seed=seed)
        made = _Ranged(found.counts, total=found.total, events=found.events)
        days = frame["days"].replace([np.inf, -np.inf], np.nan).dropna()
        made.low = float(days.min()) if len(days) else 0.0
        made.high = float(days.max()) if len(days) else 32.0
        return made


class _Raw(Table):
    held: Floats

    def decoded(self, cells: NDArray[np.int64], rng: np.random.Generator) -> pd.DataFrame:
        made = super().decoded(cells, rng)
        if not self.held.size:
            return made
        picked = rng.choice(self.held, len(made))
        near = np.floor(picked / 8) == np.floor(made["days"] / 8)
        return made.assign(days=np.where(near, picked, made["days"]))


class RawWithinBins(Laplace):
    """Within a bin, numbers of the rows."""

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        found = super().fit(frame, seed=seed)
        made = _Raw(found.counts, total=found.total, events=found.events)
        days = frame["days"].to_numpy(dtype=np.float64, na_value=np.nan)
        made.held = days[np.isfinite(days) & (days >= 0) & (days <= 32)]
        return made


class RareCopied(Laplace):
    """Cells of a single row are kept as they are."""

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        exact, found = _exact(frame), super().fit(frame, seed=seed)
        found.counts = np.where(exact == 1, 1.0, found.counts)
        return found


class UntilGood(Laplace):
    """Noise is drawn again until the table is close to the rows."""

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        exact, rng = _exact(frame), np.random.default_rng(seed)
        tries = [exact + self.noise(exact, rng) for _ in range(30)]
        best = min(tries, key=lambda noisy: float(np.abs(noisy - exact).sum()))
        return Table(best, total=float(best.sum()), events=self.events())


class CopyByDefault(Laplace):
    """Asked for no number of rows, it gives the rows themselves, shuffled."""

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        found = super().fit(frame, seed=seed)
        draw, rng = found.sample, np.random.default_rng(seed)
        noisy = max(1, round(found.total))
        rows = frame.iloc[rng.permutation(len(frame))].head(noisy)

        def sample(rows_asked: int | None, *, seed: int | None) -> pd.DataFrame:
            whole = rows_asked is None and len(rows) > 0
            return rows.reset_index(drop=True) if whole else draw(rows_asked, seed=seed)

        found.sample = sample  # type: ignore[method-assign,assignment]  # the bug
        return found


class Unbounded(Bounded):
    """Rows of a person beyond two are counted as well."""

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        return Laplace.fit(self, frame, seed=seed)


class Replaced(Laplace):
    """Noise for one person more or less, where one may stand in place of another."""


class UnderReported(Laplace):
    """Two histograms are counted and averaged, one is charged."""

    def noise(self, exact: Floats, rng: np.random.Generator) -> Floats:
        return (super().noise(exact, rng) + super().noise(exact, rng)) / 2


class OverCharged(Laplace):
    """What is charged costs more than is claimed."""

    def events(self) -> list[dict[str, Any]]:
        return super().events() * 2


class NothingCharged(Laplace):
    """The bill is empty."""

    def events(self) -> list[dict[str, Any]]:
        return []


class ChargedByRows(Laplace):
    """What is charged depends on how many rows there are."""

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        found = super().fit(frame, seed=seed)
        found.events = [{"kind": "pure/v1", "epsilon": 1 / max(1, len(frame))}]
        return found


class DeltaForgotten(Gaussian):
    """The standard deviation is one over epsilon, whatever delta."""

    sigma = 1 / 3.0

    def events(self) -> list[dict[str, Any]]:
        return [{"kind": "gaussian/v1", "sigma_squared": 2.25, "l2_sensitivity_squared": 1}]


class VarianceAsDeviation(Gaussian):
    """The standard deviation is the root of itself."""

    sigma = 1.5**0.5 / 1.5

    def events(self) -> list[dict[str, Any]]:
        return [{"kind": "gaussian/v1", "sigma_squared": 2.25, "l2_sensitivity_squared": 1}]


class OneOfThree(ThreeGaussians):
    """Noise for one histogram, where three are counted."""

    sigma = 2.0 / 3**0.5

    def events(self) -> list[dict[str, Any]]:
        return [{"kind": "gaussian/v1", "sigma_squared": 4, "l2_sensitivity_squared": 1}]


class ArgMax(Choice):
    """The best column is chosen, not an exponential one."""

    def choose(self, scores: Floats, rng: np.random.Generator) -> int:
        return int(np.argmax(scores[::-1])) if scores[2] > scores[0] - 1 else 0


class SaysCount(Laplace):
    """A line of the log tells how many rows there were."""

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        logging.getLogger("stranger").info("fitting %d rows", len(frame))
        return super().fit(frame, seed=seed)


class WarnsOfUnknown(Laplace):
    """A warning where a ward is not declared."""

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        if not set(frame["ward"].dropna()) <= set(WARDS):
            warnings.warn("there are wards that are not declared", stacklevel=1)
        return super().fit(frame, seed=seed)


class FailsOnMissing(Laplace):
    """An exception where a cell is missing."""

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        if frame["sex"].isna().any():
            raise ValueError("cells are missing")
        return super().fit(frame, seed=seed)


class LeavesRows(Laplace):
    """A file with the rows stays behind."""

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        frame.to_csv(Path.cwd() / "cache.csv")
        return super().fit(frame, seed=seed)


class _Typed(Table):
    wards: tuple[str, ...] = WARDS

    def decoded(self, cells: NDArray[np.int64], rng: np.random.Generator) -> pd.DataFrame:
        made = super().decoded(cells, rng)
        kept = made["ward"].where(made["ward"].isin(self.wards), self.wards[0])
        return made.assign(ward=pd.Categorical(kept, categories=list(self.wards)))


class TypeFromRows(Laplace):
    """The categories of a column's type are those of the rows."""

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        found = super().fit(frame, seed=seed)
        made = _Typed(found.counts, total=found.total, events=found.events)
        made.wards = tuple(sorted(set(frame["ward"].dropna()) & set(WARDS))) or WARDS
        return made


class _Named(Table):
    names: tuple[str, ...] = ("nobody",)

    def decoded(self, cells: NDArray[np.int64], rng: np.random.Generator) -> pd.DataFrame:
        made = super().decoded(cells, rng)
        return made.assign(name=rng.choice(np.array(self.names, dtype=object), len(made)))


class NamesPass(Laplace):
    """Names are drawn from the rows' names."""

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> Table:
        found = super().fit(frame, seed=seed)
        made = _Named(found.counts, total=found.total, events=found.events)
        made.names = tuple(map(str, frame["name"])) or ("nobody",)
        return made


NAMED = FrameSpec(columns={**COLUMNS.columns, "name": Texts()})
_PLAIN = (
    HalfNoise, NoNoise, NoiseOverRows, Uniform, SharedNoise, NoiseWhereRowsAre, FixedSeed,
    SevenSeeds, SeedOfRows, UnfreshNoise, SameInEveryProcess, ExactSize, RoundedSize,
    SmallSuppressed, LevelsFromRows, BoundsFromRows, RawWithinBins, RareCopied, UntilGood,
    CopyByDefault, OverCharged, NothingCharged, ChargedByRows, ArgMax, SaysCount,
    WarnsOfUnknown, FailsOnMissing, LeavesRows, TypeFromRows,
)  # fmt: skip
BROKEN = (
    *(Case(make=each) for each in _PLAIN),
    Case(make=UnderReported),
    Case(make=Unbounded, columns=PERSONS),
    Case(make=Replaced, columns=REPLACED),
    Case(make=DeltaForgotten, epsilon=3.0, delta=DELTA),
    Case(make=VarianceAsDeviation, epsilon=3.0, delta=DELTA),
    Case(make=OneOfThree, epsilon=4.1, delta=DELTA),
    Case(make=NamesPass, columns=NAMED),
)
