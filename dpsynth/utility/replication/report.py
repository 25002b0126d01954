"""The replication report: named analyses on synthetic copies, beside the real rows.

A Section with the key "replication". Its ``tables``:

- ``coefficients``: ``{"columns": [...], "rows": [...]}``, a row a coefficient: what the copies say
  together, whether its relation was measured, and, where real rows are given, what they say.
- ``coverage``: likewise, a row a coefficient: how often intervals held the truth in worlds drawn
  from the released model. Computed from released numbers alone.

Scores stand between a ceiling (a real holdout against the real rows) and a floor (the real columns,
each dealt out anew). Everything that real rows entered is internal.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dpsynth.errors import UsageError
from dpsynth.utility.replication.analyses import (
    INTERCEPT,
    Analysis,
    Estimates,
    check,
    prepared,
    require_statsmodels,
    run,
)
from dpsynth.utility.replication.coverage import Coverage, in_words
from dpsynth.utility.replication.formulas import columns_of
from dpsynth.utility.replication.lines import (
    COLUMNS,
    RULES,
    Line,
    combine,
    interval_of,
    scores_of,
)
from dpsynth.utility.scores import Score, Section

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

KEY = "replication"
_FEWEST_STEADY = 10  # copies
_NOT_MEASURED = (
    "{analysis}, {name}: the release did not measure how {columns} go together, so this "
    "coefficient only repeats what follows from other relations, and its interval does not hold "
    "the truth as often as it says."
)
_PARTLY = (
    "{analysis}: the release did not measure how {columns} go together; coefficients that are "
    "adjusted for both may be off."
)


def replicate(
    analyses: Sequence[Analysis],
    copies: "Sequence[pd.DataFrame]",
    schema: "Schema",
    *,
    real: "pd.DataFrame | None" = None,
    holdout: "pd.DataFrame | None" = None,
    rule: str = "fully",
    rows_ratio: float = 1.0,
    supports: Callable[..., bool] | None = None,
    coverage: Sequence[Coverage] = (),
    seed: int = 0,
    progress: Callable[[str], object] | None = None,
) -> Section:
    """Run ``analyses`` on all copies, combine them, and compare with real rows if there are any.

    Args:
        analyses: as ``read_analyses`` returns them.
        copies: synthetic tables, two or more, such as ``FittedModel.sample_copies`` draws.
        schema: declares the columns.
        real: the custodian's rows.
        holdout: other real rows, which the release was not made from: the ceiling.
        rule: "fully" or "partially" synthetic; see ``combining``.
        rows_ratio: rows of a copy over rows of the real table.
        supports: whether the relation of the columns that it is called with was measured;
            ``Copies.supports``. Not known where not given.
        coverage: of simulated worlds; see ``worlds.simulate``.
        seed: of the floor.
        progress: told what is being done.

    Privacy:
        With ``real`` the result is computed from private rows, outside the guarantee: internal.
        Without, it is post-processing of a release.

    Raises:
        UsageError: an analysis does not fit the columns, or there are fewer than two copies.
        DataError: a table lacks a column of an analysis.
        UnfitEnvironmentError: statsmodels is not installed.
    """
    require_statsmodels()
    check(analyses, schema)
    if rule not in RULES:
        raise UsageError(f"rule must be one of: {', '.join(RULES)}")
    if len(copies) < 2:
        raise UsageError("a replication combines two copies or more")
    tell = progress or (lambda _: None)
    rng = np.random.default_rng(seed)
    names = [column.name for column in schema.modeled]
    lines: list[Line] = []
    scores: list[Score] = []
    notes = list(_general_notes(len(copies), supports, real))
    for analysis in analyses:
        tell(f"running {analysis.name}")
        needed = list(dict.fromkeys((*analysis.outcome(names), *analysis.covariates(names))))

        def on(
            table: "pd.DataFrame",
            analysis: Analysis = analysis,
            needed: Sequence[str] = needed,
        ) -> Estimates:
            return run(analysis, prepared(table, schema, needed))

        found = [on(table) for table in copies]
        told = None if real is None else on(real)
        fresh, skipped = _lines(analysis, names, found, told, rule, rows_ratio, supports)
        lines += fresh
        notes += _unsupported(analysis, names, fresh, supports)
        notes += [
            f"{analysis.name}, {name}: fewer than two copies tell of it, so it is left out."
            for name in skipped
        ]
        if real is not None and told is not None:
            floor = prepared(real, schema, needed)
            floor = floor.assign(
                **{name: floor[name].array.take(rng.permutation(len(floor))) for name in needed}
            )
            top = None if holdout is None else on(holdout)
            scores += scores_of(analysis, fresh, told, top, run(analysis, floor))
    notes += [said for each in coverage for said in in_words(each)]
    return Section(
        key=KEY,
        title="Analyses that survive",
        scores=tuple(scores),
        tables={
            "coefficients": {"columns": COLUMNS, "rows": [line.row() for line in lines]},
            **({"coverage": _coverage_table(coverage)} if coverage else {}),
        },
        notes=tuple(notes),
    )


def _lines(
    analysis: Analysis,
    names: Sequence[str],
    found: Sequence[Estimates],
    real: Estimates | None,
    rule: str,
    rows_ratio: float,
    supports: Callable[..., bool] | None,
) -> tuple[list[Line], list[str]]:
    """Return a line for every coefficient that two copies tell of, and the names of the others."""
    lines, skipped = [], []
    for name in dict.fromkeys(name for each in found for name in each.names):
        combined = combine(found, name, rule=rule, rows_ratio=rows_ratio)
        if combined is None:
            skipped.append(name)
            continue
        columns = {*analysis.outcome(names), *columns_of(name, names)}
        lines.append(
            Line(
                analysis=analysis.name,
                coefficient=name,
                synthetic=combined,
                measured=None if supports is None else supports(*columns),
                real=interval_of(real, name),
            )
        )
    return lines, skipped


def _unsupported(
    analysis: Analysis,
    names: Sequence[str],
    lines: Sequence[Line],
    supports: Callable[..., bool] | None,
) -> list[str]:
    """Say which coefficients and adjustments rest on relations that nobody measured."""
    if supports is None:
        return []
    outcome = analysis.outcome(names)
    said = [
        _NOT_MEASURED.format(
            analysis=analysis.name,
            name=line.coefficient,
            columns=_listed([*outcome, *columns_of(line.coefficient, names)]),
        )
        for line in lines
        if not line.measured and line.coefficient != INTERCEPT
    ]
    covariates = [name for name in analysis.covariates(names) if name not in outcome]
    said += [
        _PARTLY.format(analysis=analysis.name, columns=_listed([first, second]))
        for at, first in enumerate(covariates)
        for second in covariates[at + 1 :]
        if not supports(first, second)
    ]
    return said


def _listed(columns: Sequence[str]) -> str:
    found = list(dict.fromkeys(columns))
    return " and ".join([", ".join(found[:-1]), found[-1]]) if len(found) > 1 else found[0]


def _general_notes(
    copies: int, supports: Callable[..., bool] | None, real: "pd.DataFrame | None"
) -> list[str]:
    said = []
    if supports is None:
        said.append(
            "It is not known how these copies were made. Several samples of one model all repeat "
            "its error: intervals are then too narrow. Give the release and --copies instead."
        )
    if copies < _FEWEST_STEADY:
        said.append(f"{copies} copies make wide intervals; 20 or more are better.")
    if real is not None:
        said.append("Computed from real rows, outside the guarantee: for the custodian alone.")
    return said


def _coverage_table(coverage: Sequence[Coverage]) -> dict[str, Any]:
    rows = [each.to_dict() for each in coverage]
    return {"columns": list(rows[0]), "rows": [list(row.values()) for row in rows]}
