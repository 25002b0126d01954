"""Membership by likelihood under the released table's marginals."""

from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np

from attacks.base import Evidence, Scores
from attacks.engine.counts import own_occurrences
from attacks.engine.table import CodedTable
from attacks.membership.coarse import Coarse, coarse
from attacks.membership.records import LowOrder, with_records
from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel


@dataclass(frozen=True, kw_only=True)
class Marginal:
    """Suspect a target whom the release makes likelier than the population does.

    The score of a row is ``log p(row | release) - log p(row | population)``, and of a person the
    mean over their rows. Each ``p`` is an even mixture of four estimates, from low order to high:

    1. the composite likelihood of all pairs of columns, grouped where a column has many codes:
       the product of the pair frequencies to the power ``1 / (columns - 1)``, so that every column
       counts once;
    2. the frequency of the whole grouped record;
    3. the frequency of the whole record, code for code;
    4. the frequency of its exact content, digit for digit.

    The first sees what a model of marginals over-fits, a little of every member; the others see
    rows that were copied. The pair frequencies of the population count the release as well as the
    sample: under no leak both are samples of one population, and a small one is not to be believed
    against a large one.

    Source:
        The density ratio is that of DOMIAS (van Breugel et al. 2023, arXiv:2302.12580); marginals
        as its estimate follow MAMA-MIA (Golob et al. 2025) and TAMIS (Andrey et al. 2025).
    """

    name: ClassVar[str] = "membership/marginal"
    threat_model: ClassVar[ThreatModel] = ThreatModel(
        goal=Goal.MEMBERSHIP,
        generator=GeneratorAccess.CALIBRATED,
        data=DataKnowledge.POPULATION_SAMPLE,
    )

    def score(self, evidence: Evidence, targets: CodedTable) -> Scores:
        """Return one score a person; see ``attacks.base.MembershipAttack``."""
        if not len(evidence.release) or not evidence.release.columns:
            return Scores(
                targets=np.zeros(targets.size), population=np.zeros(evidence.population.size)
            )
        tables = coarse(evidence, targets)
        return with_records(_pairs(tables), evidence, targets, tables)


def _pairs(tables: Coarse) -> LowOrder:
    """Return composite log-likelihoods."""
    release, population, targets = tables.release, tables.population, tables.targets
    columns = range(len(tables.widths))
    # A table of one column has no pairs: the column itself takes their place.
    chosen: list[tuple[int, ...]] = [*combinations(columns, 2)] or [(0,)]
    share = 1 / max(1, len(columns) - 1)
    sums = [np.zeros(len(table)) for table in (targets, targets, population, population)]
    own_rows = np.bincount(population.persons, minlength=population.size)[population.persons]
    by_row = population.size == len(population)
    both = len(release) + len(population)
    for clique in chosen:
        size = tables.size(clique)
        sample, sought = (tables.cells(table, clique) for table in (population, targets))
        in_release = tables.released(clique)
        in_both = in_release + np.bincount(sample, minlength=size)
        # One row, spread evenly, so that no cell has probability 0.
        chance = (in_both + 1 / size) / (both + 1)
        own = 1 if by_row else own_occurrences(sample.astype(np.uint64), population.persons)
        left = (in_both[sample] - own + 1 / size) / (both - own_rows + 1)
        # One more row on either side: where less than one is expected, none is no evidence.
        excess = np.log((in_release + 1) / (len(release) * chance + 1))
        sums[0] += np.log(chance)[sought]
        sums[1] += excess[sought]
        sums[2] += np.log(left)
        sums[3] += np.log((in_release[sample] + 1) / (len(release) * left + 1))
    return LowOrder(
        targets_release=(sums[0] + sums[1]) * share,
        targets_population=sums[0] * share,
        population_release=(sums[2] + sums[3]) * share,
        population_population=sums[2] * share,
    )
