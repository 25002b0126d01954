"""Are members and controls alike, before anyone looks at the release?

An attack that does better on members than on controls shows a leak only if the two groups are alike
apart from membership. Where the split was not random, they may not be: controls from another year
or another ward are told apart by their records alone. This test looks at the records of the audit
set and at nothing else. It cannot show that groups are alike, only that they are not; how small a
difference it would have found depends on the number of persons.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from attacks.engine.table import CodedTable, grouping
from attacks.stats.permutation import PERMUTATIONS, Permuted, max_t
from attacks.stats.ranking import ranks

Values = NDArray[np.float64]
Row = tuple[tuple[str, ...], Values]  # whose columns, and one number a person

MOST_PERSONS = 10_000  # a random choice of so many is looked at
FEWEST_FOR_A_CLASSIFIER = 200  # persons of each group, in each half
_GROUPS, _GROUPS_OF_A_PAIR = 8, 4
_MOST_WEIGHTS = 10_000_000  # tests times persons: 80 MB
_MOST_TESTS = 1000
_FEWEST_IN_A_CELL = 5


@dataclass(frozen=True, kw_only=True)
class Shift:
    """What was found.

    Attributes:
        p_value: of all that was looked at together; in (0, 1].
        tests: columns, cells and pairs of columns that were compared.
        persons: that were looked at.
        columns: the column, or the pair, that differs most; empty where nothing was compared.
        classified: whether a classifier was tried as well.
    """

    p_value: float
    tests: int
    persons: int
    columns: tuple[str, ...]
    classified: bool


def shift(
    table: CodedTable,
    is_member: NDArray[np.bool_],
    *,
    ordered: Mapping[str, bool],
    sizes: Mapping[str, int],
    permutations: int = PERMUTATIONS,
    rng: np.random.Generator,
) -> Shift:
    """Test whether the records of members and of controls come from one population.

    Four ways, a quarter of the error each (Bonferroni): the mean place of every ordered column;
    the share of each group of codes of every column; the same of pairs of columns, as many as are
    cheap; and where there are enough persons a classifier that learns on a random half what
    members are like and is tried on the other, both ways round. Each is exact for exchangeable
    persons: a false alarm at ``level`` comes with probability ``level`` at most. A person with
    several rows counts once, with the mean of them.

    Args:
        table: the audit set, members and controls together.
        is_member: shape ``(persons,)``.
        ordered: by column, whether neighboring codes are alike.
        sizes: number of declared codes by column.
        permutations: labels drawn; ten times as many where these show no smaller p-value.
        rng: draws labels, halves, and persons and pairs where there are too many.
    """
    if table.size > MOST_PERSONS:
        chosen = np.sort(rng.permutation(table.size)[:MOST_PERSONS])
        table, is_member = table.take(chosen), is_member[chosen]
    if is_member.all() or not is_member.any() or not table.columns:
        return Shift(p_value=1.0, tests=0, persons=table.size, columns=(), classified=False)
    parts = [
        _means(table, ordered=ordered, sizes=sizes),
        _shares(table, ordered=ordered, sizes=sizes),
        _shares_of_pairs(table, ordered=ordered, sizes=sizes, rng=rng),
    ]
    p_value, tests = 1.0, 0
    first: tuple[float, tuple[str, ...]] = (2.0, ())
    for part in parts:
        weights = np.array([values for _, values in part]).reshape(len(part), table.size)
        found = _refined(
            weights,
            is_member,
            permutations=permutations,
            rng=rng,
            two_sided=True,
            refine=p_value > 1 / permutations,
        )
        tests += len(found)
        for (columns, _), result in zip(part, found, strict=True):
            p_value = min(p_value, 4 * result.adjusted)
            first = min(first, (result.adjusted, columns))
    halves = _told_apart(_places(table), is_member, permutations=permutations, rng=rng)
    return Shift(
        p_value=min([p_value, *(8 * half for half in halves)]),
        tests=tests,
        persons=table.size,
        columns=first[1],
        classified=bool(halves),
    )


def _refined(
    weights: Values,
    is_member: NDArray[np.bool_],
    *,
    permutations: int,
    rng: np.random.Generator,
    two_sided: bool,
    refine: bool = True,
) -> tuple[Permuted, ...]:
    """Return ``max_t``, from ten times the draws where the first ones cannot say how small p is.

    Still a p-value: the second answer is asked for only where the first is the smallest possible,
    so that it is at most any level above that no more often than the first one is.
    """
    found = max_t(weights, is_member, permutations=permutations, rng=rng, two_sided=two_sided)
    smallest = min((result.adjusted for result in found), default=1.0)
    if not refine or smallest > 1.5 / (1 + permutations):
        return found
    return max_t(weights, is_member, permutations=10 * permutations, rng=rng, two_sided=two_sided)


def _means(
    table: CodedTable, *, ordered: Mapping[str, bool], sizes: Mapping[str, int]
) -> list[Row]:
    """Return the mean place of each person's codes, a row an ordered column."""
    return [
        ((name,), table.mean_by_person(ranks(column.astype(np.float64))))
        for name, column in zip(table.columns, table.codes.T, strict=True)
        if ordered[name] and sizes[name] > 2
    ]


