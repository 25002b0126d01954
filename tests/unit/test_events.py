"""Events survive a round trip exactly, and anything unknown is refused."""

from fractions import Fraction

import pytest

from dpsynth.errors import UnsupportedEventError
from dpsynth.privacy.events import (
    DiscreteGaussianEvent,
    DiscreteLaplaceEvent,
    ExponentialSelectionEvent,
    PartitionSelectionEvent,
    event_from_dict,
    event_to_dict,
)

EVENTS = [
    DiscreteGaussianEvent(sigma_squared=Fraction(49, 4), l2_sensitivity_squared=Fraction(1)),
    DiscreteLaplaceEvent(scale=Fraction(7, 3), l1_sensitivity=Fraction(5)),
    ExponentialSelectionEvent(epsilon=Fraction(1, 3)),
    PartitionSelectionEvent(
        sigma_squared=Fraction(49, 4),
        threshold=Fraction(30),
        l2_sensitivity_squared=Fraction(2),
        max_new=Fraction(2),
        delta=Fraction(1, 10**9),
    ),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_a_round_trip_is_exact(event):
    assert event_from_dict(event_to_dict(event)) == event


def test_fractions_are_written_as_text():
    assert event_to_dict(EVENTS[0]) == {
        "kind": "discrete_gaussian/v1",
        "sigma_squared": "49/4",
        "l2_sensitivity_squared": "1",
    }


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"kind": "discrete_gaussian/v2", "sigma_squared": "1", "l2_sensitivity_squared": "1"},
        {"kind": "discrete_gaussian/v1", "sigma_squared": "1"},
        {"kind": "exponential_selection/v1", "epsilon": "1", "more": "1"},
        {"kind": "exponential_selection/v1", "epsilon": "-1"},
        {"kind": "exponential_selection/v1", "epsilon": "1/0"},
        {"kind": "exponential_selection/v1", "epsilon": "one"},
        {"kind": "exponential_selection/v1", "epsilon": None},
    ],
)
def test_what_is_not_exactly_an_event_is_refused(document):
    with pytest.raises(UnsupportedEventError):
        event_from_dict(document)


def test_a_float_is_refused_at_construction():
    with pytest.raises(TypeError, match="sigma_squared must be an exact number"):
        DiscreteGaussianEvent(sigma_squared=2.0, l2_sensitivity_squared=Fraction(1))


def test_no_noise_is_refused_at_construction():
    with pytest.raises(ValueError, match="epsilon must be above 0"):
        ExponentialSelectionEvent(epsilon=Fraction(0))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("threshold", "1"),
        ("threshold", "5/2"),
        ("max_new", "3/2"),
        ("max_new", "0"),
        ("delta", "0"),
        ("delta", "1"),
    ],
)
def test_a_selection_of_values_has_whole_counts_and_a_delta(field, value):
    document = {**event_to_dict(EVENTS[3]), field: value}
    with pytest.raises(UnsupportedEventError):
        event_from_dict(document)


def test_a_selection_of_values_is_written_like_this_for_ever():
    assert event_to_dict(EVENTS[3]) == {
        "kind": "partition_selection/v1",
        "sigma_squared": "49/4",
        "threshold": "30",
        "l2_sensitivity_squared": "2",
        "max_new": "2",
        "delta": "1/1000000000",
    }
