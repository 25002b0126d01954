"""What ledgers let through at their limits, and whether their keys are their own."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from dpsynth.errors import BudgetExceededError
from dpsynth.privacy.accounting import selection_threshold, zcdp_rho
from dpsynth.privacy.events import (
    DiscreteGaussianEvent,
    Event,
    ExponentialSelectionEvent,
    PartitionSelectionEvent,
)
from dpsynth.privacy.ledger import Account, Charge, Ledger

EPSILON, DELTA = Fraction(1), Fraction(1, 10**9)
HAIR = Fraction(1, 10**12)  # of a cap, by which it must not be passed
_EQUAL = 64  # equal charges made at once
_PURPOSES = ("persons", "rows", "controls", "identity")


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """Something that was asked of a ledger.

    Attributes:
        what: in public words.
        right: whether it ended as it must.
    """

    what: str
    right: bool


def tried_limits() -> tuple[Attempt, ...]:
    """Spend from ledgers in memory up to their limits, and try to go beyond."""
    with _ledger() as ledger:
        rho = ledger.cap.rho
    return (
        Attempt(what="all of a cap can be spent", right=_let(rho)),
        Attempt(what="a hair more than a cap was spent at once", right=not _let(rho + rho * HAIR)),
        Attempt(
            what="a hair more than a cap was spent in two releases",
            right=not _let(rho / 2, rho / 2 + rho * HAIR),
        ),
        Attempt(
            what="equal charges of one release counted for less than their sum",
            right=not _let(rho / 2, rho * Fraction(3, 4), parts=_EQUAL),
        ),
        Attempt(what="a release spent more than its plan", right=_overspent_is_refused(rho)),
        Attempt(what="a cap was passed after its release was opened", right=_race_is_refused(rho)),
        Attempt(what="choices count for less than they cost", right=_choices_count(rho)),
        Attempt(
            what="delta was set aside for values after the first answer", right=_late_is_refused()
        ),
    )


def keys_apart() -> tuple[Attempt, ...]:
    """Compare the keys of two tables, and those of one for different purposes."""
    with _ledger() as one, _ledger() as other:
        mine, theirs = ([each.keyed(name) for name in _PURPOSES] for each in (one, other))
    return (
        Attempt(what="two tables have one key", right=not set(mine) & set(theirs)),
        Attempt(what="a key serves two purposes", right=len(set(mine)) == len(mine)),
    )


def _ledger() -> Ledger:
    return Ledger.in_memory(cap_epsilon=EPSILON, cap_delta=DELTA)


def noise(rho: Fraction) -> Event:
    """Return noise that costs ``rho``, exact."""
    return DiscreteGaussianEvent(sigma_squared=1 / (2 * rho), l2_sensitivity_squared=Fraction(1))


def pay(account: Account, *events: Event) -> None:
    """Charge ``events`` at once."""
    account.charge([Charge(event=event, label="marginal(made up)") for event in events])


def _let(*releases: Fraction, parts: int = 1) -> bool:
    """Whether releases of so much rho were all let through."""
    with _ledger() as ledger:

        def spend() -> None:
            for rho in releases:
                pay(ledger.open_release(rho=rho, seeded=True), *[noise(rho / parts)] * parts)

        return went_through(spend)


def went_through(spend: Callable[[], object]) -> bool:
    """Do something that spends, and return whether no budget forbade it."""
    try:
        spend()
    except BudgetExceededError:
        return False
    return True


def _overspent_is_refused(rho: Fraction) -> bool:
    with _ledger() as ledger:
        account = ledger.open_release(rho=rho / 4, seeded=True)
        pay(account, noise(rho / 8))
        return not went_through(lambda: pay(account, noise(rho / 4)))


def _race_is_refused(rho: Fraction) -> bool:
    """Two releases are opened while there is room for each, and not for both."""
    with _ledger() as ledger:
        first, second = (ledger.open_release(rho=rho * 2 / 3, seeded=True) for _ in range(2))
        pay(first, noise(rho * 2 / 3))
        return not went_through(lambda: pay(second, noise(rho * 2 / 3)))


def _choices_count(rho: Fraction) -> bool:
    choice = ExponentialSelectionEvent(epsilon=Fraction(1, 100))
    with _ledger() as ledger:
        account = ledger.open_release(rho=rho / 2, seeded=True)
        number = int(rho / 2 / zcdp_rho(choice))
        pay(account, *[choice] * number)
        return ledger.spent == number * zcdp_rho(choice) == account.spent


def _late_is_refused() -> bool:
    square = Fraction(10**6)
    delta = DELTA / 8
    event = PartitionSelectionEvent(
        sigma_squared=square,
        threshold=Fraction(selection_threshold(square, max_new=Fraction(1), delta=delta)),
        l2_sensitivity_squared=Fraction(1),
        max_new=Fraction(1),
        delta=delta,
    )

    def select(ledger: Ledger) -> None:
        account = ledger.open_release(rho=zcdp_rho(event), reserved=delta, seeded=True)
        pay(account, event)

    with _ledger() as early:
        select(early)
    with _ledger() as late:
        small = late.cap.rho / 8
        pay(late.open_release(rho=small, seeded=True), noise(small))
        return not went_through(lambda: select(late))
