"""Accounts and conversions that are wrong by a little, or in one case alone."""

from fractions import Fraction
from functools import lru_cache
from math import floor, log10
from typing import Any

from attacks.mutants.base import Maker, Mutant
from attacks.mutants.planting import planted

_ACCOUNTING = "dpsynth.privacy.accounting"
_LEDGER = "dpsynth.privacy.ledger"


def _everywhere(name: str, make: Maker) -> tuple[tuple[str, Maker], ...]:
    """Patch a function in the module that defines it and where it was imported."""
    return tuple((f"{place}:{name}", make) for place in (_ACCOUNTING, _LEDGER))


def _delta_doubled(original: Any) -> Any:
    def epsilon_at(rho: Any, order: Any, delta: Any) -> Any:
        return original(rho, order, min(2 * delta, Fraction(999, 1000)))

    return epsilon_at


def _decadic(original: Any) -> Any:
    del original

    def epsilon_at(rho: Any, order: Any, delta: Any) -> Any:
        value = float(order * rho) - log10(float(delta)) / (float(order) - 1)
        return Fraction(value).limit_denominator(10**12)

    return epsilon_at


def _rounded_down(original: Any) -> Any:
    def epsilon_at(rho: Any, order: Any, delta: Any) -> Any:
        return Fraction(floor(original(rho, order, delta) * 10_000), 10_000)

    return epsilon_at


def _equal_once(original: Any) -> Any:
    def cost(self: Any, *events: Any) -> Any:
        return original(self, *dict.fromkeys(events))

    return cost


def _max_over_releases(original: Any) -> Any:
    def know(self: Any, fresh: Any) -> None:
        before = self._spent
        original(self, fresh)
        if self._known and fresh and self._known[0].release != fresh[0].release:
            self._spent = max(before, self._spent - before)

    return know


def _forgets_at_open(original: Any) -> Any:
    def init(self: Any, connection: Any, *, name: str) -> None:
        original(self, connection, name=name)
        if name != "a ledger in memory":
            self.entries()
            self._spent = Fraction(0)

    return init


def _slack(original: Any) -> Any:
    def require(self: Any, cap: Any, what: str, *, cost: Any, **more: Any) -> None:
        original(self, cap, what, cost=cost * Fraction(999, 1000), **more)

    return require


def _split_later(original: Any) -> Any:
    def require(self: Any, cap: Any, what: str, *, reserve: Any, **more: Any) -> None:
        original(
            self, self._cap.for_selections() if reserve else cap, what, reserve=reserve, **more
        )

    return require


def _label_once(original: Any) -> Any:
    def charge(self: Any, charges: Any) -> Any:
        known = {entry.label: entry for entry in self._entries}
        fresh = [each for each in charges if each.label not in known]
        for entry in original(self, fresh):
            known[entry.label] = entry
        return tuple(known[each.label] for each in charges)

    return charge


def _no_selections(original: Any) -> Any:
    def extract(self: Any) -> Any:
        found = original(self)
        found["entries"] = [
            each for each in found["entries"] if "selection" not in each["event"]["kind"]
        ]
        return found

    return extract


def _overshoot(original: Any) -> Any:
    def charge(self: Any, charges: Any) -> Any:
        if self.left > 0:
            held, self.rho = self.rho, self.rho * 10**6
            try:
                return original(self, charges)
            finally:
                self.rho = held
        return original(self, charges)

    return charge


def _next_tail(original: Any) -> Any:
    @lru_cache(maxsize=1024)
    def gaussian_tail(start: int, sigma_squared: Any) -> Any:
        return original(start + 1, sigma_squared)

    return gaussian_tail


def _no_max_new(original: Any) -> Any:
    def threshold(sigma_squared: Any, *, max_new: Any, delta: Any) -> int:
        del max_new
        return int(original(sigma_squared, max_new=Fraction(1), delta=delta))

    return threshold


def _check_skipped(original: Any) -> Any:
    del original
    return lambda event: None


UNLISTED_ACCOUNTS: tuple[Mutant, ...] = (
    planted(
        "delta-doubled-in-the-conversion",
        "The conversion takes delta twice.",
        "accounting",
        "bill",
        "mst",
        *_everywhere("epsilon_at", _delta_doubled),
    ),
    planted(
        "decadic-logarithm",
        "The conversion takes the logarithm to base 10.",
        "accounting",
        "bill",
        "mst",
        *_everywhere("epsilon_at", _decadic),
    ),
    planted(
        "claim-rounded-down",
        "Epsilon is rounded down to four digits.",
        "accounting",
        "bill",
        "mst",
        *_everywhere("epsilon_at", _rounded_down),
    ),
    planted(
        "equal-charges-counted-once",
        "The cap counts equal charges of a release once.",
        "ledger",
        "ledger",
        "mst",
        (f"{_LEDGER}:Cap.cost", _equal_once),
    ),
    planted(
        "greatest-release-counted",
        "The ledger keeps the largest of its releases' costs.",
        "ledger",
        "bill",
        "mst",
        (f"{_LEDGER}:Ledger._know", _max_over_releases),
    ),
    planted(
        "spent-forgotten-when-opened",
        "A ledger that is opened again has spent nothing.",
        "ledger",
        "ledger",
        "mst",
        (f"{_LEDGER}:Ledger.__init__", _forgets_at_open),
    ),
    planted(
        "cap-with-slack",
        "A thousandth more than the cap may be spent.",
        "ledger",
        "ledger",
        "mst",
        (f"{_LEDGER}:Ledger._require", _slack),
    ),
    planted(
        "delta-split-later",
        "A later release may set delta aside that is spent already.",
        "ledger",
        "ledger",
        "mst of open columns",
        (f"{_LEDGER}:Ledger._require", _split_later),
    ),
    planted(
        "same-label-charged-once",
        "What was asked before by the same name is not charged.",
        "charges",
        "neighbors",
        "aim",
        (f"{_LEDGER}:Account.charge", _label_once),
    ),
    planted(
        "extract-without-selections",
        "The certificate's extract leaves selections out.",
        "charges",
        "ledger",
        "mst",
        (f"{_LEDGER}:Account.extract", _no_selections),
    ),
    planted(
        "last-charge-may-overshoot",
        "A release with anything left may spend any more.",
        "ledger",
        "ledger",
        "mst",
        (f"{_LEDGER}:Account.charge", _overshoot),
    ),
    planted(
        "tail-from-the-next-integer",
        "Thresholds are taken from the tail one further out.",
        "accounting",
        "bill",
        "mst of open columns",
        (f"{_ACCOUNTING}:gaussian_tail", _next_tail),
    ),
    planted(
        "threshold-for-one-new-value",
        "Thresholds forget how many values a person can bring.",
        "accounting",
        "bill",
        "mst of open columns",
        ("dpsynth.encoding.values:selection_threshold", _no_max_new),
        (f"{_ACCOUNTING}:_check_reserve", _check_skipped),
    ),
)
