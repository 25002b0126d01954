"""The ledger at work: are debits on the disk first, and do they stay there?"""

from attacks.conformance.trial import Alarm, Trial

LEDGER, RANDOMNESS = "ledger", "randomness"


def audit(trial: Trial) -> list[Alarm]:
    """Return what a ledger file did wrong in releases of one made-up table."""
    from dpsynth.testing.bookkeeping import keep_books

    books = keep_books(trial.synthesizer, trial.schema, trial.plan, trial.table, seed=trial.seed)
    faults = {
        "rows were read before their charge was on the disk": any(
            there < known for known, there in zip(books.known, books.on_disk, strict=True)
        ),
        "rows were read before anything was on the disk": 0 in books.on_disk,
        "after a release the file does not hold the plan's charges": (
            books.after_first != books.planned
        ),
        "a second release of the same table was not charged in full": (
            books.after_second != 2 * books.planned
        ),
        "a release that failed after it had read rows was refunded": (
            books.after_unplugged < books.when_unplugged
        ),
        "a release was let through that the cap does not allow": not books.refused_over_cap,
        "rows were read for a release that the cap does not allow": books.read_over_cap > 0,
        **{f"tampering was not found: {name}": True for name in books.unseen_tampering},
    }
    alarms = [Alarm(component=LEDGER, sentence=each) for each, found in faults.items() if found]
    if not all(books.seeded_marks):
        sentence = "entries whose noise came from a known seed do not say so"
        alarms.append(Alarm(component=RANDOMNESS, sentence=sentence))
    return alarms
