"""What a synthesizer is made of: charges it plans, and what it has learned when they are spent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Protocol, runtime_checkable

from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.encoding.coarsening import Coarsening
from dpsynth.models.graphical.convex import around_zeros
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.models.protocol import Model
from dpsynth.privacy.accounting import zcdp_rho
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.events import Event

MOST_CELLS = 2_000_000  # that a synthesizer may be allowed: a fit then stays under a gibibyte


@dataclass(frozen=True, kw_only=True)
class Step:
    """One charge that a fit will make.

    Attributes:
        phase: the part of the method that it belongs to.
        label: what is asked, in public names. Where a noisy answer decides which columns are
            asked about, the label says which of how many questions it is.
        event: the mechanism with its scale, exact; the ledger will show an equal one.
    """

    phase: str
    label: str
    event: Event

    @property
    def rho(self) -> Fraction:
        """Cost of the step in zCDP, exact."""
        return zcdp_rho(self.event)


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What is left after the budget is spent: noisy answers and what was computed from them.

    Attributes:
        model: a distribution over the codes that the method worked on.
        coarsenings: by column, how the curator's codes were merged into the model's; a column
            that is missing here was left as it was.

    A graphical model that does not hold the structural zeros of its domain is replaced by the
    nearest one that does; the fits of ``models/graphical`` hold them from the start, and a network
    is drawn from so that it does.
    """

    model: Model
    coarsenings: Mapping[str, Coarsening]

    def __post_init__(self) -> None:
        if self.model.domain.zeros and isinstance(self.model, GraphicalModel):
            object.__setattr__(self, "model", around_zeros(self.model))


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a claim leaves to a synthesizer, and the public facts that go with it.

    Attributes:
        rho: what is left of the claim's zCDP, exact: all that there is to spend where no model is
            trained on the rows.
        epsilon: of the whole claim, exact.
        delta: of the whole claim, exact.
        before: what the same claim pays for earlier: values and bins.
        expected_rows: declared; None where it is not.
        target: the declared target; None where there is none.
    """

    rho: Fraction
    epsilon: Fraction
    delta: Fraction
    before: tuple[Event, ...] = ()
    expected_rows: int | None = None
    target: str | None = None


Progress = Callable[[int, int], object]  # told the steps of a training done, and of how many


class Learner(Protocol):
    """Frozen public settings with two methods; everything else is shared."""

    name: ClassVar[str]

    def steps(self, domain: Domain, *, unit: PrivacyUnit, rho: Fraction) -> tuple[Step, ...]:
        """List the charges of ``learn``, from public facts alone; they add up to ``rho``."""
        ...

    def learn(self, curator: Curator, *, rho: Fraction, planned: Domain | None = None) -> Learned:
        """Spend exactly ``rho``, as ``steps`` said, and return what was learned.

        Args:
            curator: over the columns of ``planned``; the bins of some may be fewer than planned.
            rho: the budget, exact.
            planned: the domain that ``steps`` was given; the scales follow from it, and so from
                nothing that an answer could change. The curator's own where not given.
        """
        ...


@runtime_checkable
class Trainer(Protocol):
    """A learner that trains a network on the rows, and so needs a whole claim to plan by."""

    trained: ClassVar[bool]

    def bill(self, domain: Domain, *, unit: PrivacyUnit, budget: Budget) -> tuple[Step, ...]:
        """List the charges of ``spend``, from public facts alone; together they keep the claim."""
        ...

    def spend(
        self,
        curator: Curator,
        *,
        budget: Budget,
        planned: Domain,
        progress: Progress | None = None,
    ) -> Learned:
        """Make the charges of ``bill(planned)``; see ``Learner.learn``."""
        ...


class PureLearner(Protocol):
    """A learner whose every charge is pure, so that a claim may have delta 0."""

    name: ClassVar[str]

    def pure_steps(
        self, domain: Domain, *, unit: PrivacyUnit, epsilon: Fraction
    ) -> tuple[Step, ...]:
        """List the charges of ``pure_learn``; their pure epsilons add up to ``epsilon``."""
        ...

    def pure_learn(
        self, curator: Curator, *, epsilon: Fraction, planned: Domain | None = None
    ) -> Learned:
        """Spend exactly ``epsilon``, as ``pure_steps`` said; see ``Learner.learn``."""
        ...
