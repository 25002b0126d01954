"""How good are predicted shares? Every figure takes weights of the rows, so that one can bootstrap.

Definitions are scikit-learn's. A figure that rows do not determine (no positive row, say) is NaN.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dpsynth.utility.downstream.models import Shares
from dpsynth.utility.downstream.task import Labels

BINS = 10  # of equal width, for calibration
ROUNDS = 200  # of the bootstrap
_MOST_POINTS = 200  # of a curve in a report

Values = NDArray[np.float64]
Truth = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A figure of merit: what it is called, and its direction."""

    title: str
    better: Literal["lower", "higher"]


MEASURES: Mapping[str, Measure] = {
    "accuracy": Measure(title="accuracy", better="higher"),
    "precision": Measure(title="precision", better="higher"),
    "recall": Measure(title="recall", better="higher"),
    "f1": Measure(title="F1", better="higher"),
    "auroc": Measure(title="AUROC", better="higher"),
    "auprc": Measure(title="AUPRC", better="higher"),
    "brier": Measure(title="Brier score", better="lower"),
    "ece": Measure(title="expected calibration error", better="lower"),
}


def measure(shares: Shares, labels: Labels, weights: Values | None = None) -> dict[str, float]:
    """Return every figure of ``MEASURES``.

    Of two classes precision, recall, F1, both areas, Brier score (in [0, 1]) and calibration are
    those of the positive one; of more the plain means over classes that the rows have, save the
    Brier score, which is then the sum over classes, in [0, 2]. A row is taken for the class of
    its greatest share.

    Args:
        shares: predicted, shape ``(rows, classes)``.
        labels: true classes, shape ``(rows,)``.
        weights: of the rows, at least 0; 1 where not given.
    """
    weights = np.ones(len(labels)) if weights is None else weights
    total = weights.sum()
    if not total:
        return dict.fromkeys(MEASURES, np.nan)
    taken = shares.argmax(axis=1)
    found = {"accuracy": float(weights[taken == labels].sum() / total)}
    places = [1] if shares.shape[1] == 2 else range(shares.shape[1])
    each = {place: of_class(shares, labels, place, weights) for place in places}
    found["brier"] = float(np.sum([one["brier"] for one in each.values()]))
    here = [one for place, one in each.items() if len(each) == 1 or weights[labels == place].any()]
    for name in ("precision", "recall", "f1", "auroc", "auprc", "ece"):
        found[name] = float(np.mean([one[name] for one in here]))
    return {name: found[name] for name in MEASURES}


def of_class(
    shares: Shares, labels: Labels, place: int, weights: Values | None = None
) -> dict[str, float]:
    """Return the figures of one class against all others, accuracy left out."""
    weights = np.ones(len(labels)) if weights is None else weights
    share, truth, taken = shares[:, place], labels == place, shares.argmax(axis=1) == place
    hits = weights[taken & truth].sum()
    precision, recall = _over(hits, weights[taken].sum()), _over(hits, weights[truth].sum())
    both = weights[taken].sum() + weights[truth].sum()
    true, false = _steps(share, truth, weights)
    return {
        "precision": precision,
        "recall": recall,
        "f1": _over(2 * hits, both),
        "auroc": _roc_area(true, false),
        "auprc": _average_precision(true, false),
        "brier": _over(float((weights * (share - truth) ** 2).sum()), weights.sum()),
        "ece": _calibration_error(share, truth, weights),
    }


def f1_at_share(shares: Shares, labels: Labels, cut: float) -> float:
    """Return F1 of the positive class where a row counts as positive from ``cut`` on."""
    truth, taken = labels == 1, shares[:, 1] >= cut
    return _over(2 * float((taken & truth).sum()), float(taken.sum() + truth.sum()))


def _over(part: float, whole: float) -> float:
    """Return a ratio; 0 of nothing, as scikit-learn has it."""
    return float(part / whole) if whole else 0.0


