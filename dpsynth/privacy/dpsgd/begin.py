"""The beginning of a training: it is paid for, or goes on from where it was interrupted."""

from collections.abc import Iterable
from functools import partial

from dpsynth import _validate
from dpsynth.domain import PrivacyUnit
from dpsynth.errors import IntegrityError, UsageError
from dpsynth.privacy.dpsgd.checkpoint import Checkpoint
from dpsynth.privacy.dpsgd.engines import engine_of
from dpsynth.privacy.dpsgd.processes import Processes
from dpsynth.privacy.dpsgd.rowwise import made_up_rows
from dpsynth.privacy.dpsgd.rule import StepRule
from dpsynth.privacy.dpsgd.state import State, digest_of_rows
from dpsynth.privacy.dpsgd.step import PrivateGradients
from dpsynth.privacy.dpsgd.stream import KEY_BYTES, KeyedStream
from dpsynth.privacy.ledger import Account, Charge, LedgerEntry
from dpsynth.privacy.randomness import RandomSource
from dpsynth.privacy.source import TableSource


def begin(
    rule: StepRule,
    *,
    label: str,
    source: TableSource,
    unit: PrivacyUnit,
    account: Account,
    rng: RandomSource,
    engine: str = "book_keeping",
    most_rows: int = 16_384,
    processes: Processes | None = None,
    checkpoint: Checkpoint | None = None,
) -> PrivateGradients:
    """Charge for all steps, then read the rows; see ``Curator.train``.

    Args:
        rule: sampling rate, noise, clip and number of steps, from public facts alone.
        label: public name for the ledger.
        source: of the rows.
        unit: whose rows are clipped together, and how many they are at most.
        account: that pays.
        rng: source of the key of batches and noise.
        engine: how per-unit gradients are clipped: "book_keeping", "hooks" of opacus, or
            "per_unit", a loop.
        most_rows: of a part of a batch that is in memory at a time.
        processes: those that train together, each of which calls this; the first one pays.
        checkpoint: where ``PrivateGradients.save`` writes. Where it holds a state already, the
            training goes on from there: nothing is charged again, and no noise is drawn anew.
    """
    chosen = engine_of(engine)
    _validate.positive(most_rows=most_rows)
    if processes is not None and checkpoint is not None:
        raise UsageError("a training in several processes keeps no checkpoint")
    charge = Charge(event=rule.event(unit), label=label)
    gradients = partial(
        PrivateGradients,
        max_rows=unit.max_rows,
        rule=rule,
        engine=chosen,
        most_rows=most_rows,
        processes=processes,
        checkpoint=checkpoint,
        made_up=made_up_rows(source.domain.sizes),
    )
    if checkpoint is not None and checkpoint.exists:
        before = State.read(checkpoint)
        _require_paid(before, account.entries, charge)
        if before.rule != repr(rule):
            raise IntegrityError("the checkpoint belongs to a training by another rule")
        rows = source.unit_rows()
        if before.rows != digest_of_rows(rows):
            raise IntegrityError("the checkpoint belongs to a training on another table")
        return gradients(rows, stream=KeyedStream(before.key), paid=before.paid, before=before)
    paid: list[LedgerEntry] = []

    def pay() -> None:
        paid.extend(account.charge([charge]))

    # Charge, then read, then release; for the reason that Curator.measure gives.
    if processes is None:
        pay()
    else:
        processes.pay(pay)
        rng.words(KEY_BYTES // 8 * processes.rank)  # no two processes of a seeded run share a key
    stream = KeyedStream.fresh(rng)
    return gradients(source.unit_rows(), stream=stream, paid=paid[0].digest if paid else "")


def _require_paid(before: State, entries: Iterable[LedgerEntry], charge: Charge) -> None:
    found = [entry for entry in entries if entry.digest == before.paid]
    if not found or (found[0].event, found[0].label) != (charge.event, charge.label):
        raise IntegrityError(
            "the checkpoint belongs to another training than the one that this release has paid for"
        )
