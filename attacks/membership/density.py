"""Membership by how much denser the release is around a record than the population."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from attacks.base import Evidence, NotApplicable, Scores
from attacks.engine.released import gathered
from attacks.engine.table import CodedTable
from attacks.membership import close
from attacks.membership.distance import NO_POPULATION
from attacks.membership.kernel import Kernel, log_mean
from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel


@dataclass(frozen=True, kw_only=True)
class Density:
    """Suspect a target around whom the release is denser than other people's records are.

    The score of a row is ``log p(row | release) - log p(row | population)``, and of a person the
    mean over their rows. Each density is a kernel estimate over the closest records, with the
    mixed kernel of ``attacks.membership.kernel``.

    Source:
        DOMIAS (van Breugel et al. 2023, arXiv:2302.12580), with a kernel for coded columns in
        place of its estimators for numbers.
    """

    name: ClassVar[str] = "membership/density"
    threat_model: ClassVar[ThreatModel] = ThreatModel(
        goal=Goal.MEMBERSHIP,
        generator=GeneratorAccess.CALIBRATED,
        data=DataKnowledge.POPULATION_SAMPLE,
    )

    def score(self, evidence: Evidence, targets: CodedTable) -> Scores:
        """Return one score a person; see ``attacks.base.MembershipAttack``."""
        release, population = evidence.release, evidence.population
        if not len(population):
            raise NotApplicable(NO_POPULATION)
        if not len(release):
            return Scores(targets=np.zeros(targets.size), population=np.zeros(population.size))
        released = close.in_release(evidence, targets)
        others = close.in_population(evidence, targets)
        kernel = Kernel(evidence)
        left = len(population) - np.bincount(population.persons)[population.persons]
        scores = []
        for table, mine, theirs, rows in (
            (targets, released.targets, others.targets, len(population)),
            (population, released.population, others.population, left),
        ):
            near, index = gathered(release, mine.index)
            under_release = kernel.log_weights(table.codes, near, index)
            under_population = kernel.log_weights(table.codes, population.codes, theirs.index)
            ratio = log_mean(under_release, rows=len(release)) - log_mean(
                under_population, rows=rows
            )
            scores.append(table.mean_by_person(ratio))
        return Scores(targets=scores[0], population=scores[1])
