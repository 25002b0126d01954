"""Membership of the most isolated persons, by running the synthesizer with and without them."""

from dataclasses import dataclass
from time import monotonic
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence, Generator, NotApplicable, Scores, TooLittle
from attacks.engine.queries import COLUMNS, Masks, agreeing, subsets
from attacks.engine.table import CodedTable, Codes, by_row, grouped
from attacks.membership.coarse import coarse
from attacks.membership.vulnerable import isolation
from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel

Values = NDArray[np.float64]
_FEWEST = 100  # rows of the population sample: shadow tables are drawn from it
_FOLDS = 4
_STRENGTH = 0.1  # of the evidence against the prior that no query tells anything


@dataclass(frozen=True, kw_only=True)
class Shadow:
    """Suspect an isolated target where the release looks like releases made with them.

    Shadow tables are drawn from the population sample; a coin each decides which of the targets
    join one. The synthesizer is run on every table, and for each target a logistic regression
    learns from the counts of released rows that agree with the target, on every column and on
    random sets of columns, which of the runs had the target in. Its log-odds for the release under
    attack is the score. One set of runs serves all targets.

    Whoever is not among the most isolated is not scored. The population's scores are those of
    targets in shadow runs without them, each by a regression that did not see the run.

    Args:
        targets: how many persons are attacked, the most isolated first; at most a quarter as
            many as there are released rows, since half of them join every table.
        runs: of the synthesizer.
        queries: sets of columns.

    Source:
        Shadow runs and their features: Stadler, Oprisanu and Troncoso (2022), "Synthetic Data:
        Anonymisation Groundhog Day", and Houssiau et al. (2022), TAPAS, arXiv:2211.06550. Whom to
        attack: Meeus et al. (2023), arXiv:2306.10308.
    """

    targets: int = 400
    runs: int = 96
    queries: int = 200

    name: ClassVar[str] = "membership/shadow"
    threat_model: ClassVar[ThreatModel] = ThreatModel(
        goal=Goal.MEMBERSHIP,
        generator=GeneratorAccess.BLACK_BOX,
        data=DataKnowledge.POPULATION_SAMPLE,
    )

    def score(self, evidence: Evidence, targets: CodedTable) -> Scores:
        """Return one score a person, and who was scored; see ``attacks.base.MembershipAttack``.

        Raises:
            NotApplicable: there is no generator to run.
            TooLittle: the population sample is too small, or the time limit too short.
        """
        generator = evidence.generator
        if generator is None:
            raise NotApplicable("no synthesizer was given that the attacker could run")
        if not evidence.release.held:
            raise NotApplicable(
                "each shadow run draws a table as large as the release, which is not held in "
                "memory; nobody was scored"
            )
        if not len(evidence.release) or not len(targets):
            raise TooLittle("the release has no rows, or there is nobody to attack")
        if len(evidence.population) < _FEWEST:
            raise TooLittle(
                f"shadow tables need a population sample of at least {_FEWEST} rows; "
                "give more controls"
            )
        rng = evidence.rng(self.name)
        isolated = isolation(evidence, targets)
        most = min(self.targets, max(1, len(evidence.release) // 4))
        chosen = np.argsort(-isolated, kind="stable")[:most]
        attacked = targets.take(chosen)
        shadows = _shadows(self, generator, evidence, attacked, rng=rng)
        scores, apart = _learned(shadows)
        everyone = np.zeros(targets.size)
        everyone[chosen] = scores
        scored = np.zeros(targets.size, dtype=np.bool_)
        scored[chosen] = True
        return Scores(targets=everyone, population=apart, scored=scored)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Shadows:
    """What was seen of the targets.

    Args:
        seen: shape ``(runs, targets, queries)``, in the shadow releases.
        present: shape ``(runs, targets)``, whether the target was in the run's table.
        release: shape ``(targets, queries)``, in the release under attack.
    """

    seen: Values
    present: NDArray[np.bool_]
    release: Values


def _shadows(
    plan: Shadow,
    generator: Generator,
    evidence: Evidence,
    attacked: CodedTable,
    *,
    rng: np.random.Generator,
) -> _Shadows:
    tables = coarse(evidence, attacked)
    names = evidence.release.columns
    groupings = dict(zip(names, tables.groupings, strict=True))
    columns = np.sort(rng.permutation(len(names))[:COLUMNS])
    records = tables.targets.one_row_each(rng).codes[:, columns]
    masks = subsets(columns.size, count=plan.queries, rng=rng)
    present = rng.random((plan.runs, attacked.size)) < 0.5
    rows = len(evidence.release)
    seen = np.empty((plan.runs, attacked.size, masks.size))
    start = monotonic()
    for run in range(plan.runs):
        _check_time(evidence, done=run, runs=plan.runs, start=start)
        table = _table(evidence.population, attacked, present[run], rows=rows, rng=rng)
        made = generator(table, rows=rows, seed=int(rng.integers(2**31)))
        whole = grouped(by_row(names, made), groupings).codes
        seen[run] = _features(whole[:, columns], records, masks)
        evidence.say(f"shadow runs of the synthesizer: {run + 1} of {plan.runs}")
    return _Shadows(
        seen=seen,
        present=present,
        release=_features(
            tables.release.at(np.arange(rows), [names[place] for place in columns]), records, masks
        ),
    )


def _check_time(evidence: Evidence, *, done: int, runs: int, start: float) -> None:
    """Give up as soon as it shows that the time will not do: half of the runs are no attack."""
    needed = (monotonic() - start) / done * (runs - done) if done else 0.0
    if evidence.seconds_left <= needed:
        raise TooLittle(
            f"the time limit is too short for {runs} runs of the synthesizer; nobody was scored"
        )


def _table(
    population: CodedTable,
    attacked: CodedTable,
    present: NDArray[np.bool_],
    *,
    rows: int,
    rng: np.random.Generator,
) -> Codes:
    """Draw a table of about ``rows`` rows: persons of the population, and the targets present.

    Where the population sample is smaller, its rows are drawn with replacement, so that the noise
    of the synthesizer weighs as much as it did in the release.
    """
    mine = attacked.codes[present[attacked.persons]]
    wanted = max(1, rows - len(mine))
    whose = rng.choice(len(population), wanted, replace=wanted > len(population))
    table = np.concatenate([population.codes[whose], mine])
    shuffled: Codes = table[rng.permutation(len(table))]
    return shuffled


def _features(release: Codes, records: Codes, masks: Masks) -> Values:
    """Return counts as square roots: their sampling error is then about the same everywhere."""
    roots: Values = np.sqrt(agreeing(release, records, masks) + 0.375)
    return roots


def _learned(shadows: _Shadows) -> tuple[Values, Values]:
    """Return the score of each target, and scores of targets in runs without them."""
    scores = np.zeros(len(shadows.release))
    apart: list[Values] = []
    fold = np.arange(len(shadows.seen)) % _FOLDS
    for target, release in enumerate(shadows.release):
        seen, present = shadows.seen[:, target], shadows.present[:, target]
        scores[target] = _log_odds(seen, present, release[None, :])[0]
        for one in range(_FOLDS):
            out = (fold == one) & ~present
            apart.append(_log_odds(seen[fold != one], present[fold != one], seen[out]))
    return scores, np.concatenate(apart)


def _log_odds(seen: Values, present: NDArray[np.bool_], asked: Values) -> Values:
    """Return the log-odds of having been in, of ``asked``, by what was ``seen`` of known runs."""
    from sklearn.linear_model import LogisticRegression

    if present.all() or not present.any() or not len(asked):
        return np.zeros(len(asked))
    middle, spread = seen.mean(axis=0), seen.std(axis=0) + 0.05
    model = LogisticRegression(C=_STRENGTH, max_iter=1000)
    model.fit((seen - middle) / spread, present)
    odds: Values = model.decision_function((asked - middle) / spread)
    return odds
