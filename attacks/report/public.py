"""The report that may leave the house: the claim, the bill, the evidence, the release itself."""

from fractions import Fraction
from math import exp
from pathlib import Path
from typing import Any

from attacks.report import (
    bundle,
    charts,
    marginals,
    odds,
    page,
    provenance,
    summary,
    trial,
    wording,
)
from attacks.report.wording import clean, exact, mapping, number, percent, power_of_ten, sequence

FALSE_ALARMS = (Fraction(1, 1000), Fraction(1, 100), Fraction(1, 20), Fraction(1, 10))
WEAK = 0.95  # an attacker who is right this often at even odds is hardly held back

_VERDICTS = {
    "PASS": "The claim, recomputed from the ledger, and every required audit of the mechanism "
    "meet the policy {policy}.",
    "FAIL": "This release does not meet the policy {policy}.",
    "INCONCLUSIVE": "The evidence does not suffice to say that this release meets the policy "
    "{policy}.",
}


def render_public(directory: Path, predicate: dict[str, Any]) -> None:
    """Write report.html and summary.md into the public folder of a release.

    Args:
        directory: the public folder, or the temporary one that will become it; read for
            plan.json, ledger.json and the released model or table.
        predicate: what the certificate will state; nothing else is known to the report.
    """
    view = view_of(directory, predicate)
    page.write(
        directory,
        template="public.html.j2",
        view=view,
        summary=summary.public(view),
    )


def view_of(directory: Path, predicate: dict[str, Any]) -> dict[str, Any]:
    """Return everything that the public templates show."""
    claim = mapping(predicate.get("claim"))
    plan = bundle.document(directory / "plan.json")
    ledger = bundle.document(directory / "ledger.json")
    columns, origin = marginals.of_release(directory)
    return {
        "verdict": _verdict(predicate),
        "policy": page.facts(mapping(predicate.get("policy"))),
        "claim": claim_of(claim, plan),
        "odds": _odds(claim),
        "gauge": _gauge(claim, ledger),
        "bill": _bill(claim, plan, ledger),
        "trial": trial.view_of(predicate.get("conformance")),
        "not_tested": [_line(item) for item in sequence(predicate.get("not_tested"))],
        "tiles": page.tiles(columns),
        "origin": origin,
        "provenance": provenance.facts_by_source(claim.get("provenance")),
        "conditional": bool(claim.get("conditional")),
        "limitations": [_line(item) for item in sequence(predicate.get("limitations"))],
        "versions": page.facts(_made_with(predicate, claim)),
    }


def _made_with(predicate: dict[str, Any], claim: dict[str, Any]) -> dict[str, Any]:
    """Return versions, settings and the few other facts of the making that a reader may need."""
    synthesizer = mapping(claim.get("synthesizer"))
    said = {
        "certificate dated": predicate.get("date"),
        "release": claim.get("release"),
        "random source": claim.get("random_source"),
        "csv": predicate.get("csv"),
        "settings": mapping(synthesizer.get("settings")),
        **mapping(predicate.get("versions")),
    }
    return {name: value for name, value in said.items() if value not in (None, "", {})}


def _verdict(predicate: dict[str, Any]) -> dict[str, Any]:
    found = page.verdict_of(predicate.get("verdict"))
    policy = mapping(predicate.get("policy")).get("name") or "not named"
    found["policy"] = clean(policy)
    found["reasons"] += [_line(item) for item in sequence(predicate.get("reasons"))]
    sentence = _VERDICTS.get(found["word"], _VERDICTS["INCONCLUSIVE"])
    found["sentence"] = sentence.format(policy=f"“{found['policy']}”")
    return found


def claim_of(claim: dict[str, Any], plan: dict[str, Any]) -> dict[str, Any]:
    """Return the claim in words and in numbers, each rounded against the claim."""
    planned = mapping(plan.get("unit"))
    unit = claim.get("unit")
    unit = mapping(unit).get("name", unit) if isinstance(unit, dict) else unit
    unit = clean(unit or planned.get("name") or "row")
    most = claim.get("max_rows") or planned.get("max_rows") or 1
    rows = f", with up to {wording.plural(int(most), 'row')}" if unit != "row" else ""
    relation = str(claim.get("neighboring") or planned.get("neighboring") or "add_or_remove")
    change = "adding or removing" if relation == "add_or_remove" else "replacing"
    epsilon, delta = exact(claim.get("epsilon")), exact(claim.get("delta"))
    synthesizer = claim.get("synthesizer")
    synthesizer = mapping(synthesizer).get("name", synthesizer)
    factor = "an unlimited factor"
    if epsilon is not None and epsilon < 50:
        factor = f"a factor of {number(exp(epsilon), digits=3)}"
    whose = f"any one {unit}{rows}"
    but = "without exception"
    if delta != 0:
        but = f"but for a chance of at most {power_of_ten(delta)}"
    return {
        "epsilon": number(epsilon),
        "delta": power_of_ten(delta),
        "delta_odds": wording.one_in(delta) if delta != 0 else "no exception",
        "rho": number(claim.get("rho")),
        "unit": unit,
        "max_rows": int(most),
        "whose": whose,
        "change": change,
        "synthesizer": clean(synthesizer or mapping(plan.get("synthesizer")).get("name") or ""),
        "factor": factor,
        "sentence": (
            f"This release protects the presence of {whose}: {change} that {unit} changes how "
            f"likely any outcome is by at most {factor}, {but}."
        ),
        "seeded": bool(claim.get("seeded")),
    }


