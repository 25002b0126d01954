"""The trial of the mechanism as the public report shows it: what was seen, what would have been."""

from typing import Any

from attacks.conformance.checks import GAME, WITNESS
from attacks.conformance.follows import CHOICES, ENERGY
from attacks.conformance.game import GameResult
from attacks.report import page, wording
from attacks.report.wording import clean, mapping, number, sequence

_SHOWN = ("name", "status", "detail", "component", "kind", "audit", "given")
_AUDITS = {
    "bill": "The bill, added up again",
    "rows": "Rows before they are read",
    "neighbors": "Replay on neighbors",
    "law": "Noise and selection at frozen inputs",
    "released": "Noise and choices as the synthesizer got them",
    "game": "Distinguishing game",
    "randomness": "Randomness",
    "ledger": "Ledger at work",
    "raw": "Values of rows",
    "release": "Whole releases",
}


def view_of(found: Any) -> dict[str, Any]:
    """Return everything that the templates show of a trial.

    Args:
        found: the evidence as the certificate states it.
    """
    trial = mapping(found)
    checks = [mapping(check) for check in sequence(trial.get("checks"))]
    columns = mapping(trial.get("columns"))
    declared, fitted = int(columns.get("declared") or 0), int(columns.get("fitted") or 0)
    said = f"{clean(trial.get('tier') or 'unnamed')} tier, {clean(trial.get('date') or 'no date')}"
    if fitted < declared:
        said += (
            f"; models were fitted on {fitted} of {wording.plural(declared, 'column')}, "
            "the bill and the laws are those of all"
        )
    return {
        "said": said,
        "checks": [_check(check) for check in checks],
        "lines": _lines(checks),
        "versions": page.facts(mapping(trial.get("versions"))),
    }


def _lines(checks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one line an audit and component, and one a game."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for check in checks:
        game = str(check.get("name")) if check.get("kind") == GAME else ""
        audit = str(check.get("audit") or str(check.get("name", "")).partition("/")[0])
        groups.setdefault((audit, str(check.get("component") or ""), game), []).append(check)
    lines = []
    for (audit, component, game), members in groups.items():
        shown = [_check(check) for check in members]
        passed = sum(check["status"]["word"] == "passed" for check in shown)
        name = _AUDITS.get(audit, wording.humanize(audit))
        lines.append(
            {
                "name": f"{name}: {game.partition('/')[2]}" if game else name,
                "component": clean(component) or "not stated",
                "status": min((check["status"] for check in shown), key=page.severity),
                "count": f"{passed} of {wording.plural(len(members), 'check')} passed",
                "seen": _of_game(members[0]) if game else _seen(members),
                "would": _would(members),
                "others": [c for c in shown if c["status"]["word"] != "passed"],
            }
        )
    return lines


def _seen(members: list[dict[str, Any]]) -> str:
    """Return in words what the checks of one component measured."""
    witnesses = [check for check in members if check.get("violations") is not None]
    tests = [check for check in members if check.get("kind") not in (None, WITNESS)]
    parts = []
    if witnesses:
        wrong = sum(int(check["violations"]) for check in witnesses)
        looked = sum(int(check.get("trials") or 0) for check in witnesses)
        parts.append(f"{wrong} violations in {looked:,} comparisons")
    if tests:
        trials = sum(int(check.get("trials") or 0) for check in tests)
        parts.append(f"{wording.plural(len(tests), 'test')} of {trials:,} draws, runs or answers")
    if p_values := [check["p_value"] for check in tests if check.get("p_value") is not None]:
        parts.append(f"smallest p-value {min(p_values):.2g}")
    details = [clean(check["detail"]) for check in members if check.get("detail")]
    return "; ".join(parts) or next(iter(details), "nothing was measured")


def _would(members: list[dict[str, Any]]) -> str:
    """Return in words what the checks of one component would have seen."""
    laws = {
        rule: [
            check.get("detectable")
            for check in members
            if mapping(check.get("given")).get("rule") == rule
        ]
        for rule in (ENERGY, CHOICES, GAME)
    }
    said = []
    for rule, what in (
        (ENERGY, "noise too small by a factor of"),
        (CHOICES, "a rate of selection too high by a factor of"),
        (GAME, "noise too small by a factor of"),
    ):
        if not laws[rule]:
            continue
        known = [factor for factor in laws[rule] if factor is not None]
        if len(known) == len(laws[rule]):
            said.append(f"{what} {number(max(known), digits=3)}")
        else:
            said.append("with so few draws or runs, nothing for sure")
    if not said and all(check.get("kind", WITNESS) == WITNESS for check in members):
        return "any single one"
    return "; ".join(said) or "what its level allows; see every check"


def _of_game(check: dict[str, Any]) -> str:
    """Return in words the lower bound on epsilon that a game gave, and its ceiling."""
    given = {name: value for name, value in mapping(check.get("given")).items() if name != "rule"}
    try:
        played = GameResult.from_dict(given)
    except (KeyError, TypeError, ValueError):
        return clean(check.get("detail") or "nothing was measured")
    bound, _ = played.bounds
    return (
        f"epsilon at least {bound.value:.3g} at 95 %, where {played.runs_out + played.runs_in:,} "
        f"runs can show {bound.ceiling:.3g} at most; {played.false_positives:,} of "
        f"{played.runs_out:,} and {played.false_negatives:,} of {played.runs_in:,} called wrongly "
        f"({clean(played.world)}; {clean(bound.method)})"
    )


def _check(check: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": wording.humanize(check.get("name", "unnamed check")),
        "status": page.status_of(check.get("status", "error")),
        "detail": clean(check.get("detail") or ""),
        "facts": page.facts(
            {
                key: value
                for key, value in check.items()
                if key not in _SHOWN and value is not None and value != ""
            }
        ),
    }
