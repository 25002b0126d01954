"""Draws are noted where they are made, and held against what was charged for them."""

from fractions import Fraction

import numpy as np
import pytest

from attacks.conformance import audits
from attacks.mutants.catalogue import find
from attacks.mutants.subjects import SUBJECTS
from dpsynth.privacy.mechanisms import DiscreteGaussian, DiscreteLaplace, ExponentialSelection
from dpsynth.privacy.randomness import SeededRandom
from dpsynth.testing.drawn import Drawn, drawing


def trial_of(subject):
    return SUBJECTS[subject].trial(seed=1, fits=3, pairs=2, child=(), plain=True)


def test_draws_are_noted_with_scale_and_input_and_only_meanwhile():
    counts = np.arange(3, dtype=np.int64)
    rng = SeededRandom(0)
    before = DiscreteGaussian.release
    with drawing() as seen:
        DiscreteGaussian(sigma_squared=Fraction(9)).release(counts, rng=rng)
        DiscreteLaplace(scale=Fraction(2)).release(counts, rng=rng)
        ExponentialSelection(epsilon=Fraction(1, 2)).select(
            counts, sensitivity=Fraction(3), rng=rng
        )
    assert DiscreteGaussian.release is before
    assert [(each.kind, each.size) for each in seen] == [
        ("discrete_gaussian/v1", 9),
        ("discrete_laplace/v1", 2),
        ("exponential_selection/v1", Fraction(1, 2)),
    ]
    assert seen[2].sensitivity == 3
    assert all(np.array_equal(each.given, counts) for each in seen)


@pytest.mark.parametrize(
    ("kind", "name", "less"),
    [
        ("discrete_gaussian/v1", "sigma_squared", "8"),
        ("discrete_laplace/v1", "scale", "8"),
        ("partition_selection/v1", "sigma_squared", "8"),
        ("exponential_selection/v1", "epsilon", "10"),
    ],
)
def test_what_hides_less_than_was_charged_is_told_from_what_hides_more(kind, name, less):
    def drawn(size):
        return Drawn(kind=kind, size=Fraction(size), given=np.zeros(1, dtype=np.int64))

    more = str(18 - int(less))
    event = {"kind": kind, name: "9"}
    assert drawn(less).hides_less(event)
    assert not drawn("9").hides_less(event)
    assert not drawn(more).hides_less(event)
    assert drawn(more).hides_less({**event, "kind": "another/v1"})


@pytest.mark.parametrize(
    ("name", "audit", "component"),
    [
        ("first-round-dearer", "released", "selection"),
        ("scores-normalized-by-the-largest", "neighbors", "sensitivity"),
        ("scores-per-row", "neighbors", "sensitivity"),
        ("squared-distances", "neighbors", "sensitivity"),
    ],
)
def test_choices_by_another_rule_than_was_charged_are_found(name, audit, component):
    mutant = find(name)
    with mutant.patch():
        (found,) = audits.run(trial_of(mutant.subject), names=[audit])
    assert component in {alarm.component for alarm in found.alarms}, found.error
    (right,) = audits.run(trial_of(mutant.subject), names=[audit])
    assert (right.alarms, right.error) == ((), None)
