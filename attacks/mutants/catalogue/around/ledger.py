"""Bugs of a ledger that lies on a disk."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from attacks.mutants.planting import planted

_LEDGER = "dpsynth.privacy.ledger:Ledger"
_ACCOUNT = "dpsynth.privacy.ledger:Account"


def _nothing_before(original: Any) -> Any:
    def extract(self: Any) -> Any:
        found = original(self)
        return {**found, "rho_before": "0", "rho_after": found["rho_release"]}

    return extract


def _charged_once(original: Any) -> Any:
    def charge(self: Any, charges: Any) -> Any:
        paid = {(entry.label, entry.event): entry for entry in self._ledger.entries()}
        held = [paid.get((each.label, each.event)) for each in charges]
        if all(held):
            self._entries.extend(held)
            return tuple(held)
        return original(self, charges)

    return charge


def _committed_late(original: Any) -> Any:
    @contextmanager
    def exclusive(self: Any) -> Iterator[None]:
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN")
        yield

    return exclusive


def _commits_at_close(original: Any) -> Any:
    def close(self: Any) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")
        except sqlite3.Error:
            pass
        original(self)

    return close


def _past_forgotten(original: Any) -> Any:
    def know(self: Any, fresh: Any) -> None:
        begun = not self._known and len(fresh) > 0
        original(self, fresh)
        if begun and fresh[0].index == 0 and not getattr(self, "wrote", False):
            self._spent *= 0
        self.wrote = True

    return know


def _unlocked(original: Any) -> Any:
    @contextmanager
    def exclusive(self: Any) -> Iterator[None]:
        yield

    return exclusive


def _goes_on(original: Any) -> Any:
    def charge(self: Any, charges: Any, **more: Any) -> Any:
        from dpsynth.errors import BudgetExceededError
        from dpsynth.privacy.ledger import Ledger

        try:
            return original(self, charges, **more)
        except BudgetExceededError as error:
            if "cannot be written" not in str(error):
                raise
        spare = Ledger.in_memory(cap_epsilon=self.cap.epsilon, cap_delta=self.cap.delta)
        return original(spare, charges, **more)

    return charge


LEDGER = (
    planted(
        "past-not-shown",
        "a certificate shows a ledger that begins with its own release",
        "ledger",
        "ledger",
        "independent",
        (f"{_ACCOUNT}.extract", _nothing_before),
    ),
    planted(
        "same-question-paid-once",
        "a question that was paid for before is asked for nothing",
        "ledger",
        "ledger",
        "independent",
        (f"{_ACCOUNT}.charge", _charged_once),
    ),
    planted(
        "committed-at-the-end",
        "charges reach the disk when the ledger is closed",
        "ledger",
        "ledger",
        "independent",
        (f"{_LEDGER}._exclusive", _committed_late),
        (f"{_LEDGER}.close", _commits_at_close),
    ),
    planted(
        "past-forgotten",
        "what was spent before a ledger was opened is not counted",
        "ledger",
        "ledger",
        "independent",
        (f"{_LEDGER}._know", _past_forgotten),
    ),
    planted(
        "ledger-unlocked",
        "the cap is checked and the charge written without a lock",
        "ledger",
        "ledger",
        "independent",
        (f"{_LEDGER}._exclusive", _unlocked),
    ),
    planted(
        "goes-on-in-memory",
        "where the ledger cannot be written, one in memory pays",
        "ledger",
        "ledger",
        "independent",
        (f"{_LEDGER}._charge", _goes_on),
    ),
)
