"""The ledger: one file per protected table, append-only, hash-chained; debits before noise.

An SQLite file with a rollback journal and full synchronisation. Every debit is one exclusive
transaction that reads all entries, checks the cap and appends; nothing is ever changed, removed or
refunded, so a crash at any point can only leave too much on the bill. Times are kept as dates:
the order of entries is their index.
"""

import hashlib
import hmac
import json
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from enum import Enum
from fractions import Fraction
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any, Self, cast

from dpsynth import _validate
from dpsynth.domain import NeighboringRelation
from dpsynth.errors import (
    BudgetExceededError,
    IntegrityError,
    LedgerMissingError,
    UnsupportedEventError,
    UsageError,
)
from dpsynth.privacy.accounting import (
    MOST_EPSILON,
    RESERVED_SHARE,
    cost_at,
    epsilon_at,
    epsilon_from_rho,
    least_epsilon,
    order_of,
    reserved_delta,
    rho_from_epsilon,
    split_trained,
    total_reserved_delta,
    total_rho,
)
from dpsynth.privacy.events import (
    Event,
    SampledGaussianEvent,
    event_from_dict,
    event_to_dict,
)

FORMAT = "dpsynth-ledger/1"
EXTRACT_FORMAT = "dpsynth-ledger-extract/1"
_BUSY_SECONDS = 60.0
_CAP_GRID = 1000  # a cap that is asked for is stated in so many parts of one
Number = Fraction | int | float | str  # as a person writes it; a float stands for its text

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL);
CREATE TABLE entries (position INTEGER PRIMARY KEY, body TEXT NOT NULL, digest TEXT UNIQUE);
CREATE TABLE internal (position INTEGER PRIMARY KEY, body TEXT NOT NULL, digest TEXT UNIQUE);
"""
_APPEND_ONLY = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""


@dataclass(frozen=True, kw_only=True)
class Charge:
    """One thing to be paid for: what will be done, and its public name."""

    event: Event
    label: str


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """One charge, written before any row is read.

    Attributes:
        index: position in the ledger, from 0, without gaps.
        release: the release that it belongs to.
        label: what was asked, from public names only: never a value from the rows.
        event: the mechanism as it was run.
        neighboring: the relation that the event's sensitivity was derived for.
        seeded: the noise came from a known seed, so the entry protects nobody.
        date: day of the debit (UTC), for people; the index gives the order.
        previous: digest of the entry before, or the ledger's origin.
        digest: SHA-256 of all of the above, as hexadecimal text.
    """

    index: int
    release: str
    label: str
    event: Event
    neighboring: NeighboringRelation
    seeded: bool
    date: str
    previous: str
    digest: str

    def to_dict(self) -> dict[str, object]:
        """Write the entry as JSON-able text; fractions as "p/q"."""
        return {**_body(self), "digest": self.digest}


_ENTRY_FIELDS = {"index": int, "event": dict, "seeded": bool}  # the others are text


def _body(entry: LedgerEntry) -> dict[str, object]:
    written = {"event": event_to_dict(entry.event), "neighboring": entry.neighboring.value}
    return {name: written.get(name, held) for name, held in vars(entry).items() if name != "digest"}


def _canonical(body: object) -> str:
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def entry_from_dict(document: Mapping[str, object]) -> LedgerEntry:
    """Read what ``LedgerEntry.to_dict`` wrote, and hold its digest against its content.

    Raises:
        IntegrityError: a field is missing, unknown or malformed, or the digest does not fit.
        UnsupportedEventError: an event that this version does not know.
    """
    values = dict(document)
    names = {field.name for field in fields(LedgerEntry)}
    if set(values) != names or any(
        type(values[name]) is not _ENTRY_FIELDS.get(name, str) for name in names
    ):
        raise IntegrityError("a ledger entry does not have the fields of one")
    values["event"] = event_from_dict(cast("dict[str, str]", values["event"]))
    try:
        values["neighboring"] = NeighboringRelation(values["neighboring"])
    except ValueError as error:
        raise IntegrityError("a ledger entry names an unknown neighboring relation") from error
    entry = LedgerEntry(**values)  # type: ignore[arg-type]  # the types were checked above
    if _digest(_canonical(_body(entry))) != entry.digest:
        raise IntegrityError(f"ledger entry {entry.index} does not fit its digest: it was changed")
    return entry


def check_chain(entries: Sequence[LedgerEntry]) -> None:
    """Raise IntegrityError unless ``entries`` stand in order and each names the one before.

    A chain may begin anywhere: a release's extract holds its own entries only. Where the indices
    of two entries follow each other, the later must name the earlier's digest.
    """
    for before, after in pairwise(entries):
        if after.index <= before.index:
            raise IntegrityError(f"ledger entry {after.index} stands out of order")
        if after.index == before.index + 1 and after.previous != before.digest:
            raise IntegrityError(f"ledger entry {after.index} does not continue the one before it")


@dataclass(frozen=True, kw_only=True)
class Cap:
    """The most that may ever be spent on one table: (epsilon, delta), and as zCDP rho.

    Attributes:
        epsilon: exact.
        delta: exact.
        reserved: the part of ``delta`` that partition selections may spend, and nothing else. It
            is fixed before the table gives its first answer: were it moved after one, the sum of
            what the filter lets through could pass ``delta``.
    """

    epsilon: Fraction
    delta: Fraction
    reserved: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        _validate.exact(epsilon=self.epsilon, delta=self.delta, reserved=self.reserved)
        _validate.positive(epsilon=self.epsilon)
        _validate.at_most(MOST_EPSILON, epsilon=self.epsilon)
        _validate.in_open_unit(delta=self.delta)
        if not 0 <= self.reserved < self.delta:
            raise ValueError("reserved must be at least 0 and below delta")

    @property
    def rho(self) -> Fraction:
        """The filter: while the sum of rho stays below, (epsilon, delta) holds (DESIGN, law 2)."""
        return rho_from_epsilon(Fraction(self.epsilon), Fraction(self.delta - self.reserved))

    @property
    def order(self) -> Fraction:
        """The one Renyi order at which releases that train are counted; fixed by the cap alone."""
        return order_of(self.rho, Fraction(self.delta - self.reserved))

    def cost(self, *events: Event) -> Fraction:
        """Return what the filter counts ``events`` as, together: rho, or as much at the order.

        Costs at one order add up under full adaptivity (Feldman and Zrnic 2021), and while their
        sum is at most the cap's rho, the cap's (epsilon, delta) holds: docs/proofs/accounting.md.

        Raises:
            UnsupportedEventError: an event is unknown, or trains under too small a cap.
        """
        trained, others = split_trained(events)
        return sum((cost_at(event, self.order) for event in trained), total_rho(others))

    def epsilon_of(self, cost: Fraction, *, trains: bool) -> Fraction:
        """Return the epsilon that ``cost`` comes to at the delta of this cap, rounded up.

        Args:
            cost: sum of what the filter counted, exact.
            trains: whether anything in it was training: only the cap's order then holds.
        """
        delta = Fraction(self.delta - self.reserved)
        if trains and cost:
            return epsilon_at(cost, self.order, delta)
        return epsilon_from_rho(cost, delta)

    def for_selections(self) -> "Cap":
        """Return the cap of a table whose releases may select the values of open columns."""
        return replace(self, reserved=self.delta * RESERVED_SHARE)


def least_cap(events: Sequence[Event], delta: Fraction) -> Cap:
    """Return about the least cap of a table that pays for ``events`` alone.

    Args:
        events: of one release.
        delta: of the cap, exact, in (0, 1).

    Returns:
        A cap whose epsilon is a multiple of 1/1000 and whose rho is at least the cost of
        ``events`` at its own order; its delta is split where ``events`` select values.
    """
    bare = Cap(epsilon=Fraction(1, _CAP_GRID), delta=delta)
    if total_reserved_delta(events):
        bare = bare.for_selections()

    def pays(units: int) -> bool:
        cap = replace(bare, epsilon=Fraction(units, _CAP_GRID))
        try:
            return cap.cost(*events) <= cap.rho
        except (UnsupportedEventError, ValueError):  # so small that it has no room for anything
            return False

    high = ceil(least_epsilon(events, delta) * _CAP_GRID)  # no filter costs less than a claim
    low = high - 1
    while not pays(high):
        low, high = high, high + high // 16 + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if pays(middle) else (middle, high)
    return replace(bare, epsilon=Fraction(high, _CAP_GRID))


def _cap(epsilon: Number, delta: Number) -> Cap:
    try:
        return Cap(
            epsilon=_validate.as_fraction(epsilon, name="cap_epsilon"),
            delta=_validate.as_fraction(delta, name="cap_delta"),
        )
    except ValueError as error:
        raise UsageError(f"the cap cannot be kept: {error}") from error


class Identity(Enum):
    """Whether a table is the one that the ledger has seen before."""

    NEW = "first use of this ledger"
    SAME = "the same content as last time"
    CHANGED = "other content than last time"


class Ledger:
    """Charges in the order in which they were made, under one cap for all time.

    Make one with ``create``, ``open`` or ``in_memory``.
    """

    def __init__(self, connection: sqlite3.Connection, *, name: str) -> None:
        self._connection = connection
        self.name = name
        # What was read before is not parsed again: the file only ever grows.
        self._known: list[LedgerEntry] = []
        self._spent = Fraction(0)
        self._spent_delta = Fraction(0)
        meta: dict[str, Any] = dict(connection.execute("SELECT name, value FROM meta"))
        if meta.get("format") != FORMAT:
            raise IntegrityError(f"{name} is not a ledger that this version of dpsynth can read")
        try:
            self._cap = Cap(epsilon=Fraction(meta["epsilon"]), delta=Fraction(meta["delta"]))
            self._selects = bool(meta.get("selects"))
            self._origin = str(meta["origin"])
            self.__key = bytes(meta["key"])
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"{name} has lost a part of its first page") from error

    # -- making and opening ---------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        path: Path | str,
        *,
        cap_epsilon: Number,
        cap_delta: Number,
        open_categories: bool = False,
    ) -> Self:
        """Make a new ledger file, readable by its owner only: it holds the table's secret key.

        Args:
            path: where nothing stands yet.
            cap_epsilon: the most that may ever be spent on the table.
            cap_delta: its delta.
            open_categories: keep half of the delta for releases with open columns from the
                start; else the first release decides whether there may ever be any.

        Raises:
            UsageError: something stands at ``path`` already, or the cap is out of range.
            BudgetExceededError: the folder cannot be written.
        """
        path = Path(path)
        cap = _cap(cap_epsilon, cap_delta)
        if path.exists():
            raise UsageError(f"{path} exists already; a ledger is never overwritten")
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            try:
                connection = _connect(str(draft))
                _initialise(connection, cap, selects=open_categories)
                connection.close()
                os.link(draft, path)  # unlike a rename, refuses to replace a file made meanwhile
            finally:
                draft.unlink()
            _sync_folder(path.parent)
        except FileExistsError as error:
            raise UsageError(f"{path} exists already; a ledger is never overwritten") from error
        except (OSError, sqlite3.Error) as error:
            raise BudgetExceededError(f"the ledger {path} cannot be written: {error}") from error
        return cls.open(path)

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open an existing ledger; never makes one.

        Raises:
            LedgerMissingError: there is no file at ``path``.
            IntegrityError: the file is not a ledger.
        """
        path = Path(path)
        if not path.is_file():
            raise LedgerMissingError(
                f"there is no ledger at {path}; decide what may ever be spent on this table and "
                f"type: dpsynth ledger init {path} --cap-epsilon E --cap-delta D"
            )
        try:
            return cls(_connect(str(path)), name=str(path))
        except sqlite3.OperationalError as error:
            raise BudgetExceededError(
                f"the ledger {path} cannot be opened for writing: {error}"
            ) from error
        except sqlite3.DatabaseError as error:
            raise IntegrityError(f"{path} is not a readable ledger: {error}") from error

    @classmethod
    def in_memory(
        cls, *, cap_epsilon: Number, cap_delta: Number, open_categories: bool = False
    ) -> Self:
        """Make a ledger that dies with the process: for tests and generated worlds only."""
        connection = sqlite3.connect(":memory:", isolation_level=None)
        _initialise(connection, _cap(cap_epsilon, cap_delta), selects=open_categories)
        return cls(connection, name="a ledger in memory")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    # -- reading --------------------------------------------------------------------------------

    def entries(self) -> tuple[LedgerEntry, ...]:
        """Return every entry, oldest first, each held against its digest."""
        known = len(self._known)
        rows = self._rows("SELECT body, digest FROM entries WHERE position >= ?", max(known - 1, 0))
        if known and (not rows or rows[0][1] != self._known[-1].digest):
            raise IntegrityError(f"{self.name} was changed while it was open")
        fresh = [_entry(body, digest) for body, digest in rows[bool(known) :]]
        check_chain([*self._known[-1:], *fresh])
        if [entry.index for entry in fresh] != list(range(known, known + len(fresh))):
            raise IntegrityError(f"{self.name} lacks an entry")
        if not known and fresh and fresh[0].previous != self._origin:
            raise IntegrityError(f"{self.name} does not begin where it was made")
        self._know(fresh)
        return tuple(self._known)

    def _know(self, fresh: Sequence[LedgerEntry]) -> None:
        """Take in entries that continue the known ones and are in the file."""
        self._known.extend(fresh)
        if fresh:
            self._spent += self._cap_after(self._known[0].event).cost(*(e.event for e in fresh))
        self._spent_delta += total_reserved_delta(entry.event for entry in fresh)

    def __iter__(self) -> Iterator[LedgerEntry]:
        return iter(self.entries())

    @property
    def spent(self) -> Fraction:
        """Sum of the charges, in rho or as much at the cap's order, exact."""
        self.entries()
        return self._spent

    @property
    def trains(self) -> bool:
        """Whether any charge is for sampled training, so that ``spent`` is at the cap's order."""
        return bool(split_trained(entry.event for entry in self.entries())[0])

    @property
    def spent_epsilon(self) -> Fraction:
        """What the charges come to at the cap's delta, rounded up; 0 where there are none."""
        return self.cap.epsilon_of(self.spent, trains=self.trains)

    @property
    def spent_delta(self) -> Fraction:
        """What partition selections have spent of the reserved delta, exact."""
        self.entries()
        return self._spent_delta

    @property
    def cap(self) -> Cap:
        """The most that may ever be spent; how its delta is split is fixed by the first entry."""
        first = self.entries()[:1]
        return self._cap_after(first[0].event) if first else self._cap_after(None)

    def _cap_after(self, first: Event | None) -> Cap:
        """Return the cap of a ledger whose first entry is, or would be, ``first``."""
        selects = self._selects or (first is not None and reserved_delta(first) > 0)
        return self._cap.for_selections() if selects else self._cap

    @property
    def left(self) -> Fraction:
        """What may still be spent, in rho, exact."""
        return self.cap.rho - self.spent

    def looks(self) -> tuple[dict[str, str], ...]:
        """Return the looks at real rows that were registered beside the charges, oldest first."""
        return tuple(note for note in self._notes() if note["kind"] == "look")

    def verify(self, *, heads: Iterable[str] = ()) -> None:
        """Check the file, the chain and the cap.

        Args:
            heads: digests of entries that certificates have shown; one that is missing here means
                that the ledger was rolled back or exchanged.

        Raises:
            IntegrityError: something was changed, removed, reordered or rolled back.
        """
        try:
            if self._connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                raise IntegrityError(f"{self.name} is damaged")
        except sqlite3.DatabaseError as error:
            raise IntegrityError(f"{self.name} is damaged: {error}") from error
        self._known, self._spent, self._spent_delta = [], Fraction(0), Fraction(0)
        entries = self.entries()
        if self.spent > self.cap.rho or self.spent_delta > self.cap.reserved:
            raise IntegrityError(f"{self.name} holds more charges than its cap allows")
        previous = self._origin
        for note in self._notes():
            if note["previous"] != previous:
                raise IntegrityError(f"{self.name} lacks an internal note")
            previous = note["digest"]
        missing = sorted(set(heads) - {entry.digest for entry in entries})
        if missing:
            raise IntegrityError(
                f"{self.name} lacks the entry {missing[0]}, which a certificate shows: it was "
                "rolled back or belongs to another table"
            )

    # -- the table's secret key -----------------------------------------------------------------

    def keyed(self, purpose: str) -> bytes:
        """Return this table's 32-byte subkey for ``purpose``; it never leaves the custodian."""
        return hmac.digest(self.__key, purpose.encode(), "sha256")

    def identify(self, digest: bytes) -> Identity:
        """Compare the keyed digest of a table with the last one seen, and note a new one.

        Resets nothing, whatever the answer: the charges stay.
        """
        with self._exclusive():
            seen = [note["digest_of_table"] for note in self._notes() if note["kind"] == "table"]
            if seen and seen[-1] == digest.hex():
                return Identity.SAME
            self._note({"kind": "table", "digest_of_table": digest.hex()})
        return Identity.CHANGED if seen else Identity.NEW

    def record_look(self, *, subject: str, reason: str) -> None:
        """Register that somebody looked at numbers computed from real rows (DESIGN, law 12)."""
        with self._exclusive():
            self._note({"kind": "look", "subject": subject, "reason": reason})

    # -- spending -------------------------------------------------------------------------------

    def open_release(
        self,
        *,
        rho: Fraction,
        seeded: bool,
        reserved: Fraction = Fraction(0),
        trained: Sequence[SampledGaussianEvent] = (),
        unit: str | None = None,
    ) -> "Account":
        """Begin a release that may spend up to ``rho``, and train. Charges nothing yet.

        Args:
            rho: of everything in the plan that has a zCDP cost, exact.
            seeded: whether the noise comes from a known seed.
            reserved: the delta that the plan sets aside for partition selections, which come
                first in a release; exact.
            trained: the sampled training in the plan, which is counted at the cap's order.
            unit: whom the release protects, in public words; the first charge keeps it for good.

        Raises:
            BudgetExceededError: less than that is left; no row was read, nothing was charged.
            UsageError: earlier releases protect another unit: costs of two units do not add up.
        """
        _validate.exact(rho=rho, reserved=reserved)
        cap = self.cap
        if reserved and not self._known:
            cap = self._cap.for_selections()
        allowed = rho + cap.cost(*trained)
        _validate.positive(rho=allowed)
        if rho < 0:
            raise ValueError("rho must be at least 0")
        self._require(cap, "this release", cost=allowed, reserve=reserved, trains=bool(trained))
        self._keep_unit(unit, note=False)
        return Account(
            self,
            release=secrets.token_hex(8),
            rho=allowed,
            seeded=seeded,
            reserved=reserved,
            cap=cap,
            unit=unit,
        )

    def _keep_unit(self, unit: str | None, *, note: bool) -> None:
        kept = [each["unit"] for each in self._notes() if each["kind"] == "unit"]
        if kept and unit not in (None, kept[0]):
            raise UsageError(
                f"the releases of {self.name} protect {kept[0]}, and this one {unit}: what they "
                "cost together cannot be told. Declare the same unit; nothing was charged"
            )
        if note and unit and not kept:
            self._note({"kind": "unit", "unit": unit})

    def reopen_release(self, release: str) -> "Account":
        """Go on with a release that was interrupted; it can spend no more than it has spent.

        Raises:
            UsageError: the ledger holds no charge of that release.
        """
        mine = [entry for entry in self.entries() if entry.release == release]
        if not mine:
            raise UsageError(f"{self.name} holds no charge of the release {release!r}")
        cap, events = self.cap, [entry.event for entry in mine]
        reserved = total_reserved_delta(events)
        return Account(
            self,
            release=release,
            rho=cap.cost(*events),
            seeded=mine[0].seeded,
            reserved=reserved,
            cap=cap,
            entries=mine,
        )

    def _require(
        self, cap: Cap, what: str, *, cost: Fraction, reserve: Fraction, trains: bool
    ) -> None:
        """Raise BudgetExceededError unless ``cap`` has room for one more cost, in both parts."""
        left, left_delta = cap.rho - self._spent, cap.reserved - self._spent_delta
        if reserve > left_delta:
            raise BudgetExceededError(
                f"{self.name} cannot pay for {what}: its open columns need a delta of "
                f"{float(reserve):.4g}, and {float(left_delta):.4g} is left of the "
                f"{float(cap.reserved):.4g} that were set aside for such before the table gave its "
                "first answer. No row was read for it and nothing was charged for it. To go on, "
                "declare the values of those columns"
            )
        if cost > left:
            raise self._refusal(what, cap, cost=cost, left=left, trains=trains)

    def _charge(
        self, charges: Sequence[Charge], *, release: str, seeded: bool, unit: str | None
    ) -> tuple[LedgerEntry, ...]:
        """Append ``charges`` in one exclusive transaction, or raise and leave the ledger alone."""
        events = [charge.event for charge in charges]
        made = []
        with self._exclusive():
            entries = self.entries()
            cap = self._cap_after(entries[0].event if entries else events[0])
            self._require(
                cap,
                charges[0].label,
                cost=cap.cost(*events),
                reserve=total_reserved_delta(events),
                trains=bool(split_trained(events)[0]),
            )
            self._keep_unit(unit, note=True)
            previous = entries[-1].digest if entries else self._origin
            for index, charge in enumerate(charges, start=len(entries)):
                body = {
                    "index": index,
                    "release": release,
                    "label": charge.label,
                    "event": event_to_dict(charge.event),
                    "neighboring": NeighboringRelation.ADD_OR_REMOVE.value,
                    "seeded": seeded,
                    "date": _today(),
                    "previous": previous,
                }
                text = _canonical(body)
                previous = _digest(text)
                self._connection.execute(
                    "INSERT INTO entries VALUES (?, ?, ?)", (index, text, previous)
                )
                made.append(_entry(text, previous))
        # On the disk now, and read back already: whoever asks next need not parse them again.
        self._know(made)
        return tuple(made)

    def _refusal(
        self, what: str, cap: Cap, *, cost: Fraction, left: Fraction, trains: bool
    ) -> BudgetExceededError:
        advice = "This table's budget is used up: no further release can be made of it."
        if left > 0 and trains:
            advice = (
                "A release that trains a network costs more of a cap than it claims, because its "
                "claim holds for scales fixed in a plan and a cap must hold for all that may come: "
                "dpsynth plan says which cap it needs. To go on, ask for a smaller epsilon."
            )
        elif left > 0:
            # Rounded down to three digits, so that the advice itself is within the budget.
            epsilon = epsilon_from_rho(left, cap.delta - cap.reserved)
            largest = Fraction(int(epsilon * 1000), 1000)
            factor = Fraction(ceil(100 * cost / left), 100)
            advice = (
                f"To go on, ask for {float(factor):.2f} times less rho, which at the cap's delta "
                f"is an epsilon of at most {float(largest):.3f}."
            )
        return BudgetExceededError(
            f"{self.name} cannot pay for {what}: it costs rho={float(cost):.4g}, and "
            f"rho={float(left):.4g} is left of {float(cap.rho):.4g}. No row was read for it "
            f"and nothing was charged for it. {advice}",
            cost=cost,
            left=left,
        )

    # -- the file -------------------------------------------------------------------------------

    def _rows(self, statement: str, *values: int) -> list[tuple[object, ...]]:
        return self._connection.execute(f"{statement} ORDER BY position", values).fetchall()

    def _notes(self) -> list[dict[str, str]]:
        notes = []
        for body, digest in self._rows("SELECT body, digest FROM internal"):
            if _digest(str(body)) != digest:
                raise IntegrityError(f"an internal note of {self.name} was changed")
            notes.append({**json.loads(str(body)), "digest": str(digest)})
        return notes

    def _note(self, body: dict[str, str]) -> None:
        notes = self._notes()
        previous = notes[-1]["digest"] if notes else self._origin
        text = _canonical({**body, "date": _today(), "previous": previous})
        self._connection.execute(
            "INSERT INTO internal VALUES (?, ?, ?)", (len(notes), text, _digest(text))
        )

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Hold the file alone; on leaving, the change is on the disk, or none of it is."""
        try:
            self._connection.execute("BEGIN EXCLUSIVE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.rollback()
                raise
        except sqlite3.OperationalError as error:
            raise BudgetExceededError(
                f"{self.name} cannot be written ({error}), so nothing may be spent; make it "
                "writable, free the disk or end the program that holds it"
            ) from error
        except sqlite3.DatabaseError as error:
            raise IntegrityError(f"{self.name} is damaged: {error}") from error

    def __repr__(self) -> str:
        return f"Ledger({self.name!r})"


class Account:
    """One release's share of a ledger: the only way to spend from it."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        release: str,
        rho: Fraction,
        seeded: bool,
        reserved: Fraction,
        cap: Cap,
        unit: str | None = None,
        entries: Sequence[LedgerEntry] = (),
    ) -> None:
        self._ledger = ledger
        self._cap = cap
        self._unit = unit
        self.release = release
        self.rho = rho
        self.reserved = reserved
        self.seeded = seeded
        self._entries = list(entries)

    @property
    def entries(self) -> tuple[LedgerEntry, ...]:
        """What this release has been charged for, oldest first."""
        return tuple(self._entries)

    @property
    def spent(self) -> Fraction:
        """Sum of this release's charges, in rho or as much at the cap's order, exact."""
        return self._cap.cost(*(entry.event for entry in self._entries))

    @property
    def left(self) -> Fraction:
        """What the plan of this release still allows, in rho, exact."""
        return self.rho - self.spent

    def charge(self, charges: Sequence[Charge]) -> tuple[LedgerEntry, ...]:
        """Append ``charges`` to the ledger, all or none. On return they are on the disk.

        Raises:
            BudgetExceededError: more than the plan of this release, or than the table's cap.
        """
        if not charges:
            return ()
        cost = self._cap.cost(*(charge.event for charge in charges))
        reserve = total_reserved_delta(charge.event for charge in charges)
        before = total_reserved_delta(entry.event for entry in self._entries)
        if before + reserve > self.reserved:
            raise BudgetExceededError(
                f"{charges[0].label} needs a delta of {float(reserve):.4g}, and the plan of this "
                f"release has {float(self.reserved - before):.4g} set aside; nothing was charged"
            )
        if cost > self.left:
            raise BudgetExceededError(
                f"{charges[0].label} costs rho={float(cost):.4g}, and the plan of this release has "
                f"rho={float(self.left):.4g} left; nothing was charged",
                cost=cost,
                left=self.left,
            )
        made = self._ledger._charge(
            charges, release=self.release, seeded=self.seeded, unit=self._unit
        )
        self._entries.extend(made)
        return made

    def extract(self) -> dict[str, object]:
        """Return the part of the ledger that a certificate shows: this release's own entries.

        Public: holds neither the table's key nor its identity nor anybody's look.
        """
        cap = self._ledger.cap
        spent = cap.cost(*(entry.event for entry in self._entries))
        last = self._entries[-1].index if self._entries else -1
        past = [entry.event for entry in self._ledger if entry.index <= last]
        after = cap.cost(*past)
        shown = {"epsilon": str(cap.epsilon), "delta": str(cap.delta), "rho": str(cap.rho)}
        if split_trained(past)[0]:
            shown["order"] = str(cap.order)
        reserves: dict[str, object] = {}
        if cap.reserved:
            delta = total_reserved_delta(entry.event for entry in self._entries)
            delta_after = total_reserved_delta(past)
            shown["reserved_delta"] = str(cap.reserved)
            reserves = {
                "reserved_delta_before": str(delta_after - delta),
                "reserved_delta_release": str(delta),
                "reserved_delta_after": str(delta_after),
            }
        return {
            "format": EXTRACT_FORMAT,
            "release": self.release,
            "cap": shown,
            "rho_before": str(after - spent),
            "rho_release": str(spent),
            "rho_after": str(after),
            **reserves,
            "entries": [entry.to_dict() for entry in self._entries],
        }


def _entry(body: object, digest: object) -> LedgerEntry:
    try:
        document = json.loads(str(body))
    except ValueError as error:
        raise IntegrityError("a ledger entry is not readable") from error
    return entry_from_dict({**document, "digest": digest})


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _connect(path: str) -> sqlite3.Connection:
    address = f"{Path(path).absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=_BUSY_SECONDS)
    try:
        # A write-ahead log would keep debits in a second file that a plain copy forgets.
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = EXTRA")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _initialise(connection: sqlite3.Connection, cap: Cap, *, selects: bool) -> None:
    triggers = "".join(
        _APPEND_ONLY.format(table=table, verb=verb)
        for table in ("meta", "entries", "internal")
        for verb in ("UPDATE", "DELETE")
    )
    connection.executescript(f"BEGIN; {_TABLES} {triggers} COMMIT;")
    meta = {
        "format": FORMAT,
        "epsilon": str(cap.epsilon),
        "delta": str(cap.delta),
        "origin": secrets.token_hex(32),
        "key": secrets.token_bytes(32),
        **({"selects": "open categories"} if selects else {}),
    }
    connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())


def _sync_folder(folder: Path) -> None:
    """Make a new name in ``folder`` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
