"""Membership by the very marginals that the synthesizer learned."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from attacks.base import Evidence, Scores
from attacks.engine.table import CodedTable
from attacks.membership.coarse import Coarse, coarse
from attacks.membership.excess import Parts, Ratios
from attacks.membership.records import LowOrder, with_records
from attacks.membership.structure import Structure, recovered
from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel

# Kinds that learn less than a graph of pairs: whether they learn a tree of pairs, and others.
_LEARNED = {"independent": (False, False), "mst": (True, False)}
# Chosen on seeds 0 to 4 of adult_discrete, nhefs and RAND HIE at epsilon 10 and 100.
_POWER = 5  # of the share of dependence kept: how fast pairs lose their say where little was kept
_OTHERS = 0.5  # say of a pair outside the tree, which in part repeats the tree's


@dataclass(frozen=True, kw_only=True)
class Cliques:
    """Suspect a target whom the release's own tables make likelier than the population does.

    A generator of marginals knows its members by the tables that it asked for, and by no others:
    a sample of all pairs drowns these in noise. The release shows which they were. A sample of a
    tree of pairs has that tree as its largest mutual informations, and pairs that nobody measured
    have lost the dependence that the population has. So columns count fully, pairs of the recovered
    tree by how much of their dependence was kept, and the others by how much was kept beyond what
    the tree implies. Whole records count as in ``membership/marginal``.

    What is known of the synthesizer's kind only takes tables away: no pairs of "independent", none
    outside the tree of "mst". Of an unknown kind the release decides.

    Source:
        MAMA-MIA (Golob et al. 2025): marginals that the generator selected are what to attack.
        TAMIS (Andrey et al. 2025): they can be recovered from the synthetic table, by the tree of
        Chow and Liu (1968), without runs of the generator. The weights are our own.
    """

    name: ClassVar[str] = "membership/cliques"
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
        structure = evidence.once("membership/structure", lambda: recovered(tables))
        weights = weights_of(structure, evidence.synthesizer)
        sought = _together(_parts(tables, tables.targets, structure), weights)
        sample = _together(_parts(tables, tables.population, structure), weights)
        low = LowOrder(
            targets_release=sought.usual + sought.excess,
            targets_population=sought.usual,
            population_release=sample.usual + sample.excess,
            population_population=sample.usual,
        )
        return with_records(low, evidence, targets, tables)


Three = tuple[float, float, float]


def weights_of(structure: Structure, kind: str | None) -> Three:
    """Return how much columns, pairs of the tree and other pairs count, from 0 to 1."""
    tree, others = _LEARNED.get(kind or "", (True, True))
    kept = structure.kept**_POWER
    return 1.0, tree * kept, others * _OTHERS * kept * structure.kept_beyond


def _parts(tables: Coarse, among: CodedTable, structure: Structure) -> tuple[Parts, Parts, Parts]:
    """Return what columns, pairs of the tree and other pairs say of the rows of ``among``."""
    ratios = Ratios(tables, among)
    return ratios.columns(), ratios.pairs(structure.tree), ratios.pairs(structure.others)


def _together(parts: tuple[Parts, Parts, Parts], weights: Three) -> Parts:
    """Return the density of the tree model, and the weighted excess of all parts."""
    columns, tree, _ = parts
    excess = sum((w * each.excess for w, each in zip(weights, parts, strict=True)), start=0.0)
    return Parts(usual=columns.usual + tree.usual, excess=np.asarray(excess, dtype=np.float64))
