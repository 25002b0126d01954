"""Rules that call a fit "in" or "out", learned on some fits and chosen on others.

Whatever is learned here, a test on fits that were not looked at holds: a bad rule costs power only.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from attacks.stats.trade_off import TradeOffCurve

Floats = NDArray[np.float64]
Score = Callable[["Fits"], Floats]
_SINGLE = 12  # features that are tried by themselves
_RIDGES = (0.03, 0.3, 3.0)
_WORDS = 12
_MOST_THRESHOLDS = 60
_SURE = 3.0  # standard errors that an answer has to move
_SAME = 1e-9  # a spread below it is none


@dataclass(frozen=True, kw_only=True, eq=False)
class Fits:
    """What a number of fits of one table showed.

    Attributes:
        numbers: shape ``(fits, features)``.
        words: of each fit, names and values.
        said: of each fit, the words of warnings, log lines and output.
        answers: shape ``(fits, answers)``, what a transcript shows; no columns where there is none.
    """

    numbers: Floats
    words: Sequence[Mapping[str, object]]
    said: Sequence[frozenset[str]]
    answers: Floats

    def __len__(self) -> int:
        return len(self.words)

    def part(self, start: int, stop: int) -> "Fits":
        """Return some of the fits."""
        at = slice(start, stop)
        return Fits(
            numbers=self.numbers[at],
            words=self.words[at],
            said=self.said[at],
            answers=self.answers[at],
        )

    def joined(self, other: "Fits") -> "Fits":
        """Return these fits and others."""
        return Fits(
            numbers=np.concatenate([self.numbers, other.numbers]),
            words=[*self.words, *other.words],
            said=[*self.said, *other.said],
            answers=np.concatenate([self.answers, other.answers]),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Rule:
    """Calls a fit "in" where its score is above a threshold.

    Attributes:
        name: what the score looks at.
        score: of fits, shape ``(fits,)``, higher where the person is thought to be in.
        threshold: above which a fit is called "in".
        numeric: whether the score is a number that noise moves, not a table of words.
    """

    name: str
    score: Score
    threshold: float
    numeric: bool

    def calls(self, fits: Fits) -> int:
        """Return how many fits are called "in"."""
        return int((self.score(fits) > self.threshold).sum())


def learned(out: Fits, within: Fits, names: Sequence[str]) -> list[tuple[str, Score, bool]]:
    """Return scores that told the training fits apart: name, score, whether it is numeric."""
    found: list[tuple[str, Score, bool]] = []
    center = (out.numbers.mean(axis=0) + within.numbers.mean(axis=0)) / 2
    spread = np.sqrt((out.numbers.var(axis=0) + within.numbers.var(axis=0)) / 2)
    apart = within.numbers.mean(axis=0) - out.numbers.mean(axis=0)
    moved = np.abs(apart) > _SAME
    effect = np.where(moved, np.abs(apart) / (spread + 1e-3 * np.abs(apart) + _SAME), 0.0)
    best = [at for at in np.argsort(-effect)[:_SINGLE].tolist() if effect[at] > 0]
    found += [(names[at], _single(at, float(np.sign(apart[at]))), True) for at in best]
    kept = np.flatnonzero((spread > _SAME) | moved)
    if kept.size:
        scale = np.maximum(spread[kept], 1e-3 * np.abs(apart[kept]) + _SAME)
        pooled = np.concatenate(
            [each.numbers[:, kept] - each.numbers[:, kept].mean(axis=0) for each in (out, within)]
        )
        covariance = (pooled / scale).T @ (pooled / scale) / len(pooled)
        identity = np.eye(kept.size) * (np.trace(covariance) / kept.size + _SAME)
        for ridge in _RIDGES:
            weights = np.linalg.solve(covariance + ridge * identity, apart[kept] / scale)
            score = _linear(kept, scale, weights, center)
            found.append((f"all numbers (ridge {ridge:g})", score, True))
    if out.answers.shape[1] and out.answers.shape == within.answers.shape:
        found += [("all answers", _answered(out, within), True)]
    ratios = {name: _ratios(out, within, name) for name in _named(out, within)}
    strong = sorted(ratios, key=lambda name: -_strength(ratios[name], out, within, name))[:_WORDS]
    found += [(name, _worded({name: ratios[name]}), False) for name in strong]
    said = _said(out, within)
    if said:
        found.append(("what is said", _spoken(said), False))
    if ratios:
        found.append(("all words", _worded({name: ratios[name] for name in strong}), False))
    return found


def chosen(
    scores: Sequence[tuple[str, Score, bool]], out: Fits, within: Fits, curve: TradeOffCurve
) -> Rule:
    """Return the rule with the clearest errors below ``curve`` on these fits.

    Args:
        scores: see ``learned``; at least one.
        out: fits without the person, none of them in training.
        within: fits with the person.
        curve: the claim.
    """
    best: Rule | None = None
    clearest = -np.inf
    for name, score, numeric in scores:
        for flipped in (score, _negated(score)):
            clear, threshold = clearest_threshold(flipped(out), flipped(within), curve)
            if clear > clearest + 1e-9:
                clearest = clear
                best = Rule(name=name, score=flipped, threshold=threshold, numeric=numeric)
    assert best is not None, "there is at least one score"
    return best


def clearest_threshold(held: Floats, other: Floats, curve: TradeOffCurve) -> tuple[float, float]:
    """Return how clearly the best threshold errs less than claimed, and the threshold.

    Args:
        held: scores without the person.
        other: as many scores with the person, higher.
        curve: the claim.
    """
    thresholds = _thresholds(held, other)
    fpr = ((held[:, None] > thresholds).sum(axis=0) + 0.5) / (len(held) + 1)
    fnr = ((other[:, None] <= thresholds).sum(axis=0) + 0.5) / (len(other) + 1)
    clear = margins(fpr, fnr, curve, runs=len(held))
    at = int(np.argmax(clear))
    return float(clear[at]), float(thresholds[at])


def margins(fpr: Floats, fnr: Floats, curve: TradeOffCurve, *, runs: int) -> Floats:
    """Return how many standard errors the errors lie below the claim, about."""
    step = 1e-4
    claimed = curve(fpr)
    slope = (claimed - curve(np.minimum(fpr + step, 1.0))) / step
    error = np.sqrt((fnr * (1 - fnr) + slope**2 * fpr * (1 - fpr)) / runs)
    return np.asarray((claimed - fnr) / np.maximum(error, 1e-12), dtype=np.float64)


def _thresholds(first: Floats, second: Floats) -> Floats:
    values = np.unique(np.concatenate([first, second]))
    if values.size > _MOST_THRESHOLDS:
        values = np.quantile(values, np.linspace(0, 1, _MOST_THRESHOLDS))
    if values.size == 1:
        return values
    return np.asarray((values[1:] + values[:-1]) / 2, dtype=np.float64)


def _single(at: int, sign: float) -> Score:
    return lambda fits: np.asarray(sign * fits.numbers[:, at], dtype=np.float64)


def _negated(score: Score) -> Score:
    return lambda fits: -score(fits)


def _linear(kept: NDArray[np.int64], scale: Floats, weights: Floats, center: Floats) -> Score:
    return lambda fits: np.asarray(
        ((fits.numbers[:, kept] - center[kept]) / scale) @ weights, dtype=np.float64
    )


def _answered(out: Fits, within: Fits) -> Score:
    """Weigh each answer by how far it moved, in its variance; what moved by chance, not at all."""
    apart = within.answers.mean(axis=0) - out.answers.mean(axis=0)
    variance = (within.answers.var(axis=0) + out.answers.var(axis=0)) / 2
    variance = np.maximum(variance, 1e-6 * apart**2 + _SAME)
    surely = np.abs(apart) > _SURE * np.sqrt(2 * variance / len(out))
    weights = np.where(surely, apart / variance, 0.0)
    if not weights.any():
        weights = apart / variance
    return lambda fits: np.asarray(fits.answers @ weights, dtype=np.float64)


def _named(out: Fits, within: Fits) -> list[str]:
    return list(
        dict.fromkeys(name for fits in (out, within) for each in fits.words for name in each)
    )


def _ratios(out: Fits, within: Fits, name: str) -> dict[object, float]:
    """Return how much likelier each value was with the person, as a logarithm."""
    here, there = (Counter(each.get(name) for each in fits.words) for fits in (out, within))
    return {
        value: log((there[value] + 0.5) / (len(within) + 1))
        - log((here[value] + 0.5) / (len(out) + 1))
        for value in (*here, *there)
    }


def _strength(ratios: Mapping[object, float], out: Fits, within: Fits, name: str) -> float:
    there = sum(ratios[each.get(name)] > 0 for each in within.words) / len(within)
    here = sum(ratios[each.get(name)] > 0 for each in out.words) / len(out)
    return there - here


def _worded(ratios: Mapping[str, Mapping[object, float]]) -> Score:
    def score(fits: Fits) -> Floats:
        return np.array(
            [
                sum(table.get(each.get(name), 0.0) for name, table in ratios.items())
                for each in fits.words
            ]
        )

    return score


def _said(out: Fits, within: Fits) -> dict[str, float]:
    here, there = (Counter(word for each in fits.said for word in each) for fits in (out, within))
    found = {
        word: log((there[word] + 0.5) / (len(within) + 1))
        - log((here[word] + 0.5) / (len(out) + 1))
        for word in {*here, *there}
    }
    most = sorted(found, key=lambda word: (-abs(found[word]), word))[:_WORDS]
    return {word: found[word] for word in most}


def _spoken(ratios: Mapping[str, float]) -> Score:
    return lambda fits: np.array(
        [sum(ratio for word, ratio in ratios.items() if word in each) for each in fits.said]
    )
