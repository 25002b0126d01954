"""``audit``: attack a synthetic table and say what was found."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attacks import games, rules
from attacks.attribute.inference import NearestVote
from attacks.base import Evidence
from attacks.engine.encode import check_columns, encode, missing, ordered, sizes
from attacks.engine.table import CodedTable
from attacks.membership.marginal import Marginal
from attacks.results import AttackResult, AuditReport, Interval
from attacks.stats import ranking
from attacks.threat_model import ThreatModel
from dpsynth.encoding.table import seen
from dpsynth.errors import DataError, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

SPLITS = ("random", "unknown")
# Persons attacked on each side, at most.
TIERS: Mapping[str, int | None] = {"smoke": 500, "standard": 10_000, "full": None}
PERMUTATIONS = 1000
# What a broken attack may raise; anything else is a fault of the machine or of the caller.
_FAULTS = (ArithmeticError, AssertionError, LookupError, TypeError, ValueError)

Progress = Callable[[str], None]


def audit(
    synthetic: "pd.DataFrame | Path | str",
    members: "pd.DataFrame | Path | str",
    controls: "pd.DataFrame | Path | str",
    schema: "Schema | Path | str",
    *,
    split: str = "unknown",
    tier: str = "standard",
    seed: int = 0,
    progress: Progress | None = None,
) -> AuditReport:
    """Attack ``synthetic`` and report how much better the attacks do on members than on controls.

    Args:
        synthetic: the table under suspicion, made by any tool, with the schema's columns.
        members: persons who were in the table that it was made from.
        controls: persons of the same population who were not.
        schema: declares the columns, the unit, the quasi-identifiers and the sensitive columns.
        split: "random" where an independent coin for each person decided between members and
            controls, so that p-values mean something; "unknown" otherwise.
        tier: how many persons are attacked: "smoke" (500 on each side), "standard" (10,000) or
            "full" (all).
        seed: of the audit's own random choices; the same call gives the same report.
        progress: called with a sentence as each attack starts.

    Returns:
        Results and verdict. They are a function of real persons' rows: for the custodian alone.

    Raises:
        UsageError: ``split`` or ``tier`` is unknown, or ``seed`` is negative.
        DataError: a table lacks a declared column, or members and controls are not apart.
    """
    if split not in SPLITS:
        raise UsageError(f"split must be one of: {', '.join(SPLITS)}")
    if tier not in TIERS:
        raise UsageError(f"tier must be one of: {', '.join(TIERS)}")
    if seed < 0:
        raise UsageError("seed must be at least 0")
    say = progress or (lambda _: None)
    declared = _schema(schema)
    say("reading and coding the tables")
    insiders, outsiders = _frame(members, declared), _frame(controls, declared)
    released = _frame(synthetic, declared)
    check_columns(released, [column.name for column in declared.modeled], name="synthetic")
    declared = seen(released, declared)
    release = encode(released, declared, name="synthetic", persons=False)
    inside = encode(insiders, declared, name="members", persons=True)
    outside = encode(outsiders, declared, name="controls", persons=True)
    _check_apart(insiders, outsiders, declared)
    draws = np.random.default_rng(seed).spawn(4)
    inside = _some(inside, TIERS[tier], rng=draws[0])
    evidence = Evidence(
        release=release,
        population=outside.take(np.arange(0)),
        sizes=sizes(declared),
        ordered=ordered(declared),
        missing=missing(declared),
    )
    say("membership: likelihood under the marginals")
    found = _membership(evidence, inside, outside, limit=TIERS[tier], rng=draws[1], split=split)
    say("attributes: vote of the nearest records")
    attacked = _some(outside, TIERS[tier], rng=draws[2])
    found += _attribute(evidence, inside, attacked, declared, rng=draws[3])
    return AuditReport(
        split=split,
        tier=tier,
        seed=seed,
        unit=declared.unit.kind,
        results=_judged(found, split=split),
    )


def _membership(
    evidence: Evidence,
    members: CodedTable,
    controls: CodedTable,
    *,
    limit: int | None,
    rng: np.random.Generator,
    split: str,
) -> list[AttackResult]:
    attack = Marginal()
    model = attack.threat_model.knowing(*evidence.release.columns)
    reference, tested = games.halves(controls, rng=rng)
    if limit is not None:
        reference, tested = reference[:limit], tested[:limit]
    try:
        outcome = games.membership(
            attack,
            evidence=replace(evidence, population=controls.take(reference)),
            members=members,
            controls=controls.take(tested),
            rng=rng,
        )
    except _FAULTS as error:
        return [_broken(attack.name, model, error)]
    area = ranking.auc(members=outcome.members, controls=outcome.controls)
    halved = (
        f"{reference.size} controls are the attacker's population sample and set the threshold; "
        f"the other {tested.size} are attacked"
    )
    notes = [halved]
    if area is not None and split == "random":
        p_value = ranking.permutation_p_value(
            members=outcome.members, controls=outcome.controls, permutations=PERMUTATIONS, rng=rng
        )
        notes.append(f"permutation test of the area under the curve: p = {p_value:.3g}")
    interval: Interval | None = None
    if area is not None:
        interval = ranking.auc_interval(area, members=members.size, controls=int(tested.size))
    return [
        replace(
            _counted(attack.name, model, count), auc=area, auc_interval=interval, notes=tuple(notes)
        )
        for count in outcome.counts
    ]


def _attribute(
    evidence: Evidence,
    members: CodedTable,
    controls: CodedTable,
    schema: "Schema",
    *,
    rng: np.random.Generator,
) -> list[AttackResult]:
    attack = NearestVote()
    columns = evidence.release.columns
    quasi = tuple(name for name in schema.quasi_identifiers if name in columns)
    sensitive = tuple(name for name in schema.sensitive if name in columns)
    by_known: dict[tuple[str, ...], list[str]] = {}
    for secret in sensitive:
        known = tuple(name for name in quasi if name != secret)
        if known:
            by_known.setdefault(known, []).append(secret)
    if not by_known:
        return [
            AttackResult(
                name=attack.name,
                goal=attack.threat_model.goal.name,
                threat_model=attack.threat_model.to_dict(),
                status="not applicable",
                notes=("the schema names no sensitive column, or no quasi-identifier beside it",),
            )
        ]
    if not len(evidence.release):
        return [
            _unguessed(attack, known, secret, status="inconclusive")
            for known, secrets in by_known.items()
            for secret in secrets
        ]
    results = []
    for known, secrets in by_known.items():
        try:
            counts = games.attribute(
                attack,
                evidence=evidence,
                members=members,
                controls=controls,
                known=known,
                secrets=secrets,
                rng=rng,
            )
        except _FAULTS as error:
            results += [
                _broken(f"{attack.name}({secret})", attack.threat_model.knowing(*known), error)
                for secret in secrets
            ]
            continue
        for secret in secrets:
            model = attack.threat_model.knowing(*known, secret=secret)
            results += [
                _counted(f"{attack.name}({secret})", model, count) for count in counts[secret]
            ]
    return results


def _judged(found: Sequence[AttackResult], *, split: str) -> tuple[AttackResult, ...]:
    judgments = rules.judge([rules.Tally.from_dict(result.to_dict()) for result in found])
    return tuple(
        replace(
            result,
            status=judgment.status,
            p_value=judgment.p_value if split == "random" else None,
            adjusted_p_value=judgment.adjusted if split == "random" else None,
            detectable_effect=judgment.detectable,
        )
        for result, judgment in zip(found, judgments, strict=True)
    )


def _counted(name: str, model: ThreatModel, count: games.Count) -> AttackResult:
    return AttackResult(
        name=f"{name}@{count.point}",
        goal=model.goal.name,
        threat_model=model.to_dict(),
        status="inconclusive",  # until it is judged together with the others
        members_hits=count.members_hits,
        members_n=count.members_n,
        controls_hits=count.controls_hits,
        controls_n=count.controls_n,
        baseline_rate=count.baseline_rate,
    )


def _unguessed(
    attack: NearestVote, known: tuple[str, ...], secret: str, *, status: str
) -> AttackResult:
    model = attack.threat_model.knowing(*known, secret=secret)
    return AttackResult(
        name=f"{attack.name}({secret})@all targets",
        goal=model.goal.name,
        threat_model=model.to_dict(),
        status=status,
        notes=("the release has no rows to learn from",),
    )


def _broken(name: str, model: ThreatModel, error: Exception) -> AttackResult:
    """Say that an attack ended in an error: its kind alone, since a message may quote a row."""
    return AttackResult(
        name=name,
        goal=model.goal.name,
        threat_model=model.to_dict(),
        status="error",
        notes=(f"the attack stopped with {type(error).__name__}; it is evidence of nothing",),
    )


def _some(table: CodedTable, limit: int | None, *, rng: np.random.Generator) -> CodedTable:
    if limit is None or table.size <= limit:
        return table
    return table.take(np.sort(rng.permutation(table.size)[:limit]))


def _schema(schema: "Schema | Path | str") -> "Schema":
    from dpsynth.schema import Schema

    return Schema.read(schema) if isinstance(schema, Path | str) else schema


def _check_apart(members: "pd.DataFrame", controls: "pd.DataFrame", schema: "Schema") -> None:
    """Refuse controls who are members: against them, no leak could ever show."""
    person = schema.unit.column
    if person is not None and person in members and person in controls:
        ids = [set(table[person].dropna().astype(str)) - {""} for table in (members, controls)]
        apart = ids[0].isdisjoint(ids[1])
    else:
        same = members.reset_index(drop=True).equals(controls.reset_index(drop=True))
        apart = not len(controls) or not same
    if not apart:
        raise DataError(
            "the controls hold persons who are among the members: give persons who were not in "
            "the table that the synthetic one was made from"
        )


def _frame(table: Any, schema: "Schema") -> "pd.DataFrame":
    if isinstance(table, Path | str):
        import dpsynth

        table = dpsynth.read_table(Path(table), schema)
    frame: pd.DataFrame = table
    return frame
