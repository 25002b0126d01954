"""hybrid: a network that starts from a marginal model, and is trained on the rows from there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from dpsynth import _validate
from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.models.graphical.raking import Correction
from dpsynth.models.neural.correction import Targets
from dpsynth.models.neural.model import NeuralModel
from dpsynth.models.neural.network import Network
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.dpsgd.rule import StepRule
from dpsynth.privacy.events import SampledGaussianEvent
from dpsynth.synthesizers.auto import Auto
from dpsynth.synthesizers.base import Budget, Learned, Progress, Step
from dpsynth.synthesizers.deep import LABEL, Deep, Facts, Start, Training, event_of
from dpsynth.synthesizers.prior import PublicPrior, require_prior

if TYPE_CHECKING:
    from torch import Tensor, nn

    from dpsynth.synthesizers.deep import Gradients, Loss

_BATCH = 4_096
_STEPS = 100
_DRAWN = 100_000  # rows of the marginal model that the network starts from
_WARM_STEPS = 250
_WARM_BATCH = 2_048
_WARM_STEP_SIZE = 0.01
_STEP_SIZE = 0.006
_UNTIL_LARGEST = 10  # steps
_FITTED = 10.0  # a fitted table of the tree is as uncertain as what was measured: undo its anchor
_PER_WEIGHT = 3e-4  # seconds of the warm start for a thousand weights


@dataclass(frozen=True, kw_only=True)
class Hybrid(Deep):
    """Synthesize from a network that knows what a marginal model knows before its first batch.

    Most of the budget goes to the noisy tables of ``auto``. The network learns rows drawn from that
    model, as many as it takes and free of charge, and then the private rows by noisy gradients,
    with what the claim leaves. Whole samples are held against the noisy tables in the end.

    Args:
        hidden: units of the hidden layer.
        marginal_share: part of the claim's zCDP for the marginal model, in (0, 1).
        prior: what was known before, from public data; the marginal model starts from it, and so
            the network.

    Source:
        As for ``auto`` and ``made``.
    """

    name: ClassVar[str] = "hybrid"
    hidden: int = 64
    marginal_share: Fraction = Fraction(9, 10)
    prior: PublicPrior | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _validate.exact(hidden=self.hidden, marginal_share=self.marginal_share)
        _validate.integral(hidden=self.hidden)
        _validate.positive(hidden=self.hidden)
        _validate.in_open_unit(marginal_share=self.marginal_share)
        require_prior(self.prior)

    def preset(self, facts: Facts) -> Training:
        """Return the numbers of a training, by public facts alone."""
        rate = Fraction(1, max(1, facts.units // _BATCH))
        return Training(rate=rate, steps=_STEPS, step_size=_STEP_SIZE)

    def weights(self, facts: Facts) -> int:
        """Return how many weights the network has."""
        return 2 * facts.codes * self.hidden + facts.codes**2

    def bill(self, domain: Domain, *, unit: PrivacyUnit, budget: Budget) -> tuple[Step, ...]:
        """List the tables and the training; together they keep the claim."""
        self._first(domain, budget.target)
        facts = self._facts(domain, unit, budget.expected_rows, budget.epsilon)
        steps = self._marginal(domain, budget).steps(domain, unit=unit, rho=self._rho(budget))
        others = [*budget.before, *(step.event for step in steps)]
        event = event_of(self.training(facts), budget, others)
        return (*steps, Step(phase="train", label=LABEL, event=event))

    def spend(
        self,
        curator: Curator,
        *,
        budget: Budget,
        planned: Domain,
        progress: Progress | None = None,
    ) -> Learned:
        """Fit the marginal model, let the network learn it, then train."""
        bill = self.bill(planned, unit=curator.unit, budget=budget)
        facts = self._facts(planned, curator.unit, budget.expected_rows, budget.epsilon)
        training, event = self.training(facts), bill[-1].event
        assert isinstance(event, SampledGaussianEvent), "the last step of the bill is the training"
        auto = self._marginal(planned, budget)
        learned = auto.learn(curator, rho=self._rho(budget), planned=planned)
        marginal = learned.model
        assert isinstance(marginal, GraphicalModel), "auto learns tables"
        coarse = curator.coarsened({n: c.groups for n, c in learned.coarsenings.items()})
        domain = coarse.domain
        first = self._first(domain, budget.target)
        order = (*first, *(name for name in domain.columns if name not in first))
        places = [domain.columns.index(name) for name in order]
        drawn = marginal.sample(_DRAWN, np.random.default_rng(0))
        start = Start(
            domain=Domain(sizes={name: domain.sizes[name] for name in order}),
            shares=tuple(_counted(drawn[name], domain.sizes[name]) for name in order),
            total=marginal.total,
            facts=facts,
        )
        rule = StepRule(
            rate=training.rate,
            noise_multiplier=Fraction(event.noise_multiplier),
            clip=training.clip,
            steps=training.steps,
            expected_units=facts.units,
        )
        private = coarse.train(rule, label=LABEL)

        def gradients(module: "nn.Module", loss: "Loss") -> "dict[str, Tensor]":
            return private.release(module, lambda held, rows: loss(held, rows[:, places]))

        def told(done: int) -> None:
            if progress is not None:
                progress(done, training.steps)

        rows = np.stack([drawn[name].astype(np.int64) for name in order], axis=1)
        histograms = {
            step.event: step for step in bill
        }
        del histograms
        model = NeuralModel(
            domain=domain,
            total=marginal.total,
            order=order,
            network=self._trained(start, rows, training, gradients, told),
            targets=targets_of(marginal),
        )
        return Learned(model=model, coarsenings=learned.coarsenings)

    def network(
        self,
        start: Start,
        training: Training,
        gradients: "Gradients",
        progress: Callable[[int], object],
    ) -> Network:
        """Train from the product of the columns: where there is no marginal model to start from."""
        return self._trained(start, None, training, gradients, progress)

    def _trained(self, start, rows, training, gradients, progress) -> Network:
        from dpsynth.models.neural.made import Made
        from dpsynth.models.neural.training import Schedule, generator, train, warmed

        module = Made(start.shares, hidden=self.hidden, generator=generator())
        if rows is not None:
            warmed(module, rows, Schedule(steps=_WARM_STEPS, rate=_WARM_STEP_SIZE), batch=_WARM_BATCH)
        schedule = Schedule(
            steps=training.steps,
            rate=training.step_size,
            average=training.average,
            warm_up=_UNTIL_LARGEST,
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
        return Auto(target=target, prior=self.prior)

    def _rho(self, budget: Budget) -> Fraction:
        return budget.rho * self.marginal_share


def targets_of(model: GraphicalModel) -> Targets:
    columns = [
        Correction(
            clique=(name,),
            shares=model.marginal((name,)) / model.total,
            stddev=1e-6,
        )
        for name in model.domain.columns
    ]
    held = [set(clique) for clique in model.cliques]
    pairs = [
        replace(each, stddev=each.stddev * _FITTED)
        if any(set(each.clique) <= clique for clique in held)
        else each
        for each in model.corrections
    ]
    return Targets(total=model.total, tables=[*columns, *pairs])


def _counted(codes, size):
    counts = np.bincount(codes, minlength=size) + 0.5
    return counts / counts.sum()
