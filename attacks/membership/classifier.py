"""Membership by a classifier that tells released records from other people's."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence, NotApplicable, Scores, TooLittle
from attacks.engine.released import Released
from attacks.engine.table import CodedTable, Codes
from attacks.membership.distance import NO_POPULATION
from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel

FOLDS = 3
ROWS = 20_000  # rows of the release, and of the population, that a model learns from, at most
FEWEST = 30  # persons of the population, and released rows, below which nothing is learnt
_AT_ONCE = 10  # trees held in memory
_TIES = 1e-4  # a level of depth: of two whom all trees take for released, the one soon set apart


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """Suspect a target whom a classifier takes for a released record.

    Randomized trees learn to tell released records from the population sample's; a person's score
    is the log odds of "released". The trees grow until every leaf is pure: a model that learns
    the release by heart knows a member whom the release repeats. Each split is on one column drawn
    at random, so that a stranger seldom ends among released records in every tree. Of two that do,
    the one whom fewer cuts set apart is the more suspicious: a copy in an empty place.

    The population is cut into folds by person, and a model never saw whom it scores. A target is
    scored by the model of one fold, drawn at random, as every person of the population is: so
    targets and population are alike unless the release knew the targets.

    Args:
        trees: of a model.

    Source:
        LOGAN (Hayes et al. 2019, arXiv:1705.07663), which takes a generator's discriminator or
        trains one; extremely randomized trees of Geurts, Ernst and Wehenkel (2006), as in
        scikit-learn.
    """

    trees: int = 50

    name: ClassVar[str] = "membership/classifier"
    threat_model: ClassVar[ThreatModel] = ThreatModel(
        goal=Goal.MEMBERSHIP,
        generator=GeneratorAccess.CALIBRATED,
        data=DataKnowledge.POPULATION_SAMPLE,
    )

    def score(self, evidence: Evidence, targets: CodedTable) -> Scores:
        """Return one score a person; see ``attacks.base.MembershipAttack``.

        Raises:
            TooLittle: release or population is too small to learn from.
        """
        release, population = evidence.release, evidence.population
        if not len(population):
            raise NotApplicable(NO_POPULATION)
        if population.size < FEWEST or len(release) < FEWEST:
            raise TooLittle(
                f"a classifier needs at least {FEWEST} released rows and as many persons in the "
                "population sample"
            )
        rng = evidence.rng(self.name)
        fold = rng.permutation(population.size) % FOLDS
        fold_of_target = rng.integers(0, FOLDS, targets.size)
        of_population, of_targets = np.empty(len(population)), np.empty(len(targets))
        for number in range(FOLDS):
            mine = fold[population.persons] == number
            theirs = fold_of_target[targets.persons] == number
            odds = self._log_odds(
                _some(release, rng),
                _some_of(population.codes[~mine], rng),
                asked=np.concatenate([population.codes[mine], targets.codes[theirs]]),
                seed=int(rng.integers(2**31)),
            )
            of_population[mine], of_targets[theirs] = np.split(odds, [int(mine.sum())])
        return Scores(
            targets=targets.mean_by_person(of_targets),
            population=population.mean_by_person(of_population),
        )

    def _log_odds(
        self, released: Codes, others: Codes, *, asked: Codes, seed: int
    ) -> NDArray[np.float64]:
        """Train, and return the log odds of "released" of each row that is asked about."""
        from sklearn.ensemble import ExtraTreesClassifier

        rows = np.concatenate([released, others]).astype(np.float32)
        is_released = np.arange(len(rows)) < len(released)
        asked = asked.astype(np.float32)
        votes, depth = np.zeros(len(asked)), np.zeros(len(asked))
        for start in range(0, self.trees, _AT_ONCE):
            batch = min(_AT_ONCE, self.trees - start)
            # Both sides weigh the same, however many rows they have.
            model = ExtraTreesClassifier(
                n_estimators=batch,
                max_features=1,
                class_weight="balanced",
                random_state=seed + start,
            )
            model.fit(rows, is_released)
            for tree in (each.tree_ for each in model.estimators_ if len(asked)):
                leaves = tree.apply(asked)
                sides = tree.value[leaves, 0, :]
                votes += sides[:, 1] / sides.sum(axis=1)
                depth += tree.compute_node_depths()[leaves]
        # Half a vote on either side: a sure forest is not infinitely sure.
        odds: NDArray[np.float64] = np.log(votes + 0.5) - np.log(self.trees - votes + 0.5)
        return odds - _TIES * depth / self.trees


def _some(release: Released, rng: np.random.Generator) -> Codes:
    if len(release) <= ROWS:
        return release.at(np.arange(len(release)))
    return release.at(rng.choice(len(release), ROWS, replace=False))


def _some_of(codes: Codes, rng: np.random.Generator) -> Codes:
    if len(codes) <= ROWS:
        return codes
    return codes[rng.choice(len(codes), ROWS, replace=False)]
