"""An audit on a terminal: what must be read, in a hundred columns; JSON and HTML have the rest."""

from collections.abc import Callable, Mapping
from textwrap import wrap
from typing import Any

from attacks.report import choice, lines
from attacks.report.families import FAMILIES
from attacks.report.lines import Line, is_number
from attacks.report.wording import clean, mapping, plural, sequence, shorten

COLUMNS = 100
_HEADER = ("attack", "members", "controls", "apart", "sees from", "outcome")
_NAME = 46  # letters of an attack's name, its indent included: a line then has a hundred columns

Table = Callable[..., str]


def attack_text(document: Mapping[str, Any], *, table: Table) -> str:
    """Return an audit document as text: witnesses, the telling lines, and what the audit saw.

    Of each attack the worst line is shown, and groups that fail where everybody together does not.

    Args:
        document: as an audit report is stored.
        table: sets a table from header, rows and the columns set ``right``, as
            ``dpsynth.cli.console.table`` does.
    """
    every = lines.lines_of(sequence(document.get("results")))
    rows: list[tuple[str, ...]] = []
    shown = 0
    for family in FAMILIES:
        told = choice.telling([line for line in every if line.family is family])
        if told:
            rows += [(family.heading.upper(), *[""] * 5), *map(_row, told)]
            shown += len(told)
    said = _witnesses(document)
    if rows:
        said += [table(_HEADER, rows, right=(1, 2, 3, 4)), ""]
    if rest := len(every) - shown:
        bad = sum(line.status["tone"] == "bad" for line in every)
        failed = f"{plural(bad, 'line')} failed or broke in all; " if bad else ""
        said.append(f"{failed}{plural(rest, 'more line')} in the report and in --json")
    return "\n".join([*said, *_beside(document)]).rstrip("\n")


def _row(line: Line) -> tuple[str, ...]:
    # What is cut off a long name is its end: the group comes first, the operating point last.
    name = f"{line.subgroup}: {line.short}" if line.subgroup else line.short
    rates = [
        "-" if found is None else f"{100 * found.value:.1f} %"
        for found in (line.members, line.controls)
    ]
    apart = "-" if line.difference is None else f"{round(100 * line.apart, 1) + 0.0:+.1f}"
    sees = "-" if line.detectable is None else f"{100 * line.detectable:.1f}"
    return f"  {shorten(name, _NAME - 2)}", *rates, apart, sees, line.status["word"]


def _witnesses(document: Mapping[str, Any]) -> list[str]:
    found = [mapping(witness) for witness in sequence(document.get("witnesses"))]
    said = [f"found without statistics: {clean(one.get('sentence', ''))}" for one in found]
    return [*said, ""] if said else []


def _beside(document: Mapping[str, Any]) -> list[str]:
    """Say what the audit could see, in a line each."""
    said = []
    plants = [mapping(plant) for plant in sequence(document.get("plants"))]
    found = [
        f"{100 * plant['share']:g} % {'found' if plant.get('found') is True else 'NOT FOUND'}"
        for plant in plants
        if is_number(plant.get("share"))
    ]
    if found:
        said.append(f"planted copies of members: {', '.join(found)}")
    shift = document.get("shift_p_value")
    if is_number(shift):
        alike = "alike" if document.get("comparable") is True else "NOT ALIKE"
        said.append(f"members and controls without the release: {alike} (p = {shift:.2g})")
    said += [
        f"epsilon at least {bound['epsilon']:.2f}, of {bound['ceiling']:.2f} that could have been "
        f"shown ({clean(bound.get('method', ''))})"
        for bound in map(mapping, sequence(document.get("lower_bounds")))
        if is_number(bound.get("epsilon")) and is_number(bound.get("ceiling"))
    ]
    told = [clean(sentence) for sentence in sequence(document.get("tables"))]
    return [
        *(part for sentence in told for part in wrap(sentence, COLUMNS)),
        *(shorten(line, COLUMNS) for line in said),
    ]
