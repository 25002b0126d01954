"""Membership by closeness to the released records."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence, NotApplicable, Scores
from attacks.engine.distances import Neighbors
from attacks.engine.table import CodedTable
from attacks.membership import close
from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel

NO_POPULATION = "the attacker holds no other people's records to compare with"


@dataclass(frozen=True, kw_only=True)
class Distance:
    """Suspect a target to whom some released record is close.

    The score of a row is minus its distance to the closest released record, in columns; of a
    person the mean over their rows. It knows nothing of who is common anyway, so an ordinary
    person scores high and an unusual one low, member or not: the weakest attack of the family, and
    the only one that needs no other record. Its score is an attack like any other; the distance
    itself is no evidence of privacy.

    Source:
        Distance to the closest record as an attack: GAN-Leaks (Chen et al. 2020,
        arXiv:1909.03935), without its calibration.
    """

    name: ClassVar[str] = "membership/distance"
    threat_model: ClassVar[ThreatModel] = ThreatModel(
        goal=Goal.MEMBERSHIP,
        generator=GeneratorAccess.NO_BOX,
        data=DataKnowledge.NOTHING,
    )

    def score(self, evidence: Evidence, targets: CodedTable) -> Scores:
        """Return one score a person; see ``attacks.base.MembershipAttack``."""
        found = close.in_release(evidence, targets)
        columns = len(evidence.release.columns)
        return Scores(
            targets=targets.mean_by_person(-_closest(found.targets, columns)),
            population=evidence.population.mean_by_person(-_closest(found.population, columns)),
        )


@dataclass(frozen=True, kw_only=True)
class CalibratedDistance:
    """Suspect a target to whom the release is closer than other people are.

    The score of a row is its distance to the closest record of the population sample, less that to
    the closest released record, in parts of their sum: from -1 to 1, and 1 for a copy of a record
    that nobody else has, however usual. Without the division a usual member scores below an unusual
    stranger. Of a person with several rows, the mean.

    Source:
        The calibrated attack of GAN-Leaks (Chen et al. 2020, arXiv:1909.03935), with other
        people's records in place of a second generator's; the plain difference is the DCR-diff of
        Synth-MIA (Ward et al. 2025, arXiv:2509.18014).
    """

    name: ClassVar[str] = "membership/calibrated-distance"
    threat_model: ClassVar[ThreatModel] = ThreatModel(
        goal=Goal.MEMBERSHIP,
        generator=GeneratorAccess.CALIBRATED,
        data=DataKnowledge.POPULATION_SAMPLE,
    )

    def score(self, evidence: Evidence, targets: CodedTable) -> Scores:
        """Return one score a person; see ``attacks.base.MembershipAttack``."""
        population = evidence.population
        if not len(population):
            raise NotApplicable(NO_POPULATION)
        in_release = close.in_release(evidence, targets)
        in_population = close.in_population(evidence, targets)
        columns = len(evidence.release.columns)

        def nearer(mine: Neighbors, theirs: Neighbors) -> NDArray[np.float64]:
            others, released = _closest(theirs, columns), _closest(mine, columns)
            total = others + released
            share: NDArray[np.float64] = (others - released) / np.where(total > 0, total, 1.0)
            return share

        return Scores(
            targets=targets.mean_by_person(nearer(in_release.targets, in_population.targets)),
            population=population.mean_by_person(
                nearer(in_release.population, in_population.population)
            ),
        )


def _closest(found: Neighbors, columns: int) -> NDArray[np.float64]:
    """Return the distance to the first neighbor; where there is none, as far as can be."""
    first: NDArray[np.float64] = found.distance[:, 0].astype(np.float64)
    first[np.isinf(first)] = columns
    return first