def _shares(
    table: CodedTable, *, ordered: Mapping[str, bool], sizes: Mapping[str, int]
) -> list[Row]:
    """Return the share of each person's rows in a group of codes, a row a column and group."""
    groups = min(_GROUPS, max(2, _most_tests(table) // len(table.columns)))
    rows: list[Row] = []
    for name, codes in zip(table.columns, table.codes.T, strict=True):
        made = grouping(codes, size=sizes[name], ordered=ordered[name], groups=groups)
        rows += [((name,), cell) for cell in _cells(table, made.groups[codes], made.size)]
    return rows


def _shares_of_pairs(
    table: CodedTable,
    *,
    ordered: Mapping[str, bool],
    sizes: Mapping[str, int],
    rng: np.random.Generator,
) -> list[Row]:
    """Return the same for pairs of columns, in random order, until there are too many."""
    coarse = []
    for name, codes in zip(table.columns, table.codes.T, strict=True):
        made = grouping(codes, size=sizes[name], ordered=ordered[name], groups=_GROUPS_OF_A_PAIR)
        coarse.append((name, made.groups[codes], made.size))
    pairs = list(combinations(coarse, 2))
    rows: list[Row] = []
    for number in rng.permutation(len(pairs)):
        (first, codes, size), (second, others, width) = pairs[number]
        if len(rows) + size * width > _most_tests(table):
            break
        cells = _cells(table, codes * np.int32(width) + others, size * width)
        rows += [((first, second), cell) for cell in cells]
    return rows


def _most_tests(table: CodedTable) -> int:
    return min(_MOST_TESTS, max(1, _MOST_WEIGHTS // max(1, table.size)))


def _cells(table: CodedTable, groups: NDArray[np.int32], size: int) -> list[Values]:
    """Return by group the share of each person's rows in it, leaving out groups of few persons."""
    rows = np.maximum(1, np.bincount(table.persons, minlength=table.size))
    cells = []
    for group in range(size):
        inside = table.persons[groups == group]
        share = np.bincount(inside, minlength=table.size) / rows
        persons = int((share > 0).sum())
        if persons >= _FEWEST_IN_A_CELL and int((share < 1).sum()) >= _FEWEST_IN_A_CELL:
            cells.append(share)
    return cells


def _places(table: CodedTable) -> Values:
    """Return shape ``(persons, columns)``: the mean code of each person's rows."""
    columns = [table.mean_by_person(column.astype(np.float64)) for column in table.codes.T]
    return np.column_stack(columns)


def _told_apart(
    features: Values,
    is_member: NDArray[np.bool_],
    *,
    permutations: int,
    rng: np.random.Generator,
) -> list[float]:
    """Return a p-value for each half, of scores learnt on the other; none from too few persons.

    Learnt on other persons, a score is fixed before the labels of its half are looked at. Scores of
    all folds of a cross-validation together are not: each is learnt from the labels of the others.
    """
    order = rng.permutation(is_member.size)
    halves = order[: order.size // 2], order[order.size // 2 :]
    fewest = min(int((is_member[half] == side).sum()) for half in halves for side in (True, False))
    if fewest < FEWEST_FOR_A_CLASSIFIER:
        return []
    from sklearn.ensemble import HistGradientBoostingClassifier

    p_values = []
    for learnt, tried in (halves, halves[::-1]):
        model = HistGradientBoostingClassifier(
            max_iter=40, max_leaf_nodes=8, early_stopping=False, random_state=0
        )
        model.fit(features[learnt], is_member[learnt])
        scores = ranks(model.decision_function(features[tried]))
        found = _refined(
            scores[None], is_member[tried], permutations=permutations, rng=rng, two_sided=False
        )
        p_values.append(found[0].p_value)
    return p_values
