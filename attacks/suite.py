"""Which attacks there are, in which tiers they run, and running them within a time limit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from attacks import games
from attacks.attribute import attribution, nearest, reconstruction
from attacks.attribute.attribution import Attribution
from attacks.attribute.boosting import Boosting
from attacks.attribute.inference import NearestVote
from attacks.attribute.nearest import Nearest
from attacks.attribute.reconstruction import Reconstruction
from attacks.base import Evidence, NotApplicable, TooLittle
from attacks.linkage.closest import ClosestRows
from attacks.linkage.game import linkage
from attacks.membership.classifier import Classifier
from attacks.membership.cliques import Cliques
from attacks.membership.density import Density
from attacks.membership.distance import CalibratedDistance, Distance
from attacks.membership.gen_lra import GenLra
from attacks.membership.marginal import Marginal
from attacks.membership.shadow import Shadow
from attacks.observed import Observed, Stage
from attacks.scan.copies import Copies, NearCopies, scan
from attacks.singling_out.game import singling_out
from attacks.singling_out.multivariate import Multivariate
from attacks.singling_out.univariate import Univariate
from attacks.singling_out.whole_record import WholeRecord
from attacks.threat_model import ThreatModel

SMOKE, STANDARD, FULL = "smoke", "standard", "full"
TIERS = (SMOKE, STANDARD, FULL)
# What a broken attack may raise; anything else is a fault of the machine or of the caller.
_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)

Game = Callable[[Any, Evidence, Stage], list[Observed]]
Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One attack of the suite.

    Args:
        attack: has a ``name`` and a ``threat_model``, and what its game asks for.
        game: plays it.
        says: what is being done, for people who wait.
        tier: the smallest tier that runs it; larger ones do too.
        plants: it is quick, and finds copied persons: it runs on the calibration plants.
        by_group: its lines are drawn for every subgroup as well.
        thorough: the same attack with more effort, for the largest tier.
    """

    attack: Any
    game: Game
    says: str
    tier: str = STANDARD
    plants: bool = False
    by_group: bool = False
    thorough: Any = None

    @property
    def name(self) -> str:
        """The attack's name."""
        return str(self.attack.name)


@dataclass(frozen=True, kw_only=True)
class NotRun:
    """An attack without lines.

    Args:
        name: of the attack.
        threat_model: of the attack.
        status: "not applicable", "inconclusive", "skipped" or "error".
        note: why, in a sentence.
    """

    name: str
    threat_model: ThreatModel
    status: str
    note: str


SUITE: tuple[Entry, ...] = (
    Entry(
        attack=Marginal(),
        game=games.membership,
        says="membership: likelihood under the marginals",
        tier=SMOKE,
        plants=True,
        by_group=True,
    ),
    Entry(
        attack=Cliques(),
        game=games.membership,
        says="membership: likelihood under the marginals that were learned",
        tier=SMOKE,
        plants=True,
    ),
    Entry(
        attack=Distance(),
        game=games.membership,
        says="membership: closest released record",
        tier=SMOKE,
    ),
    Entry(
        attack=CalibratedDistance(),
        game=games.membership,
        says="membership: closest released record against closest other person",
        tier=SMOKE,
    ),
    Entry(
        attack=Density(),
        game=games.membership,
        says="membership: density of the release around a record",
        tier=SMOKE,
    ),
    Entry(
        attack=GenLra(),
        game=games.membership,
        says="membership: likelihood of the release, given a record",
        tier=SMOKE,
    ),
    Entry(
        attack=Classifier(),
        game=games.membership,
        says="membership: released or not, by a classifier",
    ),
    Entry(
        attack=NearestVote(),
        game=games.attribute,
        says="attributes: vote of the nearest records",
        tier=SMOKE,
        by_group=True,
    ),
    Entry(attack=Boosting(), game=games.attribute, says="attributes: gradient boosting"),
    Entry(
        attack=Nearest(),
        game=nearest.play,
        says="attributes: closest record by all columns but one",
        tier=SMOKE,
    ),
    Entry(
        attack=Copies(),
        game=scan,
        says="scan: copied records",
        tier=SMOKE,
        plants=True,
    ),
    Entry(attack=NearCopies(), game=scan, says="scan: nearly copied records", tier=SMOKE),
    Entry(
        attack=Univariate(),
        game=singling_out,
        says="singling out: rare and extreme values",
        tier=SMOKE,
    ),
    Entry(
        attack=Multivariate(),
        game=singling_out,
        says="singling out: conditions on several columns",
        tier=SMOKE,
    ),
    Entry(attack=WholeRecord(), game=singling_out, says="singling out: whole released records"),
    Entry(
        attack=ClosestRows(),
        game=linkage,
        says="linkage: closest released rows of two halves of a record",
        tier=SMOKE,
    ),
    Entry(
        attack=Attribution(),
        game=attribution.play,
        says="attributes: correct attribution (DiSCO, DCAP, TCAP, repU)",
        tier=SMOKE,
    ),
    Entry(
        attack=Shadow(),
        thorough=Shadow(runs=400),
        game=games.membership,
        says="membership: shadow runs of the synthesizer",
    ),
    Entry(
        attack=Reconstruction(),
        game=reconstruction.play,
        says="attributes: reconstruction from marginals",
    ),
)


