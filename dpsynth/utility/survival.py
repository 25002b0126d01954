"""Time to an event: Kaplan-Meier curves, the log-rank test, and Cox coefficients.

The curves and the test are computed here, for all replicates of the bootstrap at once; the tests
hold them against statsmodels and scipy. The Cox model is statsmodels' ``PHReg``, with Efron's ties.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.encoding.codec import GridCodec, codecs
from dpsynth.errors import DataError
from dpsynth.utility import bootstrap, cox
from dpsynth.utility.scores import Score, Section
from dpsynth.utility.tables import NAMES, Tables

LEFT = 0.05  # share of the real rows that are still followed where curves are last compared
MOST_POINTS = 300  # of a curve in the document
HAPPENED = frozenset({"1", "true", "yes", "y", "t", "dead", "died", "death", "deceased", "event"})

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Followed:
    """Rows with a time and an outcome.

    Attributes:
        time: shape ``(rows,)``, how long each was followed.
        event: shape ``(rows,)``, whether the event happened at the end of it.
        known: shape of the whole table, which of its rows have both cells.
    """

    time: NDArray[np.float64]
    event: NDArray[np.bool_]
    known: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.time)


def survival(tables: Tables, *, seed: int) -> Section | None:
    """Compare survival; None where no time and event are named.

    Scores: the Kaplan-Meier gap (mean absolute difference of the curves of the synthetic and the
    real rows up to the time at which 5 % of the real rows are still followed: the integrated
    difference over that time), the log-rank statistic of synthetic against real rows (1 degree of
    freedom; above 3.84 one row in twenty of its null distribution lies), and of a Cox model on the
    other columns the mean overlap of 95 % intervals with those of the real rows, the share of
    coefficients with the same sign and significance, and the mean difference of log hazard ratios.

    Tables:
        curves: ``x``, ``y`` and ``lines``: points of the Kaplan-Meier curves of each table.
        coefficients: by name, ``[value, low, high]`` in the real rows, the synthetic ones, and the
            holdout; None where a table cannot tell.

    Raises:
        DataError: the time column holds no numbers, or no value of the event column is the event.

    Sources:
        Kaplan and Meier (1958), JASA 53, 457-481; Mantel (1966), Cancer Chemotherapy Reports 50,
        163-170; Cox (1972), JRSS B 34, 187-220.
    """
    if tables.time is None or tables.event is None:
        return None
    held = {name: followed(tables, name) for name in NAMES}
    if any(len(found) < 2 or not found.event.any() for found in held.values()):
        return Section(
            key="survival",
            title="Time to the event",
            notes=("A table has no event, or fewer than two rows with a time: not compared.",),
        )
    weigh = {
        name: bootstrap.weights(len(held[name]), seed=seed + place)
        for place, name in enumerate(("synthetic", "real"))
    }
    until = float(np.quantile(held["real"].time, 1 - LEFT))
    found = cox.compare(tables, held, seed=seed)
    dropped = 1 - float(held["synthetic"].known.mean())
    notes = [
        f"Curves are compared up to {until:,.4g}, when 5 % of the real rows are still followed.",
        *found.notes,
    ]
    if dropped:
        notes.append(f"{100 * dropped:.1f} % of the synthetic rows lack a time or an outcome.")
    return Section(
        key="survival",
        title=f"Time to the event: {tables.time} and {tables.event}",
        scores=(_gap_score(held, weigh, until), _rank_score(held, weigh), *found.scores),
        tables={
            "curves": {
                "x": tables.time,
                "y": f"share without {tables.event}",
                "lines": {
                    name: points(held[name], until=until)
                    for name in ("real", "synthetic", "holdout")
                },
            },
            **({"coefficients": found.coefficients} if found.coefficients else {}),
        },
        notes=tuple(notes),
    )


def followed(tables: Tables, name: str) -> Followed:
    """Return the compared rows of a table that have a time and an outcome.

    Raises:
        DataError: see ``survival``.
    """
    if tables.time is None or tables.event is None:
        raise DataError("survival needs a time column and an event column")
    if tables.time not in tables.values[name] or tables.kinds[tables.time] == "date":
        raise DataError(f"column {tables.time!r} holds no numbers, so it is no follow-up time")
    rows = len(tables.real) if name == "real" else tables.compared
    time = tables.values[name][tables.time][:rows]
    happened, absent = _outcome(tables, name, rows)
    known = ~np.isnan(time) & ~absent
    return Followed(time=time[known], event=happened[known], known=known)


def _outcome(tables: Tables, name: str, rows: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return in which rows the event happened, and in which nobody knows."""
    event = str(tables.event)
    tool = codecs(tables.schema)[event]
    texts = [text.partition(" (")[0].strip().lower() for text in tables.labels[event]]
    last = len(texts) - 1 if tool.has_missing else len(texts)
    meant = [place for place, text in enumerate(texts[:last]) if text in HAPPENED]
    if len(meant) != 1 or last < 2:
        raise DataError(
            f"column {event!r} does not say which value is the event: declare it as boolean, or "
            "with the values 0 and 1, or no and yes"
        )
    if isinstance(tool, GridCodec) and last > 2:
        raise DataError(f"column {event!r} has more numbers than 0 and 1, so it is no event")
    codes = tables.codes[name][event][:rows]
    return codes == meant[0], codes >= last


