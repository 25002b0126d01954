"""``audit``: attack a synthetic table and say what was found."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

from attacks import judging, plants, rules, subgroups, suite
from attacks.audit_report import AuditReport
from attacks.audit_set import assemble
from attacks.base import Evidence, Generator
from attacks.engine.encode import check_columns, encode, missing, ordered, sizes
from attacks.observed import View
from attacks.stats.permutation import PERMUTATIONS
from dpsynth.encoding.table import seen
from dpsynth.errors import DataError, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

SPLITS = ("random", "unknown")
# Persons attacked on each side, about.
MOST: Mapping[str, int | None] = {suite.SMOKE: 5_000, suite.STANDARD: 10_000, suite.FULL: None}

Progress = Callable[[str], None]


def audit(
    synthetic: "pd.DataFrame | Path | str",
    members: "pd.DataFrame | Path | str",
    controls: "pd.DataFrame | Path | str",
    schema: "Schema | Path | str",
    *,
    split: str = "unknown",
    control_share: float | None = None,
    tier: str = suite.STANDARD,
    seed: int = 0,
    time_limit: float | None = None,
    limits: rules.Limits | None = None,
    subgroups_of: Sequence[str] | None = None,
    synthesizer: str | None = None,
    generator: Generator | None = None,
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
        control_share: chance of that coin, in (0, 1): where it is known, lower bounds on epsilon
            are computed.
        tier: which attacks run, on how many persons: "smoke", "standard" or "full" (all persons).
        seed: of the audit's own random choices; the same call gives the same report.
        time_limit: in seconds; attacks that have not started by then are listed as skipped.
        limits: what the verdict is measured by; the usual limits if not given.
        subgroups_of: columns whose groups get lines of their own; the quasi-identifiers if not
            given.
        synthesizer: the kind of synthesizer, such as "mst", where it is known.
        generator: runs the synthesizer, for attackers who can.
        progress: called with a sentence as each attack starts.

    Returns:
        Results and verdict. They are a function of real persons' rows: for the custodian alone.

    Raises:
        UsageError: an argument is unknown or out of range.
        DataError: a table lacks a declared column, or members and controls are not apart.
    """
    _check_arguments(split, control_share, tier, seed, time_limit)
    say = progress or (lambda _: None)
    start = monotonic()
    say("reading and coding the tables")
    declared = _schema(schema)
    insiders, outsiders = _frame(members, declared), _frame(controls, declared)
    released = _frame(synthetic, declared)
    check_columns(released, [column.name for column in declared.modeled], name="synthetic")
    declared = seen(released, declared)
    release = encode(released, declared, name="synthetic", persons=False)
    inside = encode(insiders, declared, name="members", persons=True)
    outside = encode(outsiders, declared, name="controls", persons=True)
    _check_apart(insiders, outsiders, declared)
    persons = assemble(
        inside,
        outside,
        views=_views(declared, release.columns),
        most=MOST[tier],
        control_share=control_share,
        rng=np.random.default_rng(seed),
    )
    evidence = Evidence(
        release=release,
        population=persons.reference,
        sizes=sizes(declared),
        ordered=ordered(declared),
        missing=missing(declared),
        seed=seed,
        synthesizer=synthesizer,
        generator=generator,
        deadline=None if time_limit is None else start + time_limit,
    )
    limits = limits or rules.Limits()
    entries = suite.of_tier(tier)
    lines, others = suite.run(entries, evidence, persons.stage, progress=say)
    lines += subgroups.of_lines(
        lines,
        entries,
        evidence,
        persons.stage,
        columns=_grouping(declared, subgroups_of),
        schema=declared,
    )
    calibrated = split == "random"
    say("testing all lines together")
    results = (
        judging.tested(lines, persons.is_member, permutations=PERMUTATIONS, seed=seed)
        if calibrated
        else [judging.counted(line, persons.is_member) for line in lines]
    )
    calibration = (
        plants.planted(
            evidence,
            persons,
            lines,
            entries,
            permutations=PERMUTATIONS,
            seed=seed,
            progress=say,
        )
        if calibrated
        else ()
    )
    return AuditReport(
        split=split,
        tier=tier,
        seed=seed,
        unit=declared.unit.kind,
        results=judging.judged(
            results, others, calibrated=calibrated, comparable=True, limits=limits
        ),
        limits=limits,
        plan=_plan(entries, tier=tier, control_share=control_share),
        plants=calibration,
    )


def _plan(
    entries: Sequence[suite.Entry], *, tier: str, control_share: float | None
) -> dict[str, Any]:
    return {
        "attacks": [entry.name for entry in entries],
        "most_persons": MOST[tier],
        "permutations": PERMUTATIONS,
        "control_share": control_share,
        "plants": list(plants.SHARES),
    }


def _views(schema: "Schema", columns: Sequence[str]) -> tuple[View, ...]:
    """Return what attackers of columns know: one view for all secrets that share known columns."""
    quasi = [name for name in schema.quasi_identifiers if name in columns]
    by_known: dict[tuple[str, ...], list[str]] = {}
    for secret in (name for name in schema.sensitive if name in columns):
        known = tuple(name for name in quasi if name != secret)
        by_known.setdefault(known, []).append(secret)
    return tuple(
        View(name="", known=known, secrets=tuple(secrets)) for known, secrets in by_known.items()
    )


def _grouping(schema: "Schema", asked: Sequence[str] | None) -> tuple[str, ...]:
    """Return the columns that subgroups are made of; refuse one that is not modeled."""
    modeled = [column.name for column in schema.modeled]
    for name in asked or ():
        if name not in modeled:
            raise UsageError(
                f"subgroups of {name!r} cannot be drawn: it is not a modeled column of the schema"
            )
    wanted = schema.quasi_identifiers if asked is None else asked
    return tuple(name for name in wanted if name in modeled)


def _check_arguments(
    split: str,
    control_share: float | None,
    tier: str,
    seed: int,
    time_limit: float | None,
) -> None:
    if split not in SPLITS:
        raise UsageError(f"split must be one of: {', '.join(SPLITS)}")
    if tier not in suite.TIERS:
        raise UsageError(f"tier must be one of: {', '.join(suite.TIERS)}")
    if seed < 0:
        raise UsageError("seed must be at least 0")
    if time_limit is not None and not time_limit > 0:
        raise UsageError("time_limit must be a number of seconds above 0")
    if control_share is None:
        return
    if not 0 < control_share < 1:
        raise UsageError("control_share must lie between 0 and 1")
    if split != "random":
        raise UsageError("control_share is the chance of a coin: it needs split to be random")


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
