"""The attack section of the internal report: an audit document as the template shows it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from attacks.report import beside, choice, forest, lines, page, reach
from attacks.report.families import FAMILIES, Family
from attacks.report.lines import Line, is_number
from attacks.report.wording import clean, mapping, plural, sequence, share

DENSE = 24  # a family with more lines than this shows the telling ones, and all on request
OPEN_TABLE = 8
COLUMNS = 8  # of a table of figures, at most


def attack_section(audit: Mapping[str, Any], *, claimed: float | None) -> dict[str, Any]:
    """Return everything that the template of the attack section shows.

    Args:
        audit: the document that an audit report is stored as.
        claimed: epsilon of the certificate that the attacks are held against, if there is one.
    """
    found = lines.lines_of(sequence(audit.get("results")))
    whole = [line for line in found if not line.subgroup]
    parts = [line for line in found if line.subgroup]
    families = [
        _family(family, [line for line in whole if line.family is family]) for family in FAMILIES
    ]
    return {
        "count": len({line.name.partition("@")[0] for line in whole}),
        "lines": len(whole),
        "families": [family for family in families if family["lines"]],
        "tally": _tally(whole),
        "headlines": [_row(line) for line in choice.telling(found)],
        "notable": [_row(line) for line in _notable(found)],
        "bad": sum(_bad(line) for line in found),
        "subgroups": _subgroups(parts),
        "tables": [clean(sentence) for sentence in sequence(audit.get("tables"))],
        "plants": beside.plants(sequence(audit.get("plants"))),
        "shift": beside.shift(audit),
        "bounds": beside.bounds(sequence(audit.get("lower_bounds")), claimed=claimed),
        "witnesses": [beside.witness(mapping(w)) for w in sequence(audit.get("witnesses"))],
        "conventions": [beside.convention(mapping(c)) for c in sequence(audit.get("conventions"))],
        "smoke": beside.by_group([mapping(f) for f in sequence(audit.get("smoke_test"))]),
        "plan": page.facts(
            {
                **mapping(audit.get("plan")),
                **{key: audit[key] for key in ("tier", "seed") if key in audit},
                "limits of the verdict": audit.get("limits"),
            }
            if audit.get("plan")
            else None
        ),
    }


def _bad(line: Line) -> bool:
    return line.status["tone"] == "bad"


def _notable(found: Sequence[Line]) -> list[Line]:
    return sorted((one for one in choice.telling(found) if _bad(one)), key=lambda line: line.rank)


def _row(line: Line) -> dict[str, Any]:
    return {
        "name": line.title,
        "subgroup": line.subgroup,
        "family": line.family.heading,
        "status": line.status,
        "members": lines.rate(line.members),
        "controls": lines.rate(line.controls),
        "counts": line.counts,
        "baseline": "not stated" if line.baseline is None else share(line.baseline),
        "difference": lines.difference(line.difference),
        "effect": lines.points(line.detectable, sign=""),
        "p_value": lines.p_value(line.p_value),
    }


def _family(family: Family, found: Sequence[Line]) -> dict[str, Any]:
    dense = len(found) > DENSE
    shown = choice.headlines(found) if dense else list(found)
    drawable = [line for line in shown if line.members or line.controls]
    measured = [line for line in found if line.difference is not None]
    most = max(measured, key=lambda line: line.apart, default=None)
    surest = [line.detectable for line in found if line.detectable is not None]
    return {
        "key": family.key,
        "heading": family.heading,
        "question": family.question,
        "shows": family.shows,
        "silent": family.silent,
        "wp29": family.wp29,
        "lines": len(found),
        "status": _worst(found),
        "count": _counted(found),
        "most": None if most is None else _row(most),
        "surest": lines.points(min(surest, default=None), sign=""),
        "dense": dense,
        "plot": _plot(drawable, family=family, key=family.key),
        "all": _plot(found, family=family, key=f"{family.key}-all") if dense else None,
        "rows": [_row(line) for line in found],
        "open": len(found) <= OPEN_TABLE,
        "areas": _areas(found, key=family.key),
        "figures": _figures(found),
        "attackers": _attackers(found),
    }


def _plot(found: Sequence[Line], *, family: Family, key: str) -> dict[str, Any] | None:
    title = f"{family.heading}: success on members and on controls, with 95 % intervals"
    return _drawn(found, key=key, title=title, by_group=False)


def _drawn(found: Sequence[Line], *, key: str, title: str, by_group: bool) -> dict[str, Any] | None:
    if not found:
        return None
    return {
        name: forest.forest(
            found, width=width, ident=f"{key}-{name}", title=title, by_group=by_group
        )
        for name, width in (("wide", forest.WIDE), ("narrow", forest.NARROW))
    }


def _worst(found: Sequence[Line]) -> Mapping[str, str]:
    """Return the outcome of many lines together, as the rule of the verdict sees it."""
    return min(
        (line.status for line in choice.conclusive(found)),
        key=lambda status: page.severity(dict(status)),
        default=page.status_of("skipped"),
    )


def _tally(found: Sequence[Line]) -> list[tuple[Mapping[str, str], int]]:
    counted: dict[str, list[Line]] = {}
    for line in found:
        counted.setdefault(line.status["word"], []).append(line)
    ordered = sorted(counted.values(), key=lambda of: page.severity(dict(of[0].status)))
    return [(of[0].status, len(of)) for of in ordered]


def _counted(found: Sequence[Line]) -> str:
    words = [f"{count} {status['word']}" for status, count in _tally(found)]
    attacks = len({line.attack for line in found})
    return f"{plural(attacks, 'attack')}, {plural(len(found), 'line')}: {', '.join(words)}"


def _attackers(found: Sequence[Line]) -> list[dict[str, Any]]:
    """Put attacks of the same attacker together: who they are is said once."""
    by_model: dict[tuple[tuple[str, str], ...], list[Line]] = {}
    for line in found:
        by_model.setdefault(line.model, []).append(line)
    return [
        {
            "names": list(dict.fromkeys(line.attack for line in of)),
            "model": model,
            "notes": list(dict.fromkeys(note for line in of for note in line.notes)),
        }
        for model, of in by_model.items()
    ]


def _subgroups(found: Sequence[Line]) -> list[dict[str, Any]]:
    """Put subgroup lines together by the column that makes the groups."""
    columns = {name for line in found for name in _known(line)}
    by_column: dict[str, list[Line]] = {}
    for line in found:
        by_column.setdefault(_grouped_by(line, columns), []).append(line)
    shown = []
    for index, (column, of) in enumerate(by_column.items()):
        title = f"Subgroups by {column}: success on members and on controls"
        drawable = choice.conclusive([line for line in of if line.members or line.controls])
        # A group that stands alone is compared by attack, groups of a column with one another.
        alone = len({line.subgroup for line in of}) == 1
        told = drawable if alone else choice.worst_of(drawable, key=lambda line: line.subgroup)
        shown.append(
            {
                "column": column,
                "alone": alone,
                "count": _counted(of),
                "status": _worst(of),
                "plot": _drawn(told, key=f"subgroup-{index}", title=title, by_group=not alone),
                "rows": [_row(line) for line in of],
            }
        )
    return shown


def _known(line: Line) -> list[str]:
    return dict(line.model).get("knows of the target", "").split(", ")


def _grouped_by(line: Line, columns: Collection[str]) -> str:
    """Return the column that makes a subgroup, such as "age" of "age 18 to 39"."""
    fitting = [name for name in columns if name and line.subgroup.startswith(f"{name} ")]
    return max(fitting, key=len, default=line.subgroup.partition(" = ")[0])


def _areas(found: Sequence[Line], *, key: str) -> dict[str, Any] | None:
    """Return the areas under the curve of attacks that score, as a plot."""
    areas = []
    for line in found:
        named = {figure.get("name"): figure for figure in line.figures if not figure.get("group")}
        whole, isolated = named.get(lines.AREA, {}), named.get(lines.ISOLATED, {})
        if is_number(whole.get("value")):
            few = beside.span(isolated) if is_number(isolated.get("value")) else None
            areas.append(
                reach.Area(
                    name=line.attack, area=beside.span(whole), isolated=few, failed=_bad(line)
                )
            )
    if not areas:
        return None
    return {
        "isolated": any(area.isolated for area in areas),
        "wide": reach.areas(areas, width=reach.WIDE, ident=f"{key}-areas-wide"),
        "narrow": reach.areas(areas, width=reach.NARROW, ident=f"{key}-areas-narrow"),
    }


def _figures(found: Sequence[Line]) -> dict[str, Any] | None:
    """Return further figures: a row a line where they are few, else a row a figure."""
    told = [line for line in found if line.figures]
    if not told:
        return None
    keys = list(dict.fromkeys(_named(figure) for line in told for figure in line.figures))
    if len(keys) > COLUMNS:
        by_line = [(line.title, beside.by_group(line.figures)) for line in told]
        return {"names": [], "rows": [], "by_line": by_line}
    rows = []
    for line in told:
        cells = {_named(figure): beside.figure(figure) for figure in line.figures}
        rows.append((line.title, [cells.get(key, "–") for key in keys]))
    return {"names": keys, "rows": rows, "by_line": []}


def _named(figure: Mapping[str, Any]) -> str:
    name, group = clean(figure.get("name", "")), clean(figure.get("group") or "")
    return f"{name}: {group}" if group else name
