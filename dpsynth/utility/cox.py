"""The Cox model of survival: the same covariates fitted in each table, through statsmodels."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.encoding.codec import codecs
from dpsynth.utility import bootstrap
from dpsynth.utility.replication.combining import interval_overlap
from dpsynth.utility.scores import Score
from dpsynth.utility.tables import NAMES, Tables

if TYPE_CHECKING:
    from dpsynth.utility.survival import Followed

MOST_ROWS = 10_000  # of a table in a fit
MOST_TERMS = 40
MOST_LEVELS = 6  # of one column, besides those that the others are held against
REACH = 3.0  # standard deviations at which a number is cut: one far row would decide the fit
LEAST = 10  # real rows with the event, and without, that a value needs
_Z = 1.959963984540054
_WILD = 20.0  # standard error of a log hazard ratio that says nothing
_ABSENT = -1  # stands for a missing number

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Term:
    """One covariate.

    Attributes:
        name: for people.
        column: that it comes from.
        level: the group of codes that it marks; None of a number.
        mean: of the number in the real rows.
        scale: standard deviation of it there.
    """

    name: str
    column: str
    level: int | None = None
    mean: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """Log hazard ratios of one table; NaN where it cannot tell.

    Attributes:
        values: shape ``(terms,)``.
        covariance: shape ``(terms, terms)``.
    """

    values: Floats
    covariance: Floats

    def intervals(self, values: Floats | None = None) -> list[tuple[float, float]]:
        """Return the 95 % intervals, around other values where given."""
        center = self.values if values is None else values
        half = _Z * np.sqrt(np.diag(self.covariance))
        return list(zip((center - half).tolist(), (center + half).tolist(), strict=True))

    def drawn(self, rng: np.random.Generator) -> Floats:
        """Return estimates that other rows could have given, shape ``(replicates, terms)``."""
        told = np.flatnonzero(~np.isnan(self.values))
        found = np.full((bootstrap.REPLICATES, len(self.values)), np.nan)
        if told.size:
            found[:, told] = rng.multivariate_normal(
                self.values[told], self.covariance[np.ix_(told, told)], bootstrap.REPLICATES
            )
        return found


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What the Cox models of the tables say."""

    scores: tuple[Score, ...] = ()
    coefficients: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()


def compare(tables: Tables, held: Mapping[str, "Followed"], *, seed: int) -> Compared:
    """Fit the same Cox model in every table, and compare coefficients with the real ones.

    Covariates are all other columns: numbers in standard deviations of the real rows, cut at
    three of them, values against the most frequent one, rare values (fewer than 10 real rows with
    the event or without) with it. A column that decides the event by itself thereby has no
    coefficient.

    Args:
        tables: the coded tables.
        held: by table, the rows with a time and an outcome.
        seed: of the intervals, which draw both tables' estimates from their normal distributions.
    """
    try:
        import statsmodels  # noqa: F401  # asked for, not used
    except ImportError:
        return Compared(notes=("Cox coefficients need statsmodels: pip install dpsynth[utility].",))
    terms = list(_terms(tables, held["real"]))
    left_out = len(terms) - MOST_TERMS
    terms = terms[:MOST_TERMS]
    if not terms:
        return Compared(notes=("No other column has enough events for a Cox model.",))
    fits = {name: fit(design(tables, name, held[name], terms), held[name]) for name in NAMES}
    if np.isnan(fits["real"].values).all():
        return Compared(notes=("The Cox model cannot be fitted in the real rows.",))
    notes = [
        "Cox model, log hazard ratios: numbers per standard deviation of the real rows and "
        "cut at three of them, values against the most frequent one and the rare ones; missing "
        "numbers count as the mean."
    ]
    if left_out > 0:
        notes.append(f"The first {MOST_TERMS} coefficients are compared; {left_out} are left out.")
    if any(len(found) > MOST_ROWS for found in held.values()):
        notes.append(f"Cox models are fitted in {MOST_ROWS:,} rows of a table at most.")
    return Compared(
        scores=tuple(_scores(fits, seed=seed)),
        coefficients=tuple(_coefficients(terms, fits)),
        notes=tuple(notes),
    )


def design(tables: Tables, name: str, held: "Followed", terms: list[Term]) -> Floats:
    """Return the covariates of the rows in ``held``, shape ``(rows, terms)``."""
    rows = np.flatnonzero(held.known)
    found = np.empty((len(rows), len(terms)))
    for place, term in enumerate(terms):
        if term.level is None or term.level == _ABSENT:
            values = tables.values[name][term.column][rows]
            absent = np.isnan(values)
            scaled = np.clip((values - term.mean) / term.scale, -REACH, REACH)
            scaled = np.where(absent, 0.0, scaled)
            found[:, place] = absent if term.level == _ABSENT else scaled
        else:
            found[:, place] = tables.codes[name][term.column][rows] == term.level
    return found


