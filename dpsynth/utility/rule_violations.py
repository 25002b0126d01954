"""Rows that cannot be: those that break a declared rule, and pairs that no real row holds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.encoding.codec import Codec, GridCodec, codecs
from dpsynth.encoding.rules import codes_of
from dpsynth.schema.rules import forbidden_parts, ordered_pairs
from dpsynth.utility.scores import Score, Section
from dpsynth.utility.tables import NAMES, Tables

if TYPE_CHECKING:
    from dpsynth.schema.rules import Rule

EXPECTED = 10.0  # real rows that chance would give a pair that is told as suspicious
MOST_TOLD = 40
BROKEN = "rows that break a declared rule"
UNSEEN = "rows with a pair of values that the real table never holds"
SUSPECT = (
    "rows with a pair that chance alone would have given the real table, and that it never holds"
)
_Z = 1.959963984540054

Rows = NDArray[np.bool_]


def rule_violations(tables: Tables, *, seed: int) -> Section | None:
    """Count rows that break declared rules, and rows with pairs never seen in the real table.

    A pair of values that the real table never holds may be chance; the holdout, which is real,
    says how many rows that takes (the ceiling). Where both values are so frequent that at least
    10 real rows would hold both if they had nothing to do with each other, the pair is named: it
    may be impossible, such as a pregnant man. Columns are compared in 32 groups of codes at most.

    Intervals are those of Wilson (1927) for a share of rows: a resampled count of 0 stays 0.

    Tables:
        rules: each declared rule and the rows that break it.
        pairs: named pairs, most synthetic rows first: expected real rows, and rows found.
    """
    del seed  # nothing is drawn
    rules = list(_broken(tables))
    scores = []
    if rules:
        scores = [_score(BROKEN, _any([rule.rows for rule in rules]), tables)]
        scores += [_score(BROKEN, rule.rows, tables, group=rule.name) for rule in rules]
    unseen, suspect, told = _unseen(tables)
    if len(tables.sizes) > 1:
        scores += [_score(UNSEEN, unseen, tables), _score(SUSPECT, suspect, tables)]
    if not scores:
        return None
    shown: dict[str, Any] = {
        "pairs": {
            "columns": ["never in one real row", "expected real rows", "synthetic", "holdout"],
            "rows": [
                [pair.name, round(pair.expected, 1), pair.synthetic, pair.holdout]
                for pair in told[:MOST_TOLD]
            ],
        }
    }
    if rules:
        shown["rules"] = {
            "columns": ["rule", "synthetic", "real", "holdout", "independent columns"],
            "rows": [
                [rule.name, *(int(rule.rows[name].sum()) for name in _SHOWN)] for rule in rules
            ],
        }
    notes = ["A pair that was never seen is not impossible by that alone: somebody must look."]
    if len(told) > MOST_TOLD:
        notes.append(f"Of {len(told)} suspicious pairs the {MOST_TOLD} most frequent are named.")
    if rules and any(rule.rows["real"].any() for rule in rules):
        notes.append("Real rows break a declared rule: the rule or the table is wrong.")
    return Section(
        key="rules",
        title="Rules, and pairs never seen in the real table",
        scores=tuple(scores),
        tables=shown,
        notes=tuple(notes),
    )


_SHOWN = ("synthetic", "real", "holdout", "floor")


@dataclass(frozen=True, kw_only=True, eq=False)
class _Broken:
    """Which rows of each table break one rule."""

    name: str
    rows: Mapping[str, Rows]


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """Two values that no real row holds together."""

    name: str
    expected: float
    synthetic: int
    holdout: int


def _score(name: str, rows: Mapping[str, Rows], tables: Tables, *, group: str = "") -> Score:
    held = {which: rows[which][: tables.compared] for which in ("synthetic", "holdout", "floor")}
    share = {which: float(found.mean()) for which, found in held.items()}
    low, high = _wilson(share["synthetic"], len(held["synthetic"]))
    return Score(
        name=name,
        value=share["synthetic"],
        ceiling=share["holdout"],
        floor=share["floor"],
        low=low,
        high=high,
        better="lower",
        group=group,
    )


def _wilson(share: float, rows: int) -> tuple[float, float]:
    z = _Z**2 / rows
    half = _Z * np.sqrt(share * (1 - share) / rows + z / (4 * rows))
    center = share + z / 2
    low, high = float((center - half) / (1 + z)), float((center + half) / (1 + z))
    # The interval holds the share; at 0 and 1, where it ends there, rounding may say otherwise.
    return max(min(low, share), 0.0), min(max(high, share), 1.0)


def _any(found: list[Mapping[str, Rows]]) -> dict[str, Rows]:
    return {name: np.any([rows[name] for rows in found], axis=0) for name in NAMES}


def _broken(tables: Tables) -> Iterator[_Broken]:
    """Yield which rows break each declared rule."""
    schema = tables.schema
    columns = {column.name: column for column in schema.modeled}
    tools = codecs(schema)
    for number, rule in enumerate(schema.rules, start=1):
        if rule.forbid is not None:
            parts = forbidden_parts(rule, columns)
            wanted = {name: codes_of(part, tools[name]) for name, part in parts.items()}
            rows = {name: _forbidden(tables, name, wanted, tools) for name in NAMES}
        else:
            rows = {name: _out_of_order(tables, name, rule, tools) for name in NAMES}
        yield _Broken(name=f"rule {number}: {_told(rule)}", rows=rows)


def _told(rule: "Rule") -> str:
    if rule.reason:
        return rule.reason
    if rule.forbid is None:
        return " is never above ".join(rule.order or ())
    return "never together: " + ", ".join(rule.forbid)


def _forbidden(
    tables: Tables, name: str, wanted: Mapping[str, frozenset[int]], tools: Mapping[str, Codec]
) -> Rows:
    frame = getattr(tables, name)
    held = [
        np.isin(np.asarray(tools[column].encode(frame[column]).codes), sorted(codes))
        for column, codes in wanted.items()
    ]
    return np.asarray(np.all(held, axis=0))


def _out_of_order(tables: Tables, name: str, rule: "Rule", tools: Mapping[str, Codec]) -> Rows:
    broken = np.zeros(len(getattr(tables, name)), dtype=np.bool_)
    for first, second in ordered_pairs([rule]):
        before, after = (_values(tables, name, column, tools[column]) for column in (first, second))
        broken |= before > after  # a missing cell, NaN, is above nothing
    return broken


def _values(tables: Tables, name: str, column: str, tool: Codec) -> NDArray[np.float64]:
    if isinstance(tool, GridCodec):
        return tables.values[name][column]
    codes = np.asarray(tool.encode(getattr(tables, name)[column]).codes, dtype=np.float64)
    return np.where(codes == tool.size - 1, np.nan, codes) if tool.has_missing else codes


def _unseen(tables: Tables) -> tuple[dict[str, Rows], dict[str, Rows], list[_Pair]]:
    """Return rows with unseen pairs, rows with suspicious ones, and the suspicious pairs."""
    unseen = {name: np.zeros(len(getattr(tables, name)), dtype=np.bool_) for name in NAMES}
    suspect = {name: held.copy() for name, held in unseen.items()}
    told: list[_Pair] = []
    real = len(tables.real)
    for first, second in combinations(tables.sizes, 2):
        shape = (tables.sizes[first], tables.sizes[second])
        cells = {
            name: tables.codes[name][first] * shape[1] + tables.codes[name][second]
            for name in NAMES
        }
        counts = np.bincount(cells["real"], minlength=shape[0] * shape[1]).reshape(shape)
        expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / real
        never = counts == 0
        # A value that the real table never holds at all makes no pair.
        odd = (never & (expected >= EXPECTED)).ravel()
        new = (never & (expected > 0)).ravel()
        if not new.any():
            continue
        for name in NAMES:
            unseen[name] |= new[cells[name]]
            suspect[name] |= odd[cells[name]]
        found = {
            name: np.bincount(cells[name], minlength=len(odd)) for name in ("synthetic", "holdout")
        }
        for cell in np.flatnonzero(odd & (found["synthetic"] > 0)).tolist():
            one, other = divmod(cell, shape[1])
            told.append(
                _Pair(
                    name=f"{first} = {tables.labels[first][one]} with "
                    f"{second} = {tables.labels[second][other]}",
                    expected=float(expected[one, other]),
                    synthetic=int(found["synthetic"][cell]),
                    holdout=int(found["holdout"][cell]),
                )
            )
    return unseen, suspect, sorted(told, key=lambda pair: (-pair.synthetic, -pair.expected))
