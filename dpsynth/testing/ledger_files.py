"""What ledger files let through: on other days, beside other programs, and where none is written.

Nothing here hangs on timing: what another program does in the middle of a charge is done in this
very thread, just before one of the statements that the charge consists of.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from datetime import date, timedelta
from fractions import Fraction
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from dpsynth.errors import DpsynthError, UsageError
from dpsynth.privacy.accounting import zcdp_rho
from dpsynth.privacy.events import Event, ExponentialSelectionEvent
from dpsynth.privacy.ledger import Account, Identity, Ledger
from dpsynth.testing.ledger_rows import bodies_on_disk, dated, entries_on_disk, extract_on_disk
from dpsynth.testing.limits import DELTA, EPSILON, HAIR, Attempt, noise, pay, went_through

_UNIT, _OTHER_UNIT = "a made-up person", "a made-up row"
_DIGEST = bytes(32)  # of a made-up table
_MANY = 64  # charges at once, more than a page of the file holds
_FAULTS = (sqlite3.Error, DpsynthError)
_MOST_PAGES = 2**30  # of a file, as far as SQLite can tell before it is asked
# The day of the first entry, and days from one to the next; 1 reaches every day of the week.
_DAYS = (
    *((day, 0) for day in ("1970-01-01", "1999-12-31", "2020-02-29", "2026-07-04", "2999-12-31")),
    *((day, step) for day in ("2018-12-29", "2038-01-15") for step in (1, 400)),
)


# -- days -----------------------------------------------------------------------------------


def tried_days() -> tuple[Attempt, ...]:
    """Read files whose entries were written long ago, long after today, and in between."""
    with _new_file() as new:
        history = new.with_name("history.ledger")
        try:
            spent = _write_history(new, history)
        except _FAULTS:
            return (Attempt(what="charges of several kinds cannot be made", right=False),)
        return tuple(
            Attempt(
                what=f"charges count for something else on days from {first}, {step} days apart",
                right=_holds(
                    partial(_day_is_nothing, history, date.fromisoformat(first), step, spent=spent)
                ),
            )
            for first, step in _DAYS
        )


def _write_history(new: Path, path: Path) -> Fraction:
    """Write releases of several kinds of charges, and a note of every kind; return their sum."""
    choice = ExponentialSelectionEvent(epsilon=Fraction(1, 100))
    with _opened(_copied(new, path)) as ledger:
        part = ledger.cap.rho / 64
        ledger.identify(_DIGEST)
        ledger.record_look(subject="made up", reason="made up")
        # Equal ones in one release and in two: each of them counts.
        releases: list[list[Event]] = [
            [noise(part), noise(2 * part)],
            [choice, noise(4 * part), noise(4 * part)],
            [noise(8 * part), choice],
        ]
        for at, events in enumerate(releases):
            account = ledger.open_release(rho=_sum(events), seeded=at != 1, unit=_UNIT)
            pay(account, *events)
    return _sum([event for events in releases for event in events])


def _day_is_nothing(history: Path, first: date, step: int, *, spent: Fraction) -> bool:
    path = history.with_name("dated.ledger")
    dated(history, path, lambda at: (first + timedelta(days=step * at)).isoformat())
    bodies = bodies_on_disk(path)
    with _opened(path) as ledger:
        rho = ledger.cap.rho
        counted = ledger.spent == spent and ledger.left == rho - spent
        counted &= ledger.spent_delta == 0
        kept = ledger.identify(_DIGEST) is Identity.SAME and len(ledger.looks()) == 1
        shown = [entry.to_dict() for entry in ledger.entries()] == bodies
        past = ledger.reopen_release(bodies[-1]["release"])
        shown &= past.left == 0 and past.extract() == extract_on_disk(path, past.release)
        ledger.verify(heads=[bodies[-1]["digest"]])
        one_unit = not _lets(ledger, (rho - spent) / 2, unit=_OTHER_UNIT)
        bounded = not _lets(ledger, (rho - spent) * (1 + HAIR))
        all_of_it = _lets(ledger, rho - spent) and ledger.left == 0
    return counted and kept and shown and one_unit and bounded and all_of_it


def _lets(ledger: Ledger, rho: Fraction, *, unit: str = _UNIT) -> bool:
    """Whether a ledger lets a release of so much rho through."""
    try:
        return went_through(
            lambda: pay(ledger.open_release(rho=rho, seeded=True, unit=unit), noise(rho))
        )
    except UsageError:
        return False


# -- two programs ---------------------------------------------------------------------------


def tried_programs() -> tuple[Attempt, ...]:
    """Charge from two ledgers on one file: in turn, and one of them in the middle of the other."""
    with _new_file() as new:
        statements = _statements(new)
        return (
            Attempt(
                what="two programs do not see each other's charges",
                right=_holds(partial(_in_turn, new)),
            ),
            Attempt(what="a charge asks nothing of the file", right=statements > 0),
            *(
                Attempt(
                    what=f"another program's charge slipped in before statement {at + 1} of one",
                    right=_holds(partial(_beside_another, new, at)),
                )
                for at in range(statements)
            ),
        )


def _in_turn(new: Path) -> bool:
    """Whether two ledgers on one file count, show and bound what both have charged."""
    path = _copied(new, new.with_name("two.ledger"))
    with _opened(path) as one, _opened(path) as other:
        rho = one.cap.rho
        accounts = [each.open_release(rho=rho * 3 / 4, seeded=True) for each in (one, other)]
        seen = True
        for turn in range(6):
            pay(accounts[turn % 2], noise(rho / 8))
            spent = (turn + 1) * rho / 8
            seen &= one.spent == other.spent == spent and one.left == other.left == rho - spent
        beyond = [_pays(account, rho / 4 + rho * HAIR) for account in accounts]
        shown = [each.extract() == extract_on_disk(path, each.release) for each in accounts]
        return seen and all(shown) and not any(beyond) and _pays(accounts[0], rho / 4)


def _pays(account: Account, rho: Fraction) -> bool:
    return went_through(lambda: pay(account, noise(rho)))


def _statements(new: Path) -> int:
    """Return how many statements a charge of two events consists of; 0 where it fails."""
    seen: list[str] = []
    with suppress(*_FAULTS), _opened(_copied(new, new.with_name("alone.ledger"))) as ledger:
        part = ledger.cap.rho / 3
        account = ledger.open_release(rho=2 * part, seeded=True)
        ledger._connection.set_trace_callback(seen.append)
        pay(account, noise(part), noise(part))
        ledger._connection.set_trace_callback(None)
        return len(seen)
    return 0


def _beside_another(new: Path, at: int) -> bool:
    """Charge while another program tries to charge as well, where there is room for one of them.

    Args:
        new: an empty ledger.
        at: the statement of the first charge before which the other is tried.

    Returns:
        Whether the file holds all that one of them charged and nothing of the other's, which was
        refused.
    """
    path = _copied(new, new.with_name("beside.ledger"))
    went: dict[str, bool] = {}
    with _opened(path) as mine, _opened(path) as theirs:
        part = mine.cap.rho / 3
        first, second = (each.open_release(rho=2 * part, seeded=True) for each in (mine, theirs))
        statements = count()

        def slip_in(_: str) -> None:
            if next(statements) == at:
                # It may find the file locked already where it only reads.
                with suppress(sqlite3.OperationalError):
                    went[second.release] = _pays(second, 2 * part)

        mine._connection.set_trace_callback(slip_in)
        went[first.release] = went_through(lambda: pay(first, noise(part), noise(part)))
        mine._connection.set_trace_callback(None)
    with _opened(path) as after:
        after.verify()
    charged = [body["release"] for body in bodies_on_disk(path)]
    parts = {first.release: 2, second.release: 1}
    winners = [release for release, through in went.items() if through]
    return len(winners) == 1 and charged == winners * parts[winners[0]]


# -- where nothing is written ---------------------------------------------------------------


@contextmanager
def _held(how: Sequence[str], ledger: Ledger, path: Path) -> Iterator[None]:
    """Let another program hold the file; nobody waits for it."""
    ledger._connection.execute("PRAGMA busy_timeout = 0")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        for statement in how:
            other.execute(statement).fetchall()
        yield


@contextmanager
def _read_only(ledger: Ledger, _: Path) -> Iterator[None]:
    ledger._connection.execute("PRAGMA query_only = ON")
    yield
    ledger._connection.execute("PRAGMA query_only = OFF")


@contextmanager
def _full(ledger: Ledger, _: Path) -> Iterator[None]:
    """Leave no room for another page; SQLite keeps to the pages that there are."""
    ledger._connection.execute("PRAGMA max_page_count = 1")
    yield
    ledger._connection.execute(f"PRAGMA max_page_count = {_MOST_PAGES}")


Shut = Callable[[Ledger, Path], AbstractContextManager[None]]
# In which a ledger can be read and not written, by what is the matter.
SHUT: Mapping[str, Shut] = {
    "another program writes to the file": partial(_held, ["BEGIN IMMEDIATE"]),
    "the file may only be read": _read_only,
}
_SHUT_IN_MORE_WAYS: Mapping[str, Shut] = {
    **SHUT,
    "another program reads the file": partial(_held, ["BEGIN", "SELECT count(*) FROM entries"]),
    "another program has the file alone": partial(_held, ["BEGIN EXCLUSIVE"]),
    "the disk is full": _full,
}


def tried_shut() -> tuple[Attempt, ...]:
    """Charge files that cannot be written."""
    with _new_file() as new:
        return tuple(
            Attempt(
                what=f"a charge was not refused while {what}",
                right=_holds(partial(_refuses, new, shut)),
            )
            for what, shut in _SHUT_IN_MORE_WAYS.items()
        )


def _refuses(new: Path, shut: Shut) -> bool:
    """Whether a charge that cannot be written is refused and leaves nothing, and the next goes."""
    path = _copied(new, new.with_name("shut.ledger"))
    with _opened(path) as ledger:
        rho = ledger.cap.rho
        account = ledger.open_release(rho=rho, seeded=True)
        charges = [noise(rho / _MANY)] * _MANY
        with shut(ledger, path):
            refused = not went_through(lambda: pay(account, *charges))
        nothing = not (account.entries or entries_on_disk(path) or ledger.spent)
        later = went_through(lambda: pay(account, *charges))
        return refused and nothing and later and entries_on_disk(path) == _MANY


# -- files ----------------------------------------------------------------------------------


@contextmanager
def _new_file() -> Iterator[Path]:
    """Make an empty ledger in a folder of its own, which goes when the block ends."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "new.ledger"
        Ledger.create(path, cap_epsilon=EPSILON, cap_delta=DELTA).close()
        yield path


def _holds(tried: Callable[[], bool]) -> bool:
    """Whether something is so; where a ledger ends in another fault than a refusal, it is not."""
    try:
        return tried()
    except _FAULTS:
        return False


def _copied(new: Path, path: Path) -> Path:
    path.write_bytes(new.read_bytes())
    return path


@contextmanager
def _opened(path: Path) -> Iterator[Ledger]:
    """Open a ledger that waits for nobody; no power cut is feared for what is made up."""
    with Ledger.open(path) as ledger:
        ledger._connection.execute("PRAGMA busy_timeout = 0")
        ledger._connection.execute("PRAGMA synchronous = OFF")
        yield ledger


def _sum(events: Sequence[Event]) -> Fraction:
    return sum((zcdp_rho(event) for event in events), Fraction(0))
