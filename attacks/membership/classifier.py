"""Membership by a classifier that tells released records from other people's."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence, NotApplicable, Scores, TooLittle
from attacks.engine.table import CodedTable, Codes, grouped, grouping
from attacks.membership.distance import NO_POPULATION
from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel

FOLDS = 3
ROWS = 20_000  # rows of the release, and of the population, that a model learns from, at most
FEWEST = 30  # persons of the population, and released rows, below which nothing is learnt


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """Suspect a target whom a classifier takes for a released record.

    Gradient-boosted trees learn to tell released records from the population sample's; a person's
    score is the log odds of "released". The population is cut into folds by person, and a model
    never saw whom it scores. A target is scored by the model of one fold, drawn at random, as
    every person of the population is: so the two are alike unless the release knew the target.

    It finds where the release has too many records of a kind, and is blind to single copies: a
    leaf of a tree holds at least a score of records.

    Source:
        LOGAN (Hayes et al. 2019, arXiv:1705.07663), black box, without a generator's
        discriminator: the attacker trains one.
    """

    name: ClassVar[str] = "membership/classifier"
    threat_model: ClassVar[ThreatModel] = ThreatModel(
        goal=Goal.MEMBERSHIP,
        generator=GeneratorAccess.NO_BOX,
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
        groupings = {
            name: grouping(
                release.codes[:, place], size=evidence.sizes[name], ordered=evidence.ordered[name]
            )
            for place, name in enumerate(release.columns)
        }
        released, sample, sought = (
            grouped(table, groupings).codes for table in (release, population, targets)
        )
        unordered = np.array([not evidence.ordered[name] for name in release.columns])
        fold = rng.permutation(population.size) % FOLDS
        fold_of_target = rng.integers(0, FOLDS, targets.size)
        of_population, of_targets = np.empty(len(population)), np.empty(len(targets))
        for number in range(FOLDS):
            mine = fold[population.persons] == number
            model = _Model(
                _some(released, rng), _some(sample[~mine], rng), unordered, seed=evidence.seed
            )
            of_population[mine] = model.log_odds(sample[mine])
            asked = fold_of_target[targets.persons] == number
            of_targets[asked] = model.log_odds(sought[asked])
        return Scores(
            targets=targets.mean_by_person(of_targets),
            population=population.mean_by_person(of_population),
        )


class _Model:
    """Gradient-boosted trees, both sides weighing the same."""

    def __init__(
        self, released: Codes, others: Codes, unordered: NDArray[np.bool_], *, seed: int
    ) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier

        self._model = HistGradientBoostingClassifier(
            max_iter=100,
            learning_rate=0.1,
            categorical_features=unordered,
            early_stopping=False,
            class_weight="balanced",
            random_state=seed,
        )
        self._model.fit(
            np.concatenate([released, others]),
            np.repeat([True, False], [len(released), len(others)]),
        )

    def log_odds(self, codes: Codes) -> NDArray[np.float64]:
        """Return the log odds of "released" of each row."""
        if not len(codes):
            return np.empty(0)
        odds: NDArray[np.float64] = self._model.decision_function(codes)
        return odds


def _some(codes: Codes, rng: np.random.Generator) -> Codes:
    if len(codes) <= ROWS:
        return codes
    return codes[rng.choice(len(codes), ROWS, replace=False)]
