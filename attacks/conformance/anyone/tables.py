"""Made-up tables: neighbors that tell most, neighbors nobody expects, and rows with secrets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attacks.conformance.anyone.spec import REPLACE, FrameSpec, Kind, Levels, Numbers

if TYPE_CHECKING:
    import pandas as pd

CROWD = 10  # rows that all say the same, so that one more stands out
# One below where counts are commonly suppressed, rounded or split.
SIZES = (1, 2, 4, 9, 10, 19, 24, 29, 49, 99)
SPREAD = 211  # rows of a table that holds a bit of everything
_TENTH = 0.3137  # of a range: where the crowd's number lies, inside what a canary spans


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """Two neighboring tables.

    Attributes:
        name: what they differ in, for people.
        out: the table without the person.
        within: the table with the person, or with another one in their place.
        declared: whether both hold declared values alone.
    """

    name: str
    out: "pd.DataFrame"
    within: "pd.DataFrame"
    declared: bool = True


def crowd_value(kind: Kind) -> Any:
    """Return what everybody says."""
    if isinstance(kind, Levels):
        return kind.values[0]
    if isinstance(kind, Numbers):
        value = kind.low + _TENTH * (kind.high - kind.low)
        return round(value) if kind.whole else value
    return "made up by all"


def canary_value(kind: Kind) -> Any:
    """Return what nobody else says: the last level, the largest number, a text of its own."""
    if isinstance(kind, Levels):
        return kind.values[-1]
    if isinstance(kind, Numbers):
        return int(kind.high) if kind.whole else kind.high
    return "made up alone"


def rows_of(spec: FrameSpec, values: Mapping[str, Any], count: int, *, who: str) -> "pd.DataFrame":
    """Return rows that all say the same: each of another person, or all of one.

    Args:
        spec: of the columns.
        values: what they say, by column.
        count: how many.
        who: a prefix, for persons of their own; or a whole name after "=".
    """
    import pandas as pd

    held: dict[str, Any] = {}
    for name, kind in spec.columns.items():
        if name == spec.person:
            one = who.startswith("=")
            held[name] = [who[1:] if one else f"{who}{row}" for row in range(count)]
        else:
            held[name] = pd.Series([values[name]] * count, dtype=_dtype(kind))
    return pd.DataFrame(held, columns=list(spec.columns))


def _dtype(kind: Kind) -> Any:
    if isinstance(kind, Numbers):
        return np.int64 if kind.whole else np.float64
    if isinstance(kind, Levels):
        types = {type(value) for value in kind.values}
        if types == {int}:
            return np.int64
        if types == {bool}:
            return np.bool_
    return object


def pairs(spec: FrameSpec, *, seed: int, odd: bool) -> tuple[Pair, ...]:
    """Return neighboring tables, the ones that usually tell most first.

    Args:
        spec: of the columns.
        seed: of the table that holds a bit of everything.
        odd: also those with cells that no schema expects.
    """
    usual = {name: crowd_value(kind) for name, kind in spec.modeled.items()}
    alone = {name: canary_value(kind) for name, kind in spec.modeled.items()}
    found = [_pair(spec, *each) for each in _declared(spec, usual, alone, seed=seed)]
    if odd:
        crowd = rows_of(spec, usual, CROWD, who="p")
        for name, values in _odd(spec, usual).items():
            person = _as_objects(rows_of(spec, usual, spec.given, who="=one more"), values)
            found.append(_pair(spec, name, crowd, person, declared=False))
    return tuple(found)


def _declared(
    spec: FrameSpec, usual: Mapping[str, Any], alone: Mapping[str, Any], *, seed: int
) -> "Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]":
    person = rows_of(spec, alone, spec.given, who="=one more")
    same = rows_of(spec, usual, spec.given, who="=one more")
    few = rows_of(spec, alone, 5, who="q")
    yield f"one unlike {CROWD} that are alike", rows_of(spec, usual, CROWD, who="p"), person
    yield "one more of 5 unlike 10", _joined(rows_of(spec, usual, CROWD, who="p"), few), person
    yield "one in an empty table", rows_of(spec, usual, 0, who="p"), person
    spread = spread_rows(spec, made_up(seed, 0), rows=30)
    yield "one more of a mixed table", spread, person
    for name in spec.modeled if len(spec.modeled) > 1 else ():
        # Unlike the others in one column alone, and in all but one.
        one = rows_of(spec, {**usual, name: alone[name]}, spec.given, who="=one more")
        yield f"one unlike the others in {name}", rows_of(spec, usual, CROWD, who="p"), one
    for size in SIZES:
        yield f"one more of {size} that are alike", rows_of(spec, usual, size, who="p"), same
    for size in SIZES[:5]:
        table = _joined(rows_of(spec, usual, 20, who="p"), rows_of(spec, alone, size, who="q"))
        yield f"one more of {size} unlike 20", table, person


def _pair(
    spec: FrameSpec,
    name: str,
    table: "pd.DataFrame",
    person: "pd.DataFrame",
    *,
    declared: bool = True,
) -> Pair:
    within = _joined(table, person)
    if spec.neighboring == REPLACE:
        usual = {column: crowd_value(kind) for column, kind in spec.modeled.items()}
        first = {
            column: kind.values[min(1, len(kind.values) - 1)] if isinstance(kind, Levels) else value
            for (column, kind), value in zip(spec.modeled.items(), usual.values(), strict=True)
        }
        # In place of somebody who says what everybody says; or, where that is what the person
        # says, of somebody who says something else.
        like = person[list(spec.modeled)].iloc[0].to_dict() == usual
        other = rows_of(spec, first if like else usual, len(person), who="=one more")
        table = _joined(table, other)
    return Pair(name=name, out=table, within=within, declared=declared)


def _joined(first: "pd.DataFrame", second: "pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd

    if not len(first):
        return second.reset_index(drop=True)
    return pd.concat([first, second], ignore_index=True)


def _odd(spec: FrameSpec, usual: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    kinds = spec.modeled
    numbers = [name for name, kind in kinds.items() if isinstance(kind, Numbers)]
    worlds: dict[str, dict[str, Any]] = {
        "one with all cells missing": dict.fromkeys(kinds),
        "one with undeclared values": {
            name: usual[name] if name in numbers else "never declared before" for name in kinds
        },
        "one with empty texts": {name: usual[name] if name in numbers else "" for name in kinds},
        "one with a date of its own": {
            name: usual[name] if name in numbers else "9999-12-31" for name in kinds
        },
    }
    if numbers:
        for what, value in {
            "an infinite number": float("inf"),
            "a huge number": 1e300,
            "no number": float("nan"),
            "a number far below": -1e12,
        }.items():
            worlds[f"one with {what}"] = {**usual, **dict.fromkeys(numbers, value)}
    return worlds


def _as_objects(frame: "pd.DataFrame", values: Mapping[str, Any]) -> "pd.DataFrame":
    import pandas as pd

    made = frame.copy()
    for name, value in values.items():
        numeric = isinstance(value, float | int) and not isinstance(value, bool)
        dtype = np.float64 if numeric and made[name].dtype.kind in "if" else object
        made[name] = pd.Series([value] * len(made), index=made.index, dtype=dtype)
    return made


def made_up(seed: int, purpose: int) -> np.random.Generator:
    """Return a generator for rows: of no seed that a mechanism is given."""
    return np.random.default_rng([seed, purpose, 0xDA7A])


def spread_rows(spec: FrameSpec, rng: np.random.Generator, *, rows: int) -> "pd.DataFrame":
    """Return rows with secrets: numbers with many places, a person and texts of their own each.

    Numbers keep to the middle of their range, so that what is learned of their extremes shows.
    """
    import pandas as pd

    held: dict[str, Any] = {}
    for name, kind in spec.columns.items():
        if isinstance(kind, Levels):
            places = np.minimum(rng.geometric(0.5, rows) - 1, len(kind.values) - 1)
            held[name] = pd.Series([kind.values[at] for at in places], dtype=_dtype(kind))
        elif isinstance(kind, Numbers):
            span = kind.high - kind.low
            drawn = kind.low + span * (0.3 + 0.3 * rng.random(rows))
            held[name] = np.rint(drawn).astype(np.int64) if kind.whole else drawn
        else:
            marks = rng.integers(0, 1 << 40, rows)
            held[name] = [f"made-up {mark:012d}" for mark in marks.tolist()]
    return pd.DataFrame(held, columns=list(spec.columns))