def _odds(claim: dict[str, Any]) -> dict[str, Any]:
    epsilon, delta = exact(claim.get("epsilon")), exact(claim.get("delta"))
    if epsilon is None or delta is None:
        return {"stated": False}
    scopes = [("this release", epsilon, delta)]
    table = mapping(claim.get("table_cumulative"))
    all_epsilon, all_delta = exact(table.get("epsilon")), exact(table.get("delta"))
    if exact(table.get("rho_before")) and all_epsilon is not None and all_delta is not None:
        scopes.append(("all releases so far", all_epsilon, all_delta))
    pairs = [(name, float(at), float(but)) for name, at, but in scopes]
    rows = [
        (
            "is right about one person, at even odds",
            percent(Fraction(1, 2)),
            [percent(odds.even_odds_success(epsilon=at, delta=but)) for _, at, but in pairs],
        )
    ]
    for rate in FALSE_ALARMS:
        found = [
            odds.true_positive_rate(epsilon=at, delta=but, false_alarms=float(rate))
            for _, at, but in pairs
        ]
        guess = percent(rate)
        rows.append(
            (f"finds members, at {guess} false alarms", guess, [percent(share) for share in found])
        )
    success = odds.even_odds_success(epsilon=float(epsilon), delta=float(delta))
    chart = charts.attacker(
        epsilon=float(epsilon), delta=float(delta), width=charts.NARROW, ident="attacker"
    )
    return {
        "stated": True,
        "success": percent(success),
        "found": percent(
            odds.true_positive_rate(epsilon=float(epsilon), delta=float(delta), false_alarms=0.01)
        ),
        "weak": success > WEAK,
        "scopes": [name for name, _, _ in pairs],
        "rows": rows,
        "chart": chart,
    }


def _gauge(claim: dict[str, Any], ledger: dict[str, Any]) -> dict[str, Any]:
    cap = mapping(ledger.get("cap"))
    limit = exact(cap.get("rho"))
    before, release = exact(ledger.get("rho_before")), exact(ledger.get("rho_release"))
    if not limit or before is None or release is None:
        return {"stated": False}
    after = exact(ledger.get("rho_after"))
    after = before + release if after is None else after
    left = max(limit - after, Fraction(0))
    parts = [
        ("spent before this release", before, True),
        ("spent by this release", release, True),
        ("left under the cap", left, False),
    ]
    drawn = [
        charts.Part(label=name, value=float(rho / limit), note=percent(rho / limit, up=up))
        for name, rho, up in parts
    ]
    small, large = (
        charts.gauge(*drawn, width=width, ident=ident)
        for width, ident in ((charts.NARROW, "gauge-narrow"), (charts.WIDE, "gauge-wide"))
    )
    table = mapping(claim.get("table_cumulative"))
    return {
        "stated": True,
        "left": percent(left / limit, up=False),
        "rows": [(name, number(rho, up=up), percent(rho / limit, up=up)) for name, rho, up in parts]
        + [("the cap", number(limit), percent(Fraction(1)))],
        "cap_epsilon": number(cap.get("epsilon"), up=False),
        "cap_delta": power_of_ten(cap.get("delta"), up=False),
        "first": before == 0,
        "total_epsilon": number(table.get("epsilon")) if "epsilon" in table else None,
        "total_delta": power_of_ten(table.get("delta")) if "delta" in table else None,
        "narrow": small,
        "wide": large,
    }


def _bill(claim: dict[str, Any], plan: dict[str, Any], ledger: dict[str, Any]) -> dict[str, Any]:
    steps = sequence(claim.get("ledger")) or sequence(plan.get("steps"))
    groups = bundle.phases([mapping(step) for step in steps])
    entries = bundle.charges(ledger.get("entries"))
    if not groups:
        groups = [("Charges", entries)] if entries else []
    total = sum((charge.rho for _, items in groups for charge in items), Fraction(0))
    if not groups or total == 0:
        return {"stated": False}
    parts = [
        charts.Part(label=name, value=float(sum((c.rho for c in items), Fraction(0)) / total))
        for name, items in groups
    ]
    small, large = (
        charts.bill(parts, width=width, ident=ident)
        for width, ident in ((charts.NARROW, "bill-narrow"), (charts.WIDE, "bill-wide"))
    )
    return {
        "stated": True,
        "total": number(total),
        "count": sum(len(items) for _, items in groups),
        "charged": len(entries),
        "phases": [
            {
                "name": name,
                "count": len(items),
                "share": wording.share(part.value),
                "noise": _range_of_noise(items),
                "rows": [
                    (item.label, item.mechanism, item.noise, wording.share(float(item.rho / total)))
                    for item in items
                ],
            }
            for (name, items), part in zip(groups, parts, strict=True)
        ],
        "narrow": small,
        "wide": large,
    }


def _range_of_noise(items: list[bundle.Charge]) -> str:
    found = list(dict.fromkeys(item.noise for item in items))
    if len(found) == 1:
        return found[0]
    return f"{found[0]} and {len(found) - 1} other scales"


def _line(item: Any) -> str:
    """Return one point of a list, given as text or as a record with a name and a reason."""
    record = mapping(item)
    if not record:
        return clean(item)
    name = record.get("name") or record.get("check") or ""
    why = record.get("why") or record.get("reason") or record.get("detail") or ""
    return clean(": ".join(str(part) for part in (name, why) if part))
