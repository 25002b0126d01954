"""Choices at frozen scores: what is right passes, and what is done to a few vectors is seen.

False alarms: at most one in a million a call of ``choices.check``; seeds are fixed here.
"""

from fractions import Fraction
from itertools import count

import numpy as np
import pytest

from attacks.conformance import choices
from dpsynth.privacy.curator import Selection
from dpsynth.privacy.mechanisms import ExponentialSelection, PartitionSelection

CHOICE = {"kind": "exponential_selection/v1", "epsilon": "1/20"}
VALUES = {
    "kind": "partition_selection/v1",
    "sigma_squared": "400",
    "threshold": "150",
    "l2_sensitivity_squared": "3",
    "max_new": "3",
    "delta": "1/1000000000",
}
SELECT, RELEASE = ExponentialSelection.select, PartitionSelection.release


def found(event=CHOICE, *, flatter=True, seed=0):
    checks = choices.check({"steps": [{"event": event}]}, seed=seed, flatter=flatter)
    return [check.detail for check in checks if check.status == "failed"]


@pytest.mark.parametrize("flatter", [False, True])
@pytest.mark.parametrize("epsilon", ["1/1000", "1/20", "3", "80"])
def test_choices_as_they_should_be_pass(epsilon, flatter):
    assert not found({**CHOICE, "epsilon": epsilon}, flatter=flatter)


def test_values_as_they_should_be_pass():
    assert not found(VALUES)


def planted(monkeypatch, when, instead):
    number = count()

    def select(self, scores, *, sensitivity, rng):
        if when(scores, next(number)):
            return int(instead(self, scores, sensitivity, rng))
        return SELECT(self, scores, sensitivity=sensitivity, rng=rng)

    monkeypatch.setattr(ExponentialSelection, "select", select)


def sharper(self, scores, sensitivity, rng):
    return SELECT(self, scores, sensitivity=Fraction(sensitivity) / 2, rng=rng)


def best(self, scores, sensitivity, rng):
    return np.argmax(scores)


@pytest.mark.parametrize("instead", [sharper, best])
@pytest.mark.parametrize(
    "when",
    [
        lambda scores, _: scores.size == 2,
        lambda scores, _: scores.size > 100 and len(set(scores.tolist())) > 1,
        lambda scores, _: scores.min() < 0,
        lambda scores, _: scores.max() >= 2**39,
        lambda scores, number: number >= 300,
    ],
    ids=["two", "many", "negative", "large", "later calls"],
)
def test_choices_that_are_too_sure_anywhere_are_seen(monkeypatch, when, instead):
    planted(monkeypatch, when, instead)
    assert any("too often" in each for each in found())


def test_the_first_among_equals_is_seen(monkeypatch):
    planted(monkeypatch, lambda scores, _: len(set(scores.tolist())) == 1, best)
    assert any("do not follow" in each for each in found())


def test_a_lottery_is_no_fault_of_privacy_and_not_the_law(monkeypatch):
    planted(
        monkeypatch,
        lambda *_: True,
        lambda self, scores, sensitivity, rng: rng.words(1)[0] % np.uint64(scores.size),
    )
    assert not found(flatter=True)
    assert found(flatter=False)


def test_a_choice_past_the_mechanism_is_seen(monkeypatch):
    right = Selection.pick

    def pick(self, allowed):
        right(self, allowed)
        return allowed[len(allowed) // 2]

    monkeypatch.setattr(Selection, "pick", pick)
    assert any("by a curator" in each for each in found())


def test_scores_told_apart_by_a_curator_too_well_are_seen(monkeypatch):
    from dpsynth.privacy.queries import MarginalErrorQuery

    monkeypatch.setattr(MarginalErrorQuery, "sensitivity", lambda *_: Fraction(1, 4))
    assert any("by a curator" in each for each in found())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda self, counts: (self.threshold * 9 // 10, counts), "too often"),
        (lambda self, counts: (self.threshold * 11 // 10, counts), "too seldom"),
        (
            lambda self, counts: (self.threshold, counts * (counts != 1) + 200 * (counts == 1)),
            "of 1",
        ),
        (lambda self, counts: (self.threshold, counts + 200 * (counts.size == 1)), "few values"),
    ],
    ids=["low", "high", "one unit", "few values"],
)
def test_values_released_too_often_or_seldom_are_seen(monkeypatch, change, words):
    def release(self, counts, *, rng):
        threshold, changed = change(self, counts)
        other = PartitionSelection(
            sigma_squared=self.sigma_squared, threshold=threshold, delta=self.delta
        )
        return RELEASE(other, changed, rng=rng)

    monkeypatch.setattr(PartitionSelection, "release", release)
    assert any(words in each for each in found(VALUES))


def test_values_that_nobody_holds_are_never_released(monkeypatch):
    def release(self, counts, *, rng):
        return RELEASE(self, np.maximum(counts, 200 * (counts == 0)), rng=rng)

    monkeypatch.setattr(PartitionSelection, "release", release)
    assert any("of 0 units" in each for each in found(VALUES))
