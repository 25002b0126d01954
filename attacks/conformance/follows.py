"""What follows from the stored numbers of a check: limits, p-values, what would have been seen.

A check that states by which rule its numbers come about is worked out again from its raw counts and
the law that it tests; whoever reads it believes the counts, and nothing else.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import isclose
from typing import Any

import numpy as np

from attacks.conformance import tails
from attacks.conformance.checks import Check, judged
from attacks.stats.laws import (
    Law,
    detectable_scale,
    divergence_p_value,
    energy_limits,
    gap_limit,
    law_of,
)

ENERGY, GAP, CHOICES, SHARE, GAME = "energy", "gap", "choices", "share", "game"
NO_NOISE = 1e-12
_CLOSE = 1e-6  # machines round differently

Numbers = dict[str, float | None]
Checked = Mapping[str, Any]


def ruled(check: Check) -> Check:
    """Return ``check`` with all that follows from its raw numbers, its status too."""
    numbers: Mapping[str, Any] = derived(check.to_dict())
    return judged(replace(check, **numbers))


def derived(check: Checked) -> Numbers:
    """Return the numbers of ``check`` that follow from its others; empty where it has no rule."""
    rule = check.get("given", {}).get("rule")
    return {} if rule is None else _RULES[rule](check)


def contradiction(check: Checked) -> str | None:
    """Return the name of a stored number that does not follow from the others, or None.

    Raises:
        ValueError, KeyError, ArithmeticError: the numbers are none that a check could have.
    """
    for name, value in derived(check).items():
        stored = check.get(name)
        if (value is None) != (stored is None):
            return name
        if (
            value is not None
            and stored is not None
            and not isclose(value, stored, rel_tol=_CLOSE, abs_tol=1e-12)
        ):
            return name
    return None


def _energy(check: Checked) -> Numbers:
    """Mean energy over its expectation, by Chernoff's bound: too little, and maybe too much."""
    given = check["given"]
    law, draws, level = law_of(given), check["trials"], check["level"]
    low, high = energy_limits(law, draws=draws, false_alarm=level)
    # In units of what is expected, or as it is where next to no noise is expected.
    expected = expected_energy(law, low=low)
    narrowest = detectable_scale(law, draws=draws, false_alarm=level) if low > 0 else None
    return {
        "lower_bound": low / expected,
        "bound": None if given["wider"] else high / expected,
        "detectable": None if narrowest is None else 1 / narrowest,
    }


def expected_energy(law: Law, *, low: float) -> float:
    """Return the unit of a mean energy whose lower limit is ``low``."""
    return max(law.moments()[0], NO_NOISE) if low > 0 else 1.0


def _gap(check: Checked) -> Numbers:
    """Largest gap between distribution functions, by Dvoretzky, Kiefer and Wolfowitz."""
    limit = gap_limit(draws=check["trials"], false_alarm=check["level"])
    return {"bound": limit * check["given"].get("slack", 1.0)}


def _choices(check: Checked) -> Numbers:
    """G statistic of choices among frozen scores, by the method of types."""
    from attacks.conformance.selection import detectable_rate

    given = check["given"]
    exponents = np.asarray(given["exponents"], dtype=np.float64)
    return {
        "p_value": divergence_p_value(
            check["statistic"] / 2, draws=check["trials"], cells=exponents.size
        ),
        "detectable": detectable_rate(exponents, draws=check["trials"], level=check["level"]),
    }


def _share(check: Checked) -> Numbers:
    """Exact binomial test of a share."""
    from scipy.stats import binomtest

    given, trials = check["given"], check["trials"]
    hits = round(check["statistic"] * trials)
    if given["outside"]:
        return {"p_value": 0.0}
    return {"p_value": float(binomtest(hits, trials, given["chance"]).pvalue)}


def _game(check: Checked) -> Numbers:
    """Errors of a rule in two worlds, against the curve that the events claim."""
    from attacks.conformance.game.result import GameResult

    given = {name: value for name, value in check["given"].items() if name != "rule"}
    found = GameResult.from_dict(given)
    return {"p_value": found.p_value, "detectable": found.detectable}


_RULES: Mapping[str, Callable[[Checked], Numbers]] = {
    ENERGY: _energy,
    GAP: _gap,
    CHOICES: _choices,
    SHARE: _share,
    GAME: _game,
    **tails.RULES,
}
