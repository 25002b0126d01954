"""hybrid: a network that starts from a marginal model, and is trained on the rows from there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from dpsynth import _validate
from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.models.graphical.raking import Correction
from dpsynth.models.neural.correction import Targets
from dpsynth.models.neural.network import Network
from dpsynth.privacy.curator import Curator
from dpsynth.synthesizers.auto import Auto
from dpsynth.synthesizers.base import Budget, Step
from dpsynth.synthesizers.deep import Deep
from dpsynth.synthesizers.deep_facts import Beginning, Facts, Start, Training
from dpsynth.synthesizers.loom_corrections import ANCHOR
from dpsynth.synthesizers.plan import Estimate
from dpsynth.synthesizers.prior import PublicPrior, require_prior

if TYPE_CHECKING:
    from dpsynth.synthesizers.deep_facts import Gradients

# Chosen on seeds 0 and 1 of raw adult; reported on others.
_BATCH = 4_096
_STEPS = 150
_STEP_SIZE = 0.016
_UNTIL_LARGEST = 10  # steps
_DRAWN = (4_000, 100_000)  # rows of the marginal model that the network learns, least and most
_DRAWN_TIMES = 4  # as many as there are expected to be
_WARM_BATCH = (128, 2_048)
_WARM_PART = 16  # of the expected rows in a batch, one in so many
_WARM_STEP_SIZE = 0.01
_CLEAR = 1e-6  # stddev of a column's shares: fitted to many tables, and met as they are
_DOUBT = 3.0  # by which the noise of a table counts more: the network knows something as well


@dataclass(frozen=True, kw_only=True)
class Hybrid(Deep):
    """Synthesize from a network that knows what a marginal model knows before its first batch.

    Most of the budget goes to the noisy tables of ``auto``. The network learns rows drawn from that
    model, as many as it takes and free of charge, and then the private rows by noisy gradients,
    with what the claim leaves. Whole samples are held against the noisy tables in the end.

    Args:
        one_way_share: part of the marginal model's budget for its histograms, in (0, 1).
        target_share: 0, as the marginal model chooses the tables; those of the declared target
            count four times.
        hidden: units of the hidden layer.
        marginal_share: part of the claim's zCDP for the marginal model, in (0, 1).
        warm_steps: steps in which the network learns what was drawn from the marginal model, before
            the first noisy gradient; they cost no privacy.
        prior: what was known before, from public data: the marginal model starts from it, and so
            does the network.

    Source:
        As for ``auto`` and ``made``.
    """

    name: ClassVar[str] = "hybrid"
    one_way_share: Fraction = Fraction(1, 4)
    target_share: Fraction = Fraction(0)
    hidden: int = 64
    marginal_share: Fraction = Fraction(4, 5)
    warm_steps: int = 250
    prior: PublicPrior | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.target_share != 0:
            raise ValueError("target_share must be 0: the marginal model chooses the tables")
        counts = {"hidden": self.hidden, "warm_steps": self.warm_steps}
        _validate.exact(**counts, marginal_share=self.marginal_share)
        _validate.integral(**counts)
        _validate.positive(**counts)
        _validate.in_open_unit(marginal_share=self.marginal_share)
        require_prior(self.prior)

    def preset(self, facts: Facts) -> Training:
        """Return the numbers of a training, by public facts alone."""
        rate = Fraction(1, max(1, facts.units // _BATCH))
        return Training(rate=rate, steps=_STEPS, step_size=_STEP_SIZE)

    def shortened(self, steps: int) -> Self:
        """Return the same generator with a training and a warm start of at most that length."""
        return replace(super().shortened(steps), warm_steps=min(self.warm_steps, steps))

    def weights(self, facts: Facts) -> int:
        """Return how many weights the network has."""
        return 2 * facts.codes * self.hidden + facts.codes**2

    def estimate(
        self, domain: Domain, *, unit: PrivacyUnit, expected_rows: int | None, epsilon: Fraction
    ) -> Estimate | None:
        """Return minutes and memory of a fit, the marginal model and the warm start included."""
        found = super().estimate(domain, unit=unit, expected_rows=expected_rows, epsilon=epsilon)
        before = Auto().estimate(domain, unit=unit, expected_rows=expected_rows, epsilon=epsilon)
        if found is None or before is None:
            return found
        facts = self._facts(domain, unit, expected_rows, epsilon)
        batch = _between(facts.rows // _WARM_PART, *_WARM_BATCH)
        warm = self.warm_steps * (batch * self.weights(facts) * self.seconds_per_weight + 1e-3)
        return replace(found, minutes=round(found.minutes + before.minutes + warm / 60, 3))

    def asked(self, domain: Domain, *, unit: PrivacyUnit, budget: Budget) -> tuple[Step, ...]:
        """List what the marginal model asks."""
        return self._marginal(domain, budget).steps(domain, unit=unit, rho=self._rho(budget))

    def begin(self, curator: Curator, *, budget: Budget, planned: Domain) -> Beginning:
        """Fit the marginal model, and draw rows for the network to learn."""
        marginal = self._marginal(planned, budget)
        learned = marginal.learn(curator, rho=self._rho(budget), planned=planned)
        model = learned.model
        assert isinstance(model, GraphicalModel), "auto learns tables"
        wanted = _DRAWN_TIMES * (budget.expected_rows or 0)
        groups = {name: each.groups for name, each in learned.coarsenings.items()}
        return Beginning(
            curator=curator.coarsened(groups),
            targets=_targets(model),
            coarsenings=learned.coarsenings,
            drawn=model.sample(_between(wanted, *_DRAWN), np.random.default_rng(0)),
        )

    def network(
        self,
        start: Start,
        training: Training,
        gradients: "Gradients",
        progress: Callable[[int], object],
    ) -> Network:
        """Let the network learn what was drawn, then train it."""
        from dpsynth.models.neural.made import Made
        from dpsynth.models.neural.training import Schedule, generator, learn_rows, train

        module = Made(start.shares, hidden=self.hidden, generator=generator())
        if start.rows is not None:
            warm = Schedule(steps=self.warm_steps, rate=_WARM_STEP_SIZE)
            batch = _between(start.facts.rows // _WARM_PART, *_WARM_BATCH)
            learn_rows(module, module.loss, start.rows, warm, batch=batch)
        schedule = Schedule(
            steps=training.steps,
            rate=training.step_size,
            warm_up=_UNTIL_LARGEST,
            average=training.average,
        )
        train(
            module,
            lambda: gradients(module, lambda held, rows: held.loss(rows)),
            schedule,
            progress=progress,
        )
        return module.released()

    def _marginal(self, domain: Domain, budget: Budget) -> Auto:
        target = budget.target if budget.target in domain.sizes else None
        return Auto(target=target, one_way_share=self.one_way_share, prior=self.prior)

    def _rho(self, budget: Budget) -> Fraction:
        return budget.rho * self.marginal_share


def _targets(model: GraphicalModel) -> Targets:
    """Return what samples of the network are held against: the columns, and what was measured."""
    columns = [
        Correction(clique=(name,), shares=model.marginal((name,)) / model.total, stddev=_CLEAR)
        for name in model.domain.columns
    ]
    return Targets(total=model.total, tables=[*columns, *_loosened(model)])


def _loosened(model: GraphicalModel) -> Sequence[Correction]:
    """Return the corrections of a marginal model, each as uncertain as what was measured.

    Those that its tree holds bind its own samples more tightly: these are drawn from them.
    """
    held = [set(clique) for clique in model.cliques]
    return [
        replace(each, stddev=each.stddev * _DOUBT / ANCHOR)
        if any(set(each.clique) <= clique for clique in held)
        else replace(each, stddev=each.stddev * _DOUBT)
        for each in model.corrections
    ]


def _between(value: int, least: int, most: int) -> int:
    return min(max(value, least), most)
