"""What a trial found, as a document: what was tried, on what, and every check with its numbers.

A certificate holds one such document, and a file may keep some for later releases. None speaks of
real rows: a trial makes its rows up.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attacks import shapes, statement
from attacks.conformance.checks import Check, events, statuses_of, witness
from attacks.conformance.narrow import narrowed
from attacks.conformance.tiers import EFFORTS, Tier
from dpsynth.errors import IntegrityError, UnfitEnvironmentError, UsageError
from dpsynth.release import canonical

if TYPE_CHECKING:
    from attacks.conformance.trial import Trial
    from dpsynth.schema import Schema

FORMAT = "dpsynth-conformance/1"
_WHOLE = ("bill", "law")  # audits of the plan itself, which fit nothing
_UNTRIED = ("description", "provenance")  # of a schema: what nothing that is tried depends on

Document = Mapping[str, Any]
Progress = Callable[[str], object]


def trial_of(plan: Document, schema: "Schema", *, tier: Tier, seed: int = 0) -> "Trial":
    """Return the trial of the very synthesizer, schema and budget of ``plan``.

    Raises:
        UnfitEnvironmentError: the plan trains, and torch is not installed.
    """
    from attacks.conformance.trial import Trial
    from attacks.engine.generators import planned_synthesizer

    if events(plan, "sampled_gaussian/v1") and find_spec("torch") is None:
        raise UnfitEnvironmentError(
            "this plan trains a network, which cannot be put on trial without torch: "
            "pip install 'dpsynth[deep]'"
        )
    effort = EFFORTS[tier]
    return Trial(
        synthesizer=planned_synthesizer(plan),
        schema=schema,
        epsilon=plan["epsilon"],
        delta=plan["delta"],
        seed=seed,
        fits=effort.fits,
        pairs=effort.pairs,
        louder=effort.loud,
        games=effort.games,
        odd=effort.odd,
    )


def gather(
    plan: Document,
    schema: "Schema",
    *,
    tier: Tier = Tier.smoke,
    seed: int = 0,
    progress: Progress | None = None,
    names: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Run all audits on ``plan``, and return what they found as a document.

    In a tier that fits few columns, audits that fit models do so on a part of a wide schema; in one
    of short trainings they train for a few steps, by a plan of that length.

    Args:
        plan: a plan as a document; see ``Plan.to_dict``.
        schema: the schema it was made from.
        tier: how much is tried.
        seed: of all rows and draws but those that try the operating system's randomness.
        progress: told the name of each audit.
        names: of the audits; those of the tier if not given.

    Raises:
        UnfitEnvironmentError: the plan trains, and torch is not installed.
    """
    from attacks.conformance import audits

    whole = part = trial_of(plan, schema, tier=tier, seed=seed)
    most = EFFORTS[tier].columns
    if most is not None:
        settings = plan["synthesizer"]["settings"]
        part = replace(whole, schema=narrowed(schema, most=most, settings=settings))
    steps = EFFORTS[tier].steps
    if steps is not None and whole.trains:
        part = replace(part, synthesizer=part.synthesizer.shortened(steps))
    found = []
    usual = [name for name in audits.AUDITS if name not in EFFORTS[tier].without]
    for name in usual if names is None else names:
        if progress is not None:
            progress(name)
        found += audits.run(whole if name in _WHOLE else part, names=[name])
    checks = [_of_plan(plan, whole.document), *audits.checks_of(found)]
    return document_of(plan, schema, checks, tier=tier, seed=seed, fitted=len(part.schema.modeled))


