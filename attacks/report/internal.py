"""The report that stays with the custodian: what attacks on real persons found, and how close."""

from pathlib import Path
from typing import Any

from attacks.report import bundle, charts, odds, page, summary, wording
from attacks.report.marginals import BINS
from attacks.report.public import claim_of
from attacks.report.wording import clean, exact, mapping, sequence, share
from dpsynth.release import bundle as layout
from dpsynth.release import manifest

_VERDICTS = {
    "PASS": "No attack found more about the persons in the table than about persons who were not.",
    "FAIL": "At least one attack found more about the persons in the table than about others.",
    "INCONCLUSIVE": "The attacks do not suffice to say that no leak as large as the rule looks "
    "for is there.",
}
_MODEL_WORDS = {
    "goal": {
        "MEMBERSHIP": "tell whether a person's record was in the private table",
        "ATTRIBUTE": "guess a column of a person's record from the others",
        "SINGLING_OUT": "name a condition that exactly one person meets",
        "LINKAGE": "match two partial records of one person",
        "IDENTITY": "put a name to a released record, and learn something new from it",
    },
    "generator": {
        "NO_BOX": "sees the released table only",
        "CALIBRATED": "sees the released table, beside a sample to compare it with",
        "BLACK_BOX": "can also run the synthesizer on tables of their own",
        "WHITE_BOX": "can also read the fitted model",
    },
    "data": {
        "NOTHING": "holds no record but the target's",
        "POPULATION_SAMPLE": "holds other people's records from the same population",
        "ALL_BUT_TARGET": "holds every private record but the target's",
    },
}
_FIELDS = (
    ("goal", "wants to"),
    ("generator", "of the release"),
    ("data", "of other people"),
    ("auxiliary", "knows of the target"),
    ("secret", "guesses"),
)


def render_internal(directory: Path, dossier: dict[str, Any]) -> None:
    """Write report.html and summary.md into the internal folder of a release.

    Args:
        directory: the internal folder, or the temporary one that will become it; read for
            audit.json and fidelity.json where ``dossier`` does not hold them itself.
        dossier: ``audit`` (as AuditReport.to_dict gives it), ``fidelity`` (``measures``, each with
            name, value, floor and ceiling; ``columns``, each with name, labels, real and
            synthetic shares) and ``verdict``. The claim is shown beside them where the public
            folder next to ``directory`` holds the certificate that the dossier speaks of.
    """
    view = view_of(directory, dossier)
    page.write(directory, template="internal.html.j2", view=view, summary=summary.internal(view))


def view_of(directory: Path, dossier: dict[str, Any]) -> dict[str, Any]:
    """Return everything that the internal templates show."""
    audit = mapping(dossier.get("audit")) or bundle.document(directory / "audit.json")
    if not audit and isinstance(dossier.get("results"), list | tuple):
        audit = dossier
    fidelity = mapping(dossier.get("fidelity")) or bundle.document(directory / "fidelity.json")
    results = [mapping(result) for result in sequence(audit.get("results"))]
    attacks = [attack_view(result) for result in results]
    trials = [_trial(result) for result in results if result.get("members_n")]
    forest: dict[str, Any] = {"stated": bool(trials)}
    if trials:
        forest["narrow"] = charts.forest(trials, width=charts.NARROW, ident="forest-narrow")
        forest["wide"] = charts.forest(trials, width=charts.WIDE, ident="forest-wide")
    return {
        "verdict": _verdict(dossier, audit),
        "claim": clean(dossier.get("claim") or "see certificate"),
        "certified": _certified(directory, dossier),
        "split": clean(audit.get("split") or "unknown"),
        "tier": clean(audit.get("tier") or "not stated"),
        "unit": clean(audit.get("unit") or "row"),
        "attacks": attacks,
        "attackers": _attackers(attacks),
        "forest": forest,
        "measures": [
            _measure(mapping(found), index)
            for index, found in enumerate(sequence(fidelity.get("measures")))
        ],
        "columns": [
            shown
            for index, found in enumerate(sequence(fidelity.get("columns")))
            if (shown := _column(mapping(found), index)) is not None
        ],
        "limitations": [clean(line) for line in sequence(dossier.get("limitations"))],
        "versions": page.facts(mapping(dossier.get("versions"))),
    }


