"""Ledger files on other days, beside other programs and where nothing is written."""

from fractions import Fraction

import pandas as pd
import pytest

import dpsynth
from attacks.mutants.base import patches
from attacks.mutants.catalogue import find
from dpsynth.errors import BudgetExceededError
from dpsynth.privacy.ledger import Ledger
from dpsynth.schema import Schema
from dpsynth.testing.bookkeeping import keep_books
from dpsynth.testing.ledger_files import tried_days, tried_programs, tried_shut
from dpsynth.testing.ledger_rows import dated, extract_on_disk
from dpsynth.testing.limits import noise, pay

_LEDGER = "dpsynth.privacy.ledger:Ledger"
SCHEMA = Schema.from_dict({"columns": [{"name": "ill", "kind": "boolean"}]})
TABLE = pd.DataFrame({"ill": [True, False] * 10})


def wrong(tried):
    return [each.what for each in tried() if not each.right]


def kept():
    model = dpsynth.Independent()
    plan = model.plan(SCHEMA, epsilon="1", delta="1/1000000000")
    return keep_books(model, SCHEMA, plan, TABLE, seed=0)


def test_the_second_extract_by_the_file_names_what_was_spent_before_it(tmp_path):
    path = tmp_path / "made-up.ledger"
    with Ledger.create(path, cap_epsilon=1, cap_delta="1/1000000000") as ledger:
        for rho in (Fraction(1, 1000), Fraction(1, 2000)):
            account = ledger.open_release(rho=rho, seeded=True)
            pay(account, noise(rho))
        assert account.extract() == extract_on_disk(path, account.release)
    said = extract_on_disk(path, account.release)
    assert [said[f"rho_{name}"] for name in ("before", "release", "after")] == [
        "1/1000",
        "1/2000",
        "3/2000",
    ]
    assert extract_on_disk(path, "no release") == {}
    later = tmp_path / "later.ledger"
    dated(path, later, lambda at: f"2999-01-0{at + 1}")
    with Ledger.open(later) as ledger:
        ledger.verify()
        assert [entry.date for entry in ledger] == ["2999-01-01", "2999-01-02"]


@pytest.mark.parametrize("tried", [tried_days, tried_programs, tried_shut])
def test_the_ledger_keeps_its_files(tried):
    assert len(tried()) > 4
    assert not wrong(tried)


def test_releases_are_shown_as_charged_and_refused_where_nothing_is_written():
    books = kept()
    assert not any(books.untrue_fields)
    assert set(books.shut_out.values()) == {True}


def test_an_extract_that_hides_the_past_is_seen_in_the_second_release():
    with find("past-not-shown").patch():
        assert kept().untrue_fields == ((), ("rho_after", "rho_before"))


@pytest.mark.parametrize("name", ["goes-on-in-memory", "ledger-unlocked"])
def test_a_release_that_goes_on_without_its_ledger_is_seen(name):
    with find(name).patch():
        assert not any(right for what, right in kept().shut_out.items() if "start" in what)


def _future_is_free(original):
    def know(self, fresh):
        spent = self._spent
        original(self, fresh)
        if any(each.date > "2030" for each in fresh):
            self._spent = spent

    return know


def _todays_count_alone(original):
    def spent(self):
        days = {entry.date for entry in self.entries()}
        return original(self) / max(len(days), 1)

    return spent


def _paid_when_busy(original):
    def charge(self, charges, **more):
        try:
            return original(self, charges, **more)
        except BudgetExceededError as error:
            if "locked" not in str(error):
                raise
            return ()

    return charge


def _checked_before(original):
    """Check the cap before the file is locked, and not again."""

    def charge(self, charges, **more):
        self.entries()
        right = type(self)._require
        cost = self.cap.cost(*(each.event for each in charges))
        right(self, self.cap, "made up", cost=cost, reserve=Fraction(0), trains=False)
        try:
            self._require = lambda *_, **__: None
            return original(self, charges, **more)
        finally:
            del self._require

    return charge


@pytest.mark.parametrize(
    ("tried", "patch"),
    [
        (tried_days, find("old-charges-are-free").patch),
        (tried_days, patches((f"{_LEDGER}._know", _future_is_free))),
        (tried_days, patches((f"{_LEDGER}.spent", _todays_count_alone))),
        (tried_days, find("past-not-shown").patch),
        (tried_programs, find("past-not-shown").patch),
        (tried_programs, find("ledger-unlocked").patch),
        (tried_programs, patches((f"{_LEDGER}._charge", _checked_before))),
        (tried_shut, find("goes-on-in-memory").patch),
        (tried_shut, patches((f"{_LEDGER}._charge", _paid_when_busy))),
    ],
)
def test_what_breaks_a_file_is_seen(tried, patch):
    with patch():
        assert wrong(tried)
