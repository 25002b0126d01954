"""Planted bugs in what is charged: plans, conversions, the ledger, and the randomness behind it."""

from fractions import Fraction
from math import log, sqrt
from typing import Any

import numpy as np

from attacks.mutants.base import Maker, Mutant, Patch, patches

_LEDGER = "dpsynth.privacy.ledger"
_WORDS = "dpsynth.privacy.randomness:PrivacyRandom.words"


def _nothing(_: Any) -> Any:
    return lambda *args, **named: None


def _whole_for_each(original: Any) -> Any:
    """Give a phase the whole budget: half of it, twice."""

    def split(cls: Any, domain: Any, *, unit: Any, rho: Any, **named: Any) -> Any:
        return original(cls, domain, unit=unit, rho=2 * rho, **named)

    return split


def _rho_without_delta(_: Any) -> Any:
    """Take (epsilon, delta) for what a Gaussian of one release gives, and delta for none."""
    return lambda epsilon, delta: Fraction(epsilon) ** 2 / 2


def _rho_at_a_thousandfold_delta(original: Any) -> Any:
    return lambda epsilon, delta: original(epsilon, min(1000 * delta, Fraction(1, 2)))


def _no_reserve(_: Any) -> Any:
    return lambda events: Fraction(0)


def _low_threshold(original: Any) -> Any:
    def threshold(sigma_squared: Any, *, max_new: Any, delta: Any) -> int:
        del max_new
        return int(original(sigma_squared, max_new=Fraction(1), delta=min(delta * 100, delta**0)))

    return threshold


def _largest_only(_: Any) -> Any:
    """Let parallel composition hold where it does not: only the dearest charge counts."""
    from dpsynth.privacy.accounting import zcdp_rho

    return lambda self, *events: max((zcdp_rho(event) for event in events), default=Fraction(0))


def _forgets_what_was_spent(original: Any) -> Any:
    def require(self: Any, cap: Any, what: str, **named: Any) -> Any:
        spent, self._spent = self._spent, Fraction(0)
        try:
            return original(self, cap, what, **named)
        finally:
            self._spent = spent

    return require


def _read_first(original: Any) -> Any:
    """Read the rows, then charge for it."""

    def measure(self: Any, queries: Any, mechanism: Any, *, labels: Any = None) -> Any:
        for query in queries:
            self._Curator__source.count(query.clique)
        return original(self, queries, mechanism, labels=labels)

    return measure


def _written_at_the_end(original: Any) -> Any:
    """Keep debits in memory, and write them when the next is made, or the ledger is closed."""
    del original
    from contextlib import contextmanager

    @contextmanager
    def exclusive(self: Any) -> Any:
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN")
        yield

    return exclusive


def _commits(original: Any) -> Any:
    def close(self: Any) -> None:
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")
        original(self)

    return close


def _refunded(original: Any) -> Any:
    """Give back what was charged where the rows could not be read."""

    def measure(self: Any, queries: Any, mechanism: Any, *, labels: Any = None) -> Any:
        ledger = self.account._ledger
        before = len(ledger.entries())
        try:
            return original(self, queries, mechanism, labels=labels)
        except Exception:
            ledger._connection.execute("DROP TRIGGER entries_no_DELETE")
            ledger._connection.execute("DELETE FROM entries WHERE position >= ?", (before,))
            raise

    return measure


def _charged_once(original: Any) -> Any:
    """Take a charge that was made before, by another release, for paid."""

    def charge(self: Any, charges: Any, *, release: str, **named: Any) -> Any:
        paid = {
            (entry.label, entry.event): entry
            for entry in self.entries()
            if entry.release != release
        }
        known = [paid.get((each.label, each.event)) for each in charges]
        if all(known):
            return tuple(known)
        return original(self, charges, release=release, **named)

    return charge


def _never_seeded(original: Any) -> Any:
    def charge(self: Any, charges: Any, **named: Any) -> Any:
        return original(self, charges, **{**named, "seeded": False})

    return charge


def _unchained(_: Any) -> Any:
    return lambda self, *, heads=(): None


def _words_of(seed: int, *, kept: bool) -> Maker:
    """Return words of a generator with a known seed, new in every call or one for a process."""

    def make(_: Any) -> Any:
        one = np.random.Philox(seed)

        def words(self: Any, count: int) -> Any:
            del self
            return (one if kept else np.random.Philox(seed)).random_raw(count)

        return words

    return make


def _half_words(original: Any) -> Any:
    """Fill the upper half of every word with zeros."""
    return lambda self, count: original(self, count) >> np.uint64(32)