def _verdict(dossier: dict[str, Any], audit: dict[str, Any]) -> dict[str, Any]:
    found = page.verdict_of(dossier.get("verdict") or audit.get("verdict"))
    sentence = clean(dossier.get("sentence") or audit.get("sentence") or "")
    head, _, rest = sentence.partition(": ")
    # The word stands above the sentence already.
    sentence = rest[:1].upper() + rest[1:] if head == found["word"] else sentence
    found["sentence"] = sentence or _VERDICTS.get(found["word"], _VERDICTS["INCONCLUSIVE"])
    found["reasons"] += [clean(line) for line in sequence(dossier.get("reasons"))]
    return found


def _certified(directory: Path, dossier: dict[str, Any]) -> dict[str, Any]:
    """Return the claim that the attacks are held against, and the certificate's own verdict."""
    path = directory.parent / layout.PUBLIC / layout.CERTIFICATE
    meant = mapping(dossier.get("release")).get("certificate")
    if not path.is_file() or manifest.digest(path) != meant:
        return {"stated": False}
    statement = bundle.document(path)
    predicate = mapping(statement.get("predicate"))
    claim = mapping(predicate.get("claim"))
    epsilon, delta = exact(claim.get("epsilon")), exact(claim.get("delta"))
    if epsilon is None or delta is None:
        return {"stated": False}
    at, but = float(epsilon), float(delta)
    return {
        "stated": True,
        "verdict": page.verdict_of(predicate.get("verdict")),
        "sentence": claim_of(claim, {})["sentence"],
        "success": wording.percent(odds.even_odds_success(epsilon=at, delta=but)),
        "found": wording.percent(odds.true_positive_rate(epsilon=at, delta=but, false_alarms=0.01)),
    }


def _rate(result: dict[str, Any], which: str) -> charts.Interval | None:
    rate, bounds = result.get(f"rate_{which}"), sequence(result.get(f"rate_{which}_interval"))
    if not isinstance(rate, float | int) or len(bounds) != 2:
        return None
    return charts.Interval(rate=float(rate), low=float(bounds[0]), high=float(bounds[1]))


def _trial(result: dict[str, Any]) -> charts.Trial:
    baseline = result.get("baseline_rate")
    attack, point = attack_parts(result.get("name", ""))
    return charts.Trial(
        name=attack,
        point=point,
        members=_rate(result, "members"),
        controls=_rate(result, "controls"),
        baseline=float(baseline) if isinstance(baseline, float | int) else None,
    )


def attack_parts(name: object) -> tuple[str, str]:
    """Take "attribute/inference(marital-status)@all targets" apart: attack, operating point.

    What stands in brackets is a column's name, and stays as it is.
    """
    whole = clean(name)
    attack, _, point = whole.rpartition("@")
    if not attack or ")" in point:  # the sign belongs to a column's name
        attack, point = whole, ""
    head, bracket, column = attack.partition("(")
    return wording.humanize(head) + (f" {bracket}{column}" if bracket else ""), point


def attack_name(name: object) -> str:
    """Return the name of a result as a reader should see it."""
    attack, point = attack_parts(name)
    return f"{attack}, {point}" if point else attack


def _interval(found: charts.Interval | None) -> str:
    if found is None:
        return "not attacked"
    return f"{share(found.rate)} ({share(found.low)} to {share(found.high)})"


