"""What stands beside the attacks of an audit: plants, shift, bounds, witnesses, conventions."""

from collections.abc import Mapping, Sequence
from typing import Any

from attacks import rules
from attacks.attribute.identity import THRESHOLD
from attacks.report import lines, reach
from attacks.report.lines import Span, is_number
from attacks.report.wording import clean, humanize, mapping, power_of_ten, sequence, share

_PERCENT = "\N{NO-BREAK SPACE}%"


def span(figure: Mapping[str, Any]) -> Span:
    """Return a stored figure with its interval."""
    value = float(figure["value"])
    low, high = figure.get("low"), figure.get("high")
    return Span(
        value=value,
        low=float(low) if is_number(low) else value,
        high=float(high) if is_number(high) else value,
    )


def figure(stored: Mapping[str, Any]) -> str:
    """Show a stored figure, with its interval where it has one."""
    if not is_number(stored.get("value")):
        return "not stated"
    found = span(stored)
    tail = f" ({_thousandths(found.low)} to {_thousandths(found.high)})"
    return f"{_thousandths(found.value)}{tail if found.low < found.high else ''}"


def by_group(figures: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str, str]]:
    """Return a row a figure: its name, and what it is of members, controls and everybody."""
    found: dict[str, dict[str, str]] = {}
    for stored in figures:
        group = str(stored.get("group") or "")
        found.setdefault(clean(stored.get("name", "")), {})[group] = figure(stored)
    return [
        (name, of.get("members", ""), of.get("controls", ""), of.get("", ""))
        for name, of in found.items()
    ]


def _thousandths(value: float) -> str:
    shown = (
        f"{value:,.0f}"
        if value == int(value) and abs(value) > 1
        else f"{round(value, 3) + 0.0:.3f}"
    )
    return shown.replace("-", "\N{MINUS SIGN}")


def plants(found: Sequence[Any]) -> dict[str, Any] | None:
    """Return the planted copies: which share of them was found, and by what."""
    told = [mapping(plant) for plant in found]
    told = [plant for plant in told if is_number(plant.get("share"))]
    if not told:
        return None
    rows = []
    dots = []
    for plant in told:
        size = f"{100 * float(plant['share']):g}{_PERCENT}"
        seen, decides = plant.get("found") is True, plant["share"] == rules.DECIDING_PLANT
        dots.append((size, seen, decides))
        line = lines.line_of(mapping(plant.get("line")))
        rows.append(
            {
                "share": size,
                "planted": f"{plant['planted']:,}" if is_number(plant.get("planted")) else "–",
                "seen": seen,
                "decides": decides,
                "by": line.title,
                "p_value": lines.p_value(line.p_value),
            }
        )
    return {
        "plot": reach.plants(dots, ident="plants"),
        "rows": rows,
        "blind": any(row["decides"] and not row["seen"] for row in rows),
    }


def shift(audit: Mapping[str, Any]) -> dict[str, Any]:
    """Return whether members and controls were seen to differ without the release."""
    found, comparable = audit.get("shift_p_value"), audit.get("comparable")
    return {
        "stated": is_number(found),
        "comparable": comparable if isinstance(comparable, bool) else None,
        "p_value": lines.p_value(found if is_number(found) else None),
        "split": "random" if audit.get("split") == "random" else "unknown",
    }


def bounds(found: Sequence[Any], *, claimed: float | None) -> dict[str, Any] | None:
    """Return lower bounds of epsilon beside their ceilings and the claim, if there is one."""
    told = [mapping(bound) for bound in found]
    told = [bound for bound in told if is_number(bound.get("epsilon"))]
    if not told:
        return None
    drawn = [
        reach.Bound(
            name=_sentence(bound.get("method", "one run")),
            epsilon=float(bound["epsilon"]),
            ceiling=float(bound["ceiling"]) if is_number(bound.get("ceiling")) else None,
        )
        for bound in told
    ]
    rows = [
        {
            "name": shown.name,
            "epsilon": f"{shown.epsilon:.2f}",
            "ceiling": "not stated" if shown.ceiling is None else f"{shown.ceiling:.2f}",
            "confidence": share(bound["confidence"]) if is_number(bound.get("confidence")) else "–",
            "delta": power_of_ten(repr(bound["delta"])) if is_number(bound.get("delta")) else "–",
            "right": _right(bound),
            "persons": f"{bound['persons']:,}" if is_number(bound.get("persons")) else "–",
            "assumptions": [clean(line) for line in sequence(bound.get("assumptions"))],
            "over": claimed is not None and shown.epsilon > claimed,
        }
        for bound, shown in zip(told, drawn, strict=True)
    ]
    return {
        "rows": rows,
        "claimed": None if claimed is None else f"{claimed:.4g}",
        "over": any(row["over"] for row in rows),
        "low_ceiling": claimed is not None
        and all(shown.ceiling is not None and shown.ceiling < claimed for shown in drawn),
        "wide": reach.bounds(drawn, claimed=claimed, width=reach.WIDE, ident="bounds-wide"),
        "narrow": reach.bounds(drawn, claimed=claimed, width=reach.NARROW, ident="bounds-narrow"),
    }


def _sentence(words: object) -> str:
    shown = clean(words)
    return shown[:1].upper() + shown[1:]


def _right(bound: Mapping[str, Any]) -> str:
    guesses, correct = bound.get("guesses"), bound.get("correct")
    known = is_number(guesses) and is_number(correct)
    return f"{correct:,} of {guesses:,}" if known else "–"


def witness(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return something in the release that needs no statistics; never a value."""
    cells = found.get("cells")
    return {
        "kind": humanize(found.get("kind", "witness")),
        "column": clean(found.get("column", "")),
        "cells": f"{cells:,}" if is_number(cells) else "–",
        "decides": found.get("decides") is True,
        "sentence": clean(found.get("sentence", "")),
    }


def convention(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a figure that regulators hold against a convention."""
    shown = span(found) if is_number(found.get("value")) else None
    return {
        "name": clean(found.get("name", "identity risk")),
        "value": "not measured" if shown is None else f"{shown.value:.3f}",
        "interval": "" if shown is None else f"{shown.low:.3f} to {shown.high:.3f}",
        "group": clean(found.get("group") or "all"),
        "below": shown is not None and shown.high <= THRESHOLD,
    }
