"""The report that stays with the custodian: what attacks on real persons found, and how close."""

from pathlib import Path
from typing import Any

from attacks.report import bundle, lines, odds, page, summary, wording
from attacks.report.attack_view import attack_section
from attacks.report.public import claim_of
from attacks.report.utility import view as utility
from attacks.report.wording import clean, exact, mapping, sequence
from dpsynth.release import bundle as layout
from dpsynth.release import manifest

_VERDICTS = {
    "PASS": "No attack found more about the persons in the table than about persons who were not.",
    "FAIL": "At least one attack found more about the persons in the table than about others.",
    "INCONCLUSIVE": "The attacks do not suffice to say that no leak as large as the rule looks "
    "for is there.",
}


_IN_TABLE = "did better on members"


def render_internal(directory: Path, dossier: dict[str, Any]) -> None:
    """Write report.html and summary.md into the internal folder of a release.

    Args:
        directory: the internal folder, or the temporary one that will become it; read for
            audit.json and evaluation.json or fidelity.json where ``dossier`` does not hold them.
        dossier: ``audit`` (as AuditReport.to_dict gives it), ``fidelity`` (``measures``, each with
            name, value, floor and ceiling; ``columns``, each with name, labels, real and
            synthetic shares) or in its place ``evaluation`` (as Evaluation.to_dict gives it), and
            ``verdict``. The claim is shown beside them where the public folder next to
            ``directory`` holds the certificate that the dossier speaks of.
    """
    view = view_of(directory, dossier)
    page.write(directory, template="internal.html.j2", view=view, summary=summary.internal(view))


def view_of(directory: Path, dossier: dict[str, Any]) -> dict[str, Any]:
    """Return everything that the internal templates show."""
    audit = mapping(dossier.get("audit")) or bundle.document(directory / "audit.json")
    if not audit and isinstance(dossier.get("results"), list | tuple):
        audit = dossier
    certified = _certified(directory, dossier)
    return {
        "verdict": _verdict(dossier, audit),
        "claim": clean(dossier.get("claim") or "see certificate"),
        "certified": certified,
        "split": clean(audit.get("split") or "unknown"),
        "tier": clean(audit.get("tier") or "not stated"),
        "unit": clean(audit.get("unit") or "row"),
        "attack": attack_section(audit, claimed=certified.get("epsilon")),
        "utility": _utility(directory, dossier),
        "limitations": [clean(line) for line in sequence(dossier.get("limitations"))],
        "versions": page.facts(mapping(dossier.get("versions"))),
    }


def _utility(directory: Path, dossier: dict[str, Any]) -> dict[str, Any]:
    """Return the sections of an evaluation, where there is one, or else of the fidelity."""
    evaluation = mapping(dossier.get("evaluation")) or bundle.document(
        directory / layout.EVALUATION
    )
    if evaluation:
        return utility.view_of(evaluation)
    fidelity = mapping(dossier.get("fidelity")) or bundle.document(directory / layout.FIDELITY)
    return utility.of_fidelity(fidelity)


def _verdict(dossier: dict[str, Any], audit: dict[str, Any]) -> dict[str, Any]:
    found = page.verdict_of(dossier.get("verdict") or audit.get("verdict"))
    told = lines.lines_of(sequence(audit.get("results")))
    sentence = lines.in_words(dossier.get("sentence") or audit.get("sentence") or "", told)
    head, _, rest = sentence.partition(": ")
    # The word stands above the sentence already.
    sentence = rest[:1].upper() + rest[1:] if head == found["word"] else sentence
    found["sentence"] = sentence or _VERDICTS.get(found["word"], _VERDICTS["INCONCLUSIVE"])
    said = [*sequence(dossier.get("reasons")), *sequence(audit.get("reasons"))]
    if found["word"] == "INCONCLUSIVE":  # its reasons are the sentence
        found["sentence"] = _VERDICTS["INCONCLUSIVE"]
    elif found["word"] == "FAIL":  # which attacks, the first table says
        found["sentence"] = found["sentence"].partition(" (")[0].rstrip(".") + "."
        said = [reason for reason in said if not str(reason).endswith(_IN_TABLE)]
    found["reasons"] += list(dict.fromkeys(lines.in_words(reason, told) for reason in said))
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
        "epsilon": at,
        "verdict": page.verdict_of(predicate.get("verdict")),
        "sentence": claim_of(claim, {})["sentence"],
        "success": wording.percent(odds.even_odds_success(epsilon=at, delta=but)),
        "found": wording.percent(odds.true_positive_rate(epsilon=at, delta=but, false_alarms=0.01)),
    }
