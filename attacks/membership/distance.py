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

Values = NDArray[np.float64]

NO_POPULATION = "the attacker holds no other people's records to compare with"


USUAL = 10  # the neighbor whose distance says how crowded the place is
_TIES = 1e-3  # of two copies, the one in the emptier place is the more suspicious


@dataclass(frozen=True, kw_only=True)
class Distance:
    """Suspect a target to whom one released record is closer than is usual around there.

    The score of a row is its distance to the ``USUAL``-th closest released record, less that to the
    closest, in parts of their sum: from 0 to 1, and 1 for a copy. The release itself says what is
    usual, so no other record is needed; the distance to the closest record alone finds ordinary
    people close, members or not. Of a person with several rows, the mean.

    The score is an attack like any other; the distance itself is no evidence of privacy.

    Source:
        Distance to the closest record as an attack: GAN-Leaks (Chen et al. 2020,
        arXiv:1909.03935). The ratio of two distances is our calibration, chosen on tables and
        seeds that no figure is reported on.
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

        def closer(rows: Neighbors) -> Values:
            distance = _filled(rows, columns=len(evidence.release.columns))
            return _relative(
                distance[:, 0], usual=distance[:, USUAL - 1], tie=distance[:, USUAL - 1]
            )

        return Scores(
            targets=targets.mean_by_person(closer(found.targets)),
            population=evidence.population.mean_by_person(closer(found.population)),
        )


@dataclass(frozen=True, kw_only=True)
class CalibratedDistance:
    """Suspect a target to whom the release is closer than other people are.

    The score of a row is its distance to the closest record of the population sample, less that to
    the closest released record, in parts of their sum: from -1 to 1, and 1 for a copy of a record
    that nobody else has, however usual. Without the division a usual member scores below an unusual
    stranger. Of two copies, the one whom fewer others resemble scores higher. Of a person with
    several rows, the mean.

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

        def nearer(mine: Neighbors, theirs: Neighbors) -> Values:
            released, others = _filled(mine, columns=columns), _filled(theirs, columns=columns)
            return _relative(released[:, 0], usual=others[:, 0], tie=others[:, -1])

        return Scores(
            targets=targets.mean_by_person(nearer(in_release.targets, in_population.targets)),
            population=population.mean_by_person(
                nearer(in_release.population, in_population.population)
            ),
        )


def _filled(found: Neighbors, *, columns: int) -> Values:
    """Return the ``USUAL`` smallest distances; where there is no neighbor, as far as can be."""
    distance: Values = found.distance[:, :USUAL].astype(np.float64)
    distance[np.isinf(distance)] = columns
    return distance


def _relative(distance: Values, *, usual: Values, tie: Values) -> Values:
    total = usual + distance
    share: Values = (usual - distance) / np.where(total > 0, total, 1.0) + _TIES * tie
    return share