def kaplan_meier(
    time: NDArray[np.float64], event: NDArray[np.bool_], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the share that has no event up to and including each of ``at``, which rise."""
    steps = np.unique(time)  # every time is one, or censored rows would still be at risk later
    at_risk, events = _counts(time, event, steps, np.ones((len(time), 1), dtype=np.float32))
    curve = _curve(at_risk.astype(np.float64), events.astype(np.float64))[:, 0]
    return np.append(1.0, curve)[np.searchsorted(steps, at, side="right")]


def gap(first: Followed, second: Followed, *, until: float) -> float:
    """Return the integrated absolute difference of two curves up to ``until``, over ``until``."""
    grid = _grid(first, second, until)
    curves = [kaplan_meier(held.time, held.event, grid) for held in (first, second)]
    return float(np.abs(curves[0] - curves[1]) @ _lengths(grid, until))


def log_rank(first: Followed, second: Followed) -> float:
    """Return the log-rank statistic of two groups of rows: chi-square, 1 degree of freedom."""
    grid = np.unique(np.concatenate([first.time, second.time]))
    counts = [
        _counts(held.time, held.event, grid, np.ones((len(held), 1), dtype=np.float32))
        for held in (first, second)
    ]
    return float(_rank_statistic(*counts)[0])


def p_value(statistic: float) -> float:
    """Return the chance of a log-rank statistic at least as large where nothing differs."""
    from scipy.stats import chi2

    return float(chi2.sf(statistic, df=1))


def points(held: Followed, *, until: float = np.inf) -> list[list[float]]:
    """Return the Kaplan-Meier curve up to ``until`` as points, at most 300 of them."""
    times = np.unique(held.time)
    times = times[times <= until]
    if not times.size:
        return [[0.0, 1.0]]
    curve = kaplan_meier(held.time, held.event, times)
    steps = np.flatnonzero(np.diff(curve, prepend=1.0))
    kept = np.unique(np.append(steps, len(times) - 1))
    if len(kept) > MOST_POINTS:
        kept = kept[np.linspace(0, len(kept) - 1, MOST_POINTS).round().astype(np.int64)]
    return [[0.0, 1.0], *([float(times[at]), float(curve[at])] for at in kept)]


def _gap_score(
    held: Mapping[str, Followed], weigh: Mapping[str, bootstrap.Weights], until: float
) -> Score:
    real = held["real"]
    value = gap(held["synthetic"], real, until=until)
    grid = _grid(held["synthetic"], real, until)
    curves = [
        _curve(*_counts(held[name].time, held[name].event, grid, weigh[name]))
        for name in ("synthetic", "real")
    ]
    replicates = _lengths(grid, until) @ np.abs(curves[0] - curves[1])
    low, high = bootstrap.interval(value, replicates)
    return Score(
        name="Kaplan-Meier gap: mean difference of the curves",
        value=value,
        ceiling=gap(held["holdout"], real, until=until),
        floor=gap(held["floor"], real, until=until),
        low=low,
        high=high,
        better="lower",
    )


def _rank_score(held: Mapping[str, Followed], weigh: Mapping[str, bootstrap.Weights]) -> Score:
    value = log_rank(held["synthetic"], held["real"])
    grid = np.unique(np.concatenate([held["synthetic"].time, held["real"].time]))
    counts = [
        _counts(held[name].time, held[name].event, grid, weigh[name])
        for name in ("synthetic", "real")
    ]
    low, high = bootstrap.interval(value, _rank_statistic(*counts), most=np.inf)
    ends = {name: log_rank(held[name], held["real"]) for name in ("holdout", "floor")}
    return Score(
        name="log-rank statistic (chi-square, 1 degree of freedom)",
        value=value,
        ceiling=ends["holdout"],
        floor=ends["floor"],
        low=low,
        high=high,
        better="lower",
        note=f"p = {p_value(value):.2g}; of the holdout p = {p_value(ends['holdout']):.2g}. "
        "It grows with the number of rows, so read it against the ceiling.",
    )


def _grid(first: Followed, second: Followed, until: float) -> NDArray[np.float64]:
    """Return all times at which a curve may fall, from 0 up to ``until``."""
    times = np.concatenate([first.time, second.time, [0.0]])
    found: NDArray[np.float64] = np.unique(times[times <= until])
    return found


def _lengths(grid: NDArray[np.float64], until: float) -> NDArray[np.float64]:
    """Return the share of the time from 0 to ``until`` that each step holds."""
    return np.diff(np.append(grid, until)) / (until - grid[0] if until > grid[0] else 1.0)


def _counts(
    time: NDArray[np.float64],
    event: NDArray[np.bool_],
    grid: NDArray[np.float64],
    weight: bootstrap.Weights,
) -> tuple[Floats, Floats]:
    """Return weighted rows at risk just before, and events in, each step of ``grid``.

    Shape ``(steps, replicates)``. A step is from the grid point before (excluded) to its own
    (included); times above the last point stay at risk.
    """
    places = np.searchsorted(grid, time[: len(weight)], side="left")
    cells = len(grid) + 1
    leaving = bootstrap.counts(places, cells, weight)
    events = bootstrap.sums(places, cells, weight, event.astype(np.float32))
    at_risk = np.cumsum(leaving[::-1], axis=0)[::-1]
    return at_risk[:-1], events[:-1]


def _curve(at_risk: Floats, events: Floats) -> Floats:
    safe = np.where(at_risk > 0, at_risk, 1)
    found: Floats = np.cumprod(1 - np.where(at_risk > 0, events, 0) / safe, axis=0)
    return found


def _rank_statistic(first: tuple[Floats, Floats], second: tuple[Floats, Floats]) -> Floats:
    """Return the statistic of Mantel (1966): hypergeometric mean and variance at each time."""
    (risk, events), (other_risk, other_events) = (
        tuple(part.astype(np.float64) for part in group) for group in (first, second)
    )
    at_risk, all_events = risk + other_risk, events + other_events
    safe = np.where(at_risk > 0, at_risk, 1)
    expected = all_events * risk / safe
    spread = np.where(
        at_risk > 1, (at_risk - all_events) / np.where(at_risk > 1, at_risk - 1, 1), 0
    )
    variance = (all_events * (risk / safe) * (other_risk / safe) * spread).sum(axis=0)
    apart = (events - expected).sum(axis=0)
    found: Floats = np.where(variance > 0, apart**2 / np.where(variance > 0, variance, 1), 0)
    return found
