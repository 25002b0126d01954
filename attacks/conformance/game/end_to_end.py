"""The score of a release alone: what the model and a synthetic table show, and nothing else.

Every number that was read off by itself, and all of them together as a linear discriminant. The
discriminant is trained on some runs, the rule and its threshold are chosen on others, and the
counts are of the rest.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from attacks.conformance.game.fits import Fits, chosen_rule, counted, separation, split
from attacks.conformance.game.result import GameResult

Floats = NDArray[np.float64]

LEAST_RUNS = 16  # of each world, of which two train and two select
_RIDGE = 1.0  # of the discriminant, in variances of a number


def end_to_end(
    fits: Fits, *, world: str, delta: str, level: float, reach: float
) -> GameResult | None:
    """Return the game on the release alone, or None where the runs are too few to split.

    Args:
        fits: of both worlds.
        world: what they differ in.
        delta: of the lower bounds, exact text.
        level: of this game.
        reach: of the transcripts of these worlds.
    """
    if fits.runs < LEAST_RUNS:
        return None
    training, selecting, testing = split(fits.runs)
    discriminant = _discriminant(fits.seen[:, training])
    seen = np.concatenate([fits.seen, discriminant(fits.seen)[..., None]], axis=2)
    column, sign, above = chosen_rule(seen[0, selecting], seen[1, selecting])
    out, within = sign * seen[..., column]
    before = slice(training.start, selecting.stop)
    apart = separation(out[before], within[before])
    known = separation(*fits.transcripts[:, before])
    names = (*fits.features, "linear discriminant")
    return GameResult(
        name="game/end to end",
        score=f"{names[column]} {'above' if sign > 0 else 'below'} {sign * above:.6g}",
        world=world,
        **counted(out[testing], within[testing], above=above),
        events=fits.events,
        delta=delta,
        level=level,
        reach=min(1.0, reach * apart / known) if known else 0.0,
    )


def _discriminant(seen: Floats) -> Callable[[Floats], Floats]:
    """Return Fisher's linear discriminant of standardized numbers, with a ridge.

    Args:
        seen: of both worlds, shape ``(2, runs, numbers)``.
    """
    joined = seen.reshape(-1, seen.shape[2])
    center, spread = joined.mean(axis=0), joined.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    scaled = (seen - center) / spread
    means = scaled.mean(axis=1)
    apart = (scaled - means[:, None]).reshape(joined.shape)
    spreads = apart.T @ apart / max(len(apart) - 2, 1) + _RIDGE * np.eye(apart.shape[1])
    weights = np.linalg.solve(spreads, means[1] - means[0])
    return lambda numbers: np.asarray((numbers - center) / spread @ weights, dtype=np.float64)
