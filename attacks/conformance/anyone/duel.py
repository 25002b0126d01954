"""Two worlds, many fits of each: is the person's presence seen more often than the claim allows?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, log
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from attacks.conformance.anyone.features import Reader
from attacks.conformance.anyone.rules import Fits, Floats, chosen, learned
from attacks.conformance.anyone.tables import Pair
from attacks.conformance.anyone.watch import Seen, watch
from attacks.stats import paired
from attacks.stats.trade_off import TradeOffCurve, claimed_curve

if TYPE_CHECKING:
    import pandas as pd

    from attacks.conformance.anyone.protocol import Mechanism
    from attacks.conformance.anyone.spec import FrameSpec

LEVEL = 0.01  # of all statistical tests of one trial together
WANTED = 0.95  # power, and confidence of a bound
# Error rates at which a power is looked at.
_PLACES = (0.003, 0.01, 0.03, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8)
FACTOR = 2.0  # of too little noise that a trial must be able to see
_ENOUGH = 800  # fits, of which a part is enough to choose a rule
SELECT = 0.25  # of the fits that are not learned from choose a rule; the others test it


@dataclass(kw_only=True, eq=False)
class Bench:
    """Where a mechanism is run: every fit with a seed of its own, in an empty folder.

    Args:
        mechanism: what is on trial.
        spec: of its tables.
        rows: to be sampled of each fit.
        seed: of all fits; no two trials with different seeds share the seed of a fit.
        folder: an empty folder.
    """

    mechanism: "Mechanism"
    spec: "FrameSpec"
    rows: int
    seed: int
    folder: Path
    fits: int = field(default=0, init=False)

    def seen(self, table: "pd.DataFrame", count: int) -> list[Seen]:
        """Return ``count`` fits of ``table``, each with noise of its own."""
        found = []
        for _ in range(count):
            found.append(self.once(table, seed=self.seed * 1_000_000 + self.fits))
            self.fits += 1
        return found

    def once(self, table: "pd.DataFrame", *, seed: int | None, rows: int | None = None) -> Seen:
        """Return one fit."""
        return watch(
            self.mechanism,
            table,
            seed=seed,
            rows=self.rows if rows is None else rows,
            folder=self.folder,
        )


@dataclass(frozen=True, kw_only=True)
class Duel:
    """What came of one pair of tables.

    Attributes:
        pair: what the two tables differ in.
        rule: what the rule looked at.
        false_positives: fits without the person that were called "in", of the test.
        runs_out: fits without the person, of the test.
        false_negatives: fits with the person that were called "out".
        runs_in: fits with the person.
        p_value: of the claimed curve.
        epsilon_lower_bound: at 95 %, for any mechanism.
        ceiling: of that bound, had no fit been called wrongly.
        power: estimated chance to reject, were the noise half of what it is.
    """

    pair: str
    rule: str
    false_positives: int
    runs_out: int
    false_negatives: int
    runs_in: int
    p_value: float
    epsilon_lower_bound: float
    ceiling: float
    power: float

    @property
    def errors(self) -> paired.Errors:
        """The errors of the rule."""
        return paired.Errors(
            false_positives=self.false_positives,
            runs_out=self.runs_out,
            false_negatives=self.false_negatives,
            runs_in=self.runs_in,
        )


def claim_curve(
    epsilon: float, delta: float, events: Sequence[Mapping[str, str]] | None
) -> TradeOffCurve:
    """Return the largest of the curves of an (epsilon, delta) and of events, where there are any.

    Raises:
        UnsupportedEventError: an event is unknown or malformed.
    """
    if events is not None and not events:  # nothing charged: nothing may be told
        return TradeOffCurve(slopes=np.ones(1), heights=np.ones(1), method="nothing was charged")
    grows = exp(min(epsilon, 300.0))
    slopes, heights = [grows, 1 / grows], [1 - delta, (1 - delta) / grows]
    if events is None:
        return TradeOffCurve(
            slopes=np.array(slopes), heights=np.array(heights), method="epsilon and delta as told"
        )
    composed = claimed_curve(events)
    return TradeOffCurve(
        slopes=np.concatenate([slopes, composed.slopes]),
        heights=np.concatenate([heights, composed.heights]),
        method="epsilon and delta as told; " + composed.method,
    )


def gathered(reader: Reader, seen: Sequence[Seen]) -> Fits:
    """Return the features of fits."""
    read = [reader.read(each) for each in seen]
    return Fits(
        numbers=np.array([numbers for numbers, _ in read]),
        words=[words for _, words in read],
        said=[each.words for each in seen],
        answers=_answers(seen),
    )


def _answers(seen: Sequence[Seen]) -> Any:
    rows = [
        np.concatenate(
            [
                np.zeros(0),
                *(
                    np.ravel(np.asarray(part, dtype=np.float64))
                    for part in each.transcript or ()
                    if part is not None
                ),
            ]
        )
        for each in seen
    ]
    width = min((row.size for row in rows), default=0)
    same = all(row.size == width for row in rows)
    return np.array([np.nan_to_num(row) for row in rows]) if same else np.zeros((len(rows), 0))


def duel(
    pair: Pair,
    first: tuple[Fits, Fits],
    rest: tuple[Fits, Fits],
    *,
    curve: TradeOffCurve,
    names: Sequence[str],
    delta: float,
    tests: int,
) -> Duel:
    """Return what a rule learned on some fits makes of others.

    Args:
        pair: the tables.
        first: fits without the person and with the person, that scores are learned on.
        rest: as many fits of either table, others than these: a part of them chooses the rule, and
            the test is made on what is left.
        curve: the claim.
        names: of the numbers of the fits.
        delta: of the claim.
        tests: that share the level, for the power.
    """
    runs = min(map(len, rest))
    select = max(1, int(SELECT * min(runs, _ENOUGH)))
    scores = learned(*first, names)
    trial = [each.part(0, select) for each in rest]
    tested = [each.part(select, runs) for each in rest]
    rule = chosen(scores, trial[0], trial[1], curve)
    errors = paired.Errors(
        false_positives=rule.calls(tested[0]),
        runs_out=len(tested[0]),
        false_negatives=len(tested[1]) - rule.calls(tested[1]),
        runs_in=len(tested[1]),
    )
    bound, _ = paired.epsilon_lower_bounds(errors, delta=delta, confidence=WANTED)
    return Duel(
        pair=pair.name,
        rule=rule.name,
        false_positives=errors.false_positives,
        runs_out=errors.runs_out,
        false_negatives=errors.false_negatives,
        runs_in=errors.runs_in,
        p_value=paired.p_value(errors, curve),
        epsilon_lower_bound=bound.value,
        ceiling=bound.ceiling,
        power=_power(scores, trial, tested, curve, pure=delta == 0, level=LEVEL / tests),
    )


def apart(scores: Sequence[Any], trial: Sequence[Fits], tested: Sequence[Fits]) -> float:
    """Return how often the best numeric score is higher with the person, on fits held out.

    The best is found on ``trial``; a half where nothing is told apart.
    """
    numeric = [score for _, score, is_number in scores if is_number]
    if not numeric:
        return 0.5
    best = max(numeric, key=lambda score: abs(_higher(*map(score, trial)) - 0.5))
    sign = 1 if _higher(*map(best, trial)) >= 0.5 else -1
    return _higher(*(sign * best(each) for each in tested))


def _higher(held: Floats, other: Floats) -> float:
    order = np.sort(held)
    below = np.searchsorted(order, other, side="left")
    up_to = np.searchsorted(order, other, side="right")
    return float((below + up_to).mean() / (2 * len(held)))


def _power(
    scores: Sequence[Any],
    trial: Sequence[Fits],
    tested: Sequence[Fits],
    curve: TradeOffCurve,
    *,
    pure: bool,
    level: float,
) -> float:
    """Return the estimated chance to reject were the noise half as wide.

    From the errors of the best number now, as if it were one shifted number with Gaussian noise;
    for a pure claim the worse of Gaussian and Laplace noise.
    """
    numeric = [each for each in scores if each[2]]
    if not numeric:
        return 0.0
    rule = chosen(numeric, trial[0], trial[1], curve)
    runs = len(tested[0])
    fpr = (rule.calls(tested[0]) + 0.5) / (runs + 1)
    fnr = (runs - rule.calls(tested[1]) + 0.5) / (runs + 1)
    shift = float(-special.ndtri(fpr) - special.ndtri(fnr))
    if shift <= 0:
        return 0.0
    rules = special.ndtri(_PLACES)
    gaussian = [(float(special.ndtr(x)), float(special.ndtr(-FACTOR * shift - x))) for x in rules]
    found = paired.best_power(curve, gaussian, runs=runs, level=level)
    if not pure:
        return found
    loss = FACTOR * _laplace_loss(fpr, fnr)
    points = [(exp(-loss) / (4 * x), x) for x in _PLACES if exp(-loss) / 2 <= x <= 0.5]
    points += [(other, one) for one, other in points]
    return min(found, paired.best_power(curve, points, runs=runs, level=level)) if points else 0.0


def _laplace_loss(fpr: float, fnr: float) -> float:
    """Return the loss of the Laplace trade-off curve that passes through two error rates."""
    low, high = min(fpr, fnr), max(fpr, fnr)
    if high >= 0.5:
        return max(0.0, log((1 - high) / low))
    return max(0.0, -log(4 * fpr * fnr))
