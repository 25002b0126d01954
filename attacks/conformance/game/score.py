"""The score of a transcript: how much likelier it is in the one world than in the other.

Exact for the laws that the ledger was charged for, wherever the questions followed from earlier
answers: given these, each answer depends on the rows alone. Above 0, the person is called "in".
Where the noise that was drawn has another law, this is still a fixed rule: the test stays valid.
"""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from attacks.conformance.scores import exact_scores
from attacks.stats.laws import GaussianLaw

if TYPE_CHECKING:
    from dpsynth.testing.listening import Heard
    from dpsynth.testing.notes import Answered, Scored

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Event = Mapping[str, str]

_SURE = 1e3  # instead of an infinite score: only one of the worlds could answer so
_LAPLACE, _VALUES = "discrete_laplace/v1", "partition_selection/v1"


def transcript_score(heard: "Heard", *, within: bool) -> float:
    """Return the log-likelihood ratio of all that one fit released, positive for "in".

    Args:
        heard: of a fit, noted with the exact answers of both tables.
        within: whether the table that was fitted is the one with the person.
    """
    total = sum(_answer(each, within=within) for each in heard.answered)
    total += sum(_scores(each, within=within) for each in heard.scored)
    return float(np.clip(total, -_SURE, _SURE))


def law_of(noted: "Answered | Scored") -> Event:
    """Return the event that was charged, or where none was the one that should have been."""
    return noted.charged or (noted.asked.event if noted.asked else {})


def both(noted: "Answered", *, within: bool) -> tuple[Integers, Integers]:
    """Return the exact answers, without the person and with it."""
    assert noted.beside is not None, "both tables were counted"
    return (noted.beside, noted.exact) if within else (noted.exact, noted.beside)


def both_scores(scored: "Scored", *, within: bool) -> tuple[Integers, Integers]:
    """Return the exact scores of all candidates, without the person and with it."""
    assert scored.beside is not None, "both tables were counted"
    here, there = exact_scores(scored), exact_scores(replace(scored, tables=scored.beside))
    return (there, here) if within else (here, there)


def log_ratio(
    released: NDArray[Any], out: NDArray[Any], held: NDArray[Any], event: Event
) -> Floats:
    """Return the log-likelihood ratio of noisy numbers, one each.

    Args:
        released: of any shape.
        out: exact without the person; broadcast.
        held: exact with the person; broadcast.
        event: whose noise it is.
    """
    found = np.asarray(released, dtype=np.float64)
    away, near = found - out, found - held
    if event.get("kind") == _LAPLACE:
        return np.asarray((np.abs(away) - np.abs(near)) / float(Fraction(event["scale"])))
    # (away**2 - near**2) / (2 sigma**2), without the squares.
    spread = 2 * float(Fraction(event["sigma_squared"]))
    return np.asarray((away + near) * (held - out) / spread)


def _answer(noted: "Answered", *, within: bool) -> float:
    event = law_of(noted)
    out, held = both(noted, within=within)
    if event.get("kind") != _VALUES:
        return float(log_ratio(noted.released, out, held, event).sum())
    # Released values: both counts, and noise that reached the threshold. A value that nobody holds
    # in one of the worlds is never released there.
    possible = (out > 0) & (held > 0)
    total = float(log_ratio(noted.released, out, held, event)[possible].sum())
    total += _SURE * float(((held > 0) & (out == 0)).sum() - ((out > 0) & (held == 0)).sum())
    if noted.withheld is not None and noted.withheld.size:
        unseen = noted.withheld[:, ::-1] if within else noted.withheld
        total += float(
            (_log_withheld(unseen[:, 1], event) - _log_withheld(unseen[:, 0], event)).sum()
        )
    return total


def _log_withheld(units: Integers, event: Event) -> Floats:
    """Return the logarithm of the chance that a value held by so many is not released."""
    law = GaussianLaw(sigma_squared=Fraction(event["sigma_squared"]))
    below = law.below(int(Fraction(event["threshold"])) - 1 - units)
    return np.where(units > 0, np.log(np.maximum(below, 1e-300)), 0.0)


def _scores(scored: "Scored", *, within: bool) -> float:
    out, held = both_scores(scored, within=within)
    if scored.released is not None:
        return float(log_ratio(scored.released, out, held, law_of(scored)).sum())
    return sum(
        choice_ratios(out, held, scored, allowed)[allowed.index(chosen)]
        for allowed, chosen in scored.picks
        if chosen in allowed
    )


def choice_ratios(
    out: Integers, held: Integers, scored: "Scored", allowed: tuple[int, ...]
) -> list[float]:
    """Return the log-likelihood ratio of each candidate that was allowed, under the charged law."""
    rate = float(Fraction(law_of(scored)["epsilon"]) / (2 * scored.sensitivity))
    logs = [
        special.log_softmax((scores - scores.max()) * rate)
        for scores in (out[list(allowed)], held[list(allowed)])
    ]
    found: list[float] = (logs[1] - logs[0]).tolist()
    return found