def of_tier(
    tier: str, *, entries: Sequence[Entry] = SUITE, every_column: bool = False
) -> tuple[Entry, ...]:
    """Return the attacks that a tier runs, in order.

    Args:
        tier: one of ``TIERS``.
        entries: to choose from.
        every_column: guess the columns that are not sensitive as well, from all the others.
    """
    reach = TIERS.index(tier)
    chosen = tuple(entry for entry in entries if TIERS.index(entry.tier) <= reach)
    if every_column:
        chosen = tuple(
            replace(entry, attack=Nearest(every_column=True))
            if isinstance(entry.attack, Nearest)
            else entry
            for entry in chosen
        )
    if tier != FULL:
        return chosen
    return tuple(replace(entry, attack=entry.thorough or entry.attack) for entry in chosen)


def run(
    entries: Sequence[Entry],
    evidence: Evidence,
    stage: Stage,
    *,
    progress: Progress,
) -> tuple[list[Observed], list[NotRun]]:
    """Play each game in turn; an attack that cannot run, or breaks, is said, never passed over.

    Args:
        entries: the attacks.
        evidence: what attackers hold; no attack starts after its deadline.
        stage: who is attacked.
        progress: told what is being done.
    """
    lines: list[Observed] = []
    others: list[NotRun] = []
    for entry in entries:
        if evidence.deadline is not None and monotonic() >= evidence.deadline:
            others.append(_not_run(entry, "skipped", "the time limit was reached before it"))
            continue
        if not len(evidence.release):
            others.append(_not_run(entry, "inconclusive", "the release has no rows to attack"))
            continue
        progress(entry.says)
        try:
            played = entry.game(entry.attack, evidence, stage)
        except NotApplicable as reason:
            others.append(_not_run(entry, "not applicable", str(reason)))
        except TooLittle as reason:
            others.append(_not_run(entry, "inconclusive", str(reason)))
        except _FAULTS as error:
            # Its kind alone: a message may quote a row.
            kind = type(error).__name__
            others.append(
                _not_run(
                    entry, "error", f"the attack stopped with {kind}; it is evidence of nothing"
                )
            )
        else:
            lines += played
            if not played:
                others.append(
                    _not_run(
                        entry,
                        "not applicable",
                        "the schema names no sensitive column, or no quasi-identifier beside it",
                    )
                )
    return lines, others


def _not_run(entry: Entry, status: str, note: str) -> NotRun:
    return NotRun(name=entry.name, threat_model=entry.attack.threat_model, status=status, note=note)
