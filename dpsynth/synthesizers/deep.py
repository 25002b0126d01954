"""What all generators that are trained on the rows have in common.

A histogram of every column first, for a small part of the budget: networks start from them, and
whole samples meet them in the end. Where a target is declared, its tables with all other columns:
whole samples follow them, too. Then one training, paid for as a whole before its first batch.
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from dpsynth import _validate
from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.errors import UnfitEnvironmentError, UnknownNameError, UsageError
from dpsynth.models.graphical.tables import estimate_total
from dpsynth.models.neural.correction import Targets
from dpsynth.models.neural.model import NeuralModel
from dpsynth.models.neural.network import Network
from dpsynth.privacy.accounting import noise_multiplier_for
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.dpsgd.rule import StepRule
from dpsynth.privacy.events import Event, SampledGaussianEvent
from dpsynth.synthesizers.base import Budget, Learned, Progress, Step
from dpsynth.synthesizers.deep_facts import Beginning, Facts, Start, Training
from dpsynth.synthesizers.facade import Synthesizer
from dpsynth.synthesizers.one_way import OneWayPhase
from dpsynth.synthesizers.plan import Estimate
from dpsynth.synthesizers.target_pairs import TargetPairs

if TYPE_CHECKING:
    from torch import Tensor, nn

    from dpsynth.synthesizers.deep_facts import Gradients, Loss

Array = NDArray[np.float64]

LABEL = "training"
_PACKAGES = ("torch", "safetensors")
_FLOOR = 0.05  # of a standard deviation of the noise: no code starts with a share of 0


@dataclass(frozen=True, kw_only=True)
class Deep(Synthesizer):
    """Base of the generators that are trained on the rows.

    Args:
        first: columns that the network takes first, in this order: rows with given values in
            them are drawn directly, however rare. Names, or one text with commas between them;
            the declared target where None.
        training_steps: steps of the training; a preset by public facts where None.
        batch: expected number of units in a batch; likewise.
        one_way_share: part of the budget for the histograms, in (0, 1).
        target_share: part of the budget for tables of the declared target with every other column,
            which samples are held against; in [0, 1), 0 for none.
    """

    trained: ClassVar[bool] = True
    seconds_per_weight: ClassVar[float] = 1.3e-10  # of one row in one step
    first: tuple[str, ...] | None = None
    training_steps: int | None = None
    batch: int | None = None
    one_way_share: Fraction = Fraction(1, 12)
    target_share: Fraction = Fraction(1, 5)

    def __post_init__(self) -> None:
        given: object = self.first
        if given is not None:
            names = given.split(",") if isinstance(given, str) else self.first or ()
            object.__setattr__(self, "first", tuple(str(name) for name in names))
            if len(set(self.first or ())) != len(self.first or ()):
                raise ValueError("first must name every column once")
        _validate.exact(one_way_share=self.one_way_share)
        _validate.in_open_unit(one_way_share=self.one_way_share)
        _validate.exact(target_share=self.target_share)
        if not 0 <= self.target_share < 1 - self.one_way_share:
            raise ValueError("target_share must be at least 0, and leave something to train with")
        counts = {"training_steps": self.training_steps, "batch": self.batch}
        known = {name: value for name, value in counts.items() if value is not None}
        _validate.exact(**known)
        _validate.integral(**known)
        _validate.positive(**known)

    @abstractmethod
    def preset(self, facts: Facts) -> Training:
        """Return the numbers of a training, by public facts alone."""

    @abstractmethod
    def weights(self, facts: Facts) -> int:
        """Return how many weights the network has, about: time and memory follow."""

    @abstractmethod
    def network(
        self,
        start: Start,
        training: Training,
        gradients: "Gradients",
        progress: Callable[[int], object],
    ) -> Network:
        """Train a network by exactly ``training.steps`` gradients, and return it as arrays.

        Args:
            start: what is known before.
            training: the numbers that were paid for.
            gradients: the next noisy mean gradient of a module's parameters. Rows come to the loss
                as codes, shape ``(rows, columns)``, in the order of ``start.domain``.
            progress: to be told the steps done after each.
        """

    def training(self, facts: Facts) -> Training:
        """Return the numbers of the training: the preset, with what is set by the user."""
        found = self.preset(facts)
        rate, steps = found.rate, found.steps
        if self.batch is not None:
            rate = min(Fraction(self.batch, facts.units), Fraction(1))
        if self.training_steps is not None:
            steps = self.training_steps
        return Training(
            rate=rate,
            steps=steps,
            clip=found.clip,
            step_size=found.step_size,
            average=found.average,
        )

    def shortened(self, steps: int) -> Self:
        """Return the same generator with a training of ``steps``, which is soon tried."""
        return replace(self, training_steps=steps)

    def asked(self, domain: Domain, *, unit: PrivacyUnit, budget: Budget) -> tuple[Step, ...]:
        """List the charges of ``begin``, from public facts alone."""
        steps = self._one_way(domain, unit, budget).steps()
        return steps + self._target_pairs(domain, unit, budget).steps()

    def begin(self, curator: Curator, *, budget: Budget, planned: Domain) -> Beginning:
        """Make the charges of ``asked(planned)``, and return what they tell."""
        tables = self._one_way(planned, curator.unit, budget).measure(curator)
        pairs = self._target_pairs(planned, curator.unit, budget).measure(curator)
        total = estimate_total(list(tables.values()))
        targets = Targets.of([*tables.values(), *pairs], curator.domain, total=total)
        return Beginning(curator=curator, targets=targets)

    def bill(self, domain: Domain, *, unit: PrivacyUnit, budget: Budget) -> tuple[Step, ...]:
        """List what is asked first, and the training; together they keep the claim."""
        self._first(domain, budget.target)
        facts = self._facts(domain, unit, budget.expected_rows, budget.epsilon)
        steps = self.asked(domain, unit=unit, budget=budget)
        others = [*budget.before, *(step.event for step in steps)]
        event = _event(self.training(facts), budget, others)
        return (*steps, Step(phase="train", label=LABEL, event=event))

    def spend(
        self,
        curator: Curator,
        *,
        budget: Budget,
        planned: Domain,
        progress: Progress | None = None,
    ) -> Learned:
        """Ask, then train."""
        bill = self.bill(planned, unit=curator.unit, budget=budget)
        facts = self._facts(planned, curator.unit, budget.expected_rows, budget.epsilon)
        training, event = self.training(facts), bill[-1].event
        assert isinstance(event, SampledGaussianEvent), "the last step of the bill is the training"
        known = self.begin(curator, budget=budget, planned=planned)
        domain = known.curator.domain
        first = self._first(domain, budget.target)
        order = (*first, *(name for name in domain.columns if name not in first))
        places = [domain.columns.index(name) for name in order]
        drawn = known.drawn
        start = Start(
            domain=Domain(
                sizes={name: domain.sizes[name] for name in order}, ordered=domain.ordered
            ),
            shares=tuple(_above_zero(known.targets, name, domain.sizes[name]) for name in order),
            total=known.targets.total,
            facts=facts,
            first=len(first),
            rows=None if drawn is None else np.stack([drawn[n].astype(np.int64) for n in order], 1),
        )
        rule = StepRule(
            rate=training.rate,
            noise_multiplier=Fraction(event.noise_multiplier),
            clip=training.clip,
            steps=training.steps,
            expected_units=facts.units,
        )
        private = known.curator.train(rule, label=LABEL)

        def gradients(module: "nn.Module", loss: "Loss") -> "dict[str, Tensor]":
            return private.release(module, lambda held, rows: loss(held, rows[:, places]))

        def told(done: int) -> None:
            if progress is not None:
                progress(done, training.steps)

        model = NeuralModel(
            domain=domain,
            total=start.total,
            order=order,
            network=self.network(start, training, gradients, told),
            targets=known.targets,
        )
        return Learned(model=model, coarsenings=known.coarsenings)

    def estimate(
        self, domain: Domain, *, unit: PrivacyUnit, expected_rows: int | None, epsilon: Fraction
    ) -> Estimate | None:
        """Return minutes and memory of a fit, from public facts alone."""
        facts = self._facts(domain, unit, expected_rows, epsilon)
        training = self.training(facts)
        batch = float(training.rate) * facts.rows
        weights = self.weights(facts)
        seconds = 3 + training.steps * (batch * weights * self.seconds_per_weight + 1e-3)
        numbers = 12 * batch * facts.codes + 8 * weights + 2 * facts.rows * facts.columns
        return Estimate(
            rows=facts.rows,
            minutes=round(seconds / 60, 3),
            mebibytes=round(400 + 4 * numbers / 2**20),
        )

    def require_installed(self) -> None:
        """Raise UnfitEnvironmentError where the extra for training is not installed."""
        absent = [name for name in _PACKAGES if find_spec(name) is None]
        if absent:
            raise UnfitEnvironmentError(
                f"{self.name} needs {' and '.join(absent)}, which this machine does not have: "
                "pip install 'dpsynth[deep]'"
            )

    def _facts(
        self, domain: Domain, unit: PrivacyUnit, expected_rows: int | None, epsilon: Fraction
    ) -> Facts:
        if expected_rows is None:
            raise UsageError(
                f"{self.name} needs `expected_rows` in the schema, an order of magnitude that you "
                "know without looking at the file: its batches and steps follow from it"
            )
        return Facts(
            rows=expected_rows,
            max_rows=unit.max_rows,
            columns=len(domain.columns),
            codes=sum(domain.sizes.values()),
            epsilon=float(epsilon),
        )

    def _first(self, domain: Domain, target: str | None) -> tuple[str, ...]:
        if self.first is None:
            return (target,) if target is not None and target in domain.sizes else ()
        unknown = [name for name in self.first if name not in domain.sizes]
        if unknown:
            raise UnknownNameError(f"first: no column to learn is called {unknown[0]!r}")
        return self.first

    def _one_way(self, domain: Domain, unit: PrivacyUnit, budget: Budget) -> OneWayPhase:
        return OneWayPhase.split(domain, unit=unit, rho=budget.rho * self.one_way_share)

    def _target_pairs(self, domain: Domain, unit: PrivacyUnit, budget: Budget) -> TargetPairs:
        rho = budget.rho * self.target_share
        return TargetPairs.of(domain, budget.target, unit=unit, rho=rho)


def _event(training: Training, budget: Budget, others: list[Event]) -> SampledGaussianEvent:
    """Return the training with the least noise that keeps the claim beside ``others``."""
    multiplier = noise_multiplier_for(
        epsilon=budget.epsilon,
        delta=budget.delta,
        rate=training.rate,
        steps=training.steps,
        others=tuple(others),
    )
    return SampledGaussianEvent(
        rate=training.rate, noise_multiplier=multiplier, steps=training.steps
    )


def _above_zero(targets: Targets, name: str, size: int) -> Array:
    """Return the shares of a column, none of them 0; of one that was not asked about, even ones."""
    for each in targets.tables:
        if each.clique == (name,):
            raised = np.maximum(each.shares, min(_FLOOR * each.stddev, 1 / size))
            return np.asarray(raised / raised.sum())
    return np.full(size, 1 / size)
