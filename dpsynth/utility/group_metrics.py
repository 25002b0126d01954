"""What is measured among the rows of one subgroup: every metric of the whole table, or why not.

A group is a smaller table, and each section measures it as it measures the whole. What needs many
rows is not measured in few: the reason stands in place of the number.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dpsynth.utility import propensity
from dpsynth.utility.association import association
from dpsynth.utility.hellinger import hellinger
from dpsynth.utility.marginals import WIDTHS, marginals
from dpsynth.utility.missingness import missingness
from dpsynth.utility.normal_scores import normal_scores
from dpsynth.utility.rule_violations import rule_violations
from dpsynth.utility.scores import Score, Section
from dpsynth.utility.support import support
from dpsynth.utility.survival import survival
from dpsynth.utility.tables import NAMES, Codes, Tables

LEAST = 10  # rows of a group, in each table, below which nothing but its share is measured
SMALL = 100  # rows of a group, below which its numbers are marked, or not measured
A_COLUMN = 5  # rows of a group for each column that a comparison of all columns needs
A_TERM = 10  # rows of a group for each term of the logistic regression
TOLD = 50  # rows of a group, real or not, among those that the whole table's classifier judged
MOST_ROWS = 3_000  # of a group in each table that the comparisons of pairs and more see
MOST_TRIPLES = 100
MOST_POINTS = 2_000  # of those that are held against each other, one by one

TABLES = "Tables of one and two columns"
TRIPLES = "Tables of three columns"
ALL_COLUMNS = "All columns at once, as a Gaussian copula"
ASSOCIATIONS = "Associations of pairs of columns"
REGRESSION = "Telling synthetic from real rows: logistic regression"
BOOSTING = "Telling synthetic from real rows: gradient boosting"
SUPPORT = "Where rows lie"
MISSING = "Missing cells"
RULES = "Rules, and pairs never seen in the real table"
SURVIVAL = "Time to the event"


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """One group of rows.

    Attributes:
        tables: all of them, with the rows of every group.
        inside: by table, the places of the group's rows.
        column: what makes the group; the same or nearly so within it, and so compared with others
            nowhere but in rules, missing cells and survival.
    """

    tables: Tables
    inside: Mapping[str, Codes]
    column: str

    @property
    def rows(self) -> int:
        """Return the rows of the table that has fewest of the group."""
        return min(len(self.inside[name]) for name in NAMES)

    @property
    def others(self) -> tuple[str, ...]:
        """Return the other columns."""
        return tuple(name for name in self.tables.sizes if name != self.column)

    def part(self, *, most: int | None = None, columns: tuple[str, ...] | None = None) -> Tables:
        """Return the tables with these rows alone, at most so many of each."""
        # Rows stand in random order: the first of them are a sample.
        rows = {name: held[:most] for name, held in self.inside.items()}
        return self.tables.part(rows, self.others if columns is None else columns)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one metric says of a group: scores, or in words why there are none.

    Attributes:
        title: of the metric, the same for every group.
        scores: what was measured.
        instead: why nothing was; empty where something was, or where it does not apply.
    """

    title: str
    scores: tuple[Score, ...] = ()
    instead: str = ""


def measured(group: Group, *, seed: int) -> Iterator[Measured]:
    """Yield every metric of one group, in the order of the report."""
    tables, width = group.tables, len(group.others)
    if not width:
        return  # a table of the one column that makes the group
    many = max(SMALL, A_COLUMN * width)
    yield _of(TABLES, group, LEAST, lambda: _marginals(group.part(), (1, 2), seed))
    yield _of(TRIPLES, group, SMALL, lambda: _marginals(_cut(group), (3,), seed))
    yield _of(ALL_COLUMNS, group, many, lambda: hellinger(_cut(group), seed=seed))
    yield _of(ASSOCIATIONS, group, SMALL, lambda: association(_cut(group), seed=seed))
    yield _regression(group, seed=seed)
    yield _boosting(group, seed=seed)
    yield _of(SUPPORT, group, many, lambda: support(group.part(most=MOST_POINTS), seed=seed))
    all_columns = tuple(tables.sizes)
    whole = group.part(columns=all_columns) if group.rows >= LEAST else tables
    yield _of(MISSING, group, LEAST, lambda: missingness(whole, seed=seed))
    yield _of(RULES, group, LEAST, lambda: rule_violations(whole, seed=seed))
    if tables.time is not None and tables.event is not None:
        yield _of(SURVIVAL, group, SMALL, lambda: survival(whole, seed=seed))


def _cut(group: Group) -> Tables:
    return group.part(most=MOST_ROWS)


def _of(title: str, group: Group, least: int, measure: Callable[[], Section | None]) -> Measured:
    if group.rows < least:
        return Measured(title=title, instead=_too_few(least))
    found = measure()
    if found is None:
        return Measured(title=title)
    scores = tuple(score for score in found.scores if not score.group)
    instead = "" if scores else " ".join(found.notes)
    return Measured(title=title, scores=scores, instead=instead)


def _too_few(least: int) -> str:
    return f"not measured: fewer than {least:,} rows of the group in a table"


def _marginals(part: Tables, widths: tuple[int, ...], seed: int) -> Section | None:
    found = marginals(part, seed=seed, widths=widths, most=MOST_TRIPLES)
    kept = {WIDTHS[width] for width in widths}
    assert found is not None  # it applies to any table
    return replace(found, scores=tuple(each for each in found.scores if each.name in kept))


def _regression(group: Group, *, seed: int) -> Measured:
    """Return pMSE where there are ten rows for each term: with fewer it tells any tables apart."""
    least = A_TERM * propensity.count_of_terms(len(group.others))
    if group.rows < max(least, SMALL):
        return Measured(title=REGRESSION, instead=_too_few(max(least, SMALL)))
    part = group.part(most=max(least, MOST_ROWS))
    of = normal_scores(part)
    if not of["real"].shape[1]:
        return Measured(title=REGRESSION)
    size = min(part.compared, len(part.real))
    score, _ = propensity.pmse({name: held[:size] for name, held in of.items()}, seed=seed)
    return Measured(title=REGRESSION, scores=(score,))


def _boosting(group: Group, *, seed: int) -> Measured:
    """Return how well the whole table's classifier tells the group's rows apart.

    Its chances are cross-validated, so nothing was learnt from the rows that it judges; a
    classifier of the group's own would learn from fewer rows and see less.
    """
    rows = propensity.rows_told_apart(group.tables)
    real, others = _place(group.inside["real"], rows), {}
    for name, (chance, label) in propensity.told_apart(group.tables, seed=seed).items():
        picked = np.concatenate([real, rows + _place(group.inside[name], rows)])
        others[name] = chance[picked], label[picked]
    fewest = min(min(int(held.sum()), int((~held).sum())) for _, held in others.values())
    if fewest < TOLD:
        few = f"fewer than {TOLD} rows of the group in a table are among the {rows:,} of each "
        return Measured(title=BOOSTING, instead=f"not measured: {few}that were told apart")
    return Measured(title=BOOSTING, scores=(propensity.area_score(others, seed=seed + 1),))


def _place(inside: Codes, rows: int) -> NDArray[np.int64]:
    return inside[inside < rows]