def _approximate_epsilon(_: Any) -> Any:
    """State the textbook conversion without its term in delta."""

    def epsilon_from_rho(rho: Any, delta: Any) -> Fraction:
        if not rho:
            return Fraction(0)
        return Fraction(sqrt(2 * rho * log(1 / float(delta)))).limit_denominator(10**12)

    return epsilon_from_rho


def _mutant(name: str, sentence: str, patch: Patch, **more: str) -> Mutant:
    named = {"component": "ledger", "audit": "ledger", "subject": "mst", **more}
    return Mutant(name=name, sentence=sentence, patch=patch, **named)


_PLAN_UNCHECKED = ("dpsynth.synthesizers.plan:Plan.__post_init__", _nothing)

BOOKS = (
    _mutant(
        "budget-spent-twice",
        "The histograms get the whole budget, and so does everything after them.",
        patches(
            ("dpsynth.synthesizers.one_way:OneWayPhase.split", _whole_for_each), _PLAN_UNCHECKED
        ),
        component="accounting",
        audit="bill",
    ),
    _mutant(
        "delta-forgotten",
        "Rho follows from epsilon alone.",
        patches(
            ("dpsynth.synthesizers.facade:rho_from_epsilon", _rho_without_delta),
            (f"{_LEDGER}:rho_from_epsilon", _rho_without_delta),
        ),
        component="accounting",
        audit="bill",
    ),
    _mutant(
        "delta-a-thousandfold",
        "Rho is worked out at a thousand times the claimed delta.",
        patches(
            ("dpsynth.synthesizers.facade:rho_from_epsilon", _rho_at_a_thousandfold_delta),
            (f"{_LEDGER}:rho_from_epsilon", _rho_at_a_thousandfold_delta),
        ),
        component="accounting",
        audit="bill",
    ),
    _mutant(
        "epsilon-understated",
        "The accountant leaves a term out of the epsilon that it states.",
        patches(("dpsynth.privacy.accounting:epsilon_from_rho", _approximate_epsilon)),
        component="accounting",
        audit="bill",
    ),
    _mutant(
        "threshold-too-low",
        "The threshold of a selection of values is made for a hundred times its delta.",
        patches(
            ("dpsynth.encoding.values:selection_threshold", _low_threshold),
            ("dpsynth.privacy.accounting:_check_reserve", _nothing),
        ),
        subject="mst of open columns",
        component="accounting",
        audit="bill",
    ),
    _mutant(
        "only-the-dearest-charge-counts",
        "A ledger adds its charges up as if they were about different persons.",
        patches((f"{_LEDGER}:Cap.cost", _largest_only)),
    ),
    _mutant(
        "cap-forgets",
        "What was spent before is not taken off what is left.",
        patches((f"{_LEDGER}:Ledger._require", _forgets_what_was_spent)),
    ),
    _mutant(
        "debited-after-the-read",
        "The rows are read before they are paid for.",
        patches(("dpsynth.privacy.curator:Curator.measure", _read_first)),
        audit="neighbors",
        component="charges",
    ),
    _mutant(
        "debits-written-at-the-end",
        "Debits are kept in memory until the ledger is closed: a power cut forgets them.",
        patches(
            (f"{_LEDGER}:Ledger._exclusive", _written_at_the_end),
            (f"{_LEDGER}:Ledger.close", _commits),
        ),
    ),
    _mutant(
        "refund",
        "A measurement that fails after it was charged is given back.",
        patches(("dpsynth.privacy.curator:Curator.measure", _refunded)),
    ),
    _mutant(
        "releases-charged-once",
        "A second release of the same plan is not charged.",
        patches((f"{_LEDGER}:Ledger._charge", _charged_once)),
    ),
    _mutant(
        "chain-unchecked",
        "A ledger is never checked.",
        patches((f"{_LEDGER}:Ledger.verify", _unchained)),
    ),
    _mutant(
        "seed-hidden",
        "Entries whose noise came from a known seed do not say so.",
        patches((f"{_LEDGER}:Ledger._charge", _never_seeded)),
        component="randomness",
    ),
    _mutant(
        "seed-fixed",
        "The noise of every release comes from one known seed.",
        patches((_WORDS, _words_of(0, kept=False))),
        component="randomness",
        audit="randomness",
    ),
    _mutant(
        "seed-fixed-in-a-process",
        "A known seed is set once, when the program starts.",
        patches((_WORDS, _words_of(12, kept=True))),
        component="randomness",
        audit="randomness",
    ),
    _mutant(
        "half-words",
        "Half of the bits of every random word are zero.",
        patches((_WORDS, _half_words)),
        component="randomness",
        audit="randomness",
    ),
)
