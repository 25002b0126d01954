"""One line of an audit, read from its document and put in the officer's words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from attacks.report import page
from attacks.report.families import Family, family_of
from attacks.report.wording import clean, humanize, mapping, sequence, share

_PERCENT = "\N{NO-BREAK SPACE}%"
AREA = "area under the curve"
ISOLATED = "area under the curve, most isolated tenth"
_EVERYBODY = "all targets"
_MINUS = "\N{MINUS SIGN}"
# What a result is called where the name in the file is not what a reader would say.
TITLES = {
    "attribute/attribution": "Correct attribution",
    "attribute/boosting": "Gradient boosting",
    "attribute/inference": "Vote of the nearest records",
    "attribute/nearest": "Closest record",
    "attribute/reconstruction": "Linear reconstruction",
    "linkage/closest-rows": "Closest rows",
    "membership/calibrated-distance": "Distance, calibrated",
    "membership/cliques": "Marginals that the release learned",
    "membership/density": "Density ratio (DOMIAS)",
    "membership/distance": "Distance to the closest record",
    "membership/gen-lra": "Likelihood ratio (Gen-LRA)",
    "membership/marginal": "Likelihood under the marginals",
    "membership/shadow": "Shadow runs of the synthesizer",
    "scan/copies": "Copies of unique records",
    "singling-out/multivariate": "Several columns",
    "singling-out/univariate": "One column",
    "singling-out/whole-record": "The whole record",
}
MODEL_WORDS = {
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
_MODEL_FIELDS = (
    ("goal", "wants to"),
    ("generator", "of the release"),
    ("data", "of other people"),
    ("auxiliary", "knows of the target"),
    ("secret", "guesses"),
)


@dataclass(frozen=True, kw_only=True)
class Span:
    """A number with its 95 % interval; ``low`` and ``high`` are the number where it has none."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Line:
    """One attack at one operating point, on everybody or on a subgroup.

    Args:
        name: as stored.
        family: the heading that it stands under.
        attack: the attack, as a reader would call it.
        column: what it guesses, or an empty text.
        point: its operating point, or an empty text.
        subgroup: such as "sex = F", or an empty text for everybody.
        status: word, tone and mark.
        members: rate on members, where somebody was attacked.
        controls: rate on controls.
        difference: the first less the second: what is left over the controls.
        baseline: how often a guess that ignores the target is right.
        detectable: the smallest difference that was sure to be seen.
        p_value: adjusted for the whole audit.
        counts: hits and trials, in words.
        model: of the attacker, as pairs of words.
        figures: further figures, as stored.
        notes: sentences.
    """

    name: str
    family: Family
    attack: str
    column: str
    point: str
    subgroup: str
    status: Mapping[str, str]
    members: Span | None
    controls: Span | None
    difference: Span | None
    baseline: float | None
    detectable: float | None
    p_value: float | None
    counts: str
    model: tuple[tuple[str, str], ...]
    figures: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]

    @property
    def rank(self) -> tuple[int, float, float]:
        """Worst first: by outcome, then by what the test says, then by the difference."""
        probable = 2.0 if self.p_value is None else self.p_value
        return page.severity(dict(self.status)), probable, -self.apart

    @property
    def apart(self) -> float:
        """The difference, or less than any where there is none."""
        return -2.0 if self.difference is None else self.difference.value

    @property
    def title(self) -> str:
        """The attack, the column that it guesses, and its operating point."""
        return f"{self.whole}, {self.point}" if self.point else self.whole

    @property
    def whole(self) -> str:
        """The attack, and the column that it guesses."""
        return f"{self.attack} ({self.column})" if self.column else self.attack

    @property
    def short(self) -> str:
        """The same where room is scarce."""
        everybody = self.column and self.point == _EVERYBODY
        point = "" if everybody else self.point.removesuffix(" false alarms")
        point = point.removesuffix(" guesses")
        return f"{self.whole}, {point}" if point else self.whole

    @property
    def label(self) -> str:
        """What sets the line apart from others of the same attack on the same persons."""
        point = "" if self.column and self.point == _EVERYBODY else self.point
        parts = [self.column, point]
        return ", ".join(part for part in parts if part) or _EVERYBODY


def lines_of(results: Sequence[Any]) -> list[Line]:
    """Read the results of an audit document, in their order."""
    return [line_of(mapping(result)) for result in results]