def attack_view(result: dict[str, Any]) -> dict[str, Any]:
    """Return one attack in words, as every view of an audit shows it."""
    baseline, effect = result.get("baseline_rate"), result.get("detectable_effect")
    members, controls = result.get("members_n") or 0, result.get("controls_n") or 0
    apart = sequence(result.get("difference_interval"))
    difference = result.get("difference")
    return {
        "name": attack_name(result.get("name", "unnamed attack")),
        "attack": attack_parts(result.get("name", ""))[0],
        "point": attack_parts(result.get("name", ""))[1] or "its only point",
        "status": page.status_of(result.get("status", "error")),
        "members": _interval(_rate(result, "members")),
        "controls": _interval(_rate(result, "controls")),
        "counts": f"{result.get('members_hits', 0):,} of {members:,} members, "
        f"{result.get('controls_hits', 0):,} of {controls:,} controls",
        "baseline": share(baseline) if isinstance(baseline, float | int) else "not stated",
        "difference": (
            f"{_points(difference)} ({_points(apart[0])} to {_points(apart[1])})"
            if isinstance(difference, float | int) and len(apart) == 2
            else "not stated"
        ),
        "effect": _points(effect, sign="") if isinstance(effect, float | int) else "none",
        "p_value": _p_value(result),
        "auc": _auc(result),
        "model": _threat(mapping(result.get("threat_model"))),
        "notes": [clean(note) for note in sequence(result.get("notes"))],
    }


def _attackers(attacks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Group results by attack: its operating points share one attacker."""
    found: dict[str, dict[str, Any]] = {}
    for attack in attacks:
        shown = found.setdefault(
            attack["attack"],
            {"name": attack["attack"], "model": attack["model"], "points": [], "notes": []},
        )
        shown["points"].append(attack)
        shown["notes"] += [note for note in attack["notes"] if note not in shown["notes"]]
    return list(found.values())


def _points(value: Any, *, sign: str = "+") -> str:
    return f"{100 * float(value):{sign}.1f} points"


def _p_value(result: dict[str, Any]) -> str:
    found = result.get("adjusted_p_value")
    found = result.get("p_value") if found is None else found
    return f"{found:.3g}" if isinstance(found, float | int) else "not given"


def _auc(result: dict[str, Any]) -> str:
    bounds = sequence(result.get("auc_interval"))
    if not isinstance(result.get("auc"), float | int):
        return "not scored"
    tail = f" ({bounds[0]:.3f} to {bounds[1]:.3f})" if len(bounds) == 2 else ""
    return f"{result['auc']:.3f}{tail}"


def _threat(model: dict[str, Any]) -> list[tuple[str, str]]:
    said = []
    for key, words in _FIELDS:
        value = model.get(key)
        if value:
            said.append((words, _MODEL_WORDS.get(key, {}).get(str(value), clean(value))))
    return said


def _measure(found: dict[str, Any], index: int) -> dict[str, Any]:
    numbers = {key: exact(found.get(key)) for key in ("floor", "value", "ceiling")}
    name = wording.humanize(found.get("name", "measure"))
    chart = None
    if None not in numbers.values():
        at = {key: float(value) for key, value in numbers.items() if value is not None}
        chart = charts.between(
            at["value"],
            at["floor"],
            at["ceiling"],
            ident=f"measure-{index}",
            title=f"{name}: between floor and ceiling",
        )
    shown = {
        key: "not measured" if value is None else f"{float(value):.4f}"
        for key, value in numbers.items()
    }
    return {"name": name, "chart": chart, "note": clean(found.get("note") or ""), **shown}


def _column(found: dict[str, Any], index: int) -> dict[str, Any] | None:
    labels = [clean(label) for label in sequence(found.get("labels"))]
    real = [float(value) for value in sequence(found.get("real"))]
    synthetic = [float(value) for value in sequence(found.get("synthetic"))]
    if not labels or not len(labels) == len(real) == len(synthetic):
        return None
    name = clean(found.get("name", ""))
    apart = sum(abs(a - b) for a, b in zip(real, synthetic, strict=True)) / 2
    if not found.get("ordered", True):
        order = sorted(range(len(labels)), key=lambda place: -real[place])
        labels = [labels[place] for place in order]
        real, synthetic = [real[place] for place in order], [synthetic[place] for place in order]
    draw = charts.paired if found.get("ordered", True) else charts.paired_bars
    return {
        "name": name,
        "apart": share(apart),
        "chart": draw(
            labels, real, synthetic, ident=f"column-{index}", title=f"{name}: real and synthetic"
        ),
        "rows": [
            (label, share(a), share(b))
            for label, a, b in list(zip(labels, real, synthetic, strict=True))[:BINS]
        ],
        "rest": max(0, len(labels) - BINS),
    }
