"""Releases of made-up rows charged to a ledger file, and what stood on the disk meanwhile.

The file is read by SQLite alone, not through the ledger's own code: what a debit is worth is what
another program would find after a power cut.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

from dpsynth.errors import BudgetExceededError, DpsynthError
from dpsynth.privacy.accounting import epsilon_from_rho
from dpsynth.privacy.events import DiscreteGaussianEvent, event_to_dict
from dpsynth.privacy.ledger import Cap, Charge, Ledger, LedgerEntry
from dpsynth.privacy.randomness import SeededRandom
from dpsynth.testing.ledger_files import SHUT, Shut
from dpsynth.testing.ledger_rows import entries_on_disk, extract_on_disk
from dpsynth.testing.recording import Reading, RecordingSource

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema
    from dpsynth.sources.frame import FrameSource
    from dpsynth.synthesizers.facade import Synthesizer
    from dpsynth.synthesizers.plan import Plan

_DELTA = Fraction(1, 10**9)
_ROOM = Fraction(16)  # times what a plan needs: a cap for several releases
_TIGHT = Fraction(3, 2)  # a cap for one release and no second
# Likewise of a training, of which a plan knows the least cap: in epsilon a second one may cost next
# to nothing.
_TIGHT_TRAINING = Fraction(1)
_MOST = 1_000  # charges that a cap may let through before filling it is given up
TAMPERING = {
    "an entry was changed": "UPDATE entries SET body = replace(body, '\"seeded\":true', "
    "'\"seeded\":false') WHERE position = 0",
    "an entry was removed": "DELETE FROM entries WHERE position = 0",
    "the last entry was removed": (
        "DELETE FROM entries WHERE position = (SELECT max(position) FROM entries)"
    ),
}


class _UnpluggedError(Exception):
    """The source stopped answering, as a data base may."""


@dataclass(frozen=True, kw_only=True)
class Books:
    """What a ledger did in a number of releases of the same made-up rows.

    Attributes:
        known: at each reading of the rows in the first release, the entries that the account knew.
        on_disk: at each of these readings, the entries that stood in the file.
        planned: charges of the plan.
        after_first: entries in the file after the first release,
        after_second: and after a second one of the same plan.
        when_unplugged: entries in the file when a third release was cut off at its last reading,
        after_unplugged: and after its failure was dealt with.
        read_over_cap: readings of the rows in a release that its cap does not allow.
        refused_over_cap: it was refused.
        seeded_marks: of all entries, made with a known seed: whether they say so.
        unseen_tampering: changes of a copy of the file that were not found, by name.
        untrue_fields: of the extracts of the first release and the second: what they say otherwise
            than the file does.
        shut_out: whether a release was refused, and read nothing that was not charged, by what
            kept it from writing to the file, and when.
    """

    known: tuple[int, ...]
    on_disk: tuple[int, ...]
    planned: int
    after_first: int
    after_second: int
    when_unplugged: int
    after_unplugged: int
    read_over_cap: int
    refused_over_cap: bool
    seeded_marks: tuple[bool, ...]
    unseen_tampering: tuple[str, ...]
    untrue_fields: tuple[tuple[str, ...], ...]
    shut_out: Mapping[str, bool]


def keep_books(
    synthesizer: "Synthesizer", schema: "Schema", plan: "Plan", table: "pd.DataFrame", *, seed: int
) -> Books:
    """Release ``table`` twice from one ledger, then once with a source that fails, then too often.

    Args:
        synthesizer: what is run.
        schema: the declared columns and unit.
        plan: of the synthesizer for the schema; one that trains needs a cap of its own.
        table: made-up rows.
        seed: of the noise.
    """
    with TemporaryDirectory() as folder:
        path, small = Path(folder) / "made-up.ledger", Path(folder) / "small.ledger"
        run = _Runs(synthesizer, schema, plan, table, path=path, room=_ROOM, seed=seed)
        extracts = [run.release()]
        known, on_disk = tuple(run.known), tuple(run.on_disk)
        after_first = entries_on_disk(path)
        extracts.append(run.release())
        after_second = entries_on_disk(path)
        marks = tuple(entry.seeded for entry in _entries(path))
        unseen = tuple(name for name in TAMPERING if not _tampering_found(path, name))
        with suppress(_UnpluggedError):
            run.release(readings=len(known) - 1)
        when_unplugged = run.on_disk[-1] if run.on_disk else after_second
        after_unplugged = entries_on_disk(path)
        untrue = tuple(_untrue_fields(path, each) for each in extracts)
        shut_out = {
            f"{what}, {when}": run.is_refused(shut, readings=readings, planned=len(plan.steps))
            for what, shut in SHUT.items()
            for readings, when in enumerate(("from the start", "from the first reading on"))
        }
        tight = _TIGHT if plan.needs_cap is None else _TIGHT_TRAINING
        again = _Runs(synthesizer, schema, plan, table, path=small, room=tight, seed=seed)
        again.release()
        try:
            again.release()
            refused = False
        except BudgetExceededError:
            refused = True
    return Books(
        known=known,
        on_disk=on_disk,
        planned=len(plan.steps),
        after_first=after_first,
        after_second=after_second,
        when_unplugged=when_unplugged,
        after_unplugged=after_unplugged,
        read_over_cap=len(again.known),
        refused_over_cap=refused,
        seeded_marks=marks,
        unseen_tampering=unseen,
        untrue_fields=untrue,
        shut_out=shut_out,
    )


def admitted(*, cap_epsilon: Fraction, cap_delta: Fraction, releases: int) -> list[dict[str, str]]:
    """Return the events that a cap lets through when it is asked for the same thing for ever.

    Args:
        cap_epsilon: of the cap.
        cap_delta: of the cap.
        releases: about how many of the charges should fit.
    """
    rho = Cap(epsilon=cap_epsilon, delta=cap_delta).rho / releases
    event = DiscreteGaussianEvent(sigma_squared=1 / (2 * rho), l2_sensitivity_squared=Fraction(1))
    with Ledger.in_memory(cap_epsilon=cap_epsilon, cap_delta=cap_delta) as ledger:
        for _ in range(_MOST):
            try:
                account = ledger.open_release(rho=rho, seeded=True)
                account.charge([Charge(event=event, label="marginal(made up)")])
            except BudgetExceededError:
                break
        return [event_to_dict(entry.event) for entry in ledger.entries()]


class _Runs:
    """Releases of one table from one ledger file."""

    def __init__(
        self,
        synthesizer: "Synthesizer",
        schema: "Schema",
        plan: "Plan",
        table: "pd.DataFrame",
        *,
        path: Path,
        room: Fraction,
        seed: int,
    ) -> None:
        self._made = (synthesizer, schema, plan)
        self._table = table
        self._path = path
        self._seed = seed
        self.known: list[int] = []
        self.on_disk: list[int] = []
        reserved = plan.reserved_delta
        if plan.needs_cap is not None:
            epsilon, delta = plan.needs_cap.epsilon * room, plan.needs_cap.delta * int(room)
        else:
            # What a ledger sets aside for values is half of its delta.
            delta = 2 * reserved * int(room) if reserved else _DELTA
            epsilon = epsilon_from_rho(plan.rho * room, delta / 2 if reserved else delta)
        Ledger.create(path, cap_epsilon=epsilon, cap_delta=delta).close()

    def is_refused(self, shut: Shut, *, readings: int, planned: int) -> bool:
        """Release the table from a file that cannot be written from some reading on.

        Args:
            shut: keeps the ledger from writing.
            readings: 0 for from the start.
            planned: charges of the plan; where all are made by then, the release may go on.

        Returns:
            Whether it was refused where it had more to pay, and read nothing that was not charged.
        """
        before = entries_on_disk(self._path)
        try:
            self.release(shut=shut, shut_at=readings)
            refused = False
        except BudgetExceededError:
            refused = True
        except sqlite3.Error:  # nobody could tell what became of the charge
            return False
        charged = entries_on_disk(self._path) - before
        paid = all(
            known <= there - before for known, there in zip(self.known, self.on_disk, strict=True)
        )
        return paid and (refused or charged == planned) and (readings > 0 or not self.known)

    def release(
        self, *, readings: int | None = None, shut: Shut | None = None, shut_at: int = 0
    ) -> Mapping[str, object]:
        """Release the table and return what its extract of the ledger says.

        Args:
            readings: after so many the source fails; never where not given.
            shut: keeps the ledger from writing,
            shut_at: from this reading on; 0 for from the start.
        """
        from dpsynth.sources.frame import prepare

        synthesizer, schema, plan = self._made
        self.known.clear()
        self.on_disk.clear()
        with Ledger.open(self._path) as ledger, ExitStack() as held:
            account = plan.open(ledger, seeded=True)
            prepared = prepare(self._table, schema, key=ledger.keyed)

            def keep_out(reading: int) -> None:
                if shut is not None and reading == shut_at:
                    held.enter_context(shut(ledger, self._path))

            def reading() -> int:
                known = len(account.entries)
                self.known.append(known)
                self.on_disk.append(entries_on_disk(self._path))
                if readings is not None and len(self.known) > readings:
                    raise _UnpluggedError
                keep_out(len(self.known))
                return known

            tape: list[Reading] = []
            source = RecordingSource(prepared.source, paid=reading, tape=tape)
            keep_out(0)
            model = synthesizer.fit_prepared(
                replace(prepared, source=cast("FrameSource", source)),
                schema=schema,
                plan=plan,
                account=account,
                rng=SeededRandom(self._seed),
            )
        return model.ledger_extract


def _untrue_fields(path: Path, extract: Mapping[str, object]) -> tuple[str, ...]:
    """Return the fields in which an extract is not what the file says of its release."""
    there = extract_on_disk(path, str(extract.get("release")))
    return tuple(
        name for name in sorted({*there, *extract}) if extract.get(name) != there.get(name)
    )


def _entries(path: Path) -> tuple[LedgerEntry, ...]:
    with Ledger.open(path) as ledger:
        return ledger.entries()


def _tampering_found(path: Path, name: str) -> bool:
    """Whether a changed copy of a ledger is refused; a certificate has shown its last entry."""
    copy = path.with_name("copy.ledger")
    copy.write_bytes(path.read_bytes())
    head = _entries(path)[-1].digest
    with closing(sqlite3.connect(copy)) as held:
        for trigger in held.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            held.execute(f"DROP TRIGGER {trigger[0]}")
        held.execute(TAMPERING[name])
        held.commit()
    try:
        with Ledger.open(copy) as ledger:
            ledger.verify(heads=[head])
    except DpsynthError:
        return True
    return False
