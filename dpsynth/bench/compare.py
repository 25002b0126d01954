"""Is one synthesizer better than another? Paired by seed, with the uncertainty stated."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from dpsynth.bench.records import METRICS, OK, Record
from dpsynth.errors import UsageError

LEAST_PAIRS = 10
TOLERANCE = 0.02
_CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One table and budget: the challenger less the comparator, over the same seeds.

    Attributes:
        dataset: the table.
        epsilon: the budget.
        pairs: seeds that both finished.
        challenger: mean of its metric over those seeds.
        comparator: likewise.
        difference: mean of the paired differences.
        low: lower end of their 95 % interval; None with fewer than two pairs.
        high: upper end.
        verdict: "never above" where ``high`` is at most the tolerance times the comparator, else
            "above"; "too few seeds" below the number of pairs asked for. For a metric of which
            more is better: "never below" and "below", by ``low``.
    """

    dataset: str
    epsilon: str | None
    pairs: int
    challenger: float
    comparator: float
    difference: float
    low: float | None
    high: float | None
    verdict: str

    @property
    def holds(self) -> bool:
        """Whether the challenger is shown to be no worse, within the tolerance."""
        return self.verdict.startswith("never")


def compare(
    records: Sequence[Record],
    *,
    challenger: str,
    comparator: str,
    metric: str = "tvd2",
    tolerance: float = TOLERANCE,
    least_pairs: int = LEAST_PAIRS,
) -> list[Comparison]:
    """Compare two synthesizers on every table and budget where both have results.

    The interval is Student's over the paired differences, two-sided: its upper end is exceeded
    with a chance of 2.5 %, stricter than a one-sided bound at 95 %.

    Args:
        records: of runs; failed ones are left out.
        challenger: label of the one on trial.
        comparator: label of the one that it must not be worse than. Where it has no budget, as
            the floor, its runs are compared with the challenger's at every budget.
        metric: a name in ``METRICS``.
        tolerance: share of the comparator's mean that the difference may reach.
        least_pairs: seeds that a verdict needs.

    Raises:
        UsageError: no such metric, or nothing to compare.
    """
    if metric not in METRICS:
        raise UsageError(f"no metric is called {metric!r}; there are: {', '.join(METRICS)}")
    done = [each for each in records if each["status"] == OK and metric in each]
    theirs = _by_place(done, comparator, metric)
    compared = []
    for (dataset, epsilon, protocol), mine in _by_place(done, challenger, metric).items():
        other = theirs.get((dataset, epsilon, protocol)) or theirs.get((dataset, None, protocol))
        runs = sorted(set(mine) & set(other or {}))
        if other and runs:
            pairs = np.array([[mine[run], other[run]] for run in runs])
            compared.append(_compared(dataset, epsilon, pairs, metric, tolerance, least_pairs))
    if not compared:
        raise UsageError(
            f"{challenger!r} and {comparator!r} share no table, budget and seed with {metric}"
        )
    return compared


def _by_place(
    done: Sequence[Record], label: str, metric: str
) -> dict[tuple[str, str | None, str], dict[int, float]]:
    places: dict[tuple[str, str | None, str], dict[int, float]] = {}
    for each in done:
        if each["synthesizer"] == label:
            place = (each["dataset"], each["epsilon"], each["protocol"])
            places.setdefault(place, {})[each["run"]] = each[metric]
    return places


def _compared(
    dataset: str,
    epsilon: str | None,
    pairs: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    metric: str,
    tolerance: float,
    least_pairs: int,
) -> Comparison:
    differences = pairs[:, 0] - pairs[:, 1]
    mean, count = float(differences.mean()), len(differences)
    low, high = interval(differences)
    comparator = float(pairs[:, 1].mean())
    allowed = tolerance * abs(comparator)
    if METRICS[metric].lower_is_better:
        within, good, bad = high is not None and high <= allowed, "never above", "above"
    else:
        within, good, bad = low is not None and low >= -allowed, "never below", "below"
    verdict = "too few seeds" if count < least_pairs else (good if within else bad)
    return Comparison(
        dataset=dataset,
        epsilon=epsilon,
        pairs=count,
        challenger=float(pairs[:, 0].mean()),
        comparator=comparator,
        difference=mean,
        low=low,
        high=high,
        verdict=verdict,
    )


def interval(
    differences: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> tuple[float | None, float | None]:
    """Return the 95 % interval of a mean, Student's; (None, None) for fewer than two numbers."""
    from scipy.special import stdtrit

    count = len(differences)
    if count < 2:
        return None, None
    reach = float(stdtrit(count - 1, (1 + _CONFIDENCE) / 2))
    reach *= float(differences.std(ddof=1)) / sqrt(count)
    mean = float(differences.mean())
    return mean - reach, mean + reach
