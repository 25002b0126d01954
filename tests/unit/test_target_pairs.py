"""Tables of the target with every other column: what they cost, and that samples follow them."""

from fractions import Fraction

import numpy as np
import pytest

from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.errors import UsageError
from dpsynth.synthesizers.base import Budget
from dpsynth.synthesizers.made import MADE
from dpsynth.synthesizers.target_pairs import TargetPairs
from dpsynth.testing.worlds import SMALL, small_world

RHO = Fraction(1, 10)
TARGET = SMALL.columns[-1]


def test_they_cost_the_whole_share_whatever_a_person_brings():
    for max_rows in (1, 3):
        pairs = TargetPairs.of(SMALL, TARGET, unit=PrivacyUnit(max_rows=max_rows), rho=RHO)
        assert sum(step.rho for step in pairs.steps()) == RHO
        assert pairs.noise.sigma_squared == max_rows**2 * len(pairs.cliques) / (2 * RHO)


def test_every_other_column_that_can_vary_is_asked_about_once():
    domain = Domain(sizes={"a": 3, "constant": 1, "b": 2, "y": 2})
    pairs = TargetPairs.of(domain, "y", unit=PrivacyUnit(), rho=RHO)
    assert pairs.cliques == (("a", "y"), ("b", "y"))
    assert [step.label for step in pairs.steps()] == ["marginal(a, y)", "marginal(b, y)"]


@pytest.mark.parametrize("target", [None, "constant", "not modeled"])
def test_without_a_target_nothing_is_asked(target):
    domain = Domain(sizes={"a": 3, "constant": 1})
    pairs = TargetPairs.of(domain, target, unit=PrivacyUnit(), rho=RHO)
    assert pairs.steps() == ()
    assert pairs.measure(small_world(rho=RHO)) == []


def test_no_share_asks_nothing():
    assert TargetPairs.of(SMALL, TARGET, unit=PrivacyUnit(), rho=Fraction(0)).steps() == ()


def test_the_ledger_holds_what_was_planned():
    curator = small_world(rho=RHO)
    pairs = TargetPairs.of(SMALL, TARGET, unit=curator.unit, rho=RHO)
    tables = pairs.measure(curator)
    assert [entry.event for entry in curator.account.entries] == [s.event for s in pairs.steps()]
    assert [table.clique for table in tables] == list(pairs.cliques)
    for table in tables:
        assert table.values.shape == SMALL.shape(table.clique)
        assert np.all(table.variance > 0)


@pytest.mark.parametrize("share", [Fraction(-1, 8), Fraction(11, 12), Fraction(1)])
def test_a_share_that_leaves_nothing_to_train_with_is_refused(share):
    with pytest.raises((ValueError, UsageError), match="target_share"):
        MADE(target_share=share)


def test_the_bill_of_a_trained_generator_names_them():
    pytest.importorskip("dp_accounting", reason="plans of trainings need dp-accounting")
    unit = PrivacyUnit()
    budget = Budget(
        rho=RHO, epsilon=Fraction(2), delta=Fraction(1, 10**6), expected_rows=5_000, target=TARGET
    )
    bill = MADE(training_steps=5).bill(SMALL, unit=unit, budget=budget)
    phases = [step.phase for step in bill]
    assert phases.count("target") == 3  # one of the five columns cannot vary
    assert phases[-1] == "train"
    without = MADE(training_steps=5, target_share=Fraction(0)).bill(SMALL, unit=unit, budget=budget)
    assert "target" not in [step.phase for step in without]
    # What the tables cost is missing in the training: more noise there.
    assert bill[-1].event.noise_multiplier > without[-1].event.noise_multiplier
