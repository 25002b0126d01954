"""Every registered synthesizer passes every check, and every check can fail."""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest

from dpsynth.domain import Domain
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.synthesizers import registry
from dpsynth.synthesizers.deep import Deep
from dpsynth.synthesizers.facade import pure_names
from dpsynth.synthesizers.independent import Independent
from dpsynth.testing import conformance
from dpsynth.testing.conformance import CHECKS, PURE_CHECKS
from dpsynth.testing.worlds import UnreadableSource, chain_codes, reachable_from, small_world

STEPS = 6  # of a training: what is on trial here does not need more


@pytest.mark.parametrize("name", sorted(registry.BUILT_IN))
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_conforms(name, check):
    made = registry.get(name)
    if not issubclass(made, Deep):
        check(made())
        return
    if check is not conformance.plans_without_data:
        pytest.importorskip("torch", reason="training needs torch: pip install 'dpsynth[deep]'")
    check(made(training_steps=STEPS))


@pytest.mark.parametrize("name", pure_names())
@pytest.mark.parametrize("check", PURE_CHECKS, ids=lambda check: check.__name__)
def test_conforms_without_a_delta(name, check):
    check(registry.get(name)())


class PureFrugal(Independent):
    """Spends half of what it plans."""

    def pure_learn(self, curator, *, epsilon):
        return super().pure_learn(curator, epsilon=epsilon / 2)


class PureGaussian(Independent):
    """Adds Gaussian noise where there is no delta to cover its tails."""

    def pure_steps(self, domain, *, unit, epsilon):
        return super().steps(domain, unit=unit, rho=epsilon**2 / 2)


class PureForgetful(Independent):
    """Answers with even shares whatever was measured."""

    def pure_learn(self, curator, *, epsilon):
        return with_even_shares(super().pure_learn(curator, epsilon=epsilon))


@pytest.mark.parametrize(
    ("check", "broken"),
    [
        (conformance.spends_exactly_its_pure_plan, PureFrugal),
        (conformance.spends_exactly_its_pure_plan, PureGaussian),
        (conformance.learns_something_without_a_delta, PureForgetful),
    ],
)
def test_a_pure_check_can_fail(check, broken):
    with pytest.raises(AssertionError):
        check(broken())


class Frugal(Independent):
    """Spends half of what it plans."""

    def learn(self, curator, *, rho):
        return super().learn(curator, rho=rho / 2)


class Silent(Independent):
    """Plans nothing."""

    def steps(self, domain, *, unit, rho):
        return ()


class Peeking(Independent):
    """Reads the rows to plan."""

    def steps(self, domain, *, unit, rho):
        small_world(rho=rho, source=UnreadableSource).coarsened({})
        return super().steps(domain, unit=unit, rho=rho)


@dataclass(frozen=True, kw_only=True, eq=False)
class HoldingModel(GraphicalModel):
    held: object = None


def holding(learned, held):
    model = learned.model
    made = HoldingModel(
        domain=model.domain, total=model.total, probabilities=model.probabilities, held=held
    )
    return replace(learned, model=made)


class KeepsTheCurator(Independent):
    def learn(self, curator, *, rho):
        return holding(super().learn(curator, rho=rho), {"deep": [lambda: curator]})


class KeepsAColumn(Independent):
    def learn(self, curator, *, rho):
        codes = chain_codes(curator.domain, rows=conformance.SMALL_ROWS, seed=0)
        return holding(super().learn(curator, rho=rho), codes["age"][:10])


class Forgetful(Independent):
    """Answers with even shares whatever was measured."""

    def learn(self, curator, *, rho):
        return with_even_shares(super().learn(curator, rho=rho))


def with_even_shares(learned):
    tables = {
        clique: np.full(table.shape, 1 / table.size)
        for clique, table in learned.model.probabilities.items()
    }
    return replace(learned, model=replace(learned.model, probabilities=tables))


class Lawless(Independent):
    """Forgets the rules of its domain."""

    def learn(self, curator, *, rho):
        domain = curator.domain
        bare = Domain(sizes=domain.sizes, ordered=domain.ordered)
        learned = super().learn(curator, rho=rho)
        columns = {(name,): learned.model.marginal((name,)) for name in domain.columns}
        model = GraphicalModel(
            domain=bare,
            total=learned.model.total,
            probabilities={clique: rows / rows.sum() for clique, rows in columns.items()},
        )
        learned = replace(learned, model=model)
        object.__setattr__(model, "domain", domain)
        return learned


@pytest.mark.parametrize(
    ("check", "broken"),
    [
        (conformance.keeps_structural_zeros, Lawless),
        (conformance.spends_exactly_its_plan, Frugal),
        (conformance.spends_exactly_its_plan, Silent),
        (conformance.plans_without_data, Silent),
        (conformance.plans_without_data, Peeking),
        (conformance.leaves_the_rows_behind, KeepsTheCurator),
        (conformance.leaves_the_rows_behind, KeepsAColumn),
        (conformance.survives_any_rows, Frugal),
        (conformance.learns_something, Forgetful),
    ],
)
def test_a_check_can_fail(check, broken):
    with pytest.raises(AssertionError):
        check(broken())


def test_worlds_repeat_and_are_marked_as_seeded():
    rho = Fraction(1, 10)
    first, second = (small_world(rho=rho) for _ in range(2))
    one, two = (Independent().learn(curator, rho=rho).model for curator in (first, second))
    assert (one.marginal(("age",)) == two.marginal(("age",))).all()
    assert all(entry.seeded for entry in first.account.entries)


def test_reachable_looks_into_containers_closures_and_views():
    array = np.arange(10)
    hidden = object()
    root = {"a": [(lambda: hidden, array[:3])]}
    assert any(held is hidden for held in reachable_from(root))
    assert any(held is array for held in reachable_from(root))
    assert not any(held is np for held in reachable_from(root))
