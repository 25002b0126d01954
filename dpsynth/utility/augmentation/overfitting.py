"""Has a classifier learnt what is true of synthetic rows alone? And what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dpsynth.utility.augmentation.finetuning import Losses, Tuned

TOLERANCE = 0.01  # nats that a gap must surely exceed
_LEAST_ROWS = 10

FEWER = "use fewer synthetic rows for each real one"
EARLIER = "stop earlier"
LARGER = "ask for a release with a larger epsilon, or learnt from more rows"


@dataclass(frozen=True, kw_only=True)
class Gap:
    """How much better a classifier does on synthetic rows that it has not seen than on real ones.

    Attributes:
        synthetic: mean log loss on the synthetic validation rows, in nats.
        real: that on the real ones.
        low: lower end of the 95 % interval of their difference, real less synthetic.
        high: upper end.
        found: whether the gap is surely above 0.01 nats.
        rounds: of training, where it was made in rounds.
        best: the round with the least loss on the real rows; None as above.
        remedies: what to do, the likeliest first; empty where nothing was found.
    """

    synthetic: float
    real: float
    low: float
    high: float
    found: bool
    rounds: int | None = None
    best: int | None = None
    remedies: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = (
            f"log loss {self.synthetic:.3f} on synthetic rows and {self.real:.3f} on real ones "
            f"(difference {self.low:+.3f} to {self.high:+.3f})"
        )
        if not np.isfinite(self.low):
            return f"too few validation rows to tell overfitting to synthetic rows: {said}"
        if not self.found:
            return f"no overfitting to synthetic rows was found: {said}"
        return f"overfitted to synthetic rows: {said}; {'; or '.join(self.remedies)}"


def gap(
    synthetic: Losses,
    real: Losses,
    *,
    curve: Sequence[float] = (),
    share: float | None = None,
) -> Gap:
    """Compare validation losses on synthetic and on real rows, neither of them learnt from.

    The interval is Welch's, over rows. Both sets must hold the classes as they come: rows that were
    drawn to balance classes have another loss for that reason alone.

    Args:
        synthetic: log loss of each synthetic validation row.
        real: of each real one.
        curve: mean loss on real rows before training and after every round, where there are any.
        share: of synthetic rows among those learnt from, where it is known.
    """
    low, high = _welch(real, synthetic)
    found = low > TOLERANCE
    rounds = best = None
    if len(curve) > 1:
        rounds, best = len(curve) - 1, int(np.argmin(curve))
    remedies: list[str] = []
    if found:
        if rounds is not None and best is not None and curve[-1] - curve[best] > TOLERANCE:
            remedies.append(f"{EARLIER}, after {best} of {rounds} rounds")
        if share is None or share > 1 / 2:
            remedies.append(FEWER)
        remedies.append(LARGER)
    return Gap(
        synthetic=float(np.mean(synthetic)),
        real=float(np.mean(real)),
        low=low,
        high=high,
        found=found,
        rounds=rounds,
        best=best,
        remedies=tuple(remedies),
    )


def gap_of(tuned: Tuned) -> Gap:
    """Return the gap after the rounds of pre-training that were kept.

    Stopping early has been done already, so that is no remedy; fine-tuning follows, and is one.
    """
    curve = tuned.losses["real"][: tuned.pretrained + 1]
    return gap(tuned.held["synthetic"], tuned.held["real"], curve=curve)


def _welch(first: Losses, second: Losses) -> tuple[float, float]:
    """Return the 95 % interval of a difference of means; all numbers where rows are too few."""
    from scipy import stats

    if min(len(first), len(second)) < _LEAST_ROWS:
        return -np.inf, np.inf
    spread = [each.var(ddof=1) / len(each) for each in (first, second)]
    difference, variance = float(first.mean() - second.mean()), float(sum(spread))
    if variance == 0:
        return difference, difference
    freedom = variance**2 / sum(
        part**2 / (len(each) - 1) for part, each in zip(spread, (first, second), strict=True)
    )
    around = float(stats.t.ppf(0.975, freedom)) * variance**0.5
    return difference - around, difference + around
