"""The ledger at work: are debits on the disk first, and do they stay there?"""

from attacks.conformance.checks import Check, witness
from attacks.conformance.trial import Trial

LEDGER, RANDOMNESS = "ledger", "randomness"


def audit(trial: Trial) -> list[Check]:
    """Return what a ledger file did in releases of one made-up table."""
    from dpsynth.testing.bookkeeping import TAMPERING, keep_books

    books = keep_books(trial.synthesizer, trial.schema, trial.plan, trial.table, seed=trial.seed)
    # A sentence of what is wrong, how often it was, of how many times that it was looked for.
    faults: dict[str, tuple[int, int]] = {
        "rows were read before their charge was on the disk": (
            sum(there < known for known, there in zip(books.known, books.on_disk, strict=True)),
            len(books.known),
        ),
        "rows were read before anything was on the disk": (
            books.on_disk.count(0),
            len(books.on_disk),
        ),
        "after a release the file does not hold the plan's charges": (
            books.after_first != books.planned,
            1,
        ),
        "a second release of the same table was not charged in full": (
            books.after_second != 2 * books.planned,
            1,
        ),
        "a release that failed after it had read rows was refunded": (
            books.after_unplugged < books.when_unplugged,
            1,
        ),
        "a release was let through that the cap does not allow": (not books.refused_over_cap, 1),
        "rows were read for a release that the cap does not allow": (books.read_over_cap > 0, 1),
    }
    checks = [
        witness(f"ledger/{name}", LEDGER, f"looked for: {name}", violations=wrong, trials=looked)
        for name, (wrong, looked) in faults.items()
    ]
    return [
        *checks,
        witness(
            "ledger/tampering",
            LEDGER,
            "changes of a copy of the file that must be found"
            + "".join(f"; not found: {name}" for name in books.unseen_tampering),
            violations=len(books.unseen_tampering),
            trials=len(TAMPERING),
        ),
        witness(
            "ledger/seeded entries say so",
            RANDOMNESS,
            "entries whose noise came from a known seed say so",
            violations=books.seeded_marks.count(False),
            trials=len(books.seeded_marks),
        ),
        witness(
            "ledger/extracts of the file",
            LEDGER,
            "what extracts show is what the file holds: the release, what was before it, and after"
            + "".join(f"; not so: {', '.join(each)}" for each in books.untrue_fields if each),
            violations=sum(bool(each) for each in books.untrue_fields),
            trials=len(books.untrue_fields),
        ),
        witness(
            "ledger/not written",
            LEDGER,
            "a release that cannot be charged is refused, and nothing is read for it"
            + "".join(f"; not so: {what}" for what, right in books.shut_out.items() if not right),
            violations=sum(not right for right in books.shut_out.values()),
            trials=len(books.shut_out),
        ),
        *_limits(),
        _extracts(trial),
    ]


def _limits() -> list[Check]:
    from dpsynth.testing.ledger_files import tried_days, tried_programs, tried_shut
    from dpsynth.testing.limits import keys_apart, tried_limits

    return [
        witness(
            f"ledger/{name}",
            component,
            "; ".join(each.what for each in tried if not each.right) or sound,
            violations=sum(not each.right for each in tried),
            trials=len(tried),
        )
        for name, component, tried, sound in (
            ("limits", LEDGER, tried_limits(), "spent up to the cap in many ways, never beyond"),
            ("days", LEDGER, tried_days(), "what was charged on any day counts for ever"),
            ("programs", LEDGER, tried_programs(), "two programs never charge beside each other"),
            ("shut", LEDGER, tried_shut(), "a charge that cannot be written is refused"),
            ("keys", RANDOMNESS, keys_apart(), "keys of two tables and of all purposes differ"),
        )
    ]


def _extracts(trial: Trial) -> Check:
    """Hold what each model says that was charged against what was planned."""
    planned = [step["event"] for step in trial.document["steps"]]
    shown = [
        [entry["event"] for entry in model.ledger_extract["entries"]]
        for model in trial.fitted.models
    ]
    return witness(
        "ledger/extracts",
        "charges",
        "the extract that a certificate shows lists the charges of the plan, in order",
        violations=sum(each != planned for each in shown),
        trials=len(shown),
    )
