"""``audit``: attack a synthetic table and say what was found."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

from attacks import judging, memorization, plants, rules, subgroups, suite, views
from attacks import lower_bounds as bounds
from attacks.attribute import identity
from attacks.audit_report import AuditReport
from attacks.audit_set import assemble, check_share
from attacks.base import Evidence
from attacks.engine.encode import missing, ordered, sizes
from attacks.engine.generators import Coded, FrameGenerator
from attacks.scan.witnesses import witnesses
from attacks.stats.permutation import PERMUTATIONS
from attacks.stats.shift import shift
from attacks.tables import Rows, read
from dpsynth.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

SPLITS = ("random", "unknown")
# Persons attacked on each side, about.
MOST: Mapping[str, int | None] = {suite.SMOKE: 5_000, suite.STANDARD: 10_000, suite.FULL: None}

Progress = Callable[[str], None]


def audit(
    synthetic: "pd.DataFrame | Path | str | Rows",
    members: "pd.DataFrame | Path | str | Rows",
    controls: "pd.DataFrame | Path | str | Rows",
    schema: "Schema | Path | str",
    *,
    split: str = "unknown",
    control_share: float | None = None,
    tier: str = suite.STANDARD,
    seed: int = 0,
    time_limit: float | None = None,
    limits: rules.Limits | None = None,
    subgroups_of: Sequence[str] | None = None,
    attackers: Sequence[str] = (),
    knows: Mapping[str, Sequence[str]] | None = None,
    every_column: bool = False,
    synthesizer: str | None = None,
    generator: FrameGenerator | None = None,
    delta: float = bounds.DELTA,
    persons: int | None = None,
    engine: str = "auto",
    notes: Sequence[str] = (),
    progress: Progress | None = None,
) -> AuditReport:
    """Attack ``synthetic`` and report how much better the attacks do on members than on controls.

    Args:
        synthetic: the table under suspicion, made by any tool, with the schema's columns; a large
            file is read block by block, and stands in memory at no time.
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
        attackers: presets of attackers, beside the one who knows the quasi-identifiers:
            "neighbor", "insurer", "registry holder".
        knows: by name of a part of a preset, such as "zip", the columns that hold it.
        every_column: the attacker who knows all columns but one guesses the columns that are not
            sensitive as well; each adds tests, so that each must be clearer to be found.
        synthesizer: the kind of synthesizer, such as "mst", where it is known.
        generator: runs the synthesizer on a data frame, for attackers who can: any callable, or
            ``attacks.Planned`` for a release by dpsynth.
        delta: at which lower bounds on epsilon are stated.
        persons: members and controls together to draw, by a keyed hash, before anything else is
            done; all if not given. The synthetic table is always whole.
        engine: of the synthetic table's file: "frame" holds it in memory, "duckdb" streams it from
            disk; by its size where not given.
        notes: sentences on how the tables came about, for the report.
        progress: called with a sentence as each attack starts.

    Returns:
        Results and verdict. They are a function of real persons' rows: for the custodian alone.

    Raises:
        UsageError: an argument is unknown or out of range.
        DataError: a table lacks a declared column, members and controls are not apart, or they
            belie the share of controls.
    """
    _check_arguments(split, control_share, tier, seed, time_limit, delta)
    say = progress or (lambda _: None)
    start = monotonic()
    say("reading and coding the tables")
    tables = read(synthetic, members, controls, schema, persons=persons, seed=seed, engine=engine)
    declared = tables.schema
    if control_share is not None:
        check_share(tables.members, tables.controls, control_share=control_share)
    groups = views.subgroup_columns(declared, subgroups_of)
    drawn = assemble(
        tables.members,
        tables.controls,
        views=views.views(declared, attackers=attackers, knows=knows),
        most=MOST[tier],
        control_share=control_share,
        rng=np.random.default_rng(seed),
    )
    evidence = Evidence(
        release=tables.release,
        population=drawn.reference,
        sizes=sizes(declared),
        ordered=ordered(declared),
        missing=missing(declared),
        seed=seed,
        synthesizer=synthesizer,
        generator=None if generator is None else Coded(generator=generator, schema=declared),
        deadline=None if time_limit is None else start + time_limit,
        say=say,
    )
    limits = limits or rules.Limits()
    entries = suite.of_tier(tier, every_column=every_column)
    lines, others = suite.run(entries, evidence, drawn.stage, progress=say)
    by_group = partial(
        subgroups.drawn,
        entries=entries,
        evidence=evidence,
        stage=drawn.stage,
        columns=groups,
        schema=declared,
    )
    lines += by_group(lines)
    calibrated = split == "random"
    say("comparing members and controls without the release")
    apart = shift(
        drawn.stage.targets,
        drawn.is_member,
        ordered=evidence.ordered,
        sizes=evidence.sizes,
        rng=evidence.rng("shift"),
    )
    say("testing all lines together")
    test = partial(judging.with_p_values, is_member=drawn.is_member, seed=seed)
    results = (
        test(lines) if calibrated else [judging.counted(line, drawn.is_member) for line in lines]
    )
    calibration = (
        plants.planted(
            evidence,
            drawn,
            lines,
            entries,
            test=test,
            groups=by_group,
            limits=limits,
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
            results,
            others,
            calibrated=calibrated,
            comparable=apart.p_value > rules.SHIFT_LEVEL,
            limits=limits,
        ),
        limits=limits,
        plan=_plan(
            entries,
            tier=tier,
            knows=knows,
            generator=generator,
            control_share=control_share,
            every_column=every_column,
            subgroups=list(groups),
            attackers=list(attackers),
            synthesizer=synthesizer,
            delta=delta,
            time_limit=time_limit,
            **({} if persons is None else {"persons": persons}),
        ),
        plants=calibration,
        shift_p_value=apart.p_value,
        lower_bounds=bounds.lower_bounds(lines, drawn, delta=delta),
        witnesses=witnesses(tables, random=calibrated),
        conventions=identity.conventions(
            evidence, tables.members, tables.controls, views=drawn.stage.views
        ),
        smoke_test=memorization.distances(evidence, drawn),
        tables=(*notes, *tables.notes),
    )


def _plan(
    entries: Sequence[suite.Entry],
    *,
    tier: str,
    knows: Mapping[str, Sequence[str]] | None,
    generator: FrameGenerator | None,
    **settings: object,
) -> dict[str, Any]:
    """Return what was asked for: the same call on the same tables gives the same report."""
    return {
        "attacks": [entry.name for entry in entries],
        "most_persons": MOST[tier],
        "permutations": PERMUTATIONS,
        "plants": list(plants.SHARES),
        "knows": {part: list(columns) for part, columns in (knows or {}).items()},
        "generator": generator is not None,
        **settings,
    }


def _check_arguments(
    split: str,
    control_share: float | None,
    tier: str,
    seed: int,
    time_limit: float | None,
    delta: float,
) -> None:
    if split not in SPLITS:
        raise UsageError(f"split must be one of: {', '.join(SPLITS)}")
    if tier not in suite.TIERS:
        raise UsageError(f"tier must be one of: {', '.join(suite.TIERS)}")
    if seed < 0:
        raise UsageError("seed must be at least 0")
    if not 0 < delta < 1:
        raise UsageError("delta must lie between 0 and 1")
    if time_limit is not None and not time_limit > 0:
        raise UsageError("time_limit must be a number of seconds above 0")
    if control_share is None:
        return
    if not 0 < control_share < 1:
        raise UsageError("control_share must lie between 0 and 1")
    if split != "random":
        raise UsageError("control_share is the chance of a coin: it needs split to be random")
