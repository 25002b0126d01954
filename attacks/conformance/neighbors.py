"""Do two neighboring tables look the same but for what the noise covers?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby, takewhile
from typing import TYPE_CHECKING

import numpy as np

from attacks.conformance.checks import Check, judged, witness
from attacks.conformance.scores import as_documented, furthest
from attacks.conformance.trial import Trial

if TYPE_CHECKING:
    from dpsynth.testing.recording import Entry, Reading, Replay

_CHOICE = "exponential_selection/v1"
_TRAINING = "sampled_gaussian/v1"
FLOW, CHARGES, SENSITIVITY = "control flow", "charges", "sensitivity"
PAST, SIDE = "post-processing", "side channels"
_SOUND = {
    FLOW: "the same questions were asked of both tables, after the same answers",
    CHARGES: "the charges are the planned ones, and every reading was paid for before",
    SENSITIVITY: "no exact answer or score moved further than its declared sensitivity (squared "
    "length, the answer nearest to its bound)",
    PAST: "the same answers led to the same model, documents and sample",
    SIDE: "the same warnings, log lines, output and end",
}


def audit(trial: Trial) -> list[Check]:
    """Return what tells neighboring tables apart beside what the noise covers.

    As planned; where nothing trains and time allows, with a budget so large that noise hides
    nothing; and on a table of few columns.
    """
    asked = {
        "as planned": trial,
        "with next to no noise": trial.loud if trial.louder and not trial.trains else None,
        "on a narrow table": trial.narrow if trial.odd or not trial.trains else None,
    }
    found = [
        check
        for budget, each in asked.items()
        if each is not None
        for check in checks_of(
            each.replays,
            planned=[step["event"] for step in each.document["steps"]],
            budget=budget,
        )
    ]
    if trial.trains:
        return found
    return [*found, *_sealed(trial), *(_sealed(trial.loud) if trial.louder else ())]


def _sealed(trial: Trial) -> list[Check]:
    """Return what tells worlds apart whose mechanisms saw their own rows and released the same."""
    from dpsynth.testing.sealed import sealed

    pairs = sealed(
        trial.synthesizer,
        trial.schema,
        trial.plan,
        seed=trial.seed,
        drawn=0 if trial.odd else trial.pairs // 2,  # with next to no noise, most can be told
    )
    faults: dict[str, list[str]] = {FLOW: [], PAST: [], SIDE: []}
    for pair in pairs:
        if pair.diverged:
            faults[FLOW].append(f"{pair.diverged} ({pair.world})")
        elif not pair.same_model:
            faults[PAST].append(f"the same answers led to another model ({pair.world})")
        for each in pair.unlike:
            faults[SIDE if _said(each) else PAST].append(f"{each} ({pair.world})")
    return [
        witness(
            f"neighbors/{component}, sealed, epsilon {trial.epsilon}",
            component,
            "; ".join(said) or f"{_SOUND[component]}, where only what was released is the same",
            violations=len(said),
            trials=len(pairs),
        )
        for component, said in faults.items()
    ]


def checks_of(
    replays: "Sequence[Replay]",
    *,
    planned: Sequence[Mapping[str, str]],
    budget: str = "as planned",
) -> list[Check]:
    """Return a check a component: in how many pairs of neighbors something was wrong with it."""
    found = [(pair, faults_of(pair, planned=planned)) for pair in replays]
    worst = max(
        (moved for pair in replays for moved in movements(pair)),
        key=lambda one: (one.ratio, one.moved),
        default=None,
    )
    checks = []
    for component, sound in _SOUND.items():
        wrong = [
            (pair.world, [sentence for which, sentence in faults if which == component])
            for pair, faults in found
        ]
        sentences = {
            f"{sentence} ({world.split(' of drawn')[0]})"
            for world, said in wrong
            for sentence in said
        }
        checks.append(
            witness(
                f"neighbors/{component}, {budget}",
                component,
                "; ".join(sorted(sentences)) or sound,
                violations=sum(bool(said) for _, said in wrong),
                trials=len(replays),
            )
        )
        if component == SENSITIVITY and worst is not None:
            moved, allowed = float(worst.moved), float(worst.allowed)
            checks[-1] = judged(replace(checks[-1], statistic=moved, bound=allowed))
    return checks


def faults_of(
    found: "Replay", *, planned: Sequence[Mapping[str, str]]
) -> tuple[tuple[str, str], ...]:
    """Return what tells the two worlds apart, each as the component that is broken and a sentence.

    Components: "control flow" (what is asked follows the rows), "charges" (what was read is not
    what was paid for), "sensitivity" (an answer moved further than its noise was made for),
    "post-processing" (something reached the release past the noise) and "side channels".
    """
    faults = []
    if found.diverged:
        faults.append((FLOW, found.diverged))
    elif len(found.there) < len(found.here):
        faults.append((FLOW, "the neighbor was asked fewer questions"))
    if [dict(entry.event) for entry in found.charged] != [dict(event) for event in planned]:
        faults.append((CHARGES, "the ledger shows other charges than the plan"))
    if not found.diverged and found.charged != found.charged_again:
        faults.append((CHARGES, "the neighbor was charged otherwise"))
    faults += [(one.component, one.fault) for one in movements(found) if one.fault]
    faults += _scores(found)
    if not found.diverged and not found.same_model:
        faults.append((PAST, "the same answers led to another model"))
    faults += [(SIDE if _said(each) else PAST, each) for each in found.unlike]
    return tuple(dict.fromkeys(faults))


def _said(difference: str) -> bool:
    return "warnings" in difference or "ended" in difference


def _scores(found: "Replay") -> list[tuple[str, str]]:
    """Hold scores against their declared sensitivity, as far as both worlds scored the same."""
    faults = []
    for here, there in found.scored:
        if not as_documented(here):
            faults.append((SENSITIVITY, "scores are not what their sensitivity was derived for"))
        if here.query.cliques != there.query.cliques:
            break
        moved, allowed = furthest(here, there)
        if moved > allowed:
            faults.append((SENSITIVITY, "the scores of candidates moved further than declared"))
    return faults


@dataclass(frozen=True, kw_only=True)
class Movement:
    """How far one exact answer moved between neighbors, against what its noise was made for.

    Attributes:
        moved: in the norm of the mechanism: squared length, or sum of absolute differences.
        allowed: what its ledger entry declares.
        fault: a sentence where something is wrong.
        component: what is broken then.
    """

    moved: Fraction
    allowed: Fraction
    fault: str
    component: str = SENSITIVITY

    @property
    def ratio(self) -> Fraction:
        """Share of what is allowed that was used."""
        return self.moved / self.allowed


def movements(found: "Replay") -> list[Movement]:
    """Return how far each answer moved that both worlds were asked."""
    result = []
    before = 0  # entries that earlier readings have used up
    # Beyond a question that differs there is nothing to compare; that it differs is a fault itself.
    alike = takewhile(
        lambda pair: (pair[0].clique, pair[0].shape) == (pair[1].clique, pair[1].shape),
        zip(found.here, found.there, strict=False),
    )
    together = groupby(alike, key=lambda pair: pair[0].paid)
    for paid, asked in together:
        readings, entries = list(asked), _after_known_choices(found.charged[before:paid])
        before = paid
        if entries and entries[-1].event["kind"] == _TRAINING:
            result += _steps(readings, entries[-1])
            continue
        if _pays_for_scores(entries, readings=len(readings), max_rows=found.max_rows):
            # A score moves no further than the counts behind it do in sum.
            allowed = Fraction(found.max_rows)
            result += [
                _measured(here, there, norm="sum", allowed=allowed) for here, there in readings
            ]
            continue
        result += [
            _paid(here, there, entry)
            for (here, there), entry in zip(readings, entries, strict=False)
        ]
        result += [_unpaid(here) for here, _ in readings[len(entries) :]]
    return result


def _after_known_choices(entries: Sequence["Entry"]) -> Sequence["Entry"]:
    """Leave out choices among scores that were all known before, where other charges follow."""
    kinds = [entry.event["kind"] for entry in entries]
    if not kinds or kinds[-1] == _CHOICE:
        return entries
    return entries[len(kinds) - kinds[::-1].index(_CHOICE) :] if _CHOICE in kinds else entries


def _pays_for_scores(entries: Sequence["Entry"], *, readings: int, max_rows: int) -> bool:
    """Whether what was charged is for choices among, or the release of, that many scores."""
    if entries and entries[-1].event["kind"] == _CHOICE:
        return True
    if len(entries) != 1 or readings < 2 or "l2_sensitivity_squared" not in entries[0].event:
        return False
    declared = Fraction(entries[0].event["l2_sensitivity_squared"])
    return declared >= readings * max_rows**2


def _paid(here: "Reading", there: "Reading", entry: "Entry") -> Movement:
    if entry.event["kind"] == "partition_selection/v1":
        return _values(here, there, entry)
    if here.texts is not None:
        return Movement(
            moved=Fraction(0),
            allowed=Fraction(1),
            fault=f"the values of {', '.join(here.clique)} were read, and no selection was paid",
            component=CHARGES,
        )
    if entry.event["kind"] == "discrete_laplace/v1":
        allowed = Fraction(entry.event["l1_sensitivity"])
        return _measured(here, there, norm="sum", allowed=allowed)
    allowed = Fraction(entry.event["l2_sensitivity_squared"])
    return _measured(here, there, norm="square", allowed=allowed)


def _steps(readings: "Sequence[tuple[Reading, Reading]]", entry: "Entry") -> list[Movement]:
    """Compare clipped sums, in units of the clip: one unit moves each by a length of 1 at most."""
    result = []
    for number, (here, there) in enumerate(readings):
        fault, component = "rows were counted, and a training was paid", CHARGES
        moved = Fraction(0)
        if here.sums is not None and there.sums is not None:
            apart = here.sums - there.sums
            length = float(apart @ apart)
            moved = Fraction(length) if np.isfinite(length) else Fraction(2)
            fault = "a training step moved further than the clip" if moved > 1 else ""
            component = SENSITIVITY
        if number >= int(entry.event["steps"]):
            fault, component = "more training steps were taken than were paid", CHARGES
        result.append(Movement(moved=moved, allowed=Fraction(1), fault=fault, component=component))
    return result


def _values(here: "Reading", there: "Reading", entry: "Entry") -> Movement:
    """Compare counts by value: the values that both hold, and how many only one does."""
    if here.texts is None or there.texts is None:
        return Movement(
            moved=Fraction(0),
            allowed=Fraction(1),
            fault=f"{', '.join(here.clique)} was counted, and a selection of values was paid",
            component=CHARGES,
        )
    first = dict(zip(here.texts, here.counts.tolist(), strict=True))
    second = dict(zip(there.texts, there.counts.tolist(), strict=True))
    shared = sum((first[text] - second[text]) ** 2 for text in first.keys() & second.keys())
    alone = {**first, **second}
    new = [alone[text] for text in first.keys() ^ second.keys()]
    allowed = Fraction(entry.event["l2_sensitivity_squared"])
    most = Fraction(entry.event["max_new"])
    fault = ""
    if shared > allowed:
        fault = f"the values of {', '.join(here.clique)} moved further than declared"
    elif len(new) > most or max(new, default=0) > 1:
        fault = f"one person brought more to {', '.join(here.clique)} than was declared"
    if Fraction(len(new)) / most > Fraction(shared) / allowed:
        return Movement(moved=Fraction(len(new)), allowed=most, fault=fault)
    return Movement(moved=Fraction(shared), allowed=allowed, fault=fault)


def _measured(here: "Reading", there: "Reading", *, norm: str, allowed: Fraction) -> Movement:
    apart = here.counts - there.counts
    moved = Fraction(int(np.abs(apart).sum() if norm == "sum" else apart @ apart))
    fault = ""
    if moved > allowed:
        fault = f"the exact counts of {', '.join(here.clique)} moved further than declared"
    return Movement(moved=moved, allowed=allowed, fault=fault)


def _unpaid(here: "Reading") -> Movement:
    return Movement(
        moved=Fraction(0),
        allowed=Fraction(1),
        fault=f"the rows were counted by {', '.join(here.clique)} before anything was paid",
        component=CHARGES,
    )
