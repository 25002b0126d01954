"""Bounds on chances, each a pure function of counts that a check stores beside its result.

Every function takes a check's document and returns the numbers that follow from its statistic, its
trials, its level and what it gives; see ``attacks.conformance.follows``.
"""

from collections.abc import Callable, Mapping
from math import exp, log, sqrt
from typing import Any

from attacks.conformance.energy import Energy, chance_of_energy
from attacks.stats.laws import divergence_p_value, law_of

Numbers = dict[str, float | None]
Checked = Mapping[str, Any]

ENERGIES, CELL, SIGNS, SQUARES = "energies", "cell", "signs", "squares"
FREEDMAN, SPREAD, NORMAL, HOEFFDING = "freedman", "spread", "normal", "hoeffding"
FAR, DIFFERENT, BATCHES, DRAWN, GRID = "far", "different", "batches", "drawn", "grid"
SLACK = 1e-3  # of a clip norm that a unit may add less, for floating point


def chance_below(mean: float, size: int) -> float:
    """Return the logarithm of a bound on the chance of so small a mean of squares.

    Of chi-square: P(mean of squares <= x) <= exp(-n (x - 1 - log x) / 2) for x below 1.
    """
    if mean >= 1:
        return 0.0
    held = max(mean, 1e-300)
    return -size * (held - 1 - log(held)) / 2


def _p(log_p: float) -> Numbers:
    return {"p_value": exp(min(log_p, 0.0))}


def _energies(check: Checked) -> Numbers:
    """Chernoff's bound for a mean energy, over the groups that it was the least of."""
    given = check["given"]
    sizes = {law_of(each): int(each["count"]) for each in given["laws"]}
    if sum(sizes.values()) != check["trials"]:
        raise ValueError("the counts of the laws are not those of the check")
    found = Energy(count=check["trials"], mean=check["statistic"], sizes=sizes)
    # Bonferroni over both ways of looking at every group.
    return _p(chance_of_energy(found, above=given["above"]) + log(2 * given["groups"]))


def _cell(check: Checked) -> Numbers:
    """Chernoff's bound for the mean energy of the one cell that gets least."""
    given = check["given"]
    runs = check["trials"]
    found = Energy(count=runs, mean=check["statistic"], sizes={law_of(given): runs})
    return _p(chance_of_energy(found, above=given["above"]) + log(given["cells"]))


def _signs(check: Checked) -> Numbers:
    """Signs of symmetric, independent noise agree as often as not: Hoeffding's inequality."""
    return _p(log(2) - check["trials"] * check["statistic"] ** 2 / 2)


def _squares(check: Checked) -> Numbers:
    """A mean of squares of standard normal draws, over the numbers that it was the least of."""
    return _p(chance_below(check["statistic"], check["trials"]) + log(check["given"]["numbers"]))


def _freedman(check: Checked) -> Numbers:
    """A sum that should be no more than 0, of terms that hang on earlier ones.

    Source:
        Freedman (1975), "On Tail Probabilities for Martingales", with a known variance.
    """
    given, gained = check["given"], check["statistic"]
    most = 2 * (given["variance"] + given["widest"] * max(gained, 0.0) / 3)
    return _p(-(gained**2) / most if gained > 0 and most > 0 else 0.0)


def _spread(check: Checked) -> Numbers:
    """A mean of squares of all but normal values, by chi-square: too small, or on either side."""
    from scipy import special

    values = check["trials"]
    half = check["statistic"] * values / 2
    below = float(special.gammainc(values / 2, half))
    if not check["given"]["both"]:
        return {"p_value": below}
    return {"p_value": min(1.0, 2 * min(below, float(special.gammaincc(values / 2, half))))}


def _normal(check: Checked) -> Numbers:
    from scipy.stats import norm

    bound = float(norm.isf(check["level"] / 2))
    return {"bound": bound, "lower_bound": -bound}


def _hoeffding(check: Checked) -> Numbers:
    """The largest of several sums of signs, each over its standard deviation."""
    return {"bound": sqrt(2 * log(2 * check["given"]["tests"] / check["level"]))}


def _far(check: Checked) -> Numbers:
    from scipy.stats import binom

    chance = check["given"]["chance"]
    return {"p_value": float(binom.cdf(round(check["statistic"]), check["trials"], chance))}


def _different(check: Checked) -> Numbers:
    """One draw changes the number of different ones by one at most: McDiarmid's inequality."""
    apart = sqrt(check["trials"] * log(1 / check["level"]) / 2)
    return {"lower_bound": check["given"]["expected"] - 2 - apart}


def _batches(check: Checked) -> Numbers:
    """The sum of all sizes: Bernstein's inequality for the coins, a normal tail for the noise."""
    given = check["given"]
    rate, multiplier, steps = given["rate"], given["noise_multiplier"], given["steps"]
    tail = log(4 / check["level"])
    variance = check["trials"] * rate * (1 - rate)
    most = sqrt(2 * variance * tail) + tail * 2 / 3 + multiplier * sqrt(2 * steps * tail)
    margin = most / (check["trials"] * rate)
    return {"bound": 1 + margin, "lower_bound": 1 - margin - SLACK}


def _drawn(check: Checked) -> Numbers:
    """Bernstein's inequality; fewer units than was charged are no fault."""
    tail = log(1 / check["level"])
    return {"bound": sqrt(2 * check["given"]["variance"] * tail) + 2 * tail / 3}


def _grid(check: Checked) -> Numbers:
    """G statistic of remainders, by the method of types."""
    given, draws = check["given"], check["trials"]
    if not given["whole"]:
        return {"p_value": 0.0}
    found = check["statistic"] / 2
    return {"p_value": divergence_p_value(found, draws=draws, cells=given["cells"])}


RULES: Mapping[str, Callable[[Checked], Numbers]] = {
    ENERGIES: _energies,
    CELL: _cell,
    SIGNS: _signs,
    SQUARES: _squares,
    FREEDMAN: _freedman,
    SPREAD: _spread,
    NORMAL: _normal,
    HOEFFDING: _hoeffding,
    FAR: _far,
    DIFFERENT: _different,
    BATCHES: _batches,
    DRAWN: _drawn,
    GRID: _grid,
}