def fit(covariates: Floats, held: "Followed") -> Fit:
    """Fit one model; a covariate that is constant among events or others is not told.

    Args:
        covariates: shape ``(rows, terms)``.
        held: times and outcomes of the same rows.
    """
    from statsmodels.duration.hazard_regression import PHReg

    covariates, time, event = covariates[:MOST_ROWS], held.time[:MOST_ROWS], held.event[:MOST_ROWS]
    terms = covariates.shape[1]
    values, covariance = np.full(terms, np.nan), np.zeros((terms, terms))
    told = np.array(
        [at for at in range(terms) if _moves(covariates[event, at], covariates[~event, at])],
        dtype=np.int64,
    )
    if told.size:
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")  # of what does not converge the errors are wild
                model = PHReg(time, covariates[:, told], status=event.astype(float), ties="efron")
                found = model.fit(disp=0)
                estimates, errors = np.asarray(found.params), np.asarray(found.bse)
                spread = np.asarray(found.cov_params())
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            return Fit(values=values, covariance=covariance)
        sure = np.isfinite(estimates) & np.isfinite(errors) & (errors > 0) & (errors < _WILD)
        values[told[sure]] = estimates[sure]
        covariance[np.ix_(told[sure], told[sure])] = spread[np.ix_(sure, sure)]
    return Fit(values=values, covariance=covariance)


def _moves(*parts: Floats) -> bool:
    """Return whether a covariate differs among rows with the event and among rows without."""
    return all(part.size > 0 and float(np.ptp(part)) > 0 for part in parts)


def _terms(tables: Tables, real: "Followed") -> Iterator[Term]:
    rows = np.flatnonzero(real.known)
    tools = codecs(tables.schema)
    for column in tables.sizes:
        if column in (tables.time, tables.event):
            continue
        if column in tables.values["real"]:
            values = tables.values["real"][column][rows]
            present = values[~np.isnan(values)]
            if present.size and np.ptp(present) > 0:
                mean, scale = float(present.mean()), float(present.std())
                yield Term(name=f"{column}, per SD", column=column, mean=mean, scale=scale)
            if _enough(np.isnan(values), real.event):
                yield Term(name=f"{column} missing", column=column, level=_ABSENT)
            continue
        codes = tables.codes["real"][column][rows]
        order = np.argsort(-np.bincount(codes, minlength=tables.sizes[column]), kind="stable")
        kept = [level for level in order[1:].tolist() if _enough(codes == level, real.event)]
        has_missing = tools[column].has_missing
        for level in sorted(kept[:MOST_LEVELS]):
            missing = has_missing and level == tables.sizes[column] - 1
            label = "missing" if missing else f"= {tables.labels[column][level]}"
            yield Term(name=f"{column} {label}", column=column, level=level)


def _enough(marked: NDArray[np.bool_], event: NDArray[np.bool_]) -> bool:
    """Return whether a value is common enough among rows with the event and rows without."""
    return min(int((marked & event).sum()), int((marked & ~event).sum())) >= LEAST


def _scores(fits: Mapping[str, Fit], *, seed: int) -> Iterator[Score]:
    real, synthetic = fits["real"], fits["synthetic"]
    rng = np.random.default_rng(seed)
    drawn = list(zip(real.drawn(rng), synthetic.drawn(rng), strict=True))
    for name, measure, better in (
        ("mean overlap of the intervals of Cox coefficients", overlap, "higher"),
        ("share of Cox coefficients that agree in sign and significance", agreement, "higher"),
        ("mean difference of Cox coefficients (log hazard ratios)", difference, "lower"),
    ):
        value = measure(real, synthetic)
        replicates = np.array([measure(real, synthetic, *pair) for pair in drawn])
        most = 1.0 if better == "higher" else np.inf
        low, high = bootstrap.interval(value, replicates, most=most)
        yield Score(
            name=name,
            value=value,
            ceiling=measure(real, fits["holdout"]),
            floor=measure(real, fits["floor"]),
            low=low,
            high=high,
            better="higher" if better == "higher" else "lower",
            note="a coefficient that the table cannot tell counts as none"
            if measure is difference
            else "a coefficient that the table cannot tell counts as a miss",
        )


def overlap(
    real: Fit, other: Fit, drawn: Floats | None = None, other_drawn: Floats | None = None
) -> float:
    """Return the mean overlap of intervals, each at least 0, over the coefficients of ``real``."""
    first, second = real.intervals(drawn), other.intervals(other_drawn)
    found = [
        0.0 if np.isnan(theirs[0]) else max(0.0, interval_overlap(*mine, *theirs))
        for mine, theirs in zip(first, second, strict=True)
        if not np.isnan(mine[0])
    ]
    return float(np.mean(found))


def agreement(
    real: Fit, other: Fit, drawn: Floats | None = None, other_drawn: Floats | None = None
) -> float:
    """Return the share of coefficients that are above 0, below it, or unclear in both tables."""
    verdicts = [
        [np.nan if np.isnan(low) else float(low > 0) - float(high < 0) for low, high in intervals]
        for intervals in (real.intervals(drawn), other.intervals(other_drawn))
    ]
    found = [one == two for one, two in zip(*verdicts, strict=True) if not np.isnan(one)]
    return float(np.mean(found))


def difference(
    real: Fit, other: Fit, drawn: Floats | None = None, other_drawn: Floats | None = None
) -> float:
    """Return the mean absolute difference; NaN where no coefficient is told in both tables."""
    first = real.values if drawn is None else drawn
    second = other.values if other_drawn is None else other_drawn
    apart = np.abs(first - second)
    told = apart[~np.isnan(apart)]
    return float(told.mean()) if told.size else float("nan")


def _coefficients(terms: list[Term], fits: Mapping[str, Fit]) -> Iterator[dict[str, Any]]:
    intervals = {name: found.intervals() for name, found in fits.items()}
    for place, term in enumerate(terms):
        record: dict[str, Any] = {"name": term.name}
        for name in ("real", "synthetic", "holdout"):
            value = fits[name].values[place]
            record[name] = None if np.isnan(value) else [float(value), *intervals[name][place]]
        yield record
