"""Is one synthesizer no worse than others? Paired by seed, with the uncertainty stated."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from dpsynth.bench.records import METRICS, OK, Record, metric_called
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
        against: label of the comparator; of several, the one that did best here.
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
    against: str
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
    comparators: Sequence[str],
    metric: str = "tvd2",
    tolerance: float = TOLERANCE,
    least_pairs: int = LEAST_PAIRS,
) -> list[Comparison]:
    """Compare a synthesizer with others on every table and budget where there are results.

    The interval is Student's over the paired differences, two-sided: its upper end is exceeded
    with a chance of 2.5 %, stricter than a one-sided bound at 95 %.

    Args:
        records: of runs; failed ones are left out.
        challenger: label of the one on trial.
        comparators: labels of those that it must not be worse than. Of several, the one with the
            best mean at a table and budget counts there. Where one has no budget, as the floor,
            its runs are compared with the challenger's at every budget.
        metric: a name in ``METRICS``.
        tolerance: share of the comparator's mean that the difference may reach.
        least_pairs: seeds that a verdict needs.

    Raises:
        UsageError: no such metric, or nothing to compare with one of the comparators.
    """
    metric_called(metric)
    done = [each for each in records if each["status"] == OK and metric in each]
    theirs = {label: _by_place(done, label, metric) for label in comparators}
    unmet = set(comparators)
    compared = []
    for (dataset, epsilon, protocol), mine in _by_place(done, challenger, metric).items():
        found = []
        for label, places in theirs.items():
            other = places.get((dataset, epsilon, protocol)) or places.get(
                (dataset, None, protocol)
            )
            runs = sorted(set(mine) & set(other or {}))
            if other and runs:
                unmet.discard(label)
                pairs = np.array([[mine[run], other[run]] for run in runs])
                judged = _judged(pairs, metric, tolerance, least_pairs)
                found.append(Comparison(dataset=dataset, epsilon=epsilon, against=label, **judged))
        if found:
            better = min if METRICS[metric].lower_is_better else max
            compared.append(better(found, key=lambda each: each.comparator))
    if unmet:
        raise UsageError(
            f"{challenger!r} and {min(unmet)!r} share no table, budget and seed with {metric}"
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


def _judged(
    pairs: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    metric: str,
    tolerance: float,
    least_pairs: int,
) -> dict[str, Any]:
    differences = pairs[:, 0] - pairs[:, 1]
    mean, count = float(differences.mean()), len(differences)
    low, high = interval(differences)
    comparator = float(pairs[:, 1].mean())
    allowed = tolerance * abs(comparator)
    if METRICS[metric].lower_is_better:
        within, good, bad = high is not None and high <= allowed, "never above", "above"
    else:
        within, good, bad = low is not None and low >= -allowed, "never below", "below"
    return {
        "pairs": count,
        "challenger": float(pairs[:, 0].mean()),
        "comparator": comparator,
        "difference": mean,
        "low": low,
        "high": high,
        "verdict": "too few seeds" if count < least_pairs else (good if within else bad),
    }


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


def markdown(
    records: Sequence[Record],
    *,
    challenger: str,
    comparators: Sequence[str],
    metrics: Sequence[str],
    least_pairs: int = LEAST_PAIRS,
) -> str:
    """Return a table of verdicts: a line for every table, budget and metric; see ``compare``."""
    header = ["table", "epsilon", "metric", "seeds", challenger, "against", "its mean"]
    lines = [[*header, "difference, 95 %", "verdict"]]
    lines.append(["---"] * 3 + ["---:"] * 2 + ["---"] + ["---:"] * 2 + ["---"])
    found: dict[tuple[str, str | None], list[list[str]]] = {}
    for metric in metrics:
        for each in compare(
            records,
            challenger=challenger,
            comparators=comparators,
            metric=metric,
            least_pairs=least_pairs,
        ):
            found.setdefault((each.dataset, each.epsilon), []).append(_line(metric, each))
    lines += [line for place in found.values() for line in place]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _line(metric: str, one: Comparison) -> list[str]:
    digits = METRICS[metric].digits
    reach = ""
    if one.low is not None and one.high is not None:
        reach = f"{one.low:+.{digits}f} to {one.high:+.{digits}f}"
    return [
        one.dataset,
        one.epsilon or "none",
        metric,
        str(one.pairs),
        f"{one.challenger:.{digits}f}",
        one.against,
        f"{one.comparator:.{digits}f}",
        reach,
        one.verdict if one.holds else f"**{one.verdict}**",
    ]