def line_of(result: Mapping[str, Any]) -> Line:
    """Read one result."""
    subgroup = clean(result.get("subgroup") or "")
    name = clean(result.get("name", "unnamed attack"))
    attack, column, point = attack_parts(name.removesuffix(f", {subgroup}") if subgroup else name)
    asked, others = result.get("members_n") or 0, result.get("controls_n") or 0
    figures = [mapping(found) for found in sequence(result.get("figures"))]
    area = result.get("auc")
    if is_number(area):  # as documents of rule 1 hold it
        low, high = [*sequence(result.get("auc_interval")), area, area][:2]
        figures.append({"name": AREA, "value": area, "low": low, "high": high, "group": ""})
    adjusted = result.get("adjusted_p_value")
    p_value = result.get("p_value") if adjusted is None else adjusted
    return Line(
        name=name,
        family=family_of(result),
        attack=attack,
        column=column,
        point=point,
        subgroup=subgroup,
        status=page.status_of(result.get("status", "error")),
        members=span_of(result, "rate_members") if asked else None,
        controls=span_of(result, "rate_controls") if others else None,
        difference=span_of(result, "difference") if asked and others else None,
        baseline=_number(result.get("baseline_rate")),
        detectable=_number(result.get("detectable_effect")),
        p_value=_number(p_value),
        counts=f"{result.get('members_hits', 0):,} of {asked:,} members, "
        f"{result.get('controls_hits', 0):,} of {others:,} controls",
        model=tuple(_threat(mapping(result.get("threat_model")))),
        figures=tuple(figures),
        notes=tuple(clean(note) for note in sequence(result.get("notes"))),
    )


def attack_parts(name: object) -> tuple[str, str, str]:
    """Take "attribute/inference(marital-status)@all targets" apart: attack, column, point.

    What stands in brackets is a column's name, and stays as it is.
    """
    whole = clean(name)
    attack, _, point = whole.rpartition("@")
    if not attack or ")" in point:  # the sign belongs to a column's name
        attack, point = whole, ""
    head, _, column = attack.partition("(")
    shown = TITLES.get(head) or humanize(head.partition("/")[2] or head)
    return shown, column.removesuffix(")"), _point(point)


def in_words(text: object, lines: Sequence["Line"]) -> str:
    """Return a sentence of the audit with its attacks called as a reader would call them."""
    titles = {line.name.partition("@")[0]: line.whole for line in lines}
    shown = clean(text)
    for name in sorted(titles, key=len, reverse=True):
        shown = shown.replace(name, titles[name])
    return shown


def _point(words: str) -> str:
    """Return "1.0% false alarms" as "at 1 % false alarms"."""
    shown = re.sub(r"(\d+(?:\.\d*[1-9])?)(?:\.?0+)?%", rf"\1{_PERCENT}", words)
    return f"at {shown}" if shown != words else shown


def span_of(record: Mapping[str, Any], key: str) -> Span | None:
    """Return a number of a record with its interval, or None where there is none."""
    value, bounds = record.get(key), sequence(record.get(f"{key}_interval"))
    if not is_number(value):
        return None
    low, high = bounds if len(bounds) == 2 and all(map(is_number, bounds)) else (value, value)
    return Span(value=float(value), low=float(low), high=float(high))


def is_number(value: object) -> TypeGuard[float]:
    """Return whether ``value`` is a number that can be shown."""
    return isinstance(value, float | int) and not isinstance(value, bool) and value == value


def _number(value: Any) -> float | None:
    return float(value) if is_number(value) else None


def _threat(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    said = []
    for key, words in _MODEL_FIELDS:
        if value := model.get(key):
            said.append((words, MODEL_WORDS.get(key, {}).get(str(value), clean(value))))
    return said


def rate(found: Span | None) -> str:
    """Show a rate with its interval."""
    if found is None:
        return "not attacked"
    return f"{share(found.value)} ({share(found.low)} to {share(found.high)})"


def points(value: float | None, *, sign: str = "+") -> str:
    """Show a difference of rates in percentage points."""
    return "none" if value is None else f"{_in_points(value, sign)} points"


def _in_points(value: float, sign: str = "+") -> str:
    """Show a share times a hundred; what rounds to nothing has no minus sign."""
    return f"{round(100 * value, 1) + 0.0:{sign}.1f}".replace("-", _MINUS)


def difference(found: Span | None) -> str:
    """Show a difference with its interval."""
    if found is None:
        return "not stated"
    return f"{points(found.value)} ({_in_points(found.low)} to {_in_points(found.high)})"


def p_value(found: float | None) -> str:
    """Show a p-value."""
    return "not given" if found is None else f"{found:.3g}"
