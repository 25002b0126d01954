"""From the tables of a section to charts with their numbers.

A section's ``tables`` hold, by name; whatever has another shape is shown as a table of numbers:

* ``columns``: small multiples, one record a column (see ``multiples``).
* ``roc`` and ``calibration``: ``{model: {source: [[x, y], ...]}}``, at any depth.
* ``learning_curves``: ``{method: [{"n", "mean", "low", "high"}, ...]}``, at any depth.
* ``curves``: ``{"x", "y", "lines": {source: [[x, y], ...]}}``, drawn as steps that fall from 1.
* ``precision`` and ``recall``: ``{"alpha" or "beta": [x, ...], source: [y, ...]}``.
* ``coefficients``: records of ``name`` and, for ``real``, ``synthetic`` and ``holdout``,
  ``[value, low, high]`` or an object of these; or the table of a replication.
* ``{"columns": names, "anything": square matrix}``: heat maps, with the difference where there is
  ``real`` and ``synthetic``.
* ``{"columns": names, "rows": cells}``, lists of records, lists side by side: tables.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from attacks.report import page
from attacks.report.lines import is_number
from attacks.report.utility import coefficients, heat, line_figures, shapes
from attacks.report.utility.parts import ORDER, Figure, figure, numbers
from attacks.report.wording import clean, humanize, mapping, sequence

if TYPE_CHECKING:
    from markupsafe import Markup

MOST_DRAWN = 60  # coefficients
_APART = frozenset({"columns", "groups", "metrics"})  # shown by a part of the page of their own


def figures(tables: dict[str, Any], *, ident: str) -> list[Figure]:
    """Return what is to be drawn of a section, and the numbers of each drawing."""
    found: list[Figure] = []
    for place, (name, held) in enumerate(tables.items()):
        if name in _APART:
            continue
        at = f"{ident}-{place}"
        draw = _DRAWN.get(name)
        drawn = list(draw(held, at)) if draw else []
        found += drawn or list(_by_shape(name, held, at))
    return found


def _by_shape(name: str, held: Any, ident: str) -> Iterator[Figure]:
    title = humanize(name)
    tabular = shapes.is_table(held) or shapes.is_records(held)
    if not tabular and shapes.is_matrix(held):
        yield _heat(title, mapping(held), ident)
    elif tabular or shapes.is_listing(held):
        columns, rows = shapes.as_table(held)
        yield figure(title, numbers=numbers(title, columns, rows))
    elif (
        isinstance(held, dict)
        and held
        and all(isinstance(one, dict | list) for one in held.values())
    ):
        for place, (key, below) in enumerate(held.items()):
            yield from _by_shape(f"{name}, {key}", below, f"{ident}-{place}")
    elif isinstance(held, dict) and held:
        rows = [[key, value] for key, value in page.facts(held)]
        yield figure(title, numbers=numbers(title, ["", "value"], rows))


def _heat(title: str, held: dict[str, Any], ident: str) -> Figure:
    names = [clean(name) for name in held["columns"]]
    drawn = shapes.matrices(held)
    values = [value for matrix in drawn.values() for _, _, value in heat.pairs(matrix)]
    compared = "real" in drawn and "synthetic" in drawn
    scale = heat.up_to(max(values, default=0.0))
    if min(values, default=0.0) < 0:
        scale = heat.SIGNED_UNIT
    elif compared:
        scale = heat.UNIT
    if compared and "difference" not in drawn:
        drawn["difference"] = [
            [None if a is None or b is None else b - a for a, b in zip(first, second, strict=True)]
            for first, second in zip(drawn["real"], drawn["synthetic"], strict=True)
        ]
    drawn = dict(sorted(drawn.items(), key=lambda item: ORDER.get(item[0], len(ORDER))))
    panels: list[tuple[str, Markup]] = []
    for place, (which, matrix) in enumerate(drawn.items()):
        change = which == "difference"
        panels.append(
            (
                "difference: synthetic less real" if change else humanize(which).lower(),
                heat.heat_map(
                    names,
                    matrix,
                    scale=heat.CHANGE if change else scale,
                    ident=f"{ident}-{place}",
                    title=f"{title}: {humanize(which).lower()}",
                ),
            )
        )
    order = "difference" if "difference" in drawn else next(iter(drawn))
    ranked = sorted(heat.pairs(drawn[order]), key=lambda pair: -abs(pair[2]))
    rows = [
        [names[column], names[row], *(shapes.cell(held[row][column]) for held in drawn.values())]
        for row, column, _ in ranked
    ]
    return figure(
        title,
        said=f"Columns in the order of the table: {_keyed(names)}."
        if not heat.can_name(names)
        else "",
        legend=scale.legend(),
        change=heat.CHANGE.legend() if "difference" in drawn else [],
        panels=panels,
        numbers=numbers(
            f"{title}: pairs, farthest from 0 first",
            ["column", "and", *(humanize(which).lower() for which in drawn)],
            rows,
        ),
    )


def _keyed(names: Sequence[str]) -> str:
    return ", ".join(f"{place} {name}" for place, name in enumerate(names, start=1))


def _coefficients(held: Any, ident: str) -> Iterator[Figure]:
    table = shapes.is_table(held)
    records = _by_row(mapping(held)) if table else [mapping(one) for one in sequence(held)]
    found = [
        coefficients.Coefficient(
            name=clean(record.get("name", "coefficient")),
            real=_estimate(record.get("real")),
            synthetic=_estimate(record.get("synthetic")),
            holdout=_estimate(record.get("holdout")),
        )
        for record in records
    ]
    found = [one for one in found if one.known]
    if not found:
        return
    title = "Coefficients, with 95 % intervals"
    drawn = found[:MOST_DRAWN]
    both = {
        which: coefficients.forest(drawn, width=width, ident=f"{ident}-{which}", title=title)
        for which, width in (("wide", coefficients.WIDE), ("narrow", coefficients.NARROW))
    }
    marks = {
        "real": "key-ink key-round",
        "synthetic": "key-mine key-turned",
        "holdout": "key-before key-round",
    }
    shown = [name for name in marks if any(getattr(one, name) for one in found)]
    columns = ["coefficient", *shown]
    rows = [
        [one.name, *(e.said if (e := getattr(one, name)) else "not estimable" for name in shown)]
        for one in found
    ]
    if table:  # which holds more than is drawn
        columns, rows = shapes.as_table(held)
    yield figure(
        title,
        said=f"The first {MOST_DRAWN} are drawn." if len(found) > MOST_DRAWN else "",
        legend=[(marks[name], name) for name in shown],
        both=both,
        numbers=numbers(title, columns, rows),
    )


def _by_row(table: dict[str, Any]) -> list[dict[str, Any]]:
    """Read coefficients from the table of a replication: estimate, low, high; real estimate, ..."""
    names = [str(name) for name in table["columns"]]
    found = []
    for cells in table["rows"]:
        row = dict(zip(names, cells, strict=True))
        parts = [clean(row[name]) for name in ("analysis", "coefficient") if row.get(name)]
        estimates = {
            which: [row.get(f"{lead}{end}") for end in ("estimate", "low", "high")]
            for which, lead in (("synthetic", ""), ("real", "real "))
        }
        found.append({"name": ": ".join(parts), **estimates})
    return found


def _estimate(held: Any) -> coefficients.Estimate | None:
    record = mapping(held)
    parts = [record.get(key) for key in ("value", "low", "high")] if record else sequence(held)
    parts = [float(part) if is_number(part) else None for part in (*parts, None, None, None)][:3]
    value, low, high = parts
    return None if value is None else coefficients.Estimate(value=value, low=low, high=high)


_DRAWN = {
    "roc": line_figures.roc,
    "calibration": line_figures.calibration,
    "learning_curves": line_figures.learning,
    "curves": line_figures.falling,
    "coefficients": _coefficients,
    "precision": line_figures.shares,
    "recall": line_figures.shares,
}
