"""Membership by how much likelier the release becomes when a record joins the population."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from attacks.base import Evidence, NotApplicable, Scores
from attacks.engine.distances import closest
from attacks.engine.released import gathered
from attacks.engine.table import CodedTable
from attacks.membership import close
from attacks.membership.distance import NO_POPULATION
from attacks.membership.kernel import Kernel, Values, blocks, log_mean, log_sum
from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel


@dataclass(frozen=True, kw_only=True)
class GenLra:
    """Suspect a target whose record explains the release better than other people's records do.

    Let ``p`` be the kernel density of the population sample. Giving the target's record a share
    ``t`` of it makes a released record ``s`` likelier by the factor ``1 + t (K(x, s) / p(s) - 1)``.
    The score is the derivative at ``t = 0`` of the log-likelihood of the release, but for a
    constant: ``log sum_s K(x, s) / p(s)`` over the released records closest to ``x``. No density
    is fitted again for a target. ``p`` is asked at the released records, not at the target: how
    unusual a copy is, not how unusual the person. Of a person with several rows, the mean.

    Source:
        Gen-LRA, as in Synth-MIA (Ward et al. 2025, arXiv:2509.18014), which refits the density with
        the target added and sums the change over the closest released records. This is its
        first-order term, with the mixed kernel of ``attacks.membership.kernel``.
    """

    name: ClassVar[str] = "membership/gen-lra"
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
        found = close.in_release(evidence, targets)
        both = np.concatenate([found.targets.index, found.population.index])
        near, places = gathered(release, both)  # no other released record has a say
        of_targets, of_population = places[: len(targets)], places[len(targets) :]
        beside = closest(near, population.codes, close.columns_of(evidence), k=close.NEAREST)
        kernel = Kernel(evidence)
        around = kernel.log_weights(near, population.codes, beside.index)
        expected = log_mean(around, rows=len(population))
        mine = kernel.log_weights(targets.codes, near, of_targets)
        scores = log_sum(mine - expected[of_targets])

        own = kernel.log_weights(population.codes, near, of_population)
        rows = np.bincount(population.persons)[population.persons]
        left = np.empty(len(population))
        for part in blocks(len(population), width=own.shape[1] * around.shape[1]):
            index = of_population[part]
            # The density without the person who is scored: their rows weigh nothing in it.
            theirs = close.owned(
                beside.index[index], by=population.persons[part], rows=population.persons
            )
            without: Values = np.where(theirs, -np.inf, around[index])
            counted = (len(population) - rows[part])[:, None]
            left[part] = log_sum(own[part] - log_mean(without, rows=counted))
        return Scores(
            targets=targets.mean_by_person(scores), population=population.mean_by_person(left)
        )
