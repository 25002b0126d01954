"""All games of one trial: the worlds, the runs, and what they ended in."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attacks.conformance.checks import FAILED, GAME, NOT_APPLICABLE, PASSED, Check
from attacks.conformance.follows import GAME as RULE
from attacks.conformance.game import learned
from attacks.conformance.game.end_to_end import end_to_end
from attacks.conformance.game.fits import Fits, counted, play, separation, split
from attacks.conformance.game.path import Path, furthest, path_of
from attacks.conformance.game.result import LEVEL, GameResult, judged
from attacks.conformance.trial import Trial

if TYPE_CHECKING:
    from dpsynth.testing.neighbors import Neighbors

CLAIM = "claim"
GAMES = 4  # of one trial, at most
DRAWS = 1_500_000  # of noise on a frozen path, in each world
MOST_RUNS = 100_000  # on a frozen path, of each world
_LIKELIHOOD = "log-likelihood ratio of the transcript above 0"


@dataclass(frozen=True, kw_only=True, eq=False)
class Worlds:
    """The two tables of a kit that hold the answers of one fit furthest apart.

    Attributes:
        pair: the tables.
        path: the noisy answers of a fit of the table without the person.
        reached: by the name of every pair of the kit, the part of the claimed distance it has.
    """

    pair: "Neighbors"
    path: Path
    reached: dict[str, float]


def worlds(synthesizer: Any, plan: Any, schema: Any, *, seed: int) -> Worlds:
    """Search the kit of worst neighbors, with a fit of each."""
    from dpsynth.testing.neighbors import fit_world, kit

    pairs, paths = kit(schema, plan), []
    for pair in pairs:
        heard, outcome = fit_world(synthesizer, plan, pair, within=False, seed=seed)
        if outcome.fault is not None:
            raise outcome.fault
        paths.append(path_of(heard, within=False))
    at = furthest(paths)
    return Worlds(
        pair=pairs[at],
        path=paths[at],
        reached={pair.name: path.reach for pair, path in zip(pairs, paths, strict=True)},
    )


def games(
    synthesizer: Any,
    plan: Any,
    schema: Any,
    *,
    runs: int,
    seed: int = 0,
    level: float = LEVEL,
    draws: int = DRAWS,
) -> tuple[GameResult, ...]:
    """Play all games of one synthesizer.

    Args:
        synthesizer: what is on trial.
        plan: of the synthesizer for ``schema``.
        schema: all rows are made up from it.
        runs: real fits in each world.
        seed: of all noise.
        level: of all games together.
        draws: of noise on the frozen path, in each world.
    """
    found = worlds(synthesizer, plan, schema, seed=seed)
    delta = str(plan.delta)
    fits = play(synthesizer, plan, found.pair, runs=runs, seed=seed)
    each = level / GAMES
    results = [
        of_fits(fits, found, delta=delta, level=each),
        *of_path(found, seed=seed, delta=delta, level=each, draws=draws),
        end_to_end(fits, world=found.pair.name, delta=delta, level=each, reach=found.path.reach),
    ]
    return tuple(result for result in results if result is not None)


def of_fits(fits: Fits, found: Worlds, *, delta: str, level: float) -> GameResult:
    """Return the game on whole transcripts of real fits, choices and released values included."""
    out, within = fits.transcripts
    return GameResult(
        name="game/transcript",
        score=_LIKELIHOOD,
        world=found.pair.name,
        **counted(out, within, above=0.0),
        events=fits.events,
        delta=delta,
        level=level,
        reach=found.path.reach,
    )


def of_path(
    found: Worlds, *, seed: int, delta: str, level: float, draws: int = DRAWS
) -> list[GameResult]:
    """Return the games on the noisy answers of a frozen path; none where there are no answers.

    Two scores of the same runs: by the laws that were charged, and by what was seen in the first
    eighth of the runs. Where the second is tested, these and the next eighth are left out.
    """
    path = found.path
    if not path.cells:
        return []
    runs = max(1, min(MOST_RUNS, draws // path.cells))
    released = [path.released(within=each, runs=runs, seed=seed) for each in (False, True)]
    by_law = [path.ratios(each) for each in released]
    common: dict[str, Any] = {
        "world": found.pair.name,
        "events": path.events,
        "delta": delta,
        "level": level,
    }
    training, selecting, testing = split(runs)
    columns = learned.learned(*([part[training] for part in world] for world in released))
    by_sight = [learned.ratios(columns, world) for world in released]
    seen = separation(*(scores[selecting] for scores in by_sight))
    known = separation(*(scores[selecting] for scores in by_law))
    return [
        GameResult(
            name="game/frozen path",
            score=_LIKELIHOOD,
            reach=path.reach,
            **counted(*by_law, above=0.0),
            **common,
        ),
        GameResult(
            name="game/frozen path, learned",
            score="log ratio of how often each answer was seen in either world above 0",
            reach=min(1.0, path.reach * seen / known) if known else 0.0,
            **counted(*(scores[testing] for scores in by_sight), above=0.0),
            **common,
        ),
    ]


def played(trial: Trial, *, level: float = LEVEL) -> tuple[GameResult, ...]:
    """Play the games of a trial; a plan that trains has none.

    The sums of a training's steps move by an amount that depends on the rows' gradients, so that
    no pair of tables is known to be the worst: other audits look at each step's noise and clip.
    """
    if trial.trains:
        return ()
    return games(
        trial.synthesizer,
        trial.plan,
        trial.schema,
        runs=trial.games,
        seed=trial.seed,
        level=level,
    )


def audit(trial: Trial) -> list[Check]:
    """Return a check for each game: could a mechanism that keeps its claim win it so often?

    All of a trial together fail for a correct mechanism with a probability of 1 % at most.
    """
    if trial.trains:
        return [
            Check(
                name="game",
                status=NOT_APPLICABLE,
                component=CLAIM,
                detail="a training is not played: no two tables are known to be its worst ones",
            )
        ]
    results = played(trial)
    lost = judged(results)
    return [_check(each, rejected) for each, rejected in zip(results, lost, strict=True)]


def _check(found: GameResult, rejected: bool) -> Check:
    bound, _ = found.bounds
    seen = found.detectable
    return Check(
        name=found.name,
        status=FAILED if rejected else PASSED,
        component=CLAIM,
        kind=GAME,
        p_value=found.p_value,
        trials=found.runs_out + found.runs_in,
        given={"rule": RULE, **found.to_dict()},
        detectable=seen,
        detail=(
            f"{found.world}: {found.false_positives} of {found.runs_out} called in and "
            f"{found.false_negatives} of {found.runs_in} called out wrongly, by {found.score}; "
            f"epsilon is {bound.value:.3g} at least at 95 %, of {bound.ceiling:.3g} that so many "
            "runs can show"
        ),
    )