def _steps(share: Values, truth: Truth, weights: Values) -> tuple[Values, Values]:
    """Return weights of true and false positives as the cut falls, one step a distinct share."""
    order = np.argsort(-share, kind="stable")
    sorted_share = share[order]
    ends = np.append(np.flatnonzero(np.diff(sorted_share)), len(share) - 1)
    held = weights[order]
    true = np.cumsum(np.where(truth[order], held, 0.0))[ends]
    false = np.cumsum(np.where(truth[order], 0.0, held))[ends]
    return np.concatenate([[0.0], true]), np.concatenate([[0.0], false])


def _roc_area(true: Values, false: Values) -> float:
    whole = true[-1] * false[-1]
    return float(np.trapezoid(true, false) / whole) if whole else float("nan")


def _average_precision(true: Values, false: Values) -> float:
    """Return the sum of precisions weighted by the steps of recall."""
    if not true[-1]:
        return float("nan")
    taken = true + false
    precision = np.divide(true, taken, out=np.zeros_like(true), where=taken > 0)
    return float((np.diff(true) * precision[1:]).sum() / true[-1])


def _calibration_error(share: Values, truth: Truth, weights: Values) -> float:
    total, predicted, observed = _binned(share, truth, weights)
    return float(np.abs(predicted - observed).sum() / total.sum()) if total.any() else float("nan")


def _binned(share: Values, truth: Truth, weights: Values) -> tuple[Values, Values, Values]:
    """Return the weight of each bin, its sum of predicted shares, and that of positive rows."""
    bins = np.minimum((share * BINS).astype(np.int64), BINS - 1)
    found = (
        np.bincount(bins, weights=each, minlength=BINS).astype(np.float64)
        for each in (weights, weights * share, weights * truth)
    )
    total, predicted, observed = found
    return total, predicted, observed


def roc_curve(shares: Shares, labels: Labels, place: int) -> list[list[float]]:
    """Return points [false positive rate, true positive rate], at most 201, or none."""
    true, false = _steps(shares[:, place], labels == place, np.ones(len(labels)))
    if not (true[-1] and false[-1]):
        return []
    kept = np.unique(np.linspace(0, len(true) - 1, _MOST_POINTS + 1).astype(np.int64))
    points = zip(false[kept] / false[-1], true[kept] / true[-1], strict=True)
    return [[round(float(x), 4), round(float(y), 4)] for x, y in points]


def calibration_curve(shares: Shares, labels: Labels, place: int) -> list[list[float]]:
    """Return points [mean predicted share, observed share] of the bins that hold rows."""
    total, predicted, observed = _binned(shares[:, place], labels == place, np.ones(len(labels)))
    return [
        [round(float(p / t), 4), round(float(o / t), 4)]
        for t, p, o in zip(total, predicted, observed, strict=True)
        if t
    ]


def intervals(
    figures: Callable[[Values], Mapping[str, float]], rows: int, *, seed: int
) -> dict[str, tuple[float, float] | tuple[None, None]]:
    """Return 95 % bootstrap intervals over test rows, by figure; None, None where undetermined.

    Args:
        figures: of weights of the rows.
        rows: number of test rows.
        seed: of the 200 draws.
    """
    drawn: dict[str, list[float]] = {}
    for weights in draws(rows, seed=seed):
        for name, value in figures(weights).items():
            drawn.setdefault(name, []).append(value)
    return {name: _interval(np.array(values)) for name, values in drawn.items()}


def draws(rows: int, *, seed: int) -> Iterator[Values]:
    """Yield how often each row is drawn, of as many draws as there are rows."""
    rng = np.random.default_rng(seed)
    for _ in range(ROUNDS):
        yield np.bincount(rng.integers(0, rows, rows), minlength=rows).astype(np.float64)


def _interval(values: Values) -> tuple[float, float] | tuple[None, None]:
    known = values[~np.isnan(values)]
    if known.size < ROUNDS // 2:
        return None, None
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
