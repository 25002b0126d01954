"""Is the game as sharp as the claim? What the worst neighbors reach, beside what the ledger says.

A game that a correct mechanism could not possibly lose proves nothing. Here the mechanism is
correct, and the question is whether the two worlds come as near to the claim as they may: with the
synthesizer's own choices and its own split of the budget, many paths of real fits, and on each of
them many runs of the curator's own noise.
"""

from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from attacks.conformance.game.path import path_of
from attacks.conformance.game.play import worlds
from attacks.conformance.game.score import both_scores, choice_ratios, law_of
from attacks.stats.paired import Errors, epsilon_lower_bounds
from attacks.stats.trade_off import gaussian_shift

if TYPE_CHECKING:
    from dpsynth.testing.listening import Heard

CONFIDENCE = 0.95
CHOICE_FITS = 4  # of each pair of the kit, by which its choices are judged
_LAPLACE = "discrete_laplace/v1"


@dataclass(frozen=True, kw_only=True)
class Tightness:
    """What one synthesizer reached.

    Attributes:
        world: the worst pair of the kit.
        kit: of every pair, the part of the claimed distance that its exact answers have, by name.
        paths: real fits whose questions were frozen.
        runs: in each world, on all paths together.
        mu_claimed: of all Gaussian noise on tables and scores; 0 where there is none.
        mu_reached: what the errors of the likelihood ratio amount to.
        mu_at_least: its lower bound at 95 %.
        epsilon_claimed: of all Laplace noise together; 0 where there is none.
        epsilon_reached: by exact answers.
        epsilon_at_least: the lower bound on epsilon at delta 0 that the runs show at 95 %.
        choices_claimed: sum of the epsilons of all choices of a fit.
        choices_reached: sum, over the choices, of the range of the log ratios of all candidates,
            which the epsilon bounds; of the pair of the kit whose choices reached most on average,
            and by exact scores.
        choices_world: that pair.
    """

    world: str
    kit: dict[str, float]
    paths: int
    runs: int
    mu_claimed: float
    mu_reached: float
    mu_at_least: float
    epsilon_claimed: float
    epsilon_reached: float
    epsilon_at_least: float
    choices_claimed: float
    choices_reached: float
    choices_world: str

    @property
    def ratio(self) -> float:
        """The reached part of the claimed mu, or of the claimed epsilon where all is pure."""
        if self.mu_claimed:
            return self.mu_reached / self.mu_claimed
        return self.epsilon_reached / self.epsilon_claimed if self.epsilon_claimed else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Write as JSON-ready values."""
        return {**asdict(self), "ratio": self.ratio}


def tightness(
    synthesizer: Any, plan: Any, schema: Any, *, paths: int, runs: int, seed: int
) -> Tightness:
    """Measure how near the worst of a small kit of neighbors comes to the claim.

    Args:
        synthesizer: what is measured.
        plan: of the synthesizer for ``schema``.
        schema: all rows are made up from it.
        paths: real fits, half of them of the table with the person; at least 2.
        runs: in each world, shared evenly by the paths.
        seed: of all noise.
    """
    from dpsynth.testing.neighbors import fit_world

    found = worlds(synthesizer, plan, schema, seed=seed)
    each = -(-runs // paths)
    wrong = np.zeros(2, dtype=np.int64)
    shifts, pure = [], []
    for number in range(paths):
        within = bool(number % 2)
        heard, outcome = fit_world(
            synthesizer, plan, found.pair, within=within, seed=seed + 1 + number
        )
        if outcome.fault is not None:
            raise outcome.fault
        path = path_of(heard, within=within)
        answers = [
            path.released(within=side, runs=each, seed=seed + 1 + number) for side in (False, True)
        ]
        out, held = (path.ratios(released) for released in answers)
        wrong += np.array([(out > 0).sum(), (held <= 0).sum()])
        shifts.append(gaussian_shift(path.events))
        pure.append([_laplace(path, reached=flag) for flag in (False, True)])
    errors = Errors(
        false_positives=int(wrong[0]),
        runs_out=each * paths,
        false_negatives=int(wrong[1]),
        runs_in=each * paths,
    )
    choices = _best_choices(synthesizer, plan, schema, fits=CHOICE_FITS, seed=seed)
    high = errors.upper_bounds(1 - CONFIDENCE)
    gaussian = shifts[0] > 0
    return Tightness(
        world=found.pair.name,
        kit=found.reached,
        paths=paths,
        runs=each * paths,
        mu_claimed=shifts[0],
        mu_reached=float(-special.ndtri(wrong / (each * paths)).sum()) if gaussian else 0.0,
        mu_at_least=float(-special.ndtri(high).sum()) if gaussian else 0.0,
        epsilon_claimed=pure[0][0],
        epsilon_reached=min(reached for _, reached in pure),
        epsilon_at_least=(
            0.0
            if gaussian
            else epsilon_lower_bounds(errors, delta=0, confidence=CONFIDENCE)[0].value
        ),
        choices_claimed=choices[0],
        choices_reached=choices[1],
        choices_world=choices[2],
    )


def _laplace(path: Any, *, reached: bool) -> float:
    parts = [part for part in path.parts if part.event["kind"] == _LAPLACE]
    if reached:
        return float(sum(part.reached for part in parts))
    claims = [
        Fraction(each.event["l1_sensitivity"]) / Fraction(each.event["scale"]) for each in parts
    ]
    return float(sum(claims))


def _best_choices(
    synthesizer: Any, plan: Any, schema: Any, *, fits: int, seed: int
) -> tuple[float, float, str]:
    from dpsynth.testing.neighbors import fit_world, kit

    best = (0.0, 0.0, "")
    for pair in kit(schema, plan):
        heard = [
            fit_world(synthesizer, plan, pair, within=False, seed=seed + number)[0]
            for number in range(fits)
        ]
        found = np.array([_choices(each, within=False) for each in heard]).mean(axis=0)
        best = max(best, (float(found[0]), float(found[1]), pair.name if found[1] else ""))
    return best


def _choices(heard: "Heard", *, within: bool) -> tuple[float, float]:
    """Return the epsilons that the choices of a fit were charged, and what they reached."""
    claimed = reached = 0.0
    for scored in heard.scored:
        if scored.released is not None:
            continue
        out, held = both_scores(scored, within=within)
        for allowed, _ in scored.picks:
            ratios = choice_ratios(out, held, scored, allowed)
            claimed += float(Fraction(law_of(scored)["epsilon"]))
            reached += max(ratios) - min(ratios)
    return claimed, reached