def document_of(
    plan: Document,
    schema: "Schema",
    checks: Sequence[Check],
    *,
    tier: Tier,
    seed: int = 0,
    fitted: int | None = None,
    versions: Mapping[str, str] | None = None,
    date: str | None = None,
) -> dict[str, Any]:
    """Return the document of checks that ran now, here.

    Args:
        plan: what was tried.
        schema: the schema it was made from.
        checks: what was found.
        tier: how much was tried.
        seed: of the trial.
        fitted: columns to learn where models were fitted; all if not given.
        versions: of the software, this one's if not given.
        date: today if not given.
    """
    declared = len(schema.modeled)
    return {
        "subject": digest_of(plan, schema),
        "tier": tier.value,
        "seed": seed,
        "date": date or statement.today(),
        "versions": statement.versions() if versions is None else dict(versions),
        "columns": {"declared": declared, "fitted": declared if fitted is None else fitted},
        "checks": [check.to_dict() for check in checks],
    }


def digest_of(plan: Document, schema: "Schema") -> str:
    """Return the SHA-256 of what was on trial: synthesizer, settings, budget and schema.

    Of the schema all that a trial depends on: not who said so, and no description. Columns keep
    their names, since a synthesizer sees them.
    """
    declared = schema.to_dict()
    columns = [
        {name: value for name, value in column.items() if name not in _UNTRIED}
        for column in declared["columns"]
    ]
    subject = {
        "synthesizer": plan["synthesizer"],
        "epsilon": plan["epsilon"],
        "delta": plan["delta"],
        "schema": {
            **{name: value for name, value in declared.items() if name not in _UNTRIED},
            "columns": columns,
        },
    }
    return hashlib.sha256(canonical.dumps(subject)).hexdigest()


def require_sound(found: Document) -> None:
    """Raise unless every stored number and status follows from the counts beside it.

    Raises:
        IntegrityError: one does not; the message names the check.
    """
    from attacks.conformance.follows import contradiction

    checks: Sequence[Document] = found["checks"]
    for check, status in zip(checks, statuses_of(checks), strict=True):
        try:
            wrong = contradiction(check)
        except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise IntegrityError(
                f"the check {check['name']!r} holds numbers that no check could have"
            ) from error
        if wrong is not None:
            raise IntegrityError(
                f"{wrong!r} of the check {check['name']!r} does not follow from its counts"
            )
        if check["status"] != status:
            raise IntegrityError(
                f"the status of the check {check['name']!r} does not follow from its numbers"
            )


def stored(path: Path, plan: Document, schema: "Schema") -> dict[str, Any]:
    """Return what ``dpsynth conform --out`` kept of this very synthesizer, schema and budget.

    Args:
        path: the file.
        plan: what will be released.
        schema: the schema it was made from.

    Raises:
        UsageError: the file holds nothing of this subject by these versions on this platform.
        IntegrityError: its statuses do not follow from its numbers, or it is no such file.
    """
    if not path.is_file():
        raise UsageError(f"there is no result {path}; dpsynth conform --out FILE makes one")
    document = shapes.read(path, "conformance")
    subject, here = digest_of(plan, schema), statement.versions()
    trials = [trial["evidence"] for trial in document["trials"]]
    mine = [found for found in trials if found["subject"] == subject]
    if not mine:
        raise UsageError(
            f"{path} holds no trial of this synthesizer with these settings, schema and budget; "
            "run: dpsynth conform --schema ... --synthesizer ... --epsilon ... --delta ... --out "
            "FILE"
        )
    fit = [found for found in mine if found["versions"] == here]
    if not fit:
        differ = sorted(
            name
            for name in {*here, *mine[0]["versions"]}
            if here.get(name) != mine[0]["versions"].get(name)
        )
        raise UsageError(
            f"{path} was made with other versions of: {', '.join(differ)}; run dpsynth conform "
            "again here"
        )
    best: dict[str, Any] = max(fit, key=lambda found: list(Tier).index(Tier(found["tier"])))
    require_sound(best)
    return best


def _of_plan(given: Document, planned: Document) -> Check:
    """Whether the events that will be charged are those that the synthesizer plans by itself."""
    events_of = [[step["event"] for step in plan["steps"]] for plan in (given, planned)]
    check = witness(
        "bill/plan",
        "charges",
        "the plan is the one that its synthesizer makes for this schema and budget",
        violations=events_of[0] != events_of[1],
        trials=len(events_of[0]),
    )
    return replace(check, audit="bill")
