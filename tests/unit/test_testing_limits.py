"""Ledgers at their limits: nothing passes a cap, and what would let it is seen."""

from fractions import Fraction

import pytest

from dpsynth.privacy import ledger
from dpsynth.testing.limits import keys_apart, tried_limits


def wrong():
    return [each.what for each in (*tried_limits(), *keys_apart()) if not each.right]


def test_the_ledger_keeps_its_limits():
    assert not wrong()


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("Cap.cost", lambda right: lambda self, *events: right(self, *dict.fromkeys(events))),
        (
            "Ledger._require",
            lambda right: (
                lambda self, cap, what, *, cost, **more: right(
                    self, cap, what, cost=cost * Fraction(999, 1000), **more
                )
            ),
        ),
        ("Ledger.keyed", lambda right: lambda self, purpose: purpose.encode()),
    ],
)
def test_what_lets_more_through_is_seen(name, make, monkeypatch):
    holder, method = name.split(".")
    owner = getattr(ledger, holder)
    monkeypatch.setattr(owner, method, make(getattr(owner, method)))
    assert wrong()
