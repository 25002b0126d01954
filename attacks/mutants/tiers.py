"""How much of the zoo is run: a minute of it, ten minutes, or all."""

from dataclasses import dataclass, replace
from enum import StrEnum

from attacks.conformance.audits import AUDITS
from attacks.mutants.base import Control, Mutant
from attacks.mutants.catalogue import CONTROLS, LISTED, MUTANTS

_STANDARD_SEEDS, _FULL_SEEDS, _DEAR_SEEDS = 1, 200, 5
_DEAR_AUDIT_SEEDS = 20
# Half of the time of all together; randomness and the ledger hang on no seed.
_DEAR_AUDITS = frozenset({"game", "ledger", "randomness", "release", "rows"})
_SMOKE_CONTROLS = frozenset(
    {
        "pure-independent-with-wider-noise",
        "mst-with-wider-noise",
    }
)
# One of every kind, and what the audits could most easily lose again.
SMOKE = frozenset(
    {
        "noise-20-percent-small",
        "scale-over-n",
        "one-draw-for-all-cells",
        "noise-on-a-coarse-grid",
        "small-counts-suppressed",
        "max-rows-forgotten",
        "number-of-marginals-forgotten",
        "score-sensitivity-halved",
        "contributions-unbounded",
        "selection-factor-two",
        "argmax-past-the-mechanism",
        "every-value-released",
        "exact-number-of-rows",
        "sampled-until-it-passes",
        "identifiers-copied",
        "categories-from-the-rows",
        "warning-on-a-missing-cell",
        "budget-spent-twice",
        "debited-after-the-read",
        "debits-written-at-the-end",
        "releases-charged-once",
        "seed-fixed",
    }
)


class Tier(StrEnum):
    """How much of the zoo is run."""

    smoke = "smoke"
    standard = "standard"
    full = "full"


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What is run.

    Attributes:
        mutants: which.
        spared: the first seed at which controls are spared dear audits, odd cells and loud budgets;
            None where there is none.
        alone: names of mutants of which the audit that must find them is run, and no other.
        controls: which, each with the seeds that it is run with.
    """

    mutants: tuple[Mutant, ...]
    controls: tuple[tuple[Control, range], ...]
    spared: int | None = None
    alone: frozenset[str] = frozenset()

    def audits_of(self, mutant: Mutant) -> list[str]:
        """Return the names of the audits that ``mutant`` is put before."""
        return [mutant.audit] if mutant.name in self.alone else list(AUDITS)

    def audits_at(self, seed: int) -> list[str]:
        """Return the names of the audits that controls are put before with ``seed``."""
        spared = self.spares(seed)
        return [name for name in AUDITS if not (spared and name in _DEAR_AUDITS)]

    def spares(self, seed: int) -> bool:
        """Whether controls are spared with ``seed`` what takes most of the time."""
        return self.spared is not None and seed >= self.spared


def scope_of(
    tier: Tier,
    *,
    mutants: tuple[Mutant, ...] = MUTANTS,
    controls: tuple[Control, ...] = CONTROLS,
) -> Scope:
    """Return what ``tier`` runs of these mutants and controls."""
    if tier is Tier.smoke:
        chosen = tuple(each for each in mutants if each.name in SMOKE)
        few = tuple((each, range(1, 2)) for each in controls if each.name in _SMOKE_CONTROLS)
        return Scope(mutants=chosen, controls=few, alone=SMOKE)
    scope = Scope(
        mutants=mutants,
        controls=tuple((each, range(1, 1 + _seeds(tier, each))) for each in controls),
        spared=1 if tier is Tier.standard else 1 + _DEAR_AUDIT_SEEDS,
    )
    names = frozenset(each.name for each in mutants)
    if tier is Tier.standard:
        return replace(scope, alone=names)
    return replace(scope, alone=names - {each.name for each in LISTED})


def _seeds(tier: Tier, control: Control) -> int:
    if tier is Tier.standard:
        return _STANDARD_SEEDS
    return _DEAR_SEEDS if control.dear else _FULL_SEEDS
